"""Text-guided pruning: which voxels survive."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from ..core.errors import ShapeMismatch
from .ragged import Ragged


def keep_above_threshold(
    prune_logits: Float[Tensor, "v"],
    batch: Int64[Tensor, "v"],
    *,
    threshold: float,
    n_batch: int,
    fallback: int,
) -> tuple[Bool[Tensor, "v"], Bool[Tensor, "b"]]:
    """Inference: keep the voxels whose keep probability ``1 - sigmoid(logit)`` exceeds the threshold.

    A scene that would lose every voxel keeps its ``fallback`` best instead.

    Returns:
        Which voxels survive, and which scenes (that have voxels at all) fell back.
    """
    keep = 1 - prune_logits.sigmoid() > threshold
    total = torch.bincount(batch, minlength=n_batch)
    kept = torch.bincount(batch[keep], minlength=n_batch)
    fell_back = (kept == 0) & (total > 0)
    if bool(fell_back.any()):
        best = keep_top(-prune_logits, batch, count=fallback, n_batch=n_batch)
        keep = keep | (best & fell_back[batch])
    return keep, fell_back


def keep_top(scores: Float[Tensor, "v"], batch: Int64[Tensor, "v"], *, count: int, n_batch: int) -> Bool[Tensor, "v"]:
    """The ``count`` highest scores of each scene (all where it has fewer); among equals the earlier row."""
    ragged = Ragged.of(batch, n_batch)
    if count < 1 or ragged.longest <= count:
        return torch.full((len(scores),), count >= 1, dtype=torch.bool, device=scores.device)
    least = ragged.pad(scores, -torch.inf).kthvalue(ragged.longest - count + 1, dim=1).values[batch]
    better, equal = scores > least, scores == least
    room = count - torch.bincount(batch[better], minlength=n_batch)
    rank = ragged.unpad(ragged.pad(equal).cumsum(1))
    return better | (equal & (rank <= room[batch]))


def sample_by_coordinate(
    coords: Int[Tensor, "v 4"], *, count: int | None, seed: int, n_batch: int, sample: Int64[Tensor, "b"] | None = None
) -> Bool[Tensor, "v"]:
    """A random subset of at most ``count`` voxels a scene that depends on seed and coordinates alone.

    The order of the rows and the batch number that a scene happens to have do not matter: the same scene always gives the
    same subset. None keeps all.

    Args:
        coords: (batch, x, y, z).
        sample: Another seed for each scene, where scenes of one batch should draw differently (training).
    """
    if count is None or len(coords) <= count:
        return torch.ones(len(coords), dtype=torch.bool, device=coords.device)
    batch = coords[:, 0].long()
    if sample is not None and len(sample) != n_batch:
        raise ShapeMismatch(f"{len(sample)} seeds for {n_batch} scenes; give one for each")
    state = torch.full_like(batch, seed) if sample is None else seed + sample[batch]
    for axis in (1, 2, 3):
        state = _mix(state ^ coords[:, axis].long())
    keys = (state & 0xFFFFFFFFFFFFF).to(torch.float64)
    return keep_top(-keys, batch, count=count, n_batch=n_batch)


def _mix(x: Int64[Tensor, "v"]) -> Int64[Tensor, "v"]:
    """SplitMix64's finaliser on wrapping 64-bit integers (Steele et al., OOPSLA 2014)."""
    x = x + -7046029254386353131
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    return x ^ ((x >> 31) & 0x1FFFFFFFF)
