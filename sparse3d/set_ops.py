"""Operations between two sparse tensors, or between one and its batch: unions, global pooling, broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..core.errors import GridMismatch, InvalidInput, ShapeMismatch
from .grid import VoxelGrid
from .tensor import SparseTensor


def union(tensors: Sequence[SparseTensor]) -> SparseTensor:
    """Sum over the union of the voxels; a missing voxel counts as zero. Rows sorted by batch, x, y, z, on a new grid.

    Raises:
        InvalidInput: No tensor.
        GridMismatch: Different strides.
        ShapeMismatch: Different numbers of channels.
    """
    if not tensors:
        raise InvalidInput("a union needs at least one tensor, got none")
    for other in tensors[1:]:
        _require_compatible(tensors[0], other)
    grid = VoxelGrid.unique(torch.cat([x.grid.coords for x in tensors]), tensors[0].grid.stride)
    total = tensors[0].feats.new_zeros(len(grid), tensors[0].feats.shape[1])
    for x in tensors:
        total = total.index_add(0, grid.rows_of(x.grid.coords), x.feats)
    return SparseTensor(grid, total)


def union_add(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    """``a + b`` on the union of their voxels; on one and the same grid plain addition."""
    if a.grid is b.grid:
        return a + b
    return union([a, b])


def union_sub(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    """``a - b`` on the union of their voxels, missing ones zero."""
    if a.grid is b.grid:
        return a.with_feats(a.feats - b.feats)
    return union([a, b.with_feats(-b.feats)])


def union_mul(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    """``a * b`` as MinkowskiEngine has it on the union: rows that only a has are copied, rows that only b has are zero."""
    if a.grid is b.grid:
        return a.with_feats(a.feats * b.feats)
    _require_compatible(a, b)
    grid = VoxelGrid.unique(torch.cat([a.grid.coords, b.grid.coords]), a.grid.stride)
    left = a.feats.new_zeros(len(grid), a.feats.shape[1]).index_add(0, grid.rows_of(a.grid.coords), a.feats)
    ones = torch.ones_like(left)
    right = ones.index_put((grid.rows_of(b.grid.coords),), b.feats)
    return SparseTensor(grid, left * right)


def concatenate(tensors: Sequence[SparseTensor]) -> SparseTensor:
    """Channels side by side.

    Raises:
        GridMismatch: Not all on one grid.
    """
    if any(x.grid is not tensors[0].grid for x in tensors):
        raise GridMismatch(
            "channels can only be joined on one and the same grid; look one up at the other's voxels first"
        )
    return tensors[0].with_feats(torch.cat([x.feats for x in tensors], 1))


def global_pool(
    x: SparseTensor, reduce: Literal["max", "avg", "sum"], *, n_batch: int | None = None
) -> Float[Tensor, "b c"]:
    """One row a scene: greatest value, mean or sum over its voxels. A scene without voxels gets zeros.

    The gradient of the greatest value goes to one row, the first among equals.

    Args:
        x: Features.
        reduce: How.
        n_batch: Number of scenes; the highest batch number plus one by default.
    """
    count = x.grid.n_batch if n_batch is None else n_batch
    batch = x.grid.coords[:, 0].long()
    if reduce == "max":
        return _global_max(x.feats, batch, count)
    total = x.feats.new_zeros(count, x.feats.shape[1]).index_add(0, batch, x.feats)
    if reduce == "sum":
        return total
    voxels = torch.bincount(batch, minlength=count).clamp(min=1)
    return total / voxels[:, None].to(total.dtype)


def _global_max(feats: Float[Tensor, "v c"], batch: Int64[Tensor, "v"], count: int) -> Float[Tensor, "b c"]:
    index = batch[:, None].expand_as(feats)
    with torch.no_grad():
        best = feats.new_full((count, feats.shape[1]), -torch.inf).scatter_reduce(0, index, feats, "amax")
        is_best: Bool[Tensor, "v c"] = feats == best[batch]
        rows = torch.arange(len(feats), device=feats.device)[:, None].expand_as(feats)
        first = torch.full_like(best, len(feats), dtype=torch.int64)
        first = first.scatter_reduce(0, index, torch.where(is_best, rows, len(feats)), "amin")
    present = first < len(feats)
    if not len(feats):
        return feats.new_zeros(count, feats.shape[1])
    return torch.where(present, feats.gather(0, first.clamp(max=len(feats) - 1)), 0)


def broadcast(x: SparseTensor, rows: Float[Tensor, "b d"]) -> Float[Tensor, "v d"]:
    """The scene's row for each voxel.

    Raises:
        ShapeMismatch: Fewer rows than scenes.
    """
    if len(rows) < x.grid.n_batch:
        raise ShapeMismatch(f"{len(rows)} rows to broadcast over {x.grid.n_batch} scenes; give one a scene")
    return rows[x.grid.coords[:, 0].long()]


def broadcast_add(x: SparseTensor, rows: Float[Tensor, "b c"]) -> SparseTensor:
    """Each voxel plus its scene's row."""
    return x.with_feats(x.feats + broadcast(x, rows))


def broadcast_mul(x: SparseTensor, rows: Float[Tensor, "b c"]) -> SparseTensor:
    """Each voxel times its scene's row."""
    return x.with_feats(x.feats * broadcast(x, rows))


def broadcast_cat(x: SparseTensor, rows: Float[Tensor, "b d"]) -> SparseTensor:
    """Each voxel's channels, then those of its scene's row."""
    return x.with_feats(torch.cat([x.feats, broadcast(x, rows)], 1))


def _require_compatible(a: SparseTensor, b: SparseTensor) -> None:
    if a.grid.stride != b.grid.stride:
        raise GridMismatch(f"a union needs one stride, got {a.grid.stride} and {b.grid.stride}")
    if a.feats.shape[1] != b.feats.shape[1]:
        raise ShapeMismatch(f"a union needs one number of channels, got {a.feats.shape[1]} and {b.feats.shape[1]}")
