"""Events as lines of text: ``t x y polarity`` of the RPG data sets and of v2e, and other orders that programs write."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile
from ..event_stream import EventStream
from .decimal_text import DecimalTable, read_decimal_table
from .event_columns import EventColumns, event_columns
from .event_file import RawEvents, TimeUnit

_WHAT = "events, a line each: t x y polarity (or x y polarity t)"
_NAMES = {
    "t": "t",
    "ts": "t",
    "time": "t",
    "timestamp": "t",
    "x": "x",
    "y": "y",
    "p": "polarity",
    "pol": "polarity",
    "polarity": "polarity",
    "on": "polarity",
}
_UNITS: dict[str, TimeUnit] = {"us": "us", "µs": "us", "ns": "ns", "ms": "ms", "s": "s", "sec": "s"}
_HEADER = re.compile(r"[A-Za-zµ_]")
_CHUNK = 1 << 18


def looks_like_events(head: bytes) -> bool:
    """Whether a file's first bytes are lines of four numbers, perhaps after a size of two or names of columns."""
    try:
        text = head.decode("ascii")
    except UnicodeDecodeError:
        return False
    lines = [line for line in text.split("\n")[:-1] or [text] if line.strip() and not line.startswith("#")]
    if not lines:
        return False
    rows = [re.split(r"[\s,;]+", line.strip(" \t\r,;")) for line in lines[:2]]
    if _HEADER.match(rows[0][0]):
        return len(rows[0]) == 4 and {_meaning(word)[0] for word in rows[0]} == set(EventColumns._fields)
    row = rows[1] if len(rows[0]) == 2 and len(rows) > 1 else rows[0]
    return len(row) == 4 and all(map(_is_number, row))


def read_event_text(path: Path) -> RawEvents:
    """Events of a text file, the times to the last decimal.

    Raises:
        MissingPart: No events.
        CorruptFile: A line that is none of four numbers, or columns that cannot be events.
    """
    content = path.read_bytes()
    size, columns, first_line, unit = None, None, 1, None
    head = content[:4096].split(b"\n", 1)[0].decode("ascii", "replace").strip()
    words = re.split(r"[\s,;]+", head)
    if not head.startswith("#") and _HEADER.match(head):
        columns, unit = _named_columns(path, words)
        content, first_line = content.partition(b"\n")[2], 2
    elif len(words) == 2 and all(word.isdigit() for word in words):
        size = (int(words[0]), int(words[1]))
        content, first_line = content.partition(b"\n")[2], 2
    table = read_decimal_table(path, _WHAT, content=content, first_line=first_line)
    if table.mantissas.shape[1] != 4:
        raise CorruptFile(path, f"line {first_line}", f"{table.mantissas.shape[1]} numbers; expected {_WHAT}")
    columns = columns or event_columns(path, np.stack([table.floats(i)[: 1 << 16] for i in range(4)], 1))
    x, y, polarity = (_whole(path, table, getattr(columns, name), name) for name in ("x", "y", "polarity"))
    if table.is_whole(columns.t):
        return RawEvents(x, y, table.scaled(columns.t, 0), polarity, "text", unit, size)
    power = {"s": 9, "ms": 6, "us": 3, "ns": 0, None: 9}[unit]  # fractions are of seconds, if nobody says otherwise
    notes = () if unit else ("the times have fractions and were taken as seconds",)
    return RawEvents(x, y, table.scaled(columns.t, power), polarity, "text", "ns", size, notes=notes)


def write_event_text(path: Path, stream: EventStream) -> None:
    """Write ``t x y polarity``: seconds with nine decimals, and 0 or 1, as the RPG data sets do."""
    with path.open("w") as file:
        for start in range(0, len(stream), _CHUNK):
            part = stream[start : start + _CHUNK]
            seconds, rest = np.divmod(np.abs(part.t_ns), 1_000_000_000)
            signs = np.where(part.t_ns < 0, "-", "")
            columns = (signs, seconds, rest, part.x, part.y, part.polarity > 0)
            rows = zip(*(column.tolist() for column in columns), strict=True)
            file.writelines(f"{sign}{s}.{ns:09d} {x} {y} {p:d}\n" for sign, s, ns, x, y, p in rows)


def seconds_text(t_ns: int) -> str:
    """A time as seconds with nine decimals."""
    seconds, rest = divmod(abs(t_ns), 1_000_000_000)
    return f"{'-' if t_ns < 0 else ''}{seconds}.{rest:09d}"


def _named_columns(path: Path, words: list[str]) -> tuple[EventColumns, TimeUnit | None]:
    """Columns by their names, as "x,y,p,t" or "t[us] x y p"."""
    unit, places = None, {}
    for i, word in enumerate(words):
        meaning, stated = _meaning(word)
        if meaning is None:
            raise CorruptFile(path, "line 1", f"names a column {word!r}; expected {_WHAT}")
        places[meaning] = i
        unit = unit or stated
    if len(places) != 4 or len(words) != 4:
        raise CorruptFile(path, "line 1", f"names the columns {' '.join(words)}; expected {_WHAT}")
    return EventColumns(**places), unit


def _meaning(word: str) -> tuple[str | None, TimeUnit | None]:
    """What a column's name says: "timestamp_us" and "t[us]" are times in microseconds."""
    name, _, unit = word.lower().replace("(", "[").partition("[")
    if name not in _NAMES and "_" in name:
        name, _, unit = name.rpartition("_")
    meaning = _NAMES.get(name)
    return meaning, _UNITS.get(unit.rstrip("])")) if meaning == "t" else None


def _whole(path: Path, table: DecimalTable, column: int, name: str) -> np.ndarray:
    if not table.is_whole(column):
        raise CorruptFile(path, f"column {column + 1}", f"is taken as {name}, but holds fractions; expected {_WHAT}")
    return table.scaled(column, 0)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
