"""Encodings: the definition, the original, derivatives, and all backends alike."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.rendering.radiance.encodings import (
    encode_positions,
    encode_positions_tangent,
    octaves,
    spherical_harmonics,
)
from trisparse.rendering.radiance.hash_grid import HashGrid

from tests.oracles.hash_grid_loops import encode as encode_by_loops
from tests.oracles.hash_grid_loops import grid_shape

from .radiance_scenes import BACKENDS, GRID, random, recorded


def _positions(count: int, *, spread: float = 0.0, seed: int = 0) -> Tensor:
    """In the cube, or with ``spread`` around it."""
    inside = torch.rand(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return inside + spread * random(count, 3, seed=seed + 1)


def _table(grid: HashGrid, seed: int = 5) -> Tensor:
    return random(grid.entries, grid.features, seed=seed)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("features", [1, 2, 4])
def test_values_are_those_of_the_definition_in_the_cube_at_its_corners_and_around_it(
    backend: str, features: int
) -> None:
    grid = HashGrid(GRID.levels, features, GRID.log2_entries, GRID.base_resolution, GRID.per_level_scale)
    shapes = grid_shape(grid.levels, grid.log2_entries, grid.base_resolution, grid.per_level_scale)
    corners = torch.tensor(list(np.ndindex(2, 2, 2)), dtype=torch.float64)
    table = _table(grid)
    for unit in (torch.cat([_positions(20), corners]), _positions(30, spread=3.0), -_positions(20)):
        found = encode_positions(unit, table, grid, backend=backend)
        expected = encode_by_loops(unit.numpy(), table.numpy(), shapes)
        torch.testing.assert_close(found, torch.from_numpy(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_vertex_gives_its_own_entry_and_the_middle_of_a_cell_the_mean_of_eight(backend: str) -> None:
    grid = HashGrid(1, 2, 9, 4, 1.0)  # 4 vertices a side at (k - 0.5) / 3
    table = _table(grid)
    unit = torch.tensor([[0.5 / 3, 1.5 / 3, 0.5 / 3], [1 / 3, 1 / 3, 1 / 3]], dtype=torch.float64)
    found = encode_positions(unit, table, grid, backend=backend)
    torch.testing.assert_close(found[0], table[1 + 2 * 4 + 1 * 16])
    rows = [x + 4 * y + 16 * z for x in (1, 2) for y in (1, 2) for z in (1, 2)]
    torch.testing.assert_close(found[1], table[rows].mean(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 2500])
def test_numba_gives_the_references_values_and_gradients(dtype: torch.dtype, count: int) -> None:
    results = []
    for backend in BACKENDS:
        unit = _positions(count, spread=0.3).to(dtype).requires_grad_()
        velocity, table = random(count, 3).to(dtype).requires_grad_(), _table(GRID).to(dtype).requires_grad_()
        value = encode_positions(unit, table, GRID, backend=backend)
        moved = encode_positions_tangent(unit, velocity, table, GRID, backend=backend)
        weights = [random(count, GRID.width, seed=seed).to(dtype) for seed in range(3)]
        alone = torch.autograd.grad((value * weights[0]).sum(), (unit, table))
        pair = (moved.value * weights[1]).sum() + (moved.tangent * weights[2]).sum()
        results.append([value, *moved, *alone, *torch.autograd.grad(pair, (unit, velocity, table))])
    for reference, found in zip(*results, strict=True):
        assert found.dtype == dtype
        scale = float(reference.detach().abs().max()) if reference.numel() else 1.0
        torch.testing.assert_close(found, reference, rtol=0, atol=(2e-5 if dtype == torch.float32 else 1e-13) * scale)


@pytest.mark.parametrize("backend", BACKENDS)
def test_both_derivatives_are_those_of_finite_differences(backend: str) -> None:
    unit, velocity = _positions(3).requires_grad_(), random(3, 3).requires_grad_()
    grid = HashGrid(2, 2, 4, 2, 1.5)
    table = _table(grid).requires_grad_()

    def both(unit: Tensor, velocity: Tensor, table: Tensor) -> tuple[Tensor, ...]:
        moved = encode_positions_tangent(unit, velocity, table, grid, backend=backend)
        return encode_positions(unit, table, grid, backend=backend), *moved

    assert torch.autograd.gradcheck(both, (unit, velocity, table))
    assert torch.autograd.gradgradcheck(both, (unit, velocity, table))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_tangent_is_the_derivative_along_the_velocity(backend: str) -> None:
    unit, velocity, table = _positions(40, spread=0.2), random(40, 3), _table(GRID)
    moved = encode_positions_tangent(unit, velocity, table, GRID, backend=backend)
    step = 1e-7
    ends = [encode_positions(unit + sign * step * velocity, table, GRID, backend=backend) for sign in (-1, 1)]
    numeric = (ends[1] - ends[0]) / (2 * step)
    is_smooth = (moved.tangent - numeric).abs().amax(1) < 1e-5  # a cell's face may lie between the ends
    assert int(is_smooth.sum()) >= 39
    torch.testing.assert_close(moved.value, encode_positions(unit, table, GRID, backend=backend))


def test_strided_input_is_taken_as_it_is() -> None:
    unit, velocity = _positions(300), random(300, 3)
    table = _table(GRID)
    spread_table = torch.stack([table, -table], -1)[..., 0]
    wide = torch.cat([unit, velocity], 1)
    found = encode_positions_tangent(wide[:, :3], wide[:, 3:], spread_table, GRID, backend="numba")
    expected = encode_positions_tangent(unit, velocity, table, GRID, backend="numba")
    assert torch.equal(found.value, expected.value)
    assert torch.equal(found.tangent, expected.tangent)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    unit, table = _positions(9000).float(), _table(GRID).float().requires_grad_()
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            moved = encode_positions_tangent(unit, unit - 0.5, table, GRID, backend="numba")
            found.append([*moved, *torch.autograd.grad([moved.value.sum() + moved.tangent.square().sum()], table)])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_wrong_shapes_and_types_are_refused() -> None:
    table = _table(GRID)
    with pytest.raises(ShapeMismatch, match="this grid has"):
        encode_positions(_positions(4), table[:-1], GRID)
    with pytest.raises(InvalidInput, match="convert one"):
        encode_positions(_positions(4).float(), table, GRID)
    with pytest.raises(ShapeMismatch, match="velocities"):
        encode_positions_tangent(_positions(4), random(3, 3), table, GRID)


@pytest.mark.parametrize("degree", range(1, 9))
def test_harmonics_are_the_originals(degree: int, shared: Path) -> None:
    known = recorded(shared, "spherical_harmonics")
    found = spherical_harmonics(known["direction"], degree)
    torch.testing.assert_close(found, known[f"degree{degree}"], rtol=0, atol=1e-13)


def test_harmonics_are_orthonormal_on_the_sphere() -> None:
    heights, weights = np.polynomial.legendre.leggauss(12)
    angles = np.arange(24) * 2 * math.pi / 24
    z, phi = np.repeat(heights, 24), np.tile(angles, 12)
    ring = np.sqrt(1 - z * z)
    directions = torch.from_numpy(np.stack([ring * np.cos(phi), ring * np.sin(phi), z], 1))
    basis = spherical_harmonics(directions, 8)
    area = torch.from_numpy(np.repeat(weights, 24) * 2 * math.pi / 24)
    torch.testing.assert_close(
        basis.T @ (area[:, None] * basis), torch.eye(64, dtype=torch.float64), rtol=0, atol=1e-12
    )


def test_the_first_harmonics_are_constant_and_the_axes() -> None:
    found = spherical_harmonics(torch.tensor([[0.6, 0.0, 0.8]], dtype=torch.float64), 2)
    root = math.sqrt(3 / (4 * math.pi))
    expected = [[1 / math.sqrt(4 * math.pi), -root * 0.0, root * 0.8, -root * 0.6]]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))
    assert spherical_harmonics(torch.zeros(0, 3), 4).shape == (0, 16)
    with pytest.raises(InvalidInput, match="choose 1 to 8"):
        spherical_harmonics(torch.zeros(1, 3), 9)


def test_octaves_hold_the_number_itself_sines_then_cosines() -> None:
    x = torch.tensor([[0.3, -1.0]], dtype=torch.float64)
    sines = [math.sin(0.3), math.sin(-1.0), math.sin(0.6), math.sin(-2.0)]
    cosines = [math.cos(0.3), math.cos(-1.0), math.cos(0.6), math.cos(-2.0)]
    torch.testing.assert_close(octaves(x, 2), torch.tensor([[0.3, -1.0, *sines, *cosines]], dtype=torch.float64))
