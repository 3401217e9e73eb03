"""Compiled loops for the CPU.

Every output row belongs to one thread, which takes the taps in their order; sums do not depend on the number of threads, to
the bit. No more threads run than torch may use.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from ...core.threads import parallel_code
from ..kernel_map import KernelMap, Matches, run_width
from .register_tiles import add_outer_products, add_products, padded_columns

_TOGETHER = 2048
"""Rows whose features the second- or third-level cache holds while all taps' weight gradients are summed over them."""


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


def convolve(feats: Float[Tensor, "i c"], kernel: Float[Tensor, "k c d"], taps: KernelMap) -> Float[Tensor, "o d"]:
    """Sum over the taps of ``feats[in] @ kernel[tap]``. Half precisions are computed in single."""
    if feats.dtype in (torch.float32, torch.float64):
        return _Convolve.apply(feats, kernel, taps)
    return _Convolve.apply(feats.float(), kernel.float(), taps).to(feats.dtype)


def find_rows(
    keys: Int64[Tensor, "v"], order: Int64[Tensor, "v"], wanted: Int64[Tensor, "m"], step: int
) -> Int64[Tensor, "m"]:
    """``order`` at the place of ``wanted + step`` in the sorted ``keys``, -1 where it is not among them."""
    out = torch.empty_like(wanted)
    with parallel_code():
        _find(keys.numpy(), order.numpy(), wanted.numpy(), step, out.numpy())
    return out


def sort_keys(keys: Int64[Tensor, "v"]) -> tuple[Int64[Tensor, "v"], Int64[Tensor, "v"]]:
    """The keys (none below 0) in order, and where each was; among equals the earlier first."""
    ordered, order = _radix_sort(keys.numpy())
    return torch.from_numpy(ordered), torch.from_numpy(order)


def match_keys(
    keys_in: Int64[Tensor, "v"], keys_out: Int64[Tensor, "w"], steps: Int64[Tensor, "k"], width_in: int, width_out: int
) -> Matches:
    """For each step all places (i, o) with ``keys_in[i] == keys_out[o] + step``; both lists of keys are sorted."""
    with parallel_code():
        found = _match(keys_in.numpy(), keys_out.numpy(), steps.numpy(), width_in, width_out)
    return Matches(*(torch.from_numpy(part) for part in found))


def mirror_image(half: Matches, n: int) -> Matches:
    """All taps of an odd kernel from a grid to itself, given those before the centre: tap -k joins the pairs of k swapped."""
    found = _mirror(
        half.places_in.numpy(),
        half.places_out.numpy(),
        half.runs_in.numpy(),
        half.runs_out.numpy(),
        n,
        run_width(n),
    )
    return Matches(*(torch.from_numpy(part) for part in found))


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, feats: Tensor, kernel: Tensor, taps: KernelMap) -> Tensor:
        ctx.save_for_backward(feats, kernel)
        ctx.taps = taps
        return _products(feats, kernel, taps)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        feats, kernel = ctx.saved_tensors
        grad_feats = grad_kernel = None
        if ctx.needs_input_grad[0]:
            grad_feats = _products(grad, kernel.transpose(1, 2), ctx.taps.transposed)
        if ctx.needs_input_grad[1]:
            grad_kernel = _outer_products(feats, grad, ctx.taps)
        return grad_feats, grad_kernel, None


def _products(feats: Tensor, kernel: Tensor, taps: KernelMap) -> Tensor:
    weights = _whole_vectors(kernel)
    out = feats.new_zeros(taps.n_out, weights.shape[2])
    rows_in, rows_out, runs = taps.rows_in.numpy(), taps.rows_out.numpy(), taps.runs_out.numpy()
    source, target = feats.detach().contiguous().numpy(), out.numpy()
    with parallel_code():
        add_products(source, weights.detach().numpy(), rows_in, rows_out, runs, target)
    return _columns(out, kernel.shape[2])


def _outer_products(feats: Tensor, grad: Tensor, taps: KernelMap) -> Tensor:
    right = _whole_vectors(grad)
    out = feats.new_zeros(taps.runs_out.shape[0], feats.shape[1], right.shape[1])
    runs = taps.runs_out[:, : -1 : _TOGETHER // run_width(taps.n_out)]
    runs = torch.cat([runs, taps.runs_out[:, -1:]], 1).numpy()
    source, target = feats.detach().contiguous().numpy(), out.numpy()
    with parallel_code():
        add_outer_products(source, right.numpy(), taps.rows_in.numpy(), taps.rows_out.numpy(), runs, target)
    return _columns(out, grad.shape[1])


def _whole_vectors(matrix: Tensor) -> Tensor:
    """The last dimension filled up with zeros to whole vectors; contiguous."""
    missing = padded_columns(matrix.shape[-1], matrix.element_size()) - matrix.shape[-1]
    return functional.pad(matrix, (0, missing)) if missing else matrix.contiguous()


def _columns(matrix: Tensor, count: int) -> Tensor:
    return matrix if matrix.shape[-1] == count else matrix[..., :count].contiguous()


@no_type_check
@numba.njit(cache=True, nogil=True)
def _radix_sort(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eleven bits a pass, lowest first; as many passes as the greatest key has need of."""
    n, greatest, shift = len(keys), np.int64(0), 0
    order, ordered = np.arange(n), keys.copy()
    next_order, next_ordered = np.empty_like(order), np.empty_like(ordered)
    for key in keys:
        greatest |= key
    place = np.empty(2049, np.int64)
    while greatest >> shift > 0:
        place[:] = 0
        for key in ordered:
            place[((key >> shift) & 2047) + 1] += 1
        for digit in range(2048):
            place[digit + 1] += place[digit]
        for row in range(n):
            digit = (ordered[row] >> shift) & 2047
            next_ordered[place[digit]] = ordered[row]
            next_order[place[digit]] = order[row]
            place[digit] += 1
        order, next_order = next_order, order
        ordered, next_ordered = next_ordered, ordered
        shift += 11
    return ordered, order


@no_type_check
@numba.njit(cache=True, nogil=True)
def _first_at_least(keys: np.ndarray, key: int) -> int:
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@no_type_check
@numba.njit(cache=True, nogil=True, inline="always")
def _walk(keys_in, keys_out, step, i, o, loose_in, loose_out, unit, found):
    """Note a pair, which counts if it is one, and go on in the list that lags behind: no branch to guess."""
    wanted, there = keys_out[o] + step, keys_in[i]
    loose_in[unit, found] = i
    loose_out[unit, found] = o
    return i + (there <= wanted), o + (there >= wanted), found + (there == wanted)


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def _match(
    keys_in: np.ndarray, keys_out: np.ndarray, steps: np.ndarray, width_in: int, width_out: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Walks through both lists side by side, run by run; what each run finds is then moved together.

    Two taps take turns, so that the processor need not wait for one while the other's numbers come.
    """
    n_in, n_out, n_taps = len(keys_in), len(keys_out), len(steps)
    n_runs = (n_out + width_out - 1) // width_out
    n_units = n_taps * n_runs
    counts = np.zeros(n_units + 1, np.int64)
    loose_in = np.empty((n_units, width_out + 1), np.int32)
    loose_out = np.empty((n_units, width_out + 1), np.int32)
    for pair in numba.prange((n_taps + 1) // 2 * n_runs):
        run = pair % n_runs
        a, start = 2 * (pair // n_runs), run * width_out
        b, stop = min(a + 1, n_taps - 1), min(start + width_out, n_out)
        to_a, to_b = a * n_runs + run, b * n_runs + run
        out_a, out_b = start, start if b > a else stop
        in_a = _first_at_least(keys_in, keys_out[start] + steps[a])
        in_b = _first_at_least(keys_in, keys_out[start] + steps[b])
        found_a = found_b = 0
        while out_a < stop and in_a < n_in and out_b < stop and in_b < n_in:
            in_a, out_a, found_a = _walk(keys_in, keys_out, steps[a], in_a, out_a, loose_in, loose_out, to_a, found_a)
            in_b, out_b, found_b = _walk(keys_in, keys_out, steps[b], in_b, out_b, loose_in, loose_out, to_b, found_b)
        while out_a < stop and in_a < n_in:
            in_a, out_a, found_a = _walk(keys_in, keys_out, steps[a], in_a, out_a, loose_in, loose_out, to_a, found_a)
        while out_b < stop and in_b < n_in:
            in_b, out_b, found_b = _walk(keys_in, keys_out, steps[b], in_b, out_b, loose_in, loose_out, to_b, found_b)
        counts[to_a + 1] = found_a
        if b > a:
            counts[to_b + 1] = found_b
    ends = np.cumsum(counts)
    places_in = np.empty(ends[n_units], np.int32)
    places_out = np.empty(ends[n_units], np.int32)
    for unit in numba.prange(n_units):
        start, stop = ends[unit], ends[unit + 1]
        places_in[start:stop] = loose_in[unit, : stop - start]
        places_out[start:stop] = loose_out[unit, : stop - start]
    runs_out = np.empty((len(steps), n_runs + 1), np.int64)
    runs_in = np.empty((len(steps), (n_in + width_in - 1) // width_in + 1), np.int64)
    for k in range(len(steps)):
        runs_out[k] = ends[k * n_runs : (k + 1) * n_runs + 1]
        start, stop = runs_out[k, 0], runs_out[k, n_runs]
        for run in range(runs_in.shape[1]):
            runs_in[k, run] = start + _first_at_least(places_in[start:stop], run * width_in)
    return places_in, places_out, runs_in, runs_out


@no_type_check
@numba.njit(cache=True, nogil=True)
def _mirror(
    half_in: np.ndarray, half_out: np.ndarray, half_runs_in: np.ndarray, half_runs_out: np.ndarray, n: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    taps, limits = half_runs_out.shape
    pairs = len(half_in)
    places_in, places_out = np.empty(2 * pairs + n, np.int32), np.empty(2 * pairs + n, np.int32)
    runs_in, runs_out = np.empty((2 * taps + 1, limits), np.int64), np.empty((2 * taps + 1, limits), np.int64)
    places_in[:pairs], places_out[:pairs] = half_in, half_out
    runs_in[:taps], runs_out[:taps] = half_runs_in, half_runs_out
    for row in range(n):
        places_in[pairs + row] = places_out[pairs + row] = row
    for limit in range(limits):
        runs_in[taps, limit] = runs_out[taps, limit] = pairs + min(limit * width, n)
    place = pairs + n
    for tap in range(taps - 1, -1, -1):
        start, stop = half_runs_out[tap, 0], half_runs_out[tap, limits - 1]
        mirrored = 2 * taps - tap
        places_in[place : place + stop - start] = half_out[start:stop]
        places_out[place : place + stop - start] = half_in[start:stop]
        for limit in range(limits):
            runs_in[mirrored, limit] = half_runs_out[tap, limit] - start + place
            runs_out[mirrored, limit] = half_runs_in[tap, limit] - start + place
        place += stop - start
    return places_in, places_out, runs_in, runs_out


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def _find(keys: np.ndarray, order: np.ndarray, wanted: np.ndarray, step: int, out: np.ndarray) -> None:
    """Gallops from the place of the query before: queries mostly come in the order of the keys."""
    block = 2048
    for b in numba.prange((len(wanted) + block - 1) // block):
        place = 0
        for q in range(b * block, min((b + 1) * block, len(wanted))):
            key = wanted[q] + step
            low, high, stride = place, place, 1
            while low > 0 and keys[low] > key:
                high, low, stride = low, max(low - stride, 0), stride * 2
            stride = 1
            while high < len(keys) and keys[high] < key:
                low, high, stride = high, min(high + stride, len(keys)), stride * 2
            while low < high:
                middle = (low + high) // 2
                if keys[middle] < key:
                    low = middle + 1
                else:
                    high = middle
            place = min(low, len(keys) - 1)
            out[q] = order[place] if keys[place] == key else -1
