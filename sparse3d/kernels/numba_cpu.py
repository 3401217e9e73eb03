"""Compiled loops for the CPU.

Every output row belongs to one thread, which takes the taps in their order; sums do not depend on the number of threads, to
the bit. No more threads run than torch may use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from ...core.threads import PARALLEL_CODE
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
    with _parallel():
        _find(keys.numpy(), order.numpy(), wanted.numpy(), step, out.numpy())
    return out


def match_keys(
    keys_in: Int64[Tensor, "v"], keys_out: Int64[Tensor, "w"], steps: Int64[Tensor, "k"], width_in: int, width_out: int
) -> Matches:
    """For each step all places (i, o) with ``keys_in[i] == keys_out[o] + step``; both lists of keys are sorted."""
    with _parallel():
        found = _match(keys_in.numpy(), keys_out.numpy(), steps.numpy(), width_in, width_out)
    return Matches(*(torch.from_numpy(part) for part in found))


@contextmanager
def _parallel() -> Iterator[None]:
    """One Python thread at a time, with no more threads than torch or numba may use.

    numba's OpenMP pool sets the number of threads of the OpenMP library, which torch shares: it is set back.
    """
    with PARALLEL_CODE:
        torch_threads = torch.get_num_threads()  # before numba is asked, which may start its pool
        before = numba.get_num_threads()
        numba.set_num_threads(min(before, torch_threads))
        try:
            yield
        finally:
            numba.set_num_threads(before)
            if torch.get_num_threads() != torch_threads:
                torch.set_num_threads(torch_threads)


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
    with _parallel():
        add_products(source, weights.detach().numpy(), rows_in, rows_out, runs, target)
    return _columns(out, kernel.shape[2])


def _outer_products(feats: Tensor, grad: Tensor, taps: KernelMap) -> Tensor:
    right = _whole_vectors(grad)
    out = feats.new_zeros(taps.runs_out.shape[0], feats.shape[1], right.shape[1])
    runs = taps.runs_out[:, : -1 : _TOGETHER // run_width(taps.n_out)]
    runs = torch.cat([runs, taps.runs_out[:, -1:]], 1).numpy()
    source, target = feats.detach().contiguous().numpy(), out.numpy()
    with _parallel():
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
@numba.njit(parallel=True, cache=True, nogil=True)
def _match(
    keys_in: np.ndarray, keys_out: np.ndarray, steps: np.ndarray, width_in: int, width_out: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Walks through both lists side by side, run by run, without branches; what each run finds is then moved together."""
    n_in, n_out = len(keys_in), len(keys_out)
    n_runs = (n_out + width_out - 1) // width_out
    n_units = len(steps) * n_runs
    counts = np.zeros(n_units + 1, np.int64)
    loose_in = np.empty((n_units, width_out + 1), np.int32)
    loose_out = np.empty((n_units, width_out + 1), np.int32)
    for unit in numba.prange(n_units):
        step, o = steps[unit // n_runs], unit % n_runs * width_out
        stop = min(o + width_out, n_out)
        i, found = _first_at_least(keys_in, keys_out[o] + step), 0
        while o < stop and i < n_in:
            wanted, there = keys_out[o] + step, keys_in[i]
            loose_in[unit, found] = i
            loose_out[unit, found] = o
            found += there == wanted
            i += there <= wanted
            o += there >= wanted
        counts[unit + 1] = found
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
