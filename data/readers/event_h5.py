"""Events in HDF5 files: the layouts of TUM-VIE, EDS, DSEC, MVSEC, M3ED, E2VID and v2e, told by what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from ...core.errors import BackendUnavailable, CorruptFile, MissingPart, TrisparseError, UnknownFormat, UnsafeFile
from .event_columns import event_columns
from .event_file import NANOSECONDS, RawEvents, TimeUnit

MAGIC = b"\x89HDF\r\n\x1a\n"
_NAMES: dict[str, tuple[str, ...]] = {
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "t": ("t", "ts", "timestamp", "timestamps"),
    "polarity": ("p", "ps", "polarity", "pol"),
}
"""Names of the columns in all layouts."""
_ECF = 0x8ECF
"""Prophesee's own compression of HDF5."""
_DEPTH = 4
_MOST_OBJECTS = 10_000
_FREE_BYTES = 64 << 20
_MOST_EXPANSION = 2000
"""A data set above `_FREE_BYTES` may become this many times as large as what is stored of it."""
_H5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)


@dataclass(frozen=True)
class _Columns:
    """Data sets of one sensor's events: one a column, or one table."""

    where: str
    columns: dict[str, Any]
    table: Any = None


def read_event_h5(
    path: Path, *, group: str | None = None, start_ns: int | None = None, end_ns: int | None = None
) -> RawEvents:
    """Events of an HDF5 file.

    The unit of the times is that of the layout where one is known (DSEC, TUM-VIE, EDS: microseconds; MVSEC: seconds), else to
    be guessed. DSEC's ``t_offset`` is added; its ``ms_to_idx`` makes reading a part quick.

    Args:
        path: The file.
        group: Which of several sensors, as "davis/left/events"; by default the first, and a note names the others.
        start_ns: Read only events from this time on, nanoseconds as they come out (needs a layout of a known unit).
        end_ns: And only before this one.

    Raises:
        MissingPart: A data set is not there.
        UnknownFormat: Compressed by Prophesee's own filter.
        CorruptFile: Damaged, or a data set claims more than is stored.
        UnsafeFile: A data set lies in another file.
        BackendUnavailable: h5py, or the package of a compression, is not installed.
    """
    with _open(path) as file:
        found = _find(path, file, group)
        chosen, others = found[0], [entry.where for entry in found[1:]]
        notes = (f"of several sensors {chosen.where} was read; there are also {', '.join(others)}",) if others else ()
        return _read(path, file, chosen, (start_ns, end_ns), notes)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    try:
        h5py = import_module("h5py")
    except ImportError as error:
        raise BackendUnavailable(
            f"{path}: HDF5 files are read through h5py, which cannot be imported ({error}); pip install "
            "'trisparse[events]'"
        ) from error
    with suppress(ImportError):
        import_module("hdf5plugin")  # registers Blosc, Zstandard and others; h5py alone knows gzip and lzf
    try:
        with h5py.File(path, "r") as file:
            yield file
    except TrisparseError:  # of which some are ValueErrors too
        raise
    except _H5_ERRORS as error:
        raise CorruptFile(path, "HDF5", f"{error!s:.120}; truncated or damaged: copy the file again") from error


def _find(path: Path, file: Any, group: str | None) -> list[_Columns]:
    """All places that hold events, shallowest first."""
    if group is not None:
        place = _member(path, file, group)
        found = [entry for entry in (_columns_at(path, place, group),) if entry]
        if not found:
            raise MissingPart(
                f"{path}: {group!r} holds no events; expected data sets x, y, t and p, or a table of four columns"
            )
        return found
    found, waiting, seen = [], [("", file)], 0
    while waiting:
        name, place = waiting.pop(0)
        entry = _columns_at(path, place, name)
        if entry is not None:
            found.append(entry)
        for key in place if _is_group(place) and entry is None and name.count("/") < _DEPTH else ():
            seen += 1
            if seen > _MOST_OBJECTS:
                raise CorruptFile(path, "HDF5", f"more than {_MOST_OBJECTS} objects; name the group of the events")
            member = _member(path, place, key, is_optional=True)
            if member is not None:
                waiting.append((f"{name}/{key}".lstrip("/"), member))
    if not found:
        raise MissingPart(f"{path}: {_missing(path, file)}")
    return found


def _missing(path: Path, file: Any) -> str:
    """What a layout lacks, as far as one is there."""
    best: tuple[str, list[str]] = ("", [])
    for name, place in (("", file), *((key, _member(path, file, key, is_optional=True)) for key in file)):
        if place is not None and _is_group(place):
            there = [column for column, names in _NAMES.items() if any(n in place for n in names)]
            best = max(best, (name, there), key=lambda entry: len(entry[1]))
    expected = "expected data sets x, y, t and p in one group, or a table of four columns"
    if not best[1]:
        return f"no events in any group (found {', '.join(list(file)[:10]) or 'nothing'}); {expected}"
    lacking = [f"{column} ({' or '.join(_NAMES[column])})" for column in _NAMES if column not in best[1]]
    return f"the group {best[0] or '/'!r} has {', '.join(best[1])}, but no data set {', '.join(lacking)}; {expected}"


def _columns_at(path: Path, place: Any, name: str) -> _Columns | None:
    if _is_group(place):
        found = {}
        for column, names in _NAMES.items():
            members = [_member(path, place, n) for n in names if n in place]
            members = [m for m in members if not _is_group(m) and len(m.shape) == 1]
            if members:
                found[column] = members[0]
        return _Columns(name or "/", found) if len(found) == 4 else None
    fields = place.dtype.names
    if fields is not None and len(place.shape) == 1 and {"x", "y", "t", "p"} <= set(fields):
        return _Columns(name, {}, place)
    is_table = len(place.shape) == 2 and place.shape[1] == 4 and name.split("/")[-1] in ("events", "event")
    return _Columns(name, {}, place) if is_table and place.dtype.kind in "iuf" else None


def _member(path: Path, place: Any, key: str, *, is_optional: bool = False) -> Any:
    """A group or data set of the same file."""
    try:
        link = place.get(key, getlink=True)
        if type(link).__name__ == "ExternalLink":
            raise UnsafeFile(
                f"{path}: {key!r} leads into another file, {link.filename!r:.80}; expected the data in this one"
            )
        member = place[key]
        if not (_is_group(member) or hasattr(member, "shape")):
            raise KeyError(f"a {type(member).__name__}")
        is_elsewhere = not _is_group(member) and (
            getattr(member, "external", None) or getattr(member, "is_virtual", False)
        )
    except UnsafeFile:
        if is_optional:
            return None
        raise
    except _H5_ERRORS as error:
        if is_optional:
            return None
        raise MissingPart(f"{path}: no {key!r} ({error}); expected a group or data set of events") from error
    if is_elsewhere:
        raise UnsafeFile(f"{path}: the data of {key!r} lie in another file; expected them in this one")
    return member


def _is_group(place: Any) -> bool:
    return hasattr(place, "keys")


def _read(
    path: Path, file: Any, chosen: _Columns, window: tuple[int | None, int | None], notes: tuple[str, ...]
) -> RawEvents:
    size = _size(file, chosen)
    if chosen.table is not None:
        return _read_table(path, chosen, size, notes)
    lengths = {name: column.shape[0] for name, column in chosen.columns.items()}
    if len(set(lengths.values())) > 1:
        raise CorruptFile(path, chosen.where, f"data sets of different lengths, {lengths}; expected one length")
    offset, is_dsec = _offset_us(path, file)
    t = chosen.columns["t"]
    # Whole times beside an offset, or in columns x, y, t, p: DSEC, TUM-VIE, EDS, M3ED, all in microseconds.
    unit: TimeUnit | None = "us" if is_dsec or (t.dtype.kind in "iu" and t.name.rsplit("/", 1)[-1] == "t") else None
    part = slice(None)
    if window != (None, None):
        part = _part(path, file, chosen, unit, offset, window)
    x, y, t, polarity = (_data(path, chosen.columns[name], part) for name in ("x", "y", "t", "polarity"))
    return RawEvents(x, y, t, polarity, f"HDF5 ({chosen.where})", unit, size, offset_ns=1000 * offset, notes=notes)


def _read_table(path: Path, chosen: _Columns, size: tuple[int, int] | None, notes: tuple[str, ...]) -> RawEvents:
    table = _data(path, chosen.table, slice(None))
    kind = f"HDF5 ({chosen.where})"
    if table.dtype.names is not None:
        return RawEvents(table["x"], table["y"], table["t"], table["p"], kind, "us", size, notes=notes)
    if not len(table):
        raise MissingPart(f"{path}: {chosen.where} is empty; expected a row for each event")
    columns = event_columns(path, table)
    x, y, t, polarity = (table[:, i] for i in (columns.x, columns.y, columns.t, columns.polarity))
    unit: TimeUnit | None = "s" if bool((t != np.floor(t)).any()) else None  # MVSEC: seconds
    return RawEvents(x, y, t, polarity, kind, unit, size, notes=notes)


def _offset_us(path: Path, file: Any) -> tuple[int, bool]:
    """DSEC's offset of all times, and whether there is one."""
    for name in ("t_offset", "events/t_offset"):
        if name in file:
            value = np.asarray(_member(path, file, name)[()]).reshape(-1)
            if len(value) != 1 or value.dtype.kind not in "iu" or abs(int(value[0])) > 1 << 53:
                raise CorruptFile(path, name, f"is {value!r:.60}, expected one whole number of microseconds")
            return int(value[0]), True
    return 0, False


def _part(
    path: Path,
    file: Any,
    chosen: _Columns,
    unit: TimeUnit | None,
    offset_us: int,
    window: tuple[int | None, int | None],
) -> slice:
    """Rows of the events within some time, by bisection in the file."""
    if unit is None:
        raise MissingPart(
            f"{path}: its layout does not say the unit of the times, so that no part can be chosen; read all of it"
        )
    t, factor = chosen.columns["t"], NANOSECONDS[unit]
    index = _member(path, file, "ms_to_idx", is_optional=True) if "ms_to_idx" in file else None
    bounds = []
    for bound, otherwise in zip(window, (0, t.shape[0]), strict=True):
        if bound is None:
            bounds.append(otherwise)
            continue
        wanted = -((1000 * offset_us - bound) // factor)  # rounded up: the first event at or after the bound
        bounds.append(_bisect(t, wanted, *_around(index, wanted, t.shape[0])))
    return slice(bounds[0], max(bounds))


def _around(index: Any, wanted_us: int, count: int) -> tuple[int, int]:
    """Rows between which ``ms_to_idx`` puts a time."""
    if index is None or len(index.shape) != 1 or not index.shape[0]:
        return 0, count
    ms = wanted_us // 1000
    low = 0 if ms < 0 else int(index[min(ms, index.shape[0] - 1)])
    high = count if ms + 1 >= index.shape[0] else int(index[max(ms + 1, 0)])
    return (low, high) if 0 <= low <= high <= count else (0, count)


def _bisect(t: Any, wanted: int, low: int, high: int) -> int:
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if int(t[middle]) < wanted else (low, middle)
    return low


def _data(path: Path, dataset: Any, part: slice) -> np.ndarray:
    """One data set, or a part of it, if it does not claim more than is stored."""
    name = dataset.name
    filters = {
        dataset.id.get_create_plist().get_filter(i)[0] for i in range(dataset.id.get_create_plist().get_nfilters())
    }
    if _ECF in filters:
        raise UnknownFormat(
            f"{path}: {name} is compressed by Prophesee's own filter (ECF), which is not supported; convert the file "
            "to RAW or DAT with their software (`metavision_file_to_dat`), or write the HDF5 file anew with another "
            "compression"
        )
    if dataset.dtype.kind not in "iufbV" or dataset.dtype.hasobject:
        raise CorruptFile(path, name, f"holds {dataset.dtype!s:.60}, expected numbers")
    n_bytes = int(np.prod([float(n) for n in dataset.shape])) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if n_bytes > _FREE_BYTES + _MOST_EXPANSION * stored:
        raise CorruptFile(
            path,
            name,
            f"claims {n_bytes} bytes of which {stored} are stored; its size is wrong, or it was never filled",
        )
    try:
        return np.asarray(dataset[part])
    except _H5_ERRORS as error:
        reason = f"{error!s:.120}"
        if "filter" in reason or "plugin" in reason:
            raise BackendUnavailable(
                f"{path}: {name} is compressed by filters {sorted(filters)}, of which one is not installed ({reason}); "
                "pip install 'trisparse[events]'"
            ) from error
        raise CorruptFile(path, name, f"cannot be read ({reason}); truncated? copy the file again") from error


def _size(file: Any, chosen: _Columns) -> tuple[int, int] | None:
    """Width and height, where an attribute says (E2VID: ``sensor_resolution``, height first)."""
    for place in (file, *((file[chosen.where],) if chosen.where in file else ())):
        attributes = cast(Any, place).attrs
        if "sensor_resolution" in attributes:
            numbers = np.asarray(attributes["sensor_resolution"]).reshape(-1)
            if len(numbers) >= 2 and numbers.dtype.kind in "iu":
                return int(numbers[1]), int(numbers[0])
        if {"width", "height"} <= set(attributes):
            return int(attributes["width"]), int(attributes["height"])
    return None
