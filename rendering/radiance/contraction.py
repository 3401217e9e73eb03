"""From the world into the unit cube in which encodings and occupancy grids live."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import InvalidInput, ShapeMismatch

Contraction = Literal["aabb", "sphere", "tanh"]


def contract(
    positions: Float[Tensor, "s 3"], aabb: Float[Tensor, "6"], contraction: Contraction
) -> Float[Tensor, "s 3"]:
    """Positions in the unit cube.

    ``aabb`` scales the box to the cube and leaves the outside outside. ``sphere`` scales the box to the middle half of the cube
    and pulls everything beyond its inscribed ball into the ball around it (Barron et al., *Mip-NeRF 360*, CVPR 2022); ``tanh``
    squeezes each axis. Differentiable to any order, by backward and by forward mode; 1 where a derivative does not exist.

    Args:
        positions: World frame, metres.
        aabb: Smallest x, y, z, then largest.
        contraction: How the outside is mapped.
    """
    low, high = aabb[:3], aabb[3:]
    unit = (positions - low) / (high - low)
    if contraction == "aabb":
        return unit
    if contraction == "tanh":
        return (torch.tanh(unit - 0.5) + 1) / 2
    centered = unit * 2 - 1
    squares = (centered * centered).sum(-1, keepdim=True)
    is_outside = squares > 1
    # Inside the ball the norm is not needed, and has no derivative at the centre.
    norm = torch.where(is_outside, squares, torch.ones_like(squares)).sqrt()
    pulled = (2 - 1 / norm) / norm * centered
    return torch.where(is_outside, pulled, centered) / 4 + 0.5


def uncontract(unit: Float[Tensor, "s 3"], aabb: Float[Tensor, "6"], contraction: Contraction) -> Float[Tensor, "s 3"]:
    """The inverse of :func:`contract`; what has none (outside ball or cube) comes out infinite or wrong-sided, as there."""
    low, high = aabb[:3], aabb[3:]
    if contraction == "tanh":
        unit = torch.atanh((2 * unit - 1).clamp(-1 + 1e-6, 1 - 1e-6)) + 0.5
    elif contraction == "sphere":
        centered = (unit - 0.5) * 4
        norm = centered.norm(dim=-1, keepdim=True)
        stretched = centered / ((2 - norm) * norm).clamp_min(1e-6)
        unit = (torch.where(norm > 1, stretched, centered) + 1) / 2
    return unit * (high - low) + low


def inside_cube(unit: Float[Tensor, "s 3"]) -> Float[Tensor, "s"]:
    """1 where all coordinates lie strictly between 0 and 1, else 0 (NaN included)."""
    return ((unit > 0) & (unit < 1)).all(-1).to(unit.dtype)


def check_aabb(aabb: Tensor) -> None:
    """Refuse what is no box.

    Raises:
        ShapeMismatch: Not six numbers.
        InvalidInput: Not finite, or a side of no length.
    """
    if aabb.shape != (6,):
        raise ShapeMismatch(f"a box of shape {tuple(aabb.shape)}; expected (6,): smallest x y z, largest x y z")
    if not bool(torch.isfinite(aabb).all()) or not bool((aabb[3:] > aabb[:3]).all()):
        raise InvalidInput(
            f"the box {aabb.tolist()} is empty or not finite; expected smallest x y z, then larger x y z"
        )
