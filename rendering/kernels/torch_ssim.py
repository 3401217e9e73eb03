"""Structural similarity, the readable reference: plain torch on any device, gradients by autograd."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

WINDOW = 11
"""Pixels along a side of the window."""
SIGMA = 1.5
"""Standard deviation of the window's weights in pixels."""
C1, C2 = 0.01**2, 0.03**2
"""Guards against small denominators, for images in 0..1."""


def why_unusable(device: torch.device) -> str | None:
    """Always usable."""
    return None


def window_weights(size: int = WINDOW, sigma: float = SIGMA) -> Float[Tensor, "k"]:
    """Weights of a Gaussian window along one axis; their sum is 1."""
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    weights = (-(offsets**2) / (2 * sigma**2)).exp()
    return weights / weights.sum()


def ssim(image: Float[Tensor, "n h w c"], target: Float[Tensor, "n h w c"]) -> Float[Tensor, "n"]:
    """Mean of the similarity over pixels and channels; beyond its borders an image is 0. Half precisions become single."""
    if image.dtype in (torch.float16, torch.bfloat16):
        return ssim(image.float(), target.float()).to(image.dtype)
    x, y = image.movedim(-1, 1), target.movedim(-1, 1)
    weights = window_weights().to(x)
    kernel = torch.outer(weights, weights).repeat(x.shape[1], 1, 1, 1)

    def mean(values: Tensor) -> Tensor:
        return functional.conv2d(values, kernel, padding=WINDOW // 2, groups=x.shape[1])

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    numerator = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    return (numerator / ((mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2))).mean((1, 2, 3))
