"""Positions and directions as vectors that small networks learn from: hash grid, spherical harmonics, octaves."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.backend import Op
from ...core.errors import InvalidInput, ShapeMismatch
from .hash_grid import HashGrid
from .tangents import Moving

HASH_ENCODING = Op(
    "hash_encoding",
    {
        "numba": "trisparse.rendering.radiance.kernels.numba_grid:encode",
        "torch": "trisparse.rendering.radiance.kernels.torch_grid:encode",
    },
)
HASH_ENCODING_TANGENT = Op(
    "hash_encoding_tangent",
    {
        "numba": "trisparse.rendering.radiance.kernels.numba_grid:encode_tangent",
        "torch": "trisparse.rendering.radiance.kernels.torch_grid:encode_tangent",
    },
)


def encode_positions(
    unit: Float[Tensor, "s 3"], table: Float[Tensor, "t f"], grid: HashGrid, *, backend: str = "auto"
) -> Float[Tensor, "s w"]:
    """Features of positions: of each level, the entries of the eight vertices around, interpolated linearly.

    Gradients reach positions and table.

    Args:
        unit: Positions in the unit cube; those outside wrap around as in tiny-cuda-nn.
        table: Feature vectors of all levels, see :class:`HashGrid`.
        grid: Its shape.
        backend: ``numba`` (CPU; the same bits for any number of threads), ``torch`` or ``auto``.

    Raises:
        ShapeMismatch: Position or table have the wrong shape.
        InvalidInput: They differ in dtype.
    """
    _check_encoding(unit, table, grid)
    return HASH_ENCODING.pick(unit.device, backend)(unit, table, grid)


def encode_positions_tangent(
    unit: Float[Tensor, "s 3"],
    velocity: Float[Tensor, "_ 3"],
    table: Float[Tensor, "t f"],
    grid: HashGrid,
    *,
    backend: str = "auto",
) -> Moving:
    """Features of moving positions, and how fast they change: the derivative along ``velocity``.

    Gradients of both results reach positions, velocities and table.
    """
    _check_encoding(unit, table, grid)
    if velocity.shape != unit.shape or velocity.dtype != unit.dtype:
        raise ShapeMismatch(
            f"velocities {velocity.dtype} {tuple(velocity.shape)} of positions {unit.dtype} {tuple(unit.shape)}; expected "
            "the same type and shape"
        )
    return Moving(*HASH_ENCODING_TANGENT.pick(unit.device, backend)(unit, velocity, table, grid))


def _check_encoding(unit: Tensor, table: Tensor, grid: HashGrid) -> None:
    if unit.ndim != 2 or unit.shape[1] != 3:
        raise ShapeMismatch(f"positions of shape {tuple(unit.shape)}; expected (s, 3)")
    if tuple(table.shape) != (grid.entries, grid.features):
        raise ShapeMismatch(
            f"a table of shape {tuple(table.shape)}; this grid has {grid.entries} entries of {grid.features} features"
        )
    if unit.dtype != table.dtype:
        raise InvalidInput(f"positions are {unit.dtype} and the table {table.dtype}; convert one")


def spherical_harmonics(directions: Float[Tensor, "*n 3"], degree: int) -> Float[Tensor, "*n k"]:
    """Real spherical harmonics of the first ``degree`` bands, in the order and with the signs of tiny-cuda-nn.

    Band l holds 2 l + 1 functions from m = -l to l; sines for m < 0, cosines for m > 0, both with the Condon-Shortley sign.
    Written as polynomials, so that derivatives exist everywhere and to any order.

    Args:
        directions: Unit vectors.
        degree: 1 to 8; k = degree^2.
    """
    if not 1 <= degree <= 8:
        raise InvalidInput(f"spherical harmonics of degree {degree}; choose 1 to 8")
    x, y, z = directions.unbind(-1)
    rows: list[Tensor] = [torch.empty(0)] * (degree * degree)
    cosine, sine = torch.ones_like(x), torch.zeros_like(x)  # r^m cos(m phi), r^m sin(m phi)
    diagonal = 1.0
    for m in range(degree):
        if m > 0:
            cosine, sine = x * cosine - y * sine, x * sine + y * cosine
            diagonal *= -(2 * m - 1)
        before, now = torch.zeros_like(z), torch.full_like(z, diagonal)  # Legendre functions without their r^m
        for band in range(m, degree):
            if band > m:
                before, now = now, ((2 * band - 1) * z * now - (band + m - 1) * before) / (band - m)
            norm = math.sqrt((2 * band + 1) / (4 * math.pi) * math.factorial(band - m) / math.factorial(band + m))
            centre = band * band + band
            if m == 0:
                rows[centre] = norm * now
            else:
                rows[centre + m] = math.sqrt(2) * norm * now * cosine
                rows[centre - m] = math.sqrt(2) * norm * now * sine
    return torch.stack(rows, -1)


def octaves(x: Float[Tensor, "*n d"], count: int) -> Float[Tensor, "*n k"]:
    """Positional encoding of NeRF (Mildenhall et al., ECCV 2020): x itself, sines, then cosines of x times 1, 2, 4, ...

    The cosines are sines shifted by a quarter, as in nerfacc; k = d (1 + 2 count).
    """
    factors = 2.0 ** torch.arange(count, dtype=x.dtype, device=x.device)
    angles = (x[..., None, :] * factors[:, None]).flatten(-2)
    return torch.cat([x, torch.sin(angles), torch.sin(angles + 0.5 * math.pi)], -1)
