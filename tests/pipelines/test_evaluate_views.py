"""The command ``trisparse evaluate views``, from photos in a folder to tables and a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from trisparse.data.cameras import Cameras
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers.camera_json import write_camera_json
from trisparse.data.still_life.capture import write_still_life
from trisparse.data.still_life.rigs import Lens, arc
from trisparse.data.still_life.scene import make_still_life
from trisparse.pipelines import cli
from trisparse.pipelines.views import render_views
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.splat_files.files import write_splats


@pytest.fixture(scope="module")
def still_life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "still life"
    scene = make_still_life(0, kind="table")
    write_still_life(folder, scene, arc(scene, 9, Lens(width=48, height=36), angle=0.6), samples_per_pixel=1)
    return folder


def _evaluate(*words: str | Path) -> int:
    return cli.main(["evaluate", "views", *map(str, words)])


def test_photos_become_tables_lines_and_a_page(
    still_life: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = (still_life, "--split", "llff", "--train", "3", "--methods", "3dgs-random", "3dgs", "--steps", "4")
    more = ("--seeds", "0", "1", "--longest", "40", "--curve", "2", "--out", out)
    assert _evaluate(*words, *more) == 0
    shown = capsys.readouterr().out
    assert "tested on: 2: images/000.png, images/008.png" in shown or "tested on: 2: 000.png, 008.png" in shown
    assert "| 3dgs   | 3dgs-random | 2     |" in shown
    assert len((out / "results.jsonl").read_text().splitlines()) == 8
    page = (out / "report.html").read_text()
    assert page.count("<img") == 1 + 2 * (1 + 2 * 3)  # a curve; two views: a photo, and three pictures a method
    assert page.count("<figcaption>photo</figcaption>") == 2
    assert "http" not in page.replace("http-equiv", "")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("splats.ply")}
    assert len(before) == 4
    assert _evaluate(*words, *more, "--json") == 0  # what is there is used again
    report = json.loads(capsys.readouterr().out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("splats.ply")} == before
    assert report == json.loads((out / "report.json").read_text())
    assert (report["scene"], report["width"], report["height"]) == ("still life", 40, 30)
    assert [len(report[name]) for name in ("train", "test", "scenes", "views", "gains", "curves")] == [3, 2, 2, 4, 1, 4]
    assert (out / "report.html").read_text() == page


def _heap() -> GaussianCloud:
    random = torch.Generator().manual_seed(0)
    return GaussianCloud.from_points(
        0.3 * torch.randn(80, 3, generator=random), torch.rand(80, 3, generator=random), opacity=0.8
    )


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of a heap of Gaussians, on grey."""
    angles = torch.linspace(-0.6, 0.6, 4)
    centers = torch.stack([2 * angles.sin(), -2 * angles.cos(), torch.full((4,), 0.4)], 1)
    K = torch.tensor([[40.0, 0, 24], [0, 40.0, 18], [0, 0, 1]]).repeat(4, 1, 1)
    cameras = Cameras.looking_at(centers, torch.zeros(3), K, width=48, height=36)
    images = torch.stack([view.image for view in render_views(_heap(), cameras, background=(0.5, 0.5, 0.5))])
    folder = tmp_path_factory.mktemp("heap")
    write_camera_json(PosedImages.from_tensors(cameras, images, [f"{i}.png" for i in range(4)]), folder)
    return folder


@pytest.mark.parametrize("suffix", ["ply", "spz"])
def test_a_file_of_splats_is_scored_against_all_photos(
    heap: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"heap.{suffix}"
    write_splats(file, _heap().moved(4.0, torch.eye(3), torch.zeros(3)))
    words = (heap, "--splats", file, "--out", tmp_path / "out", "--json", "--no-page")
    psnr = {}
    for name, more in {
        "right": ("--scale", "4", "--background", "#808080"),
        "on black": ("--scale", "4"),
        "too large": ("--background", "#808080"),
    }.items():
        assert _evaluate(*words, *more) == 0
        report = json.loads(capsys.readouterr().out)
        (row,) = report["scenes"]
        assert (row["method"], row["views"], report["train"], report["steps"]) == (file.name, 4, [], [None])
        psnr[name] = row["mean"]["psnr"]
    assert psnr["right"] > 35
    assert max(psnr["on black"], psnr["too large"]) < 25
    assert not (tmp_path / "out" / "report.html").exists()
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--methods", "magic"), "no method 'magic'; choose from 3dgs"),
        (("--split", "magic"), "no split 'magic'; choose from llff"),
        (("--split", "dtu"), "4 photos; the DTU split needs the first 49"),
        (("--split", "llff", "--train", "9"), "9 of 3 photos to train on"),
        (("--train", "0", "1", "2", "3"), "no photo is left to test: all 4 are trained on"),
        (("--train", "0", "7"), "--train names photo 7; there are 4"),
        (("--train", "0", "3", "--steps", "0"), "0 optimiser steps"),
        (("--train", "0", "3", "--longest", "3"), "--longest 3"),
        (("--train", "0", "3", "--seeds", "1", "1"), "each once"),
        (("--train", "0", "3", "--curve", "0"), "give at least 1"),
        (("--train", "0", "3", "--backend", "magic"), "no backend 'magic'"),
        (("--train", "0", "3", "--background", "pink"), "--background 'pink'; choose black, white or #rrggbb"),
        (("--train", "0", "3", "--methods", "3dgs"), "no fit could be made: "),
        (("--splats", "nothing.ply"), "nothing.ply: no such file"),
        (("--splats", "nothing.ply", "--scale", "0"), "a scale of 0"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(
    heap: Path, tmp_path: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _evaluate(heap, *words, "--out", tmp_path / "out", "--json") == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("trisparse evaluate views: error: ")
    assert printed.out == ""
    assert not (tmp_path / "out" / "report.json").exists()


def test_one_method_that_fails_leaves_the_report_of_the_others_and_an_error(
    heap: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (heap, "--train", "0", "3", "--methods", "3dgs", "3dgs-random", "--steps", "2", "--out", tmp_path)
    assert _evaluate(*words) == 1
    printed = capsys.readouterr()
    assert "left out: 3dgs, seed 0: " in printed.out
    assert "1 of 2 fits could not be made: 3dgs, seed 0: " in printed.err
    assert printed.err.count("\n") == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert [row["method"] for row in report["scenes"]] == ["3dgs-random"]
    assert "left out" not in (tmp_path / "report.html").read_text()
    assert report["failures"][0].startswith("3dgs, seed 0: ")


def test_results_do_not_go_into_a_file(heap: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    assert _evaluate(heap, "--train", "0", "3", "--out", tmp_path / "out") == 1
    assert "a file is there already; name a folder" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"
