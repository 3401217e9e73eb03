"""The parts of a PLY header, and list properties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Encoding = Literal["ascii", "binary_little_endian", "binary_big_endian"]

NUMPY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
PLY_TYPES = {
    "i1": "char", "u1": "uchar", "i2": "short", "u2": "ushort", "i4": "int", "u4": "uint", "f4": "float", "f8": "double",
}  # fmt: skip
BYTE_ORDER = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}


@dataclass(frozen=True, eq=False)
class PlyLists:
    """A list property whose rows differ in length: row i is ``values[offsets[i]:offsets[i + 1]]``."""

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]


Column = np.ndarray | PlyLists


@dataclass(frozen=True)
class Property:
    """One property: numpy types of its values and, for a list, of the count before them."""

    name: str
    type: str
    count_type: str | None = None


@dataclass(frozen=True)
class Layout:
    """What a header says of one element."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def least_values(self) -> int:
        """Values that a row has at least, the counts of lists included."""
        return len(self.properties)

    @property
    def least_bytes(self) -> int:
        """Bytes that a row of a binary file takes at least."""
        return sum(np.dtype(p.count_type or p.type).itemsize for p in self.properties)
