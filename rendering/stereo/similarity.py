"""How alike two photos are around each pixel: zero-mean normalised cross-correlation over square windows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .warping import PairWarp, warp

NOISE_VARIANCE = 1e-5
"""Added to variances of grey values (0..1): a window that varies by less than 0.003 shows noise, not texture."""
_CHUNK = 8
"""Planes at once: enough to keep the processor busy, few enough for its cache."""


def box_mean(values: Float[Tensor, "*n h w"], radius: int) -> Float[Tensor, "*n h w"]:
    """Mean over windows of ``2 radius + 1`` pixels a side; at the border over what there is of them."""
    height, width = values.shape[-2:]
    sums = _window_sums(_window_sums(values, radius, -1), radius, -2)
    return sums / (_window_sizes(height, radius, values)[:, None] * _window_sizes(width, radius, values))


def _window_sums(values: Tensor, radius: int, dim: int) -> Tensor:
    # Sums of runs that double in length: log2 additions, and not the rounding of running sums.
    n, left = values.shape[dim], 2 * radius + 1
    run = torch.nn.functional.pad(values, (radius, radius) if dim == -1 else (0, 0, radius, radius))
    total, start, length = torch.zeros_like(values), 0, 1
    while left:
        if left & 1:
            total = total + run.narrow(dim, start, n)
            start += length
        left >>= 1
        if left:
            rest = run.shape[dim] - length
            run = run.narrow(dim, 0, rest) + run.narrow(dim, length, rest)
            length *= 2
    return total


def _window_sizes(n: int, radius: int, like: Tensor) -> Float[Tensor, "n"]:
    at = torch.arange(n, device=like.device)
    return ((at + radius).clamp_max(n - 1) - (at - radius).clamp_min(0) + 1).to(like.dtype)


@dataclass(frozen=True, eq=False)
class Windows:
    """A grey photo with the means and variances of its windows."""

    image: Float[Tensor, "h w"]
    mean: Float[Tensor, "h w"]
    variance: Float[Tensor, "h w"]
    radius: int

    @classmethod
    def of(cls, image: Float[Tensor, "h w"], radius: int) -> Windows:
        """Measure all windows."""
        image = image - 0.5  # smaller numbers, less rounding
        mean = box_mean(image, radius)
        return cls(image, mean, (box_mean(image * image, radius) - mean * mean).clamp_min(0), radius)

    def correlation(self, other: Float[Tensor, "d h w"]) -> Float[Tensor, "d h w"]:
        """Normalised cross-correlation with other photos, -1..1, near 0 where either shows no texture."""
        other = other - 0.5
        mean = box_mean(other, self.radius)
        variance = (box_mean(other * other, self.radius) - mean * mean).clamp_min(0)
        covariance = box_mean(other * self.image, self.radius) - mean * self.mean
        return covariance * torch.rsqrt((self.variance + NOISE_VARIANCE) * (variance + NOISE_VARIANCE))


def sweep(
    reference: Windows, sources: list[Float[Tensor, "h w"]], ways: list[PairWarp], inverse_depth: Float[Tensor, "d"]
) -> Float[Tensor, "d h w"]:
    """Similarity of a photo with the others as seen through planes: -1..1, and -1 where no other photo shows the place."""
    found = []
    for planes in inverse_depth.split(_CHUNK):
        seen = [warp(source, way, planes[:, None, None]) for source, way in zip(sources, ways, strict=True)]
        found.append(best_half([torch.where(s.valid, reference.correlation(s.image), -2.0) for s in seen]))
    return torch.cat(found)


def best_half(similarities: list[Float[Tensor, "*n"]]) -> Float[Tensor, "*n"]:
    """Mean of the better half of the sources that see a pixel, as others may be hidden from it.

    Args:
        similarities: One for each source; -2 where it does not see the pixel.

    Returns:
        -1..1, and -1 where no source does.
    """
    ordered = list(similarities)
    for last in range(len(ordered) - 1, 0, -1):  # a bubble sort of whole images
        for i in range(last):
            pair = ordered[i], ordered[i + 1]
            ordered[i], ordered[i + 1] = torch.maximum(*pair), torch.minimum(*pair)
    total = ordered[0]
    for rank in range(1, (len(ordered) + 1) // 2):
        # The value of this rank belongs to the better half if at least 2 rank + 1 sources see the pixel.
        counts = ordered[2 * rank] > -2
        total = torch.where(counts, (total * rank + ordered[rank]) / (rank + 1), total)
    return total.clamp_min(-1)
