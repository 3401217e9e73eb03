"""Sparse residual backbone."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from .config import GrounderConfig
from .layers import SparseBatchNorm, SparseConv, SparseMaxPool
from .tensor import SparseTensor


def relu(x: SparseTensor) -> SparseTensor:
    """Rectified features on the same grid."""
    return x.with_feats(F.relu(x.feats))


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions and a short cut, which is a strided convolution where the resolution changes."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, shortcut_size: int = 1) -> None:
        super().__init__()
        self.conv1 = SparseConv(in_channels, out_channels, 3, stride=stride)
        self.norm1 = SparseBatchNorm(out_channels)
        self.conv2 = SparseConv(out_channels, out_channels, 3)
        self.norm2 = SparseBatchNorm(out_channels)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                SparseConv(in_channels, out_channels, shortcut_size, stride=stride), SparseBatchNorm(out_channels)
            )

    def forward(self, x: SparseTensor) -> SparseTensor:
        y = self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))
        shortcut = x if self.downsample is None else self.downsample(x)
        return relu(y + shortcut)


class SparseResNet(nn.Module):
    """Voxels to features at three levels, fine to coarse."""

    def __init__(self, config: GrounderConfig) -> None:
        super().__init__()
        self.conv1 = SparseConv(6, config.stem_channels, 3, stride=2)
        self.norm1 = SparseBatchNorm(config.stem_channels)
        self.pool = SparseMaxPool(2, 2) if config.stem_pool else None
        self.n_stages = len(config.stage_blocks)
        channels = config.stem_channels
        for number, (blocks, width) in enumerate(zip(config.stage_blocks, config.stage_channels, strict=True), 1):
            stage = [
                ResidualBlock(channels, width, 2, config.shortcut_size) if b == 0 else ResidualBlock(width, width, 1)
                for b in range(blocks)
            ]
            self.add_module(f"layer{number}", nn.Sequential(*stage))
            channels = width

    def forward(self, x: SparseTensor) -> tuple[SparseTensor, SparseTensor, SparseTensor]:
        """The last three stages: fine, target and scene level.

        Args:
            x: Input voxels at stride 1: xyz (m) and colour, 6 channels.
        """
        x = relu(self.norm1(self.conv1(x)))
        if self.pool is not None:
            x = self.pool(x)
        levels = []
        for number in range(1, self.n_stages + 1):
            x = self.get_submodule(f"layer{number}")(x)
            levels.append(x)
        return levels[-3], levels[-2], levels[-1]
