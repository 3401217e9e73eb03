"""Small random scenes for the engine's tests."""

from __future__ import annotations

import torch
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.tensor import SparseTensor


def random_grid(n: int, *, seed: int = 0, batch: int = 2, stride: int = 1, low: int = -3, high: int = 3) -> VoxelGrid:
    """At most n distinct voxels in a small cube, rows in random order, negative coordinates among them."""
    generator = torch.Generator().manual_seed(seed)
    xyz = torch.randint(low, high + 1, (n, 3), generator=generator) * stride
    scene = torch.randint(0, batch, (n, 1), generator=generator)
    coords = torch.unique(torch.cat([scene, xyz], 1), dim=0).int()
    return VoxelGrid(coords[torch.randperm(len(coords), generator=generator)], (stride, stride, stride))


def random_tensor(
    n: int, channels: int, *, seed: int = 0, dtype: torch.dtype = torch.float64, stride: int = 1, batch: int = 2
) -> SparseTensor:
    """Normal features on :func:`random_grid`."""
    grid = random_grid(n, seed=seed, stride=stride, batch=batch)
    feats = torch.randn(len(grid), channels, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    return SparseTensor(grid, feats.to(dtype))


def empty_tensor(channels: int, *, stride: int = 1, dtype: torch.dtype = torch.float64) -> SparseTensor:
    """No voxel at all."""
    grid = VoxelGrid(torch.empty(0, 4, dtype=torch.int32), (stride, stride, stride))
    return SparseTensor(grid, torch.empty(0, channels, dtype=dtype))
