"""Where rays are sampled: intervals along them, one after the other, ray after ray."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from ...core.errors import InvalidInput, ShapeMismatch
from ...data.rays import Rays


@dataclass(frozen=True, eq=False)
class RaySamples:
    """Packed intervals of rays, sorted by ray, then by distance. A ray may have none, and there may be none at all."""

    t_starts: Float[Tensor, "_"]
    """Distances along the rays, metres."""
    t_ends: Float[Tensor, "_"]
    ray_indices: Int[Tensor, "_"]
    """Int64; which ray each belongs to."""
    n_rays: int

    def __post_init__(self) -> None:
        s = len(self.ray_indices)
        if self.t_starts.shape != (s,) or self.t_ends.shape != (s,):
            raise ShapeMismatch(
                f"{s} ray indices, t_starts {tuple(self.t_starts.shape)} and t_ends {tuple(self.t_ends.shape)}; give one each"
            )
        if self.t_starts.dtype != self.t_ends.dtype or self.ray_indices.dtype != torch.int64 or self.n_rays < 0:
            raise InvalidInput(
                f"samples of {self.t_starts.dtype}, {self.t_ends.dtype}, rays {self.ray_indices.dtype} and {self.n_rays} rays; "
                "expected twice the same float, int64 and a number of at least 0"
            )
        first, last = (int(self.ray_indices[0]), int(self.ray_indices[-1])) if s else (0, self.n_rays - 1)
        if first < 0 or last >= self.n_rays:
            raise InvalidInput(f"samples of rays {first}..{last}; there are {self.n_rays}")
        if bool((self.ray_indices[1:] < self.ray_indices[:-1]).any()):
            raise InvalidInput("samples are not sorted by ray; sort all three by ray_indices (stable) first")

    @classmethod
    def none(cls, n_rays: int, like: Tensor) -> RaySamples:
        """Rays without samples."""
        return cls(like.new_zeros(0), like.new_zeros(0), torch.zeros(0, dtype=torch.int64, device=like.device), n_rays)

    def __len__(self) -> int:
        return len(self.ray_indices)

    @cached_property
    def starts(self) -> Int64[Tensor, "r1"]:
        """Where each ray's samples begin, and behind the last ray where they end: ``n_rays`` + 1 numbers."""
        rays = torch.arange(self.n_rays + 1, device=self.ray_indices.device)
        return torch.searchsorted(self.ray_indices, rays)

    @property
    def steps(self) -> Float[Tensor, "s"]:
        """Lengths of the intervals, metres."""
        return self.t_ends - self.t_starts

    @property
    def midpoints(self) -> Float[Tensor, "s"]:
        """Distances of the intervals' middles, metres."""
        return (self.t_starts + self.t_ends) / 2

    def where(self, kept: Bool[Tensor, "s"]) -> RaySamples:
        """Some of the samples."""
        return RaySamples(self.t_starts[kept], self.t_ends[kept], self.ray_indices[kept], self.n_rays)

    def positions(self, origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"]) -> Float[Tensor, "s 3"]:
        """The middles of the intervals, world frame; differentiable in origins and directions."""
        distance = self.midpoints[:, None]
        return origins.index_select(0, self.ray_indices) + distance * directions.index_select(0, self.ray_indices)

    def check_rays(self, rays: Rays) -> None:
        """Refuse rays that these samples do not belong to.

        Raises:
            ShapeMismatch: Another number of rays.
        """
        if len(rays) != self.n_rays:
            raise ShapeMismatch(f"samples of {self.n_rays} rays, but {len(rays)} rays")
