"""Sparse tensors: one row a voxel, sums only on one grid."""

from __future__ import annotations

import pytest
import torch
from trisparse.core.errors import GridMismatch, ShapeMismatch
from trisparse.sparse3d.tensor import SparseTensor

from .scenes import random_grid, random_tensor


def test_one_row_a_voxel_is_required() -> None:
    grid = random_grid(5)
    with pytest.raises(ShapeMismatch, match=f"{len(grid)} voxels but 1 rows"):
        SparseTensor(grid, torch.zeros(1, 2))


def test_features_on_two_grids_cannot_be_added() -> None:
    a, b = random_tensor(5, 2), random_tensor(7, 2, seed=2)
    torch.testing.assert_close((a + a).feats, 2 * a.feats)
    with pytest.raises(GridMismatch, match=f"got {len(a.grid)} and {len(b.grid)} voxels"):
        _ = a + b
