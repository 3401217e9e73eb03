"""Volume rendering in plain torch: the readable reference, differentiable to any order and by forward mode."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..samples import RaySamples


class Composite(NamedTuple):
    """Sums over the samples of each ray, and the samples' weights in them."""

    colors: Float[Tensor, "r c"]
    opacity: Float[Tensor, "r"]
    distance_sum: Float[Tensor, "r"]
    """Distances times weights, metres."""
    weights: Float[Tensor, "s"]


def why_unusable(device: torch.device) -> str | None:
    """Runs everywhere."""
    return None


def composite(sigma: Float[Tensor, "s"], rgb: Float[Tensor, "s c"], samples: RaySamples) -> Composite:
    """See :func:`trisparse.rendering.radiance.volume.composite`."""
    optical = sigma * samples.steps.to(sigma)
    weights = transmittance(optical, samples) * -torch.expm1(-optical)
    parts = torch.cat([rgb, torch.ones_like(rgb[:, :1]), samples.midpoints.to(rgb)[:, None]], 1)
    sums = parts.new_zeros(samples.n_rays, parts.shape[1]).index_add(0, samples.ray_indices, weights[:, None] * parts)
    return Composite(sums[:, :-2], sums[:, -2], sums[:, -1], weights)


def composite_tangent(
    sigma: Float[Tensor, "s"],
    sigma_tangent: Float[Tensor, "s"],
    rgb: Float[Tensor, "s c"],
    rgb_tangent: Float[Tensor, "s c"],
    samples: RaySamples,
) -> tuple[Composite, Composite]:
    """See :func:`trisparse.rendering.radiance.volume.composite_tangent`."""
    steps = samples.steps.to(sigma)
    optical, change = sigma * steps, sigma_tangent * steps
    left, passed = transmittance(optical, samples), torch.exp(-optical)
    weights = left * -torch.expm1(-optical)
    slopes = left * passed * change - weights * _sum_before(change, samples)
    parts = torch.cat([rgb, torch.ones_like(rgb[:, :1]), samples.midpoints.to(rgb)[:, None]], 1)
    moved = weights[:, None] * torch.nn.functional.pad(rgb_tangent, (0, 2)) + slopes[:, None] * parts
    rays, nothing = samples.ray_indices, parts.new_zeros(samples.n_rays, parts.shape[1])
    sums, rates = nothing.index_add(0, rays, weights[:, None] * parts), nothing.index_add(0, rays, moved)
    return (
        Composite(sums[:, :-2], sums[:, -2], sums[:, -1], weights),
        Composite(rates[:, :-2], rates[:, -2], rates[:, -1], slopes),
    )


def visible(sigma: Float[Tensor, "s"], samples: RaySamples, eps: float, alpha_threshold: float) -> Bool[Tensor, "s"]:
    """See :func:`trisparse.rendering.radiance.volume.visible_samples`."""
    optical = sigma * samples.steps.to(sigma)
    return (transmittance(optical, samples) >= eps) & (-torch.expm1(-optical) >= alpha_threshold)


def transmittance(optical: Float[Tensor, "s"], samples: RaySamples) -> Float[Tensor, "s"]:
    """The light that reaches each sample from the camera, 0..1, given the optical thickness of all samples."""
    return torch.exp(-_sum_before(optical, samples))


def _sum_before(values: Tensor, samples: RaySamples) -> Tensor:
    """For each sample the sum of the values of those before it on its ray.

    Rays are filled up to the same length: sums over all rays at once would cancel badly.
    """
    if not len(samples):
        return values
    starts = samples.starts
    longest = int((starts[1:] - starts[:-1]).max())
    place = torch.arange(len(samples), device=values.device) - starts[samples.ray_indices]
    slots = samples.ray_indices * (longest + 1) + place + 1  # moved by one: each sees what came before
    filled = values.new_zeros(samples.n_rays * (longest + 1)).index_put((slots,), values)
    return filled.view(-1, longest + 1).cumsum(1).flatten()[slots - 1]
