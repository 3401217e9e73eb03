"""Semi-global aggregation of matching costs (Hirschmueller, TPAMI 2008)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Smoothness:
    """Penalties beside costs of 0..1."""

    small: float = 0.1
    """For a change by one plane."""
    large: float = 0.8
    """For a jump, where the photo does not change."""
    edge: float = 0.05
    """Difference of grey values that halves the penalty of a jump."""


def aggregate(
    cost: Float[Tensor, "h w d"], guide: Float[Tensor, "h w"], smoothness: Smoothness | None = None
) -> Float[Tensor, "h w d"]:
    """For each plane, the sum of the costs of the cheapest paths that end there, along the four directions of the image.

    Args:
        cost: Of each plane, about 0..1.
        guide: Grey photo; where it changes, depth may jump.
        smoothness: Penalties.
    """
    s = smoothness or Smoothness()
    total = torch.zeros_like(cost)
    for dim in (0, 1):
        lines, grey, into = (x.movedim(dim, 0) for x in (cost, guide, total))
        jump = (s.large / (1 + (grey[1:] - grey[:-1]).abs() / s.edge)).clamp_min(2 * s.small)
        forwards = range(len(lines))
        _walk(lines, jump, into, forwards, s.small)
        _walk(lines, jump, into, forwards[::-1], s.small)
    return total


def _walk(
    lines: Float[Tensor, "l m d"],
    jump: Float[Tensor, "k m"],
    total: Float[Tensor, "l m d"],
    order: Sequence[int],
    small: float,
) -> None:
    so_far = lines[order[0]]
    total[order[0]] += so_far
    for before, here in pairwise(order):
        least = so_far.amin(1, keepdim=True)
        best = torch.minimum(so_far, least + jump[min(before, here)][:, None])
        best[:, 1:] = torch.minimum(best[:, 1:], so_far[:, :-1] + small)
        best[:, :-1] = torch.minimum(best[:, :-1], so_far[:, 1:] + small)
        so_far = lines[here] + (best - least)
        total[here] += so_far


def winners(cost: Float[Tensor, "h w d"]) -> Float[Tensor, "h w"]:
    """The cheapest plane of each pixel, between planes by a parabola through the costs beside it."""
    last = cost.shape[-1] - 1
    best = cost.argmin(-1, keepdim=True)
    before, here, after = (cost.gather(-1, (best + k).clamp(0, last))[..., 0] for k in (-1, 0, 1))
    bend = before - 2 * here + after
    between = torch.where(bend > 1e-9, 0.5 * (before - after) / bend.clamp_min(1e-9), torch.zeros_like(bend))
    inner = (best[..., 0] > 0) & (best[..., 0] < last)
    return best[..., 0] + torch.where(inner, between.clamp(-0.5, 0.5), torch.zeros_like(bend))
