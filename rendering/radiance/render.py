"""Rays through a radiance field: where to sample it, what they see, and how that changes as they move."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import ShapeMismatch
from ...data.rays import Rays
from .field import RadianceField
from .marching import march
from .occupancy import OccupancyGrid
from .samples import RaySamples
from .steps import MarchingSteps
from .tangents import Moving
from .volume import RenderedRays, composite, composite_tangent, visible_samples


@dataclass(frozen=True)
class Visibility:
    """Which samples are worth the colours."""

    early_stop_eps: float = 1e-4
    """Least part of the light that reaches a sample."""
    alpha_threshold: float = 0.0
    """Least part of that light which it holds back."""


@dataclass(frozen=True, eq=False)
class MovingRays:
    """Rays and how fast they move, by whatever parameter (of event cameras: time)."""

    rays: Rays
    origins_rate: Float[Tensor, "_ 3"]
    directions_rate: Float[Tensor, "_ 3"]

    def __post_init__(self) -> None:
        if not self.rays.origins.shape == self.origins_rate.shape == self.directions_rate.shape:
            raise ShapeMismatch(
                f"{len(self.rays)} rays with rates {tuple(self.origins_rate.shape)} and {tuple(self.directions_rate.shape)}; "
                "give one each a ray"
            )


def sample_rays(
    field: RadianceField,
    rays: Rays,
    grid: OccupancyGrid,
    steps: MarchingSteps,
    jitter: Float[Tensor, "r"] | None = None,
    *,
    visibility: Visibility | None = None,
    backend: str = "auto",
) -> RaySamples:
    """Intervals of rays in occupied space, without those that the field itself hides.

    Args:
        field: Asked for densities, without gradients.
        rays: World frame, unit directions.
        grid: What is occupied.
        steps: Their lengths.
        jitter: See :func:`trisparse.rendering.radiance.marching.march`.
        visibility: Which samples are left out; None: none, and the field is not asked.
        backend: Of marching and transmittance.
    """
    samples = march(rays, grid, steps, jitter, backend=backend)
    if visibility is None or not len(samples):
        return samples
    with torch.no_grad():
        sigma = field.density(samples.positions(rays.origins, rays.directions))
    return samples.where(
        visible_samples(
            sigma,
            samples,
            early_stop_eps=visibility.early_stop_eps,
            alpha_threshold=visibility.alpha_threshold,
            backend=backend,
        )
    )


def render(
    field: RadianceField,
    rays: Rays,
    samples: RaySamples,
    background: Float[Tensor, "c"] | None = None,
    *,
    backend: str = "auto",
) -> RenderedRays:
    """What rays see; differentiable in rays, field and background, at fixed distances of the samples.

    Args:
        field: Asked for densities and intensities.
        rays: World frame, unit directions.
        samples: Theirs, see :func:`sample_rays`.
        background: What is seen through the rest; None: black.
        backend: Of the compositing; the field knows its own.
    """
    samples.check_rays(rays)
    sigma, rgb = field(samples.positions(rays.origins, rays.directions), rays.directions, samples.ray_indices)
    return composite(sigma, rgb, samples, background, backend=backend)


def render_tangent(
    field: RadianceField,
    moving: MovingRays,
    samples: RaySamples,
    background: Float[Tensor, "c"] | None = None,
    *,
    backend: str = "auto",
) -> tuple[RenderedRays, RenderedRays]:
    """What moving rays see, and how fast it changes, at fixed distances of the samples.

    The derivative is carried forwards, so that one ordinary backward gives the complete gradient of both results by field,
    background, rays and rates, second derivatives of the field included.
    """
    rays = moving.rays
    samples.check_rays(rays)
    positions = Moving(
        samples.positions(rays.origins, rays.directions), samples.positions(moving.origins_rate, moving.directions_rate)
    )
    directions = Moving(rays.directions, moving.directions_rate)
    emission = field.moving(positions, directions, samples.ray_indices)
    return composite_tangent(emission.sigma, emission.rgb, samples, background, backend=backend)
