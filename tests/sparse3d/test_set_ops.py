"""Unions, global pooling and broadcasting: worked examples and what they refuse."""

from __future__ import annotations

import pytest
import torch
from trisparse.core.errors import GridMismatch, InvalidInput, ShapeMismatch
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.set_ops import broadcast, concatenate, global_pool, union, union_add, union_mul, union_sub
from trisparse.sparse3d.tensor import SparseTensor

from .scenes import empty_tensor, random_tensor


def line(*x: int, value: float, batch: int = 0) -> SparseTensor:
    coords = torch.tensor([(batch, i, 0, 0) for i in x], dtype=torch.int32)
    return SparseTensor(VoxelGrid(coords), torch.full((len(x), 1), value, dtype=torch.float64))


def test_unions_treat_missing_voxels_as_the_original_does() -> None:
    a, b = line(-1, 2, value=3.0), line(2, 5, value=2.0)
    assert union_add(a, b).feats.flatten().tolist() == [3.0, 5.0, 2.0]
    assert union_sub(a, b).feats.flatten().tolist() == [3.0, 1.0, -2.0]
    assert union_mul(a, b).feats.flatten().tolist() == [3.0, 6.0, 0.0]
    assert union_add(a, b).grid.coords[:, 1].tolist() == [-1, 2, 5]


def test_a_union_with_nothing_changes_nothing() -> None:
    a = line(4, 7, value=3.0)
    for out in (union_add(a, empty_tensor(1)), union_sub(a, empty_tensor(1)), union_mul(a, empty_tensor(1))):
        assert torch.equal(out.feats, a.feats)


def test_a_scene_without_voxels_pools_to_zero() -> None:
    x = union([line(0, 1, value=-3.0), line(0, value=2.0, batch=2)])
    assert global_pool(x, "max").flatten().tolist() == [-3.0, 0.0, 2.0]
    assert global_pool(x, "avg").flatten().tolist() == [-3.0, 0.0, 2.0]
    assert global_pool(x, "sum", n_batch=4).flatten().tolist() == [-6.0, 0.0, 2.0, 0.0]


def test_what_does_not_fit_is_refused() -> None:
    a, b = random_tensor(5, 2), random_tensor(5, 2, seed=3)
    with pytest.raises(GridMismatch, match="one and the same grid"):
        concatenate([a, b])
    with pytest.raises(GridMismatch, match="needs one stride"):
        union([a, random_tensor(5, 2, stride=2)])
    with pytest.raises(ShapeMismatch, match="got 2 and 3"):
        union([a, random_tensor(5, 3)])
    with pytest.raises(InvalidInput, match="at least one"):
        union([])
    with pytest.raises(ShapeMismatch, match="give one a scene"):
        broadcast(a, torch.zeros(0, 2, dtype=torch.float64))
