"""Layers: same shapes of grids as the functions, gradients, odd inputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from trisparse.sparse3d.layers import (
    SparseAvgPool,
    SparseBatchNorm,
    SparseConv,
    SparseConvTranspose,
    SparseGenerativeConvTranspose,
    SparseInstanceNorm,
    SparseMaxPool,
    SparseReLU,
    SparseSumPool,
)
from trisparse.sparse3d.tensor import SparseTensor

from .scenes import empty_tensor, random_tensor


def test_gradients_of_instance_norm() -> None:
    x, norm = random_tensor(20, 3), SparseInstanceNorm(3).double()
    assert torch.autograd.gradcheck(lambda f: norm(x.with_feats(f)).feats, [x.feats.clone().requires_grad_()])


def test_instance_norm_leaves_each_scene_centred_with_variance_one() -> None:
    x = random_tensor(200, 3)
    out = SparseInstanceNorm(3).double()(x)
    for scene in (0, 1):
        rows = out.feats[x.grid.coords[:, 0] == scene]
        torch.testing.assert_close(rows.mean(0), torch.zeros(3, dtype=torch.float64))
        torch.testing.assert_close(rows.var(0, unbiased=False), torch.ones(3, dtype=torch.float64))


def test_batch_norm_is_over_the_voxels_of_all_scenes() -> None:
    x = random_tensor(50, 3)
    torch.testing.assert_close(SparseBatchNorm(3).double()(x).feats, nn.BatchNorm1d(3).double()(x.feats))


@pytest.mark.parametrize(
    "layer", [SparseMaxPool(2, 2), SparseAvgPool(3, 2), SparseSumPool(2, 2), SparseConv(2, 4, 3, 2)]
)
@pytest.mark.parametrize("n", [0, 1, 30])
def test_strided_layers_end_on_one_coarser_grid(layer: nn.Module, n: int) -> None:
    x = random_tensor(n, 2, dtype=torch.float32) if n else empty_tensor(2, dtype=torch.float32)
    assert layer(x).grid is x.grid.strided(2)


def test_up_and_down_again_ends_on_the_first_grid() -> None:
    x = random_tensor(30, 2, dtype=torch.float32)
    down = SparseReLU()(SparseConv(2, 4, 3, 2)(x))
    assert SparseConvTranspose(4, 2, 3, 2)(down, onto=x.grid).grid is x.grid
    made: SparseTensor = SparseGenerativeConvTranspose(4, 2, 2, 2)(down)
    assert len(made.grid) == 8 * len(down.grid)


@pytest.mark.parametrize("n", [0, 1])
def test_batch_norm_trains_on_with_fewer_than_two_voxels(n: int) -> None:
    x = random_tensor(1, 2, batch=1) if n else empty_tensor(2)
    norm = SparseBatchNorm(2).double()
    out = norm(x)
    torch.testing.assert_close(out.feats, x.feats, rtol=1e-4, atol=1e-4)
    assert norm.bn.running_mean is not None
    assert norm.bn.running_mean.tolist() == [0.0, 0.0]
