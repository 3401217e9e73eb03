"""The same work from one thread and from several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import pytest
import torch


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Within, compiled loops run on ``n`` threads; skips where numba was started with fewer."""
    before = numba.get_num_threads(), torch.get_num_threads()
    if n > before[0]:
        pytest.skip(f"numba was started with {before[0]} thread(s), this test needs {n}")
    numba.set_num_threads(n)
    torch.set_num_threads(n)
    try:
        yield
    finally:
        numba.set_num_threads(before[0])
        torch.set_num_threads(before[1])
