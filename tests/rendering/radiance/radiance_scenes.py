"""Small fields, rays and samples, and what the original recorded of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from trisparse.data.rays import Rays
from trisparse.rendering.radiance.contraction import Contraction
from trisparse.rendering.radiance.hash_grid import HashGrid
from trisparse.rendering.radiance.nerf import NerfConfig, NerfField
from trisparse.rendering.radiance.ngp import NgpConfig, NgpField
from trisparse.rendering.radiance.samples import RaySamples

BACKENDS = ("torch", "numba")
AABB = torch.tensor([-1.0, -0.8, -1.2, 1.0, 1.2, 0.8], dtype=torch.float64)
GRID = HashGrid.spanning(4, 14, levels=3, log2_entries=9)
"""A dense level of 4^3, one of 8^3 that just fits, and a hashed one of 14^3."""


def recorded(shared: Path, name: str) -> dict[str, Tensor]:
    """What the original gave, by name."""
    with np.load(shared / "oracles" / "enerf" / f"{name}.npz", allow_pickle=False) as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}


def random(*shape: int, seed: int = 0) -> Tensor:
    """Normally distributed numbers, double precision."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def small_config(channels: int = 3) -> NgpConfig:
    """Widths that fill no tile."""
    return NgpConfig(GRID, channels, (12,), 5, (10, 9), 2)


def small_ngp(
    channels: int = 3, *, backend: str = "auto", seed: int = 0, contraction: Contraction = "aabb"
) -> NgpField:
    """A field that is not nearly constant, double precision."""
    generator = torch.Generator().manual_seed(seed)
    field = NgpField(small_config(channels), AABB, contraction, generator, backend=backend).double()
    with torch.no_grad():
        field.table.copy_(0.5 * random(*field.table.shape, seed=seed + 1))
    return field


def small_nerf(seed: int = 0) -> NerfField:
    """The other architecture, double precision."""
    config = NerfConfig(3, 16, 8, 4, 8, 3, 2)
    return NerfField(config, AABB, "aabb", torch.Generator().manual_seed(seed)).double()


def inward_rays(count: int = 12, seed: int = 0) -> Rays:
    """From a sphere around the box into it."""
    origins = torch.nn.functional.normalize(random(count, 3, seed=seed), dim=1) * 3
    targets = 0.4 * random(count, 3, seed=seed + 1)
    return Rays(origins, torch.nn.functional.normalize(targets - origins, dim=1))


def ragged_samples(n_rays: int = 9, seed: int = 0, longest: int = 12) -> RaySamples:
    """From none to ``longest`` intervals a ray, with gaps between them; the first and the last ray have none."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(longest + 1, (n_rays,), generator=generator)
    counts[0] = counts[-1] = 0
    rays = torch.arange(n_rays).repeat_interleave(counts)
    lengths = 0.05 + 0.1 * torch.rand(len(rays), 2, dtype=torch.float64, generator=generator)
    ends = torch.cat([part.sum(1).cumsum(0) for part in lengths.split(counts.tolist())])
    return RaySamples(ends - lengths[:, 0], ends, rays, n_rays)
