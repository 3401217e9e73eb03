"""What a photo's numbers say of the intensity that an event camera's model predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped

from ..core.errors import InvalidInput, ShapeMismatch

_LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in a grey image, as OpenCV has them."""


@dataclass(frozen=True)
class IntensityRange:
    """Least and greatest intensity of a photo."""

    lowest: float
    highest: float

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.highest:
            raise InvalidInput(f"intensities from {self.lowest} to {self.highest}; expected 0 < lowest < highest")

    @property
    def span(self) -> float:
        """From the least to the greatest."""
        return self.highest - self.lowest

    @classmethod
    def of_bits(cls, bits: int = 8) -> IntensityRange:
        """Of photos with so many bits a channel: half a step above 0 up to half a step below 1."""
        return cls(0.5 / 2**bits, 1 - 0.5 / 2**bits)


def grey(colors: Shaped[np.ndarray, "h w 3"]) -> Float64[np.ndarray, "h w"]:
    """What a sensor without colour filters sees of red, green and blue, by the weights that OpenCV takes."""
    return colors @ _LUMA


def displayed_intensity(
    pixels: Shaped[np.ndarray, "..."], *, bits: int = 8, is_color: bool = True, over_white: bool = True
) -> Float64[np.ndarray, "h w c"]:
    """Intensity that a photo shows: its numbers as stored, moved up by half a step, so that the logarithm of 0 exists.

    Args:
        pixels: A grey (h, w), RGB or RGBA photo of whole numbers.
        bits: Its depth; sensors store 12 bits in 16.
        is_color: Whether the event camera has colour filters; else colours become grey.
        over_white: Whether transparent pixels show white; else their colours are taken as they are.

    Returns:
        Between 0 and 1, with three channels or one.

    Raises:
        ShapeMismatch: No such photo, or a grey one for a colour camera.
        InvalidInput: Numbers that are not whole, or beyond the depth.
    """
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ShapeMismatch(f"a photo of shape {pixels.shape}; expected (h, w), (h, w, 3) or (h, w, 4)")
    if pixels.dtype.kind != "u" or (pixels.size and int(pixels.max()) >= 2**bits):
        most = f"up to {int(pixels.max())}" if pixels.size else "none"
        raise InvalidInput(f"pixels of {pixels.dtype}, {most}; expected whole numbers below 2^{bits}")
    if is_color and pixels.ndim == 2:
        raise ShapeMismatch("a grey photo cannot be compared with the colours of a camera with colour filters")
    values = pixels.astype(np.float64)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        opaque = values[..., 3:] / (2**bits - 1)
        values = values[..., :3] * opaque + (1 - opaque) * (2**bits - 1) if over_white else values[..., :3]
    if not is_color:
        values = (grey(values) if values.ndim == 3 else values)[..., None]
    return (values + 0.5) / 2**bits
