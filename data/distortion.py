"""Lens distortion on the plane z = 1: OpenCV's rational model and its fisheye model, and their inverses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.polynomial import Polynomial
from torch import Tensor

Model = Literal["pinhole", "opencv", "fisheye"]

PARAMETERS: dict[str, int] = {"pinhole": 0, "opencv": 8, "fisheye": 4}
"""Coefficients of each model: opencv k1 k2 p1 p2 k3 k4 k5 k6 (shorter lists end in zeros), fisheye k1 k2 k3 k4."""

_STEPS = 5
"""Of Newton's method, which starts within one of the cells below."""
_CELLS = 4096
_REFINEMENTS = 10
"""Of Newton's method in both directions; it takes two, but near where the lens turns back."""
_DOUBLINGS = 20
"""Of a distance of 1 from the axis, on the plane z = 1: up to a hair below 90 degrees."""
_NEAR = 1e-8
"""By how much an inverse may miss, on the plane z = 1."""


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
        radial, (p1, p2) = _radial(r2, coefficients), coefficients[2:4]
        return torch.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            -1,
        )
    radius = torch.sqrt(r2.clamp_min(1e-24))
    bent = _fisheye_radius(torch.atan(radius), coefficients)
    return xy * torch.where(r2 > 1e-24, bent / radius, torch.ones_like(radius))[..., None]


def reach(model: Model, coefficients: Float[Tensor, "d"]) -> float:
    """How far from the axis a lens is one-to-one, on the plane z = 1.

    The polynomial of a real lens turns back somewhere outside its image: beyond, two rays would meet one pixel, and the lens
    shows the inner one. Tangential coefficients move that place by little and are left out.

    Args:
        model: See :func:`distort`.
        coefficients: See :func:`distort`.

    Returns:
        A radius; infinity where the lens never turns back within 90 degrees of the axis.
    """
    if model == "pinhole":
        return math.inf
    c = coefficients.detach().double().cpu().tolist()
    u = Polynomial([0.0, 1.0])  # of the square of the radius (opencv) or angle (fisheye)
    if model == "fisheye":
        angle = math.sqrt(_first_root(Polynomial([1, 3 * c[0], 5 * c[1], 7 * c[2], 9 * c[3]])))
        return math.tan(angle) if angle < math.pi / 2 else math.inf
    above, below = Polynomial([1, c[0], c[1], c[4]]), Polynomial([1, *c[5:]])
    slope = above * below + 2 * u * (above.deriv() * below - above * below.deriv())
    return math.sqrt(min(_first_root(slope), _first_root(below)))


def undistort(
    xy: Float[Tensor, "*n 2"], model: Model, coefficients: Float[Tensor, "d"]
) -> tuple[Float[Tensor, "*n 2"], Bool[Tensor, "*n"]]:
    """The rays that the lens puts at some points: the inverse of :func:`distort` within :func:`reach`.

    Returns:
        Points of the plane z = 1, and which of them the inverse exists for; 0 where it does not.
    """
    if model == "pinhole":
        return xy, torch.ones(xy.shape[:-1], dtype=torch.bool, device=xy.device)
    wanted, coefficients = xy.detach().double(), coefficients.detach().double()
    radius = wanted.norm(dim=-1)
    limit = reach(model, coefficients)
    if model == "fisheye":
        angle = _inverted(radius, lambda a: _fisheye_radius(a, coefficients), math.atan(limit))
        found = wanted * (torch.tan(angle) / radius.clamp_min(1e-12))[..., None]
    else:
        start = _inverted(radius, lambda r: r * _radial(r * r, coefficients), limit)
        found = _refined(wanted * (start / radius.clamp_min(1e-12))[..., None], wanted, model, coefficients)
    miss, jacobian = _miss(found, wanted, model, coefficients)
    exists = (miss.norm(dim=-1) < _NEAR) & (_determinant(jacobian) > 0) & found.isfinite().all(-1)
    exists &= found.norm(dim=-1) <= limit
    return torch.where(exists[..., None], found, torch.zeros_like(found)).to(xy.dtype), exists


def _first_root(polynomial: Polynomial) -> float:
    """The smallest root above 0; infinity where there is none below the square of what can be seen."""
    roots = polynomial.trim(1e-16).roots()
    real = roots.real[(np.abs(roots.imag) <= 1e-9 * np.abs(roots)) & (roots.real > 0)]
    return float(real.min()) if len(real) else math.inf


def _inverted(wanted: Tensor, profile: Callable[[Tensor], Tensor], limit: float) -> Tensor:
    """Where a function that grows from 0 up to a limit reaches some values: a table, then Newton within its cells."""
    farthest = wanted.max() if wanted.numel() else wanted.new_tensor(0.0)
    top = wanted.new_tensor(min(limit, 1.0))
    for _ in range(_DOUBLINGS):
        if bool(profile(top) >= farthest):
            break
        top = (2 * top).clamp_max(limit)
    steps = torch.linspace(0, 1, _CELLS + 1, dtype=wanted.dtype, device=wanted.device)
    places = torch.tan(steps * torch.atan(top))
    # Growing but for rounding, or beside a pole where the last value is of any sign.
    values = torch.cat([profile(places)[:-1].cummax(0).values, torch.full_like(places[:1], torch.inf)])
    cell = torch.searchsorted(values, wanted.contiguous()).clamp(1, _CELLS)
    low, high = places[cell - 1], places[cell]
    found = low
    for _ in range(_STEPS):
        with torch.enable_grad():
            at = found.detach().requires_grad_()
            value = profile(at)
            (slope,) = torch.autograd.grad(value.sum(), at)
        found = (found - (value.detach() - wanted) / slope.clamp_min(1e-9)).clamp(low, high)
    return found


def _refined(found: Tensor, wanted: Tensor, model: Model, coefficients: Tensor) -> Tensor:
    """Newton's method, for what tangential coefficients add."""
    shape = found.shape
    found, wanted = found.reshape(-1, 2).clone(), wanted.reshape(-1, 2)
    left = torch.arange(len(found), device=found.device)
    for _ in range(_REFINEMENTS):
        miss, jacobian = _miss(found[left], wanted[left], model, coefficients)
        far = miss.norm(dim=-1) > _NEAR / 1e3
        left, miss, jacobian = left[far], miss[far], jacobian[far]
        if not len(left):
            break
        determinant = _determinant(jacobian)
        safe = torch.where(determinant.abs() > 1e-9, determinant, torch.full_like(determinant, torch.inf))
        step = torch.stack(
            [
                (jacobian[..., 1, 1] * miss[..., 0] - jacobian[..., 0, 1] * miss[..., 1]) / safe,
                (jacobian[..., 0, 0] * miss[..., 1] - jacobian[..., 1, 0] * miss[..., 0]) / safe,
            ],
            -1,
        )
        found[left] -= step
    return found.reshape(shape)


def _determinant(jacobian: Tensor) -> Tensor:
    return jacobian[..., 0, 0] * jacobian[..., 1, 1] - jacobian[..., 0, 1] * jacobian[..., 1, 0]


def _radial(r2: Tensor, coefficients: Tensor) -> Tensor:
    k1, k2, _, _, k3, k4, k5, k6 = coefficients
    return (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))


def _fisheye_radius(angle: Tensor, coefficients: Tensor) -> Tensor:
    k1, k2, k3, k4 = coefficients
    a2 = angle * angle
    return angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))


def _miss(found: Tensor, wanted: Tensor, model: Model, coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Distance still to go, and the Jacobian of the distortion there."""
    with torch.enable_grad():
        at = found.detach().requires_grad_()
        bent = distort(at, model, coefficients)
        rows = [torch.autograd.grad(bent[..., i].sum(), at, retain_graph=i == 0)[0] for i in range(2)]
    return bent.detach() - wanted, torch.stack(rows, -2)
