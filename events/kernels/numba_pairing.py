"""Events before events at the same pixel, in one pass over the stream.

Several threads share the work by bands of rows: each walks the whole stream and looks after its own pixels, whose table of last
times is then small enough for its cache. What is found does not depend on the number of bands.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Int16, Int64
from numba import njit

from ...core.threads import parallel_code
from .numpy_pairing import NO_EVENT

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True}
_LINE = 8
"""Numbers in a cache line: threads that write beside each other would wait for one another."""


def why_unusable(device: torch.device) -> str | None:
    """Only arrays on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, asked for {device}"


def previous_times(
    x: Int16[np.ndarray, "e"], y: Int16[np.ndarray, "e"], t_ns: Int64[np.ndarray, "e"], height: int, width: int
) -> Int64[np.ndarray, "e"]:
    """See :func:`trisparse.events.pairing.previous_times`."""
    n = len(t_ns)
    with parallel_code():
        bands = min(numba.get_num_threads(), height)
        found = np.empty(n + _LINE * bands, np.int64)
        _previous(x, y, t_ns, height, width, bands, found)
    return found[:n]


def smallest_gaps(
    x: Int16[np.ndarray, "e"],
    y: Int16[np.ndarray, "e"],
    t_ns: Int64[np.ndarray, "e"],
    before: Int64[np.ndarray, "e"],
    height: int,
    width: int,
) -> Int64[np.ndarray, "h w"]:
    """See :func:`trisparse.events.pairing.smallest_gaps`."""
    gaps = np.full(height * width, np.iinfo(np.int64).max)
    _smallest(x, y, t_ns, before, width, gaps)
    return gaps.reshape(height, width)


def window_starts(
    x: Int16[np.ndarray, "e"],
    y: Int16[np.ndarray, "e"],
    t_ns: Int64[np.ndarray, "e"],
    is_on: np.ndarray,
    sensor: tuple[int, int],
    length: int,
) -> tuple[Int64[np.ndarray, "e"], np.ndarray]:
    """See :func:`trisparse.events.windows.event_windows`: start times, and how many of the events are brighter."""
    starts, brighter = np.empty(len(t_ns), np.int64), np.empty(len(t_ns), np.int32)
    _windows(x, y, t_ns, is_on, sensor[0] * sensor[1], sensor[1], length, starts, brighter)
    return starts, brighter


@no_type_check
@njit(parallel=True, **_OPTIONS)
def _previous(x, y, t_ns, height, width, bands, found):
    n = len(t_ns)
    for band in numba.prange(bands):
        first, end = height * band // bands, height * (band + 1) // bands
        spare = (end - first) * width
        last = np.full(spare + 1, NO_EVENT)
        for i in range(n):
            row = np.int64(y[i])
            is_ours = (row >= first) & (row < end)
            # Events of other bands go to places that nobody reads: a jump would be guessed wrong half of the time.
            pixel = (row - first) * width + x[i] if is_ours else spare
            place = i if is_ours else n + _LINE * band
            t, before = t_ns[i], last[pixel]
            found[place] = before if before != t else NO_EVENT
            last[pixel] = t


@no_type_check
@njit(**_OPTIONS)
def _smallest(x, y, t_ns, before, width, gaps):
    for i in range(len(t_ns)):
        if before[i] != NO_EVENT:
            pixel = np.int64(y[i]) * width + x[i]
            gaps[pixel] = min(gaps[pixel], t_ns[i] - before[i])


@no_type_check
@njit(**_OPTIONS)
def _windows(x, y, t_ns, is_on, n_pixels, width, length, starts, brighter):
    times = np.full((n_pixels, length), NO_EVENT)  # of the last events at each pixel, in a ring
    counts = np.zeros((n_pixels, length), np.int32)  # brighter ones up to each of them
    seen = np.zeros(n_pixels, np.int32)
    total = np.zeros(n_pixels, np.int32)
    for i in range(len(t_ns)):
        pixel = np.int64(y[i]) * width + x[i]
        total[pixel] += is_on[i]
        place = seen[pixel]
        before = times[pixel, place]
        is_window = before != NO_EVENT and before != t_ns[i]
        starts[i] = before if is_window else NO_EVENT
        brighter[i] = total[pixel] - counts[pixel, place] if is_window else 0
        times[pixel, place] = t_ns[i]
        counts[pixel, place] = total[pixel]
        seen[pixel] = place + 1 if place + 1 < length else 0
