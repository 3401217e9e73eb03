"""Light on surfaces: one sun with shadows, a sky that is dimmer in corners, highlights.

What does not depend on where the viewer stands is kept apart, so that points can carry it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import no_type_check

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...core.threads import parallel_code
from .casting import Floats, Hits, Solids, blocked
from .solids import Kind, Pattern, Rgb, Vec
from .textures import Materials, albedo

_LIFT = 1e-4
"""Metres from a surface at which rays towards the light begin."""
_TRANSLUCENT = 0.45
"""Share of the sun's light that comes through a leaf."""


@dataclass(frozen=True)
class Light:
    """Sun and sky. Colours are linear; a white matte surface that faces the sun shows the sum of both."""

    towards_sun: Vec
    """Any length."""
    sun: Rgb = (0.78, 0.74, 0.66)
    sky: Rgb = (0.44, 0.47, 0.52)
    """From above."""
    ground: Rgb = (0.26, 0.24, 0.21)
    """From below."""
    corner_size: float = 0.3
    """Things nearer than this dim the sky's light (m)."""


@dataclass(frozen=True, eq=False)
class Ambience:
    """Which share of the sky's light comes to places on a lattice, 0..1; between them it is interpolated."""

    corner: Floats
    spacing: float
    shares: NDArray[np.float32]


def measure_ambience(solids: Solids, light: Light, low: Floats, high: Floats, n_cells: int = 40) -> Ambience:
    """Cast rays from a lattice of about ``n_cells`` along its longest side: those that meet something near count as dark."""
    spacing = float((high - low).max()) / n_cells
    size = np.ceil((high - low) / spacing).astype(int) + 1
    axes = [low[k] + spacing * np.arange(size[k]) for k in range(3)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    directions = _around(12)
    lit = np.zeros(len(places), np.float32)
    for direction in directions:
        lit += ~blocked(solids, places, np.broadcast_to(direction, places.shape), light.corner_size)
    return Ambience(low, spacing, (lit / len(directions)).reshape(size).astype(np.float32))


def _around(n: int) -> Floats:
    """Directions spread evenly over the sphere, on a spiral."""
    z = 1 - (2 * np.arange(n) + 1) / n
    angle = np.arange(n) * math.pi * (3 - math.sqrt(5))
    return np.stack([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z], 1)


def shade(
    solids: Solids,
    materials: Materials,
    light: Light,
    ambience: Ambience,
    points: Floats,
    hits: Hits,
    directions: Floats | None,
) -> Floats:
    """Linear light (r, 3) that leaves points towards a viewer.

    Args:
        directions: Unit, from the viewer; without them highlights are left out.
    """
    towards_sun = np.array(light.towards_sun, np.float64)
    towards_sun /= math.sqrt(float((towards_sun**2).sum()))
    colors = albedo(solids, materials, points, hits.solid)
    facing = sum(hits.normal[:, k] * towards_sun[k] for k in range(3))  # no BLAS, whose sums depend on threads
    met = np.flatnonzero(hits.solid >= 0)
    thin = np.zeros(len(points), np.bool_)
    thin[met] = solids.kind[hits.solid[met]] == Kind.LEAF
    side = np.where(thin & (facing < 0), -_LIFT, _LIFT)
    asked = np.flatnonzero((hits.solid >= 0) & ((facing > 0) | thin))
    starts = points[asked] + side[asked, None] * hits.normal[asked]
    sunlit = np.zeros(len(points), np.bool_)
    sunlit[asked] = ~blocked(solids, starts, np.broadcast_to(towards_sun, starts.shape), np.inf)
    out = np.zeros((len(points), 3))
    looking = np.zeros((1, 3)) if directions is None else directions
    surface = (points, hits.normal, hits.solid, looking, colors)
    looks = (np.ascontiguousarray(materials.numbers[:, 4]), materials.pattern == Pattern.SKY, sunlit, thin)
    lights = (towards_sun, np.array([light.sun, light.sky, light.ground], np.float64))
    with parallel_code():
        _light(*surface, *looks, *lights, ambience.corner, ambience.spacing, ambience.shares, out)
    return out


@no_type_check
@njit(error_model="numpy")
def _share(corner, spacing, shares, x, y, z):
    """Trilinear look-up; outside the lattice as at its rim."""
    p, q, r = (x - corner[0]) / spacing, (y - corner[1]) / spacing, (z - corner[2]) / spacing
    p = min(max(p, 0.0), shares.shape[0] - 1.001)
    q = min(max(q, 0.0), shares.shape[1] - 1.001)
    r = min(max(r, 0.0), shares.shape[2] - 1.001)
    i, j, k = int(p), int(q), int(r)
    u, v, w = p - i, q - j, r - k
    total = 0.0
    for a in range(2):
        for b in range(2):
            pair = shares[i + a, j + b, k] * (1 - w) + shares[i + a, j + b, k + 1] * w
            total += (u if a else 1 - u) * (v if b else 1 - v) * pair
    return total


@no_type_check
@njit(cache=True, error_model="numpy", parallel=True)
def _light(
    points, normal, solid, looking, albedo, gloss, glows, sunlit, thin, sun, colors, corner, spacing, shares, out
):
    for r in numba.prange(len(points)):
        row = solid[r]
        if row < 0:
            continue
        if glows[row]:
            for c in range(3):
                out[r, c] = albedo[r, c]
            continue
        nx, ny, nz = normal[r]
        facing = nx * sun[0] + ny * sun[1] + nz * sun[2]
        direct = 0.0
        if sunlit[r]:
            direct = facing if facing > 0 else 0.0
            if thin[r]:
                direct = max(direct, _TRANSLUCENT * abs(facing))
        lift = 0.8 * spacing
        share = _share(
            corner, spacing, shares, points[r, 0] + lift * nx, points[r, 1] + lift * ny, points[r, 2] + lift * nz
        )
        share = 0.15 + 0.85 * min(1.0, 1.6 * share)  # beside a plane about 5 of 8 rays are free
        up = 0.5 + 0.5 * nz
        shine = 0.0
        if gloss[row] > 0 and sunlit[r] and len(looking) == len(points) and facing > 0:
            hx, hy, hz = sun[0] - looking[r, 0], sun[1] - looking[r, 1], sun[2] - looking[r, 2]
            length = math.sqrt(hx * hx + hy * hy + hz * hz)
            if length > 0:
                shine = gloss[row] * max(0.0, (nx * hx + ny * hy + nz * hz) / length) ** 60
        for c in range(3):
            sky = colors[2, c] + (colors[1, c] - colors[2, c]) * up
            out[r, c] = albedo[r, c] * (direct * colors[0, c] + share * sky) + shine * colors[0, c]


def exposure_of(light: Light) -> float:
    """What light is multiplied by so that all but white surfaces in full light keep their colour in a photo."""
    return 1.05 / max(s + k for s, k in zip(light.sun, light.sky, strict=True))
