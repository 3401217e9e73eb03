"""Which cells of space hold anything: a grid that training keeps up to date, so that rays skip what is empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ...core.errors import InvalidInput, ShapeMismatch
from .contraction import Contraction, check_aabb, uncontract
from .steps import MarchingSteps, step_sizes

BLOCK = 8
"""Cells a side of a block, which rays leave at once if it is empty."""


@dataclass(frozen=True)
class OccupancySchedule:
    """When and how the grid follows the field (nerfacc 0.3.1)."""

    every: int = 16
    """Training steps from one update to the next, the first of which comes at step 0."""
    warmup: int = 256
    """Before this step all cells are looked at, then a quarter drawn from all and as many from the occupied."""
    threshold: float = 0.01
    """Occupied is what exceeds this, or the mean over all cells if that is less."""
    decay: float = 0.95
    """By which what is remembered fades at an update."""

    def is_due(self, training_step: int) -> bool:
        """Whether there is an update at a training step, counted from 0."""
        return training_step % self.every == 0


@dataclass(frozen=True, eq=False)
class CellDraws:
    """Where an update looks at the field."""

    cells: Int64[Tensor, "m"]
    """Numbers of cells, z fastest; a cell may come twice."""
    jitter: Float[Tensor, "m 3"]
    """Where in their cell, 0..1."""


@dataclass(frozen=True, eq=False)
class OccupancyGrid:
    """Occupancy of the unit cube into which a contraction maps space. Updates return a new grid."""

    aabb: Float[Tensor, "6"]
    """The box that the contraction maps into the cube; smallest x, y, z, then largest."""
    contraction: Contraction
    occupancy: Float[Tensor, "x y z"]
    """Density times step, the largest of late."""
    occupied: Bool[Tensor, "x y z"]

    def __post_init__(self) -> None:
        check_aabb(self.aabb)
        if self.occupancy.ndim != 3 or 0 in self.occupancy.shape or self.occupied.shape != self.occupancy.shape:
            raise ShapeMismatch(
                f"occupancy {tuple(self.occupancy.shape)} and occupied {tuple(self.occupied.shape)}; expected the same "
                "(x, y, z), none of them 0"
            )

    @cached_property
    def occupied_blocks(self) -> Bool[Tensor, "a b c"]:
        """Whether anything is occupied in each block of :data:`BLOCK` cells a side; those at the far ends may be smaller."""
        cells = self.occupied[None].float()
        return torch.nn.functional.max_pool3d(cells, BLOCK, ceil_mode=True)[0] > 0

    @classmethod
    def empty(cls, aabb: Float[Tensor, "6"], contraction: Contraction, resolution: int) -> OccupancyGrid:
        """Before training: nothing known, nothing occupied."""
        shape = (resolution, resolution, resolution)
        return cls(aabb, contraction, aabb.new_zeros(shape), torch.zeros(shape, dtype=torch.bool, device=aabb.device))

    @classmethod
    def full(cls, aabb: Float[Tensor, "6"], contraction: Contraction) -> OccupancyGrid:
        """One occupied cell: nothing is skipped."""
        return cls(aabb, contraction, aabb.new_ones(1, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool, device=aabb.device))

    def draw(self, training_step: int, schedule: OccupancySchedule, generator: torch.Generator) -> CellDraws:
        """Cells to look at, by the schedule."""
        device, count = self.occupancy.device, self.occupancy.numel()
        if training_step < schedule.warmup:
            cells = torch.arange(count)
        else:
            cells = torch.randint(count, (count // 4,), generator=generator)
            occupied = self.occupied.flatten().nonzero()[:, 0].cpu()
            if len(occupied) > count // 4:
                occupied = occupied[torch.randint(len(occupied), (count // 4,), generator=generator)]
            cells = torch.cat([cells, occupied])
        return CellDraws(cells.to(device), torch.rand(len(cells), 3, generator=generator).to(self.aabb))

    def reachable(self, draws: CellDraws) -> CellDraws:
        """Those draws that lie where a contraction maps something: for ``sphere`` the ball in the cube."""
        if self.contraction != "sphere":
            return draws
        kept = (self._unit(draws) - 0.5).norm(dim=1) < 0.5
        return CellDraws(draws.cells[kept], draws.jitter[kept])

    def points(self, draws: CellDraws) -> Float[Tensor, "m 3"]:
        """Where the draws lie in the world."""
        return uncontract(self._unit(draws), self.aabb, self.contraction)

    def updated(self, draws: CellDraws, occupancy: Float[Tensor, "_"], schedule: OccupancySchedule) -> OccupancyGrid:
        """The grid after the field was looked at.

        Args:
            draws: Where.
            occupancy: Density times step there; of a cell that comes twice the larger counts.
            schedule: Decay and threshold.
        """
        if occupancy.shape != draws.cells.shape:
            raise ShapeMismatch(f"{len(occupancy)} values for {len(draws.cells)} cells; give one each")
        flat = self.occupancy.flatten()
        faded = flat.index_copy(0, draws.cells, flat[draws.cells] * schedule.decay)
        flat = faded.scatter_reduce(0, draws.cells, occupancy.to(flat), "amax")
        occupied = flat > flat.mean().clamp(max=schedule.threshold)
        shape = self.occupancy.shape
        return replace(self, occupancy=flat.view(shape), occupied=occupied.view(shape))

    def _unit(self, draws: CellDraws) -> Float[Tensor, "m 3"]:
        _, y, z = self.occupancy.shape
        cells = draws.cells
        corner = torch.stack([cells // (y * z), cells // z % y, cells % z], 1)
        return (corner + draws.jitter) / corner.new_tensor(self.occupancy.shape)


def refresh(
    grid: OccupancyGrid,
    density: Callable[[Tensor], Tensor],
    training_step: int,
    schedule: OccupancySchedule,
    steps: MarchingSteps,
    generator: torch.Generator,
    camera_centers: Float[Tensor, "c 3"] | None = None,
) -> OccupancyGrid:
    """One update at a training step: draw cells, ask the field there, keep what is larger.

    Args:
        grid: So far.
        density: Of the field, at positions.
        training_step: Counted from 0.
        schedule: When and how.
        steps: As rays are marched.
        generator: Draws cells, places in them and cameras.
        camera_centers: Needed where steps grow or end; each point is seen from one of them, drawn at random.
    """
    draws = grid.reachable(grid.draw(training_step, schedule, generator))
    points = grid.points(draws)
    lengths = points.new_full((len(points),), steps.step)
    if steps.depends_on_distance:
        if camera_centers is None or not len(camera_centers):
            raise InvalidInput("steps that depend on the distance need camera_centers; give those of the recording")
        drawn = torch.randint(len(camera_centers), (len(points),), generator=generator).to(points.device)
        lengths = step_sizes(points, camera_centers[drawn].to(points), steps)
    with torch.no_grad():
        return grid.updated(draws, density(points) * lengths, schedule)
