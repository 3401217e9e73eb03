"""The readable reference: plain torch on any device, gradients by autograd."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..kernel_map import KernelMap, Matches, run_width


def why_unusable(device: torch.device) -> str | None:
    """Always usable."""
    return None


def convolve(feats: Float[Tensor, "i c"], kernel: Float[Tensor, "k c d"], taps: KernelMap) -> Float[Tensor, "o d"]:
    """Sum over the taps of ``feats[in] @ kernel[tap]``."""
    out = feats.new_zeros(taps.n_out, kernel.shape[2])
    for weight, (i, o) in zip(kernel, taps.pairs, strict=True):
        out = out.index_add(0, o, feats[i] @ weight)
    return out


def pool_sum(feats: Float[Tensor, "i c"], taps: KernelMap) -> Float[Tensor, "o c"]:
    """Sum over the taps of ``feats[in]``."""
    out = feats.new_zeros(taps.n_out, feats.shape[1])
    for i, o in taps.pairs:
        out = out.index_add(0, o, feats[i])
    return out


def argmax_rows(feats: Float[Tensor, "i c"], taps: KernelMap) -> Int64[Tensor, "o c"]:
    """For each output and channel the input row with the greatest value; the first row among equals, -1 where there is none."""
    best = feats.new_full((taps.n_out, feats.shape[1]), -torch.inf)
    winner = torch.full_like(best, -1, dtype=torch.int64)
    for i, o in taps.pairs:
        value, old, holder = feats[i], best[o], winner[o]
        better = (value > old) | ((value == old) & (i[:, None] < holder)) | (holder < 0)
        best[o] = torch.where(better, value, old)
        winner[o] = torch.where(better, i[:, None], holder)
    return winner


def find_rows(
    keys: Int64[Tensor, "v"], order: Int64[Tensor, "v"], wanted: Int64[Tensor, "m"], step: int
) -> Int64[Tensor, "m"]:
    """``order`` at the place of ``wanted + step`` in the sorted ``keys``, -1 where it is not among them."""
    place = torch.searchsorted(keys, wanted + step).clamp_(max=len(keys) - 1)
    return torch.where(keys[place] == wanted + step, order[place], -1)


def sort_keys(keys: Int64[Tensor, "v"]) -> tuple[Int64[Tensor, "v"], Int64[Tensor, "v"]]:
    """The keys (none below 0) in order, and where each was; among equals the earlier first."""
    ordered = torch.sort(keys, stable=True)
    return ordered.values, ordered.indices


def match_keys(
    keys_in: Int64[Tensor, "v"], keys_out: Int64[Tensor, "w"], steps: Int64[Tensor, "k"], width_in: int, width_out: int
) -> Matches:
    """For each step all places (i, o) with ``keys_in[i] == keys_out[o] + step``; both lists of keys are sorted."""
    limits_in, limits_out = (
        torch.arange(0, len(keys) + width, width, device=keys.device)
        for keys, width in ((keys_in, width_in), (keys_out, width_out))
    )
    places_in, places_out, runs_in, runs_out, total = [], [], [], [], 0
    for step in steps.tolist():
        place = torch.searchsorted(keys_in, keys_out + step)
        hit = (keys_in[place.clamp(max=len(keys_in) - 1)] == keys_out + step) if len(keys_in) else place < 0
        o = hit.nonzero().flatten()
        i = place[o]
        runs_in.append(torch.searchsorted(i, limits_in) + total)
        runs_out.append(torch.searchsorted(o, limits_out) + total)
        places_in.append(i.int())
        places_out.append(o.int())
        total += len(i)
    if not places_in:
        none = torch.empty(0, dtype=torch.int32, device=keys_in.device)
        return Matches(none, none, limits_in.new_empty(0, len(limits_in)), limits_out.new_empty(0, len(limits_out)))
    return Matches(torch.cat(places_in), torch.cat(places_out), torch.stack(runs_in), torch.stack(runs_out))


def mirror_image(half: Matches, n: int) -> Matches:
    """All taps of an odd kernel from a grid to itself, given those before the centre: tap -k joins the pairs of k swapped."""
    device = half.places_in.device
    every = torch.arange(n, dtype=torch.int32, device=device)
    limits = torch.arange(0, n + run_width(n), run_width(n), device=device).clamp_(max=n)[: half.runs_out.shape[1]]
    ends = torch.cat([half.runs_out[:, 0], torch.tensor([len(half.places_in)], device=device)])
    taps = [slice(start, stop) for start, stop in pairwise(ends.tolist())]
    places_in = [half.places_in, every, *(half.places_out[tap] for tap in reversed(taps))]
    places_out = [half.places_out, every, *(half.places_in[tap] for tap in reversed(taps))]
    counts = ends.diff()
    sizes = torch.cat([counts, torch.tensor([n], device=device), counts.flip(0)])
    starts = (sizes.cumsum(0) - sizes)[:, None]
    inside_in, inside_out = half.runs_in - half.runs_in[:, :1], half.runs_out - half.runs_out[:, :1]
    return Matches(
        torch.cat(places_in),
        torch.cat(places_out),
        torch.cat([inside_in, limits[None], inside_out.flip(0)]) + starts,
        torch.cat([inside_out, limits[None], inside_in.flip(0)]) + starts,
    )
