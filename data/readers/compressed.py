"""Blocks of LZ4 and Zstandard inside other files; what they become is bounded by what they take."""

from __future__ import annotations

import bz2
from importlib import import_module
from typing import Any

from ...core.errors import BackendUnavailable

_FREE_BYTES = 1 << 20
_MOST_EXPANSION = 1000
"""A block may become this many times as large; LZ4 cannot do more than 255, and events do not shrink that well."""


class DamagedBlock(ValueError):
    """A block that cannot be decompressed; whoever reads a file says where in it."""


def decompress(kind: str, block: bytes) -> bytes:
    """A block of ``lz4`` (frame format), ``zstd`` or ``bz2``.

    Raises:
        BackendUnavailable: The package for it is not installed.
        DamagedBlock: The block is damaged, or grows without bound.
    """
    most = _FREE_BYTES + _MOST_EXPANSION * len(block)
    if kind == "lz4":
        return _lz4(block, most)
    if kind == "zstd":
        return _zstd(block, most)
    decompressor = bz2.BZ2Decompressor()
    try:
        content = decompressor.decompress(block, most)
    except (OSError, ValueError) as error:
        raise DamagedBlock(f"bz2: {error}") from error
    return _whole("bz2", content, decompressor.eof, most)


def _lz4(block: bytes, most: int) -> bytes:
    frame = _package("lz4.frame", "lz4")
    decompressor = frame.LZ4FrameDecompressor()
    try:
        content = decompressor.decompress(block, max_length=most)
    except (RuntimeError, EOFError, ValueError) as error:
        raise DamagedBlock(f"LZ4: {error}") from error
    return _whole("LZ4", content, decompressor.eof, most)


def _zstd(block: bytes, most: int) -> bytes:
    package = _package("zstandard", "zstandard")
    try:
        if package.frame_content_size(block) > most:
            raise DamagedBlock(f"Zstandard: the block becomes more than {most} bytes")
        return package.ZstdDecompressor(max_window_size=1 << 27).decompress(block, max_output_size=most)
    except (package.ZstdError, MemoryError) as error:
        raise DamagedBlock(f"Zstandard: {error}") from error


def _whole(name: str, content: bytes, is_complete: bool, most: int) -> bytes:
    if not is_complete:
        reason = f"becomes more than {most} bytes" if len(content) >= most else "is truncated"
        raise DamagedBlock(f"{name}: the block {reason}")
    return content


def _package(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise BackendUnavailable(
            f"the file is compressed in a way that the package {name} reads, which cannot be imported ({error}); "
            "pip install 'trisparse[events]'"
        ) from error
