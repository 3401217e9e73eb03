"""The occupancy grid: the original's updates, its schedule, and what its draws reach."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.rendering.radiance.contraction import Contraction
from trisparse.rendering.radiance.occupancy import CellDraws, OccupancyGrid, OccupancySchedule, refresh
from trisparse.rendering.radiance.steps import MarchingSteps, automatic_step, step_sizes

from .radiance_scenes import AABB, recorded

QUICK = OccupancySchedule(warmup=32)


def _ball(points: Tensor) -> Tensor:
    """Density 1 within 0.7 m of the box's middle."""
    middle = (AABB[:3] + AABB[3:]).to(points) / 2
    return ((points - middle).norm(dim=1) < 0.7).to(points)


@pytest.mark.parametrize(("case", "contraction"), [("box", "aabb"), ("sphere", "sphere")])
def test_updates_are_the_originals(case: str, contraction: Contraction, shared: Path) -> None:
    known = recorded(shared, "occupancy")
    x, y, z, scale, peak = known["density_centre_scale_peak"].tolist()
    steps = MarchingSteps(float(known["step"]), 0.004, 0.5, 3.0)
    grid = OccupancyGrid.empty(known["aabb"], contraction, 8)
    is_certain = torch.ones(512, dtype=torch.bool)
    for training_step in (0, 5, 16, 32, 48):
        name = f"{case}_step{training_step}"
        if QUICK.is_due(training_step):
            cells = known.get(f"{name}_cells", torch.arange(512)).long()
            draws = grid.reachable(CellDraws(cells, known[f"{name}_jitter"]))
            points = grid.points(draws)
            lengths = points.new_full((len(points),), steps.step)
            if contraction == "sphere":
                lengths = step_sizes(points, known["camera_position"][known[f"{name}_camera_ids"]], steps)
            density = peak * torch.exp(-scale * (points - torch.tensor([x, y, z])).square().sum(1))
            grid = grid.updated(draws, density * lengths, QUICK)
            is_certain &= draws.cells.bincount(minlength=512) <= 1  # of a cell drawn twice the original keeps either
        found, expected = grid.occupancy.flatten(), known[f"{name}_occs"]
        torch.testing.assert_close(found[is_certain], expected[is_certain], rtol=0, atol=1e-6)
        assert bool((found >= expected - 1e-6).all())
        assert torch.equal(grid.occupied, known[f"{name}_binary"])
    assert int(is_certain.sum()) > 300


def test_before_the_warmup_ends_all_cells_are_drawn_then_a_quarter_and_as_many_occupied_at_most() -> None:
    occupied = torch.zeros(8, 8, 8, dtype=torch.bool)
    occupied[2, 3, 4:7] = True
    grid = OccupancyGrid(AABB, "aabb", occupied.double(), occupied)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(grid.draw(0, QUICK, generator).cells, torch.arange(512))
    later = grid.draw(32, QUICK, generator)
    assert len(later.cells) == 128 + 3
    assert later.cells[128:].tolist() == [2 * 64 + 3 * 8 + z for z in (4, 5, 6)]
    full = OccupancyGrid(AABB, "aabb", torch.ones(8, 8, 8).double(), torch.ones(8, 8, 8, dtype=torch.bool))
    assert len(full.draw(32, QUICK, generator).cells) == 256
    assert float(later.jitter.min()) >= 0
    assert float(later.jitter.max()) < 1
    assert [step for step in range(40) if QUICK.is_due(step)] == [0, 16, 32]


def test_points_lie_in_their_cells_z_fastest() -> None:
    grid = OccupancyGrid.empty(torch.tensor([0.0, 0, 0, 2, 4, 8]), "aabb", 2)
    draws = CellDraws(torch.tensor([0, 1, 2, 4]), torch.full((4, 3), 0.5))
    expected = torch.tensor([[0.5, 1, 2], [0.5, 1, 6], [0.5, 3, 2], [1.5, 1, 2]])
    torch.testing.assert_close(grid.points(draws), expected)


def test_a_cell_drawn_twice_keeps_the_larger_and_fades_once() -> None:
    grid = OccupancyGrid.empty(AABB, "aabb", 2)
    draws = CellDraws(torch.tensor([3, 3, 5]), torch.zeros(3, 3, dtype=torch.float64))
    grid = grid.updated(draws, torch.tensor([0.2, 0.7, 0.1], dtype=torch.float64), QUICK)
    assert grid.occupancy.flatten()[[3, 5]].tolist() == pytest.approx([0.7, 0.1])
    again = grid.updated(draws, torch.zeros(3, dtype=torch.float64), QUICK)
    assert again.occupancy.flatten()[[3, 5]].tolist() == pytest.approx([0.7 * 0.95, 0.1 * 0.95])
    with pytest.raises(ShapeMismatch, match="give one each"):
        grid.updated(draws, torch.zeros(2, dtype=torch.float64), QUICK)


@pytest.mark.parametrize("contraction", ["aabb", "sphere", "tanh"])
def test_refreshing_finds_a_ball_and_forgets_it_when_it_is_gone(contraction: Contraction) -> None:
    grid, generator = OccupancyGrid.empty(AABB, contraction, 16), torch.Generator().manual_seed(0)
    steps = MarchingSteps(0.05)
    for _ in range(4):
        grid = refresh(grid, _ball, 0, QUICK, steps, generator)
    corners = torch.tensor([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)]).double()
    filled = torch.stack(
        [_ball(grid.points(CellDraws(torch.arange(16**3), corner.expand(16**3, 3)))) > 0 for corner in corners]
    )
    occupied = grid.occupied.flatten()
    assert int(filled.all(0).sum()) >= 8
    assert bool(occupied[filled.all(0)].all())  # those wholly inside the ball
    assert int((occupied & ~filled.any(0)).sum()) < 0.2 * int(occupied.sum())  # a face may bulge into a cell
    for _ in range(40):
        grid = refresh(grid, lambda points: 0 * points[:, 0], 0, QUICK, steps, generator)
    assert float(grid.occupancy.max()) < 0.05 * 0.95**39


def test_steps_grow_with_the_distance_and_end_where_samples_do() -> None:
    points, camera = torch.tensor([[0.1, 0, 0], [1.0, 0, 0], [4.0, 0, 0]]), torch.zeros(3, 3)
    found = step_sizes(points, camera, MarchingSteps(0.01, 0.05, 0.5, 3.0))
    assert found.tolist() == pytest.approx([0, 0.05, 0])
    assert step_sizes(points, camera, MarchingSteps(0.01, 0.05)).tolist() == pytest.approx([0.01, 0.05, 0.2])
    assert automatic_step(torch.tensor([-1.5, -1.5, -1.5, 1.5, 1.5, 1.5])) == pytest.approx(0.00507437, rel=1e-5)


def test_steps_that_depend_on_the_distance_need_cameras() -> None:
    grid = OccupancyGrid.empty(AABB, "aabb", 4)
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(InvalidInput, match="camera_centers"):
        refresh(grid, _ball, 0, QUICK, MarchingSteps(0.05, far=3.0), generator)
    far_away = torch.full((2, 3), 100.0, dtype=torch.float64)
    found = refresh(grid, _ball, 0, QUICK, MarchingSteps(0.05, far=3.0), generator, far_away)
    assert float(found.occupancy.max()) == 0
