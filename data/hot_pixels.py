"""Pixels that fire far more often than those around them: defects of a sensor, which a reconstruction should not explain."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64

from ..core.errors import InvalidInput
from .event_stream import EventStream

_TIMES, _MORE = 5, 10
"""A hot pixel has more than so many times the events of its second busiest neighbour, and so many more."""
_REACH = 2
_CHUNK = 1 << 22


def event_counts(stream: EventStream) -> Int64[np.ndarray, "h w"]:
    """Events of each pixel."""
    counts = np.zeros(stream.height * stream.width, np.int64)
    for start in range(0, len(stream), _CHUNK):
        part = stream[start : start + _CHUNK]
        counts += np.bincount(part.y.astype(np.int64) * stream.width + part.x, minlength=len(counts))
    return counts.reshape(stream.height, stream.width)


def hot_pixels(stream: EventStream) -> Bool[np.ndarray, "h w"]:
    """Which pixels fire more than five times as often (and ten times more) than the second busiest of the 24 around them.

    Where much happens, be it along a thin line, at least two neighbours are busy too; around a defect, or two of them side by
    side, they are not.
    """
    from scipy.ndimage import rank_filter

    counts = event_counts(stream)
    around = np.ones((2 * _REACH + 1, 2 * _REACH + 1), bool)
    around[_REACH, _REACH] = False
    usual = rank_filter(counts, -2, footprint=around, mode="constant")
    return counts > _TIMES * usual + _MORE


def without_pixels(stream: EventStream, mask: Bool[np.ndarray, "h w"]) -> EventStream:
    """The stream without the events of some pixels.

    Raises:
        InvalidInput: The mask is not of the sensor's size.
    """
    if mask.shape != (stream.height, stream.width):
        raise InvalidInput(
            f"a mask of shape {mask.shape} for a sensor of {stream.height} x {stream.width} (h w); give one a pixel"
        )
    return stream[~mask[stream.y, stream.x]]
