"""Encoders of event files for tests of the decoders: short, obvious, one word after another."""

from __future__ import annotations

import bz2
import struct
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

WIDTH, HEIGHT = 640, 480


class Event(NamedTuple):
    """One event; time in microseconds."""

    t: int
    x: int
    y: int
    p: int
    """-1 or +1."""


def some_events(
    n: int = 500, *, seed: int = 0, start: int = 0, span: int = 100_000, width: int = WIDTH, height: int = HEIGHT
) -> list[Event]:
    """Events at random, sorted by time."""
    generator = np.random.default_rng(seed)
    t = np.sort(generator.integers(start, start + span, n))
    x, y = generator.integers(0, width, n), generator.integers(0, height, n)
    p = 2 * generator.integers(0, 2, n) - 1
    return [Event(*row) for row in zip(t.tolist(), x.tolist(), y.tolist(), p.tolist(), strict=True)]


def event_lists(*, start: int = 0, largest_gap: int = 5000, largest: int = 60) -> st.SearchStrategy[list[Event]]:
    """Lists of events for hypothesis, often several at one time and in one row."""
    gap = st.one_of(st.just(0), st.integers(0, 20), st.integers(0, largest_gap))
    rows, signs = [0, 7, HEIGHT - 1], [-1, 1]
    place = st.tuples(gap, st.integers(0, WIDTH - 1), st.sampled_from(rows), st.sampled_from(signs))

    def at_times(rows: list[tuple[int, int, int, int]]) -> list[Event]:
        t, events = start, []
        for step, x, y, p in rows:
            t += step
            events.append(Event(t, x, y, p))
        return events

    return st.lists(place, min_size=1, max_size=largest).map(at_times)


def evt2(events: Iterable[Event]) -> bytes:
    """Words of EVT2; the upper bits of the time are sent when they change, and every hour of silence."""
    words, high = [], None
    for event in events:
        for step in _highs(high, event.t >> 6, 1 << 26):
            high = step
            words.append(8 << 28 | high & 0xFFFFFFF)
        words.append((event.p > 0) << 28 | (event.t & 0x3F) << 22 | event.x << 11 | event.y)
    return np.array(words, "<u4").tobytes()


def evt3(events: Iterable[Event], *, use_vectors: bool = True) -> bytes:
    """Words of EVT3; the upper bits of the time are sent when they change, and every 4 s of silence."""
    words, high, low, row = [], None, None, None
    for (t, y, p), group in groupby(events, lambda e: (e.t, e.y, e.p)):
        for step in _highs(high, t >> 12, 1 << 10):
            high, low = step, 0  # the decoder counts from 0 until it hears of the lower bits
            words.append(0x8000 | high & 0xFFF)
        if low != t & 0xFFF:
            low = t & 0xFFF
            words.append(0x6000 | low)
        if row != y:
            row = y
            words.append(row)
        for run in _runs([event.x for event in group]):
            if use_vectors and len(run) > 1:
                words += _vector(run, p)
            else:
                words += [0x2000 | (p > 0) << 11 | x for x in run]
    return np.array(words, "<u2").tobytes()


def _vector(run: list[int], p: int) -> list[int]:
    """A base, and as many words of 12, 12 and 8 pixels as reach the last."""
    words, base = [0x3000 | (p > 0) << 11 | run[0]], run[0]
    for kind, length in ((0x4000, 12), (0x4000, 12), (0x5000, 8)):
        if base <= run[-1]:
            words.append(kind | sum(1 << x - base for x in run if base <= x < base + length))
        base += length
    return words


def _runs(columns: list[int]) -> Iterator[list[int]]:
    """Parts that rise and lie within 32 pixels."""
    run: list[int] = []
    for x in columns:
        if run and not run[-1] < x < run[0] + 32:
            yield run
            run = []
        run.append(x)
    yield run


def _highs(last: int | None, wanted: int, longest: int) -> Iterator[int]:
    """Upper bits to send: none, the wanted ones, or steps to them."""
    if last is None:
        yield wanted
        return
    while last < wanted:
        last = min(wanted, last + longest)
        yield last


def raw_header(encoding: str, *, with_size: bool = True) -> bytes:
    """Lines of % as Metavision writes them."""
    lines = ["camera_integrator_name Prophesee", f"evt {encoding.removeprefix('EVT')}.0"]
    if with_size:
        lines += [f"format {encoding};height={HEIGHT};width={WIDTH}", f"geometry {WIDTH}x{HEIGHT}", "end"]
    return "".join(f"% {line}\n" for line in lines).encode()


def dat(events: Iterable[Event]) -> bytes:
    """A whole DAT file."""
    header = f"% Data file containing CD events.\n% Version 2\n% Height {HEIGHT}\n% Width {WIDTH}\n".encode()
    words = [(e.t & 0xFFFFFFFF, (e.p > 0) << 28 | e.y << 14 | e.x) for e in events]
    return header + bytes((12, 8)) + np.array(words, "<u4").tobytes()


def flat(identifier: bytes, fields: list[tuple[int, bytes]]) -> bytes:
    """A FlatBuffer whose root table has inline scalars (field, bytes); a vector or string is given as field, b"" + content."""
    count = 1 + max((field for field, _ in fields), default=0)
    inline, places, tails = b"", {}, []
    for field, value in fields:
        if len(value) > 8 or value[:1] == b"*":  # a vector, told by its star
            tails.append((field, 4 + len(inline), value[1:]))
            value = bytes(4)
        places[field] = 4 + len(inline)
        inline += value
    vtable = struct.pack("<HH", 4 + 2 * count, 4 + len(inline))
    vtable += b"".join(struct.pack("<H", places.get(field, 0)) for field in range(count))
    start = 8 + len(vtable)
    table = bytearray(struct.pack("<i", len(vtable)) + inline)
    body = b""
    for _, place, content in tails:
        at = start + len(table) + len(body)
        struct.pack_into("<I", table, place, at - (start + place))
        body += content
    return struct.pack("<I", start) + identifier + vtable + bytes(table) + body


def aedat4(
    packets: Iterable[list[Event]], compression: str = "none", *, is_closed: bool = True, streams: int = 1
) -> bytes:
    """A whole AEDAT4 file; packet k belongs to stream k modulo the number of streams."""
    size = f'<attr key="sizeX" type="int">{WIDTH}</attr><attr key="sizeY" type="int">{HEIGHT}</attr>'
    kind = '<attr key="typeIdentifier" type="string">EVTS</attr>'
    nodes = "".join(f'<node name="{i}">{kind}<node name="info">{size}</node></node>' for i in range(streams))
    text = f'<dv version="2.0"><node name="outInfo">{nodes}</node></dv>'.encode()
    body = b"".join(_packet(i % streams, events, compression) for i, events in enumerate(packets))
    number = {"none": 0, "lz4": 1, "zstd": 3}[compression]

    def head(end: int) -> bytes:
        entries = [
            (0, struct.pack("<i", number)),
            (1, struct.pack("<q", end)),
            (2, b"*" + struct.pack("<I", len(text)) + text),
        ]
        buffer = flat(b"IOHE", entries)
        return b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(buffer)) + buffer

    end = len(head(0)) + len(body)
    return head(end if is_closed else -1) + body + (b"a table of what is where" if is_closed else b"")


def _packet(number: int, events: list[Event], compression: str) -> bytes:
    records = b"".join(struct.pack("<qhh?3x", e.t, e.x, e.y, e.p > 0) for e in events)
    buffer = flat(b"EVTS", [(0, b"*" + struct.pack("<I", len(events)) + records)])
    block = compressed(compression, struct.pack("<I", len(buffer)) + buffer)
    return struct.pack("<ii", number, len(block)) + block


def compressed(kind: str, content: bytes) -> bytes:
    """A block of LZ4, Zstandard or bz2."""
    if kind == "lz4":
        import lz4.frame

        return lz4.frame.compress(content)
    if kind == "zstd":
        import zstandard

        return zstandard.ZstdCompressor().compress(content)
    return bz2.compress(content) if kind == "bz2" else content


class Message(NamedTuple):
    """One message of a bag."""

    topic: str
    type: str
    data: bytes


def bag(messages: list[Message], compression: str = "none", *, in_chunks: bool = True) -> bytes:
    """A ROS 1 bag; its index is left out, since nobody needs it."""
    topics = {m.topic: (i, m.type) for i, m in enumerate(messages)}
    records = []
    for topic, (number, kind) in topics.items():
        head = {"op": b"\x07", "conn": struct.pack("<I", number), "topic": topic.encode()}
        records.append(_record(head, _fields({"topic": topic.encode(), "type": kind.encode()})))
    records += [
        _record({"op": b"\x02", "conn": struct.pack("<I", topics[m.topic][0]), "time": bytes(8)}, m.data)
        for m in messages
    ]
    content = b"".join(records)
    if in_chunks:
        head = {"op": b"\x05", "compression": compression.encode(), "size": struct.pack("<I", len(content))}
        content = _record(head, compressed(compression, content))
    start = _record({"op": b"\x03", "index_pos": bytes(8), "conn_count": bytes(4), "chunk_count": bytes(4)}, b" " * 50)
    return b"#ROSBAG V2.0\n" + start + content


def _record(fields: dict[str, bytes], data: bytes) -> bytes:
    head = _fields(fields)
    return struct.pack("<I", len(head)) + head + struct.pack("<I", len(data)) + data


def _fields(fields: dict[str, bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(k) + 1 + len(v)) + k.encode() + b"=" + v for k, v in fields.items())


def ros_header(ns: int, frame: bytes = b"cam") -> bytes:
    """std_msgs/Header."""
    return struct.pack("<IIII", 0, *divmod(ns, 1_000_000_000), len(frame)) + frame


def event_array(events: list[Event], topic: str = "/dvs/events") -> Message:
    """dvs_msgs/EventArray."""
    rows = b"".join(struct.pack("<HHIIB", e.x, e.y, *divmod(1000 * e.t, 1_000_000_000), e.p > 0) for e in events)
    head = ros_header(1000 * events[-1].t if events else 0)
    return Message(topic, "dvs_msgs/EventArray", head + struct.pack("<III", HEIGHT, WIDTH, len(events)) + rows)
