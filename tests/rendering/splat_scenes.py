"""Small Gaussians and cameras, and the slow, obvious way to make images of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from trisparse.rendering.gaussians import rotation_matrices
from trisparse.rendering.harmonics import colors_from_harmonics


@dataclass(frozen=True)
class SplatScene:
    """Arguments of ``rasterization``."""

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor
    viewmats: Tensor
    Ks: Tensor
    width: int
    height: int

    def arguments(self) -> dict[str, Any]:
        """By name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to(self, dtype: torch.dtype) -> SplatScene:
        """In another precision."""
        changed: dict[str, Any] = {k: v.to(dtype) for k, v in self.arguments().items() if isinstance(v, Tensor)}
        return replace(self, **changed)

    def with_grad(self) -> SplatScene:
        """Copies of everything differentiable, as leaves."""
        names = ("means", "quats", "scales", "opacities", "colors", "viewmats")
        return replace(self, **{name: getattr(self, name).detach().clone().requires_grad_() for name in names})


def random_scene(
    g: int = 60, c: int = 2, width: int = 37, height: int = 21, harmonics: int = 4, seed: int = 0
) -> SplatScene:
    """Gaussians of all sizes before slightly turned cameras; some behind them, some beside the image."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    means = normal(g, 3) * torch.tensor([0.9, 0.7, 1.6], dtype=torch.float64) + torch.tensor([0.0, 0.0, 3.0])
    viewmats = torch.eye(4, dtype=torch.float64).repeat(c, 1, 1)
    for view in viewmats:
        view[:3, :3] = rotation_matrices(torch.tensor([1.0, 0, 0, 0], dtype=torch.float64) + 0.1 * normal(4))
        view[:3, 3] = 0.1 * normal(3)
    K = torch.tensor([[30.0, 0, 17.0], [0, 28.0, 11.5], [0, 0, 1]], dtype=torch.float64).repeat(c, 1, 1)
    opacities = torch.rand(g, generator=random, dtype=torch.float64)
    scales = torch.exp(0.6 * normal(g, 3) - 2.2)
    return SplatScene(means, normal(g, 4), scales, opacities, 0.3 * normal(g, harmonics, 3), viewmats, K, width, height)


def brute_force(scene: SplatScene, sh_degree: int, camera: int, *, eps2d: float = 0.3) -> tuple[Tensor, Tensor, Tensor]:
    """Colour, alpha and accumulated depth of one image: all Gaussians in every pixel, one after the other."""
    view, K = scene.viewmats[camera], scene.Ks[camera]
    rotation, shift = view[:3, :3], view[:3, 3]
    center = -rotation.T @ shift
    splats = []
    for i in range(len(scene.means)):
        x, y, z = (rotation @ scene.means[i] + shift).tolist()
        if not z > 0.01:
            continue
        fx, fy, cx, cy = K[0, 0].item(), K[1, 1].item(), K[0, 2].item(), K[1, 2].item()
        tan_x, tan_y = scene.width / (2 * fx), scene.height / (2 * fy)
        sx = min(max(x / z, -(cx / fx + 0.3 * tan_x)), (scene.width - cx) / fx + 0.3 * tan_x)
        sy = min(max(y / z, -(cy / fy + 0.3 * tan_y)), (scene.height - cy) / fy + 0.3 * tan_y)
        jacobian = torch.tensor([[fx / z, 0, -fx * sx / z], [0, fy / z, -fy * sy / z]], dtype=torch.float64)
        axes = rotation_matrices(scene.quats[i]) @ torch.diag(scene.scales[i])
        covariance = jacobian @ rotation @ axes @ axes.T @ rotation.T @ jacobian.T + eps2d * torch.eye(2).double()
        color = colors_from_harmonics(scene.colors[i], scene.means[i] - center, sh_degree)
        splats.append((z, (fx * x / z + cx, fy * y / z + cy), covariance.inverse(), float(scene.opacities[i]), color))
    splats.sort(key=lambda splat: splat[0])
    image = torch.zeros(scene.height, scene.width, 3, dtype=torch.float64)
    alphas, depths = torch.zeros_like(image[..., :1]), torch.zeros_like(image[..., :1])
    for row in range(scene.height):
        for column in range(scene.width):
            light = 1.0
            for z, (u, v), conic, opacity, color in splats:
                offset = torch.tensor([u - column - 0.5, v - row - 0.5], dtype=torch.float64)
                alpha = min(0.99, opacity * math.exp(-0.5 * float(offset @ conic @ offset)))
                if alpha < 1 / 255:
                    continue
                if light * (1 - alpha) <= 1e-4:
                    break
                image[row, column] += alpha * light * color
                depths[row, column] += alpha * light * z
                light *= 1 - alpha
            alphas[row, column] = 1 - light
    return image, alphas, depths
