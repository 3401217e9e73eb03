"""Colour filters before an event camera's pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int16, Shaped, UInt8

from ..core.errors import InvalidInput, ShapeMismatch

_CHANNELS = {"R": 0, "G": 1, "B": 2}


def bayer_channels(x: Int16[np.ndarray, "*e"], y: Int16[np.ndarray, "*e"], pattern: str) -> UInt8[np.ndarray, "*e"]:
    """Which colour some pixels see: 0 red, 1 green, 2 blue; 0 throughout for a monochrome camera.

    Args:
        x, y: Whole pixels as the sensor counts them, before any undistortion.
        pattern: Colours at (even x, even y), (odd, even), (even, odd), (odd, odd), as "RGGB"; "" is monochrome.

    Raises:
        InvalidInput: Another pattern.
    """
    if not pattern:
        return np.zeros(x.shape, np.uint8)
    return _table(pattern)[(y & 1) * 2 + (x & 1)]


def mosaic(image: Shaped[np.ndarray, "..."], pattern: str) -> Shaped[np.ndarray, "h w"]:
    """What the pixels behind the filters see of a colour image.

    Raises:
        ShapeMismatch: Not an image of three channels.
        InvalidInput: Another pattern than :func:`bayer_channels` knows, or none.
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ShapeMismatch(f"an image of shape {image.shape} behind colour filters; expected (h, w, 3)")
    table = _table(pattern)
    seen = np.empty(image.shape[:2], image.dtype)
    for place, channel in enumerate(table):
        row, column = divmod(place, 2)
        seen[row::2, column::2] = image[row::2, column::2, channel]
    return seen


def _table(pattern: str) -> UInt8[np.ndarray, "4"]:
    if len(pattern) != 4 or not set(pattern) <= set(_CHANNELS):
        raise InvalidInput(f"a Bayer pattern of {pattern!r}; expected four of R, G, B as in 'RGGB'")
    return np.array([_CHANNELS[letter] for letter in pattern], np.uint8)
