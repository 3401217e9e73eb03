"""Files of Gaussian splats as scans in which things are found."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, DataError, MissingPart, UnknownFormat
from trisparse.data.readers.ply import read_ply, write_ply
from trisparse.pipelines.cli import main
from trisparse.pipelines.grounding import SceneGrounder
from trisparse.pipelines.splat_scans import read_any_scan
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.splat_files.files import write_splats
from trisparse.sparse3d.checkpoint import save_weights
from trisparse.sparse3d.grounder import Grounder
from trisparse.sparse3d.minilm import find_model

from tests.pipelines.test_grounding import TINY, Letters, room

SUFFIXES = (".ply", ".splat", ".spz")


def _gaussians() -> GaussianCloud:
    """A floor with a box on it, z up; every tenth Gaussian is hardly there."""
    cloud = room()
    assert cloud.colors is not None
    splats = GaussianCloud.from_points(cloud.points, cloud.colors, opacity=0.7)
    splats.opacity_logits[::10] = -6
    return splats


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same Gaussians in a file of each kind."""
    folder = tmp_path_factory.mktemp("splats")
    paths = {suffix: folder / f"room{suffix}" for suffix in SUFFIXES}
    for path in paths.values():
        write_splats(path, _gaussians())
    return paths


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_gaussians_become_points_with_their_colours_and_faint_ones_are_left_out(
    files: dict[str, Path], suffix: str
) -> None:
    scan, cloud = read_any_scan(str(files[suffix])), room()
    kept = torch.arange(len(cloud)) % 10 != 0
    torch.testing.assert_close(scan.cloud.points, cloud.points[kept], atol=1e-3, rtol=0)
    torch.testing.assert_close(scan.cloud.colors, torch.full((int(kept.sum()), 3), 0.4), atol=0.006, rtol=0)
    assert "800 of 8000 Gaussians have an opacity below 0.1: left out" in scan.notes
    assert any("other sign in the .spz file" in note for note in scan.notes) == (suffix == ".spz")


def test_files_of_all_kinds_give_the_same_answers(files: dict[str, Path]) -> None:
    torch.manual_seed(0)
    grounder = SceneGrounder(Grounder(TINY).eval(), Letters())
    sheets = [grounder.ask(grounder.encode(files[s], align=False), ["the box"], top_k=1).sheet for s in SUFFIXES]
    for sheet, suffix in zip(sheets, SUFFIXES, strict=True):
        assert sheet.scan == str(files[suffix])
        np.testing.assert_allclose(sheet.answers[0].center, sheets[0].answers[0].center, atol=0.05)
        np.testing.assert_allclose(sheet.answers[0].size, sheets[0].answers[0].size, atol=0.05)


def test_the_content_counts_where_a_ply_file_has_another_name(tmp_path: Path) -> None:
    columns = {name: np.arange(4, dtype=np.float32) for name in "xyz"}
    for name in ("a.splat", "a.spz"):
        write_ply(tmp_path / name, {"vertex": columns})
        assert read_any_scan(tmp_path / name).format == "PLY points"
    write_splats(tmp_path / "b.spz", _gaussians(), spz_version=2)
    (tmp_path / "b.spz").rename(tmp_path / "c.SPZ")
    assert read_any_scan(tmp_path / "c.SPZ").format == "SPZ 2 Gaussian splats"


def test_gaussians_with_nan_are_left_out_with_a_note(tmp_path: Path, files: dict[str, Path]) -> None:
    rows = bytearray(files[".splat"].read_bytes())
    rows[32:36] = struct.pack("<f", float("nan"))
    (tmp_path / "a.splat").write_bytes(rows)
    scan = read_any_scan(tmp_path / "a.splat")
    assert "1 of 8000 Gaussians hold NaN or infinity and were left out" in scan.notes
    assert bool(scan.cloud.points.isfinite().all())


def _faint(path: Path) -> None:
    cloud = _gaussians()
    write_splats(path, replace(cloud, opacity_logits=cloud.opacity_logits - 20))


_BAD: tuple[tuple[str, Callable[[Path], object], type[DataError], str], ...] = (
    ("a.splat", lambda path: path.write_bytes(bytes(33)), CorruptFile, "33 bytes, expected a multiple of 32"),
    ("a.splat", lambda path: path.write_bytes(b""), MissingPart, "holds no points"),
    ("a.splat", _faint, MissingPart, "8000 of 8000 Gaussians have an opacity below 0.1: left out"),
    ("a.spz", lambda path: path.write_bytes(gzip.compress(b"NGSP" + bytes(12))), UnknownFormat, "SPZ of version 0"),
    ("a.spz", lambda path: write_splats(path, _gaussians()[:0]), MissingPart, "holds no points"),
    ("a.bin", lambda path: path.write_bytes(b"NGSP" + bytes(40)), UnknownFormat, "SPZ of version 0; expected 4"),
    ("a.gz", lambda path: path.write_bytes(gzip.compress(bytes(40))), UnknownFormat, "as no format does"),
)


@pytest.mark.parametrize(("name", "write", "error", "message"), _BAD)
def test_files_that_hold_no_splats_are_refused_with_their_name(
    tmp_path: Path, name: str, write: Callable[[Path], object], error: type[DataError], message: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(error, match=message) as caught:
        read_any_scan(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_the_command_answers_in_the_frame_of_the_points_that_it_writes(
    tmp_path: Path, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        find_model()
    except MissingPart as error:
        pytest.skip(str(error))
    torch.manual_seed(0)
    config = replace(TINY, text_width=384)
    save_weights(tmp_path / "w.safetensors", Grounder(config).state_dict(), {"network": config.to_dict()})
    words = ("--weights", str(tmp_path / "w.safetensors"), "--out", str(tmp_path / "out"), "--no-picture", "--json")
    assert main(["ground", str(files[".spz"]), "the box", *words]) == 0
    answer = json.loads(capsys.readouterr().out)["answers"][0]
    part = read_ply(tmp_path / "out" / "answer-1.ply").elements["vertex"]
    inside = part.scalars("x", "y", "z") - answer["center"]
    assert (
        np.abs(inside @ np.array(answer["rotation"])).max() <= max(answer["size"]) / 2 + 0.01 if len(inside) else True
    )
    (tmp_path / "bad.splat").write_bytes(bytes(33))
    assert main(["ground", str(tmp_path / "bad.splat"), "the box", *words]) == 1
    error = capsys.readouterr().err
    assert "bad.splat: byte 32: 33 bytes" in error
    assert error.count("\n") == 1
