"""Marching: the original's samples, and laws that all backends keep."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.rays import Rays
from trisparse.rendering.radiance.contraction import Contraction, contract
from trisparse.rendering.radiance.marching import MISS, march, ray_box
from trisparse.rendering.radiance.occupancy import OccupancyGrid
from trisparse.rendering.radiance.samples import RaySamples
from trisparse.rendering.radiance.steps import MarchingSteps
from trisparse.rendering.radiance.volume import visible_samples

from .radiance_scenes import AABB, BACKENDS, inward_rays, random, recorded

WIDE = MarchingSteps(0.05, 0.02, 0.05, 12.0)
CASES: dict[str, tuple[Contraction, MarchingSteps, bool]] = {
    "box": ("aabb", MarchingSteps(0.05), False),
    "box_jitter": ("aabb", MarchingSteps(0.05), True),
    "box_near_far": ("aabb", MarchingSteps(0.05, near=3.0, far=4.5), False),
    "box_cone": ("aabb", MarchingSteps(0.03, 0.02), False),
    "sphere": ("sphere", WIDE, False),
    "sphere_jitter": ("sphere", WIDE, True),
    "tanh": ("tanh", WIDE, False),
}
"""Contraction, steps, whether jittered."""


def _checkered(contraction: Contraction = "aabb", side: int = 6, seed: int = 0) -> OccupancyGrid:
    occupied = torch.rand(side, side + 1, side + 2, generator=torch.Generator().manual_seed(seed)) < 0.3
    return OccupancyGrid(AABB, contraction, occupied.double(), occupied)


def _original(known: dict[str, Tensor], contraction: Contraction) -> tuple[Rays, OccupancyGrid]:
    rays = Rays(known["ray_origin"], known["ray_direction"])
    return rays, OccupancyGrid(known["aabb"], contraction, known["occupied"].float(), known["occupied"])


def _same(samples: RaySamples, known: dict[str, Tensor], case: str) -> None:
    assert torch.equal(samples.ray_indices, known[f"{case}_ray_index"].long())
    torch.testing.assert_close(samples.t_starts, known[f"{case}_t_start"], rtol=0, atol=2e-5)
    torch.testing.assert_close(samples.t_ends, known[f"{case}_t_end"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_samples_are_the_originals(backend: str, case: str, shared: Path) -> None:
    known, (contraction, steps, is_jittered) = recorded(shared, "marching"), CASES[case]
    rays, grid = _original(known, contraction)
    _same(march(rays, grid, steps, known["jitter_uniform"] if is_jittered else None, backend=backend), known, case)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_constant_density_hides_is_left_out_as_by_the_original(backend: str, shared: Path) -> None:
    known = recorded(shared, "marching")
    samples = march(*_original(known, "aabb"), MarchingSteps(0.05), backend=backend)
    sigma = torch.full_like(samples.t_starts, 3.0)
    _same(samples.where(visible_samples(sigma, samples, early_stop_eps=0.05, backend=backend)), known, "box_stop")


def test_rays_meet_the_box_where_the_originals_do(shared: Path) -> None:
    known = recorded(shared, "marching")
    t_min, t_max = ray_box(Rays(known["ray_origin"], known["ray_direction"]), known["aabb"])
    torch.testing.assert_close(t_min, known["box_t_min"], rtol=0, atol=2e-5)
    torch.testing.assert_close(t_max, known["box_t_max"], rtol=0, atol=2e-5)


def test_rays_from_inside_beside_behind_and_along_the_box() -> None:
    box = torch.tensor([0.0, 0, 0, 1, 2, 3])
    origins = torch.tensor([[0.5, 0.5, 0.5], [-1.0, 5.0, 0.5], [-1.0, 0.5, 0.5], [2.0, 0.5, 0.5], [0.0, -1.0, 1.0]])
    directions = torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0], [0.0, 1.0, 0]])
    t_min, t_max = ray_box(Rays(origins, directions), box)
    assert t_min.tolist() == pytest.approx([0, MISS, 1, 0, 1])
    assert t_max.tolist() == pytest.approx([0.5, MISS, 2, -1, 3])


@pytest.mark.parametrize("contraction", ["aabb", "sphere", "tanh"])
@pytest.mark.parametrize("steps", [MarchingSteps(0.04, far=9.0), MarchingSteps(0.03, 0.05, 0.5, 6.0)])
def test_both_backends_take_the_same_samples(contraction: Contraction, steps: MarchingSteps) -> None:
    rays, grid = inward_rays(80), _checkered(contraction)
    jitter = torch.rand(80, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    reference, found = (march(rays, grid, steps, jitter, backend=backend) for backend in BACKENDS)
    assert len(reference) > 200
    assert torch.equal(found.ray_indices, reference.ray_indices)
    torch.testing.assert_close(found.t_starts, reference.t_starts, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.t_ends, reference.t_ends, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("contraction", ["aabb", "sphere", "tanh"])
def test_every_sample_lies_in_an_occupied_cell_and_none_overlaps_the_next(
    backend: str, contraction: Contraction
) -> None:
    rays, grid = inward_rays(60), _checkered(contraction)
    samples = march(rays, grid, MarchingSteps(0.04, far=9.0), backend=backend)
    unit = contract(samples.positions(rays.origins, rays.directions), grid.aabb, contraction)
    cells = (unit * torch.tensor(grid.occupied.shape)).long()
    assert bool(grid.occupied[cells[:, 0], cells[:, 1], cells[:, 2]].all())
    is_next = samples.ray_indices[1:] == samples.ray_indices[:-1]
    assert bool((samples.t_starts[1:] >= samples.t_ends[:-1] - 1e-9)[is_next].all())
    torch.testing.assert_close(samples.steps, torch.full_like(samples.steps, 0.04))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_full_grid_is_sampled_from_one_face_to_the_other(backend: str) -> None:
    rays, grid = inward_rays(30), OccupancyGrid.full(AABB, "aabb")
    samples = march(rays, grid, MarchingSteps(0.01), backend=backend)
    t_min, t_max = ray_box(rays, AABB)
    counts = samples.starts[1:] - samples.starts[:-1]
    assert bool((counts - (t_max - t_min) / 0.01).abs().max() <= 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_skipping_empty_cells_leaves_out_what_stepping_through_would(backend: str) -> None:
    grid = _checkered()
    axes = torch.eye(3, dtype=torch.float64)
    rays = Rays(torch.cat([-3 * axes + 0.05, inward_rays(40).origins]), torch.cat([axes, inward_rays(40).directions]))
    skipping = march(rays, grid, MarchingSteps(0.03), backend=backend)
    whole = march(rays, OccupancyGrid.full(AABB, "aabb"), MarchingSteps(0.03), backend=backend)
    points = (whole.positions(rays.origins, rays.directions) - AABB[:3]) / (AABB[3:] - AABB[:3])
    cells = (points * torch.tensor(grid.occupied.shape)).long()
    stepping = whole.where(grid.occupied[cells[:, 0], cells[:, 1], cells[:, 2]])
    assert torch.equal(skipping.ray_indices, stepping.ray_indices)
    torch.testing.assert_close(skipping.t_starts, stepping.t_starts, rtol=0, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rays_that_see_nothing_have_no_samples(backend: str) -> None:
    away = Rays(torch.full((2, 3), 5.0), torch.tensor([[1.0, 0, 0], [torch.nan, 0, 0]]))
    full = OccupancyGrid.full(AABB.float(), "aabb")
    assert len(march(away, full, MarchingSteps(0.1), backend=backend)) == 0
    none = march(Rays(torch.zeros(0, 3), torch.zeros(0, 3)), full, MarchingSteps(0.1), backend=backend)
    assert (len(none), none.n_rays) == (0, 0)
    empty = OccupancyGrid.empty(AABB.float(), "aabb", 8)
    assert len(march(inward_rays(5), empty, MarchingSteps(0.1), backend=backend)) == 0


def test_endless_rays_and_senseless_steps_are_refused() -> None:
    grid = OccupancyGrid.full(AABB, "sphere")
    with pytest.raises(InvalidInput, match="give a far distance"):
        march(inward_rays(2), grid, MarchingSteps(0.01))
    march(inward_rays(2), grid, MarchingSteps(0.01, cone_angle=0.5))
    with pytest.raises(ShapeMismatch, match="jitter"):
        march(inward_rays(2), grid, MarchingSteps(0.01, far=1.0), random(3))
    for arguments in ((0.0,), (0.1, -1.0), (0.1, 0.0, 2.0, 1.0), (float("nan"),)):
        with pytest.raises(InvalidInput, match="expected"):
            MarchingSteps(*arguments)
