"""Points to voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..core.arrays import require_finite
from ..core.errors import InvalidInput, ShapeMismatch
from .grid import VoxelGrid
from .tensor import SparseTensor


@dataclass(frozen=True, eq=False)
class Voxelized:
    """Voxels, and how they and the points belong together."""

    tensor: SparseTensor
    voxel_of_point: Int64[Tensor, "n"]
    first_point: Int64[Tensor, "v"]
    """The first point in each voxel; voxels stand in the order of these."""


def voxelize(
    points: Float[Tensor, "n 3"],
    feats: Float[Tensor, "n c"],
    *,
    voxel_size: float,
    batch: Int64[Tensor, "n"] | None = None,
    reduce: Literal["first", "mean", "sum"] = "first",
) -> Voxelized:
    """Voxels at ``floor(points / voxel_size)``.

    Args:
        points: Metres.
        feats: What each point carries.
        voxel_size: Edge of a voxel (m).
        batch: Scene of each point; all 0 by default.
        reduce: Feature of a voxel: that of its first point, or the mean or sum over its points.

    Raises:
        NotFinite: A point is NaN or infinite.
        InvalidInput: The voxel size is not positive, or a coordinate does not fit 32 bits.
        ShapeMismatch: Not one row of features, or one batch number, a point.
    """
    if not voxel_size > 0:
        raise InvalidInput(f"voxel_size must be positive metres, got {voxel_size}")
    if len(feats) != len(points) or (batch is not None and len(batch) != len(points)):
        raise ShapeMismatch(f"{len(points)} points need one row of features and one batch number each")
    require_finite(points, "points")
    cells = torch.floor(points / voxel_size)
    if len(cells) and float(cells.abs().max()) >= 2**31:
        raise InvalidInput(
            f"points up to {float(points.abs().max()):g} m need more than 32 bits at voxels of {voxel_size} m"
        )
    number = points.new_zeros(len(points), dtype=torch.int64) if batch is None else batch
    coords = torch.cat([number[:, None], cells.to(torch.int64)], 1).to(torch.int32)
    sorted_grid = VoxelGrid.unique(coords, (1, 1, 1))
    cell = sorted_grid.rows_of(coords)
    first = torch.full((len(sorted_grid),), len(points), device=points.device)
    first = first.scatter_reduce(0, cell, torch.arange(len(points), device=points.device), "amin")
    order = torch.argsort(first)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    voxel_of_point, first = place[cell], first[order]
    grid = sorted_grid.select(order)
    return Voxelized(SparseTensor(grid, _reduce(feats, voxel_of_point, first, reduce)), voxel_of_point, first)


def _reduce(feats: Tensor, voxel_of_point: Tensor, first: Tensor, reduce: str) -> Tensor:
    if reduce == "first":
        return feats[first]
    total = feats.new_zeros(len(first), feats.shape[1]).index_add(0, voxel_of_point, feats)
    if reduce == "sum":
        return total
    return total / torch.bincount(voxel_of_point, minlength=len(first))[:, None].to(feats.dtype)
