"""Solids and rays to try ray casting with, and what lies inside a solid, in its own frame, by definition."""

from __future__ import annotations

import math

import numpy as np
from trisparse.data.still_life.lighting import Light
from trisparse.data.still_life.scene import StillLife
from trisparse.data.still_life.solids import Kind, Material, Pattern, Rows, Solid

MATTE = Material(Pattern.CLOUDY, ((0.8, 0.8, 0.8), (0.5, 0.6, 0.7), (0.9, 0.7, 0.5)), 0.3, grain=0.1)
CLOSED = (
    (Kind.BOX, 1.0),
    (Kind.ELLIPSOID, 1.0),
    (Kind.CONE, 1.0),
    (Kind.CONE, 0.0),
    (Kind.CONE, 0.4),
    (Kind.CONE, 1.7),
    (Kind.TORUS, 0.3),
    (Kind.TORUS, 0.05),
)


def turn(rng: np.random.Generator) -> Rows:
    """A random rotation."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    q[:, 0] *= np.linalg.det(q)
    rows = [tuple(row) for row in q.tolist()]
    return (rows[0], rows[1], rows[2])


def solid(rng: np.random.Generator, kind: Kind, shape: float, size: float = 1.0) -> Solid:
    """A solid of random half sizes, place and rotation."""
    x, y, z = (size * rng.uniform(0.4, 1.2, 3)).tolist()
    if kind == Kind.TORUS:
        y = z = x
    u, v, w = rng.uniform(-1, 1, 3).tolist()
    return Solid(kind, (u, v, w), (x, y, z), MATTE, turn(rng), shape)


def is_within(one: Solid, points: np.ndarray) -> np.ndarray:
    """Whether points (n, 3) lie in a closed solid."""
    own = (points - np.array(one.center)) @ np.array(one.rotation) / np.array(one.half)
    x, y, z = own.T
    if one.kind == Kind.BOX:
        return np.abs(own).max(1) < 1
    if one.kind == Kind.ELLIPSOID:
        return (own**2).sum(1) < 1
    if one.kind == Kind.TORUS:
        return (np.hypot(x, y) - 1) ** 2 + z**2 < one.shape**2
    return (np.abs(z) < 1) & (np.hypot(x, y) < 1 + (one.shape - 1) * (z + 1) / 2)


def rays(rng: np.random.Generator, n: int, reach: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Rays from all around that pass near the origin; directions have unit length."""
    origins = rng.standard_normal((n, 3))
    origins *= reach / np.sqrt((origins**2).sum(1, keepdims=True))
    ways = rng.uniform(-1.3, 1.3, (n, 3)) - origins
    return origins, ways / np.sqrt((ways**2).sum(1, keepdims=True))


def scene_of(*solids: Solid, towards_sun: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> StillLife:
    """A scene around the origin that is looked at from -y."""
    return StillLife("trial", solids, Light(towards_sun), (0.0, 0.0, 0.0), 2.0, 4.0, -math.pi / 2, 0.0)
