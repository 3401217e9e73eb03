"""Voxel grids: what they refuse, and coarser, moved and searched ones."""

from __future__ import annotations

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.sparse3d.grid import VoxelGrid

from .scenes import empty_tensor, random_grid


def grid_of(*rows: tuple[int, int, int, int], stride: int = 1) -> VoxelGrid:
    return VoxelGrid(torch.tensor(rows, dtype=torch.int32).reshape(-1, 4), (stride, stride, stride))


@pytest.mark.parametrize(
    ("rows", "stride", "message"),
    [
        ([(0, 1, 2, 3), (0, 0, 0, 0), (0, 1, 2, 3)], 1, r"voxel \[0, 1, 2, 3\] is there twice"),
        ([(0, 2, 3, 4)], 2, r"voxel \[0, 2, 3, 4\] is no multiple of the stride"),
        ([(-1, 0, 0, 0)], 1, "batch numbers start at 0, got -1"),
        ([(0, -(2**31), 0, 0), (0, 2**31 - 1, 2**31 - 1, 2**31 - 1)], 1, "too many cells"),
        ([(0, 0, 0, 0)], 0, "stride must be"),
    ],
)
def test_wrong_voxels_are_refused(rows: list, stride: int, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        grid_of(*rows, stride=stride)


def test_coarser_cells_are_floored_also_below_zero() -> None:
    grid = grid_of((0, -1, 0, 3), (0, -2, 1, 2), (1, 5, -3, 0))
    coarse = grid.strided(2)
    assert coarse.coords.tolist() == [[0, -2, 0, 2], [1, 4, -4, 0]]
    assert coarse is grid.strided(2)
    assert coarse.stride == (2, 2, 2)
    assert grid.strided(1) is grid


def test_rows_are_found_by_coordinate() -> None:
    grid = random_grid(50, seed=3)
    assert grid.rows_of(grid.coords).tolist() == list(range(len(grid)))
    assert grid.rows_of(torch.tensor([[7, 0, 0, 0], [0, 99, 0, 0], [0, -99, -99, -99]])).tolist() == [-1, -1, -1]


def test_an_empty_grid_answers_everything() -> None:
    grid = empty_tensor(1).grid
    assert (len(grid), grid.n_batch, len(grid.order), len(grid.strided(4))) == (0, 0, 0, 0)
    assert len(grid.shifted(torch.tensor([[0, 0, 1], [1, 0, 0]]), (1, 1, 1))) == 0
    assert grid.rows_of(torch.zeros(3, 4, dtype=torch.int32)).tolist() == [-1, -1, -1]
    assert random_grid(5).rows_of(grid.coords).tolist() == []


def test_rows_are_found_at_the_ends_of_the_range_and_however_often_bounds_change() -> None:
    corner = torch.tensor([0, 2**31 - 9, -(2**31) + 2, 2**31 - 9], dtype=torch.int64)
    moved = VoxelGrid((random_grid(60, seed=5, batch=3, low=0, high=4).coords + corner).int())
    near = VoxelGrid(moved.coords - corner.int())
    assert moved.rows_of(moved.coords.flip(0)).tolist() == list(range(len(moved)))[::-1]
    assert torch.equal(moved.order, near.order)
    for shift in (0, 63, 64, 1000, -70):
        query = near.coords + torch.tensor([0, shift, 0, -shift], dtype=torch.int32)
        expected = [near.coords.tolist().index(row) if row in near.coords.tolist() else -1 for row in query.tolist()]
        assert near.rows_of(query).tolist() == expected
