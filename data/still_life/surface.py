"""Points on a still life's surfaces, exact to rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import InvalidInput
from ...core.random import numpy_rng
from ..point_cloud import PointCloud
from .casting import Floats, Hits, Ints, is_inside, nearest_hits
from .lighting import shade
from .render import shown
from .scene import StillLife
from .solids import Pattern

_LINES = 1 << 14
_MOST_ROUNDS = 60
_STEP = 1e-6
"""Metres behind a hit at which a line goes on."""


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points with the colours that a photo shows there, highlights left out, and outward unit normals; float64."""

    cloud: PointCloud
    normals: Float[Tensor, "n 3"]


def surface_points(scene: StillLife, n: int, seed: int = 0) -> SurfacePoints:
    """Points uniform by area on every surface within the scene's radius of its centre, sky and covered parts left out.

    Raises:
        InvalidInput: Points are asked for where no surface is.
    """
    rng = numpy_rng(seed, "surface points", scene.name)
    found: list[tuple[Floats, Floats, Ints]] = []
    while sum(len(points) for points, _, _ in found) < n:
        if len(found) == _MOST_ROUNDS:
            raise InvalidInput(
                f"{_MOST_ROUNDS * _LINES} lines through {scene.name} met "
                f"{sum(len(points) for points, _, _ in found)} surface points, {n} were asked for; ask for fewer"
            )
        found.append(_crossings(scene, rng))
    points, normals, rows = (np.concatenate(part) for part in zip(*found, strict=True)) if found else _nothing()
    chosen = np.sort(rng.permutation(len(points))[:n])
    points, normals, rows = points[chosen], normals[chosen], rows[chosen]
    solids, materials = scene.arrays
    light = shade(
        solids, materials, scene.light, scene.ambience, points, Hits(np.zeros(len(rows)), rows, normals), None
    )
    colors = shown(scene, torch.from_numpy(light))
    return SurfacePoints(PointCloud(torch.from_numpy(points), colors), torch.from_numpy(normals))


def _crossings(scene: StillLife, rng: np.random.Generator) -> tuple[Floats, Floats, Ints]:
    """Where random lines enter surfaces from outside: lines uniform in space cross surfaces in proportion to area."""
    center = np.array(scene.center)
    outward = _unit(rng.standard_normal((_LINES, 3)))
    spread, turn = np.sqrt(rng.random(_LINES)), rng.uniform(0, 2 * np.pi, _LINES)
    side = _unit(np.cross(outward, _unit(rng.standard_normal((_LINES, 3)))))
    across = side * np.cos(turn)[:, None] + np.cross(outward, side) * np.sin(turn)[:, None]
    ways = -outward
    lines = center + scene.radius * (spread[:, None] * across + np.sqrt(1 - spread**2)[:, None] * outward)
    left = 2 * scene.radius * np.sqrt(1 - spread**2)
    glows = scene.arrays[1].pattern == Pattern.SKY
    found: list[tuple[Floats, Floats, Ints]] = [_nothing()]
    while len(lines):
        hits = nearest_hits(scene.arrays[0], lines, ways)
        going = hits.distance < left
        lines, ways, left = lines[going], ways[going], left[going]
        distance, rows, normals = hits.distance[going], hits.solid[going], hits.normal[going]
        points = lines + distance[:, None] * ways
        seen = ~is_inside(scene.arrays[0], points + 1e-5 * normals) & ~glows[rows]
        found.append((points[seen], normals[seen], rows[seen]))
        lines, left = points + _STEP * ways, left - distance - _STEP
    points, normals, rows = (np.concatenate(part) for part in zip(*found, strict=True))
    return points, normals, rows


def _nothing() -> tuple[Floats, Floats, Ints]:
    return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int64)


def _unit(vectors: Floats) -> Floats:
    return vectors / np.sqrt((vectors**2).sum(1, keepdims=True))
