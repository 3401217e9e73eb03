"""Images at another size: means over areas where they shrink, linear between pixels where they grow."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from ..core.errors import InvalidInput


def resize_image(
    image: Float[Tensor, "h w c"] | UInt8[Tensor, "h w c"], width: int, height: int
) -> Float[Tensor, "..."]:
    """An image at another size, each axis by its own factor.

    The whole image covers the whole new one: with pixel centres at +0.5, a place x is at ``x * new / old`` there. A pixel of
    a shrunk image is the mean over its area, parts of old pixels counted as parts, so that nothing moves or flickers.

    Args:
        image: Of any range; whole numbers become float32 of the same range.
        width: In pixels.
        height: In pixels.

    Returns:
        (height, width, c).

    Raises:
        InvalidInput: A size below 1, or an image without pixels.
    """
    if min(width, height, *image.shape[:2]) < 1:
        found = f"{image.shape[1]} x {image.shape[0]} to {width} x {height}"
        raise InvalidInput(f"cannot resize an image from {found} pixels; both sizes must be above 0")
    rows_first = height * image.shape[1] <= width * image.shape[0]  # the order that leaves less to do
    for axis in (0, 1) if rows_first else (1, 0):
        image = _along(image, axis, (height, width)[axis])
    return image if image.is_floating_point() else image.float()


def _along(image: Tensor, axis: int, size: int) -> Tensor:
    old = image.shape[axis]
    if old == size:
        return image
    places, weights = _area_taps(old, size) if size < old else _linear_taps(old, size)
    dtype = image.dtype if image.is_floating_point() else torch.float32
    shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
    total = None
    for place, weight in zip(places.to(image.device), weights.to(image.device, dtype), strict=True):
        part = image.index_select(axis, place).to(dtype) * weight.reshape(shape)
        total = part if total is None else total.add_(part)
    assert total is not None
    return total


def _area_taps(old: int, new: int) -> tuple[Int64[Tensor, "k m"], Float[Tensor, "k m"]]:
    """Which old pixels meet each new one, and by which share of it."""
    factor = old / new
    start = torch.arange(new, dtype=torch.float64) * factor
    places = start.floor().long() + torch.arange(math.ceil(factor) + 1)[:, None]
    overlap = torch.minimum(places + 1.0, start + factor) - torch.maximum(places.double(), start)
    return places.clamp_max(old - 1), overlap.clamp_min(0) * (places < old) / factor


def _linear_taps(old: int, new: int) -> tuple[Int64[Tensor, "k m"], Float[Tensor, "k m"]]:
    """The two old pixels whose centres lie around each new centre; beyond the outermost centres these alone."""
    at = ((torch.arange(new, dtype=torch.float64) + 0.5) * old / new - 0.5).clamp(0, old - 1)
    left = at.floor().long()
    share = at - left
    return torch.stack([left, (left + 1).clamp_max(old - 1)]), torch.stack([1 - share, share])
