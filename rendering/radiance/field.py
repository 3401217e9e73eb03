"""What a radiance field is to those who render it: densities and intensities at points, and how they change along the way."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float, Int64
from torch import Tensor

from .tangents import Moving


class Emission(NamedTuple):
    """What a field holds at some points, seen along some directions."""

    sigma: Float[Tensor, "s"]
    """Densities, 1/m."""
    rgb: Float[Tensor, "s c"]
    """Intensities, linear."""


class MovingEmission(NamedTuple):
    """The same of points and directions that move, with derivatives."""

    sigma: Moving
    rgb: Moving


@runtime_checkable
class RadianceField(Protocol):
    """A renderer asks no more of a field than this. Everything is differentiable in points, directions and weights."""

    @property
    def channels(self) -> int:
        """Colours that it has, 1 or 3."""
        ...

    def density(self, positions: Float[Tensor, "s 3"]) -> Float[Tensor, "s"]:
        """Densities (1/m) at positions in the world frame."""
        ...

    def __call__(
        self,
        positions: Float[Tensor, "s 3"],
        directions: Float[Tensor, "r 3"],
        ray_indices: Int64[Tensor, "s"] | None = None,
    ) -> Emission:
        """Densities, and intensities as seen along unit directions.

        Directions are given once a ray, since all samples of a ray share them: position i is seen along
        ``directions[ray_indices[i]]``; without ``ray_indices`` along ``directions[i]``. ``ray_indices`` is sorted.
        """
        ...

    def moving(
        self, positions: Moving, directions: Moving, ray_indices: Int64[Tensor, "s"] | None = None
    ) -> MovingEmission:
        """The same of moving points and directions, and how fast it changes (forward-mode derivative)."""
        ...
