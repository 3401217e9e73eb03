"""A loss of ours that is no part of the published method: backbone features resemble the words for what is there.

The four published losses tell the backbone what a chair is only through the pruning of sentences about chairs, which takes very
many steps. Here each voxel of the three backbone levels is also compared with the projected words of all category names, and of
all colour names, in the space in which the transformers compare voxels and words. It adds no weights and changes nothing at
inference.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from .grid import VoxelGrid
from .tensor import SparseTensor


def rows_of_points(
    grid: VoxelGrid, points: Float[Tensor, "n 3"], batch: Int64[Tensor, "n"], *, voxel_size: float
) -> Int64[Tensor, "n"]:
    """The voxel that each point lies in, -1 where there is none.

    Args:
        grid: A level of the backbone.
        points: Metres, in the frame of the grid.
        batch: Scene of each point.
        voxel_size: Edge of an input voxel (m); the grid's strides count in it.
    """
    stride = torch.tensor(grid.stride, device=points.device, dtype=torch.int64)
    cells = torch.div(torch.floor(points / voxel_size).long(), stride, rounding_mode="floor") * stride
    return grid.rows_of(torch.cat([batch[:, None], cells], 1).to(torch.int32))


def voxel_labels(
    rows: Int64[Tensor, "n"], labels: Int64[Tensor, "n"], *, n_voxels: int, n_labels: int
) -> Int64[Tensor, "v"]:
    """Label of each voxel: the one that most of its points have, or -1 where no point has one.

    Args:
        rows: The voxel of each point, -1 for none.
        labels: Label of each point, -1 for none.
        n_voxels: Number of voxels.
        n_labels: Number of labels.
    """
    counted = (rows >= 0) & (labels >= 0)
    votes = torch.bincount(rows[counted] * n_labels + labels[counted], minlength=n_voxels * n_labels)
    most = votes.view(n_voxels, n_labels).max(1)
    return torch.where(most.values > 0, most.indices, -1)


def alignment_loss(
    levels: Sequence[SparseTensor],
    labels: Sequence[Int64[Tensor, "_"]],
    names: Float[Tensor, "k c"],
    *,
    with_nothing: bool,
) -> Float[Tensor, ""]:
    """Cross entropy of each voxel over the names; mean of the levels.

    Args:
        levels: Backbone features.
        labels: Name of each voxel of each level, -1 for none.
        names: Projected words of the names.
        with_nothing: Voxels without a name learn a further class, whose logit is 0, and weigh as much as the others in total.
            Otherwise they do not count.
    """
    total = names.new_zeros(())
    for level, label in zip(levels, labels, strict=True):
        logits = level.feats @ names.T / names.shape[1] ** 0.5
        named = label >= 0
        if not with_nothing:
            total = total + _mean(F.cross_entropy(logits[named], label[named], reduction="none"))
            continue
        losses = F.cross_entropy(F.pad(logits, (1, 0)), label + 1, reduction="none")
        total = total + (_mean(losses[named]) + _mean(losses[~named])) / 2
    return total / max(len(levels), 1)


def _mean(values: Float[Tensor, "m"]) -> Float[Tensor, ""]:
    return values.sum() / max(len(values), 1)
