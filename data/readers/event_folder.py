"""Recordings too large for the memory: a folder with one NPY file a column, which are mapped, not read."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, InvalidInput, MissingPart, UnknownFormat
from ...core.files import atomic_write, write_text
from ..event_stream import EventStream
from .json_files import entry, read_json

DESCRIPTION = "events.json"
_FORMAT = "trisparse events"
_COLUMNS = {"x": "<i2", "y": "<i2", "t_ns": "<i8", "polarity": "|i1"}


def is_event_folder(path: Path) -> bool:
    """Whether a folder holds a description of columns."""
    return (path / DESCRIPTION).is_file()


def write_event_folder(path: str | PathLike[str], stream: EventStream) -> None:
    """Write the columns, and the description last, so that it says that they are whole."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION).unlink(missing_ok=True)
    for name, dtype in _COLUMNS.items():
        with atomic_write(folder / f"{name}.npy") as file:
            np.save(file, getattr(stream, name).astype(dtype, copy=False), allow_pickle=False)
    description = {
        "format": _FORMAT,
        "version": 1,
        "width": stream.width,
        "height": stream.height,
        "events": len(stream),
    }
    write_text(folder / DESCRIPTION, json.dumps(description) + "\n")


def read_event_folder(path: str | PathLike[str]) -> EventStream:
    """The stream of a folder, memory-mapped.

    Raises:
        MissingPart: No description, or a column is not there.
        UnknownFormat: Of a later version.
        CorruptFile: Columns that are not as described, or not sorted.
    """
    folder = Path(path)
    place = folder / DESCRIPTION
    record = read_json(place, "the description of a folder of events")
    if entry(place, "description", record, "format", str) != _FORMAT:
        raise UnknownFormat(f"{place}: of format {record['format']!r:.40}, expected {_FORMAT!r}")
    if entry(place, "description", record, "version", int) != 1:
        raise UnknownFormat(f"{place}: version {record['version']}, expected 1; update trisparse")
    count, width, height = (entry(place, "description", record, key, int) for key in ("events", "width", "height"))
    arrays = {name: _column(folder / f"{name}.npy", dtype, count) for name, dtype in _COLUMNS.items()}
    try:
        return EventStream(**arrays, height=height, width=width)
    except InvalidInput as error:
        raise CorruptFile(folder, "events", str(error)) from error


def _column(path: Path, dtype: str, count: int) -> np.ndarray:
    if not path.is_file():
        raise MissingPart(f"{path}: no such file, though the folder's description names it; write the folder again")
    try:
        array = np.load(path, mmap_mode="r" if count else None, allow_pickle=False)
    except (ValueError, OSError, SyntaxError, TypeError, OverflowError, EOFError) as error:
        reason = (str(error).splitlines() or ["damaged"])[0]
        raise CorruptFile(path, "array", f"{reason:.120}; truncated? write the folder again") from error
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype) or array.shape != (count,):
        found = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise CorruptFile(path, "array", f"{found}, expected {np.dtype(dtype)} of shape ({count},)")
    return array
