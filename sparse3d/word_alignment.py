"""A loss of ours that is no part of the published method: backbone features resemble the words for what is there.

The four published losses tell the backbone what a chair is only through the pruning of sentences about chairs, which takes very
many steps. Here each voxel of the three backbone levels is also compared with the projected words of all category names, in the
space in which the transformers compare voxels and words. It adds no weights and changes nothing at inference.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from .grid import VoxelGrid
from .tensor import SparseTensor


def voxel_categories(
    grid: VoxelGrid,
    points: Float[Tensor, "n 3"],
    batch: Int64[Tensor, "n"],
    categories: Int64[Tensor, "n"],
    *,
    voxel_size: float,
    n_categories: int,
) -> Int64[Tensor, "v"]:
    """Category of each voxel: the one that most of its points have, or -1 where no point has one.

    Args:
        grid: A level of the backbone.
        points: Metres, in the frame of the grid.
        batch: Scene of each point.
        categories: Category of each point, -1 for none.
        voxel_size: Edge of an input voxel (m); the grid's strides count in it.
        n_categories: Number of categories.
    """
    known = categories >= 0
    stride = torch.tensor(grid.stride, device=points.device, dtype=torch.int64)
    cells = torch.div(torch.floor(points[known] / voxel_size).long(), stride, rounding_mode="floor") * stride
    rows = grid.rows_of(torch.cat([batch[known, None], cells], 1).to(torch.int32))
    found = rows >= 0
    votes = torch.bincount(
        rows[found] * n_categories + categories[known][found], minlength=len(grid) * n_categories
    ).view(len(grid), n_categories)
    most = votes.max(1)
    return torch.where(most.values > 0, most.indices, -1)


def alignment_loss(
    levels: Sequence[SparseTensor], labels: Sequence[Int64[Tensor, "_"]], names: Float[Tensor, "k c"]
) -> Float[Tensor, ""]:
    """Cross entropy of each voxel over the category names and "nothing", whose logit is 0; mean of the levels.

    Voxels of objects and voxels of nothing weigh the same in total.

    Args:
        levels: Backbone features.
        labels: Category of each voxel of each level, -1 for nothing.
        names: Projected words of the categories.
    """
    total = names.new_zeros(())
    for level, label in zip(levels, labels, strict=True):
        logits = level.feats @ names.T / names.shape[1] ** 0.5
        losses = F.cross_entropy(F.pad(logits, (1, 0)), label + 1, reduction="none")
        something = label >= 0
        for part in (losses[something], losses[~something]):
            total = total + part.sum() / max(len(part), 1) / 2
    return total / max(len(levels), 1)
