"""Where pixels of one photo appear in another, if their depth is known, and what the other photo shows there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...data.cameras import Cameras, pixel_centers

_LEAST_RATIO = 1e-3


@dataclass(frozen=True, eq=False)
class PairWarp:
    """The way from one camera's pixels to another's: (x, y, 1) goes to ``at_infinity @ (x, y, 1) + epipole / depth``."""

    at_infinity: Float[Tensor, "3 3"]
    epipole: Float[Tensor, "3"]

    @classmethod
    def between(cls, cameras: Cameras, reference: int, source: int) -> PairWarp:
        """From the image of one camera into that of another, both without lens distortion. Computed in float64."""
        poses, K = cameras.camera_from_world.double(), cameras.K.double()
        rotation = poses[source, :3, :3] @ poses[reference, :3, :3].mT
        shift = poses[source, :3, 3] - rotation @ poses[reference, :3, 3]
        return cls(K[source] @ rotation @ torch.linalg.inv(K[reference]), K[source] @ shift)

    def apply(
        self, pixels: Float[Tensor, "*n 2"], inverse_depth: Float[Tensor, "..."]
    ) -> tuple[Float[Tensor, "*m 2"], Float[Tensor, "*m"]]:
        """Pixels of the source, and how much deeper the points lie in it.

        Args:
            pixels: Of the reference.
            inverse_depth: Of each, 1 / metres along its optical axis; broadcasts against the pixels.

        Returns:
            Pixels, and depth in the source by depth in the reference: 0 or less behind the source's camera, whose pixels then
            mean nothing.
        """
        px, py = pixels.unbind(-1)
        rows, step = self.at_infinity.tolist(), self.epipole.tolist()
        x, y, ratio = (r[0] * px + r[1] * py + r[2] + e * inverse_depth for r, e in zip(rows, step, strict=True))
        inverse = 1 / ratio.clamp_min(_LEAST_RATIO)
        return torch.stack([x * inverse, y * inverse], -1), ratio


@dataclass(frozen=True, eq=False)
class Seen:
    """A source photo as the reference camera would see it."""

    image: Float[Tensor, "d h w"]
    valid: Bool[Tensor, "d h w"]
    """Whether a pixel's centre lies inside the source photo and in front of its camera."""


def warp(source: Float[Tensor, "h w"], way: PairWarp, inverse_depth: Float[Tensor, "d hr wr"]) -> Seen:
    """Look up a grey source photo of the reference's size through hypotheses of depth; planes may have the shape [d 1 1]."""
    height, width = source.shape
    pixels = pixel_centers(width, height, source).reshape(height, width, 2)
    at, ratio = way.apply(pixels, inverse_depth)
    grid = at * (2 / source.new_tensor([width, height])) - 1
    image = torch.nn.functional.grid_sample(
        source.expand(len(grid), 1, -1, -1), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return Seen(image[:, 0], (ratio > _LEAST_RATIO) & (grid.abs() < 1).all(-1))
