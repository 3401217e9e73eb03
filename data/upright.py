"""Which way is up in a scan, from its surfaces alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from ..core.random import numpy_rng

AXES: dict[str, tuple[float, float, float]] = {
    "x": (1.0, 0.0, 0.0),
    "y": (0.0, 1.0, 0.0),
    "z": (0.0, 0.0, 1.0),
    "-x": (-1.0, 0.0, 0.0),
    "-y": (0.0, -1.0, 0.0),
    "-z": (0.0, 0.0, -1.0),
}
_CELLS = 100
"""Cells along the scan's largest extent, of which each keeps one point: near and far surfaces then count alike."""
_ENOUGH_POINTS = 500_000
_MOST_POINTS = 15_000
_NEIGHBOURS = 16
_HINT_DEGREES = 50
_WIDEST_VIEW = 1.1
"""Tangent of half the view of the widest depth cameras."""
_FILE_AXIS_BONUS = {"z": 0.12, "y": 0.06, "-y": 0.06}
"""Worth of a direction close to an axis that files commonly have up; the weights below were set on generated rooms."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Thinned points (m, 3) and unit normals (m, 3) without sense of side; ``flat`` marks those on a clear plane."""

    points: np.ndarray
    normals: np.ndarray
    flat: np.ndarray
    cell: float


@dataclass(frozen=True, eq=False)
class Upright:
    """A direction taken for up, and what speaks for it.

    ``direction`` is a unit vector (3,); ``floor`` the floor's height along it; ``confidence`` the lead over the best other
    direction, 0 for none.
    """

    direction: np.ndarray
    floor: float
    confidence: float
    floor_share: float


def surface_of(points: np.ndarray) -> Surface:
    """Thin a scan to one point a cell and estimate the normals.

    Args:
        points: (n, 3), finite, any unit.
    """
    points = points[:: max(1, len(points) // _ENOUGH_POINTS)]
    low, high = robust_range(points)
    cell = float((high - low).max()) / _CELLS
    if cell == 0:
        empty = np.zeros((0, 3))
        return Surface(points[:1], empty, np.zeros(0, bool), 0.0)
    inside = points[((points >= low - (high - low)) & (points <= high + (high - low))).all(1)]
    keys = np.floor((inside - low) / cell).astype(np.int64) + 2 * _CELLS  # 0 to 4 * _CELLS
    _, first = np.unique((keys[:, 0] * 1000 + keys[:, 1]) * 1000 + keys[:, 2], return_index=True)
    if len(first) > _MOST_POINTS:
        first = np.sort(numpy_rng(0, "surface").choice(first, _MOST_POINTS, replace=False))
    thin = inside[first]
    if len(thin) <= _NEIGHBOURS:
        return Surface(thin, np.zeros((0, 3)), np.zeros(len(thin), bool), cell)
    _, near = KDTree(thin).query(thin, _NEIGHBOURS, workers=1)
    local = thin[near] - thin[near].mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(np.einsum("mki,mkj->mij", local, local))
    flat = (values[:, 0] < 0.1 * values[:, 1]) & (values[:, 1] > 0.1 * values[:, 2])
    return Surface(thin, vectors[:, :, 0], flat, cell)


def robust_range(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates (3,), each without the outermost 1 % of the points."""
    low, high = np.percentile(points, [1, 99], axis=0) if len(points) else np.zeros((2, 3))
    return low, high


def camera_up(points: np.ndarray) -> str | None:
    """The axis that is roughly up where the points are what one camera at the origin sees, else None.

    A camera's frame has z forward and y down (OpenCV), or -z forward and y up (OpenGL); either way nearly all points lie in
    a cone around the view, with nothing at the camera itself.
    """
    for forward, axis in ((1, "-y"), (-1, "y")):
        depth = forward * points[:, 2]
        inside = (depth > 0) & (np.abs(points[:, :2]).max(1) < _WIDEST_VIEW * depth)
        if len(points) and inside.mean() > 0.995 and np.percentile(depth, 1) > 0.02 * np.percentile(depth, 99):
            return axis
    return None


def find_up(surface: Surface, hint: str | None = None) -> Upright:
    """The direction that is most likely up.

    Candidates are the file's axes, the commonest normals and the crosses of those. A candidate scores by the share of
    surface that lies in a floor under nearly everything, by horizontal and vertical surfaces in general, by a room being
    wider than high and fuller below than above, and a little by what files commonly have up.

    Args:
        surface: From :func:`surface_of`.
        hint: An axis that is roughly up (within 50 degrees), from the format; else :func:`camera_up` is asked.
    """
    hint = hint or camera_up(surface.points)
    if not surface.flat.any():
        direction = np.array(AXES[hint or "z"])
        return Upright(direction, float((surface.points @ direction).min()), 0.0, 0.0)
    candidates = _candidates(surface)
    if hint is not None:
        close = [c for c in candidates if c @ AXES[hint] > np.cos(np.radians(_HINT_DEGREES))]
        candidates = close or [np.array(AXES[hint])]
    scored = sorted(((_score(surface, c), i) for i, c in enumerate(candidates)), reverse=True)
    best_score, best = scored[0]
    direction = candidates[best]
    others = [score for score, i in scored if candidates[i] @ direction < np.cos(np.radians(25))]
    direction = _refined(surface, direction)
    floor, share = _floor(surface, direction)
    return Upright(direction, floor, best_score - max(others, default=best_score - 1), share)


def floor_height(surface: Surface, direction: np.ndarray) -> float:
    """Height of the floor along a direction that is known to be up."""
    if not surface.flat.any():
        return float((surface.points @ direction).min())
    return _floor(surface, direction)[0]


def wall_angle(surface: Surface, rotation: np.ndarray) -> float | None:
    """Angle in radians, -pi/4 to pi/4, by which walls stand off the x and y axes; None where they show no two directions.

    Args:
        surface: From :func:`surface_of`.
        rotation: (3, 3) from the surface's frame into one with z up.
    """
    normals = surface.normals[surface.flat] @ rotation.T if surface.flat.any() else np.zeros((0, 3))
    walls = normals[np.abs(normals[:, 2]) < 0.2]
    if len(walls) < 100:
        return None
    angles = np.arctan2(walls[:, 1], walls[:, 0])
    steps = np.radians(np.arange(-45, 45))
    near = np.abs(_quarter(angles[:, None] - steps[None])) < np.radians(6)
    best = steps[int(near.sum(0).argmax())]
    # 12 of 90 degrees hold 13 % of normals without any order.
    if near.sum(0).max() < 0.35 * len(walls):
        return None
    for _ in range(3):
        off = _quarter(angles - best)
        best += float(np.mean(off[np.abs(off) < np.radians(8)]))
    return float(_quarter(np.array([best]))[0])


def _quarter(angle: np.ndarray) -> np.ndarray:
    """An angle's distance from the nearest multiple of 90 degrees."""
    return (angle + np.pi / 4) % (np.pi / 2) - np.pi / 4


def _candidates(surface: Surface) -> list[np.ndarray]:
    normals = surface.normals[surface.flat]
    modes: list[np.ndarray] = []
    free = np.ones(len(normals), bool)
    for _ in range(6):
        if free.sum() < 0.02 * len(normals):
            break
        tries = normals[free][:: max(1, int(free.sum()) // 200)]
        agree = np.abs(tries @ normals[free].T) > np.cos(np.radians(8))
        mode = tries[agree.sum(1).argmax()]
        near = normals[np.abs(normals @ mode) > np.cos(np.radians(8))]
        mode = np.linalg.eigh(near.T @ near)[1][:, -1]
        modes.append(mode)
        free &= np.abs(normals @ mode) < np.cos(np.radians(15))
    crosses = [np.cross(a, b) for i, a in enumerate(modes[:4]) for b in modes[:i]]
    crosses = [c / np.linalg.norm(c) for c in crosses if np.linalg.norm(c) > 0.7]
    lines = [*modes, *(np.array(AXES[name]) for name in "xyz"), *crosses]
    return [sign * line for line in lines for sign in (1.0, -1.0)]


def _floor(surface: Surface, up: np.ndarray) -> tuple[float, float]:
    """Height of the lowest large horizontal surface along a direction, and its share of all surface."""
    heights = surface.points @ up
    level = surface.flat & (np.abs(surface.normals @ up) > np.cos(np.radians(15)))
    if not level.any():
        return float(np.percentile(heights, 1)), 0.0
    bottom, top = np.percentile(heights, [0.5, 99.5])
    tolerance = max(1.5 * surface.cell, 0.02 * (top - bottom))
    ordered = np.sort(heights[level])
    starts = np.arange(bottom - tolerance, top + tolerance, tolerance / 2)
    counts = np.searchsorted(ordered, starts + 2 * tolerance) - np.searchsorted(ordered, starts)
    if not counts.max():  # only strays lie level
        return float(np.percentile(heights, 1)), 0.0
    # A table's top may show more of itself than the floor: the lowest band counts that is not small.
    strong = int(np.argmax(counts >= 0.15 * counts.max()))
    # Of the bands that overlap the lowest strong one, the best.
    band = strong + int(np.argmax(counts[strong : strong + 4]))
    mine = ordered[(ordered >= starts[band]) & (ordered <= starts[band] + 2 * tolerance)]
    return float(np.median(mine)), len(mine) / len(heights)


def _score(surface: Surface, up: np.ndarray) -> float:
    heights = surface.points @ up
    floor, share = _floor(surface, up)
    bottom, top = np.percentile(heights, [1, 99])
    height = max(top - floor, 1e-9)
    tolerance = max(2 * surface.cell, 0.03 * (top - bottom))
    below = float((heights < floor - tolerance).mean())
    cosines = np.abs(surface.normals[surface.flat] @ up)
    order = float((cosines > np.cos(np.radians(12))).mean() + (cosines < np.sin(np.radians(12))).mean())
    flat_lay = surface.points - heights[:, None] * up
    width = float(np.sqrt(2 * np.linalg.eigvalsh(np.cov(flat_lay.T))[1:].mean() * 6))
    wide = float(np.clip(np.log(width / height), -1, 1))
    between = heights[(heights > floor + tolerance) & (heights < top - tolerance)]
    low_heavy = 0.5 - float(((between - floor) / height).mean()) if len(between) else 0.0
    bonus = max((worth for name, worth in _FILE_AXIS_BONUS.items() if up @ AXES[name] > 0.97), default=0.0)
    return 1.0 * min(share, 0.3) - 2.0 * below + 0.5 * order + 0.2 * wide + 1.0 * low_heavy + bonus


def _refined(surface: Surface, up: np.ndarray) -> np.ndarray:
    """The normal of the plane through the floor's points, where there are enough, near a first guess."""
    for degrees in (15, 8, 5):
        floor, share = _floor(surface, up)
        level = surface.flat & (np.abs(surface.normals @ up) > np.cos(np.radians(degrees)))
        mine = surface.points[level & (np.abs(surface.points @ up - floor) < 2.5 * surface.cell)]
        if share < 0.02 or len(mine) < 50:
            return up
        local = mine - mine.mean(0)
        normal = np.linalg.eigh(local.T @ local)[1][:, 0]
        normal *= np.sign(normal @ up)
        if normal @ up < np.cos(np.radians(20)):
            return up
        up = normal
    return up
