"""Pixels that fire, compiled: blocks of pixels go through all frames on their own, then events are sorted interval by interval.

Nothing depends on who computes a block: the same bits come from any number of threads. An event lies after the frame before it
and not after the next one, so that sorting within the intervals sorts all. An event is one number until then: nanoseconds since
the frame before, in the lower bits its pixel, in the lowest its polarity. These numbers are all different.
"""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float64, Int64
from numba import njit

from ...core.errors import InvalidInput
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
    """See :func:`.numpy_simulate.advance`.

    Raises:
        InvalidInput: Frames so far apart that an event does not fit into 63 bits: an hour for a sensor of a megapixel.
    """
    n_frames, n_pixels = levels.shape
    blocks = (n_pixels + _BLOCK - 1) // _BLOCK
    times = np.concatenate([[state.t_ns], t_ns]).astype(np.int64)
    low_bits = (2 * n_pixels).bit_length()
    if n_frames and int(np.diff(times).max()) >= 1 << (63 - low_bits):
        raise InvalidInput(f"frames lie up to {np.diff(times).max()} ns apart; give frames in between")
    given = (traits.positive, traits.negative, traits.leak, traits.refractory_period_ns, low_bits)
    slots = _SLOTS
    while True:
        after = state.t_reference.copy(), state.reference.copy()
        found, counts = np.empty((blocks, slots), np.int64), np.zeros((blocks, n_frames), np.int64)
        with parallel_code():
            _fire(times, state.level, levels, *after, *given, found, counts)
        needed = int(counts.sum(1).max()) if counts.size else 0
        if needed <= slots:
            break
        slots = needed  # counted to the end, so that once again is enough
    level = levels[-1].copy() if n_frames else state.level
    return PixelState(*after, level, int(times[-1])), _sorted(times, counts, found, low_bits, traits.width)


def _sorted(times: np.ndarray, counts: np.ndarray, found: np.ndarray, low_bits: int, width: int) -> PixelEvents:
    n = int(counts.sum())
    x, y, t_ns, polarity = np.empty(n, np.int16), np.empty(n, np.int16), np.empty(n, np.int64), np.empty(n, np.int8)
    ends = np.cumsum(counts.sum(0))
    before = np.cumsum(counts, 1) - counts  # in each block, events of earlier intervals
    with parallel_code():
        _collect(times, ends, counts, before, found, low_bits, width, x, y, t_ns, polarity)
    return PixelEvents(x, y, t_ns, polarity)


@no_type_check
@njit(parallel=True, **_OPTIONS)
def _fire(times, first, levels, t_reference, reference, positive, negative, leak, refractory, low_bits, found, counts):
    n_frames, n_pixels = levels.shape
    for block in numba.prange(found.shape[0]):
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
                        threshold, code = positive[pixel], 2 * pixel + 1
                    elif change <= -negative[pixel]:
                        threshold, code = -negative[pixel], 2 * pixel
                    else:
                        break
                    base, done = since, 0.0
                    if since <= start:
                        base, done = start, low - reference[pixel] + leak[pixel] * (start - since)
                    t = min(end, base + max(1, np.int64(math.ceil((threshold - done) / slope))))
                    if n < found.shape[1]:
                        found[block, n] = (t - start) << low_bits | code
                    n += 1
                    since = t + refractory
                t_reference[pixel] = since
            counts[block, frame] = n - before


@no_type_check
@njit(parallel=True, **_OPTIONS)
def _collect(times, ends, counts, before, found, low_bits, width, x, y, t_ns, polarity):
    for frame in numba.prange(len(ends)):
        n = counts[:, frame].sum()
        mixed = np.empty(n, np.int64)
        i = 0
        for block in range(len(counts)):
            for k in range(before[block, frame], before[block, frame] + counts[block, frame]):
                mixed[i] = found[block, k]
                i += 1
        events = _sort(mixed, (times[frame + 1] - times[frame] + 1) << low_bits)
        first = ends[frame] - n
        for i in range(n):
            code = np.uint32(events[i] & ((np.int64(1) << low_bits) - 1))
            row = (code >> np.uint32(1)) // np.uint32(width)
            y[first + i] = row
            x[first + i] = (code >> np.uint32(1)) - row * np.uint32(width)
            polarity[first + i] = 1 if code & np.uint32(1) else -1
            t_ns[first + i] = times[frame] + (events[i] >> low_bits)


@no_type_check
@njit(**_OPTIONS)
def _sort(values, limit):
    """Numbers in 0..limit in order: into buckets of equal width, then each bucket on its own."""
    n = len(values)
    buckets = max(1, n // 2)
    scale = buckets / limit
    firsts = np.zeros(buckets + 1, np.int32)
    for i in range(n):
        firsts[min(buckets - 1, np.int64(values[i] * scale)) + 1] += 1
    for k in range(buckets):
        firsts[k + 1] += firsts[k]
    out, filled = np.empty(n, np.int64), firsts.copy()
    for i in range(n):
        k = min(buckets - 1, np.int64(values[i] * scale))
        out[filled[k]] = values[i]
        filled[k] += 1
    for k in range(buckets):
        first, last = firsts[k], firsts[k + 1]
        if last - first > _SHORT:
            out[first:last] = np.sort(out[first:last])
            continue
        for i in range(first + 1, last):
            value, j = out[i], i
            while j > first and out[j - 1] > value:
                out[j] = out[j - 1]
                j -= 1
            out[j] = value
    return out
