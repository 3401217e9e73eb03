"""Weights files: what is written is read back, and what is damaged or foreign is said plainly."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from trisparse.core.errors import CorruptFile, DataError, MissingPart
from trisparse.sparse3d.checkpoint import FORMAT, load_grounder_network, load_weights, save_weights, text_weights_of
from trisparse.sparse3d.config import GrounderConfig
from trisparse.sparse3d.grounder import Grounder

TINY = GrounderConfig(
    stem_channels=4,
    stage_blocks=(1, 1, 1, 1),
    stage_channels=(4, 8, 8, 8),
    width=8,
    heads=2,
    fusion_layers=1,
    text_width=6,
)

_GROWTH = """
import sys
from trisparse.core.errors import DataError
from trisparse.sparse3d.checkpoint import load_grounder_network
def peak():  # not ru_maxrss, which starts at what the parent process had
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
for path in sys.argv[1:]:
    try:
        load_grounder_network(path)
    except DataError:
        continue
    raise SystemExit(f"{path} was taken")
print((peak() - before) // 1024)
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file of a tiny network's weights."""
    path = tmp_path / "weights.safetensors"
    save_weights(path, Grounder(TINY).state_dict(), {"network": TINY.to_dict()})
    return path


def _file_with_header(path: Path, header: object, claimed: int | None = None) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if claimed is None else claimed) + text)
    return path


def test_a_network_comes_back_with_its_weights_and_settings(tmp_path: Path) -> None:
    original = Grounder(TINY)
    save_weights(tmp_path / "w.safetensors", original.state_dict(), {"network": TINY.to_dict(), "note": "hello"})
    loaded = load_grounder_network(tmp_path / "w.safetensors")
    assert loaded.config == TINY
    assert not loaded.training
    assert load_weights(tmp_path / "w.safetensors")[1]["note"] == "hello"
    for name, value in original.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, atol=0, rtol=0)


def test_half_precision_is_stored_and_read_as_float32(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, {"x": torch.tensor([0.1]), "n": torch.tensor(3)}, {}, dtype=torch.float16)
    tensors, _ = load_weights(path)
    assert tensors["x"].dtype == torch.float32
    assert tensors["x"].item() == torch.tensor(0.1).half().item()
    assert tensors["n"].dtype == torch.int64


def test_the_same_weights_make_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(2), "a": torch.zeros(3)}
    save_weights(tmp_path / "1.safetensors", tensors, {"x": 1, "y": 2})
    save_weights(tmp_path / "2.safetensors", dict(reversed(tensors.items())), {"y": 2, "x": 1})
    assert (tmp_path / "1.safetensors").read_bytes() == (tmp_path / "2.safetensors").read_bytes()


def test_loading_leaves_the_random_state_alone(weights: Path) -> None:
    before = torch.get_rng_state()
    load_grounder_network(weights)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"nothing\.safetensors: no such file"):
        load_weights(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_corrupt(weights: Path, share: float) -> None:
    content = weights.read_bytes()
    weights.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CorruptFile, match=r"weights\.safetensors: header: no whole safetensors file"):
        load_weights(weights)


def test_a_foreign_safetensors_file_is_told_apart(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "foreign.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptFile, match="found format: not weights of a trisparse grounder"):
        load_weights(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("about", ["{", "[1]", '"text"', "{}", '{"network": 3}', '{"network": {"colour": "red"}}'])
def test_settings_that_are_none_are_corrupt(tmp_path: Path, about: str) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "w.safetensors", metadata={FORMAT: about})
    with pytest.raises(CorruptFile, match="metadata"):
        load_grounder_network(tmp_path / "w.safetensors")


@pytest.mark.parametrize("setting", [{"heads": 0}, {"width": "8"}, {"stem_channels": -4}, {"stem_channels": 2**62}])
def test_settings_that_make_no_network_are_corrupt(tmp_path: Path, setting: dict[str, object]) -> None:
    network = TINY.to_dict() | setting
    save_weights(tmp_path / "w.safetensors", Grounder(TINY).state_dict(), {"network": network})
    with pytest.raises(CorruptFile, match="metadata"):
        load_grounder_network(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "setting",
    [
        *({"voxel_size": "x"}, {"voxel_size": 0}, {"voxel_size": float("nan")}, {"dropout": True}, {"width": 8.0}),
        *(
            {"text_rules": "none"},
            {"text_encoder": None},
            {"color_mean": [1, 2]},
            {"completion_cap": 1.5},
            {"heads": 2**70},
        ),
        *({"stage_blocks": [1e400, 1, 1, 1]}, {"fusion_layers": 30}, {"dropout": 10**400}, {"prior_probability": 0.0}),
    ],
)
def test_settings_of_another_kind_are_corrupt(tmp_path: Path, setting: dict[str, object]) -> None:
    network = TINY.to_dict() | setting
    save_weights(tmp_path / "w.safetensors", Grounder(TINY).state_dict(), {"network": network})
    with pytest.raises(CorruptFile, match=r"w\.safetensors: metadata: .*setting"):
        load_grounder_network(tmp_path / "w.safetensors")


def test_weights_of_another_network_list_every_difference(tmp_path: Path) -> None:
    tensors = Grounder(TINY).state_dict()
    tensors["extra.weight"] = tensors.pop("head.com_cls.bias")
    wider = replace(TINY, text_width=7)
    save_weights(tmp_path / "w.safetensors", tensors, {"network": wider.to_dict()})
    with pytest.raises(DataError) as caught:
        load_grounder_network(tmp_path / "w.safetensors")
    message = str(caught.value)
    assert "missing: head.com_cls.bias; " in message
    assert "unexpected: extra.weight; " in message
    assert "of another shape: text_projector.0.weight is (8, 6), expected (8, 7)" in message


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_files_that_lie_about_sizes_take_no_memory(tmp_path: Path, weights: Path) -> None:
    huge = {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}
    save_weights(
        tmp_path / "wide.safetensors",
        load_weights(weights)[0],
        {"network": replace(TINY, stem_channels=60_000, stage_channels=(60_000, 8, 8, 8)).to_dict()},
    )
    deep = TINY.to_dict() | {"stage_blocks": [10**9, -(10**9), 1, 1]}
    save_weights(tmp_path / "deep.safetensors", load_weights(weights)[0], {"network": deep})
    files = [
        _file_with_header(tmp_path / "tensor.safetensors", {"x": huge}),
        _file_with_header(tmp_path / "header.safetensors", {}, claimed=2**40),
        _file_with_header(tmp_path / "most.safetensors", {}, claimed=99 * 2**20),
        tmp_path / "wide.safetensors",
        tmp_path / "deep.safetensors",
    ]
    done = subprocess.run(
        [sys.executable, "-c", _GROWTH, *map(str, files)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) < 200


def test_text_weights_lie_beside_the_weights_that_name_them(tmp_path: Path) -> None:
    save_weights(tmp_path / "without.safetensors", {}, {})
    assert text_weights_of(tmp_path / "without.safetensors") is None
    save_weights(tmp_path / "w.safetensors", {}, {"text_weights": "w.text.safetensors"})
    with pytest.raises(MissingPart, match=r"w\.text\.safetensors: the text weights that belong to"):
        text_weights_of(tmp_path / "w.safetensors")
    (tmp_path / "w.text.safetensors").touch()
    assert text_weights_of(tmp_path / "w.safetensors") == tmp_path / "w.text.safetensors"


@pytest.mark.parametrize(
    "name", ["../w.text.safetensors", "/etc/passwd", 3, "", ".", "x" * 5000, "a\0b", "\x1b[2J", "\ud800"]
)
def test_text_weights_elsewhere_are_refused(tmp_path: Path, name: object) -> None:
    save_weights(tmp_path / "w.safetensors", {}, {"text_weights": name})
    with pytest.raises(CorruptFile, match="expected the name of a file beside it"):
        text_weights_of(tmp_path / "w.safetensors")
