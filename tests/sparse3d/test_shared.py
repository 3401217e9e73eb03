"""Scenes that several sentences read, against copies of their voxels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.ops import lookup, prune
from trisparse.sparse3d.shared import SharedTensor
from trisparse.sparse3d.tensor import SparseTensor

from tests.sparse3d.scenes import random_tensor

SCENE_OF = torch.tensor([2, 0, 0, 2, 1])


def _copies(x: SparseTensor) -> SparseTensor:
    coords, feats = [], []
    for number, scene in enumerate(SCENE_OF.tolist()):
        own = x.grid.coords[:, 0] == scene
        moved = x.grid.coords[own].clone()
        moved[:, 0] = number
        coords.append(moved)
        feats.append(x.feats[own])
    return SparseTensor(VoxelGrid(torch.cat(coords), x.grid.stride), torch.cat(feats))


def test_a_shared_tensor_holds_what_copies_would_and_passes_the_same_gradient() -> None:
    source = random_tensor(60, 3, batch=4)
    gradients = []
    for shared in (True, False):
        feats = source.feats.clone().requires_grad_()
        x = source.with_feats(feats)
        level, copies = SharedTensor(x, SCENE_OF), _copies(x)
        assert torch.equal(level.grid.coords, copies.grid.coords)
        assert level.grid.stride == copies.grid.stride
        keep = torch.arange(len(copies.grid)) % 3 != 1
        kept = level.prune(keep) if shared else prune(copies, keep)
        torch.testing.assert_close(kept.grid.coords, copies.grid.coords[keep])
        torch.testing.assert_close(kept.feats, copies.feats[keep])
        (kept.feats * torch.arange(float(kept.feats.numel())).view_as(kept.feats)).sum().backward()
        gradients.append(feats.grad)
    torch.testing.assert_close(*gradients)


def test_a_shared_tensor_is_looked_up_by_sentence() -> None:
    source = random_tensor(60, 3, batch=4)
    level, copies = SharedTensor(source, SCENE_OF), _copies(source)
    axis = torch.arange(-3, 4, dtype=torch.int32)
    queries = torch.cartesian_prod(torch.arange(5, dtype=torch.int32), axis, axis, axis)
    torch.testing.assert_close(level.lookup(queries), lookup(copies, queries))
    assert torch.equal(level.contains(queries), copies.grid.rows_of(queries) >= 0)


def test_a_scene_that_has_no_voxel_is_shared_as_nothing() -> None:
    source = random_tensor(20, 2, batch=1)
    level = SharedTensor(source, torch.tensor([0, 3, 0]))
    assert torch.bincount(level.grid.coords[:, 0].long(), minlength=3).tolist() == [
        len(source.grid),
        0,
        len(source.grid),
    ]


def test_what_is_asked_of_all_copies_is_asked_once_for_equal_ones() -> None:
    source, asked = random_tensor(60, 3, batch=4), []
    level, about = SharedTensor(source, SCENE_OF), [torch.tensor([float(n)]) for n in range(4)]
    about = [about[0], about[1], about[1], about[3], about[0]]

    def judge(grid: VoxelGrid, numbers: Sequence[torch.Tensor]) -> torch.Tensor:
        asked.append(len(numbers))
        return grid.coords[:, 1] > torch.cat(list(numbers))[grid.coords[:, 0].long()] - 2

    assert torch.equal(level.spread(judge, about), judge(level.grid, about))
    assert asked == [4, 5]
