"""AEDAT4: what an encoder of our own writes comes back whatever the compression; damage is told."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trisparse.core.errors import BackendUnavailable, CorruptFile, DataError, MissingPart, UnknownFormat
from trisparse.data.readers import compressed as compressed_blocks
from trisparse.data.readers.compressed import DamagedBlock, decompress
from trisparse.data.readers.events import read_events

from .event_encoders import HEIGHT, WIDTH, Event, aedat4, compressed, event_lists, some_events
from .test_prophesee import events_of

COMPRESSIONS = ("none", "lz4", "zstd")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples of hypothesis."""
    return tmp_path_factory.mktemp("aedat4")


def packets_of(events: list[Event], n: int = 3) -> list[list[Event]]:
    """Events in a few packets, of which one is empty."""
    return [*[events[len(events) * i // n : len(events) * (i + 1) // n] for i in range(n)], []]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("is_closed", [True, False])
@settings(max_examples=15)
@given(events=event_lists(start=1_600_000_000_000_000))
def test_what_was_encoded_comes_back(folder: Path, compression: str, is_closed: bool, events: list[Event]) -> None:
    path = folder / "a.aedat4"
    path.write_bytes(aedat4(packets_of(events), compression, is_closed=is_closed))
    file = read_events(path)
    assert events_of(file.stream) == events
    assert (file.stream.width, file.stream.height) == (WIDTH, HEIGHT)
    assert (file.format, file.notes) == ("AEDAT4", ())


def test_one_of_two_cameras_is_read(tmp_path: Path) -> None:
    first, second = some_events(20, seed=1), some_events(30, seed=2)
    (tmp_path / "a").write_bytes(aedat4([first, second], streams=2))
    file = read_events(tmp_path / "a")
    assert events_of(file.stream) == first
    assert file.notes == ("of 2 cameras' events those of stream 0 were read",)
    assert events_of(read_events(tmp_path / "a", part="1").stream) == second
    for part in ("7", "left"):
        with pytest.raises(MissingPart, match=f"no stream '?{part}"):
            read_events(tmp_path / "a", part=part)


def test_a_recording_that_was_cut_off_is_read_to_there(tmp_path: Path) -> None:
    events = some_events(90)
    content = aedat4(packets_of(events), is_closed=False)
    whole = aedat4(packets_of(events)[:2], is_closed=False)
    for cut in (len(whole) + 3, len(whole) + 20, len(content) - 30 - 8 - 1):
        (tmp_path / "a").write_bytes(content[:cut])
        file = read_events(tmp_path / "a")
        assert events_of(file.stream) == events[:60]
        assert "probably truncated" in file.notes[0]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@given(data=st.data())
def test_damage_is_a_stream_or_an_error(folder: Path, compression: str, data: st.DataObject) -> None:
    content = bytearray(aedat4(packets_of(some_events(12)), compression))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(14, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path = folder / "damaged"
    path.write_bytes(bytes(content[: data.draw(st.integers(15, len(content)))]))
    try:
        stream = read_events(path).stream
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert (np.diff(stream.t_ns) >= 0).all()


def test_an_absurd_count_of_events_takes_no_memory(tmp_path: Path) -> None:
    content = aedat4([some_events(5)], is_closed=False)
    place = content.rindex(struct.pack("<I", 5) + struct.pack("<q", some_events(5)[0].t))
    (tmp_path / "a").write_bytes(content[:place] + struct.pack("<I", 0x7FFFFFFF) + content[place + 4 :])
    with pytest.raises(CorruptFile, match=r"packet at byte \d+: bytes \d+ to \d+ are needed, but there are"):
        read_events(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"#!AER-DAT4.0\r\n", CorruptFile, "ends within its header"),
        (
            b"#!AER-DAT4.0\r\n" + struct.pack("<I", 1 << 31),
            CorruptFile,
            "claims a header of 2147483648 bytes, but 0 follow",
        ),
        (b"#!AER-DAT4.0\r\n" + struct.pack("<I", 4) + bytes(4), CorruptFile, "a header b'' of compression 0"),
        (b"#!AER-DAT2.0\r\n# old", UnknownFormat, "is AER-DAT2.0; only AEDAT4 is read here: convert it"),
        (b"#!AER-DAT3.1\r\n# old", UnknownFormat, "is AER-DAT3.1; only AEDAT4"),
        (aedat4([[]]), MissingPart, "AEDAT4 without any event"),
        (aedat4([some_events(3)]).replace(b"EVTS\x06", b"FRME\x06", 1), CorruptFile, "holds b'FRME', expected events"),
        (aedat4([some_events(3)]).replace(b"<dv ", b"<d> "), CorruptFile, "is no XML"),
        (
            aedat4([some_events(3)]).replace(b'<dv version="2.0">', b"<!DOCTYPE  dv><dv>"),
            CorruptFile,
            "defines entities",
        ),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path: Path, content: bytes, kind: type[Exception], message: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(kind, match=message):
        read_events(tmp_path / "a")


@pytest.mark.parametrize("kind", ["lz4", "zstd", "bz2"])
def test_a_bomb_stops_before_it_fills_the_memory(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decompress(kind, compressed(kind, b"events" * 9)) == b"events" * 9
    monkeypatch.setattr(compressed_blocks, "_FREE_BYTES", 1000)
    monkeypatch.setattr(compressed_blocks, "_MOST_EXPANSION", 2)
    with pytest.raises(DamagedBlock, match="becomes more than"):
        decompress(kind, compressed(kind, bytes(100_000)))


@pytest.mark.parametrize("kind", ["lz4", "zstd", "bz2"])
def test_a_damaged_block_is_told(kind: str) -> None:
    block = compressed(kind, np.random.default_rng(0).bytes(500))
    for damaged in (block[:-20], b"\0" * 40, b""):
        with pytest.raises(DamagedBlock):
            decompress(kind, damaged)


@pytest.mark.parametrize(("compression", "module"), [("lz4", "lz4.frame"), ("zstd", "zstandard")])
def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, module: str
) -> None:
    (tmp_path / "a").write_bytes(aedat4([some_events(3)], compression))
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(BackendUnavailable, match=r"cannot be imported .* pip install 'trisparse\[events\]'"):
        read_events(tmp_path / "a")


def test_the_sample_of_a_real_camera_is_decoded_to_the_event(shared: Path) -> None:
    folder = shared / "data" / "ev_davis346_aedat4"
    stream = read_events(folder / "evl_sample.aedat4").stream
    with np.load(folder / "evl_sample.npz") as known:
        assert np.array_equal(stream.t_ns, 1000 * known["t_us"])
        assert np.array_equal(stream.x, known["x"])
        assert np.array_equal(stream.y, known["y"])
        assert np.array_equal(stream.polarity > 0, known["p"] > 0)
        assert (stream.width, stream.height) == (int(known["width"]), int(known["height"]))
