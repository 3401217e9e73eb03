"""Rotations as unit quaternions w x y z; differentiable to any order, also where nothing turns."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_STILL = 1e-24
"""Square of the sine of half an angle below which a rotation counts as none: 1e-12 rad is far below what float64 resolves
in a product, and the derivative of the square root at 0 is infinite."""


def multiply(a: Float[Tensor, "*n 4"], b: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """The rotation ``b``, then ``a``."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


def conjugate(a: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """The rotation back."""
    return a * a.new_tensor([1.0, -1.0, -1.0, -1.0])


def rotation_vector(a: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 3"]:
    """Axis times angle in 0..pi: the shorter of the two ways round."""
    a = torch.where(a[..., :1] < 0, -a, a)
    squared = a[..., 1:].square().sum(-1, keepdim=True)
    is_still = squared < _STILL
    sine = torch.where(is_still, torch.ones_like(squared), squared).sqrt()
    factor = torch.where(is_still, 2 * torch.ones_like(sine), 2 * torch.atan2(sine, a[..., :1]) / sine)
    return a[..., 1:] * factor


def from_rotation_vector(v: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 4"]:
    """The unit quaternion of axis times angle."""
    squared = v.square().sum(-1, keepdim=True)
    is_still = squared < _STILL
    angle = torch.where(is_still, torch.ones_like(squared), squared).sqrt()
    factor = torch.where(is_still, 0.5 * torch.ones_like(angle), torch.sin(angle / 2) / angle)
    real = torch.where(is_still, 1 - squared / 8, torch.cos(angle / 2))
    return torch.cat([real, v * factor], -1)


def to_matrix(a: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 3 3"]:
    """Rotation matrices of unit quaternions."""
    w, x, y, z = a.unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def from_matrix(m: Float[Tensor, "*n 3 3"]) -> Float[Tensor, "*n 4"]:
    """Unit quaternions with w >= 0 of rotation matrices.

    The largest of the four squares is taken under the root (Shepperd 1978), so that no case loses digits.
    """
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = torch.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], -1)
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    w2, x2, y2, z2 = squares.unbind(-1)
    candidates = torch.stack(
        [
            torch.stack([w2, wx, wy, wz], -1),
            torch.stack([wx, x2, xy, xz], -1),
            torch.stack([wy, xy, y2, yz], -1),
            torch.stack([wz, xz, yz, z2], -1),
        ],
        -2,
    )
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    a = torch.nn.functional.normalize(candidates.gather(-2, best)[..., 0, :], dim=-1)
    return torch.where(a[..., :1] < 0, -a, a)
