"""RoBERTa through transformers: a tiny random one, made here; nothing is fetched."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from trisparse.core.errors import BackendUnavailable, CorruptFile, DataError, InvalidInput, MissingPart
from trisparse.sparse3d.roberta import Roberta, RobertaSizes, find_roberta, weight_shapes
from trisparse.sparse3d.text import TextEncoder, load_text_encoder

transformers: Any = pytest.importorskip("transformers", reason="the text encoder roberta needs transformers")

SENTENCES = ["The brown chair near the table.", "it is black"]
_WIDTH, _POSITIONS = 12, 40


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as of roberta-base, with a small model and tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    folder = tmp_path_factory.mktemp("roberta")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 5, trainer)
    tokenizer.model.save(str(folder))
    config = transformers.RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=_POSITIONS,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(transformers.RobertaModel(config).state_dict(), folder / "model.safetensors")
    return folder


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    """The same folder, free to be damaged."""
    for path in tiny.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def _reference(folder: Path, ids: list[int]) -> torch.Tensor:
    config = transformers.RobertaConfig.from_dict(json.loads((folder / "config.json").read_text()))
    model = transformers.RobertaModel(config).eval()
    model.load_state_dict(load_file(folder / "model.safetensors"))
    with torch.no_grad():
        return model(torch.tensor([ids])).last_hidden_state[0]


def test_states_are_those_of_the_model_on_the_sentence_alone(tiny: Path) -> None:
    encoder = Roberta(tiny)
    encoded = encoder.encode(SENTENCES)
    assert isinstance(encoder, TextEncoder)
    assert (encoder.name, encoder.width) == ("roberta", _WIDTH)
    tokenizer = transformers.RobertaTokenizerFast.from_pretrained(str(tiny), local_files_only=True)
    for row, sentence in enumerate(SENTENCES):
        ids = tokenizer(sentence)["input_ids"]
        assert (ids[0], ids[-1]) == (0, 2)
        assert encoded.padding[row].tolist() == [n >= len(ids) for n in range(encoded.padding.shape[1])]
        torch.testing.assert_close(encoded.states[row, : len(ids)], _reference(tiny, ids), atol=1e-5, rtol=1e-5)


def test_states_do_not_depend_on_the_batch_or_on_memory(tiny: Path) -> None:
    encoder = Roberta(tiny, remember=1)
    both = encoder.encode([*SENTENCES, SENTENCES[0]])
    torch.testing.assert_close(both.states[0], both.states[2], atol=0, rtol=0)
    alone = encoder.encode(SENTENCES[1:])
    torch.testing.assert_close(both.states[1, : alone.states.shape[1]], alone.states[0], atol=0, rtol=0)
    assert not both.states.requires_grad


def test_making_one_is_quiet_and_leaves_the_random_state_alone(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = torch.get_rng_state()
    Roberta(tiny).encode(SENTENCES)
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")


def test_weights_of_a_converted_checkpoint_replace_those_of_the_folder(copy: Path, tmp_path: Path) -> None:
    other = {name: 2 * value for name, value in load_file(copy / "model.safetensors").items()}
    save_file(other, tmp_path / "w.text.safetensors")
    before = Roberta(copy).encode(SENTENCES).states
    (copy / "model.safetensors").unlink()
    encoder = load_text_encoder("roberta", folder=copy, weights=tmp_path / "w.text.safetensors")
    assert not torch.allclose(encoder.encode(SENTENCES).states, before)


def test_our_list_of_weights_is_that_of_transformers(tiny: Path) -> None:
    values = json.loads((tiny / "config.json").read_text())
    sizes = RobertaSizes(
        layers=2, width=_WIDTH, inner=16, vocabulary=values["vocab_size"], positions=values["max_position_embeddings"]
    )
    found = {name: tuple(value.shape) for name, value in load_file(tiny / "model.safetensors").items()}
    assert weight_shapes(sizes) == found


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_files_of_a_model_with_a_head_are_taken(copy: Path, file: str) -> None:
    before = Roberta(copy).encode(SENTENCES).states
    tensors = {f"roberta.{name}": value for name, value in load_file(copy / "model.safetensors").items()}
    tensors["lm_head.bias"] = torch.zeros(3)
    tensors["roberta.embeddings.position_ids"] = torch.arange(_POSITIONS)[None]
    (copy / "model.safetensors").unlink()
    save_file(tensors, copy / file) if file.endswith("safetensors") else torch.save(tensors, copy / file)
    torch.testing.assert_close(Roberta(copy).encode(SENTENCES).states, before, atol=0, rtol=0)


def test_a_long_sentence_is_refused_with_its_count(tiny: Path) -> None:
    encoder = Roberta(tiny)
    fits = _POSITIONS - 2
    assert encoder.encode(["!" * (fits - 2)]).states.shape[1] == fits
    with pytest.raises(InvalidInput, match=f"has {fits + 1} tokens, the text model reads at most {fits}"):
        encoder.encode(["!" * (fits - 1)])


@pytest.mark.parametrize("sentence", ["", "   "])
def test_a_sentence_without_words_is_refused(tiny: Path, sentence: str) -> None:
    with pytest.raises(InvalidInput, match="has no words"):
        Roberta(tiny).encode([sentence])


def test_without_transformers_the_package_is_named(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'trisparse\[roberta\]'"):
        Roberta(tiny)


@pytest.mark.parametrize(
    ("lost", "match"),
    [
        ("config.json", "no config.json"),
        ("vocab.json", "no tokenizer.json"),
        ("model.safetensors", "no model.safetensors"),
    ],
)
def test_a_missing_file_is_named(copy: Path, lost: str, match: str) -> None:
    (copy / lost).unlink()
    with pytest.raises(MissingPart, match=match):
        Roberta(copy)


def test_a_missing_weights_file_is_named(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"none\.safetensors: no such file"):
        Roberta(tiny, weights=tmp_path / "none.safetensors")


def test_the_hubs_cache_is_searched(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(MissingPart, match="hf download FacebookAI/roberta-base"):
        find_roberta()
    snapshots = tmp_path / "hub" / "models--FacebookAI--roberta-base" / "snapshots"
    (snapshots / "0incomplete").mkdir(parents=True)
    (snapshots / "1complete").symlink_to(tiny)
    assert find_roberta() == snapshots / "1complete"


def test_an_emptied_tokenizer_is_noticed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = transformers.RobertaTokenizerFast  # makes one of five entries where it can use no file
    monkeypatch.setattr(cls, "from_pretrained", lambda *_, **__: cls())
    with pytest.raises(CorruptFile, match=r"tokenizer: 5 entries with padding 0, the model has \d+ with 1"):
        Roberta(tiny)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "{"),
        ("config.json", '{"model_type": "bert"}'),
        ("vocab.json", "{"),
        ("vocab.json", '{"<s>": 0}'),
        ("model.safetensors", "hello"),
    ],
)
def test_damaged_files_are_corrupt(copy: Path, file: str, content: str) -> None:
    (copy / file).write_text(content)
    with pytest.raises(CorruptFile, match=str(copy)):
        Roberta(copy)


@pytest.mark.parametrize(
    "pickled", [b"h\x05.", b"a.", b"J\1", b"}q\0cargparse\nNamespace\nq\1s.", b"}(K\1K\2u.", b"]K\1a."]
)
def test_a_tampered_checkpoint_of_the_text_model_is_corrupt(copy: Path, pickled: bytes) -> None:
    """Found by fuzzing: torch raises a little of everything."""
    (copy / "model.safetensors").unlink()
    torch.save({"x": torch.ones(1)}, copy / "whole.pt")
    with zipfile.ZipFile(copy / "whole.pt") as whole, zipfile.ZipFile(copy / "pytorch_model.bin", "w") as other:
        for name in whole.namelist():
            other.writestr(name, b"\x80\2" + pickled if name.endswith("data.pkl") else whole.read(name))
    with pytest.raises(CorruptFile, match=r"pytorch_model\.bin: content: no weights"):
        Roberta(copy)


def test_weights_of_another_model_list_the_differences(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    tensors["extra"] = tensors.pop("embeddings.LayerNorm.bias")
    save_file(tensors, copy / "model.safetensors")
    with pytest.raises(DataError, match=r"missing: embeddings\.LayerNorm\.bias; unexpected: extra"):
        Roberta(copy)
