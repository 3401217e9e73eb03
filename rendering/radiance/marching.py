"""Where to sample rays: steps through occupied space (nerfacc 0.3.1), and through what of it can be seen."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.backend import Op
from ...core.errors import InvalidInput, ShapeMismatch
from ...data.rays import Rays
from .kernels.torch_marching import March
from .occupancy import OccupancyGrid
from .samples import RaySamples
from .steps import MarchingSteps

MARCH = Op(
    "march_rays",
    {
        "numba": "trisparse.rendering.radiance.kernels.numba_marching:march",
        "torch": "trisparse.rendering.radiance.kernels.torch_marching:march",
    },
)
MISS = 1e10
"""Distance at which a ray that misses the box meets it."""
MOST_STEPS = 1 << 20


def ray_box(rays: Rays, aabb: Float[Tensor, "6"]) -> tuple[Float[Tensor, "r"], Float[Tensor, "r"]]:
    """Distances at which rays enter and leave a box, metres; 0 for the entry of a ray that begins inside or beyond.

    A ray that misses the box has :data:`MISS` twice.
    """
    first = (aabb[:3].to(rays.origins) - rays.origins) / rays.directions
    second = (aabb[3:].to(rays.origins) - rays.origins) / rays.directions
    # On a face of the box and along it, 0 / 0: such a ray is no more outside than inside.
    low = torch.minimum(first, second).nan_to_num(-torch.inf, torch.inf, -torch.inf).amax(1)
    high = torch.maximum(first, second).nan_to_num(torch.inf, torch.inf, -torch.inf).amin(1)
    missed = low > high
    return low.clamp_min(0).masked_fill(missed, MISS), high.masked_fill(missed, MISS)


def march(
    rays: Rays,
    grid: OccupancyGrid,
    steps: MarchingSteps,
    jitter: Float[Tensor, "_"] | None = None,
    *,
    backend: str = "auto",
) -> RaySamples:
    """Intervals of rays whose middles lie in occupied cells. Not differentiable.

    Inside the box steps have the length of :class:`MarchingSteps`, and empty cells are left in whole steps; where space is
    contracted, rays go on from step to step.

    Args:
        rays: World frame, unit directions.
        grid: What is occupied.
        steps: Their lengths.
        jitter: By which part of a step (0..1) each ray begins later; None: none.
        backend: ``numba`` (CPU), ``torch`` or ``auto``.

    Raises:
        InvalidInput: A ray would take more than a million steps.
    """
    t_min, t_max = _limits(rays, grid, steps)
    if jitter is not None:
        if jitter.shape != (len(rays),):
            raise ShapeMismatch(f"jitter of shape {tuple(jitter.shape)} for {len(rays)} rays; give one number each")
        t_min = t_min + jitter.double() * steps.step
    task = March(
        rays.origins.detach(),
        rays.directions.detach(),
        t_min,
        t_max,
        grid.aabb,
        grid.contraction,
        grid.occupied,
        grid.occupied_blocks,
        steps.step,
        steps.cone_angle,
    )
    t_starts, t_ends, ray_indices = MARCH.pick(rays.origins.device, backend)(task)
    dtype = rays.origins.dtype
    return RaySamples(t_starts.to(dtype), t_ends.to(dtype), ray_indices, len(rays))


def _limits(rays: Rays, grid: OccupancyGrid, steps: MarchingSteps) -> tuple[Tensor, Tensor]:
    origins, directions = rays.origins.detach().double(), rays.directions.detach().double()
    if grid.contraction == "aabb":
        t_min, t_max = ray_box(Rays(origins, directions), grid.aabb)
    else:
        t_min, t_max = origins.new_zeros(len(origins)), origins.new_full((len(origins),), MISS)
    if steps.near is not None:
        t_min = t_min.clamp_min(steps.near)
    if steps.far is not None:
        t_max = t_max.clamp_max(steps.far)
    longest = float((t_max - t_min).amax()) if len(rays) else 0.0
    if steps.most_steps(longest) > MOST_STEPS:
        raise InvalidInput(
            f"a ray of {longest:.3g} m would take more than {MOST_STEPS} steps of {steps.step} m; give a far distance, longer "
            "steps or a cone angle"
        )
    return t_min, t_max
