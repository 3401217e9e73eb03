"""Worlds whose axes are named by where they point: R(ight) or L(eft), U(p) or D(own), F(ront) or B(ack)."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ..gaussians import GaussianCloud
from ..harmonics import harmonics

_DIRECTIONS = {"R": (0, 1), "L": (0, -1), "D": (1, 1), "U": (1, -1), "F": (2, 1), "B": (2, -1)}


def rdf_from(axes: str) -> Float64[Tensor, "3 3"]:
    """The matrix that takes coordinates along ``axes``, say "RUB", to those of a PLY file, right, down and front."""
    matrix = torch.zeros(3, 3, dtype=torch.float64)
    for column, letter in enumerate(axes):
        row, sign = _DIRECTIONS[letter]
        matrix[row, column] = sign
    return matrix


def with_axes(cloud: GaussianCloud, new_from_old: Float64[Tensor, "3 3"]) -> GaussianCloud:
    """The same Gaussians along other axes.

    Args:
        cloud: Along the old axes.
        new_from_old: One +1 or -1 in each row and column; it may mirror.
    """
    if torch.equal(new_from_old.abs(), torch.eye(3, dtype=torch.float64)):
        return _flipped(cloud, new_from_old.diagonal())
    handedness = torch.tensor([1.0, 1.0, float(new_from_old.det().round())], dtype=torch.float64)
    return _flipped(cloud, handedness).moved(1.0, new_from_old * handedness, torch.zeros(3))


def _flipped(cloud: GaussianCloud, signs: Float[Tensor, "3"]) -> GaussianCloud:
    """Coordinates times signs. Nothing is rounded: a Gaussian's covariance and each harmonic only change signs, too."""
    x, y, z = signs.tolist()
    somewhere = torch.tensor([0.3, 0.5, 0.8], dtype=torch.float64)
    parities = (harmonics(somewhere * signs, 3) / harmonics(somewhere, 3)).round()[: cloud.sh.shape[1]]
    return replace(
        cloud,
        means=cloud.means * signs.to(cloud.means),
        quats=cloud.quats * cloud.quats.new_tensor([1, y * z, x * z, x * y]),
        sh=cloud.sh * parities.to(cloud.sh)[:, None],
    )
