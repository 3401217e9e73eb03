"""``trisparse events``: what it prints, what it writes, and what it says when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trisparse.core.errors import InvalidInput
from trisparse.data.event_stream import EventStream
from trisparse.data.readers.event_folder import write_event_folder
from trisparse.data.readers.event_recordings import read_recording
from trisparse.data.readers.event_text import write_event_text
from trisparse.pipelines.cli import main
from trisparse.pipelines.event_pictures import draw_event_frames, event_frames, event_image

WIDTH, HEIGHT = 40, 30


def stream(n: int = 2000) -> EventStream:
    """Events all over the sensor during 2 ms; one pixel is hot."""
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, WIDTH, n), generator.integers(0, HEIGHT, n)
    x[::10], y[::10] = 7, 9
    return EventStream.from_arrays(x, y, 1000 * np.arange(n), generator.integers(0, 2, n), height=HEIGHT, width=WIDTH)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A folder of the RPG data set with poses from 0.5 ms on."""
    folder = tmp_path / "slider"
    folder.mkdir()
    write_event_text(folder / "events.txt", stream())
    poses = "".join(f"0.000{5 + i}0 {i} 0 0 0 0 0 1\n" for i in range(5))
    (folder / "groundtruth.txt").write_text(poses)
    (folder / "calib.txt").write_text("30 31 19.5 14.5 0 0 0 0 0\n")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs ``trisparse events`` with some words; exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        code = main(["events", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


SIZE = ("--size", f"{WIDTH}x{HEIGHT}")


def test_info_prints_what_is_in_a_recording(recording: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("info", recording, *SIZE)
    assert code == 0
    for text in ("RPG (text)", "40 x 30 pixels", "2,000", "0.001999 s", "1e+06 events/s", "1 with 1"):
        assert text in out
    assert "5 over 0.0004 s, a path of 4 m; 401 events have one" in " ".join(out.split())
    assert "note: the times have fractions and were taken as seconds" in " ".join(err.split())


def test_info_as_json_has_every_number(recording: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("info", recording, *SIZE, "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert (report["events"], report["width"], report["hot_pixels"]) == (2000, WIDTH, 1)
    assert report["poses"] == {
        "poses": 5,
        "first_ns": 500_000,
        "duration_s": 0.0004,
        "path_m": 4.0,
        "events_with_pose": 401,
    }
    assert report["calibration"] == {"model": "pinhole", "fx": 30.0, "fy": 31.0, "cx": 20.0, "cy": 15.0}


def test_a_part_of_the_time_is_taken(recording: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    _, out, _ = run("info", recording, *SIZE, "--start", "0.001", "--duration", "0.0005", "--json")
    assert json.loads(out)["events"] == 500
    code, _, err = run("info", recording, *SIZE, "--start", "3")
    assert code == 1
    assert "no events in that time; it lasts 0.001999 s" in err


@pytest.mark.parametrize("to", ["esim", "mapped", "text"])
def test_every_format_that_is_written_is_read_again(
    tmp_path: Path, recording: Path, run: Callable[..., tuple[int, str, str]], to: str
) -> None:
    code, out, _ = run("convert", recording, tmp_path / "out", "--to", to, *SIZE)
    assert (code, out) == (0, f"2000 events: {tmp_path / 'out'}\n")
    found, known = (
        read_recording(tmp_path / "out", size=(WIDTH, HEIGHT)),
        read_recording(recording, size=(WIDTH, HEIGHT)),
    )
    for name in ("x", "y", "t_ns", "polarity"):
        assert np.array_equal(getattr(found.stream, name), getattr(known.stream, name))
    assert found.trajectory is not None
    assert known.trajectory is not None
    assert found.trajectory.t_ns.tolist() == known.trajectory.t_ns.tolist()
    assert found.camera is not None
    assert found.camera.K.tolist() == [[30, 0, 20], [0, 31, 15], [0, 0, 1]]


def test_convert_leaves_out_hot_pixels_and_events_without_pose(
    tmp_path: Path, recording: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    words = ("convert", recording, tmp_path / "out", *SIZE, "--drop-hot-pixels", "--only-with-pose", "--json")
    code, out, _ = run(*words)
    report = json.loads(out)
    assert code == 0
    assert report["notes"][-2] == "of 2000 events 500 before the first and 1099 after the last pose were left out"
    assert report["notes"][-1].startswith("1 hot pixels with 4")
    assert report["events"] == len(read_recording(tmp_path / "out").stream) < 401


def test_convert_without_poses_says_so(tmp_path: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    write_event_folder(tmp_path / "a", stream())
    code, _, err = run("convert", tmp_path / "a", tmp_path / "out", "--only-with-pose")
    assert code == 1
    assert "come without poses of the camera, and reconstruction without poses is not supported" in err


def test_show_writes_a_picture(tmp_path: Path, recording: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("show", recording, *SIZE, "--out", tmp_path / "a.png", "--frames", "4", "--json")
    assert (code, json.loads(out)) == (0, {"picture": str(tmp_path / "a.png")})
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (3 * (320 + 6) + 6, 2 * (240 + 18 + 6) + 6)  # eight times as large, three a row


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("info", "nothing.raw"), "nothing.raw: no such file; expected Prophesee RAW"),
        (("info", "{recording}", "--size", "40"), "a size of '40'; expected WIDTHxHEIGHT, as 640x480"),
        (("info", "{recording}", "--size", "5x5"), "lie outside the sensor of 5 x 5 pixels"),
        (("info", "{recording}", *SIZE, "--start", "-1"), "start -1.0 and duration None s; expected 0 or more"),
        (("show", "{recording}", *SIZE, "--frames", "0"), "0 frames of None s from 2000 events; expected at least one"),
        (("show", "{recording}", *SIZE, "--milliseconds", "0"), "frames of 0.0 s"),
        (("info", "{recording}", *SIZE, "--poses", "nothing.txt"), "nothing.txt: no such file; expected poses"),
    ],
)
def test_what_is_wrong_is_one_line_on_stderr(
    recording: Path, run: Callable[..., tuple[int, str, str]], words: tuple[str, ...], message: str
) -> None:
    code, out, err = run(*(word.format(recording=recording) for word in words))
    assert (code, out) == (1, "")
    assert message in err.splitlines()[-1]


# Pictures


def test_an_image_of_events_is_red_where_it_brightened_blue_where_it_darkened_and_grey_where_both() -> None:
    x, p = [0, 0, 0, 1, 2, 2, 3], [1, 1, 1, -1, 1, -1, 1]
    events = EventStream.from_arrays(x, [0] * 7, range(7), p, height=1, width=5)
    red, blue, both, faint, none = event_image(events)[0].astype(int).tolist()
    assert red[0] > red[2] + 100
    assert blue[2] > blue[0] + 50
    assert both[0] == both[1] == both[2] < 250
    assert faint[1] > red[1]  # one event is paler than three
    assert none == [255, 255, 255]


def test_frames_cover_the_recording_and_do_not_overlap() -> None:
    events = stream()
    frames = event_frames(events, 5)
    assert frames[0].start_ns == events.t_ns[0]
    assert frames[-1].end_ns == events.t_ns[-1] + 1
    assert all(a.end_ns <= b.start_ns for a, b in pairwise(frames))
    whole = event_frames(events, 1, seconds=1.0)[0]
    assert np.array_equal(whole.image, event_image(events))


def test_a_picture_of_one_event_is_one(tmp_path: Path) -> None:
    draw_event_frames(EventStream.from_arrays([3], [2], [5], [1], height=4, width=5), tmp_path / "a.png", count=2)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 2 * (320 + 6) + 6
    with pytest.raises(InvalidInput, match="from 0 events"):
        draw_event_frames(EventStream.empty(4, 5), tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()
