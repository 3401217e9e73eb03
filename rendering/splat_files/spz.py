"""SPZ files (Niantic): Gaussians in 20 to 65 bytes each before compression. Versions 2, 3 and 4 are read and written.

Versions 2 and 3 are one gzip stream: a header of 16 bytes (magic, version, number of Gaussians, degree of harmonics, fractional
bits, flags, 0), then all positions, opacities, colours, scales, rotations and harmonics; records of extensions at the end.
Version 4 begins with a header of 32 bytes in plain (after the flags the number of streams and the place of the table), then
records of extensions, the table (compressed and whole size of each stream) and the streams, each compressed by Zstandard;
streams without bytes are left out. `spz_values` says what the bytes stand for.

The axes of a file point right, up and back; those of a PLY file right, down and front. So a cloud is turned by half a turn
about x on its way, as Niantic's own tools do it: a PLY and an SPZ file of one cloud look the same in a viewer. An extension of
Adobe may name other axes (0xADBE0003); it is followed.

All this was compared with files that Niantic's implementation wrote. Not certain: drafts of it placed the extensions of gzip
files behind the header; such files, if there are any, are refused or read wrongly. Version 1, never released, is refused.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import BackendUnavailable, CorruptFile, InvalidInput, UnknownFormat
from ...core.files import atomic_write
from ..gaussians import GaussianCloud
from .axes import rdf_from, with_axes
from .contents import SplatFile
from .spz_values import Parts, bytes_per_gaussian, pack, unpack

SPZ_MAGIC = b"NGSP"
GZIP_MAGIC = b"\x1f\x8b\x08"

_VERSIONS = (2, 3, 4)
_SHORT, _LONG, _ENTRY = struct.Struct("<4sIIBBBB"), struct.Struct("<4sIIBBBBI12x"), struct.Struct("<QQ")
_ANTIALIASED, _EXTENDED = 1, 2
_AXES_EXTENSION = 0xADBE0003
_AXES = (
    *("LDB", "RDB", "LUB", "RUB", "LDF", "RDF", "LUF", "RUF"),
    *("LBD", "RBD", "LBU", "RBU", "LFD", "RFD", "LFU", "RFU"),
)
_FREE_BYTES = 16 << 20
_MOST_EXPANSION = 100
"""A file above `_FREE_BYTES` may become this many times as large; more is a decompression bomb."""
_LONGEST_EXTENSIONS = 1 << 20


@dataclass(frozen=True)
class _Header:
    version: int
    count: int
    degree: int
    bits: int
    flags: int

    def sizes(self) -> dict[str, int]:
        """Bytes of each stream."""
        return {name: self.count * size for name, size in bytes_per_gaussian(self.version, self.degree).items()}


def read_spz(path: Path) -> SplatFile:
    """Read an SPZ file.

    Raises:
        UnknownFormat: Another version, or a gzip file of something else.
        CorruptFile: The file is truncated, contradicts itself or claims absurdly many Gaussians.
        BackendUnavailable: Version 4 without the package zstandard.
    """
    data = path.read_bytes()
    header, parts, extensions = (_read_streams if data[:4] == SPZ_MAGIC else _read_gzip)(path, data)
    notes = []
    if header.degree == 4:
        notes.append("harmonics of degree 4 were left out")
    cloud = unpack(parts, header.version, header.bits)
    axes, skipped = _extensions(path, extensions)
    if skipped:
        notes.append(f"extensions {', '.join(skipped)} were not read")
    cloud = with_axes(cloud, rdf_from(axes))
    return SplatFile(cloud, f"SPZ {header.version}", tuple(notes), bool(header.flags & _ANTIALIASED))


def write_spz(path: Path, cloud: GaussianCloud, version: int, antialiased: bool) -> tuple[str, ...]:
    """Write an SPZ file, atomically; the notes say what it cannot hold.

    Raises:
        InvalidInput: Another version, or coordinates too large.
        BackendUnavailable: Version 4 without the package zstandard.
    """
    if version not in _VERSIONS:
        raise InvalidInput(f"SPZ of version {version}; choose 2, 3 or 4")
    parts, bits, notes = pack(with_axes(cloud, rdf_from("RUB").T), version)
    flags, head = _ANTIALIASED * antialiased, (SPZ_MAGIC, version, len(cloud), cloud.sh_degree, bits)
    if version < 4:
        content = [gzip.compress(b"".join([_SHORT.pack(*head, flags, 0), *_raw(parts)]), 6, mtime=0)]
    else:
        compressor = _zstandard().ZstdCompressor(level=6)
        raw = [part for part in _raw(parts) if part]
        streams = [compressor.compress(part) for part in raw]
        table = [_ENTRY.pack(len(small), len(part)) for small, part in zip(streams, raw, strict=True)]
        content = [_LONG.pack(*head, flags, len(streams), _LONG.size), *table, *streams]
    with atomic_write(path) as file:
        file.writelines(content)
    return notes


def _raw(parts: Parts) -> list[bytes]:
    return [part.tobytes() for part in parts.values()]


def _header(path: Path, fields: tuple[Any, ...], versions: tuple[int, ...], n_bytes: int) -> _Header:
    """Check a header before its numbers are believed."""
    magic, version, count, degree, bits, flags = fields[:6]
    if magic != SPZ_MAGIC:
        raise UnknownFormat(f"{path}: a gzip file that holds no SPZ file but {magic!r}; expected Gaussian splats")
    if version not in versions:
        raise UnknownFormat(
            f"{path}: SPZ of version {version}; expected {' or '.join(map(str, versions))} in such a file"
        )
    if degree > 4:
        raise CorruptFile(path, "header", f"harmonics of degree {degree}, expected 0 to 4")
    if bits > 24:
        raise CorruptFile(path, "header", f"{bits} of a position's 24 bits are fractional")
    header = _Header(version, count, degree, bits, flags)
    whole = sum(header.sizes().values())
    if whole > _FREE_BYTES + _MOST_EXPANSION * n_bytes:
        raise CorruptFile(
            path,
            "header",
            f"{count} Gaussians take {whole} bytes, which {n_bytes} in the file cannot hold; its header lies",
        )
    return header


# Versions 2 and 3


class _Inflater:
    """A gzip stream that is taken piece by piece, never more than is asked for."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.left, self.stream = path, data, zlib.decompressobj(31)

    def take(self, count: int) -> bytes:
        """The next bytes; fewer where the stream ends."""
        pieces, missing = [], count
        while missing and not self.stream.eof:
            try:
                piece = self.stream.decompress(self.left, missing)
            except zlib.error as error:
                raise CorruptFile(self.path, "gzip stream", f"{error}; the file is damaged") from error
            if not piece and not self.stream.eof and not self.stream.unconsumed_tail:
                raise CorruptFile(self.path, f"byte {len(self.left)}", "the gzip stream ends in the middle; truncated")
            self.left = self.stream.unconsumed_tail
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)


def _read_gzip(path: Path, data: bytes) -> tuple[_Header, Parts, bytes]:
    stream = _Inflater(path, data)
    head = stream.take(_SHORT.size)
    if len(head) < _SHORT.size:
        raise UnknownFormat(f"{path}: a gzip file of {len(head)} bytes, too few for an SPZ file")
    header = _header(path, _SHORT.unpack(head), (2, 3), len(data))
    parts = {}
    for name, size in header.sizes().items():
        raw = stream.take(size)
        if len(raw) < size:
            raise CorruptFile(path, name, f"{len(raw)} bytes, expected {size} for {header.count} Gaussians")
        parts[name] = _rows(raw, header, name)
    rest = stream.take(_LONGEST_EXTENSIONS)
    if not stream.stream.eof:
        raise CorruptFile(path, "gzip stream", f"goes on after {header.count} Gaussians and {len(rest)} more bytes")
    if rest and not header.flags & _EXTENDED:
        raise CorruptFile(path, "gzip stream", f"{len(rest)} bytes after {header.count} Gaussians, expected none")
    return header, parts, rest


# Version 4


def _read_streams(path: Path, data: bytes) -> tuple[_Header, Parts, bytes]:
    if len(data) < _LONG.size:
        raise CorruptFile(path, "header", f"{len(data)} bytes, expected {_LONG.size}; truncated")
    fields = _LONG.unpack(data[: _LONG.size])
    header = _header(path, fields, (4,), len(data))
    n_streams, table = fields[6:]
    sizes = {name: size for name, size in header.sizes().items() if size}
    at = table + n_streams * _ENTRY.size
    if n_streams != len(sizes) or not _LONG.size <= table <= at <= len(data):
        raise CorruptFile(
            path,
            "header",
            f"{n_streams} streams and a table at byte {table} of {len(data)}, expected {len(sizes)} streams",
        )
    entries = [_ENTRY.unpack_from(data, table + i * _ENTRY.size) for i in range(n_streams)]
    if at + sum(small for small, _ in entries) != len(data):
        raise CorruptFile(path, "table", f"its streams end elsewhere than the file, at byte {len(data)}; truncated?")
    parts = {name: _rows(b"", header, name) for name, size in header.sizes().items() if not size}
    for (name, size), (small, claimed) in zip(sizes.items(), entries, strict=True):
        if claimed != size:
            raise CorruptFile(path, "table", f"{claimed} bytes of {name}, expected {size} for {header.count} Gaussians")
        parts[name] = _rows(_decompressed(path, name, data[at : at + small], size), header, name)
        at += small
    return header, parts, data[_LONG.size : table] if header.flags & _EXTENDED else b""


def _decompressed(path: Path, name: str, data: bytes, size: int) -> bytes:
    zstandard = _zstandard()
    try:
        claimed = zstandard.frame_content_size(data)
        if claimed not in (-1, size):
            raise CorruptFile(path, name, f"a stream of {claimed} bytes, expected {size}")
        whole = zstandard.ZstdDecompressor().decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CorruptFile(path, name, f"{error}; the file is damaged") from error
    if len(whole) != size:
        raise CorruptFile(path, name, f"{len(whole)} bytes, expected {size}; truncated")
    return whole


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise BackendUnavailable(
            f'SPZ of version 4 needs the package zstandard ({error}): pip install "trisparse[views]", or use version 3'
        ) from error
    return zstandard


# Both


def _rows(raw: bytes, header: _Header, name: str) -> np.ndarray:
    return np.frombuffer(raw, np.uint8).reshape(header.count, bytes_per_gaussian(header.version, header.degree)[name])


def _extensions(path: Path, data: bytes) -> tuple[str, list[str]]:
    """The file's axes, and types of records that mean nothing here."""
    axes, skipped, records = "RUB", [], io.BytesIO(data)
    while head := records.read(8):
        if len(head) < 8:
            raise CorruptFile(path, "extensions", f"{len(head)} bytes, expected type and length of a record")
        kind, length = struct.unpack("<II", head)
        payload = records.read(length)
        if len(payload) < length:
            raise CorruptFile(path, "extensions", f"a record of {length} bytes, of which {len(payload)} are there")
        if kind != _AXES_EXTENSION:
            skipped.append(f"0x{kind:08X}")
            continue
        number = struct.unpack("<I", payload)[0] if length == 4 else -1
        if not 0 <= number <= len(_AXES):
            raise CorruptFile(path, "extensions", f"axes of number {number}, expected 1 to {len(_AXES)}")
        axes = _AXES[number - 1] if number else axes
    return axes, skipped
