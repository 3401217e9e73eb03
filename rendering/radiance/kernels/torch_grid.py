"""Hash-grid encoding in plain torch: the readable reference, differentiable to any order."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..hash_grid import PRIMES, GridLevel, HashGrid

_MASK = 0xFFFFFFFF
"""Indices are unsigned and have 32 bits."""


def why_unusable(device: torch.device) -> str | None:
    """Runs everywhere."""
    return None


def encode(unit: Float[Tensor, "s 3"], table: Float[Tensor, "t f"], grid: HashGrid) -> Float[Tensor, "s w"]:
    """See :func:`trisparse.rendering.radiance.encodings.encode_positions`."""
    return torch.cat([_interpolate(unit, table, level) for level in grid.pyramid], -1)


def encode_tangent(
    unit: Float[Tensor, "s 3"], velocity: Float[Tensor, "s 3"], table: Float[Tensor, "t f"], grid: HashGrid
) -> tuple[Float[Tensor, "s w"], Float[Tensor, "s w"]]:
    """See :func:`trisparse.rendering.radiance.encodings.encode_positions_tangent`."""
    parts = [_interpolate_moving(unit, velocity, table, level) for level in grid.pyramid]
    return torch.cat([value for value, _ in parts], -1), torch.cat([tangent for _, tangent in parts], -1)


def corner_entries(cell: Int64[Tensor, "s 3"], level: GridLevel) -> Int64[Tensor, "s 8"]:
    """Rows of the table of the vertices around each cell; bit k of a corner's number: whether it is the upper one on axis k."""
    corners = torch.arange(8, device=cell.device)
    x, y, z = (((cell[:, None, axis] + (corners >> axis & 1)) & _MASK) for axis in range(3))
    if level.is_dense:
        index = x + y * level.resolution + z * (level.resolution * level.resolution)
    else:
        index = (x * PRIMES[0]) ^ (y * PRIMES[1]) ^ (z * PRIMES[2])
    return (index & _MASK) % level.entries + level.offset


def _cell_and_weights(unit: Tensor, level: GridLevel) -> tuple[Tensor, Tensor]:
    """Rows of the eight vertices, and for each axis the weights (below, above) as (s, 3, 2)."""
    position = unit * level.scale + 0.5
    cell = position.detach().floor()
    above = position - cell
    return corner_entries(cell.long(), level), torch.stack([1 - above, above], -1)


def _corner_weights(weights: Tensor) -> Tensor:
    x, y, z = weights.unbind(1)
    return (z[:, :, None, None] * y[:, None, :, None] * x[:, None, None, :]).flatten(1)


def _interpolate(unit: Tensor, table: Tensor, level: GridLevel) -> Tensor:
    entries, weights = _cell_and_weights(unit, level)
    return (_corner_weights(weights)[:, None] @ table[entries])[:, 0]


def _interpolate_moving(unit: Tensor, velocity: Tensor, table: Tensor, level: GridLevel) -> tuple[Tensor, Tensor]:
    entries, weights = _cell_and_weights(unit, level)
    x, y, z = weights.unbind(1)
    # The slopes of the weights (below, above) along each axis are minus and plus the cells passed a unit of time.
    dx, dy, dz = (level.scale * torch.stack([-velocity, velocity], -1)).unbind(1)
    along = [torch.stack(axes, 1) for axes in ((dx, y, z), (x, dy, z), (x, y, dz))]
    slopes = sum((_corner_weights(axes) for axes in along), torch.zeros_like(unit[:, :1]))
    features = table[entries]
    return (_corner_weights(weights)[:, None] @ features)[:, 0], (slopes[:, None] @ features)[:, 0]
