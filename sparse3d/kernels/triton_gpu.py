"""Kernels in Triton for NVIDIA GPUs: convolution as an implicit matrix product, kernel maps from a hash table.

Triton is imported at the first call. ``TRITON_INTERPRET=1``, set before Python starts, runs the same kernels in Triton's
interpreter on tensors of the CPU: far too slow for work, but it checks them where there is no GPU.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...core.errors import InvalidInput
from ..kernel_map import KernelMap, Matches

_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_LEAST_CAPABILITY = (8, 0)
"""Of a GPU: the first with bfloat16 and TF32, and the oldest that Triton still supports."""


def why_unusable(device: torch.device) -> str | None:
    """Without Triton, on a GPU that is too old, and on a CPU unless Triton's interpreter was asked for."""
    if not _is_installed():
        return "Triton is not installed; on Linux: pip install 'trisparse[triton]'"
    if _is_interpreting():
        return None if device.type in ("cpu", "cuda") else f"Triton's interpreter does not reach tensors on {device}"
    if device.type != "cuda":
        return f"Triton kernels run on CUDA GPUs (or with TRITON_INTERPRET=1, slowly), the tensors are on {device}"
    return _why_not_on_gpu(device)


@cache
def _is_installed() -> bool:
    return find_spec("triton") is not None


def _is_interpreting() -> bool:
    return os.environ.get("TRITON_INTERPRET") == "1"


@cache
def _why_not_on_gpu(device: torch.device) -> str | None:
    if not torch.cuda.is_available():
        return "PyTorch sees no CUDA GPU"
    if torch.version.hip is not None:
        return "these kernels were written for NVIDIA GPUs, this PyTorch is for AMD's"
    found = torch.cuda.get_device_capability(device)
    if found < _LEAST_CAPABILITY:
        return f"a GPU of compute capability {_LEAST_CAPABILITY[0]}.{_LEAST_CAPABILITY[1]} is needed, got {found[0]}.{found[1]}"
    return None


def convolve(feats: Float[Tensor, "i c"], kernel: Float[Tensor, "k c d"], taps: KernelMap) -> Float[Tensor, "o d"]:
    """Sum over the taps of ``feats[in] @ kernel[tap]``. Half precisions are summed in single.

    Single precision uses TF32 where PyTorch's matrix products may (``torch.backends.cuda.matmul``); double is slow.

    Raises:
        InvalidInput: Another dtype.
    """
    if feats.dtype not in _DTYPES:
        names = ", ".join(str(dtype) for dtype in _DTYPES)
        raise InvalidInput(
            f"the triton backend convolves {names}, got {feats.dtype}; convert it, or take backend='torch'"
        )
    return _Convolve.apply(feats, kernel, taps)


def find_rows(
    keys: Int64[Tensor, "v"], order: Int64[Tensor, "v"], wanted: Int64[Tensor, "m"], step: int
) -> Int64[Tensor, "m"]:
    """``order`` at the place of ``wanted + step`` in the sorted ``keys``, -1 where it is not among them."""
    from .triton_kernel_map import find_rows

    return find_rows(keys, order, wanted, step)


def match_keys(
    keys_in: Int64[Tensor, "v"], keys_out: Int64[Tensor, "w"], steps: Int64[Tensor, "k"], width_in: int, width_out: int
) -> Matches:
    """For each step all places (i, o) with ``keys_in[i] == keys_out[o] + step``; both lists of keys are sorted."""
    from .triton_kernel_map import match_keys

    return match_keys(keys_in, keys_out, steps, width_in, width_out)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, feats: Tensor, kernel: Tensor, taps: KernelMap) -> Tensor:
        from .triton_conv import products

        ctx.save_for_backward(feats, kernel)
        ctx.taps = taps
        return products(feats.detach(), kernel.detach(), taps.neighbours, taps.n_out, interpreted=_is_interpreting())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        from .triton_conv import outer_products, products

        feats, kernel = ctx.saved_tensors
        taps: KernelMap = ctx.taps
        grad_feats = grad_kernel = None
        if ctx.needs_input_grad[0]:
            back = taps.transposed
            grad_feats = products(grad, kernel.mT, back.neighbours, back.n_out, interpreted=_is_interpreting())
        if ctx.needs_input_grad[1]:
            pairs = taps.rows_in, taps.rows_out, taps.starts
            grad_kernel = outer_products(feats.detach(), grad, *pairs, interpreted=_is_interpreting())
        return grad_feats, grad_kernel, None
