"""``trisparse events simulate``: films, splats and the evaluation set as recordings; ``trisparse events calibrate`` of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.data.readers.event_recordings import read_recording
from trisparse.data.readers.photos import read_photos
from trisparse.events.evaluation_set import EventEvalSet
from trisparse.pipelines.cli import main
from trisparse.pipelines.event_simulation import splat_events
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.splat_files.files import write_splats


def write_film(folder: Path, n: int = 41, *, times: bool = True) -> Path:
    """A soft bar that moves over 24 x 16 pixels within 0.2 s."""
    folder.mkdir()
    x = np.arange(24)
    for row in range(n):
        grey = 40 + 180 * np.exp(-(((x - 0.5 * row) / 3) ** 2))
        image = np.repeat(grey.astype(np.uint8)[None, :, None], 16, 0).repeat(3, 2)
        Image.fromarray(image).save(folder / f"frame{row}.png")
    if times:
        (folder / "timestamps.txt").write_text("# seconds\n" + "".join(f"{row * 0.005:.3f} x\n" for row in range(n)))
    return folder


def blob() -> GaussianCloud:
    """Coloured Gaussians on a sphere."""
    generator = torch.Generator().manual_seed(0)
    means = torch.nn.functional.normalize(torch.randn(300, 3, generator=generator), dim=1)
    return GaussianCloud(
        means,
        torch.tensor([[1.0, 0, 0, 0]]).repeat(300, 1),
        torch.full((300, 3), -2.0),
        torch.full((300,), 3.0),
        torch.randn(300, 1, 3, generator=generator),
    )


def test_a_film_becomes_events_where_it_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = write_film(tmp_path / "film")
    words = ["events", "simulate", str(film), "--grey", "--out", str(tmp_path / "made"), "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    stream = read_recording(tmp_path / "made").stream
    assert report["events"] == len(stream) > 1000
    assert (stream.width, stream.height) == (24, 16)
    assert int(stream.t_ns[-1]) <= 200_000_000
    # The bar is 5.5 times as bright as its surroundings: ln 5.5 / 0.25 = 6 events up and 6 down at a pixel it passes.
    up, down = ((stream.x == 10) & (stream.y == 5) & (stream.polarity == sign) for sign in (1, -1))
    assert (up.sum(), down.sum()) == (6, 6)


def test_images_are_ordered_by_their_numbers_and_timed_by_a_rate(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film", times=False)
    both = [tmp_path / "rate", tmp_path / "file"]
    assert main(["events", "simulate", str(film), "--grey", "--fps", "200", "--out", str(both[0])]) == 0
    (film / "timestamps.txt").write_text("".join(f"{row / 200}\n" for row in range(41)))
    assert main(["events", "simulate", str(film), "--grey", "--out", str(both[1])]) == 0
    first, second = (read_recording(folder).stream for folder in both)
    assert np.array_equal(first.t_ns, second.t_ns)
    assert np.array_equal(first.x, second.x)


@pytest.mark.parametrize(
    ("times", "words", "error"),
    [
        (None, [], "no times of the images; write seconds there, a line an image, or give --fps"),
        (None, ["--fps", "0"], "0.0 images a second"),
        ("0\n1\n", [], "2 times for 41 images"),
        ("zero\n" * 41, [], "could not convert string to float: 'zero'"),
        ("1\n" * 41, [], "do not increase"),
    ],
)
def test_times_that_make_no_sense_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], times: str | None, words: list[str], error: str
) -> None:
    film = write_film(tmp_path / "film", times=False)
    if times is not None:
        (film / "timestamps.txt").write_text(times)
    assert main(["events", "simulate", str(film), "--out", str(tmp_path / "made"), *words]) == 1
    assert error in capsys.readouterr().err.replace(": ", " ").replace("times.txt ", "").replace("float ", "float: ")
    assert not (tmp_path / "made").exists()


def test_the_evaluation_set_is_fixed_and_comes_with_views(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "easy"
    assert main(["events", "simulate", "events-eval-v2", "--duration", "0.01", "--out", str(out)]) == 0
    recording = read_recording(out)
    assert recording.camera is not None
    assert recording.camera.bayer_pattern == "RGGB"
    assert len(read_photos(out / "views" / "transforms_val.json")) == EventEvalSet.read().test_views
    assert main(["events", "simulate", "events-eval-v2", "--out", str(out)]) == 1
    assert "something is there already" in capsys.readouterr().err
    assert main(["events", "simulate", "events-eval-v2", "--leak", "1", "--out", str(tmp_path / "x")]) == 1
    assert "events-eval-v2 is fixed" in capsys.readouterr().err


def test_splats_are_recorded_and_come_with_views(tmp_path: Path) -> None:
    write_splats(tmp_path / "blob.ply", blob())
    out = tmp_path / "made"
    words = ["--level", "medium", "--size", "24x20", "--duration", "0.05", "--refractory", "2000", "--out", str(out)]
    assert main(["events", "simulate", str(tmp_path / "blob.ply"), *words]) == 0
    recording = read_recording(out).posed()
    assert recording.camera.refractory_period_ns == 2_000_000
    assert len(recording.stream) > 50
    views = read_photos(out / "views" / "transforms_val.json")
    assert (views.cameras.width, views.cameras.height, len(views)) == (24, 20, 8)
    assert all(float(image.std()) > 0.05 for image in views.images())


def test_a_spiral_around_splats_looks_at_them_from_where_the_views_are() -> None:
    recording, views = splat_events(blob(), "easy", (16, 16), duration_ns=5_000_000)
    assert recording.trajectory is not None
    distance = views.cameras.centers.norm(dim=1)
    assert recording.trajectory.centers.norm(dim=1).mean() == pytest.approx(float(distance.mean()), rel=0.05)


def test_calibrate_prints_what_is_known_and_what_to_pass_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film, out = write_film(tmp_path / "film"), tmp_path / "made"
    assert main(["events", "simulate", str(film), "--grey", "--thresholds", "0.2", "0.1", "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["events", "calibrate", str(out), "--refractory", "0"]) == 0
    shown = capsys.readouterr()
    assert "for trisparse reconstruct: --thresholds 0.3" in shown.out
    assert "no frames tell how large the thresholds are" in shown.err
    assert main(["events", "calibrate", str(out), "--refractory", "0", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ratio"]["value"] == pytest.approx(2.0, rel=0.1)
    assert report["positive"] is None
