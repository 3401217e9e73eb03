"""Layers with MinkowskiEngine's parameter names, shapes and initial values, so that its state dicts load unchanged."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .grid import VoxelGrid, triple
from .ops import Size, avg_pool, max_pool, sparse_conv, sparse_conv_transpose, sum_pool
from .set_ops import broadcast, global_pool
from .tensor import SparseTensor


class _Conv(nn.Module):
    """Parameters of a convolution: ``kernel`` (taps, in, out), or (in, out) for one tap at stride 1, and ``bias`` (1, out)."""

    bias: Tensor | None

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size, dilation: Size, bias: bool, fan: int
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = triple(kernel_size, "kernel_size"), triple(stride, "stride")
        self.dilation = triple(dilation, "dilation")
        taps = math.prod(self.kernel_size)
        flat = taps == 1 and self.stride == (1, 1, 1)
        bound = 1 / math.sqrt(fan * taps)
        shape = (in_channels, out_channels) if flat else (taps, in_channels, out_channels)
        self.kernel = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        initial = nn.Parameter(torch.empty(1, out_channels).uniform_(-bound, bound)) if bias else None
        self.register_parameter("bias", initial)

    def extra_repr(self) -> str:
        return f"{tuple(self.kernel.shape)}, size={self.kernel_size}, stride={self.stride}"


class SparseConv(_Conv):
    """Convolution; see :func:`trisparse.sparse3d.ops.sparse_conv`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        dilation: Size = 1,
        bias: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, bias, fan=in_channels)

    def forward(self, x: SparseTensor, onto: VoxelGrid | None = None) -> SparseTensor:
        return sparse_conv(
            x,
            self.kernel,
            kernel_size=self.kernel_size,
            stride=self.stride,
            dilation=self.dilation,
            bias=self.bias,
            onto=onto,
        )


class SparseConvTranspose(_Conv):
    """Transposed convolution onto an existing finer grid; see :func:`trisparse.sparse3d.ops.sparse_conv_transpose`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        dilation: Size = 1,
        bias: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation, bias, fan=out_channels)

    def forward(self, x: SparseTensor, onto: VoxelGrid | None = None) -> SparseTensor:
        return sparse_conv_transpose(
            x,
            self.kernel,
            kernel_size=self.kernel_size,
            stride=self.stride,
            dilation=self.dilation,
            bias=self.bias,
            onto=onto,
        )


class SparseGenerativeConvTranspose(SparseConvTranspose):
    """Transposed convolution that makes every voxel it reaches."""

    def forward(self, x: SparseTensor, onto: None = None) -> SparseTensor:
        return super().forward(x)


class SparseBatchNorm(nn.Module):
    """Batch norm over all voxels of all scenes; its parameters lie under ``bn``.

    Fewer than two voxels have no variance: in training they are normalised by the running statistics, which stay as they are.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(channels, eps=eps, momentum=momentum)

    def forward(self, x: SparseTensor) -> SparseTensor:
        if self.training and len(x.feats) < 2:
            bn = self.bn
            return x.with_feats(
                functional.batch_norm(x.feats, bn.running_mean, bn.running_var, bn.weight, bn.bias, False, 0.0, bn.eps)
            )
        return x.with_feats(self.bn(x.feats))


class SparseInstanceNorm(nn.Module):
    """Norm over the voxels of each scene, biased variance, eps 1e-8, as MinkowskiEngine has it."""

    def __init__(self, channels: int, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(1, channels))
        self.bias = nn.Parameter(torch.zeros(1, channels))

    def forward(self, x: SparseTensor) -> SparseTensor:
        centred = x.feats - broadcast(x, global_pool(x, "avg"))
        variance = global_pool(x.with_feats(centred.square()), "avg")
        scale = broadcast(x, (variance + self.eps).rsqrt())
        return x.with_feats(centred * scale * self.weight + self.bias)


class SparseReLU(nn.Module):
    """Rectifier."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        return x.with_feats(x.feats.relu())


class _Pool(nn.Module):
    def __init__(self, kernel_size: Size, stride: Size = 1) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride


class SparseMaxPool(_Pool):
    """Greatest value in each window."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        return max_pool(x, kernel_size=self.kernel_size, stride=self.stride)


class SparseAvgPool(_Pool):
    """Mean over the voxels that exist in each window."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        return avg_pool(x, kernel_size=self.kernel_size, stride=self.stride)


class SparseSumPool(_Pool):
    """Sum over each window."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        return sum_pool(x, kernel_size=self.kernel_size, stride=self.stride)
