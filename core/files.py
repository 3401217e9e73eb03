"""Files that are either whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing bytes that appears under its name only when all of it is written.

    The bytes go to a temporary file in the same folder (made if it is missing), which replaces ``path`` in one step at the
    end. After an error, or a kill, what was there before is untouched.

    Args:
        path: The file to make or replace.

    Yields:
        The open temporary file.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes private files
        os.replace(name, target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = str(target)  # a full disk is reported without it
        raise


def write_bytes(path: str | PathLike[str], content: bytes) -> None:
    """Write a file at once, atomically."""
    with atomic_write(path) as file:
        file.write(content)


def write_text(path: str | PathLike[str], content: str) -> None:
    """Write a UTF-8 text file at once, atomically, with the line ends as they are."""
    write_bytes(path, content.encode())


def remove_leftovers(folder: str | PathLike[str]) -> None:
    """Remove the temporary files that a killed :func:`atomic_write` left anywhere under a folder nobody else writes to."""
    for leftover in Path(folder).rglob(".*.tmp"):
        leftover.unlink()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
