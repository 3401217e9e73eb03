"""A table with things on it, in a furnished corner of a room: a scene for cameras in front of it."""

from __future__ import annotations

import math
from dataclasses import replace

from ..rooms.catalog import KINDS
from ..rooms.colors import PALETTE
from ..rooms.shapes import Shape
from ..rooms.shapes import Solid as FurnitureSolid
from . import things
from .composition import Composition, Rng, material, paper, wood
from .lighting import Light
from .solids import Kind, Material, Number, Pattern, Rgb, Solid, Vec, box, placed

TOP = 0.74
"""Height of the table's top (m)."""
_HALF = (0.62, 0.40)
"""Half sizes of the table's top."""
_KINDS = {
    FurnitureSolid.BOX: Kind.BOX,
    FurnitureSolid.CYLINDER: Kind.CONE,
    FurnitureSolid.ELLIPSOID: Kind.ELLIPSOID,
    FurnitureSolid.TUBE: Kind.TUBE,
}


def compose(rng: Rng) -> Composition:
    """Six to nine things that do not touch, a cloth and a newspaper, and a wall with furniture and pictures behind."""
    solids = [*_room(rng), *_table(rng), *_laid(rng)]
    light = Light((float(rng.uniform(-0.9, 0.9)), float(rng.uniform(-1.2, -0.7)), 1.5), corner_size=0.16)
    return Composition(tuple(solids), light, (0.0, 0.02, TOP + 0.08), 0.75, 1.15, -math.pi / 2, 0.3)


def _table(rng: Rng) -> list[Solid]:
    look = wood(rng, 0.11)
    (w, d), legs = _HALF, wood(rng, 0.06)
    solids = [
        box((-w, w), (-d, d), (TOP - 0.035, TOP), look),
        box((-w + 0.05, w - 0.05), (-d + 0.05, d - 0.05), (TOP - 0.12, TOP - 0.035), legs),
    ]
    for x in (-w + 0.06, w - 0.06):
        feet = ((y - 0.03, y + 0.03) for y in (-d + 0.06, d - 0.06))
        solids += [box((x - 0.03, x + 0.03), foot, (0, TOP - 0.035), legs) for foot in feet]
    cloth = material(rng, (Pattern.TARTAN, Pattern.CHECKER, Pattern.MOSAIC), 0.035, grain_size=0.02)
    runner = box((-0.3, 0.3), (-d - 0.002, d + 0.002), (TOP - 0.002, TOP + 0.002), cloth)
    sheet = box((-0.15, 0.15), (-0.11, 0.11), (0, 0.0025), paper(rng, 0.011))
    at = (float(rng.uniform(-0.42, 0.42)), float(rng.uniform(-0.26, -0.16)), TOP + 0.002)
    return [*solids, runner, *placed((sheet,), at, float(rng.uniform(-0.5, 0.5)))]


def _laid(rng: Rng) -> list[Solid]:
    """Things at places that are far enough from each other, the tall ones behind."""
    chosen = [things.ALL[i] for i in rng.permutation(len(things.ALL))[: int(rng.integers(6, 10))]]
    built = [make(rng) for make in chosen]
    solids: list[Solid] = []
    taken: list[tuple[float, float, float]] = []
    for group in sorted(built, key=_height, reverse=True):
        reach = _reach(group)
        for _ in range(200):
            x = float(rng.uniform(-_HALF[0] + reach, _HALF[0] - reach))
            depth = float(rng.uniform(-0.05, 1)) if _height(group) > 0.15 else float(rng.uniform(-1, 0.6))
            y = depth * max(0.0, _HALF[1] - reach)
            if all(math.hypot(x - u, y - v) > 0.97 * (reach + r) for u, v, r in taken):
                taken.append((x, y, reach))
                solids += placed(group, (x, y, TOP + 0.0045), float(rng.uniform(-0.6, 0.6)))
                break
    return solids


def _height(group: tuple[Solid, ...]) -> float:
    return max(float(solid.bounds()[1][2]) for solid in group)


def _reach(group: tuple[Solid, ...]) -> float:
    """Radius of the circle around the axis that the lower part of a thing needs; leaves may hang over others."""
    corners = [solid.bounds() for solid in group if solid.kind != Kind.LEAF]
    return max(float(max(-low[0], high[0], -low[1], high[1])) for low, high in corners) + 0.01


def _room(rng: Rng) -> list[Solid]:
    x, y, z = (-2.1, 2.1), (-2.9, 1.35), (0.0, 2.6)
    paper_look = material(
        rng,
        (Pattern.STRIPES, Pattern.DOTS, Pattern.TARTAN, Pattern.MOSAIC),
        0.1,
        colors=_pale(rng),
        grain_size=0.12,
        speckles=0.1,
    )
    ceiling = material(
        rng, Pattern.CLOUDY, 0.3, colors=((0.92, 0.9, 0.86), (0.86, 0.84, 0.8), (0.8, 0.8, 0.78)), speckles=0.2
    )
    walls = [
        box((x[0] - 0.1, x[1] + 0.1), (y[0] - 0.1, y[1] + 0.1), (-0.1, 0), wood(rng, 0.14)),
        box((x[0] - 0.1, x[1] + 0.1), (y[0] - 0.1, y[1] + 0.1), (z[1], z[1] + 0.1), ceiling),
        box((x[0], x[1]), (y[1], y[1] + 0.1), z, paper_look),
        box((x[0], x[1]), (y[0] - 0.1, y[0]), z, replace(paper_look, seed=paper_look.seed + 1)),
        box((x[0] - 0.1, x[0]), y, z, replace(paper_look, seed=paper_look.seed + 2)),
        box((x[1], x[1] + 0.1), y, z, replace(paper_look, seed=paper_look.seed + 3)),
    ]
    shell = [replace(solid, is_shell=True) for solid in walls]
    shell.append(box((x[0], x[1]), (y[1] - 0.015, y[1]), (0, 0.09), wood(rng, 0.05)))
    side = 1 if rng.random() < 0.5 else -1
    shelf = KINDS["bookshelf"].build(int(rng.integers(2)), rng, _color(rng, "brown", "beige", "white"))
    shell += furnished(shelf, (side * 0.75, y[1] - 0.2, 0), math.pi, rng)
    lamp = KINDS["lamp"].build(int(rng.integers(3)), rng, _color(rng, "red", "yellow", "blue"))
    shell += furnished(lamp, (-side * 1.55, y[1] - 0.35, 0), 0.3, rng)
    chair = KINDS["chair"].build(int(rng.integers(3)), rng, _color(rng, "red", "blue", "green", "yellow"))
    shell += furnished(chair, (-side * 0.35, 0.72, 0), math.pi + float(rng.uniform(-0.4, 0.4)), rng)
    shell += _pictures(rng, -side, y[1])
    return [replace(solid, is_backdrop=True) for solid in shell]


def _pictures(rng: Rng, side: int, wall: Number) -> list[Solid]:
    solids = []
    for k in range(3):
        w, h = float(rng.uniform(0.13, 0.26)), float(rng.uniform(0.13, 0.24))
        x, z = side * (0.15 + 0.55 * k) + 0.05, 1.38 + float(rng.uniform(-0.15, 0.15))
        art = material(rng, (Pattern.PAINTING, Pattern.MARBLE, Pattern.GLYPHS, Pattern.MOSAIC), 0.05, grain_size=0.05)
        solids += [
            box((x - w, x + w), (wall - 0.03, wall), (z - h, z + h), wood(rng, 0.03)),
            box((x - w + 0.03, x + w - 0.03), (wall - 0.032, wall), (z - h + 0.03, z + h - 0.03), art),
        ]
    return solids


def furnished(shape: Shape, at: Vec, yaw: Number, rng: Rng) -> tuple[Solid, ...]:
    """Furniture of generated rooms (:mod:`trisparse.data.rooms`) with textures instead of plain colours."""
    solids = []
    for part in shape.parts:
        red, green, blue = (float(v) for v in part.color)
        half = (float(part.half[0]), float(part.half[1]), float(part.half[2]))
        center = (float(part.center[0]), float(part.center[1]), float(part.center[2]))
        rows = [(float(a), float(b), float(c)) for a, b, c in part.rotation]
        look = _look(rng, (red, green, blue), max(half))
        solid = Solid(_KINDS[part.solid], center, half, look, (rows[0], rows[1], rows[2]), float(part.taper))
        solids.append(solid)
    return placed(solids, at, yaw)


def _look(rng: Rng, color: Rgb, size: Number) -> Material:
    darker, lighter = _times(color, 0.6), _times(color, 1.5)
    if size > 0.3:
        return material(rng, Pattern.WOOD, 0.12, colors=(color, darker, _times(color, 0.3)), grain_size=0.05)
    patterns = (Pattern.STRIPES, Pattern.GLYPHS, Pattern.CLOUDY, Pattern.DOTS, Pattern.CHECKER)
    return material(rng, patterns, 0.02, colors=(color, lighter, darker), grain_size=0.03)


def _times(color: Rgb, factor: Number) -> Rgb:
    red, green, blue = (min(1.0, factor * v + 0.03) for v in color)
    return (red, green, blue)


def _pale(rng: Rng) -> tuple[Rgb, Rgb, Rgb]:
    tint = rng.uniform(0.62, 0.86, 3).tolist()
    base = (tint[0], tint[1], tint[2])
    return (base, _times(base, 0.78), _times(base, 1.12))


def _color(rng: Rng, *names: str) -> Rgb:
    shades = PALETTE[names[int(rng.integers(len(names)))]]
    red, green, blue = shades[int(rng.integers(len(shades)))]
    return (float(red), float(green), float(blue))
