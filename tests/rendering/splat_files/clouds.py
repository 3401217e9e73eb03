"""Gaussians to write into files."""

from __future__ import annotations

import torch
from torch import Tensor
from trisparse.rendering.gaussians import GaussianCloud, rotation_matrices

PARTS = ("means", "quats", "log_scales", "opacity_logits", "sh")


def random_cloud(n: int, degree: int = 3, seed: int = 0) -> GaussianCloud:
    """Gaussians of all sizes and directions, colours within what bytes can hold."""
    generator = torch.Generator().manual_seed(seed)

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    return GaussianCloud(
        between(-40, 40, n, 3),
        torch.randn(n, 4, generator=generator),
        between(-7, 1, n, 3),
        between(-5, 5, n),
        torch.cat([between(-1.7, 1.7, n, 1, 3), between(-0.9, 0.9, n, (degree + 1) ** 2 - 1, 3)], 1),
    )


def recorded_cloud(degree: int) -> GaussianCloud:
    """Of which Niantic's implementation wrote the recorded files."""
    j = torch.arange(4.0)
    sh = 0.9 * (torch.arange(4 * (degree + 1) ** 2 * 3.0) * 0.37).sin().reshape(4, (degree + 1) ** 2, 3)
    sh[:, 0] *= 2
    return GaussianCloud(
        torch.stack([40 - 17.3 * j, 0.01 * j - 3, 2.5 * (-1) ** j], 1),
        torch.tensor([[1.0, 0, 0, 0], [0.1, -0.8, 0.3, 0.5], [-0.4, 0.2, -0.1, 0.89], [0.5, 0.5, -0.7, -0.1]]),
        torch.tensor([[-3.0, -4.2, -6.1], [0, 1, -9.5], [-2.2, -2.2, -2.2], [5.5, -1, -7]]),
        torch.tensor([-6.0, -0.3, 0.8, 7.0]),
        sh,
    )


def assert_same(found: GaussianCloud, expected: GaussianCloud) -> None:
    """To the bit."""
    for name in PARTS:
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


def rotation_error(found: GaussianCloud, expected: GaussianCloud) -> float:
    """Greatest difference of two clouds' rotation matrices."""
    return float((rotation_matrices(found.quats) - rotation_matrices(expected.quats)).abs().max())
