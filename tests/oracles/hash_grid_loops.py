"""Hash-grid encoding point by point and corner by corner, as tiny-cuda-nn defines it; slow."""

from __future__ import annotations

import math

import numpy as np


def grid_shape(levels: int, log2_entries: int, base: int, growth: float) -> list[tuple[float, int, int]]:
    """Scale, resolution and entries of each level; scales are computed in float32."""
    shapes = []
    for level in range(levels):
        exponent = np.float32(level) * np.float32(math.log2(np.float32(growth)))
        scale = np.float32(2.0 ** float(exponent)) * np.float32(base) - np.float32(1)
        resolution = math.ceil(scale) + 1
        entries = min((resolution**3 + 7) // 8 * 8, 2**log2_entries)
        shapes.append((float(scale), resolution, entries))
    return shapes


def entry(corner: tuple[int, int, int], resolution: int, entries: int) -> int:
    """Row of a vertex in its level's table; all numbers have 32 bits."""
    x, y, z = (value % 2**32 for value in corner)
    stride, index = 1, 0
    for value in (x, y, z):
        if stride > entries:
            break
        index = (index + value * stride) % 2**32
        stride *= resolution
    if entries < stride:
        index = (x ^ (y * 2654435761 % 2**32)) ^ (z * 805459861 % 2**32)
    return index % entries


def encode(points: np.ndarray, table: np.ndarray, shapes: list[tuple[float, int, int]]) -> np.ndarray:
    """Features (s, levels x features) of points in the unit cube, given all levels' entries (t, features)."""
    found = np.zeros((len(points), len(shapes), table.shape[1]))
    for s, point in enumerate(points):
        offset = 0
        for level, (scale, resolution, entries) in enumerate(shapes):
            position = point * scale + 0.5
            cell = np.floor(position)
            part = position - cell
            for corner in np.ndindex(2, 2, 2):
                weight = np.prod([p if c else 1 - p for p, c in zip(part, corner, strict=True)])
                x, y, z = (int(c) + up for c, up in zip(cell, corner, strict=True))
                found[s, level] += weight * table[offset + entry((x, y, z), resolution, entries)]
            offset += entries
    return found.reshape(len(points), -1)
