"""PCD files of the Point Cloud Library: ascii, binary and compressed, colours packed or not, rows of NaN kept."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from .text_points import parse_numbers

_KEYS = ("VERSION", "FIELDS", "COLUMNS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "VIEWPOINT", "POINTS", "DATA")
_KINDS = {"I": "i", "U": "u", "F": "f"}
_LONGEST_HEADER = 1 << 16
_MOST_FIELDS = 1000
_MOST_NUMBERS = 1 << 16
"""Numbers of a point, all fields together."""
_MOST_EXPANSION = 264
"""An LZF reference of three bytes stands for at most this many."""


@dataclass(frozen=True, eq=False)
class PcdFile:
    """A PCD file's fields by name: (n,), or (n, count) where a field holds several numbers. Colours are not unpacked."""

    fields: dict[str, np.ndarray]
    width: int
    height: int
    encoding: str

    @property
    def is_organized(self) -> bool:
        """Whether the points are the pixels of one depth image."""
        return self.height > 1


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]
    types: tuple[str, ...]
    counts: tuple[int, ...]
    points: int
    width: int
    height: int
    encoding: str

    @property
    def dtype(self) -> np.dtype:
        triples = zip(range(len(self.names)), self.types, self.counts, strict=True)
        return np.dtype([(f"f{i}", "<" + kind, (count,)) for i, kind, count in triples])


def read_pcd(path: str | PathLike[str]) -> PcdFile:
    """Read a PCD file.

    Raises:
        MissingPart: No such file.
        UnknownFormat: It does not begin as a PCD file.
        CorruptFile: The header is malformed, or claims more than the file holds, or the data contradict it.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected a PCD file")
    content = path.read_bytes()
    header, start = _read_header(path, content[:_LONGEST_HEADER])
    least = {"ascii": 2 * sum(header.counts) * header.points - 1, "binary": header.dtype.itemsize * header.points}
    left = len(content) - start
    if least.get(header.encoding, 0) > left:
        raise CorruptFile(
            path,
            "header",
            f"claims {header.points} points, for which at least {least[header.encoding]} bytes are needed, but only {left} "
            "follow the header; the file is truncated or its header lies",
        )
    if header.encoding == "ascii":
        fields = _ascii(path, header, content[start:])
    elif header.encoding == "binary":
        table = np.frombuffer(content, header.dtype, header.points, start)
        fields = [table[f"f{i}"] for i in range(len(header.names))]
    else:
        fields = _compressed(path, header, content, start)
    columns = {name: np.array(f[:, 0] if f.shape[1] == 1 else f) for name, f in zip(header.names, fields, strict=True)}
    return PcdFile(columns, header.width, header.height, header.encoding)


def unpack_rgb(packed: np.ndarray) -> np.ndarray:
    """Red, green, blue (n, 3) uint8 of PCL's packed colours (n,), integers or floats that hold an integer's bits."""
    with np.errstate(invalid="ignore", over="ignore"):
        bits = packed.astype(np.uint32) if packed.dtype.kind in "iu" else packed.astype(np.float32).view(np.uint32)
    return np.stack([(bits >> shift & 255).astype(np.uint8) for shift in (16, 8, 0)], axis=1)


def _read_header(path: Path, content: bytes) -> tuple[_Header, int]:
    found: dict[str, list[str]] = {}
    at, number = 0, 0
    while "DATA" not in found:
        end = content.find(b"\n", at)
        number += 1
        if end < 0:
            if not found:
                raise UnknownFormat(f"{path}: does not begin as a PCD file; is it another format under this name?")
            raise CorruptFile(path, f"header line {number}", "the file ends before the line 'DATA'; is it truncated?")
        line = content[at:end].decode("ascii", "replace").strip()
        at = end + 1
        if not line or line.startswith("#"):
            continue
        key, *words = line.split()
        if key not in _KEYS:
            if not found:
                raise UnknownFormat(f"{path}: does not begin as a PCD file; is it another format under this name?")
            raise CorruptFile(path, f"header line {number}", f"{line[:60]!r}; expected one of {', '.join(_KEYS)}")
        found[key] = words
    return _interpret(path, found), at


def _interpret(path: Path, found: dict[str, list[str]]) -> _Header:
    names = found.get("FIELDS") or found.get("COLUMNS") or []
    for key in ("SIZE", "TYPE"):
        if not names or len(found.get(key, [])) != len(names):
            raise CorruptFile(
                path, "header", f"{key} is {found.get(key)}, expected one word for each of FIELDS {names}"
            )
    counts = _numbers(path, "COUNT", found.get("COUNT") or ["1"] * len(names))
    sizes, kinds = _numbers(path, "SIZE", found["SIZE"]), found["TYPE"]
    if len(names) > _MOST_FIELDS or sum(counts) > _MOST_NUMBERS:
        raise CorruptFile(
            path,
            "header",
            f"{len(names)} FIELDS of {sum(counts)} numbers, expected at most {_MOST_FIELDS} of {_MOST_NUMBERS}",
        )
    if len(counts) != len(names) or min(counts) < 1:
        raise CorruptFile(path, "header", f"COUNT is {counts}, expected a number of at least 1 for each of {names}")
    types = []
    for name, kind, size in zip(names, kinds, sizes, strict=True):
        if kind not in _KINDS or size not in ((4, 8) if kind == "F" else (1, 2, 4, 8)):
            raise CorruptFile(path, "header", f"field {name!r} has TYPE {kind} of SIZE {size}; expected I, U or F")
        types.append(f"{_KINDS[kind]}{size}")
    width, height = (_numbers(path, key, found.get(key) or ["1"])[0] for key in ("WIDTH", "HEIGHT"))
    points = _numbers(path, "POINTS", found.get("POINTS") or [str(width * height)])[0]
    encoding = (found["DATA"] or [""])[0].lower()
    if encoding not in ("ascii", "binary", "binary_compressed"):
        raise CorruptFile(path, "header", f"DATA is {encoding!r}; expected ascii, binary or binary_compressed")
    if width * height != points:
        raise CorruptFile(path, "header", f"WIDTH {width} times HEIGHT {height} is not POINTS {points}")
    return _Header(tuple(names), tuple(types), tuple(counts), points, width, height, encoding)


def _numbers(path: Path, key: str, words: list[str]) -> tuple[int, ...]:
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 19):
            raise CorruptFile(path, "header", f"{key} is {word[:40]!r}, expected a whole number")
    return tuple(map(int, words))


def _ascii(path: Path, header: _Header, text: bytes) -> list[np.ndarray]:
    width = sum(header.counts)
    values = parse_numbers(path, text)
    if len(values) < header.points * width:
        raise CorruptFile(
            path, "data", f"{len(values)} numbers for {header.points} points of {width}; is it truncated?"
        )
    table = values[: header.points * width].reshape(-1, width)
    parts = np.split(table, np.cumsum(header.counts)[:-1], axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        return [part.astype(kind) for part, kind in zip(parts, header.types, strict=True)]


def _compressed(path: Path, header: _Header, content: bytes, start: int) -> list[np.ndarray]:
    if len(content) < start + 8:
        raise CorruptFile(path, f"byte {start}", "the file ends before the sizes of its compressed data")
    packed, unpacked = np.frombuffer(content, "<u4", 2, start).tolist()
    needed = header.dtype.itemsize * header.points
    if packed > len(content) - start - 8 or unpacked != needed or unpacked > _MOST_EXPANSION * packed:
        raise CorruptFile(
            path,
            f"byte {start}",
            f"{packed} compressed bytes that become {unpacked}; expected {needed} for {header.points} points, from at most "
            f"{len(content) - start - 8} bytes that are left; the file is truncated or its header lies",
        )
    data = _lzf(path, content[start + 8 : start + 8 + packed], unpacked)
    fields, at = [], 0
    for kind, count in zip(header.types, header.counts, strict=True):
        size = np.dtype(kind).itemsize * count * header.points
        fields.append(np.frombuffer(data[at : at + size], "<" + kind).reshape(header.points, count))
        at += size
    return fields


def _lzf(path: Path, data: bytes, size: int) -> bytes:
    """Decompress LZF (as in liblzf): runs of literal bytes, and references backwards that may overlap themselves."""
    out = bytearray()
    at, end = 0, len(data)
    try:
        while at < end:
            control = data[at]
            at += 1
            if control < 32:
                out += data[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            length += 2
            back = ((control & 31) << 8 | data[at]) + 1
            at += 1
            if back > len(out):
                raise IndexError
            chunk = out[len(out) - back : len(out) - back + length]
            out += (chunk * (length // back + 1))[:length]
            if len(out) > size:
                raise IndexError
    except IndexError:
        raise CorruptFile(path, f"compressed byte {at}", "a reference outside the data") from None
    if len(out) != size:
        raise CorruptFile(path, "compressed data", f"becomes {len(out)} bytes, expected {size}; is the file truncated?")
    return bytes(out)
