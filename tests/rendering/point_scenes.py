"""A few points, photos of noise that look at them, and networks whose weights are no longer the first ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from trisparse.data.cameras import Cameras
from trisparse.rendering.features import Views
from trisparse.rendering.gaussians import GaussianCloud


def rng(seed: int = 0) -> torch.Generator:
    """Random numbers for tests."""
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers in double precision."""
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


def cloud_of(g: int = 40, seed: int = 0, sh_degree: int = 1, dtype: torch.dtype = torch.float64) -> GaussianCloud:
    """Gaussians around the origin with parameters of all kinds."""
    base = GaussianCloud.from_points(0.4 * noise(g, 3, seed=seed), noise(g, 3, seed=seed + 1).sigmoid())
    sh = 0.3 * noise(g, (sh_degree + 1) ** 2, 3, seed=seed + 2)
    quats, logits = noise(g, 4, seed=seed + 3), noise(g, seed=seed + 4)
    return GaussianCloud(base.means, quats, base.log_scales, logits, sh).to(dtype)


def views_of(n: int = 3, width: int = 24, height: int = 18, dtype: torch.dtype = torch.float64, seed: int = 0) -> Views:
    """Photos of smooth noise, from an arc around the origin."""
    angles = torch.linspace(-0.5, 0.5, n, dtype=torch.float64) if n > 1 else torch.zeros(1, dtype=torch.float64)
    centers = torch.stack([2 * angles.sin(), -2 * angles.cos(), torch.full_like(angles, 0.4)], 1)
    K = torch.tensor([[22.0, 0, width / 2], [0, 22.0, height / 2], [0, 0, 1]], dtype=torch.float64).repeat(n, 1, 1)
    cameras = Cameras.looking_at(centers, torch.zeros(3, dtype=torch.float64), K, width=width, height=height)
    coarse = torch.rand(n, 3, 5, 5, generator=rng(seed), dtype=torch.float64)
    photos = nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)
    return Views(photos.permute(0, 2, 3, 1).to(dtype), cameras.to(dtype))


def shaken(module: nn.Module, amount: float = 0.1, seed: int = 7) -> nn.Module:
    """Move all weights a little, so that none of them is 0."""
    generator = rng(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += amount * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return module


def gradients(module: nn.Module) -> list[Tensor]:
    """Of all weights, zeros where none came."""
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in module.parameters()]
