"""Compiled loops for the CPU: rows are gathered by torch, multiplied by the BLAS, and added where they belong by numba.

No output row is written by two threads at once: within one tap every output row appears at most once. The order of the sum is
the order of the taps, so the number of threads does not change the result (the BLAS apart).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...core.threads import PARALLEL_CODE
from ..kernel_map import BLOCK, KernelMap


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


def convolve(feats: Float[Tensor, "i c"], kernel: Float[Tensor, "k c d"], taps: KernelMap) -> Float[Tensor, "o d"]:
    """Sum over the taps of ``feats[in] @ kernel[tap]``."""
    if feats.dtype == torch.bfloat16:
        return _Convolve.apply(feats.float(), kernel.float(), taps).bfloat16()
    return _Convolve.apply(feats, kernel, taps)


def find_rows(
    keys: Int64[Tensor, "v"], order: Int64[Tensor, "v"], wanted: Int64[Tensor, "m"], step: int
) -> Int64[Tensor, "m"]:
    """``order`` at the place of ``wanted + step`` in the sorted ``keys``, -1 where it is not among them."""
    out = torch.empty_like(wanted)
    with PARALLEL_CODE:
        _find(keys.numpy(), order.numpy(), wanted.numpy(), step, out.numpy())
    return out


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, feats: Tensor, kernel: Tensor, taps: KernelMap) -> Tensor:
        feats, kernel = feats.contiguous(), kernel.contiguous()
        ctx.save_for_backward(feats, kernel)
        ctx.taps = taps
        return _accumulate(feats, kernel, taps)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        feats, kernel = ctx.saved_tensors
        back, grad = ctx.taps.transposed, grad.contiguous()
        grad_kernel = torch.zeros_like(kernel) if ctx.needs_input_grad[1] else None
        if ctx.needs_input_grad[0]:
            turned = kernel.transpose(1, 2).contiguous()
            return _accumulate(grad, turned, back, feats, grad_kernel), grad_kernel, None
        if grad_kernel is not None:
            for number, i, o in _runs(back):
                grad_kernel[number].addmm_(feats.index_select(0, o).T, grad.index_select(0, i))
        return None, grad_kernel, None


def _accumulate(
    feats: Tensor, kernel: Tensor, taps: KernelMap, there: Tensor | None = None, outer: Tensor | None = None
) -> Tensor:
    """Sum over the taps of ``feats[in] @ kernel[tap]``; on the way add ``there[out].T @ feats[in]`` to ``outer[tap]``."""
    centre = _identity(taps)
    if centre is None:
        out = feats.new_zeros(taps.n_out, kernel.shape[2])
    else:
        out = torch.mm(feats, kernel[centre])
        if there is not None and outer is not None:
            torch.mm(there.T, feats, out=outer[centre])
    target = out.numpy()
    gathered, product = feats.new_empty(BLOCK, feats.shape[1]), feats.new_empty(BLOCK, kernel.shape[2])
    product_array = product.numpy()
    other = None if there is None else there.new_empty(BLOCK, there.shape[1])
    for number, i, o in _runs(taps, skip=centre):
        n = len(i)
        near = torch.index_select(feats, 0, i, out=gathered[:n])
        torch.mm(near, kernel[number], out=product[:n])
        with PARALLEL_CODE:
            _add_rows(target, o.numpy(), product_array[:n])
        if there is not None and other is not None and outer is not None:
            outer[number].addmm_(torch.index_select(there, 0, o, out=other[:n]).T, near)
    return out


def _identity(taps: KernelMap) -> int | None:
    """The tap that joins every row with itself, if there is one."""
    middle = len(taps.pairs) // 2
    i, o = taps.pairs[middle]
    return middle if i is o and len(i) == taps.n_in == taps.n_out else None


def _runs(taps: KernelMap, skip: int | None = None) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Tap by tap the pairs of one block of neighbouring output rows, then those of the next block."""
    blocks = max(len(cuts) for cuts in taps.cuts_out) - 1
    for block in range(blocks):
        for number, ((i, o), cuts) in enumerate(zip(taps.pairs, taps.cuts_out, strict=True)):
            start, stop = cuts[block], cuts[block + 1]
            if start < stop and number != skip:
                yield number, i[start:stop], o[start:stop]


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def _add_rows(out: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    for r in numba.prange(len(rows)):
        row = rows[r]
        for c in range(values.shape[1]):
            out[row, c] += values[r, c]


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
