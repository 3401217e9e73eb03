"""Photos that Gaussians themselves made, to fit others to."""

from __future__ import annotations

import torch
from trisparse.data.cameras import Cameras
from trisparse.data.posed_images import PosedImages
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.rasterize import rasterization


def ring_of_cameras(n: int = 4, width: int = 32, height: int = 24) -> Cameras:
    """Cameras on an arc that look at the origin."""
    angles = torch.linspace(-0.5, 0.5, n)
    centers = torch.stack([2 * angles.sin(), -2 * angles.cos(), torch.full((n,), 0.4)], 1)
    K = torch.tensor([[30.0, 0, width / 2], [0, 30.0, height / 2], [0, 0, 1]]).repeat(n, 1, 1)
    return Cameras.looking_at(centers, torch.zeros(3), K, width=width, height=height)


def some_gaussians(g: int = 60, seed: int = 0, sh_degree: int = 0) -> GaussianCloud:
    """A heap around the origin."""
    random = torch.Generator().manual_seed(seed)
    points, colors = 0.35 * torch.randn(g, 3, generator=random), torch.rand(g, 3, generator=random)
    return GaussianCloud.from_points(points, colors, sh_degree=sh_degree, opacity=0.6)


def photos_of(cloud: GaussianCloud, cameras: Cameras) -> PosedImages:
    """What the cameras see."""
    images, _, _ = rasterization(
        cloud.means,
        cloud.quats,
        cloud.scales,
        cloud.opacities,
        cloud.sh,
        cameras.camera_from_world,
        cameras.K,
        cameras.width,
        cameras.height,
        sh_degree=cloud.sh_degree,
    )
    return PosedImages.from_tensors(cameras, images.clamp(0, 1))
