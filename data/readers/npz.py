"""Arrays of NPZ and NPY files from strangers: never unpickled, their sizes checked before memory is taken."""

from __future__ import annotations

import math
import struct
import warnings
import zipfile
import zlib
from os import PathLike
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from ...core.errors import CorruptFile, DataError, MissingPart, UnknownFormat, UnsafeFile

_FREE_BYTES = 16 << 20
_MOST_EXPANSION = 100
"""An array above `_FREE_BYTES` may become this many times as large as the whole archive; more is a decompression bomb."""
_MOST_DIMENSIONS = 32
_HEADER_ERRORS = (ValueError, KeyError, TypeError, SyntaxError, OverflowError, RecursionError, MemoryError, TokenError)
"""What numpy's parser of array headers raises on damaged ones."""
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError),
    *(NotImplementedError, RuntimeError, OverflowError),
)
"""What zipfile raises on damaged archives."""


class ArrayFile:
    """The arrays of an NPZ file by name, or the one of an NPY file under the name "array"; read when asked for.

    Raises:
        MissingPart: No such file.
        UnknownFormat: Neither NPZ nor NPY.
        CorruptFile: The file is truncated.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise MissingPart(f"{path}: no such file; expected an NPZ or NPY file")
        with self.path.open("rb") as file:
            magic = file.read(6)
        self.members: dict[str, zipfile.ZipInfo] = {}
        self.is_npy = magic == b"\x93NUMPY"
        if self.is_npy:
            return
        if magic[:2] != b"PK":
            raise UnknownFormat(f"{path}: begins with {magic!r}, as neither NPZ nor NPY files do")
        try:
            with zipfile.ZipFile(self.path) as archive:
                self.members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
        except _ZIP_ERRORS as error:
            raise CorruptFile(
                self.path, "directory", f"{error}; the file is truncated or no NPZ: make it again"
            ) from error

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays, in the file's order."""
        return ("array",) if self.is_npy else tuple(self.members)

    def read(self, name: str) -> np.ndarray:
        """One array.

        Raises:
            UnsafeFile: It holds Python objects, which only unpickling would bring back.
            CorruptFile: It claims more than the file holds, or is damaged.
        """
        if self.is_npy:
            with self.path.open("rb") as file:
                return self._array(file, name, self.path.stat().st_size)
        info = self.members[name]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CorruptFile(self.path, f"array {name!r}", "compressed in a way that numpy does not; save it again")
        if info.file_size > _FREE_BYTES + _MOST_EXPANSION * self.path.stat().st_size:
            raise CorruptFile(
                self.path,
                f"array {name!r}",
                f"{info.compress_size} bytes that claim to become {info.file_size}; refused: if they are right, save the "
                "arrays uncompressed",
            )
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(info) as file:
                return self._array(file, name, info.file_size)
        except DataError:
            raise
        except _ZIP_ERRORS as error:
            raise CorruptFile(self.path, f"array {name!r}", f"{error}; the file is damaged: make it again") from error

    def _array(self, file: Any, name: str, n_bytes: int) -> np.ndarray:
        where = f"array {name!r}"
        try:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            with warnings.catch_warnings():  # of headers that Python 2 wrote
                warnings.simplefilter("ignore")
                shape, fortran, dtype = read(file)
        except _HEADER_ERRORS as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CorruptFile(self.path, where, f"no header of a numpy array ({reason:.80})") from error
        if dtype.hasobject:
            raise UnsafeFile(
                f"{self.path}: {where} holds Python objects (dtype {dtype}), which could run code when unpickled; expected "
                "numbers: save it again as a plain array"
            )
        count = math.prod(shape)
        if len(shape) > _MOST_DIMENSIONS:
            raise CorruptFile(self.path, where, f"has {len(shape)} dimensions, expected at most {_MOST_DIMENSIONS}")
        if not dtype.itemsize:
            raise CorruptFile(self.path, where, f"holds items of no bytes ({dtype!s:.80}), expected numbers")
        if min(shape, default=0) < 0 or count * dtype.itemsize > n_bytes:
            raise CorruptFile(
                self.path,
                where,
                f"claims the shape {shape} of {dtype}, but {n_bytes} bytes are stored; its header lies",
            )
        data = file.read(count * dtype.itemsize)
        if len(data) < count * dtype.itemsize:
            raise CorruptFile(
                self.path, where, f"{len(data)} bytes of data, expected {count * dtype.itemsize}; truncated?"
            )
        try:
            return np.frombuffer(data, dtype, count).reshape(shape, order="F" if fortran else "C")
        except (ValueError, TypeError, OverflowError, MemoryError) as error:  # a size beyond numpy's, beside one of 0
            raise CorruptFile(self.path, where, f"claims the shape {shape} of {dtype!s:.80}: {error!s:.80}") from error
