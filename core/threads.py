"""Threads: parallel numba code among Python threads, and the same bits from several."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

PARALLEL_CODE = threading.RLock()
"""Held while a function with ``prange`` loops runs.

numba's built-in thread pool ends the process when two Python threads enter it at once. Its OpenMP pool does not, but is missing
where the system has no OpenMP library; so the entry is guarded, whatever the pool, and by one lock for the whole process. Each
loop uses all cores anyway, so nothing is lost.
"""


@contextmanager
def deterministic() -> Iterator[None]:
    """Within, torch takes the algorithms that give the same bits on every run, where it has one; it warns where it has none.

    On the CPU this concerns gradients of indexing, which are added up atomically by several threads otherwise.
    """
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic  # its attribute is a property that type checkers do not see
    filled = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    settings.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
        settings.fill_uninitialized_memory = filled
