"""Furniture is built of a few solids: boxes, (tapered) cylinders, open tubes and ellipsoids.

A shape stands in its own frame, in metres: x to its side, y to its front, z up, the middle of its footprint at the origin
and its lowest point at z = 0. Solids keep ray casting short and exact, and need no mesh.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .colors import Rgb

Number = float | int
Vec = tuple[Number, Number, Number]
Span = tuple[Number, Number]
"""From, to."""


class Solid(IntEnum):
    """What a part is, inside its half extents."""

    BOX = 0
    CYLINDER = 1
    """Closed, along local z; ``taper`` makes it a frustum."""
    ELLIPSOID = 2
    TUBE = 3
    """The side of a cylinder without its lids, seen from both sides."""


@dataclass(frozen=True)
class Part:
    """One solid of one colour. ``rotation`` (rows of a 3x3 matrix) takes local axes to the shape's.

    ``taper`` is top radius over bottom radius, for cylinders and tubes (half extents are those at the bottom).
    """

    solid: Solid
    center: Vec
    half: Vec
    color: Rgb
    rotation: tuple[Vec, Vec, Vec] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    taper: Number = 1.0

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least and greatest corner of the axis-aligned box around it."""
        wide = max(1.0, self.taper) if self.solid in (Solid.CYLINDER, Solid.TUBE) else 1.0
        reach = np.array(self.rotation) * (np.array(self.half) * np.array([wide, wide, 1.0]))
        extent = np.sqrt((reach**2).sum(1)) if self.solid == Solid.ELLIPSOID else np.abs(reach).sum(1)
        return np.array(self.center) - extent, np.array(self.center) + extent


@dataclass(frozen=True)
class Surface:
    """A level rectangle, in the shape's frame, on which things can stand or under which they fit."""

    z: Number
    x: Span
    y: Span


@dataclass(frozen=True)
class Shape:
    """Parts, full size, surfaces to put things on, and the room under it (``None``: closed).

    ``stretch`` is what the parts are multiplied by along x, y and z; size and surfaces are meant after it.
    """

    parts: tuple[Part, ...]
    size: Vec
    tops: tuple[Surface, ...] = ()
    under: Surface | None = None
    stretch: Vec = (1.0, 1.0, 1.0)


def assemble(parts: Sequence[Part], tops: Sequence[Surface] = (), under: Surface | None = None) -> Shape:
    """Parts made one shape, moved so that its footprint's middle is the origin and its lowest point at z = 0."""
    bounds = [p.bounds() for p in parts]
    low = np.min([b[0] for b in bounds], 0)
    high = np.max([b[1] for b in bounds], 0)
    x, y, z = float(-(low[0] + high[0]) / 2), float(-(low[1] + high[1]) / 2), float(-low[2])
    moved = tuple(replace(p, center=(p.center[0] + x, p.center[1] + y, p.center[2] + z)) for p in parts)

    def shifted(s: Surface) -> Surface:
        return Surface(s.z + z, (s.x[0] + x, s.x[1] + x), (s.y[0] + y, s.y[1] + y))

    width, depth, height = (high - low).tolist()
    return Shape(moved, (width, depth, height), tuple(map(shifted, tops)), shifted(under) if under else None)


def block(x: Span, y: Span, z: Span, color: Rgb) -> Part:
    """A box between two corners."""
    center = ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2)
    return Part(Solid.BOX, center, ((x[1] - x[0]) / 2, (y[1] - y[0]) / 2, (z[1] - z[0]) / 2), color)


def tilted(part: Part, angle: Number) -> Part:
    """A part turned about its own side axis; a positive angle leans its top backwards."""
    cos, sin = math.cos(angle), math.sin(angle)
    return replace(part, rotation=((1.0, 0.0, 0.0), (0.0, cos, -sin), (0.0, sin, cos)))


def post(x: Number, y: Number, z: Span, radius: Number, color: Rgb, *, taper: Number = 1.0, open: bool = False) -> Part:
    """An upright cylinder; ``open`` leaves only its side."""
    half = (radius, radius, (z[1] - z[0]) / 2)
    return Part(Solid.TUBE if open else Solid.CYLINDER, (x, y, (z[0] + z[1]) / 2), half, color, taper=taper)


def blob(center: Vec, size: Vec, color: Rgb) -> Part:
    """An ellipsoid of a given full size."""
    return Part(Solid.ELLIPSOID, center, (size[0] / 2, size[1] / 2, size[2] / 2), color)


def rod(start: Vec, end: Vec, radius: Number, color: Rgb) -> Part:
    """A round bar from one point to another."""
    a, b = np.array(start), np.array(end)
    length = math.sqrt(float(((b - a) ** 2).sum()))
    axis = (b - a) / length
    other = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    side = np.cross(other, axis)
    side /= math.sqrt(float((side**2).sum()))
    rows = np.stack([side, np.cross(axis, side), axis], 1).tolist()
    middle = ((a + b) / 2).tolist()
    return Part(
        Solid.CYLINDER,
        (middle[0], middle[1], middle[2]),
        (radius, radius, length / 2),
        color,
        (
            (rows[0][0], rows[0][1], rows[0][2]),
            (rows[1][0], rows[1][1], rows[1][2]),
            (rows[2][0], rows[2][1], rows[2][2]),
        ),
    )


def four_legs(
    width: Number,
    depth: Number,
    height: Number,
    thick: Number,
    color: Rgb,
    *,
    inset: Number = 0.03,
    splay: Number = 0.0,
) -> list[Part]:
    """Legs at the corners of a footprint; ``splay`` moves their feet outwards."""
    legs = []
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y = sx * (width / 2 - inset), sy * (depth / 2 - inset)
            legs.append(rod((x + sx * splay, y + sy * splay, 0.0), (x, y, height), thick, color))
    return legs
