"""Real spherical harmonics up to degree 3, in the order and with the signs that splat files use."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_C1 = 0.4886025119029199
_C2 = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)
_C3 = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154, 1.445305721320277)


def harmonics(directions: Float[Tensor, "*n 3"], degree: int) -> Float[Tensor, "*n k"]:
    """The basis at some directions (Sloan, *Efficient Spherical Harmonic Evaluation*, JCGT 2013).

    Args:
        directions: Unit vectors.
        degree: 0 to 3; k = (degree + 1)^2.
    """
    x, y, z = directions.unbind(-1)
    basis = [torch.full_like(x, 0.28209479177387814)]
    if degree > 0:
        basis += [-_C1 * y, _C1 * z, -_C1 * x]
    if degree > 1:
        a, b, c = _C2
        basis += [a * x * y, -a * y * z, b * (3 * z * z - 1), -a * x * z, c * (x * x - y * y)]
    if degree > 2:
        a, b, c, d, e = _C3
        basis += [
            -a * y * (3 * x * x - y * y),
            b * x * y * z,
            -c * y * (5 * z * z - 1),
            d * z * (5 * z * z - 3),
            -c * x * (5 * z * z - 1),
            e * z * (x * x - y * y),
            -a * x * (x * x - 3 * y * y),
        ]
    return torch.stack(basis, -1)


def colors_from_harmonics(
    sh: Float[Tensor, "*n k c"], directions: Float[Tensor, "*n 3"], degree: int
) -> Float[Tensor, "*n c"]:
    """Colours seen along some directions: the sum of the harmonics up to ``degree`` plus 0.5, not below 0."""
    basis = harmonics(torch.nn.functional.normalize(directions, dim=-1), degree)
    return ((basis[..., None] * sh[..., : basis.shape[-1], :]).sum(-2) + 0.5).clamp_min(0)


def rotate_harmonics(sh: Float[Tensor, "g k 3"], rotation: Float[Tensor, "3 3"]) -> Float[Tensor, "g k 3"]:
    """Coefficients of the same colours in a world that is turned by ``rotation``.

    Each degree mixes only with itself; the mixing matrix follows from the basis at enough directions.
    """
    degree = int(sh.shape[1] ** 0.5) - 1
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(64, 3, generator=generator, dtype=torch.float64), dim=-1)
    old = harmonics(directions @ rotation.double().cpu(), degree)  # the direction before the turn
    new = harmonics(directions, degree)
    parts = [sh[:, :1]]
    for band in range(1, degree + 1):
        rows = slice(band * band, (band + 1) ** 2)
        mixing = torch.linalg.lstsq(new[:, rows], old[:, rows]).solution  # new @ mixing = old
        parts.append(torch.einsum("ij,gjc->gic", mixing.to(sh), sh[:, rows]))
    return torch.cat(parts, 1)
