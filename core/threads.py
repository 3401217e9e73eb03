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


@contextmanager
def parallel_code() -> Iterator[None]:
    """Within, this thread may run numba's parallel code, with no more threads than torch or numba may use.

    numba's OpenMP pool sets the number of threads of the OpenMP library, which torch shares: it is set back.
    """
    import numba

    with PARALLEL_CODE:
        torch_threads = torch.get_num_threads()  # before numba is asked, which may start its pool
        before = numba.get_num_threads()
        numba.set_num_threads(min(before, torch_threads))
        try:
            yield
        finally:
            numba.set_num_threads(before)
            if torch.get_num_threads() != torch_threads:
                torch.set_num_threads(torch_threads)
