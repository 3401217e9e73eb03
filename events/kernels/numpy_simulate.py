"""Pixels that fire while the logarithm of their intensity goes straight from frame to frame, the readable reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int8, Int16, Int64


@dataclass(eq=False)
class PixelState:
    """What the pixels remember from one frame to the next; one number each a pixel."""

    t_reference: Int64[np.ndarray, "p"]
    """From when on a pixel sees again: one refractory period after its last event (ns)."""
    reference: Float64[np.ndarray, "p"]
    """Log intensity then; means nothing while that time is still to come."""
    level: Float64[np.ndarray, "p"]
    """Log intensity of the last frame."""
    t_ns: int
    """Time of the last frame."""


@dataclass(frozen=True, eq=False)
class PixelTraits:
    """What does not change; one number each a pixel."""

    positive: Float64[np.ndarray, "p"]
    """Contrast thresholds."""
    negative: Float64[np.ndarray, "p"]
    leak: Float64[np.ndarray, "p"]
    """What the log intensity seems to gain in a nanosecond."""
    refractory_period_ns: int
    width: int
    """Of the sensor, whose pixels are counted row by row."""


@dataclass(frozen=True, eq=False)
class PixelEvents:
    """Events sorted by time, of equal times by row and column."""

    x: Int16[np.ndarray, "e"]
    y: Int16[np.ndarray, "e"]
    t_ns: Int64[np.ndarray, "e"]
    polarity: Int8[np.ndarray, "e"]


def why_unusable(device: torch.device) -> str | None:
    """Only arrays on the CPU."""
    return None if device.type == "cpu" else f"numpy runs on the CPU, asked for {device}"


def advance(
    state: PixelState, traits: PixelTraits, t_ns: Int64[np.ndarray, "f"], levels: Float64[np.ndarray, "f p"]
) -> tuple[PixelState, PixelEvents]:
    """From the state at one frame, through some frames, to the state at the last of them.

    Args:
        state: Is not changed.
        t_ns: Times of the frames, strictly increasing, after the state's.
        levels: Log intensities of the frames.
    """
    t_reference, reference = state.t_reference.copy(), state.reference.copy()
    fired: list[tuple[int, int, int]] = []
    for pixel in range(levels.shape[1]):
        start, low = state.t_ns, float(state.level[pixel])
        for end, high in zip(t_ns.tolist(), levels[:, pixel].tolist(), strict=True):
            fired += _between_frames(pixel, (start, low), (end, high), traits, t_reference, reference)
            start, low = end, high
    fired.sort()
    t, pixels, polarity = np.array(fired, np.int64).reshape(-1, 3).T
    last = levels[-1].copy() if len(levels) else state.level
    after = PixelState(t_reference, reference, last, int(t_ns[-1]) if len(t_ns) else state.t_ns)
    y, x = (part.astype(np.int16) for part in np.divmod(pixels, traits.width))
    return after, PixelEvents(x, y, t.copy(), polarity.astype(np.int8))


def _between_frames(
    pixel: int,
    first: tuple[int, float],
    last: tuple[int, float],
    traits: PixelTraits,
    t_reference: np.ndarray,
    reference: np.ndarray,
) -> list[tuple[int, int, int]]:
    """Events (time, pixel, polarity) of one pixel after the first frame up to the last, the last included."""
    (start, low), (end, high) = first, last
    leak = float(traits.leak[pixel])
    slope = (high - low) / (end - start) + leak
    fired = []
    while (since := int(t_reference[pixel])) <= end:
        if since > start:
            reference[pixel] = low + (high - low) * ((since - start) / (end - start))
        # Whether it fires is asked at the last frame, by the very sum that the next interval begins with: no rounding can
        # let a crossing between two intervals be missed, or be found twice.
        change = high - float(reference[pixel]) + leak * (end - since)
        if change >= traits.positive[pixel]:
            threshold, polarity = float(traits.positive[pixel]), 1
        elif change <= -traits.negative[pixel]:
            threshold, polarity = -float(traits.negative[pixel]), -1
        else:
            break
        base, done = since, 0.0
        if since <= start:
            base, done = start, low - float(reference[pixel]) + leak * (start - since)
        t = min(end, base + max(1, math.ceil((threshold - done) / slope)))
        fired.append((t, pixel, polarity))
        t_reference[pixel] = t + traits.refractory_period_ns
    return fired
