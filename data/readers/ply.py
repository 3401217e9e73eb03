"""PLY files: ascii and both binary byte orders, any elements and properties, lists included.

Sizes in the header are compared with the size of the file before memory is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...core.errors import CorruptFile, InvalidInput, MissingPart, UnknownFormat
from ...core.files import atomic_write
from .ply_decode import AsciiBody, BinaryBody
from .ply_format import BYTE_ORDER, NUMPY_TYPES, PLY_TYPES, Column, Encoding, Layout, PlyLists, Property

_LONGEST_HEADER = 1 << 20
_MOST_PARTS = 1000
"""Elements of a file, and properties of an element; splats have some sixty."""


@dataclass(frozen=True, eq=False)
class PlyElement:
    """``count`` rows: a scalar property is an array (n,); a list property (n, k), or `PlyLists` where lengths differ."""

    count: int
    columns: dict[str, Column]

    def __len__(self) -> int:
        return self.count

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def scalars(self, *names: str) -> np.ndarray:
        """Some scalar properties side by side, (n, len(names)), in their common type.

        Raises:
            MissingPart: A property is not there or is a list.
        """
        for name in names:
            column = self.columns.get(name)
            if not isinstance(column, np.ndarray) or column.ndim != 1:
                raise MissingPart(f"no scalar property {name!r}; there are {', '.join(self.columns) or 'none'}")
        with np.errstate(invalid="ignore"):  # signalling NaNs
            return np.stack([np.asarray(self.columns[name]) for name in names], axis=1)


@dataclass(frozen=True, eq=False)
class PlyFile:
    """What a PLY file holds, in native byte order. Comments come without the word "comment"."""

    elements: dict[str, PlyElement]
    encoding: Encoding = "binary_little_endian"
    comments: tuple[str, ...] = ()


def read_ply(path: str | PathLike[str]) -> PlyFile:
    """Read a PLY file.

    Raises:
        MissingPart: No such file.
        UnknownFormat: The file does not begin as a PLY file.
        CorruptFile: The header is malformed, or claims more than the file holds, or the data contradict it.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected a PLY file")
    with path.open("rb") as file:
        encoding, layouts, comments = _read_header(path, file)
        start = file.tell()
    body_bytes = path.stat().st_size - start
    _check_sizes(path, encoding, layouts, body_bytes)
    is_ascii = encoding == "ascii"
    body = AsciiBody(path, start) if is_ascii else BinaryBody(path, start, body_bytes, BYTE_ORDER[encoding])
    elements = {layout.name: PlyElement(layout.count, body.read(layout)) for layout in layouts}
    return PlyFile(elements, encoding, comments)


def write_ply(
    path: str | PathLike[str],
    elements: Mapping[str, Mapping[str, Column]],
    *,
    encoding: Encoding = "binary_little_endian",
    comments: Sequence[str] = (),
) -> None:
    """Write a PLY file, atomically.

    Args:
        path: The file to make or replace.
        elements: For each element its properties: arrays (n,) of scalars, (n, k) or `PlyLists` of lists. 64-bit integers
            are written as 32-bit, booleans as 8-bit.
        encoding: Layout of the data.
        comments: Lines for the header.

    Raises:
        InvalidInput: Columns of different lengths, a name with a space, or a type or value that PLY cannot hold.
    """
    if encoding not in BYTE_ORDER:
        raise InvalidInput(f"PLY has no encoding {encoding!r}; choose from {', '.join(BYTE_ORDER)}")
    tables = {
        name: {key: _writable(f"{name}.{key}", c) for key, c in table.items()} for name, table in elements.items()
    }
    with atomic_write(path) as file:
        file.write(_header(tables, encoding, comments).encode("utf-8"))
        for columns in tables.values():
            if encoding == "ascii":
                _write_ascii(file, columns)
            else:
                _write_binary(file, columns, BYTE_ORDER[encoding])


# Header


def _read_header(path: Path, file: BinaryIO) -> tuple[Encoding, list[Layout], tuple[str, ...]]:
    lines = _header_lines(path, file)
    encoding: Encoding | None = None
    layouts: list[Layout] = []
    comments: list[str] = []
    for number, line in lines:
        words = line.split()
        match words:
            case ["format", name, version] if name in BYTE_ORDER:
                if version != "1.0":
                    raise CorruptFile(path, f"header line {number}", f"version {version!r}; only 1.0 is known")
                encoding = name  # type: ignore[assignment]
            case ["comment" | "obj_info", *_]:
                comments.append(line.partition(" ")[2].strip())
            case ["element", name, count]:
                layouts.append(_element(path, number, name, count, layouts))
            case ["property", *_] if layouts:
                layouts[-1] = _with_property(path, number, line, layouts[-1])
            case ["end_header"]:
                break
            case []:
                continue
            case _:
                raise CorruptFile(
                    path,
                    f"header line {number}",
                    f"{line[:80]!r}; expected format, comment, element, property or end_header",
                )
    if encoding is None:
        raise CorruptFile(path, "header", "no line 'format ascii|binary_little_endian|binary_big_endian 1.0'")
    return encoding, layouts, tuple(comments)


def _header_lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, str]]:
    if file.readline(8).strip() != b"ply":
        raise UnknownFormat(f"{path}: does not begin with the line 'ply'; is it another format under this name?")
    number = 1
    while file.tell() < _LONGEST_HEADER:
        raw = file.readline(_LONGEST_HEADER)
        number += 1
        if not raw.endswith(b"\n"):
            break
        yield number, raw.decode("utf-8", "replace").strip()
    raise CorruptFile(path, f"header line {number}", "the file ends before 'end_header'; is it truncated?")


def _element(path: Path, number: int, name: str, count: str, before: list[Layout]) -> Layout:
    if not (count.isascii() and count.isdigit() and len(count) < 20):
        raise CorruptFile(path, f"header line {number}", f"element {name!r} has the count {count[:40]!r}, not a number")
    if len(before) >= _MOST_PARTS:
        raise CorruptFile(path, f"header line {number}", f"more than {_MOST_PARTS} elements")
    if name in {layout.name for layout in before}:
        raise CorruptFile(path, f"header line {number}", f"a second element {name!r}")
    return Layout(name, int(count), ())


def _with_property(path: Path, number: int, line: str, layout: Layout) -> Layout:
    match line.split():
        case ["property", "list", count_type, type_, name] if count_type in NUMPY_TYPES and type_ in NUMPY_TYPES:
            new = Property(name, NUMPY_TYPES[type_], NUMPY_TYPES[count_type])
        case ["property", type_, name] if type_ in NUMPY_TYPES:
            new = Property(name, NUMPY_TYPES[type_])
        case _:
            raise CorruptFile(
                path,
                f"header line {number}",
                f"{line[:80]!r}; expected 'property TYPE NAME' or 'property list TYPE TYPE NAME'",
            )
    if new.count_type in ("f4", "f8"):
        raise CorruptFile(path, f"header line {number}", f"list {new.name!r} is counted by a float")
    if len(layout.properties) >= _MOST_PARTS:
        raise CorruptFile(path, f"header line {number}", f"more than {_MOST_PARTS} properties of {layout.name!r}")
    if new.name in {p.name for p in layout.properties}:
        raise CorruptFile(path, f"header line {number}", f"a second property {new.name!r} of element {layout.name!r}")
    return Layout(layout.name, layout.count, (*layout.properties, new))


def _check_sizes(path: Path, encoding: Encoding, layouts: list[Layout], body_bytes: int) -> None:
    needed = 0
    for layout in layouts:
        # A value of an ascii file takes a digit and a separator; the very last needs none.
        needed += layout.count * (2 * layout.least_values if encoding == "ascii" else layout.least_bytes)
        if needed > body_bytes + (encoding == "ascii"):
            raise CorruptFile(
                path,
                "header",
                f"claims {layout.count} rows of {layout.name!r}, for which at least {needed} bytes are needed by then, but "
                f"only {body_bytes} follow the header; the file is truncated or its header lies",
            )


# Writing


def _writable(name: str, column: Column) -> Column:
    if isinstance(column, PlyLists):
        return PlyLists(np.asarray(_writable(name, column.values)), column.offsets)
    column = np.asarray(column)
    if column.dtype == bool:
        column = column.astype(np.uint8)
    if column.dtype.kind in "iu" and column.dtype.itemsize == 8:
        if column.size and (column.min() < -(1 << 31) or column.max() >= 1 << 31):
            raise InvalidInput(f"{name}: {column.min()}..{column.max()} does not fit PLY's 32-bit integers")
        column = column.astype(np.int32)
    if column.dtype.str[1:] not in PLY_TYPES or column.ndim not in (1, 2) or len(name.split()) != 1:
        raise InvalidInput(
            f"{name!r}: PLY holds no array of {column.dtype} with {column.ndim} dimensions under this name"
        )
    return column


def _header(tables: Mapping[str, Mapping[str, Column]], encoding: str, comments: Sequence[str]) -> str:
    lines = ["ply", f"format {encoding} 1.0", *(f"comment {line}" for text in comments for line in text.splitlines())]
    for name, columns in tables.items():
        counts = {key: len(column) for key, column in columns.items()}
        if len(set(counts.values())) > 1:
            raise InvalidInput(f"columns of {name!r} differ in length: {counts}")
        lines.append(f"element {name} {next(iter(counts.values()), 0)}")
        for key, column in columns.items():
            values = column.values if isinstance(column, PlyLists) else column
            kind = PLY_TYPES[values.dtype.str[1:]]
            lines.append(
                f"property list {PLY_TYPES[_count_type(column)]} {kind} {key}"
                if _is_list(column)
                else f"property {kind} {key}"
            )
    return "\n".join([*lines, "end_header", ""])


def _is_list(column: Column) -> bool:
    return isinstance(column, PlyLists) or column.ndim == 2


def _lengths(column: Column) -> np.ndarray:
    return np.diff(column.offsets) if isinstance(column, PlyLists) else np.full(len(column), column.shape[1])


def _count_type(column: Column) -> str:
    return "u1" if _lengths(column).max(initial=0) < 256 else "i4"


def _write_binary(file: BinaryIO, columns: Mapping[str, Column], order: str) -> None:
    if not any(isinstance(column, PlyLists) for column in columns.values()):
        fields: list[tuple] = []
        for i, column in enumerate(columns.values()):
            kind = order + np.asarray(column).dtype.str[1:]
            if _is_list(column):
                fields += [(f"n{i}", order + _count_type(column)), (f"v{i}", kind, (np.asarray(column).shape[1],))]
            else:
                fields.append((f"v{i}", kind))
        table = np.empty(len(next(iter(columns.values()), ())), np.dtype(fields))
        for i, column in enumerate(columns.values()):
            table[f"v{i}"] = column
            if _is_list(column):
                table[f"n{i}"] = np.asarray(column).shape[1]
        file.write(table.tobytes())
        return
    for row in range(len(next(iter(columns.values())))):
        for column in columns.values():
            values = np.asarray(column[row])
            if _is_list(column):
                file.write(np.array(len(values), order + _count_type(column)).tobytes())
            file.write(values.astype(order + values.dtype.str[1:]).tobytes())


def _write_ascii(file: BinaryIO, columns: Mapping[str, Column]) -> None:
    words = [_words(column) for column in columns.values()]
    file.write("".join(" ".join(row) + "\n" for row in zip(*words, strict=True)).encode())


def _words(column: Column) -> list[str]:
    """Each row's text, with as many digits as bring the same number back."""
    if _is_list(column):
        rows = (column[i] for i in range(len(column)))
        return [" ".join([str(len(row)), *_words(row)]) for row in rows]
    values = np.asarray(column)
    if values.dtype.kind != "f":
        return list(map(str, values.tolist()))
    digits = 9 if values.dtype.itemsize == 4 else 17
    return [f"{value:.{digits}g}" for value in values.tolist()]
