"""Lens distortion on the plane z = 1: OpenCV's rational model and its fisheye model, and their inverses."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Model = Literal["pinhole", "opencv", "fisheye"]

PARAMETERS: dict[str, int] = {"pinhole": 0, "opencv": 8, "fisheye": 4}
"""Coefficients of each model: opencv k1 k2 p1 p2 k3 k4 k5 k6 (shorter lists end in zeros), fisheye k1 k2 k3 k4."""

_STEPS = 20


def distort(xy: Float[Tensor, "*n 2"], model: Model, coefficients: Float[Tensor, "d"]) -> Float[Tensor, "*n 2"]:
    """Where the lens puts a ray.

    Args:
        xy: Directions as points of the plane z = 1.
        model: ``opencv`` is the radial, tangential and rational model of OpenCV (k1 k2 p1 p2 k3 k4 k5 k6); ``fisheye``
            is Kannala and Brandt's (PAMI 2006) as OpenCV numbers it (k1 to k4).
        coefficients: As many as :data:`PARAMETERS` says.

    Returns:
        Points of the plane z = 1, to be multiplied by K.
    """
    if model == "pinhole":
        return xy
    x, y = xy.unbind(-1)
    r2 = x * x + y * y
    if model == "opencv":
        k1, k2, p1, p2, k3, k4, k5, k6 = coefficients
        radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        return torch.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            -1,
        )
    k1, k2, k3, k4 = coefficients
    radius = torch.sqrt(r2.clamp_min(1e-24))
    angle = torch.atan(radius)
    a2 = angle * angle
    bent = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))
    return xy * torch.where(r2 > 1e-24, bent / radius, torch.ones_like(radius))[..., None]


def undistort(
    xy: Float[Tensor, "*n 2"], model: Model, coefficients: Float[Tensor, "d"]
) -> tuple[Float[Tensor, "*n 2"], Bool[Tensor, "*n"]]:
    """The rays that the lens puts at some points: the inverse of :func:`distort`, by Newton's method.

    Returns:
        Points of the plane z = 1, and which of them the inverse exists for: far outside the image a polynomial of a real
        lens turns back, and no ray belongs to the point.
    """
    if model == "pinhole":
        return xy, torch.ones(xy.shape[:-1], dtype=torch.bool, device=xy.device)
    wanted = xy.double()
    coefficients = coefficients.double()
    found = wanted.clone()
    if model == "fisheye":  # tan of the distorted angle is a far better start where the lens is wide
        radius = wanted.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        found = wanted * (torch.tan(radius.clamp_max(1.5)) / radius)
    for _ in range(_STEPS):
        miss, jacobian = _miss(found, wanted, model, coefficients)
        determinant = jacobian[..., 0, 0] * jacobian[..., 1, 1] - jacobian[..., 0, 1] * jacobian[..., 1, 0]
        safe = torch.where(determinant.abs() > 1e-9, determinant, torch.full_like(determinant, torch.inf))
        step = torch.stack(
            [
                (jacobian[..., 1, 1] * miss[..., 0] - jacobian[..., 0, 1] * miss[..., 1]) / safe,
                (jacobian[..., 0, 0] * miss[..., 1] - jacobian[..., 1, 0] * miss[..., 0]) / safe,
            ],
            -1,
        )
        found = found - step
    miss, jacobian = _miss(found, wanted, model, coefficients)
    determinant = jacobian[..., 0, 0] * jacobian[..., 1, 1] - jacobian[..., 0, 1] * jacobian[..., 1, 0]
    exists = (miss.norm(dim=-1) < 1e-8) & (determinant > 0) & found.isfinite().all(-1)
    return torch.where(exists[..., None], found, torch.zeros_like(found)).to(xy.dtype), exists


def _miss(found: Tensor, wanted: Tensor, model: Model, coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Distance still to go, and the Jacobian of the distortion there."""
    with torch.enable_grad():
        at = found.detach().requires_grad_()
        bent = distort(at, model, coefficients)
        rows = [torch.autograd.grad(bent[..., i].sum(), at, retain_graph=i == 0)[0] for i in range(2)]
    return bent.detach() - wanted, torch.stack(rows, -2)
