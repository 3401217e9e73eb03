"""Ways to damage what is inside compressed files with checksums, PNG and SPZ, so that the damage is reached."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable
from importlib.util import find_spec
from random import Random
from typing import Any

from fuzz_mutations import ANY, LONGEST, Mutation, change_bytes

_PNG_START = b"\x89PNG\r\n\x1a\n"
_CHUNKS = (
    *(b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"iCCP", b"sRGB", b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"),
    *(b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND", b"IHDR", b"abCd", b"\0\0\0\0"),
)
_SIZES = (0, 1, 2, 3, 255, 256, 4096, 8192, 16_384, 65_535, 65_536, 10**6, 2**31 - 1, 2**31, 2**32 - 1)
_SPZ_MAGIC = b"NGSP"
_SPZ_HEADER, _SPZ_ENTRY = struct.Struct("<4sIIBBBBI12x"), struct.Struct("<QQ")
_SPZ_FIELDS = (
    *((4, "<I", (0, 1, 2, 3, 4, 5, 2**32 - 1)), (8, "<I", (0, 1, 2, 5, 10**4, 10**6, 2**31, 2**32 - 1))),
    *((12, "<B", (0, 1, 2, 3, 4, 5, 255)), (13, "<B", (0, 1, 12, 20, 24, 25, 255)), (14, "<B", (0, 1, 2, 3, 255))),
)  # fmt: skip
"""Version, number of Gaussians, degree, fractional bits and flags: where, how, and what is put there."""


# PNG


def png_header(data: bytes, rng: Random) -> bytes:
    """Lie about size or kind of pixels, or change, drop, repeat, move or add a chunk; checksums made right."""
    chunks = _png_chunks(data)
    if not chunks:
        return jpeg_frame(data, rng)
    at = rng.randrange(len(chunks))
    kind, content = chunks[at]
    match rng.randrange(6):
        case 0 | 1:
            chunks[0] = (chunks[0][0], _other_header(chunks[0][1], rng))
        case 2:
            chunks[at] = (kind, rng.choice(ANY)(content, rng))
        case 3:
            del chunks[at]
        case 4:
            chunks[at:at] = [chunks[rng.randrange(len(chunks))]] * rng.choice((1, 2, 200))
        case _:
            text = bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 3, 26, 768))))
            name = b"key\0\0" + zlib.compress(bytes(rng.choice((10, 10**5, 3 * 10**7))))
            chunks.insert(at, (rng.choice(_CHUNKS), rng.choice((text, name))))
    return _png_bytes(chunks)


def png_data(data: bytes, rng: Random) -> bytes:
    """Damage the rows of pixels before they are compressed."""
    chunks = _png_chunks(data)
    packed = b"".join(content for kind, content in chunks if kind == b"IDAT")
    try:
        rows = zlib.decompressobj().decompress(packed, LONGEST)
    except zlib.error:
        return change_bytes(data, rng)
    others = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    return _png_bytes([*others[:-1], (b"IDAT", zlib.compress(rng.choice(ANY)(rows, rng))), *others[-1:]])


def png_bomb(data: bytes, rng: Random) -> bytes:
    """Pixels that are all there, but say nothing."""
    bits, color, width = rng.choice(((8, 2, 3), (8, 6, 4), (16, 0, 2), (1, 0, 1), (16, 6, 8)))
    side = rng.choice((500, 3000, 4090, 5000, 9000))
    row = 1 + (side * width if bits > 1 else -(-side // 8))
    header = struct.pack(">IIBBBBB", side, side, bits, color, 0, 0, 0)
    squeezer = zlib.compressobj(1)
    packed = b"".join(squeezer.compress(bytes(row)) for _ in range(side)) + squeezer.flush()
    return _png_bytes([(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")])


def jpeg_frame(data: bytes, rng: Random) -> bytes:
    """Another size, precision or number of components in a JPEG file."""
    at = max(data.find(marker) for marker in (b"\xff\xc0", b"\xff\xc2"))
    if at < 0 or at + 10 > len(data):
        return change_bytes(data, rng)
    place, value = rng.choice(((5, "H"), (7, "H"), (4, "B"), (9, "B"), (11, "B")))
    number = rng.choice(_SIZES) & (0xFFFF if value == "H" else 0xFF)
    new = struct.pack(f">{value}", number)
    return data[: at + place] + new + data[at + place + len(new) :]


def _other_header(header: bytes, rng: Random) -> bytes:
    if len(header) < 13:
        return header
    if rng.random() < 0.6:
        at = rng.choice((0, 4))
        return header[:at] + struct.pack(">I", rng.choice(_SIZES)) + header[at + 4 :]
    at = rng.randrange(8, 13)
    return header[:at] + bytes([rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))]) + header[at + 1 :]


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and content of each chunk; none of what is no PNG file."""
    if data[:8] != _PNG_START:
        return []
    chunks, at = [], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def _png_bytes(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    parts = [_PNG_START]
    for kind, content in chunks:
        parts += [struct.pack(">I", len(content)), kind, content, struct.pack(">I", zlib.crc32(kind + content))]
    return b"".join(parts)


# SPZ


def spz(data: bytes, rng: Random) -> bytes:
    """Another number in an SPZ file's header, or other bytes in what it compresses; lengths made right now and then."""
    if data[:4] == _SPZ_MAGIC:
        return _spz_streams(data, rng)
    try:
        plain = zlib.decompressobj(31).decompress(data, 4 * LONGEST)
    except zlib.error:
        return change_bytes(data, rng)
    change: Mutation = _spz_header if rng.random() < 0.5 else rng.choice((*ANY, _spz_bomb))
    return gzip.compress(change(plain, rng), 1, mtime=0)


def _spz_header(data: bytes, rng: Random) -> bytes:
    at, kind, values = rng.choice(_SPZ_FIELDS)
    new = struct.pack(kind, rng.choice(values))
    return data[:at] + new + data[at + len(new) :]


def _spz_bomb(data: bytes, rng: Random) -> bytes:
    """As many Gaussians as it says, all alike."""
    count = rng.choice((10_000, 300_000, 900_000, 2_000_000))
    return data[:8] + struct.pack("<IBB", count, 0, rng.choice((0, 12, 24))) + data[14:16] + bytes(20 * count)


def _spz_streams(data: bytes, rng: Random) -> bytes:
    """Version 4: a header in plain, a table, and streams."""
    if rng.random() < 0.4 or len(data) < _SPZ_HEADER.size or find_spec("zstandard") is None:
        return _spz_header(data, rng) if rng.random() < 0.7 else rng.choice(ANY)(data, rng)
    import zstandard

    n, table = _SPZ_HEADER.unpack_from(data)[6:]
    at = table + n * _SPZ_ENTRY.size
    streams: list[tuple[bytes, int]] = []
    if n > 6 or at > len(data):
        return data
    for i in range(n):
        length, size = _SPZ_ENTRY.unpack_from(data, table + i * _SPZ_ENTRY.size)
        streams.append((data[at : at + length], size))
        at += length
    if streams:
        chosen = rng.randrange(len(streams))
        streams[chosen] = _other_stream(zstandard, *streams[chosen], rng)
    entries = [_SPZ_ENTRY.pack(len(small), size) for small, size in streams]
    return data[:table] + b"".join(entries) + b"".join(small for small, _ in streams)


def _other_stream(zstandard: Any, small: bytes, size: int, rng: Random) -> tuple[bytes, int]:
    try:
        plain = zstandard.ZstdDecompressor().decompress(small, max_output_size=LONGEST)
    except zstandard.ZstdError:
        return small, size
    match rng.randrange(4):
        case 0:
            return rng.choice(ANY)(small, rng), size
        case 1:
            bomb = bytes(rng.choice((10**5, 10**7, 10**8)))
            return zstandard.ZstdCompressor(level=1).compress(bomb), rng.choice((size, len(bomb)))
        case _:
            new = rng.choice(ANY)(plain, rng)
            return zstandard.ZstdCompressor(level=1).compress(new), rng.choice((size, len(new)))
