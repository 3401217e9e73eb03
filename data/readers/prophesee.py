"""Recordings of Prophesee's sensors: RAW files in EVT2 or EVT3, and DAT files; decoded without their software."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from .event_file import RawEvents
from .prophesee_decode import count_evt2, count_evt3, decode_evt2, decode_evt3

_LONGEST_HEADER = 1 << 16
_LONGEST_LINE = 1024
_DAT = np.dtype([("t", "<u4"), ("data", "<u4")])
_DAT_KINDS = (0, 12)
"""Event2d and EventCD, the events of brightness."""
_WORD = {"EVT2": np.dtype("<u4"), "EVT3": np.dtype("<u2")}
_CONVERT = "convert it to DAT with Prophesee's software (`metavision_file_to_dat`), or record it as EVT2 or EVT3"


@dataclass(frozen=True)
class PropheseeHeader:
    """The lines of ``%`` at the beginning of a file."""

    entries: tuple[tuple[str, str], ...]
    """Keys in lower case, and values, in order."""
    n_bytes: int
    """Where the data begin."""

    def get(self, *keys: str) -> str | None:
        """The first value of any of the keys."""
        return next((value for key, value in self.entries if key in keys), None)


def is_prophesee(head: bytes) -> bool:
    """Whether a file begins with lines of ``%``."""
    return bool(parse_header(head).entries)


def parse_header(head: bytes) -> PropheseeHeader:
    """The header at the beginning of some bytes; an empty one where there is none.

    A byte of data may be a ``%`` too: a line of the header begins with "% " and is text to its end.
    """
    entries, at = [], 0
    while head[at : at + 1] == b"%" and at < _LONGEST_HEADER:
        end = head.find(b"\n", at, at + _LONGEST_LINE)
        line = head[at + 1 : end]
        if (
            end < 0
            or line[:1] not in (b" ", b"")
            or not line.strip(b"\r").isascii()
            or not line.decode().strip().isprintable()
        ):
            break
        at = end + 1
        key, _, value = line.decode().strip().partition(" ")
        entries.append((key.lower(), value.strip()))
        if key.lower() == "end":
            break
    return PropheseeHeader(tuple(entries), at)


def read_prophesee(path: Path) -> RawEvents:
    """Events of a RAW file (EVT2, EVT3) or a DAT file; times as the sensor counted them.

    Raises:
        MissingPart: No header, or nothing after it.
        UnknownFormat: An encoding that is not read here.
        CorruptFile: A header that contradicts itself.
    """
    with path.open("rb") as file:
        header = parse_header(file.read(_LONGEST_HEADER))
    if not header.entries:
        raise UnknownFormat(f"{path}: has no header of lines with %; expected a RAW or DAT file of Prophesee")
    size = _sensor_size(path, header)
    encoding = _encoding(path, header)
    if encoding == "DAT":
        return _read_dat(path, header, size)
    words, notes = _words(path, header.n_bytes, _WORD[encoding], encoding)
    return _read_evt2(words, size, notes) if encoding == "EVT2" else _read_evt3(words, size, notes)


def _encoding(path: Path, header: PropheseeHeader) -> str:
    """EVT2, EVT3 or DAT."""
    stated = header.get("format")
    if stated is not None:
        found = stated.split(";")[0].strip().upper()
    elif (version := header.get("evt")) is not None:
        found = f"EVT{version.removesuffix('.0')}"
    elif header.get("version") is not None or any(key == "data" for key, _ in header.entries):
        return "DAT"
    else:
        raise UnknownFormat(
            f"{path}: its header states no encoding (a line `% evt 3.0` or `% format EVT3`); expected EVT2, EVT3 or DAT"
        )
    if found not in _WORD:
        raise UnknownFormat(f"{path}: encoded as {found!r}, which is not read here; {_CONVERT}")
    return found


def _sensor_size(path: Path, header: PropheseeHeader) -> tuple[int, int] | None:
    width, height = header.get("width"), header.get("height")
    if (geometry := header.get("geometry")) is not None and (match := re.fullmatch(r"(\d+)\s*x\s*(\d+)", geometry)):
        width, height = match.groups()
    for part in (header.get("format") or "").split(";")[1:]:
        key, _, value = part.partition("=")
        width, height = (
            (value, height)
            if key.strip() == "width"
            else (width, value)
            if key.strip() == "height"
            else (width, height)
        )
    if width is None or height is None:
        return None
    if not (width.isdecimal() and height.isdecimal() and len(width + height) < 12 and int(width) and int(height)):
        raise CorruptFile(
            path, "header", f"a sensor of {width:.20} x {height:.20} pixels; expected two whole numbers above 0"
        )
    return int(width), int(height)


def _words(path: Path, start: int, dtype: np.dtype, encoding: str) -> tuple[np.ndarray, tuple[str, ...]]:
    n_bytes = path.stat().st_size - start
    count, rest = divmod(n_bytes, dtype.itemsize)
    if not count:
        raise MissingPart(
            f"{path}: {encoding} without any data after the header of {start} bytes; expected a recording"
        )
    notes = ()
    if rest:
        notes = (
            f"the file ends in the middle of a word: its last {rest} bytes were left out; it is probably truncated",
        )
    return np.memmap(path, dtype, "r", start, (count,)), notes


def _read_evt2(words: np.ndarray, size: tuple[int, int] | None, notes: tuple[str, ...]) -> RawEvents:
    counts = count_evt2(words)
    n = int(counts[0])
    x, y, t = np.empty(n, np.int16), np.empty(n, np.int16), np.empty(n, np.int64)
    polarity = np.empty(n, np.int8)
    wraps = int(decode_evt2(words, x, y, t, polarity))
    return RawEvents(x, y, t, polarity, "Prophesee EVT2", "us", size, notes=_with_losses(notes, counts, wraps, "2^34"))


def _read_evt3(words: np.ndarray, size: tuple[int, int] | None, notes: tuple[str, ...]) -> RawEvents:
    counts = count_evt3(words)
    n = int(counts[0])
    x, y, t = np.empty(n, np.int16), np.empty(n, np.int16), np.empty(n, np.int64)
    polarity = np.empty(n, np.int8)
    wraps = int(decode_evt3(words, x, y, t, polarity))
    return RawEvents(x, y, t, polarity, "Prophesee EVT3", "us", size, notes=_with_losses(notes, counts, wraps, "2^24"))


def _with_losses(notes: tuple[str, ...], counts: np.ndarray, wraps: int, period: str) -> tuple[str, ...]:
    if counts[1]:
        notes += (f"{int(counts[1])} events came before the first word of time or row and were left out",)
    if counts[2]:
        notes += (f"{int(counts[2])} words were of no known kind and were left out",)
    if wraps:
        notes += (f"the sensor's clock of {period} us began again {wraps} times; times go on",)
    return notes


def _read_dat(path: Path, header: PropheseeHeader, size: tuple[int, int] | None) -> RawEvents:
    with path.open("rb") as file:
        file.seek(header.n_bytes)
        kind = file.read(2)
    if len(kind) < 2 or kind[0] not in _DAT_KINDS or kind[1] != _DAT.itemsize:
        raise UnknownFormat(
            f"{path}: a DAT file whose records are of kind and size {tuple(kind)}; expected events of brightness, "
            f"kind 0 or 12, size {_DAT.itemsize}"
        )
    records, notes = _words(path, header.n_bytes + 2, _DAT, "DAT")
    data = records["data"]
    x, y = (data & 0x3FFF).astype(np.int16), (data >> 14 & 0x3FFF).astype(np.int16)
    polarity = (data >> 28 & 1).astype(np.int8)
    return RawEvents(
        x, y, records["t"].astype(np.int64), polarity, "Prophesee DAT", "us", size, wraps_at=1 << 32, notes=notes
    )
