"""Events in NPZ and NPY files: columns under the usual names, or one table of four columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, MissingPart
from .event_columns import event_columns
from .event_file import RawEvents, TimeUnit
from .npz import ArrayFile

_TIMES: dict[str, TimeUnit | None] = {
    "t_ns": "ns",
    "t_us": "us",
    "t_ms": "ms",
    "t_s": "s",
    "t": None,
    "ts": None,
    "timestamp": None,
    "timestamps": None,
    "time": None,
}
_POLARITIES = ("p", "ps", "polarity", "pol", "polarities", "on")
_POSITIONS = ("position", "xy", "positions")
_TABLES = ("events", "event", "array", "arr_0")
_SIZES = (("width", "height"), ("img_width", "img_height"))


def holds_events(names: tuple[str, ...]) -> bool:
    """Whether arrays of these names may be events."""
    has_columns = any(t in names for t in _TIMES) and any(p in names for p in _POLARITIES)
    has_places = any(n in names for n in _POSITIONS) or ("x" in names or "xs" in names)
    return (has_columns and has_places) or any(table in names for table in _TABLES)


def read_event_npz(path: Path) -> RawEvents:
    """Events of an NPZ or NPY file.

    Columns are ``x y t p`` under these or similar names (``t_us`` and its like say the unit; ``raw_events.npz`` of Robust
    e-NeRF holds nanoseconds), or one table with four columns, or with the fields x, y, t, p.

    Raises:
        MissingPart: A column is not there.
        CorruptFile: Damaged, or columns of other shapes.
    """
    arrays = ArrayFile(path)
    size = _size(path, arrays)
    for name in _TABLES:
        if name in arrays.names:
            return _table(path, arrays.read(name), size)
    time = next((name for name in _TIMES if name in arrays.names), None)
    polarity = next((name for name in _POLARITIES if name in arrays.names), None)
    position = next((name for name in _POSITIONS if name in arrays.names), None)
    columns = [next((name for name in names if name in arrays.names), None) for names in (("x", "xs"), ("y", "ys"))]
    if time is None or polarity is None or (position is None and None in columns):
        raise MissingPart(
            f"{path}: holds {', '.join(arrays.names) or 'nothing'}; expected arrays of x, y (or position), t and p, "
            "or one table"
        )
    t, p = arrays.read(time), arrays.read(polarity)
    if position is not None:
        places = arrays.read(position)
        if places.ndim != 2 or places.shape[1] != 2:
            raise CorruptFile(path, f"array {position!r}", f"of shape {places.shape}, expected (n, 2)")
        x, y = places[:, 0], places[:, 1]
    else:
        x, y = (arrays.read(str(name)) for name in columns)
    for name, column in (("x", x), ("y", y), (time, t), (polarity, p)):
        if column.ndim != 1:
            raise CorruptFile(path, f"array {name!r}", f"of shape {column.shape}, expected (n,)")
    is_esim = (position, time, polarity) == ("position", "timestamp", "polarity")
    unit = "ns" if is_esim and t.dtype.kind in "iu" else _TIMES[time]
    return RawEvents(x, y, t, p, "Robust e-NeRF events" if is_esim else "NPZ", unit, size)


def _table(path: Path, table: np.ndarray, size: tuple[int, int] | None) -> RawEvents:
    fields = table.dtype.names
    if fields is not None and table.ndim == 1:
        time = next((name for name in _TIMES if name in fields), None)
        polarity = next((name for name in _POLARITIES if name in fields), None)
        if time is None or polarity is None or not {"x", "y"} <= set(fields):
            raise MissingPart(f"{path}: a table of {', '.join(fields)}; expected x, y, t and p")
        return RawEvents(table["x"], table["y"], table[time], table[polarity], "NPY", _TIMES[time], size)
    if table.ndim != 2 or table.shape[1] != 4 or table.dtype.kind not in "iuf":
        raise CorruptFile(path, "table", f"{table.dtype} of shape {table.shape}, expected numbers (n, 4)")
    if not len(table):
        raise MissingPart(f"{path}: a table without rows; expected one for each event")
    columns = event_columns(path, table)
    x, y, t, polarity = (table[:, i] for i in (columns.x, columns.y, columns.t, columns.polarity))
    return RawEvents(x, y, t, polarity, "NPY", "s" if bool((t != np.floor(t)).any()) else None, size)


def _size(path: Path, arrays: ArrayFile) -> tuple[int, int] | None:
    for names in _SIZES:
        if all(name in arrays.names for name in names):
            values = [arrays.read(name) for name in names]
            if not all(value.size == 1 and value.dtype.kind in "iu" for value in values):
                raise CorruptFile(path, names[0], "and height: expected one whole number each")
            return int(values[0].reshape(-1)[0]), int(values[1].reshape(-1)[0])
    return None
