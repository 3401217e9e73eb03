"""Events in NPZ and NPY files and in folders of mapped columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trisparse.core.errors import CorruptFile, DataError, MissingPart, UnknownFormat, UnsafeFile
from trisparse.data.event_stream import EventStream
from trisparse.data.readers.event_folder import read_event_folder, write_event_folder
from trisparse.data.readers.events import read_events

from .event_encoders import Event, some_events
from .test_prophesee import events_of

EVENTS = some_events(300, start=70_000, span=500_000, width=600)


def columns(events: list[Event] = EVENTS) -> dict[str, np.ndarray]:
    """x, y, t in microseconds, p."""
    c = np.array(events)
    return {"x": c[:, 1].astype(np.uint16), "y": c[:, 2].astype(np.uint16), "t": c[:, 0], "p": c[:, 3] > 0}


def save(folder: Path, **arrays: Any) -> Path:
    """An NPZ file."""
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def test_columns_are_read_under_all_their_names(tmp_path: Path) -> None:
    c = columns()
    position = np.stack([c["x"], c["y"]], 1)
    kinds = [
        ({"x": c["x"], "y": c["y"], "t_us": c["t"], "p": c["p"]}, 1),
        ({"xs": c["x"], "ys": c["y"], "t_ns": 1000 * c["t"], "ps": 2.0 * c["p"] - 1}, 1),
        ({"x": c["x"].astype(float), "y": c["y"], "t": c["t"], "polarity": c["p"]}, 2),
        ({"x": c["x"], "y": c["y"], "ts": c["t"] / 1e6, "p": c["p"], "width": 640, "height": 480}, 1),
        ({"position": position, "timestamp": 1000 * c["t"], "polarity": c["p"]}, 1),
    ]
    for arrays, n_notes in kinds:
        file = read_events(save(tmp_path, **arrays))
        assert events_of(file.stream) == EVENTS
        assert len(file.notes) == n_notes


def test_tables_are_read_by_their_fields_or_numbers(tmp_path: Path) -> None:
    c = columns()
    table = np.zeros(len(EVENTS), [("t", "i8"), ("x", "u2"), ("y", "u2"), ("p", "?")])
    for name in "xytp":
        table[name] = c[name]
    for order in ("xytp", "txyp"):
        np.save(tmp_path / "a.npy", np.stack([c[name].astype(float) for name in order], 1))
        assert events_of(read_events(tmp_path / "a.npy").stream) == EVENTS
        assert events_of(read_events(save(tmp_path, events=np.load(tmp_path / "a.npy"))).stream) == EVENTS
    np.save(tmp_path / "b.npy", table)
    assert events_of(read_events(tmp_path / "b.npy").stream) == EVENTS


@pytest.mark.parametrize(
    ("arrays", "kind", "message"),
    [
        ({"x": np.zeros(3), "t": np.zeros(3)}, MissingPart, "holds x, t; expected arrays of x, y .or position., t and p"),
        ({"position": np.zeros((3, 3)), "t": np.zeros(3), "p": np.zeros(3)}, CorruptFile, r"\(3, 3\), expected \(n, 2\)"),
        ({"x": np.zeros((3, 1)), "y": np.zeros(3), "t": np.zeros(3), "p": np.zeros(3)}, CorruptFile, r"\(3, 1\), expected"),
        ({"x": np.zeros(2), "y": np.zeros(3), "t": np.zeros(3), "p": np.zeros(3)}, CorruptFile, r"columns of \[2, 3\] entries"),
        ({"events": np.zeros((3, 5))}, CorruptFile, r"of shape \(3, 5\), expected numbers \(n, 4\)"),
        ({"events": np.zeros((0, 4))}, MissingPart, "a table without rows"),
        ({"events": np.zeros(3, [("x", "i4"), ("t", "i8")])}, MissingPart, "a table of x, t; expected x, y, t and p"),
        ({"events": np.array([{}, []], object)}, UnsafeFile, "holds Python objects"),
        ({"x": [1], "y": [1], "t": [1], "p": [1], "width": 0.5, "height": 3}, CorruptFile, "expected one whole number each"),
        ({"x": [1], "y": [1], "t": [1], "p": [1], "width": -4, "height": 3}, CorruptFile, "sensor: -4 x 3 pixels"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_events_are_refused(
    tmp_path: Path, arrays: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        read_events(save(tmp_path, **arrays))


def test_times_of_robust_e_nerf_that_cannot_be_nanoseconds_are_told(tmp_path: Path) -> None:
    n = 200_000
    position = np.zeros((n, 2), np.uint16)
    file = read_events(save(tmp_path, position=position, timestamp=np.arange(n) // 10**5, polarity=np.ones(n, bool)))
    assert any("in another unit than their format demands" in note for note in file.notes)


# Folders of mapped columns


def stream_of(events: list[Event] = EVENTS) -> EventStream:
    """As a stream of a sensor of 640 x 480 pixels."""
    c = columns(events)
    return EventStream.from_arrays(c["x"], c["y"], 1000 * c["t"] + 7, c["p"], height=480, width=640)


def test_a_folder_gives_back_the_stream_without_reading_it(tmp_path: Path) -> None:
    stream = stream_of()
    write_event_folder(tmp_path / "a", stream)
    found = read_events(tmp_path / "a").stream
    for name in ("x", "y", "t_ns", "polarity"):
        assert np.array_equal(getattr(found, name), getattr(stream, name))
        assert isinstance(getattr(found, name), np.memmap)
    assert (found.width, found.height) == (640, 480)
    with pytest.raises(ValueError, match="read-only"):
        found.x[0] = 1


def test_an_empty_stream_survives_a_folder(tmp_path: Path) -> None:
    write_event_folder(tmp_path / "a", EventStream.empty(3, 4))
    assert len(read_event_folder(tmp_path / "a")) == 0


def test_a_folder_that_was_not_finished_is_none(tmp_path: Path) -> None:
    write_event_folder(tmp_path / "a", stream_of())
    (tmp_path / "a" / "events.json").unlink()
    with pytest.raises(MissingPart, match=r"a folder without events\.json"):
        read_events(tmp_path / "a")


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda f: (f / "x.npy").unlink(), MissingPart, r"x\.npy: no such file"),
        (lambda f: (f / "x.npy").write_bytes((f / "x.npy").read_bytes()[:-1]), CorruptFile, r"x\.npy: array: .*truncated\?"),
        (lambda f: (f / "x.npy").write_bytes(b""), CorruptFile, r"x\.npy: array"),
        (lambda f: np.save(f / "x.npy", np.zeros(300)), CorruptFile, r"float64 of shape \(300,\), expected int16"),
        (lambda f: np.save(f / "x.npy", np.zeros(9, np.int16)), CorruptFile, r"int16 of shape \(9,\), expected int16"),
        (lambda f: np.save(f / "y.npy", np.full(300, 480, np.int16)), CorruptFile, "events: event 0 lies at x"),
        (lambda f: np.save(f / "x.npy", np.array([{}] * 300, object)), DataError, r"x\.npy"),
        (lambda f: (f / "events.json").write_text("{}"), CorruptFile, r"events\.json: description"),
        (lambda f: (f / "events.json").write_text(json.dumps({"format": "other"})), UnknownFormat, "of format 'other'"),
        (
            lambda f: (f / "events.json").write_text(json.dumps({"format": "trisparse events", "version": 2})),
            UnknownFormat,
            "version 2, expected 1; update trisparse",
        ),
    ],
)  # fmt: skip
def test_a_damaged_folder_says_what_is_wrong(tmp_path: Path, change: Any, kind: type[Exception], message: str) -> None:
    write_event_folder(tmp_path / "a", stream_of())
    change(tmp_path / "a")
    with pytest.raises(kind, match=message):
        read_events(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"SQLite format 3\0", "is a ROS 2 bag .*; convert it to a ROS 1 bag"),
        (b"\x89MCAP0\r\n", "is an MCAP file of ROS 2; convert it"),
        (b"Event Stream\x02", "is an ES file; convert it"),
        (b"\x7fELF", "begins with b'.x7fELF', as no recording does"),
        (b"PK\x03\x04", "directory"),
    ],
)
def test_other_formats_are_named_with_advice(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.raw").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_events(tmp_path / "a.raw")


def test_a_missing_file_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"a\.raw: no such file; expected Prophesee RAW"):
        read_events(tmp_path / "a.raw")
