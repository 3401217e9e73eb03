"""The shape of a multi-resolution hash grid, in tiny-cuda-nn's layout and rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import InvalidInput

PRIMES = (1, 2654435761, 805459861)
"""Factors of x, y and z in the hash (Teschner et al., VMV 2003)."""


@dataclass(frozen=True)
class GridLevel:
    """One grid of the pyramid."""

    scale: float
    """From the unit cube to grid cells; exactly a float32."""
    resolution: int
    """Vertices along each axis."""
    entries: int
    """Feature vectors that are stored."""
    offset: int
    """The first of them in the table."""
    is_dense: bool
    """Whether every vertex has its own entry; else vertices share entries by hash."""


@dataclass(frozen=True)
class HashGrid:
    """A pyramid of grids of feature vectors over the unit cube (Müller et al., SIGGRAPH 2022), from coarse to fine.

    The position in a level's grid is ``x * scale + 0.5``, so levels are staggered; scales are rounded to float32 as in
    tiny-cuda-nn, which decides the resolutions.
    """

    levels: int = 16
    features: int = 2
    """Numbers a vertex."""
    log2_entries: int = 19
    """Logarithm of the largest number of entries a level."""
    base_resolution: int = 16
    per_level_scale: float = 1.4472692012786865
    """Ratio of the resolutions of neighbouring levels; the default ends at 4096."""

    def __post_init__(self) -> None:
        if not (1 <= self.levels <= 32 and 1 <= self.features <= 8 and 1 <= self.log2_entries <= 24):
            raise InvalidInput(
                f"a hash grid of {self.levels} levels, {self.features} features and 2^{self.log2_entries} entries; expected "
                "1..32 levels, 1..8 features, at most 2^24 entries"
            )
        if not (self.base_resolution >= 2 and 1 <= self.per_level_scale < 16):
            raise InvalidInput(
                f"a hash grid of base resolution {self.base_resolution} growing by {self.per_level_scale} a level; expected a "
                "resolution of at least 2 and a factor from 1 to 16"
            )
        if self.base_resolution * self.per_level_scale ** (self.levels - 1) > 2**20:
            raise InvalidInput(
                f"the finest grid would have {self.base_resolution * self.per_level_scale ** (self.levels - 1):.3g} vertices "
                "a side; at most 2^20 are told apart in single precision: take fewer levels or a smaller per_level_scale"
            )

    @classmethod
    def spanning(
        cls, coarsest: int, finest: int, *, levels: int, features: int = 2, log2_entries: int = 19
    ) -> HashGrid:
        """Levels between two resolutions, in equal ratios."""
        growth = (finest / coarsest) ** (1 / (levels - 1)) if levels > 1 else 1.0
        return cls(levels, features, log2_entries, coarsest, growth)

    @cached_property
    def pyramid(self) -> tuple[GridLevel, ...]:
        """The levels, coarse to fine."""
        found, offset, most = [], 0, 1 << self.log2_entries
        growth = np.float32(math.log2(np.float32(self.per_level_scale)))
        for number in range(self.levels):
            exponent = float(np.float32(number) * growth)
            scale = np.float32(2.0**exponent) * np.float32(self.base_resolution) - np.float32(1)
            resolution = math.ceil(scale) + 1
            entries = min(-(-(resolution**3) // 8) * 8, most)
            found.append(GridLevel(float(scale), resolution, entries, offset, resolution**3 <= entries))
            offset += entries
        return tuple(found)

    @property
    def entries(self) -> int:
        """Feature vectors of all levels together."""
        return self.pyramid[-1].offset + self.pyramid[-1].entries

    @property
    def width(self) -> int:
        """Numbers that a position is encoded in: level by level, feature by feature."""
        return self.levels * self.features

    def initial_table(self, generator: torch.Generator) -> Float[Tensor, "t f"]:
        """Uniform in -1e-4..1e-4, as tiny-cuda-nn begins."""
        return (torch.rand(self.entries, self.features, generator=generator) * 2 - 1) * 1e-4
