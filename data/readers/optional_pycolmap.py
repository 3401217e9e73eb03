"""pycolmap where it is installed, and quiet while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...core.errors import BackendUnavailable


def import_pycolmap(purpose: str, otherwise: str) -> Any:
    """The module.

    Args:
        purpose: What it is needed for, as the begin of a sentence.
        otherwise: What does without it.

    Raises:
        BackendUnavailable: It cannot be imported; names the extra that brings it.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise BackendUnavailable(
            f"{purpose} with pycolmap, which cannot be imported ({error}); `pip install 'trisparse[sfm]'`, or {otherwise}"
        ) from error
    return pycolmap


@contextmanager
def silent(pycolmap: Any) -> Iterator[None]:
    """Nothing but fatal errors is logged meanwhile."""
    before = pycolmap.logging.minloglevel
    pycolmap.logging.minloglevel = pycolmap.logging.FATAL.value
    try:
        yield
    finally:
        pycolmap.logging.minloglevel = before
