"""The data of a PLY file, element by element."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile
from .ply_format import Column, Layout, PlyLists, Property
from .text_points import parse_numbers

_LONGEST_PATTERN = 1 << 16


class BinaryBody:
    """Reads a binary file's elements, one after the other.

    Rows are first taken to have lists as long as the first row's, which makes them one numpy table; where that proves
    wrong they are walked through one by one.
    """

    def __init__(self, path: Path, start: int, n_bytes: int, order: str) -> None:
        self.path, self.order, self.at = path, order, 0
        empty = np.empty(0, np.uint8)
        self.bytes = np.memmap(path, np.uint8, "r", start, (n_bytes,)) if n_bytes else empty

    def read(self, layout: Layout) -> dict[str, Column]:
        """The columns of the next element."""
        if not layout.count or not layout.properties:
            return _empty_columns(layout)
        lengths = self._first_lengths(layout)
        if max(lengths.values(), default=0) > _LONGEST_PATTERN:
            return self._read_rows(layout)
        fields: list[tuple] = []
        for i, p in enumerate(layout.properties):
            if p.count_type:
                fields += [(f"n{i}", self.order + p.count_type), (f"v{i}", self.order + p.type, (lengths[i],))]
            else:
                fields.append((f"v{i}", self.order + p.type))
        dtype = np.dtype(fields)
        end = self.at + layout.count * dtype.itemsize
        if end <= len(self.bytes):
            table = self.bytes[self.at : end].view(dtype)
            counted = [i for i, p in enumerate(layout.properties) if p.count_type]
            if all(bool((table[f"n{i}"] == lengths[i]).all()) for i in counted):
                self.at = end
                return {
                    p.name: np.array(table[f"v{i}"].astype(p.type, copy=True)) for i, p in enumerate(layout.properties)
                }
        return self._read_rows(layout)

    def _first_lengths(self, layout: Layout) -> dict[int, int]:
        lengths, at = {}, self.at
        for i, p in enumerate(layout.properties):
            if p.count_type:
                lengths[i], at = self._list_at(layout, 0, p, at)
            else:
                at += np.dtype(p.type).itemsize
        return lengths

    def _list_at(self, layout: Layout, row: int, p: Property, at: int) -> tuple[int, int]:
        """Length of the list that begins at a byte, and the byte after the list."""
        values = at + np.dtype(p.count_type).itemsize
        length = int.from_bytes(
            self.bytes[at:values].tobytes(),
            "big" if self.order == ">" else "little",
            signed=p.count_type[0] == "i",  # type: ignore[index]
        )
        end = values + length * np.dtype(p.type).itemsize
        if length < 0 or end > len(self.bytes):
            raise CorruptFile(
                self.path,
                f"{layout.name} {row}",
                f"its list {p.name!r} claims {length} values, but {max(len(self.bytes) - values, 0)} bytes are left",
            )
        return length, end

    def _read_rows(self, layout: Layout) -> dict[str, Column]:
        """Rows of different lengths: find where each property of each row begins, then gather."""
        starts = np.empty((len(layout.properties), layout.count), np.int64)
        lengths = np.ones((len(layout.properties), layout.count), np.int64)
        at = self.at
        for row in range(layout.count):
            for i, p in enumerate(layout.properties):
                if p.count_type:
                    starts[i, row] = at + np.dtype(p.count_type).itemsize
                    lengths[i, row], at = self._list_at(layout, row, p, at)
                else:
                    starts[i, row] = at
                    at += np.dtype(p.type).itemsize
        if at > len(self.bytes):
            raise CorruptFile(self.path, f"{layout.name} {layout.count - 1}", "the file ends inside it")
        self.at = at
        return {
            p.name: _column(p, self._gather(p, starts[i], lengths[i]), lengths[i])
            for i, p in enumerate(layout.properties)
        }

    def _gather(self, p: Property, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        size = np.dtype(p.type).itemsize
        first = np.repeat(starts, lengths) + _within(lengths) * size
        if not len(first):
            return np.empty(0, p.type)
        raw = np.lib.stride_tricks.sliding_window_view(np.asarray(self.bytes), size)[first]
        return np.ascontiguousarray(raw).view(self.order + p.type).ravel().astype(p.type)


class AsciiBody:
    """Reads an ascii file's elements, one after the other; line ends count as spaces."""

    def __init__(self, path: Path, start: int) -> None:
        self.path, self.at = path, 0
        with path.open("rb") as file:
            file.seek(start)
            text = file.read()
        self.values = parse_numbers(path, text)

    def read(self, layout: Layout) -> dict[str, Column]:
        """The columns of the next element."""
        if not layout.count or not layout.properties:
            return _empty_columns(layout)
        lengths, at = [], self.at
        for p in layout.properties:
            length, at = self._list_at(layout, 0, p, at)
            lengths.append(length)
        width = at - self.at
        table = self.values[self.at : self.at + layout.count * width]
        if len(table) == layout.count * width:
            table = table.reshape(layout.count, width)
            columns, at, same = {}, 0, True
            for p, length in zip(layout.properties, lengths, strict=True):
                if p.count_type:
                    same = same and bool((table[:, at] == length).all())
                    at += 1
                values = table[:, at : at + length] if p.count_type else table[:, at]
                columns[p.name] = (p, values)
                at += length
            if same:
                self.at += layout.count * width
                return {name: self._cast(layout, p, values) for name, (p, values) in columns.items()}
        return self._read_rows(layout)

    def _list_at(self, layout: Layout, row: int, p: Property, at: int) -> tuple[int, int]:
        """Number of values of a property that begins at a value (1 for a scalar), and the value after it."""
        length = 1
        if p.count_type and at < len(self.values):
            claimed = self.values[at]
            length = int(claimed) if 0 <= claimed < 1 << 40 and claimed == int(claimed) else -1
            at += 1
        if length < 0 or at + length > len(self.values):
            raise CorruptFile(
                self.path,
                f"{layout.name} {row}",
                f"property {p.name!r} needs {length if length >= 0 else 'a whole number of'} more values, "
                f"{max(len(self.values) - at, 0)} are left; the file is truncated or its header lies",
            )
        return length, at + length

    def _read_rows(self, layout: Layout) -> dict[str, Column]:
        starts = np.empty((len(layout.properties), layout.count), np.int64)
        lengths = np.empty((len(layout.properties), layout.count), np.int64)
        at = self.at
        for row in range(layout.count):
            for i, p in enumerate(layout.properties):
                lengths[i, row], at = self._list_at(layout, row, p, at)
                starts[i, row] = at - lengths[i, row]
        self.at = at
        columns: dict[str, Column] = {}
        for i, p in enumerate(layout.properties):
            values = self.values[np.repeat(starts[i], lengths[i]) + _within(lengths[i])]
            columns[p.name] = _column(p, self._cast(layout, p, values), lengths[i])
        return columns

    def _cast(self, layout: Layout, p: Property, values: np.ndarray) -> np.ndarray:
        if p.type[0] != "f" and values.size:
            info = np.iinfo(p.type)
            good = (values >= info.min) & (values <= info.max)
            if not good.all():
                bad = np.argwhere(~good)[0]
                raise CorruptFile(
                    self.path,
                    f"{layout.name} {bad[0]}",
                    f"property {p.name!r} is {values[tuple(bad)]:g}, outside {info.min}..{info.max}",
                )
        with np.errstate(over="ignore"):
            return values.astype(p.type)


def _empty_columns(layout: Layout) -> dict[str, Column]:
    return {p.name: np.empty((0, 0) if p.count_type else 0, p.type) for p in layout.properties}


def _column(p: Property, values: np.ndarray, lengths: np.ndarray) -> Column:
    if not p.count_type:
        return values
    if (lengths == lengths[0]).all():
        return values.reshape(len(lengths), -1) if lengths[0] else values.reshape(len(lengths), 0)
    return PlyLists(values, np.concatenate([[0], np.cumsum(lengths)]))


def _within(lengths: np.ndarray) -> np.ndarray:
    """0, 1, ... inside each list, for all lists one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
