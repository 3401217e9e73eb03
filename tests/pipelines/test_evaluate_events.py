"""``trisparse reconstruct`` and ``trisparse evaluate events`` on a recording of 24 x 24 pixels."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trisparse.data.readers.scan import read_scan
from trisparse.pipelines.cli import main

from .event_nerf.tiny_recording import BOUNDS, write

BOX = ("--bounds", *map(str, BOUNDS), "--outside", "nothing")
FEW = (*BOX, "--steps", "40", "--json")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("recording") / "still")


def test_reconstruct_writes_views_video_and_points(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reconstruct", str(recording), *FEW, "--frames", "3", "--views", "2", "--points", "500", "--video", "webp"]
    words += ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "made")]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    made = tmp_path / "made"
    assert report["photos"] == 2
    assert report["psnr"] > 3
    for name in ("views/000.png", "views/001_depth.png", "orbit.webp", "compared/r_0.png"):
        with Image.open(made / name) as image:
            assert image.size == (24, 24)
    if (made / "points.ply").is_file():
        assert len(read_scan(made / "points.ply")) > 0
    else:
        assert any("nothing solid" in note for note in report["notes"])
    first = (made / "views" / "000.png").read_bytes()
    assert main(words) == 0  # the trained field is used again
    assert json.loads(capsys.readouterr().out) == report
    assert (made / "views" / "000.png").read_bytes() == first


def test_evaluate_scores_every_view_and_seed(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made"
    words = [
        "evaluate",
        "events",
        str(recording),
        *FEW,
        "--seeds",
        "0",
        "1",
        "--runs",
        str(tmp_path),
        "--out",
        str(out),
    ]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [(row["seed"], row["view"]) for row in rows] == [(s, f"val/r_{v}.png") for s in (0, 1) for v in (0, 1)]
    assert report["means"]["psnr"]["mean"] == pytest.approx(np.mean([row["psnr"] for row in rows]))
    by_seed = [np.mean([row["psnr"] for row in rows if row["seed"] == seed]) for seed in (0, 1)]
    assert report["means"]["psnr"]["deviation"] == pytest.approx(np.std(by_seed, ddof=1))
    assert report["means"]["lpips"] is None
    assert report["LPIPS"].startswith("n/a")
    page = (out / "report.html").read_text()
    assert page.count("<img") == 2 * 4
    assert "2 seeds" in page


def test_evaluate_refuses_what_it_cannot_measure(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blind = tmp_path / "blind"
    blind.mkdir()
    for name in ("raw_events.npz", "camera_poses.npz", "camera_calibration.npz"):
        (blind / name).write_bytes((recording / name).read_bytes())
    assert main(["evaluate", "events", str(blind), *FEW]) == 1
    assert "no photos to compare with" in capsys.readouterr().err
    assert main(["evaluate", "events", str(recording), *FEW, "--seeds", "1", "1"]) == 1
    assert "each once" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["evaluate", "events", str(recording), *FEW, "--out", str(tmp_path / "file")]) == 1
    assert "a file is there already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_reconstruction_goes_on_to_the_same_field(recording: Path, tmp_path: Path) -> None:
    def command(runs: Path) -> list[str]:
        words = [str(recording), *BOX, "--steps", "520", "--frames", "0", "--views", "0", "--points", "0", "--json"]
        place = ["--runs", str(runs), "--out", str(runs / "made")]
        return [sys.executable, "-m", "trisparse", "reconstruct", *words, *place]

    def field(runs: Path) -> bytes:
        (found,) = (runs / "reconstruct-events").glob("*/field.safetensors")
        return found.read_bytes()

    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
    killed = subprocess.Popen(command(tmp_path / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list((tmp_path / "killed").glob("*/*.partial/checkpoints/*")) and time.monotonic() < deadline:
        assert killed.poll() is None
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not list((tmp_path / "killed").glob("*/*/field.safetensors"))
    subprocess.run(command(tmp_path / "killed"), check=True, capture_output=True)
    assert field(tmp_path / "killed") == field(tmp_path / "whole")
    assert not list((tmp_path / "killed").glob("*/*.partial"))
