"""Published checkpoints: files made in exactly that shape are converted, hostile and damaged ones are refused."""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from trisparse.core.errors import CorruptFile, DataError, InvalidInput, MissingPart, UnsafeFile
from trisparse.pipelines import cli
from trisparse.sparse3d.checkpoint import load_grounder_network, load_weights, text_weights_of
from trisparse.sparse3d.config import GrounderConfig, preset
from trisparse.sparse3d.grounder import Grounder
from trisparse.sparse3d.published import ConversionReport, convert_checkpoint
from trisparse.sparse3d.roberta import RobertaSizes, weight_shapes

TINY = GrounderConfig(
    stem_channels=4,
    stage_blocks=(1, 1, 1, 1),
    stage_channels=(4, 8, 8, 8),
    width=8,
    heads=2,
    fusion_layers=1,
    text_width=6,
)
SIZES = RobertaSizes(layers=1, width=6, inner=8, vocabulary=11, positions=10)


class Published:
    """The parts of a published checkpoint of a tiny network."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.network: dict[str, Tensor] = dict(Grounder(TINY).state_dict())
        self.text = {name: torch.randn(shape, generator=generator) for name, shape in weight_shapes(SIZES).items()}
        self.text["embeddings.position_ids"] = torch.arange(10)[None]
        self.config: Any = argparse.Namespace(lr=1e-4, lr_decay_epochs=[50, 75], debug=False, checkpoint_path=None)
        self.more: dict[str, Any] = {}

    def model(self) -> OrderedDict[str, Tensor]:
        entries = OrderedDict((f"module.{name}", value) for name, value in self.network.items())
        entries.update((f"module.text_encoder.{name}", value) for name, value in self.text.items())
        return entries

    def content(self) -> dict[str, Any]:
        return {"config": self.config, "save_path": "", "model": self.model(), "epoch": 66, **self.more}

    def save(self, path: Path) -> Path:
        torch.save(self.content(), path)
        return path


@pytest.fixture
def published() -> Published:
    return Published()


def _convert(source: Path, target: Path | None = None) -> ConversionReport:
    target = source.parent / "out" / "w.safetensors" if target is None else target
    return convert_checkpoint(source, target, config=TINY, text_sizes=SIZES)


def _assert_refused(source: Path, error: type[Exception], match: str) -> str:
    with pytest.raises(error, match=match) as caught:
        _convert(source)
    assert not (source.parent / "out").exists(), "nothing may be written"
    assert source.name in str(caught.value)
    return str(caught.value)


# What is right


def test_a_checkpoint_becomes_a_network_with_the_same_weights(tmp_path: Path, published: Published) -> None:
    report = _convert(published.save(tmp_path / "ckpt.pth"))
    network = load_grounder_network(report.weights)
    assert network.config == TINY
    for name, value in published.network.items():
        torch.testing.assert_close(network.state_dict()[name], value, atol=0, rtol=0)
    about = load_weights(report.weights)[1]
    assert about["epoch"] == report.epoch == 66
    assert about["source"] == "ckpt.pth"
    assert about["licence"] == "CC BY-NC-SA 4.0 (inherited from the published weights)"
    assert report.parameters == sum(value.numel() for value in network.parameters())


def test_the_text_weights_become_a_second_file(tmp_path: Path, published: Published) -> None:
    report = _convert(published.save(tmp_path / "ckpt.pth"))
    assert report.text_weights is not None
    assert report.text_weights == text_weights_of(report.weights) == tmp_path / "out" / "w.text.safetensors"
    text = load_file(report.text_weights)
    assert set(text) == set(weight_shapes(SIZES)), "without the buffer position_ids"
    for name, value in text.items():
        torch.testing.assert_close(value, published.text[name], atol=0, rtol=0)
    with safe_open(report.text_weights, framework="pt") as opened:
        assert "CC BY-NC-SA 4.0" in opened.metadata()["licence"]


def test_without_text_weights_there_is_no_second_file(tmp_path: Path, published: Published) -> None:
    published.text = {}
    report = _convert(published.save(tmp_path / "ckpt.pth"))
    assert report.text_weights is None
    assert text_weights_of(report.weights) is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["w.json", "w.safetensors"]


def test_the_training_configuration_becomes_json(tmp_path: Path, published: Published) -> None:
    published.config = argparse.Namespace(
        lr=1e-4, steps=[5, (1, 2)], nan=float("nan"), none=None, nested=argparse.Namespace(a={1: "x"}), t=torch.ones(2)
    )
    report = _convert(published.save(tmp_path / "ckpt.pth"))
    assert json.loads(report.settings.read_text()) == {
        "lr": 1e-4,
        "steps": [5, [1, 2]],
        "nan": "nan",
        "none": None,
        "nested": {"a": {"1": "x"}},
        "t": "<Tensor>",
    }


def test_optimizer_and_scheduler_are_left_out(tmp_path: Path, published: Published) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    weight.grad = torch.ones(3)
    optimizer.step()
    published.more = {
        "optimizer": optimizer.state_dict(),
        "scheduler": {"milestones": Counter({5: 1}), "last_epoch": 3},
    }
    assert _convert(published.save(tmp_path / "ckpt.pth")).left_out == ("optimizer", "save_path", "scheduler")


def test_parameters_and_half_precision_are_taken(tmp_path: Path, published: Published) -> None:
    published.network["head.com_cls.bias"] = nn.Parameter(published.network["head.com_cls.bias"].half())
    report = _convert(published.save(tmp_path / "ckpt.pth"))
    assert load_file(report.weights)["head.com_cls.bias"].dtype == torch.float32


def test_converting_leaves_torchs_allow_list_as_it_was(tmp_path: Path, published: Published) -> None:
    source = published.save(tmp_path / "ckpt.pth")
    _convert(source)
    assert argparse.Namespace not in torch.serialization.get_safe_globals()
    with torch.serialization.safe_globals([argparse.Namespace]):
        _convert(source)
        assert argparse.Namespace in torch.serialization.get_safe_globals()


# The published sizes


def test_the_network_has_the_published_sizes(shared: Path) -> None:
    with torch.device("meta"):
        network = Grounder(preset("tsp3d"))
    state = network.state_dict()
    assert len(state) == 503
    assert len(list(network.parameters())) == 368
    assert sum(value.numel() for value in network.parameters()) == 16_804_490
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert counts == {"vision_backbone": 12_007_808, "text_projector": 98_688, "head": 4_697_994}
    with safe_open(shared / "oracles" / "tsp3d" / "weights_fp16.safetensors", framework="pt") as recorded:
        shapes = {name: tuple(recorded.get_slice(name).get_shape()) for name in recorded.keys()}  # noqa: SIM118
    assert {name: tuple(value.shape) for name, value in state.items()} == shapes


def test_roberta_has_the_published_size() -> None:
    assert sum(math.prod(shape) for shape in weight_shapes(RobertaSizes()).values()) == 124_645_632


def test_the_command_converts_a_checkpoint_of_the_published_size(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = load_file(shared / "oracles" / "tsp3d" / "weights_fp16.safetensors")
    model = OrderedDict((f"module.{name}", value) for name, value in recorded.items())
    torch.save({"config": argparse.Namespace(), "save_path": "", "model": model, "epoch": 84}, tmp_path / "ckpt.pth")
    target = tmp_path / "w.safetensors"
    assert cli.main(["convert-checkpoint", str(tmp_path / "ckpt.pth"), str(target)]) == 0
    assert f"weights: {target} (16,804,490 parameters, epoch 84)" in capsys.readouterr().out
    network = load_grounder_network(target)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, recorded[name].to(value.dtype), atol=0, rtol=0)


def test_the_command_tells_a_hostile_file_in_one_line(
    tmp_path: Path, published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    published.config.log_dir = _eval(tmp_path / "marker")
    source = published.save(tmp_path / "ckpt.pth")
    assert cli.main(["convert-checkpoint", str(source), str(tmp_path / "w.safetensors"), "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "builtins.eval" in captured.err


# What is another network


def test_every_difference_is_in_one_error(tmp_path: Path, published: Published) -> None:
    del published.network["head.com_cls.bias"], published.text["pooler.dense.bias"]
    published.network["head.extra"] = torch.zeros(1)
    published.network["text_projector.0.weight"] = torch.zeros(8, 7)
    published.network["vision_backbone.norm1.bn.num_batches_tracked"] = torch.tensor(1.0)
    message = _assert_refused(published.save(tmp_path / "ckpt.pth"), DataError, "not the TSP3D network")
    assert "missing: head.com_cls.bias;" in message
    assert "unexpected: head.extra;" in message
    assert "of another shape: text_projector.0.weight is (8, 7), expected (8, 6);" in message
    assert "missing: text_encoder.pooler.dense.bias;" in message
    assert "of another kind: vision_backbone.norm1.bn.num_batches_tracked holds torch.float32" in message


def test_the_full_network_is_expected_by_default(tmp_path: Path, published: Published) -> None:
    with pytest.raises(DataError, match=r"vision_backbone\.conv1\.kernel is \(27, 6, 4\), expected \(27, 6, 64\)"):
        convert_checkpoint(published.save(tmp_path / "ckpt.pth"), tmp_path / "w.safetensors")
    assert not (tmp_path / "w.safetensors").exists()


def test_numbers_that_are_not_finite_are_named(tmp_path: Path, published: Published) -> None:
    published.text["pooler.dense.bias"][2] = float("nan")
    _assert_refused(published.save(tmp_path / "ckpt.pth"), CorruptFile, r"not finite in pooler\.dense\.bias")


# What is hostile


class _Evil:
    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def _system(marker: Path) -> _Evil:
    return _Evil(os.system, f"touch {marker}")


def _eval(marker: Path) -> _Evil:
    return _Evil(eval, f"open({str(marker)!r}, 'w')")


@pytest.mark.parametrize(("attack", "name"), [(_system, r"posix\.system|nt\.system"), (_eval, r"builtins\.eval")])
@pytest.mark.parametrize("place", ["part", "Namespace", "list in the Namespace", "model"])
def test_a_hostile_pickle_is_refused_by_name(
    tmp_path: Path, published: Published, attack: Any, name: str, place: str
) -> None:
    evil = attack(tmp_path / "marker")
    if place == "part":
        published.more["scheduler"] = evil
    elif place == "Namespace":
        published.config.log_dir = evil
    elif place == "list in the Namespace":
        published.config.steps = [1, {"deeper": argparse.Namespace(x=(evil,))}]
    else:
        published.network["head.extra"] = evil
    _assert_refused(published.save(tmp_path / "ckpt.pth"), UnsafeFile, f"asks for ({name}), which")
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_hostile_bare_pickle_is_refused_by_name(tmp_path: Path, protocol: int) -> None:
    source = tmp_path / "ckpt.pth"
    source.write_bytes(pickle.dumps({"config": _system(tmp_path / "marker")}, protocol))
    _assert_refused(source, UnsafeFile, "asks for (posix|nt)[.]system")
    assert not (tmp_path / "marker").exists()


def _rezip(source: Path, edit: Any, compression: int = zipfile.ZIP_STORED) -> Path:
    """The same zip with another pickle."""
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(source, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, edit(content) if name.endswith("/data.pkl") else content)
    return source


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_hostile_pickle_of_a_later_protocol_is_refused_by_name(
    tmp_path: Path, published: Published, protocol: int
) -> None:
    hostile = pickle.dumps({"config": _system(tmp_path / "marker")}, protocol)
    source = _rezip(published.save(tmp_path / "ckpt.pth"), lambda _: hostile)
    _assert_refused(source, UnsafeFile, "asks for (posix|nt)[.]system")
    assert not (tmp_path / "marker").exists()


def test_globals_that_torch_would_allow_are_refused_too(tmp_path: Path, published: Published) -> None:
    published.config.device = torch.device("cpu")
    _assert_refused(published.save(tmp_path / "ckpt.pth"), UnsafeFile, r"asks for torch\.device")


def test_unneeded_pickle_instructions_are_refused(tmp_path: Path, published: Published) -> None:
    source = _rezip(published.save(tmp_path / "ckpt.pth"), lambda _: b"\x80\x02\x82\x01.")
    _assert_refused(source, UnsafeFile, "the pickle instruction EXT1")


def test_settings_that_multiply_are_refused(tmp_path: Path, published: Published) -> None:
    doubling: list[Any] = ["x"]
    for _ in range(18):
        doubling = [doubling, doubling]
    published.config.laughs = doubling
    _assert_refused(published.save(tmp_path / "ckpt.pth"), CorruptFile, "more than 10000 settings")


# What is damaged


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_checkpoint_is_corrupt(tmp_path: Path, published: Published, share: float) -> None:
    source = published.save(tmp_path / "ckpt.pth")
    content = source.read_bytes()
    source.write_bytes(content[: int(share * len(content))])
    _assert_refused(source, CorruptFile, "truncated, or no PyTorch checkpoint")


def test_flipped_bytes_are_found(tmp_path: Path, published: Published) -> None:
    source = published.save(tmp_path / "ckpt.pth")
    with zipfile.ZipFile(source) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    content = bytearray(source.read_bytes())
    content[largest.header_offset + 200] ^= 1
    source.write_bytes(content)
    _assert_refused(source, CorruptFile, "fetch the file again")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ([1, 2], "found list, expected parts by name"),
        ({"state_dict": {}}, "expected config, model and epoch, found state_dict"),
        ({1: 2}, "expected parts by name"),
        ({"config": 1, "model": {}, "epoch": "x"}, "epoch: found str"),
        ({"config": 1, "model": {"a": 1}, "epoch": 1}, "model: expected tensors by name"),
        ({"config": 1, "model": {}, "epoch": 1}, "missing"),
    ],
)
def test_other_torch_files_are_told_apart(tmp_path: Path, content: object, match: str) -> None:
    torch.save(content, tmp_path / "ckpt.pth")
    _assert_refused(tmp_path / "ckpt.pth", DataError, match)


@pytest.mark.parametrize(
    "content", [b"", b"hello world", b"<!doctype html>", b"content of\nsome file\n", b"\x80\x02}."]
)
def test_files_of_other_kinds_are_corrupt(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ckpt.pth").write_bytes(content)
    _assert_refused(tmp_path / "ckpt.pth", CorruptFile, "no PyTorch checkpoint")


def test_names_in_a_zip_directory_that_are_no_text_are_corrupt(tmp_path: Path, published: Published) -> None:
    """Found by fuzzing: the flag that says UTF-8, over a name that is none."""
    source = published.save(tmp_path / "ckpt.pth")
    content = bytearray(source.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8 : at + 10] = struct.pack("<H", 0x800)
    content[at + 46] = 0xC0
    source.write_bytes(content)
    _assert_refused(source, CorruptFile, "zip directory: .*fetch the file again")


def test_a_zip_over_many_disks_is_corrupt(tmp_path: Path, published: Published) -> None:
    source = published.save(tmp_path / "ckpt.pth")
    locator = b"PK\x06\x07" + struct.pack("<IQI", 1, 0, 99)
    content = source.read_bytes()
    at = content.rindex(b"PK\x05\x06")
    source.write_bytes(content[:at] + bytes(200) + locator + content[at:])
    _assert_refused(source, CorruptFile, "truncated, or no PyTorch checkpoint|zip directory")


@pytest.mark.parametrize("text", [rb"S'\q\400'", b"S'\xc0'", b"X\x02\0\0\0\xc0\xc0", b"c\xc0\na\n", b"V\\ud800\n"])
def test_texts_of_a_pickle_that_are_none_are_refused_without_a_warning(
    tmp_path: Path, published: Published, text: bytes
) -> None:
    source = _rezip(published.save(tmp_path / "ckpt.pth"), lambda _: b"\x80\x02" + text + b"\n.")
    _assert_refused(source, DataError, "pickle")


def test_other_zip_files_are_corrupt(tmp_path: Path, published: Published) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    _assert_refused(tmp_path / "a.pth", CorruptFile, r"not one entry data\.pkl")
    _rezip(published.save(tmp_path / "b.pth"), lambda content: content, zipfile.ZIP_DEFLATED)
    _assert_refused(tmp_path / "b.pth", CorruptFile, "a compressed entry")
    source = published.save(tmp_path / "c.pth")
    source.write_bytes(b"#!/bin/sh\n" + source.read_bytes())
    _assert_refused(source, CorruptFile, "before or behind the entries")


def test_a_missing_checkpoint_and_a_wrong_target_are_named(tmp_path: Path, published: Published) -> None:
    _assert_refused(tmp_path / "none.pth", MissingPart, "no such file")
    source = published.save(tmp_path / "ckpt.pth")
    with pytest.raises(InvalidInput, match=r"a \.safetensors file"):
        _convert(source, tmp_path / "w.bin")
    itself = published.save(tmp_path / "ckpt.safetensors")
    with pytest.raises(InvalidInput, match="itself would be overwritten"):
        _convert(itself, itself)


_GROWTH = """
import sys
from pathlib import Path
from trisparse.core.errors import DataError
from trisparse.sparse3d.published import convert_checkpoint
def peak():  # not ru_maxrss, which starts at what the parent process had
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
for path in map(Path, sys.argv[1:]):
    try:
        convert_checkpoint(path, path.with_suffix(".safetensors"))
    except DataError as error:
        print(error, file=sys.stderr)
        continue
    raise SystemExit(f"{path} was taken")
print((peak() - before) // 1024)
"""


def _pickled_int(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_files_that_lie_about_sizes_take_no_memory(tmp_path: Path) -> None:
    storage = {"config": argparse.Namespace(), "model": {"module.x": torch.zeros(70_001)}, "epoch": 1}
    numbers, bomb, wide = tmp_path / "numbers.pth", tmp_path / "bomb.pth", tmp_path / "wide.pth"
    for source in (numbers, bomb):
        torch.save(storage, source)
    _rezip(numbers, lambda content: content.replace(_pickled_int(70_001), _pickled_int(2_000_000_000)))
    _rezip(bomb, lambda content: content + bytes(3 * 10**8), zipfile.ZIP_DEFLATED)
    torch.save({**storage, "model": {"module.x": torch.zeros(1).expand(10**6, 10**6)}}, wide)
    containers, memo = tmp_path / "containers.pth", tmp_path / "memo.pth"
    for source, pickled in ((containers, b"\x80\x02" + b"}" * 2_000_000), (memo, b"\x80\x02}r\xff\xff\xff\xff.")):
        torch.save(storage, source)
        _rezip(source, lambda _, pickled=pickled: pickled + b".")
    files = [numbers, bomb, wide, containers, memo]
    done = subprocess.run(
        [sys.executable, "-c", _GROWTH, *map(str, files)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) < 200, done.stdout + done.stderr


def test_random_damage_never_ends_in_a_foreign_error(tmp_path: Path, published: Published) -> None:
    whole = published.save(tmp_path / "ckpt.pth")
    with zipfile.ZipFile(whole) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        start = len(io.BytesIO(archive.read(name)).getvalue())
    generator = torch.Generator().manual_seed(1)
    for number in range(60):
        place, value = (int(torch.randint(high, (1,), generator=generator)) for high in (start, 256))
        source = tmp_path / f"{number}.pth"
        source.write_bytes(whole.read_bytes())
        _rezip(source, lambda content, p=place, v=value: content[:p] + bytes([v]) + content[p + 1 :])
        try:
            _convert(source, tmp_path / "damaged.safetensors")
        except DataError:
            continue
