"""Pixels that fire, compiled: blocks of pixels go through all frames on their own, then events are sorted interval by interval.

Nothing depends on who computes a block: the same bits come from any number of threads. An event lies after the frame before it
and not after the next one, so that sorting within the intervals sorts all.
"""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float64, Int64
from numba import njit

from ...core.threads import parallel_code
from .numpy_simulate import PixelEvents, PixelState, PixelTraits

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_BLOCK = 512
"""Pixels that a thread takes at once."""
_SLOTS = 1024
"""Events of a block that have room at first."""
_SHORT = 48
"""Up to so many events are sorted by insertion."""


def why_unusable(device: torch.device) -> str | None:
    """Only arrays on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, asked for {device}"


def advance(
    state: PixelState, traits: PixelTraits, t_ns: Int64[np.ndarray, "f"], levels: Float64[np.ndarray, "f p"]
) -> tuple[PixelState, PixelEvents]:
    """See :func:`.numpy_simulate.advance`."""
    n_frames, n_pixels = levels.shape
    blocks = (n_pixels + _BLOCK - 1) // _BLOCK
    times = np.concatenate([[state.t_ns], t_ns]).astype(np.int64)
    given = (traits.positive, traits.negative, traits.leak, traits.refractory_period_ns)
    slots = _SLOTS
    while True:
        after = state.t_reference.copy(), state.reference.copy()
        counts = np.zeros((blocks, n_frames), np.int64)
        t, place = np.empty((blocks, slots), np.int64), np.empty((blocks, slots), np.int32)
        with parallel_code():
            _fire(times, state.level, levels, *after, *given, t, place, counts)
        needed = int(counts.sum(1).max()) if counts.size else 0
        if needed <= slots:
            break
        slots = needed  # counted to the end, so that once again is enough
    events = _sorted(times, counts, t, place)
    level = levels[-1].copy() if n_frames else state.level
    return PixelState(*after, level, int(times[-1])), events


def _sorted(times: np.ndarray, counts: np.ndarray, t: np.ndarray, place: np.ndarray) -> PixelEvents:
    n = int(counts.sum())
    pixels, t_sorted, polarity = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int8)
    ends = np.cumsum(counts.sum(0))
    before = np.cumsum(counts, 1) - counts  # in each block, events of earlier intervals
    with parallel_code():
        _collect(times, ends, counts, before, t, place, pixels, t_sorted, polarity)
    return PixelEvents(pixels, t_sorted, polarity)


@no_type_check
@njit(parallel=True, **_OPTIONS)
def _fire(
    times, first, levels, t_reference, reference, positive, negative, leak, refractory, found_t, found_place, counts
):
    n_frames, n_pixels = levels.shape
    for block in numba.prange(found_t.shape[0]):
        begin, stop = block * _BLOCK, min(n_pixels, (block + 1) * _BLOCK)
        n = 0
        for frame in range(n_frames):
            start, end = times[frame], times[frame + 1]
            at_start = levels[frame - 1] if frame else first
            at_end = levels[frame]
            before = n
            for pixel in range(begin, stop):
                since = t_reference[pixel]
                change = at_end[pixel] - reference[pixel] + leak[pixel] * (end - since)
                if since <= start and -negative[pixel] < change < positive[pixel]:
                    continue
                low, high = at_start[pixel], at_end[pixel]
                slope = (high - low) / (end - start) + leak[pixel]
                while since <= end:  # what follows is the reference, line by line
                    if since > start:
                        reference[pixel] = low + (high - low) * ((since - start) / (end - start))
                    change = high - reference[pixel] + leak[pixel] * (end - since)
                    if change >= positive[pixel]:
                        threshold, code = positive[pixel], pixel
                    elif change <= -negative[pixel]:
                        threshold, code = -negative[pixel], ~pixel
                    else:
                        break
                    base, done = since, 0.0
                    if since <= start:
                        base, done = start, low - reference[pixel] + leak[pixel] * (start - since)
                    t = min(end, base + max(1, np.int64(math.ceil((threshold - done) / slope))))
                    if n < found_t.shape[1]:
                        found_t[block, n], found_place[block, n] = t, code
                    n += 1
                    since = t + refractory
                t_reference[pixel] = since
            counts[block, frame] = n - before


@no_type_check
@njit(parallel=True, **_OPTIONS)
def _collect(times, ends, counts, before, found_t, found_place, pixels, t_ns, polarity):
    for frame in numba.prange(len(ends)):
        n = counts[:, frame].sum()
        first = ends[frame] - n
        t, place = np.empty(n, np.int64), np.empty(n, np.int32)
        i = 0
        for block in range(len(counts)):
            for k in range(before[block, frame], before[block, frame] + counts[block, frame]):
                t[i], place[i] = found_t[block, k], found_place[block, k]
                i += 1
        order = _order(t, times[frame], times[frame + 1])
        for i in range(n):
            code = place[order[i]]
            pixels[first + i] = code if code >= 0 else ~code
            polarity[first + i] = 1 if code >= 0 else -1
            t_ns[first + i] = t[order[i]]


@no_type_check
@njit(**_OPTIONS)
def _order(t, start, end):
    """Rows in the order of time; of equal times the earlier row first. Sorts into buckets of equal width, then within each."""
    n = len(t)
    buckets = max(1, n // 2)
    scale = buckets / (end - start)
    bucket, firsts = np.empty(n, np.int32), np.zeros(buckets + 1, np.int32)
    for i in range(n):
        bucket[i] = min(buckets - 1, np.int64((t[i] - start) * scale))
        firsts[bucket[i] + 1] += 1
    for k in range(buckets):
        firsts[k + 1] += firsts[k]
    order, filled = np.empty(n, np.int32), firsts.copy()
    for i in range(n):
        order[filled[bucket[i]]] = i
        filled[bucket[i]] += 1
    for k in range(buckets):
        first, last = firsts[k], firsts[k + 1]
        if last - first > _SHORT:
            rows = order[first:last].copy()
            order[first:last] = rows[np.argsort(t[rows], kind="mergesort")]
            continue
        for i in range(first + 1, last):
            row, j = order[i], i
            while j > first and t[order[j - 1]] > t[row]:
                order[j] = order[j - 1]
                j -= 1
            order[j] = row
    return order
