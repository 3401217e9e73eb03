"""A backdrop behind all that a few photos show, so that what none of them shows does not look black."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .bilinear import sample_bilinear
from .features import Views
from .gaussians import GaussianCloud

_BLUR = 8


@dataclass(frozen=True)
class BackdropConfig:
    """A sphere around the cameras, coloured as the margins of the photos continue (ours)."""

    distance: float = 2.0
    """Its radius, by the distance of the farthest point known."""
    spacing: float = 0.05
    """Radians between its Gaussians."""
    reach: float = 1.0
    """How far beyond a photo's margin there is still one, in photos' widths."""
    softness: float = 0.1
    """How fast a photo's say fades beyond its margin, in photos' widths."""
    opacity: float = 0.95


def backdrop(views: Views, points: Float[Tensor, "p 3"], config: BackdropConfig) -> GaussianCloud:
    """Large Gaussians behind everything, where photos or their surroundings look.

    Each takes its colour from the blurred photos: from the pixel in which a photo shows it, or from the nearest one of the
    photo's margin. Photos count less the farther beyond their margin it lies.

    Args:
        views: The training photos.
        points: All that is known to stand in front of it.
        config: Where, and how dense.
    """
    cameras = views.cameras
    center = cameras.centers.mean(0)
    radius = config.distance * max(float((points - center).norm(dim=1).quantile(0.99)), 1e-6)
    count = math.ceil(4 * math.pi / config.spacing**2)
    places = center + radius * _sphere(count).to(center)
    projection = cameras.project(places)
    size = center.new_tensor([cameras.width, cameras.height])
    edge = torch.minimum(projection.pixels.clamp_min(0), size)
    beyond = (projection.pixels - edge).norm(dim=-1) / float(size[0])
    in_front = (projection.depth_z > 0) & beyond.isfinite()
    colors = _blurred(views, torch.where(in_front[..., None], edge, torch.zeros_like(edge)))
    weight = torch.where(in_front, torch.exp(-beyond / config.softness), torch.zeros_like(beyond))
    near = (in_front & (beyond <= config.reach)).any(0)
    total = (weight[..., None] * colors).sum(0) / weight.sum(0).clamp_min(1e-12)[:, None]
    cloud = GaussianCloud.from_points(places[near], total[near].clamp(0, 1), sh_degree=0, opacity=config.opacity)
    size_log = math.log(0.6 * config.spacing * radius)
    return GaussianCloud(
        cloud.means, cloud.quats, torch.full_like(cloud.log_scales, size_log), cloud.opacity_logits, cloud.sh
    )


def _blurred(views: Views, pixels: Float[Tensor, "n p 2"]) -> Float[Tensor, "n p 3"]:
    height, width = views.photos.shape[1:3]
    small = (max(height // _BLUR, 1), max(width // _BLUR, 1))
    photos = functional.interpolate(views.channels_first, size=small, mode="area")
    return sample_bilinear(photos, pixels * pixels.new_tensor([small[1] / width, small[0] / height]))


def _sphere(count: int) -> Float[Tensor, "p 3"]:
    """Unit vectors spread evenly."""
    i = torch.arange(count, dtype=torch.float64)
    z = 1 - (2 * i + 1) / count
    angle = i * math.pi * (3 - math.sqrt(5))
    ring = (1 - z * z).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], -1)
