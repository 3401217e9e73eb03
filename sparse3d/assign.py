"""Which voxels learn what: box assignment and keep targets, for all sentences of a batch at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from .ragged import Ragged, stack


def assign_boxes(
    corners: Float[Tensor, "v 3"],
    batch: Int64[Tensor, "v"],
    centers: Sequence[Float[Tensor, "_ 3"]],
    *,
    positives_per_box: int = 32,
) -> Int64[Tensor, "v"]:
    """The box that each voxel should predict, as TR3D assigns them.

    A box's candidates are the voxels strictly nearer to its centre than its (positives_per_box + 1)-th nearest voxel (the
    farthest where there are fewer). A voxel is positive for the nearest of the boxes that it is a candidate of, if that box
    is also its nearest of all.

    Args:
        corners: Lower corners of the voxels (m).
        batch: Sentence of each voxel.
        centers: For each sentence the centres of its boxes (m).

    Returns:
        A row of the sentence's ``centers``, or -1 for background.
    """
    boxes = stack(centers, like=corners)
    if not len(corners) or not boxes.numel():
        return torch.full((len(corners),), -1, dtype=torch.int64, device=corners.device)
    ragged = Ragged.of(batch, len(centers))
    nowhere = torch.inf
    distance = (ragged.pad(corners)[:, :, None] - boxes[:, None]).square().sum(-1)
    if ragged.padding is not None:
        distance = distance.masked_fill(ragged.padding[:, :, None], nowhere)
    nearest_voxels = distance.topk(min(positives_per_box + 1, ragged.longest), dim=1, largest=False).values
    last = (ragged.counts.clamp(max=nearest_voxels.shape[1]) - 1).clamp(min=0)
    cutoff = nearest_voxels[torch.arange(len(centers), device=corners.device), last]
    candidate = distance < cutoff[:, None]
    nearest_candidate = distance.masked_fill(~candidate, nowhere).min(2)
    nearest = distance.min(2)
    positive = torch.isfinite(nearest_candidate.values) & (nearest_candidate.indices == nearest.indices)
    return ragged.unpad(torch.where(positive, nearest.indices, -1))


def keep_target(
    corners: Float[Tensor, "v 3"], batch: Int64[Tensor, "v"], centers: Sequence[Float[Tensor, "_ 3"]], *, reach: float
) -> Bool[Tensor, "v"]:
    """Whether each voxel should survive pruning: strictly inside the cube around any of its sentence's centres.

    Args:
        corners: Lower corners of the voxels (m).
        batch: Sentence of each voxel.
        centers: For each sentence the centres of the relevant boxes (m); their sizes do not count.
        reach: Half the cube's edge (m).
    """
    inside = torch.ones(len(corners), 1, dtype=torch.bool, device=corners.device)
    for corner, center in zip(corners.unbind(1), stack(centers, like=corners).unbind(2), strict=True):
        inside = inside & ((corner[:, None] - center[batch]).abs() < reach)
    return inside.any(1)
