"""Values of images between their pixels."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def sample_bilinear(maps: Float[Tensor, "n c h w"], pixels: Float[Tensor, "n p 2"]) -> Float[Tensor, "n p c"]:
    """Bilinear interpolation, differentiable in both.

    Args:
        maps: At least one pixel each.
        pixels: x y with pixel centres at +0.5. Beyond the outermost centres the values there go on.
    """
    n, p = pixels.shape[:2]
    if n * p == 0:
        return maps.new_zeros(n, p, maps.shape[1])
    size = pixels.new_tensor([maps.shape[-1], maps.shape[-2]])
    grid = 2 * pixels / size - 1
    values = torch.nn.functional.grid_sample(maps, grid[:, :, None], padding_mode="border", align_corners=False)
    return values[..., 0].mT


def has_whole_footprint(pixels: Float[Tensor, "*n 2"], width: int, height: int) -> Bool[Tensor, "*n"]:
    """Whether all four pixels around a point exist, so that its interpolated value is no extrapolation."""
    x, y = pixels.unbind(-1)
    return (x >= 0.5) & (x <= width - 0.5) & (y >= 0.5) & (y <= height - 0.5)
