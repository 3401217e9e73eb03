"""What the photos say about points: features sampled where a point appears, gathered over all photos that see it.

After PointGS (arXiv 2506.10335). Stated in the paper: points are projected into all photos with their poses, the maps of all
three sizes are sampled there, and one feature a point comes of it, which stands for its colour attributes. Ours, since what
could be read of the paper says no more: colours beside the features, soft visibility, mean and variance over the photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.errors import InvalidInput, ShapeMismatch
from ..data.cameras import Cameras, Projection
from .bilinear import sample_bilinear
from .image_pyramid import CHANNELS, COLOR_CHANNELS, ImagePyramid, Level, color_levels
from .recompute import recomputed
from .seeded_layers import linear

Aggregation = Literal["mean", "meanvar"]
_EPS = 1e-6


@dataclass(frozen=True, eq=False)
class Views:
    """Photos in memory, their cameras, and perhaps how far away is what they show."""

    photos: Float[Tensor, "n h w 3"]
    """0..1."""
    cameras: Cameras
    depth_z: Float[Tensor, "_ _ _"] | None = None
    """[n h w] metres; 0 or not finite where it is not known. None: nothing hides anything."""

    def __post_init__(self) -> None:
        n, h, w = self.photos.shape[:3]
        expected = (len(self.cameras), self.cameras.height, self.cameras.width)
        if (n, h, w) != expected:
            raise ShapeMismatch(
                f"{n} photos of {h} x {w} (height x width), but cameras for {expected}; resize one of them"
            )
        if n == 0:
            raise InvalidInput("no photo; give at least one")
        if self.depth_z is not None and tuple(self.depth_z.shape) != expected:
            raise ShapeMismatch(f"depth maps {tuple(self.depth_z.shape)} for photos {expected}; give one each")

    @cached_property
    def channels_first(self) -> Float[Tensor, "n 3 h w"]:
        """The photos as convolutions take them."""
        return self.photos.permute(0, 3, 1, 2).contiguous()


def visibility(
    projection: Projection,
    depth_z: Float[Tensor, "n h w"] | None = None,
    *,
    near: float = 0.01,
    tolerance: float = 0.01,
) -> Float[Tensor, "n p"]:
    """How far photos see points: 1 in the open, falling to 0 behind what a depth map shows, 0 outside the photo.

    Ours: exp(-max(0, z - D - t) / t) with t = ``tolerance`` times z. With few views far apart, features of what stands in
    front would otherwise be mixed into points behind it.

    Args:
        projection: Of the points.
        depth_z: Metres; 0 or not finite where it is not known: there a point counts as seen.
        near: Metres; nearer points are not seen.
        tolerance: Part of the distance by which a point may lie behind the depth map.
    """
    z = projection.depth_z
    inside = projection.inside & (z > near)
    if depth_z is None:
        return inside.to(z)
    known = depth_z.isfinite() & (depth_z > 0)
    both = torch.stack([torch.where(known, depth_z, torch.zeros_like(depth_z)), known.to(depth_z)], 1)
    total, weight = sample_bilinear(both.to(z), projection.pixels).unbind(-1)
    surface = torch.where(weight > _EPS, total / weight.clamp_min(_EPS), torch.full_like(z, torch.inf))
    slack = (tolerance * z).clamp_min(torch.finfo(z.dtype).tiny)
    behind = (z - surface - slack).clamp_min(0)
    return torch.where(inside, torch.exp(-behind / slack), torch.zeros_like(z))


class ImageFeatures(nn.Module):
    """One feature a point out of all photos that see it; the same for any order of the photos, for 1 or 24 of them.

    Of each channel the weighted mean and, with ``meanvar``, the weighted variance over the photos (as MVSNet, Yao et al., ECCV
    2018), with the visibilities as weights, and their sum; a linear layer mixes them. Positions get no gradient from here.

    Args:
        width: Channels of the result.
        generator: Draws the weights.
        with_pyramid: Features of an :class:`ImagePyramid` and colours; else colours alone (a control without a network that
            could learn the photos by heart).
        aggregation: ``mean`` or ``meanvar``.
    """

    def __init__(
        self, width: int, generator: torch.Generator, *, with_pyramid: bool = True, aggregation: Aggregation = "meanvar"
    ) -> None:
        super().__init__()
        self.pyramid = ImagePyramid(generator) if with_pyramid else None
        self.aggregation: Aggregation = aggregation
        channels = COLOR_CHANNELS + (sum(CHANNELS) if with_pyramid else 0)
        moments = 2 if aggregation == "meanvar" else 1
        self.mix = linear(moments * channels + 1, width, generator)

    def forward(self, points: Float[Tensor, "p 3"], views: Views) -> Float[Tensor, "p d"]:
        """Features of points of the world."""
        if not len(points):
            return points.new_zeros(0, self.mix.out_features)
        return self.mix(self.moments(points, views))

    def moments(self, points: Float[Tensor, "p 3"], views: Views) -> Float[Tensor, "p m"]:
        """Mean, variance (with ``meanvar``) and sum of the weights: what the linear layer mixes.

        One photo at a time: memory does not grow with their number, nothing of a photo but its maps is kept for the gradient.
        """
        with torch.no_grad():
            projection = views.cameras.project(points)
            weights = visibility(projection, views.depth_z)
        count = weights.sum(0)[:, None]
        levels = [self._levels(views.channels_first[i : i + 1]) for i in range(len(weights))]
        seen = list(zip(levels, projection.pixels, weights, strict=True))
        center = self._provisional_mean(seen, count)
        sums = sum(recomputed(self._sums, *view, center) for view in seen)
        assert isinstance(sums, Tensor)
        return self._from_sums(sums, center, count)

    def _levels(self, photo: Float[Tensor, "1 3 h w"]) -> list[Level]:
        levels = list(color_levels(photo))
        if self.pyramid is not None:
            maps = recomputed(self.pyramid, photo)
            levels += [self.pyramid.level(x, i) for i, x in enumerate(maps)]
        return levels

    @torch.no_grad()
    def _provisional_mean(self, seen: list[tuple[list[Level], Tensor, Tensor]], count: Tensor) -> Tensor:
        """Without a gradient: a constant to take off before squaring, so that no digits are lost."""
        total = sum(weights[:, None] * _sampled(levels, pixels) for levels, pixels, weights in seen)
        assert isinstance(total, Tensor)
        return total / (count + _EPS)

    def _sums(self, levels: list[Level], pixels: Tensor, weights: Tensor, center: Tensor) -> Tensor:
        offset = _sampled(levels, pixels) - center
        weighted = weights[:, None] * offset
        return weighted if self.aggregation == "mean" else torch.cat([weighted, weighted * offset], 1)

    def _from_sums(self, sums: Tensor, center: Tensor, count: Tensor) -> Tensor:
        """From sums of w (g - c) and w (g - c)^2 to the moments of g, for any constant c."""
        first = sums[:, : center.shape[1]]
        mean = (first + count * center) / (count + _EPS)
        if self.aggregation == "mean":
            return torch.cat([mean, count], 1)
        second = sums[:, center.shape[1] :]
        shift = mean - center
        variance = (second - 2 * shift * first + shift * shift * count) / (count + _EPS)
        return torch.cat([mean, variance, count], 1)


def _sampled(levels: list[Level], pixels: Float[Tensor, "p 2"]) -> Float[Tensor, "p c"]:
    return torch.cat([level.at(pixels[None])[0] for level in levels], 1)
