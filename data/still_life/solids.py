"""Still lifes are built of a few solids with a material each, so that rays meet them exactly and nothing needs a mesh."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

Number = float | int
Rgb = tuple[Number, Number, Number]
"""Red, green, blue in 0..1, as screens show them (sRGB)."""
Vec = tuple[Number, Number, Number]
Span = tuple[Number, Number]
"""From, to."""
Rows = tuple[Vec, Vec, Vec]
"""The rows of a matrix 3 x 3."""

UPRIGHT: Rows = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Kind(IntEnum):
    """What a solid is, in its own frame, where its half sizes are 1."""

    BOX = 0
    ELLIPSOID = 1
    CONE = 2
    """A closed frustum along z; ``Solid.shape`` is the radius at the top by that at the bottom: 1 a cylinder, 0 a cone."""
    TUBE = 3
    """The side of such a frustum without its lids, seen from both sides."""
    TORUS = 4
    """A ring around z; ``Solid.shape`` is the tube's radius by the ring's. All half sizes are the ring's radius."""
    LEAF = 5
    """A piece of the plane z = 0 between two pointed arcs along y, seen from both sides."""


class Pattern(IntEnum):
    """How a surface's three colours are laid out."""

    CLOUDY = 0
    CHECKER = 1
    STRIPES = 2
    BRICKS = 3
    WOOD = 4
    GLYPHS = 5
    """Lines of blocks that look like letters from afar."""
    DOTS = 6
    MARBLE = 7
    MOSAIC = 8
    TARTAN = 9
    PAINTING = 10
    VEINS = 11
    SKY = 12
    """Gives light of its own, and is neither lit nor shaded."""


@dataclass(frozen=True)
class Material:
    """What a surface looks like."""

    pattern: Pattern
    colors: tuple[Rgb, Rgb, Rgb]
    scale: Number
    """Size of the pattern's elements in metres."""
    grain: Number = 0.3
    """Strength of the noise over the pattern: brightness varies by about this share."""
    grain_size: Number = 0.04
    """Wavelength of the noise's coarsest of three octaves, in metres."""
    speckles: Number = 0.0
    """Share of the grain's cells that hold a speckle."""
    gloss: Number = 0.0
    """Share of the sun's light that is mirrored in a highlight; 0 is matte."""
    seed: int = 0


@dataclass(frozen=True)
class Solid:
    """One solid. ``rotation`` takes its own axes to the scene's; ``half`` are half sizes along its own axes (m)."""

    kind: Kind
    center: Vec
    half: Vec
    material: Material
    rotation: Rows = UPRIGHT
    shape: Number = 1.0
    is_backdrop: bool = False
    """Absent where the background is white."""
    is_shell: bool = False
    """Floor, walls, sky: encloses the scene and throws no shadow, so that the sun shines into rooms."""

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and greatest corner of a box along the axes around it."""
        wide = {Kind.CONE: max(1.0, self.shape), Kind.TUBE: max(1.0, self.shape), Kind.TORUS: 1 + self.shape}
        flat = {Kind.LEAF: 0.0, Kind.TORUS: self.shape}
        unit = np.array([wide.get(self.kind, 1.0), wide.get(self.kind, 1.0), flat.get(self.kind, 1.0)])
        reach = np.array(self.rotation) * (np.array(self.half) * unit)
        extent = np.sqrt((reach**2).sum(1)) if self.kind == Kind.ELLIPSOID else np.abs(reach).sum(1)
        return np.array(self.center) - extent, np.array(self.center) + extent


def box(x: Span, y: Span, z: Span, material: Material) -> Solid:
    """A box between two corners."""
    spans = (x, y, z)
    low, high = (v[0] for v in spans), (v[1] for v in spans)
    pairs = list(zip(low, high, strict=True))
    return Solid(
        Kind.BOX,
        _vec(np.array([(a + b) / 2 for a, b in pairs])),
        _vec(np.array([(b - a) / 2 for a, b in pairs])),
        material,
    )


def ball(center: Vec, radius: Number | Vec, material: Material) -> Solid:
    """A ball, or an ellipsoid of three radii."""
    half = radius if isinstance(radius, tuple) else (radius, radius, radius)
    return Solid(Kind.ELLIPSOID, center, half, material)


def post(
    center: Vec, radius: Number, height: Number, material: Material, *, top: Number = 1.0, open: bool = False
) -> Solid:
    """An upright cylinder or cone on the middle of its foot; ``top`` is its upper radius by its lower one."""
    x, y, z = center
    kind = Kind.TUBE if open else Kind.CONE
    return Solid(kind, (x, y, z + height / 2), (radius, radius, height / 2), material, shape=top)


def ring(center: Vec, radius: Number, tube: Number, material: Material, rotation: Rows = UPRIGHT) -> Solid:
    """A torus; both radii in metres."""
    return Solid(Kind.TORUS, center, (radius, radius, radius), material, rotation, tube / radius)


def rod(start: Vec, end: Vec, radius: Number, material: Material, *, top: Number = 1.0) -> Solid:
    """A round bar from one point to another."""
    a, b = np.array(start), np.array(end)
    middle, length = (a + b) / 2, math.sqrt(float(((b - a) ** 2).sum()))
    half = (radius, radius, length / 2)
    return Solid(Kind.CONE, _vec(middle), half, material, _along((b - a) / length), top)


def leaf(foot: Vec, tip: Vec, width: Number, roll: Number, material: Material) -> Solid:
    """A leaf from its foot to its tip, as level as that line lets it be; ``roll`` turns it about the line (radians)."""
    a, b = np.array(foot, np.float64), np.array(tip, np.float64)
    length = math.sqrt(float(((b - a) ** 2).sum()))
    along = (b - a) / length
    level = np.cross(along, np.array([0.0, 0.0, 1.0]) if abs(along[2]) < 0.999 else np.array([1.0, 0.0, 0.0]))
    level /= math.sqrt(float((level**2).sum()))
    across = level * math.cos(roll) + np.cross(along, level) * math.sin(roll)
    frame = np.stack([across, along, np.cross(across, along)], 1)
    return Solid(Kind.LEAF, _vec((a + b) / 2), (width / 2, length / 2, 1.0), material, _rows(frame))


def placed(solids: Iterable[Solid], at: Vec, yaw: Number = 0.0, scale: Number = 1.0) -> tuple[Solid, ...]:
    """Solids scaled about the origin, turned about the vertical axis and moved. Their patterns keep their size."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return tuple(
        replace(
            solid,
            center=_vec(turn @ np.array(solid.center) * scale + np.array(at)),
            half=_vec(np.array(solid.half) * scale),
            rotation=_rows(turn @ np.array(solid.rotation)),
        )
        for solid in solids
    )


def turned(solid: Solid, axis: int, angle: Number) -> Solid:
    """A solid turned about one of its own axes through its centre."""
    cos, sin = math.cos(angle), math.sin(angle)
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = cos
    turn[first, second], turn[second, first] = -sin, sin
    return replace(solid, rotation=_rows(np.array(solid.rotation) @ turn))


def _along(axis: np.ndarray) -> Rows:
    """A frame whose z axis is a given unit vector."""
    other = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    side = np.cross(other, axis)
    side /= math.sqrt(float((side**2).sum()))
    return _rows(np.stack([side, np.cross(axis, side), axis], 1))


def _vec(values: np.ndarray) -> Vec:
    x, y, z = values.tolist()
    return (x, y, z)


def _rows(matrix: np.ndarray) -> Rows:
    return (_vec(matrix[0]), _vec(matrix[1]), _vec(matrix[2]))
