"""Boxes in 3D: centre, full size, yaw about the vertical axis."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.arrays import require_finite
from ..core.errors import InvalidInput, ShapeMismatch


@dataclass(frozen=True, eq=False)
class Boxes3D:
    """Boxes in metres, z up: ``centers``, full ``sizes`` along the box's own axes, ``yaw`` in radians about +z."""

    centers: Float[Tensor, "m 3"]
    sizes: Float[Tensor, "m 3"]
    yaw: Float[Tensor, "m"]

    def __post_init__(self) -> None:
        if not len(self.centers) == len(self.sizes) == len(self.yaw):
            raise ShapeMismatch(f"{len(self.centers)} centres, {len(self.sizes)} sizes, {len(self.yaw)} yaws")
        for name in ("centers", "sizes", "yaw"):
            require_finite(getattr(self, name), name)
        if bool((self.sizes < 0).any()):
            raise InvalidInput(f"box sizes must not be negative, got {self.sizes.min():g}; give max - min")

    @classmethod
    def axis_aligned(cls, centers: Float[Tensor, "m 3"], sizes: Float[Tensor, "m 3"]) -> Boxes3D:
        """Boxes whose edges run along the frame's axes."""
        return cls(centers, sizes, centers.new_zeros(len(centers)))

    @classmethod
    def from_corners(cls, low: Float[Tensor, "m 3"], high: Float[Tensor, "m 3"]) -> Boxes3D:
        """Axis-aligned boxes from their least and greatest corners."""
        return cls.axis_aligned((low + high) / 2, high - low)

    @classmethod
    def around(cls, points: Float[Tensor, "n 3"]) -> Boxes3D:
        """The one axis-aligned box around some points (at least one)."""
        if not len(points):
            raise InvalidInput("no box around 0 points; give at least one")
        return cls.from_corners(points.min(0).values[None], points.max(0).values[None])

    def __len__(self) -> int:
        return len(self.centers)

    def __getitem__(self, rows: Tensor | slice) -> Boxes3D:
        return Boxes3D(self.centers[rows], self.sizes[rows], self.yaw[rows])

    @property
    def low(self) -> Float[Tensor, "m 3"]:
        """Least corner of the axis-aligned box of the same centre and size (yaw not applied)."""
        return self.centers - self.sizes / 2

    @property
    def high(self) -> Float[Tensor, "m 3"]:
        """Greatest corner of the axis-aligned box of the same centre and size (yaw not applied)."""
        return self.centers + self.sizes / 2

    @property
    def corners(self) -> Float[Tensor, "m 8 3"]:
        """The eight corners, yaw applied; x varies fastest, then y, then z, from low to high."""
        steps = torch.tensor(
            [[x, y, z] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)], dtype=self.centers.dtype
        ).to(self.centers.device)
        local = steps * self.sizes[:, None]
        cos, sin = self.yaw.cos()[:, None], self.yaw.sin()[:, None]
        x = cos * local[..., 0] - sin * local[..., 1]
        y = sin * local[..., 0] + cos * local[..., 1]
        return torch.stack([x, y, local[..., 2]], -1) + self.centers[:, None]


def iou_axis_aligned(
    a_centers: Float[Tensor, "*m 3"],
    a_sizes: Float[Tensor, "*m 3"],
    b_centers: Float[Tensor, "*m 3"],
    b_sizes: Float[Tensor, "*m 3"],
) -> Float[Tensor, "*m"]:
    """Intersection over union of axis-aligned boxes, pair by pair (leading dimensions broadcast beforehand).

    Sizes are floored at 1e-6 m, as ScanRefer's evaluation does.
    """
    a_sizes, b_sizes = a_sizes.clamp(min=1e-6), b_sizes.clamp(min=1e-6)
    low = torch.maximum(a_centers - a_sizes / 2, b_centers - b_sizes / 2)
    high = torch.minimum(a_centers + a_sizes / 2, b_centers + b_sizes / 2)
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (a_sizes.prod(-1) + b_sizes.prod(-1) - shared)
