"""Feature maps of photos at full, half and quarter size.

After PointGS (arXiv 2506.10335). Stated in the paper: a feature pyramid network gives maps of every photo at 1/4, 1/2 and 1 of
its size. Ours: its layers (the channels are those that cascaded multi-view stereo uses, Gu et al., CVPR 2020), colours beside
the features, and where a map is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .bilinear import sample_bilinear
from .seeded_layers import conv

CHANNELS = (8, 16, 32)
"""Of the maps at full, half and quarter size."""
COLOR_CHANNELS = 9
"""Red, green and blue at the three sizes."""


@dataclass(frozen=True, eq=False)
class Level:
    """One size of the pyramid, of some photos."""

    maps: Float[Tensor, "n c h w"]
    stride: int
    """Photo pixels a map pixel."""
    shift: float
    """A point u of the photo is ``u / stride + shift`` on the map; both have pixel centres at +0.5."""

    def at(self, pixels: Float[Tensor, "n p 2"]) -> Float[Tensor, "n p c"]:
        """Values at points of the photos (pixels of the photos)."""
        return sample_bilinear(self.maps, pixels / self.stride + self.shift)


class ImagePyramid(nn.Module):
    """A feature pyramid network (Lin et al., CVPR 2017) of 49,000 weights, trained from nothing for each scene."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        full, half, quarter = CHANNELS
        self.down = nn.ModuleList(
            [
                _relu_each(conv(3, full, 3, generator), conv(full, full, 3, generator)),
                _relu_each(
                    conv(full, half, 5, generator, stride=2),
                    conv(half, half, 3, generator),
                    conv(half, half, 3, generator),
                ),
                _relu_each(
                    conv(half, quarter, 5, generator, stride=2),
                    conv(quarter, quarter, 3, generator),
                    conv(quarter, quarter, 3, generator),
                ),
            ]
        )
        self.lateral = nn.ModuleList([conv(channels, quarter, 1, generator) for channels in CHANNELS])
        self.heads = nn.ModuleList([conv(quarter, channels, 3, generator) for channels in (full, half)])

    def forward(self, photos: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, Tensor, Tensor]:
        """Maps [n 8 h w], [n 16 h/2 w/2] and [n 32 h/4 w/4], sizes rounded up; see :meth:`level`."""
        full = self.down[0](photos)
        half = self.down[1](full)
        quarter = self.lateral[2](self.down[2](half))
        merged_half = _doubled(quarter, half) + self.lateral[1](half)
        merged_full = _doubled(merged_half, full) + self.lateral[0](full)
        return self.heads[0](merged_full), self.heads[1](merged_half), quarter

    @staticmethod
    def level(maps: Tensor, index: int) -> Level:
        """The maps of size 1 / 2^index, with where they are to be sampled.

        The odd kernels of strided convolutions have their middle on every second pixel, not between two: the first pixel of
        every map sees the surroundings of the photo's first pixel, at (0.5, 0.5).
        """
        stride = 2**index
        return Level(maps, stride, 0.5 - 0.5 / stride)


def color_levels(photos: Float[Tensor, "n 3 h w"]) -> tuple[Level, Level, Level]:
    """The photos' own colours, averaged over 1, 2 x 2 and 4 x 4 pixels."""
    return (Level(photos, 1, 0.0), _averaged(photos, 2), _averaged(photos, 4))


def _averaged(photos: Tensor, stride: int) -> Level:
    maps = functional.avg_pool2d(photos, stride, ceil_mode=True, count_include_pad=False)
    return Level(maps, stride, 0.0)


def _relu_each(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*(module for layer in layers for module in (layer, nn.ReLU())))


def _doubled(maps: Tensor, like: Tensor) -> Tensor:
    """Maps of twice the size: pixel i goes to 2i, between two lies their mean."""
    height, width = like.shape[-2:]
    repeated = functional.interpolate(maps, scale_factor=2.0, mode="nearest")
    edged = functional.pad(repeated, (0, 1, 0, 1), mode="replicate")
    return functional.avg_pool2d(edged, 2, stride=1)[..., :height, :width]
