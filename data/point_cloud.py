"""Coloured points, perhaps with the number of the object that each belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..core.arrays import require_finite
from ..core.errors import ShapeMismatch


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points in metres, z up unless said otherwise.

    ``colors`` are red, green, blue in 0..1; ``instances`` number the object of each point, -1 for none.
    """

    points: Float[Tensor, "n 3"]
    colors: Float[Tensor, "n 3"] | None = None
    instances: Int64[Tensor, "n"] | None = None

    def __post_init__(self) -> None:
        for name in ("colors", "instances"):
            part = getattr(self, name)
            if part is not None and len(part) != len(self.points):
                raise ShapeMismatch(f"{len(self.points)} points but {len(part)} {name}; give one for each point")
        require_finite(self.points, "points")
        if self.colors is not None:
            require_finite(self.colors, "colors")

    def __len__(self) -> int:
        return len(self.points)

    def select(self, rows: Int64[Tensor, "m"] | Bool[Tensor, "n"]) -> PointCloud:
        """The points at some rows, in their order, or where a mask is true."""
        return PointCloud(
            self.points[rows],
            None if self.colors is None else self.colors[rows],
            None if self.instances is None else self.instances[rows],
        )

    def transformed(self, b_from_a: Float[Tensor, "4 4"]) -> PointCloud:
        """The same points in another frame; the transform acts from the left on column vectors."""
        matrix = b_from_a.to(torch.float64)
        moved = self.points.to(torch.float64) @ matrix[:3, :3].T + matrix[:3, 3]
        return replace(self, points=moved.to(self.points.dtype))
