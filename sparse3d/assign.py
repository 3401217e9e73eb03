"""Which voxels learn what: box assignment and keep targets."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


def assign_boxes(
    corners: Float[Tensor, "v 3"], centers: Float[Tensor, "m 3"], *, positives_per_box: int = 32
) -> Int64[Tensor, "v"]:
    """The box that each voxel of one scene should predict, as TR3D assigns them.

    A box's candidates are the voxels strictly nearer to its centre than its (positives_per_box + 1)-th nearest voxel (the
    farthest where there are fewer). A voxel is positive for the nearest of the boxes that it is a candidate of, if that box
    is also its nearest of all.

    Args:
        corners: Lower corners of the voxels (m).
        centers: Centres of the boxes (m).

    Returns:
        A row of ``centers``, or -1 for background.
    """
    if not len(corners) or not len(centers):
        return torch.full((len(corners),), -1, dtype=torch.int64, device=corners.device)
    distance = (corners[:, None] - centers[None]).square().sum(-1)
    k = min(positives_per_box + 1, len(corners))
    cutoff = distance.kthvalue(k, dim=0).values
    candidate = distance < cutoff
    nearest_candidate = distance.masked_fill(~candidate, torch.inf).min(1)
    nearest = distance.min(1)
    positive = torch.isfinite(nearest_candidate.values) & (nearest_candidate.indices == nearest.indices)
    return torch.where(positive, nearest.indices, -1)


def keep_target(corners: Float[Tensor, "v 3"], centers: Float[Tensor, "m 3"], *, reach: float) -> Bool[Tensor, "v"]:
    """Whether each voxel of one scene should survive pruning: strictly inside the cube around any of the centres.

    Args:
        corners: Lower corners of the voxels (m).
        centers: Centres of the relevant boxes (m); their sizes do not count.
        reach: Half the cube's edge (m).
    """
    if not len(centers):
        return torch.zeros(len(corners), dtype=torch.bool, device=corners.device)
    return ((corners[:, None] - centers[None]).abs() < reach).all(-1).any(1)
