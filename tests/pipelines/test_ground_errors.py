"""Bad input to ``trisparse ground``: one clear line that names file and finding, exit code 1, nothing half-written."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.data.readers.ply import write_ply
from trisparse.pipelines.cli import main
from trisparse.pipelines.commands.ground import remove_answers
from trisparse.sparse3d.checkpoint import save_weights
from trisparse.sparse3d.config import preset
from trisparse.sparse3d.grounder import Grounder
from trisparse.sparse3d.minilm import find_model

TINY = replace(
    preset("small"), stem_channels=8, stage_blocks=(1, 1, 1, 1), stage_channels=(8, 16, 16, 16), width=16, heads=2
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random network that reads MiniLM's states."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    torch.manual_seed(0)
    save_weights(path, Grounder(TINY).state_dict(), {"network": TINY.to_dict()})
    return path


@pytest.fixture
def text_model() -> None:
    """Skips where the text model is not installed."""
    from trisparse.core.errors import MissingPart

    try:
        find_model()
    except MissingPart as error:
        pytest.skip(str(error))


def room(path: Path, *, unit: float = 1.0, colors: bool = True, n: int = 3000) -> Path:
    """A floor with a box on it, as PLY."""
    rng = np.random.default_rng(0)
    floor = rng.uniform([-2, -1.5, 0], [2, 1.5, 0.01], (n, 3))
    box = rng.uniform([0.5, 0.2, 0], [1.1, 0.7, 0.8], (n // 2, 3))
    points = (np.concatenate([floor, box]) / unit).astype(np.float32)
    columns = dict(zip("xyz", points.T, strict=True))
    if colors:
        columns |= {name: np.full(len(points), 120, np.uint8) for name in ("red", "green", "blue")}
    write_ply(path, {"vertex": columns})
    return path


def truncated(path: Path) -> Path:
    whole = room(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def lying(path: Path) -> Path:
    text = "ply\nformat binary_little_endian 1.0\nelement vertex 1099511627776\n"
    path.write_bytes(
        (text + "property float x\nproperty float y\nproperty float z\nend_header\n").encode() + b"\0" * 24
    )
    return path


def all_nan(path: Path) -> Path:
    write_ply(path, {"vertex": {axis: np.full(5, np.nan, np.float32) for axis in "xyz"}})
    return path


def empty(path: Path) -> Path:
    write_ply(path, {"vertex": {axis: np.zeros(0, np.float32) for axis in "xyz"}})
    return path


def no_scan(path: Path) -> Path:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    return path


BAD_SCANS: dict[str, tuple[Callable[[Path], Path], list[str]]] = {
    "missing.ply": (lambda path: path, ["missing.ply", "no such file"]),
    "truncated.ply": (truncated, ["truncated.ply"]),
    "lying.ply": (lying, ["lying.ply", "1099511627776"]),
    "nan.ply": (all_nan, ["nan.ply"]),
    "empty.ply": (empty, ["empty.ply"]),
    "picture.ply": (no_scan, ["picture.ply"]),
}


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must fail with exit code 1 and one line on stderr; the line."""
    code = main(["ground", *words])
    printed = capsys.readouterr().err
    assert code == 1, printed
    assert "Traceback" not in printed
    return printed


@pytest.mark.parametrize("name", BAD_SCANS)
def test_a_bad_scan_is_named_with_what_was_found(
    name: str, tmp_path: Path, weights: Path, text_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    make, expected = BAD_SCANS[name]
    scan, out = make(tmp_path / name), tmp_path / "out"
    line = failure(capsys, str(scan), "the box", "--weights", str(weights), "--out", str(out))
    assert all(part in line for part in expected), line
    assert not out.exists(), "nothing half-written"


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [("", "no words"), ("?!", "no words"), ("chair " * 10_000, "at most 512"), (None, "nothing to find")],
)
def test_a_sentence_that_cannot_be_read_is_refused(
    sentence: str | None,
    expected: str,
    tmp_path: Path,
    weights: Path,
    text_model: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [] if sentence is None else [sentence]
    scan, out = room(tmp_path / "room.ply"), tmp_path / "out"
    line = failure(capsys, str(scan), *words, "--weights", str(weights), "--out", str(out))
    assert expected in line
    assert not out.exists()


class Hostile:
    """Would run a command when unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("touch pwned",)


def test_a_hostile_pickle_as_weights_is_refused_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Hostile()))
    line = failure(capsys, str(room(tmp_path / "room.ply")), "the box", "--weights", str(tmp_path / "evil.pth"))
    assert "evil.pth" in line
    assert "convert-checkpoint" in line
    assert not (tmp_path / "pwned").exists()


def test_weights_of_another_network_are_refused_with_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.safetensors"
    tensors = Grounder(TINY).state_dict()
    tensors.pop("head.bbox_conv.kernel")
    save_weights(path, {**tensors, "extra.weight": torch.zeros(2)}, {"network": TINY.to_dict()})
    line = failure(capsys, str(room(tmp_path / "room.ply")), "the box", "--weights", str(path))
    assert "other.safetensors" in line
    assert "missing: head.bbox_conv.kernel" in line
    assert "unexpected: extra.weight" in line


def answers(capsys: pytest.CaptureFixture[str], scan: Path, weights: Path, out: Path, *options: str) -> dict:
    words = [str(scan), "the box", "--weights", str(weights), "--out", str(out), "--json", "--no-picture", *options]
    assert main(["ground", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_one_point_no_colour_and_millimetres_are_answered_with_a_note(
    tmp_path: Path, weights: Path, text_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ply(tmp_path / "one.ply", {"vertex": {axis: np.zeros(1, np.float32) for axis in "xyz"}})
    assert answers(capsys, tmp_path / "one.ply", weights, tmp_path / "a")["answers"]
    grey = answers(capsys, room(tmp_path / "grey.ply", colors=False), weights, tmp_path / "b", "--no-align")
    assert any("colour" in warning for warning in grey["warnings"])
    millimetres = answers(capsys, room(tmp_path / "mm.ply", unit=0.001), weights, tmp_path / "c")
    assert millimetres["metres_per_unit"] == pytest.approx(0.001)
    assert all(abs(value) < 20 for answer in millimetres["answers"] for value in answer["center"])


def test_refusing_bad_input_takes_no_memory(tmp_path: Path, weights: Path, text_model: None) -> None:
    hostile, lying = tmp_path / "evil.pth", tmp_path / "lying.safetensors"
    hostile.write_bytes(pickle.dumps([Hostile(), b"x" * 50_000_000]))
    lying.write_bytes((2**40).to_bytes(8, "little") + b"{}")
    scans = [str(make(tmp_path / name)) for name, (make, _) in BAD_SCANS.items()]
    script = """
import resource, sys
from trisparse.pipelines.cli import main
weights, good, hostile, lying, *scans = sys.argv[1:]
common = ["the box", "--weights", weights, "--no-picture"]
assert main(["ground", good, *common, "--out", good + ".out", "--json"]) == 0
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for scan in scans:
    assert main(["ground", scan, *common]) == 1
assert main(["ground", good, "chair " * 10_000, *common[1:]]) == 1
for file in (hostile, lying):
    assert main(["ground", good, "the box", "--weights", file]) == 1
assert main(["convert-checkpoint", hostile, good + ".safetensors"]) == 1
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)
"""
    command = [sys.executable, "-c", script, str(weights), str(room(tmp_path / "good.ply"))]
    command += [str(hostile), str(lying), *scans]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) < 200, "megabytes"


def test_options_that_cannot_work_are_refused_before_the_network_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = room(tmp_path / "room.ply")
    assert "--top-k must be at least 1, got 0" in failure(capsys, str(scan), "the box", "--top-k", "0")
    (tmp_path / "taken").write_text("a file")
    assert "taken: a file is there" in failure(capsys, str(scan), "the box", "--out", str(tmp_path / "taken"))


def test_a_given_unit_is_noted_and_a_sentence_given_twice_is_asked_once(
    tmp_path: Path, weights: Path, text_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = room(tmp_path / "mm.ply", unit=0.001)
    sheet = answers(capsys, scan, weights, tmp_path / "a", "--scale", "0.001", "--top-k", "1")
    assert sheet["metres_per_unit"] == 0.001
    assert any("the file's unit is 0.001 m" in warning for warning in sheet["warnings"])
    words = [str(scan), "the box", "the box", "--weights", str(weights), "--out", str(tmp_path / "b"), "--json"]
    assert main(["ground", *words, "--no-picture", "--top-k", "1"]) == 0
    assert len(json.loads(capsys.readouterr().out)["answers"]) == 1


def test_files_of_an_earlier_call_with_more_sentences_do_not_stay(tmp_path: Path) -> None:
    names = ["answer-1.png", "answer-2.png", "answer-12.ply", "answer-mine.png", "notes.txt"]
    for name in names:
        (tmp_path / name).touch()
    remove_answers(tmp_path, above=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer-1.png", "answer-mine.png", "notes.txt"]
