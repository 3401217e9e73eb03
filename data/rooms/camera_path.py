"""Where a camera stands in a room and where it looks: around the whole room, or from one place as one depth image does."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .layout import Room

Floats = NDArray[np.float64]
Pose = tuple[Floats, Floats]
"""Rotation from the camera's frame (x right, y down, z forward) to the room's, and centre."""


def path_through_room(room: Room, rng: np.random.Generator, n_views: int) -> list[Pose]:
    """Camera poses: standing places inside the room, from each of which it looks around; rotation and centre."""
    tall = [r for r in (item.rect() for item in room.items) if r[5] > 0.95]
    places: list[Floats] = []
    for margin in (0.35, 0.15, 0.0):
        for _ in range(400):
            if len(places) >= 10:
                break
            at = np.array(
                [
                    rng.uniform(-0.5, 0.5) * (room.width - 0.9),
                    rng.uniform(-0.5, 0.5) * (room.depth - 0.9),
                    rng.uniform(1.3, 1.75),
                ]
            )
            blocked = any(r[0] - margin < at[0] < r[1] + margin and r[2] - margin < at[1] < r[3] + margin for r in tall)
            if not blocked:
                places.append(at)
    if not places:
        places.append(np.array([0.0, 0.0, room.height - 0.3]))
    start = rng.uniform(0, 2 * math.pi)
    order = rng.permutation(len(room.items))
    poses = []
    for k in range(n_views):
        center = places[k % len(places)] + rng.normal(0, 0.05, 3)
        yaw = start + k * 2.399963 + rng.normal(0, 0.2)
        pitch = rng.uniform(-0.75, -0.1)
        if k % 2 and len(order):  # every second view is aimed at a thing, as people aim their camera
            low_x, high_x, low_y, high_y, low_z, high_z = room.items[int(order[k // 2 % len(order)])].rect()
            aim = np.array([(low_x + high_x) / 2, (low_y + high_y) / 2, (low_z + high_z) / 2])
            away = [abs(math.sqrt(float(((p - aim) ** 2).sum())) - 2.0) for p in places]
            center = places[int(np.argmin(away))] + rng.normal(0, 0.12, 3)
            step = aim - center
            yaw = math.atan2(step[1], step[0]) + rng.normal(0, 0.08)
            pitch = math.atan2(step[2], math.hypot(step[0], step[1])) + rng.normal(0, 0.05)
        poses.append((_look(yaw, pitch), center))
    return poses


def _look(yaw: float, pitch: float) -> Floats:
    forward = np.array([math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), math.sin(pitch)])
    right = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
    return np.stack([right, np.cross(forward, right), forward], 1)


def path_from_one_place(room: Room, rng: np.random.Generator, n_views: int) -> list[Pose]:
    """Camera poses side by side from one place, of some 24 the one from which most things can be in the middle view."""
    aims = np.array([item.at(0, 0, item.shape.size[2] / 2) for item in room.items], np.float64).reshape(-1, 3)
    tall = [r for r in (item.rect() for item in room.items) if r[5] > 0.95]
    best, most = (np.array([0.0, 0.0, 1.5]), rng.uniform(0, 2 * math.pi)), -1
    for _ in range(24):
        x, y = rng.uniform(-0.5, 0.5, 2) * (max(room.width - 0.6, 0.2), max(room.depth - 0.6, 0.2))
        at = np.array([x, y, rng.uniform(0.9, 1.7)])
        yaw = math.atan2(-y, -x) + rng.normal(0, 0.6)
        if any(r[0] - 0.2 < x < r[1] + 0.2 and r[2] - 0.2 < y < r[3] + 0.2 for r in tall):
            continue
        step = aims - at
        off = np.abs((np.arctan2(step[:, 1], step[:, 0]) - yaw + math.pi) % (2 * math.pi) - math.pi)
        away = np.sqrt((step**2).sum(1))
        seen = int(((off < 0.4) & (away > 0.9) & (away < 4.0)).sum())
        if seen > most:
            best, most = (at, yaw), seen
    at, yaw = best
    poses = []
    for k in range(n_views):
        turn = ((k + 1) // 2) * (-1 if k % 2 else 1) * 0.5
        poses.append((_look(yaw + turn, rng.uniform(-0.5, -0.15)), at + rng.normal(0, 0.03, 3)))
    return poses
