"""Scans a furnished room as a hand-held depth camera would: views along a path, ray casting, noise, fusion.

Rays meet the solids themselves (:class:`~.shapes.Part`), in float64 and in one thread: the same bytes on every run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .camera_path import path_from_one_place, path_through_room
from .layout import Item, Room
from .sensor import SensorConfig, measured_pixels, with_ceiling
from .shapes import Part, Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ScanConfig:
    """How a room is scanned."""

    n_views: int = 40
    width_px: int = 176
    height_px: int = 132
    field_of_view: float = 1.03
    """Horizontal, in radians."""
    range_m: float = 4.5
    """Depth beyond which nothing is measured, in metres."""
    noise_m: float = 0.0012
    """Standard deviation of depth at 1 m; it grows with the square of depth."""
    spacing_m: float = 0.025
    """Edge of the fusion voxels, each of which gives one vertex an object."""
    max_points: int = 120_000


@dataclass(frozen=True, eq=False)
class RoomScan:
    """Fused vertices: metres, colours 0..1, and the index of the item that each belongs to (-1: floor, walls, ceiling)."""

    points: Floats
    colors: Floats
    items: Ints


@dataclass(frozen=True, eq=False)
class _Parts:
    solid: Ints
    unit_from_room: Floats
    center: Floats
    reach: Floats
    taper: Floats
    color: Floats
    item: Ints


def scan_room(
    room: Room, shell: Shape, rng: np.random.Generator, config: ScanConfig, sensor: SensorConfig | None = None
) -> RoomScan:
    """Scan a room.

    Args:
        shell: Floor, walls and ceiling, in the room's frame.
        sensor: What else is particular about the scan, if anything.
    """
    ceiling = None if sensor is None else sensor.ceiling
    parts = _gather(room, shell if ceiling is None else with_ceiling(shell, room, present=ceiling), rng)
    points, colors, items = [], [], []
    light = np.array([rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), room.height - 0.1])
    path = path_from_one_place if sensor is not None and sensor.from_one_place else path_through_room
    for room_from_camera, center in path(room, rng, config.n_views):
        depth, part, normal = _cast(config, parts, room_from_camera, center)
        hit = np.flatnonzero(part >= 0)
        rays = _pixel_rays(config)[hit] @ room_from_camera.T
        z, n = depth[hit], normal[hit]
        facing = np.abs((rays * n).sum(1)) / np.sqrt((rays**2).sum(1))
        keep = (z < config.range_m * (0.75 + 0.25 * rng.random(len(z)))) & (facing > 0.06 + 0.12 * rng.random(len(z)))
        if sensor is not None:
            keep &= measured_pixels(sensor, (config.width_px, config.height_px), rng)[hit]
        hit, rays, z, n = hit[keep], rays[keep], z[keep], n[keep]
        at = center + rays * z[:, None]
        noisy = z + config.noise_m * (0.5 + 0.5 * z**2) * rng.standard_normal(len(z))
        points.append(center + rays * noisy[:, None])
        colors.append(_lit(parts.color[part[hit]], at, n, light, rng))
        items.append(parts.item[part[hit]])
    return _fuse(np.concatenate(points), np.concatenate(colors), np.concatenate(items), rng, config)


def _gather(room: Room, shell: Shape, rng: np.random.Generator) -> _Parts:
    still = Item("shell", 0, False, None, shell)
    pairs: list[tuple[int, Item, Part]] = [(-1, still, p) for p in shell.parts]
    pairs += [(i, item, p) for i, item in enumerate(room.items) for p in item.shape.parts]
    n = len(pairs)
    unit_from_room, centers, reach = np.empty((n, 3, 3)), np.empty((n, 3)), np.empty((n, 8, 3))
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    for k, (_, item, part) in enumerate(pairs):
        cos, sin = math.cos(item.yaw), math.sin(item.yaw)
        yawed = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        half, stretch = np.array(part.half), item.shape.stretch
        if stretch == (1.0, 1.0, 1.0):
            turn = yawed @ np.array(part.rotation)
            centers[k] = item.at(*part.center)
            unit_from_room[k] = turn.T / half[:, None]
        else:
            turn = yawed @ (np.array(stretch)[:, None] * np.array(part.rotation))
            centers[k] = item.at(*(c * s for c, s in zip(part.center, stretch, strict=True)))
            unit_from_room[k] = np.linalg.inv(turn) / half[:, None]
        wide = max(1.0, part.taper)
        reach[k] = centers[k] + (signs * half * np.array([wide, wide, 1.0])) @ turn.T
    colors = np.array([p.color for _, _, p in pairs]) * rng.uniform(0.95, 1.05, (n, 1))
    return _Parts(
        np.array([int(p.solid) for _, _, p in pairs], np.int64),
        unit_from_room,
        centers,
        reach,
        np.array([p.taper for _, _, p in pairs]),
        colors,
        np.array([i for i, _, _ in pairs], np.int64),
    )


def _pixel_rays(config: ScanConfig) -> Floats:
    """Directions with unit depth in the camera's frame (x right, y down, z forward), row by row."""
    w, h = config.width_px, config.height_px
    step = 2 * math.tan(config.field_of_view / 2) / w
    x = (np.arange(w, dtype=np.float64) + 0.5 - w / 2) * step
    y = (np.arange(h, dtype=np.float64) + 0.5 - h / 2) * step
    return np.stack([np.tile(x, h), np.repeat(y, w), np.ones(w * h)], 1).astype(np.float64)


def _cast(config: ScanConfig, parts: _Parts, room_from_camera: Floats, center: Floats) -> tuple[Floats, Ints, Floats]:
    n = config.width_px * config.height_px
    depth, part, normal = np.full(n, np.inf), np.full(n, -1, np.int64), np.zeros((n, 3))
    step = 2 * math.tan(config.field_of_view / 2) / config.width_px
    unit_from_camera = parts.unit_from_room @ room_from_camera
    origin = np.einsum("pij,pj->pi", parts.unit_from_room, center - parts.center)
    corners = (parts.reach - center) @ room_from_camera
    _nearest_hits(
        config.width_px,
        config.height_px,
        step,
        parts.solid,
        parts.taper,
        unit_from_camera,
        origin,
        corners,
        depth,
        part,
    )
    _normals(
        config.width_px,
        config.height_px,
        step,
        parts.solid,
        parts.taper,
        unit_from_camera,
        parts.unit_from_room,
        origin,
        depth,
        part,
        normal,
    )
    return depth, part, normal


def _lit(color: Floats, at: Floats, normal: Floats, light: Floats, rng: np.random.Generator) -> Floats:
    towards = light - at
    towards /= np.sqrt((towards**2).sum(1, keepdims=True))
    lambert = np.abs((towards * normal).sum(1, keepdims=True))
    exposure = rng.uniform(0.92, 1.06)
    grain = 0.02 * np.sin(at @ np.array([[9.0], [13.0], [7.0]]))
    return np.clip(color * (exposure * (0.62 + 0.38 * lambert) + grain) + rng.normal(0, 0.025, (len(at), 1)), 0, 1)


def _fuse(points: Floats, colors: Floats, items: Ints, rng: np.random.Generator, config: ScanConfig) -> RoomScan:
    """One vertex a voxel and item: the mean of what was measured there."""
    cell = np.floor(points / config.spacing_m).astype(np.int64) + 1024
    key = ((items + 1) << 33) | (cell[:, 2] << 22) | (cell[:, 1] << 11) | cell[:, 0]
    _, group, count = np.unique(key, return_inverse=True, return_counts=True)

    def mean(values: Floats) -> Floats:
        return np.stack([np.bincount(group, values[:, k], len(count)) for k in range(3)], 1) / count[:, None]

    owner = np.zeros(len(count), np.int64)
    owner[group] = items
    fused, shades = mean(points), mean(colors)
    rows = rng.permutation(len(count))[: config.max_points]
    return RoomScan(fused[rows], shades[rows], owner[rows])


@no_type_check
@njit(cache=True)
def _nearest_hits(width, height, step, solid, taper, unit_from_camera, origin, corners, depth, part):
    for p in range(len(solid)):
        u0, u1, v0, v1 = 1e9, -1e9, 1e9, -1e9
        in_front, behind = False, False
        for k in range(8):
            z = corners[p, k, 2]
            if z < 0.05:
                behind = True
                continue
            in_front = True
            u, v = corners[p, k, 0] / z / step + width / 2, corners[p, k, 1] / z / step + height / 2
            u0, u1, v0, v1 = min(u0, u), max(u1, u), min(v0, v), max(v1, v)
        if not in_front:
            continue
        if behind:
            u0, u1, v0, v1 = 0.0, float(width), 0.0, float(height)
        first_u, last_u = max(0, int(u0) - 1), min(width, int(min(u1, width)) + 2)
        first_v, last_v = max(0, int(v0) - 1), min(height, int(min(v1, height)) + 2)
        m = unit_from_camera[p]
        ox, oy, oz = origin[p]
        for v in range(first_v, last_v):
            y = (v + 0.5 - height / 2) * step
            for u in range(first_u, last_u):
                x = (u + 0.5 - width / 2) * step
                dx = m[0, 0] * x + m[0, 1] * y + m[0, 2]
                dy = m[1, 0] * x + m[1, 1] * y + m[1, 2]
                dz = m[2, 0] * x + m[2, 1] * y + m[2, 2]
                t = _hit(solid[p], taper[p], ox, oy, oz, dx, dy, dz)
                if t < depth[v * width + u]:
                    depth[v * width + u] = t
                    part[v * width + u] = p


@no_type_check
@njit(cache=True)
def _hit(solid, taper, ox, oy, oz, dx, dy, dz):
    """Least t > 0.1 at which o + t d meets the unit solid; infinity when it does not."""
    least = 0.1
    if solid == 0:
        near, far = -np.inf, np.inf
        for o, d in ((ox, dx), (oy, dy), (oz, dz)):
            if abs(d) < 1e-12:
                if abs(o) > 1:
                    return np.inf
                continue
            a, b = (-1 - o) / d, (1 - o) / d
            near, far = max(near, min(a, b)), min(far, max(a, b))
        return near if near <= far and near > least else np.inf
    if solid == 2:
        a, b, c = dx * dx + dy * dy + dz * dz, ox * dx + oy * dy + oz * dz, ox * ox + oy * oy + oz * oz - 1
        root = b * b - a * c
        if root < 0:
            return np.inf
        t = (-b - math.sqrt(root)) / a
        return t if t > least else np.inf
    best = np.inf
    m, k = (1 + taper) / 2, (taper - 1) / 2
    a = dx * dx + dy * dy - k * k * dz * dz
    b = ox * dx + oy * dy - k * dz * (m + k * oz)
    c = ox * ox + oy * oy - (m + k * oz) ** 2
    root = b * b - a * c
    if root >= 0 and abs(a) > 1e-12:
        for sign in (-1.0, 1.0):
            t = (-b + sign * math.sqrt(root)) / a
            if t > least and abs(oz + t * dz) <= 1 and m + k * (oz + t * dz) >= 0:
                best = min(best, t)
    if solid == 1 and abs(dz) > 1e-12:
        for lid, radius in ((-1.0, 1.0), (1.0, taper)):
            t = (lid - oz) / dz
            if t > least and (ox + t * dx) ** 2 + (oy + t * dy) ** 2 <= radius * radius:
                best = min(best, t)
    return best


@no_type_check
@njit(cache=True)
def _normals(width, height, step, solid, taper, unit_from_camera, unit_from_room, origin, depth, part, normal):
    for i in range(width * height):
        p = part[i]
        if p < 0:
            continue
        x, y = (i % width + 0.5 - width / 2) * step, (i // width + 0.5 - height / 2) * step
        m, t = unit_from_camera[p], depth[i]
        q0 = origin[p, 0] + t * (m[0, 0] * x + m[0, 1] * y + m[0, 2])
        q1 = origin[p, 1] + t * (m[1, 0] * x + m[1, 1] * y + m[1, 2])
        q2 = origin[p, 2] + t * (m[2, 0] * x + m[2, 1] * y + m[2, 2])
        n0, n1, n2 = q0, q1, q2
        if solid[p] == 0:
            a0, a1, a2 = abs(q0), abs(q1), abs(q2)
            n0 = q0 if a0 >= a1 and a0 >= a2 else 0.0
            n1 = q1 if a1 > a0 and a1 >= a2 else 0.0
            n2 = q2 if a2 > a0 and a2 > a1 else 0.0
        elif solid[p] != 2:
            if solid[p] == 1 and abs(abs(q2) - 1) < 1e-9:
                n0, n1 = 0.0, 0.0
            else:
                k = (taper[p] - 1) / 2
                n2 = -k * ((1 + taper[p]) / 2 + k * q2)
        a = unit_from_room[p]
        w0 = a[0, 0] * n0 + a[1, 0] * n1 + a[2, 0] * n2
        w1 = a[0, 1] * n0 + a[1, 1] * n1 + a[2, 1] * n2
        w2 = a[0, 2] * n0 + a[1, 2] * n1 + a[2, 2] * n2
        length = math.sqrt(w0 * w0 + w1 * w1 + w2 * w2)
        if length > 0:
            normal[i, 0], normal[i, 1], normal[i, 2] = w0 / length, w1 / length, w2 / length
