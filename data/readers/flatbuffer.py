"""The few things that are read out of FlatBuffers: fields of the root table, and vectors of fixed-size records."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np


class FlatTable:
    """The root table of a buffer that begins with its root's offset; every access stays inside the buffer.

    Raises:
        IndexError: An offset leads out of the buffer. Whoever reads a file says where in it.
    """

    def __init__(self, buffer: bytes) -> None:
        self.buffer = buffer
        self._table = self._uint(0)
        self._vtable = self._table - self._number("<i", self._table)
        self._vtable_bytes = self._number("<H", self._vtable)

    @property
    def identifier(self) -> bytes:
        """Four characters that say what the buffer is."""
        return self.buffer[4:8]

    def scalar(self, field: int, code: str, default: int) -> int:
        """A number of the table, or its default where the buffer leaves it out."""
        place = self._place(field)
        return default if place is None else self._number(f"<{code}", place)

    def text(self, field: int) -> bytes:
        """A string, empty where there is none."""
        start, count = self._vector(field)
        return self._slice(start, count)

    def records(self, field: int, dtype: np.dtype) -> np.ndarray:
        """A vector of structs, as a view of the buffer."""
        start, count = self._vector(field)
        self._slice(start, count * dtype.itemsize)
        return np.frombuffer(self.buffer, dtype, count, start) if count else np.empty(0, dtype)

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._place(field)
        if place is None:
            return 0, 0
        start = place + self._uint(place)
        return start + 4, self._uint(start)

    def _place(self, field: int) -> int | None:
        at = 4 + 2 * field
        if at + 2 > self._vtable_bytes:
            return None
        offset = self._number("<H", self._vtable + at)
        return self._table + offset if offset else None

    def _uint(self, place: int) -> int:
        return self._number("<I", place)

    def _number(self, form: str, place: int) -> Any:
        return struct.unpack(form, self._slice(place, struct.calcsize(form)))[0]

    def _slice(self, start: int, count: int) -> bytes:
        if start < 0 or start + count > len(self.buffer):
            raise IndexError(f"bytes {start} to {start + count} are needed, but there are {len(self.buffer)}")
        return self.buffer[start : start + count]
