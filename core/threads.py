"""Parallel numba code and Python threads."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_ONE_AT_A_TIME = threading.RLock()


def parallel_kernel(launch: Callable[P, R]) -> Callable[P, R]:
    """Let one Python thread at a time into functions that run ``prange`` loops.

    numba's built-in thread pool ends the process when two Python threads enter it at once. Its OpenMP pool does not, but is
    missing where the system has no OpenMP library; so the entry is guarded, whatever the pool. Each loop uses all cores
    anyway, so nothing is lost. Put it on the Python function that calls jitted code.
    """

    @functools.wraps(launch)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with _ONE_AT_A_TIME:
            return launch(*args, **kwargs)

    return guarded
