"""EVT2, EVT3 and DAT: what encoders of our own write comes back, across clocks that wrap; damage is repaired or told."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trisparse.core.errors import CorruptFile, DataError, MissingPart, UnknownFormat
from trisparse.data.event_stream import EventStream
from trisparse.data.readers.events import read_events
from trisparse.data.readers.prophesee import parse_header, read_prophesee

from .event_encoders import HEIGHT, WIDTH, Event, dat, event_lists, evt2, evt3, raw_header, some_events

ENCODERS = {
    "EVT2": lambda events: raw_header("EVT2") + evt2(events),
    "EVT3": lambda events: raw_header("EVT3") + evt3(events),
    "EVT3 without vectors": lambda events: raw_header("EVT3") + evt3(events, use_vectors=False),
    "DAT": dat,
}
PERIODS = {"EVT2": 1 << 34, "EVT3": 1 << 24, "EVT3 without vectors": 1 << 24, "DAT": 1 << 32}


def events_of(stream: EventStream) -> list[Event]:
    """The events of a stream one by one."""
    columns = (stream.t_ns // 1000, stream.x, stream.y, stream.polarity)
    return [Event(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def decoded(folder: Path, content: bytes) -> tuple[list[Event], tuple[str, ...]]:
    """What a file of these bytes holds."""
    path = folder / "recording"
    path.write_bytes(content)
    file = read_events(path)
    assert (file.stream.width, file.stream.height) == (WIDTH, HEIGHT)
    return events_of(file.stream), file.notes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples of hypothesis."""
    return tmp_path_factory.mktemp("prophesee")


@pytest.mark.parametrize("encoding", ENCODERS)
@given(events=event_lists(start=40_000))
def test_what_was_encoded_comes_back(folder: Path, encoding: str, events: list[Event]) -> None:
    assert decoded(folder, ENCODERS[encoding](events)) == (events, ())


@pytest.mark.parametrize("encoding", ENCODERS)
@settings(max_examples=30)
@given(data=st.data())
def test_times_go_on_where_the_clock_of_the_sensor_begins_again(
    folder: Path, encoding: str, data: st.DataObject
) -> None:
    period = PERIODS[encoding]
    gap = min(period // 3, 1 << 27)
    events = data.draw(event_lists(start=period - 300, largest_gap=gap, largest=20))
    found, notes = decoded(folder, ENCODERS[encoding](events))
    wraps = (events[-1].t // period) - (events[0].t // period)
    lost = events[0].t // period * period  # before the first event nobody counts
    assert found == [event._replace(t=event.t - lost) for event in events]
    assert sum("began again" in note for note in notes) == (wraps > 0)
    assert wraps == 0 or f" {wraps} times" in notes[0]


def test_a_sparse_recording_of_minutes_keeps_its_times(tmp_path: Path) -> None:
    """Packages on PyPI return wrong times here."""
    events = some_events(300, span=200_000_000)
    found, notes = decoded(tmp_path, ENCODERS["EVT3"](events))
    assert found == events
    assert notes == ("the sensor's clock of 2^24 us began again 11 times; times go on",)


def test_words_are_read_one_by_one_by_hand(tmp_path: Path) -> None:
    words = [
        0x2805,  # an event before any time: nowhere to put it
        0x8001, 0x6010, 0x0003,  # t = 4096 + 16, y = 3
        0x2805,  # x = 5, on
        0x2006,  # x = 6, off
        0x3064, 0x4801, 0x4002, 0x5080, 0x5001,  # from x = 100: 100, 111; 113; 131; 132: off
        0xA000, 0xE000, 0xF000, 0x7000,  # triggers and the like
        0x8002, 0x2007,  # the lower bits begin at 0
        0x1009, 0x2008,  # a row of exposure measurement: its events are none of brightness
        0x000A, 0x2009,
        0x9000,  # nobody knows
    ]  # fmt: skip
    (tmp_path / "a.raw").write_bytes(raw_header("EVT3") + np.array(words, "<u2").tobytes())
    file = read_events(tmp_path / "a.raw")
    rows = [(4112, 5, 3, 1), (4112, 6, 3, -1), *((4112, x, 3, -1) for x in (100, 111, 113, 131, 132))]
    assert events_of(file.stream) == [Event(*row) for row in [*rows, (8192, 7, 3, -1), (8192, 9, 10, -1)]]
    assert file.notes == (
        "2 events came before the first word of time or row and were left out",
        "1 words were of no known kind and were left out",
    )


@pytest.mark.parametrize("encoding", ["EVT2", "EVT3", "DAT"])
def test_a_file_that_ends_within_a_word_is_read_to_there(tmp_path: Path, encoding: str) -> None:
    events = some_events(50, seed=1)
    content = ENCODERS[encoding](events)
    whole, _ = decoded(tmp_path, content)
    assert whole == events
    n_bytes = {"EVT2": 4, "EVT3": 2, "DAT": 8}[encoding]
    for cut in range(1, 3 * n_bytes):
        found, notes = decoded(tmp_path, content[:-cut])
        assert found == events[: len(found)]
        assert len(found) < len(events)
        expected = [f"ends in the middle of a word: its last {n_bytes - cut % n_bytes} bytes"] if cut % n_bytes else []
        assert [note.split(" were left")[0].removeprefix("the file ") for note in notes] == expected


@pytest.mark.parametrize("encoding", ["EVT2", "EVT3", "DAT"])
@given(noise=st.binary(min_size=8, max_size=400))
def test_noise_is_a_sorted_stream_or_an_error(folder: Path, encoding: str, noise: bytes) -> None:
    header = ENCODERS[encoding]([Event(0, 0, 0, 1)])
    header = header[: len(header) - {"EVT2": 8, "EVT3": 6, "DAT": 8}[encoding]]
    path = folder / "noise"
    path.write_bytes(header + noise)
    try:
        stream = read_events(path).stream
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert (np.diff(stream.t_ns) >= 0).all()


def test_a_byte_of_data_that_looks_like_a_header_is_data() -> None:
    head = raw_header("EVT3", with_size=False)
    for data in (b"%", b"% \x00\x01\n", b"%5\n", "% é\n".encode(), b"% " + 2000 * b"a" + b"\n"):
        assert parse_header(head + data).n_bytes == len(head)
    assert parse_header(raw_header("EVT3") + b"% end\n").n_bytes == len(raw_header("EVT3"))  # behind its end


def test_a_header_without_a_size_gives_the_smallest_usual_sensor(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(raw_header("EVT3", with_size=False) + evt3([Event(5, 400, 100, 1)]))
    file = read_events(tmp_path / "a.raw")
    assert (file.stream.width, file.stream.height) == (640, 480)
    assert "taken as 640 x 480 pixels" in file.notes[0]
    assert read_events(tmp_path / "a.raw", size=(500, 200)).stream.width == 500


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"% evt 2.1\n" + bytes(8), UnknownFormat, "encoded as 'EVT2.1', which is not read here; convert it"),
        (b"% format EVT4\n" + bytes(8), UnknownFormat, "encoded as 'EVT4'"),
        (b"% date today\n" + bytes(8), UnknownFormat, "states no encoding"),
        (b"% evt 3.0\n", MissingPart, "EVT3 without any data after the header of 10 bytes"),
        (b"% evt 3.0\n\0", MissingPart, "without any data"),
        (b"% evt 3.0\n" + bytes(2), MissingPart, "EVT3 without any event"),
        (b"% evt 3.0\n% geometry 0x5\n" + bytes(8), CorruptFile, "a sensor of 0 x 5 pixels"),
        (b"% evt 3.0\n% width 99999999999999999\n% height 4\n" + bytes(8), CorruptFile, "a sensor of 99999999999999999 x 4"),
        (b"% evt 3.0\n% geometry 99999x5\n" + evt3([Event(1, 1, 1, 1)]), CorruptFile, "expected 1..32767"),
        (b"% Version 2\n" + bytes((14, 8)) + bytes(8), UnknownFormat, "records are of kind and size .14, 8."),
        (b"% Version 2\n\x0c", UnknownFormat, "kind and size"),
        (b"% Version 2\n" + bytes((12, 8)), MissingPart, "DAT without any data"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_say_why(tmp_path: Path, content: bytes, kind: type[Exception], message: str) -> None:
    (tmp_path / "a.raw").write_bytes(content)
    with pytest.raises(kind, match=message):
        read_events(tmp_path / "a.raw")


def test_a_file_without_a_header_is_refused_by_its_reader(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(evt3(some_events(5)))
    with pytest.raises(UnknownFormat, match="no header of lines with %"):
        read_prophesee(tmp_path / "a.raw")


def test_a_few_events_outside_the_sensor_are_left_out_and_many_are_an_error(tmp_path: Path) -> None:
    inside = some_events(40)
    outside = [event._replace(x=1000) for event in inside[:4]]
    (tmp_path / "a.raw").write_bytes(raw_header("EVT2") + evt2(sorted([*inside, *outside], key=lambda e: e.t)))
    file = read_events(tmp_path / "a.raw")
    assert file.notes == ("4 of 44 events lay outside the sensor of 640 x 480 pixels and were left out",)
    assert events_of(file.stream) == inside
    with pytest.raises(CorruptFile, match=r"lie outside the sensor of 300 x 480 pixels \(x up to 1000, y up to"):
        read_events(tmp_path / "a.raw", size=(300, 480))


def test_the_sample_of_a_real_sensor_is_decoded_to_the_event(shared: Path) -> None:
    folder = shared / "data" / "ev_prophesee_evt2"
    stream = read_events(folder / "evt2_sample.raw").stream
    with np.load(folder / "evt2_sample.npz") as known:
        assert np.array_equal(stream.t_ns, 1000 * known["t_us"])
        assert np.array_equal(stream.x, known["x"])
        assert np.array_equal(stream.y, known["y"])
        assert np.array_equal(stream.polarity > 0, known["p"] > 0)


def test_an_event_in_every_pixel_of_a_vector_is_found(tmp_path: Path) -> None:
    events = [Event(9, x, 4, -1) for x in range(50, 82)]
    content = ENCODERS["EVT3"](events)
    assert decoded(tmp_path, content) == (events, ())
    assert len(content) - len(raw_header("EVT3")) == 2 * 7  # two of time, row, base, 12, 12, 8


def test_reading_maps_the_file_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(ENCODERS["EVT3"](some_events(20)))
    before = (tmp_path / "a.raw").read_bytes()
    os.chmod(tmp_path / "a.raw", 0o444)
    assert len(read_events(tmp_path / "a.raw").stream) == 20
    assert (tmp_path / "a.raw").read_bytes() == before
