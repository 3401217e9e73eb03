"""Greedy suppression of boxes that repeat a better one."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..data.boxes import iou_axis_aligned


def suppress_overlaps(
    centers: Float[Tensor, "v 3"],
    sizes: Float[Tensor, "v 3"],
    scores: Float[Tensor, "v"],
    *,
    top_k: int,
    max_iou: float = 0.5,
    considered: int = 512,
) -> Int64[Tensor, "k"]:
    """Rows of the best boxes, none of which overlaps a better one by more than ``max_iou``.

    The first row is always the highest score (the earliest among equals).

    Args:
        centers: Box centres (m).
        sizes: Full sizes (m).
        scores: Higher is better.
        top_k: Rows at most.
        considered: Only this many of the highest scores are looked at.
    """
    left = torch.argsort(scores, descending=True, stable=True)[:considered]
    kept = []
    while len(left) and len(kept) < top_k:
        best = left[0]
        kept.append(best)
        n = len(left)
        iou = iou_axis_aligned(centers[best].expand(n, 3), sizes[best].expand(n, 3), centers[left], sizes[left])
        left = left[(iou <= max_iou) & (left != best)]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64, device=scores.device)
