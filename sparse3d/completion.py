"""Completion-based addition: voxels of the target that pruning lost come back."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .grid import VoxelGrid
from .ops import prune
from .tensor import SparseTensor


def append_missing(
    pruned: SparseTensor, candidates: SparseTensor, logits: Float[Tensor, "v"], *, threshold: float
) -> SparseTensor:
    """Append the candidates that look like the target and are not there yet.

    Args:
        pruned: What survived, at the fine level.
        candidates: Backbone voxels of the same stride after their transformer.
        logits: Target logit of each candidate.
        threshold: Least target probability (exclusive).

    Returns:
        The rows of ``pruned``, then the new ones in the order of ``candidates``, on a new grid.
    """
    wanted: Bool[Tensor, "v"] = logits.sigmoid() > threshold
    wanted = wanted & (pruned.grid.rows_of(candidates.grid.coords) < 0)
    if not bool(wanted.any()):
        return pruned
    new = prune(candidates, wanted)
    grid = VoxelGrid(torch.cat([pruned.grid.coords, new.grid.coords]), pruned.grid.stride)
    return SparseTensor(grid, torch.cat([pruned.feats, new.feats]))
