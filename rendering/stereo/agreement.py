"""Whether the depth maps of several views say the same."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...data.cameras import Cameras, pixel_centers
from .warping import PairWarp


@dataclass(frozen=True)
class AgreementConfig:
    """When two views agree on the depth of a pixel."""

    relative: float = 0.01
    """Greatest relative difference of depth ..."""
    loosest: float = 0.03
    """... or what one pixel in the other view means, where its baseline is short, but no more than this."""
    round_trip_px: float = 1.0
    """A pixel that is taken into the other view and back by the depth there returns to within this distance."""
    in_front: float = 0.05
    """A point that is nearer to the other view than what that view sees, by more than this share, contradicts it."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """For each pixel, the number of other views ..."""

    confirming: Int64[Tensor, "n h w"]
    """... that see the same surface there."""
    contradicting: Int64[Tensor, "n h w"]
    """... that see through it."""


def compare_depths(
    cameras: Cameras,
    depth_z: Float[Tensor, "n h w"],
    trust: Float[Tensor, "n h w"],
    config: AgreementConfig | None = None,
) -> Agreement:
    """Hold each depth map against the others.

    Args:
        cameras: Of the views, without lens distortion.
        depth_z: Metres, above 0.
        trust: Where it is 0 a map has no voice.
        config: Tolerances.
    """
    c = config or AgreementConfig()
    n, height, width = depth_z.shape
    pixels = pixel_centers(width, height, depth_z).reshape(height, width, 2)
    confirming = torch.zeros(n, height, width, dtype=torch.int64)
    contradicting = torch.zeros_like(confirming)
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            way = PairWarp.between(cameras, i, j)
            at, ratio = way.apply(pixels, 1 / depth_z[i])
            nearer, _ = way.apply(pixels, 1.01 / depth_z[i])
            inside = (ratio > 0) & (at >= 0).all(-1) & (at[..., 0] < width) & (at[..., 1] < height)
            column = at[..., 0].clamp(0, width - 1).long()
            row = at[..., 1].clamp(0, height - 1).long()
            there = depth_z[j][row, column]
            heard = inside & (trust[j][row, column] > 0)
            expected = ratio * depth_z[i]
            back, _ = PairWarp.between(cameras, j, i).apply(at, 1 / there)
            a_pixel = 0.01 / (nearer - at).norm(dim=-1).clamp_min(1e-6)
            tolerance = a_pixel.clamp(c.relative, max(c.loosest, c.relative))
            same = ((there - expected).abs() < tolerance * expected) & ((back - pixels).norm(dim=-1) < c.round_trip_px)
            confirming[i] += heard & same
            contradicting[i] += heard & (expected < (1 - c.in_front) * there)
    return Agreement(confirming, contradicting)
