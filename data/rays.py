"""Rays in space."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ..core.errors import ShapeMismatch


@dataclass(frozen=True, eq=False)
class Rays:
    """Half lines: ``origins`` in metres and unit ``directions``, world frame."""

    origins: Float[Tensor, "r 3"]
    directions: Float[Tensor, "r 3"]

    def __post_init__(self) -> None:
        if len(self.origins) != len(self.directions):
            raise ShapeMismatch(
                f"{len(self.origins)} origins and {len(self.directions)} directions; give one each a ray"
            )

    def __len__(self) -> int:
        return len(self.origins)

    def __getitem__(self, rows: Tensor | slice) -> Rays:
        return Rays(self.origins[rows], self.directions[rows])

    def at(self, distance: Float[Tensor, "r"]) -> Float[Tensor, "r 3"]:
        """The points at some distances (metres along the ray, not along an optical axis)."""
        return self.origins + distance[:, None] * self.directions
