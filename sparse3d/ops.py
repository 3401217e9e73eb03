"""MinkowskiEngine's operations on sparse tensors, with its semantics (Choy et al., CVPR 2019; docs/conventions.md)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.backend import Op
from ..core.errors import InvalidInput, ShapeMismatch
from .grid import Triple, VoxelGrid, triple
from .kernel_map import KernelMap, cell_map, convolution_map, kernel_offsets
from .kernels.torch_ref import argmax_rows, pool_sum
from .tensor import SparseTensor

CONVOLVE = Op(
    "convolve",
    {
        "triton": "trisparse.sparse3d.kernels.triton_gpu:convolve",
        "numba": "trisparse.sparse3d.kernels.numba_cpu:convolve",
        "torch": "trisparse.sparse3d.kernels.torch_ref:convolve",
    },
)

Size = int | Sequence[int]


def sparse_conv(
    x: SparseTensor,
    kernel: Float[Tensor, "k c d"] | Float[Tensor, "c d"],
    *,
    kernel_size: Size = 3,
    stride: Size = 1,
    dilation: Size = 1,
    bias: Float[Tensor, "1 d"] | None = None,
    onto: VoxelGrid | None = None,
    expand: bool = False,
    backend: str = "auto",
) -> SparseTensor:
    """Convolution: ``out[u] = sum_k x[u + offset_k] @ kernel[k]``; a missing voxel contributes nothing.

    Args:
        x: Input.
        kernel: Weights, tap by tap, x fastest; ``(c, d)`` for one tap at stride 1.
        kernel_size: Taps an axis. Odd sizes are centred, even ones look at 0 .. size - 1.
        stride: Output coordinates are ``floor(c / s) * s`` with s = x.grid.stride * stride.
        dilation: Distance of the taps in units of the input's stride.
        bias: Added to every row.
        onto: Output voxels, where they are not to follow from the input.
        expand: Output at every coordinate that any tap reaches from a voxel.
        backend: "auto" or a name from ``trisparse backends``.

    Raises:
        ShapeMismatch: The kernel does not fit its size or the features.
        InvalidInput: Kernel and features differ in dtype.
    """
    size, factors, gaps = triple(kernel_size, "kernel_size"), triple(stride, "stride"), triple(dilation, "dilation")
    if size == factors == (1, 1, 1) and onto is None and kernel.ndim == 2:
        out = SparseTensor(x.grid, x.feats @ kernel)
        return _with_bias(out, bias)
    weights = _checked_kernel(kernel, size, x.feats)
    step = _times(x.grid.stride, gaps)
    target = onto if onto is not None else _expanded(x.grid, size, step, factors) if expand else x.grid.strided(factors)
    taps = convolution_map(x.grid, target, size, step)
    convolve = CONVOLVE.pick(x.feats.device, backend)
    return _with_bias(SparseTensor(target, convolve(x.feats, weights, taps)), bias)


def sparse_conv_transpose(
    x: SparseTensor,
    kernel: Float[Tensor, "k c d"],
    *,
    kernel_size: Size,
    stride: Size = 1,
    dilation: Size = 1,
    bias: Float[Tensor, "1 d"] | None = None,
    onto: VoxelGrid | None = None,
    backend: str = "auto",
) -> SparseTensor:
    """Transposed convolution: ``out[c + offset_k] += x[c] @ kernel[k]``, offsets in units of the finer output stride.

    Args:
        x: Input, whose stride is a multiple of ``stride``.
        kernel: Weights, tap by tap, x fastest.
        kernel_size: Taps an axis.
        stride: The output's stride is the input's divided by this.
        dilation: Distance of the taps in units of the output's stride.
        bias: Added to every row.
        onto: The existing finer grid to land on. None generates every voxel that a tap reaches (27 for each at size 3).
        backend: "auto" or a name from ``trisparse backends``.

    Raises:
        InvalidInput: The stride does not divide the input's, ``onto`` is of another stride, or the dtypes differ.
        ShapeMismatch: The kernel does not fit its size or the features.
    """
    size, factors = triple(kernel_size, "kernel_size"), triple(stride, "stride")
    fine = _divided(x.grid.stride, factors)
    step = _times(fine, triple(dilation, "dilation"))
    weights = _checked_kernel(kernel, size, x.feats)
    if onto is not None and onto.stride != fine:
        raise InvalidInput(f"the transposed convolution ends at stride {fine}, the grid to land on has {onto.stride}")
    target = onto if onto is not None else generated(x.grid, size, factors, dilation)
    taps = convolution_map(target, x.grid, size, step).transposed
    convolve = CONVOLVE.pick(x.feats.device, backend)
    return _with_bias(SparseTensor(target, convolve(x.feats, weights, taps)), bias)


def generated(grid: VoxelGrid, kernel_size: Size, stride: Size, dilation: Size = 1) -> VoxelGrid:
    """The voxels that a generative transposed convolution makes, sorted; the same object every time."""
    size, factors, gaps = triple(kernel_size, "kernel_size"), triple(stride, "stride"), triple(dilation, "dilation")
    fine = _divided(grid.stride, factors)
    offsets = kernel_offsets(size, _times(fine, gaps)).to(grid.device)
    return grid.remember(("generated", size, factors, gaps), lambda: grid.shifted(offsets, fine))


def max_pool(x: SparseTensor, *, kernel_size: Size, stride: Size) -> SparseTensor:
    """Greatest value in each window, channel by channel; the gradient goes to one row, the first among equals."""
    target, taps = _pooling(x, kernel_size, stride)
    rows = argmax_rows(x.feats.detach(), taps)
    picked = x.feats.gather(0, rows.clamp(min=0)) if len(x.feats) else x.feats.new_zeros(rows.shape)
    return SparseTensor(target, torch.where(rows >= 0, picked, 0))


def sum_pool(x: SparseTensor, *, kernel_size: Size, stride: Size) -> SparseTensor:
    """Sum over each window."""
    target, taps = _pooling(x, kernel_size, stride)
    return SparseTensor(target, pool_sum(x.feats, taps))


def avg_pool(x: SparseTensor, *, kernel_size: Size, stride: Size) -> SparseTensor:
    """Mean over the voxels that exist in each window."""
    target, taps = _pooling(x, kernel_size, stride)
    count = pool_sum(x.feats.new_ones(len(x.feats), 1), taps)
    return SparseTensor(target, pool_sum(x.feats, taps) / count.clamp(min=1))


def pool_transpose(x: SparseTensor, *, kernel_size: Size, stride: Size, onto: VoxelGrid) -> SparseTensor:
    """Sum-pooling transposed: each voxel of the finer grid takes the sum of the coarse voxels whose window it lies in.

    With the window as large as the stride this is nearest up-sampling.

    Raises:
        InvalidInput: ``onto`` is not of the stride that follows.
    """
    size, factors = triple(kernel_size, "kernel_size"), triple(stride, "stride")
    fine = _divided(x.grid.stride, factors)
    if onto.stride != fine:
        raise InvalidInput(f"the pooling ends at stride {fine}, the grid to land on has {onto.stride}")
    taps = cell_map(onto, x.grid, size) if size == factors else convolution_map(onto, x.grid, size, fine)
    return SparseTensor(onto, pool_sum(x.feats, taps.transposed))


def prune(x: SparseTensor, keep: Bool[Tensor, "v"]) -> SparseTensor:
    """The voxels where a mask is true, in their order, on a new grid."""
    return SparseTensor(x.grid.select(keep), x.feats[keep])


def lookup(x: SparseTensor, coords: Int[Tensor, "m 4"]) -> Float[Tensor, "m c"]:
    """Features at some coordinates (batch, x, y, z), zeros where there is no voxel."""
    rows = x.grid.rows_of(coords)
    if not len(x.feats):
        return x.feats.new_zeros(len(coords), x.feats.shape[1])
    return torch.where((rows >= 0)[:, None], x.feats[rows.clamp(min=0)], 0)


def interpolate(x: SparseTensor, queries: Float[Tensor, "m 4"]) -> Float[Tensor, "m c"]:
    """Trilinear interpolation on the lattice of the grid's stride; missing corners count as 0 and nothing is renormalised.

    Args:
        x: Features.
        queries: (batch, x, y, z) in the finest voxels; the batch number is rounded. They get no gradient.
    """
    stride = torch.tensor(x.grid.stride, device=queries.device, dtype=queries.dtype)
    place = queries[:, 1:].detach()
    base = torch.floor(place / stride) * stride
    batch = queries[:, :1].detach().round()
    total = x.feats.new_zeros(len(queries), x.feats.shape[1])
    corners = kernel_offsets((2, 2, 2), x.grid.stride)
    near = x.grid.rows_near(torch.cat([batch, base], 1).to(torch.int64), corners)
    for corner, rows in zip(corners.to(place), near, strict=True):
        weight = (1 - (place - base - corner).abs() / stride).prod(1)
        hit = ((rows >= 0) & (weight != 0)).nonzero().flatten()
        total = total.index_add(0, hit, weight[hit, None].to(x.feats.dtype) * x.feats[rows[hit]])
    return total


def _pooling(x: SparseTensor, kernel_size: Size, stride: Size) -> tuple[VoxelGrid, KernelMap]:
    size, factors = triple(kernel_size, "kernel_size"), triple(stride, "stride")
    target = x.grid.strided(factors)
    if size == factors:
        return target, cell_map(x.grid, target, size)
    return target, convolution_map(x.grid, target, size, x.grid.stride)


def _checked_kernel(kernel: Tensor, size: Triple, feats: Tensor) -> Float[Tensor, "k c d"]:
    weights = kernel[None] if kernel.ndim == 2 else kernel
    taps = size[0] * size[1] * size[2]
    if weights.shape[0] != taps or weights.shape[1] != feats.shape[1]:
        raise ShapeMismatch(
            f"a kernel of size {size} on {feats.shape[1]} channels has shape ({taps}, {feats.shape[1]}, out), "
            f"got {tuple(kernel.shape)}"
        )
    if kernel.dtype != feats.dtype:
        raise InvalidInput(f"the features are {feats.dtype}, the kernel is {kernel.dtype}; convert one to the other")
    return weights


def _expanded(grid: VoxelGrid, size: Triple, step: Triple, factors: Triple) -> VoxelGrid:
    stride = _times(grid.stride, factors)
    reached = grid.shifted(kernel_offsets(size, step).to(grid.device), grid.stride)
    on_lattice = (reached.coords[:, 1:] % torch.tensor(stride, device=grid.device) == 0).all(1)
    return VoxelGrid.unchecked(reached.coords[on_lattice], stride)


def _with_bias(x: SparseTensor, bias: Tensor | None) -> SparseTensor:
    return x if bias is None else x.with_feats(x.feats + bias)


def _times(a: Triple, b: Triple) -> Triple:
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


def _divided(stride: Triple, factors: Triple) -> Triple:
    if any(s % f for s, f in zip(stride, factors, strict=True)):
        raise InvalidInput(f"stride {stride} cannot be divided by {factors}")
    return stride[0] // factors[0], stride[1] // factors[1], stride[2] // factors[2]
