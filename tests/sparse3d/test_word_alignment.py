"""Labels of voxels, and the loss that makes backbone features resemble words."""

from __future__ import annotations

import math

import pytest
import torch
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.tensor import SparseTensor
from trisparse.sparse3d.word_alignment import alignment_loss, rows_of_points, voxel_labels


def _grid() -> VoxelGrid:
    coords = torch.tensor([[0, -4, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 4, 0, 0]], dtype=torch.int32)
    return VoxelGrid(coords, (4, 4, 4))


def _labels(points: torch.Tensor, batch: torch.Tensor, labels: torch.Tensor) -> list[int]:
    rows = rows_of_points(_grid(), points, batch, voxel_size=0.5)
    return voxel_labels(rows, labels, n_voxels=4, n_labels=3).tolist()


def test_a_voxel_has_the_category_of_most_of_its_labelled_points() -> None:
    # Cells of 4 voxels of 0.5 m: [-2, 0), [0, 2) and [2, 4) m along x.
    points = torch.tensor([[-0.1, 0.1, 0.1], [0.1, 0, 0], [0.2, 0, 0], [1.9, 1.9, 1.9], [0.5, 0, 0], [3.0, 0, 0]])
    batch = torch.tensor([0, 0, 0, 0, 1, 1])
    categories = torch.tensor([2, 1, 0, 1, -1, 0])
    assert _labels(points, batch, categories) == [2, 1, -1, 0]


def test_points_outside_the_grid_and_no_points_label_nothing() -> None:
    far = torch.tensor([[90.0, 0, 0]])
    assert _labels(far, torch.tensor([0]), torch.tensor([1])) == [-1] * 4
    empty = torch.zeros(0, dtype=torch.int64)
    assert _labels(torch.zeros(0, 3), empty, empty) == [-1] * 4


def test_loss_is_that_of_a_blind_guess_for_empty_features_and_small_for_the_right_word() -> None:
    names = 6 * torch.eye(4, dtype=torch.float64)[:3]
    label = torch.tensor([2, 1, -1, 0])
    blind = SparseTensor(_grid(), torch.zeros(4, 4, dtype=torch.float64))
    torch.testing.assert_close(
        alignment_loss([blind], [label], names, with_nothing=True), torch.tensor(math.log(4), dtype=torch.float64)
    )
    right = torch.zeros(4, 4, dtype=torch.float64)
    right[[0, 1, 3], [2, 1, 0]] = 5.0
    right[2, :3] = -5.0
    assert alignment_loss([blind.with_feats(right)], [label], names, with_nothing=True) < 1e-5
    assert alignment_loss([blind.with_feats(right)], [label.roll(1)], names, with_nothing=True) > 2.0


def test_voxels_without_a_name_do_not_count_unless_nothing_is_a_class() -> None:
    names = torch.eye(4, dtype=torch.float64)[:3]
    label = torch.tensor([2, -1, -1, 0])
    blind = SparseTensor(_grid(), torch.zeros(4, 4, dtype=torch.float64))
    found = alignment_loss([blind], [label], names, with_nothing=False)
    torch.testing.assert_close(found, torch.tensor(math.log(3), dtype=torch.float64))
    other = torch.zeros(4, 4, dtype=torch.float64)
    other[1:3] = 7.0
    torch.testing.assert_close(alignment_loss([blind.with_feats(other)], [label], names, with_nothing=False), found)
    assert float(alignment_loss([blind], [torch.full((4,), -1)], names, with_nothing=False)) == 0


@pytest.mark.parametrize("with_nothing", [True, False])
def test_gradient_is_right_and_a_level_without_voxels_adds_nothing(with_nothing: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    feats = torch.randn(4, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    names = torch.randn(3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    none = SparseTensor(
        VoxelGrid(torch.empty(0, 4, dtype=torch.int32), (8, 8, 8)), torch.empty(0, 5, dtype=torch.float64)
    )
    labels = [torch.tensor([2, 1, -1, 0]), torch.empty(0, dtype=torch.int64)]

    def loss(f: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        return alignment_loss([SparseTensor(_grid(), f), none], labels, n, with_nothing=with_nothing)

    assert torch.autograd.gradcheck(loss, (feats, names))
