"""Parallel numba code and Python threads."""

from __future__ import annotations

import threading

PARALLEL_CODE = threading.RLock()
"""Held while a function with ``prange`` loops runs.

numba's built-in thread pool ends the process when two Python threads enter it at once. Its OpenMP pool does not, but is missing
where the system has no OpenMP library; so the entry is guarded, whatever the pool, and by one lock for the whole process. Each
loop uses all cores anyway, so nothing is lost.
"""
