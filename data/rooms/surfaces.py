"""Tables, desks and what lies or stands on them."""

from __future__ import annotations

import math

import numpy as np

from .colors import DARK, METAL, PALE, Rgb, shade
from .shapes import Part, Shape, Surface, Vec, assemble, blob, block, four_legs, post, rod, tilted

Rng = np.random.Generator

# top, legs; the last three are held out of training
_TABLES = (
    ("rect", "four"),
    ("round", "pedestal"),
    ("rect", "panels"),
    ("rect", "trestle"),
    ("square", "four"),
    ("round", "four"),
    ("rect", "steel"),
    ("square", "pedestal"),
    ("rect", "crossed"),
    ("round", "crossed"),
)
TABLE_STYLES = len(_TABLES)
COFFEE_TABLE_SHIFT = 3
"""Coffee table k is made as table k + 3."""


def table_styles(top: str) -> tuple[int, ...]:
    """Styles of tables with a "rect", "square" or "round" top."""
    return tuple(i for i, row in enumerate(_TABLES) if row[0] == top)


def table(style: int, rng: Rng, color: Rgb) -> Shape:
    """Dining and meeting tables."""
    top, legs = _TABLES[style]
    height = rng.uniform(0.71, 0.77)
    width = rng.uniform(1.2, 1.9) if top == "rect" else rng.uniform(0.85, 1.25)
    depth = rng.uniform(0.75, 0.95) if top == "rect" else width
    return _table(top, legs, (width, depth, height), color, rng)


def coffee_table(style: int, rng: Rng, color: Rgb) -> Shape:
    """Low tables."""
    top, legs = _TABLES[(style + COFFEE_TABLE_SHIFT) % TABLE_STYLES]
    height = rng.uniform(0.36, 0.47)
    width = rng.uniform(0.85, 1.2) if top == "rect" else rng.uniform(0.6, 0.85)
    depth = rng.uniform(0.5, 0.62) if top == "rect" else width
    shape = _table(top, legs, (width, depth, height), color, rng)
    if top == "rect" and legs in ("four", "panels"):
        shelf = block((-width / 2 + 0.04, width / 2 - 0.04), (-depth / 2 + 0.04, depth / 2 - 0.04), (0.12, 0.14), color)
        return Shape((*shape.parts, shelf), shape.size, shape.tops)
    return Shape(shape.parts, shape.size, shape.tops)


def _table(top: str, legs: str, size: Vec, color: Rgb, rng: Rng) -> Shape:
    width, depth, height = size
    thick = rng.uniform(0.025, 0.05)
    frame = color if legs in ("four", "panels") else (METAL, DARK, color)[int(rng.integers(3))]
    x, y = (-width / 2, width / 2), (-depth / 2, depth / 2)
    round_top = top == "round"
    inset = width * 0.17 if round_top else 0.05
    parts = [
        post(0, 0, (height - thick, height), width / 2, color)
        if round_top
        else block(x, y, (height - thick, height), color)
    ]
    low = height - thick
    if legs == "pedestal":
        parts += [post(0, 0, (0.02, low), 0.05, frame), post(0, 0, (0, 0.04), width * 0.3, frame, taper=0.8)]
    elif legs == "panels":
        parts += [
            block((s * width / 2 - 0.03 * (s > 0) - 0.0, s * width / 2 + 0.03 * (s < 0)), y, (0, low), frame)
            for s in (-1, 1)
        ]
        parts.append(block(x, (-0.015, 0.015), (low - 0.25, low), frame))
    elif legs in ("trestle", "crossed"):
        spread = depth / 2 - inset - 0.03
        for side in (-1, 1):
            px = side * (width / 2 - inset - 0.08)
            near, far = (spread, -spread) if legs == "crossed" else (0.05, -0.05)
            parts += [
                rod((px, -spread, 0.02), (px, near, low), 0.025, frame),
                rod((px, spread, 0.02), (px, far, low), 0.025, frame),
            ]
        parts.append(
            rod((-width / 2 + inset + 0.08, 0, low * 0.5), (width / 2 - inset - 0.08, 0, low * 0.5), 0.02, frame)
        )
    else:
        parts += four_legs(width, depth, low, 0.02 if legs == "steel" else 0.035, frame, inset=inset)
        if legs == "four" and not round_top:
            parts.append(block((x[0] + 0.05, x[1] - 0.05), (y[0] + 0.05, y[1] - 0.05), (low - 0.07, low), frame))
    reach = 0.65 if round_top else 0.95
    surface = Surface(height, (x[0] * reach, x[1] * reach), (y[0] * reach, y[1] * reach))
    room_under = (
        Surface(low - 0.08, (x[0] * 0.5, x[1] * 0.5), (y[0] * 0.6, y[1] * 0.6)) if legs in ("four", "steel") else None
    )
    return assemble(parts, [surface], room_under)


# support left, support right, modesty panel, shelf above
_DESKS = (
    ("drawers", "legs", True, False),
    ("legs", "legs", False, False),
    ("drawers", "drawers", True, False),
    ("legs", "panel", True, False),
    ("panel", "drawers", False, False),
    ("panel", "panel", True, True),
    ("legs", "drawers", False, True),
    ("drawers", "panel", True, True),
    ("panel", "legs", False, False),
)
DESK_STYLES = len(_DESKS)


def desk(style: int, rng: Rng, color: Rgb) -> Shape:
    """Desks; the user sits at the front (+y)."""
    left, right, modesty, hutch = _DESKS[style]
    width, depth, height = rng.uniform(1.15, 1.65), rng.uniform(0.6, 0.78), rng.uniform(0.72, 0.77)
    x, y = (-width / 2, width / 2), (-depth / 2, depth / 2)
    frame = (color, METAL, DARK)[int(rng.integers(3))]
    parts = [block(x, y, (height - 0.035, height), color)]
    for side, kind in ((-1, left), (1, right)):
        parts += _desk_support(kind, side, width, depth, height - 0.035, color, frame)
    if modesty:
        parts.append(
            block((x[0] + 0.03, x[1] - 0.03), (y[0] + 0.03, y[0] + 0.05), (height * 0.35, height - 0.03), color)
        )
    if hutch:
        rise = rng.uniform(0.35, 0.5)
        back = (y[0], y[0] + 0.22)
        parts += [block((s, s + 0.025), back, (height, height + rise), color) for s in (x[0], x[1] - 0.025)]
        parts.append(block(x, back, (height + rise - 0.025, height + rise), color))
    surface = Surface(height, (x[0] + 0.05, x[1] - 0.05), (y[0] + (0.24 if hutch else 0.04), y[1] - 0.04))
    gap = 0.42
    free = (x[0] + (gap if left == "drawers" else 0.08), x[1] - (gap if right == "drawers" else 0.08))
    return assemble(parts, [surface], Surface(height - 0.06, free, (y[0] + 0.08, y[1] - 0.1)))


def _desk_support(kind: str, side: int, width: float, depth: float, top: float, color: Rgb, frame: Rgb) -> list[Part]:
    edge = side * width / 2
    y = (-depth / 2 + 0.02, depth / 2 - 0.02)
    if kind == "legs":
        return [
            rod((edge - side * 0.04, py, 0), (edge - side * 0.04, py, top), 0.024, frame)
            for py in (y[0] + 0.03, y[1] - 0.03)
        ]
    inner = edge - side * (0.4 if kind == "drawers" else 0.03)
    x = (min(edge, inner), max(edge, inner))
    parts = [block(x, y, (0.0, top), color)]
    if kind == "drawers":
        for k in range(3):
            z = 0.05 + k * (top - 0.06) / 3
            parts.append(
                block(
                    (x[0] + 0.02, x[1] - 0.02),
                    (y[1], y[1] + 0.012),
                    (z, z + (top - 0.06) / 3 - 0.02),
                    shade(color, 1.12),
                )
            )
            parts.append(block((x[0] + 0.13, x[1] - 0.13), (y[1] + 0.01, y[1] + 0.03), (z + 0.12, z + 0.14), METAL))
    return parts


# stand, frame as share of the screen, back
_MONITORS = (
    ("foot", 0.0),
    ("wide", 0.0),
    ("round", 0.0),
    ("foot", 0.05),
    ("arms", 0.0),
    ("box", 0.0),
    ("round", 0.05),
    ("arms", 0.04),
    ("block", 0.0),
)
MONITOR_STYLES = len(_MONITORS)


def monitor(style: int, rng: Rng, color: Rgb) -> Shape:
    """Computer screens; the picture faces +y."""
    stand, rim = _MONITORS[style]
    width = rng.uniform(0.46, 0.64)
    height = width * rng.uniform(0.56, 0.68)
    lift = rng.uniform(0.09, 0.15)
    z = (lift, lift + height)
    screen: Rgb = ((0.05, 0.05, 0.06), (0.10, 0.14, 0.22), (0.03, 0.03, 0.03))[int(rng.integers(3))]
    parts = [block((-width / 2, width / 2), (-0.03, 0.02), z, color)]
    parts.append(
        block(
            (-width / 2 + 0.02 + rim / 2, width / 2 - 0.02 - rim / 2),
            (0.015, 0.025),
            (z[0] + 0.03, z[1] - 0.02),
            screen,
        )
    )
    if stand in ("foot", "wide", "block"):
        half = {"foot": 0.11, "wide": 0.2, "block": 0.07}[stand]
        parts.append(block((-half, half), (-0.1, 0.1), (0, 0.02), color))
    elif stand == "round":
        parts.append(post(0, 0, (0, 0.02), 0.13, color))
    elif stand == "arms":
        parts += [rod((s * 0.2, 0.1, 0.01), (0, -0.05, 0.03), 0.012, color) for s in (-1, 1)]
    if stand == "box":
        parts.append(
            block((-width * 0.36, width * 0.36), (-0.28, -0.02), (lift + 0.02, z[1] - 0.05), shade(color, 0.9))
        )
        parts.append(block((-0.12, 0.12), (-0.22, 0.06), (0, lift + 0.02), color))
    else:
        parts.append(block((-0.03, 0.03), (-0.06, -0.02), (0.0, lift + height * 0.5), shade(color, 0.9)))
    return assemble(parts)


_LAMPS = (
    ("table", "cone"),
    ("floor", "cone"),
    ("table", "drum"),
    ("floor", "drum"),
    ("floor", "tripod"),
    ("table", "globe"),
    ("floor", "globe"),
    ("table", "desk"),
    ("floor", "arc"),
)
LAMP_STYLES = len(_LAMPS)
TABLE_LAMP_STYLES = tuple(i for i, (kind, _) in enumerate(_LAMPS) if kind == "table")


def lamp(style: int, rng: Rng, color: Rgb) -> Shape:
    """Table and floor lamps; the named colour is the shade's."""
    kind, top = _LAMPS[style]
    height = rng.uniform(0.42, 0.6) if kind == "table" else rng.uniform(1.35, 1.7)
    radius = rng.uniform(0.12, 0.17) if kind == "table" else rng.uniform(0.17, 0.24)
    frame = (METAL, DARK, (0.45, 0.3, 0.16))[int(rng.integers(3))]
    drop = radius * 1.5
    parts: list[Part] = []
    if top == "tripod":
        parts += [
            rod((0.28 * math.cos(a), 0.28 * math.sin(a), 0.0), (0, 0, height - drop), 0.016, frame)
            for a in (0.5, 2.6, 4.7)
        ]
        parts.append(post(0, 0, (height - drop, height), radius, color, taper=0.8, open=True))
        return assemble(parts)
    parts.append(post(0, 0, (0, 0.03), radius * 0.75, frame))
    if top == "desk":
        parts += [
            rod((0, 0, 0.02), (0, -0.1, height * 0.6), 0.014, frame),
            rod((0, -0.1, height * 0.6), (0, 0.1, height), 0.014, frame),
        ]
        parts.append(tilted(post(0, 0.16, (height - 0.1, height), 0.1, color, taper=0.5), 0.4))
        return assemble(parts)
    if top == "arc":
        parts += [
            rod((0, 0, 0.02), (0.05, 0, height), 0.016, frame),
            rod((0.05, 0, height), (0.5, 0, height + 0.05), 0.016, frame),
        ]
        parts.append(post(0.5, 0, (height - 0.15, height + 0.03), 0.17, color, taper=0.4))
        return assemble(parts)
    parts.append(post(0, 0, (0.02, height - drop * 0.6), 0.022 if kind == "floor" else 0.035, frame))
    if top == "globe":
        parts.append(blob((0, 0, height - radius), (2 * radius, 2 * radius, 2 * radius), color))
    else:
        parts.append(
            post(0, 0, (height - drop, height), radius, color, taper=0.55 if top == "cone" else 0.95, open=True)
        )
    return assemble(parts)


_PILLOWS = (
    ("soft", 0.45),
    ("soft", 0.55),
    ("flat", 0.5),
    ("bolster", 0.5),
    ("round", 0.42),
    ("flat", 0.65),
    ("soft", 0.7),
    ("bolster", 0.65),
    ("round", 0.34),
)
PILLOW_STYLES = len(_PILLOWS)


def pillow(style: int, rng: Rng, color: Rgb) -> Shape:
    """Pillows and cushions, lying."""
    kind, width = _PILLOWS[style]
    width *= rng.uniform(0.92, 1.08)
    thick = rng.uniform(0.13, 0.18)
    if kind == "bolster":
        return assemble([rod((-width / 2, 0, 0.1), (width / 2, 0, 0.1), 0.1, color)])
    if kind == "round":
        return assemble([blob((0, 0, thick / 2), (width, width, thick), color)])
    depth = width * rng.uniform(0.66, 0.85)
    parts = [blob((0, 0, thick / 2), (width * 1.12, depth * 1.12, thick), color)]
    if kind == "flat":
        parts = [
            block((-width / 2, width / 2), (-depth / 2, depth / 2), (thick * 0.2, thick * 0.8), color),
            blob((0, 0, thick / 2), (width * 0.95, depth * 0.95, thick), color),
        ]
    return assemble(parts)


_PLANTS = (
    ("bush", "tapered"),
    ("tall", "tapered"),
    ("spiky", "round"),
    ("bush", "square"),
    ("tall", "square"),
    ("tree", "round"),
    ("bush", "round"),
    ("spiky", "square"),
    ("tree", "tapered"),
)
PLANT_STYLES = len(_PLANTS)
TALL_PLANTS = tuple(i for i, row in enumerate(_PLANTS) if row[0] in ("tall", "tree"))


def plant(style: int, rng: Rng, color: Rgb) -> Shape:
    """Potted plants; the named colour is the leaves'."""
    kind, pot = _PLANTS[style]
    clay = ((0.62, 0.32, 0.2), PALE, DARK, (0.5, 0.5, 0.5))[int(rng.integers(4))]
    radius, rim = rng.uniform(0.12, 0.18), rng.uniform(0.22, 0.34)
    if pot == "square":
        parts = [block((-radius, radius), (-radius, radius), (0, rim), clay)]
    else:
        parts = [
            post(
                0,
                0,
                (0, rim),
                radius * (0.75 if pot == "tapered" else 1.0),
                clay,
                taper=1.33 if pot == "tapered" else 1.0,
            )
        ]
    height = rim + {"bush": 0.4, "tall": 0.8, "spiky": 0.4, "tree": 0.95}[kind] * rng.uniform(0.85, 1.2)
    if kind == "spiky":
        for k in range(14):
            a, lean = k * 2.4, rng.uniform(0.05, 0.3)
            tip = (lean * math.cos(a), lean * math.sin(a), height * rng.uniform(0.8, 1.0))
            parts.append(
                rod((0.04 * math.cos(a), 0.04 * math.sin(a), rim), tip, 0.022, shade(color, rng.uniform(0.8, 1.2)))
            )
        return assemble(parts)
    if kind == "tree":
        parts.append(rod((0, 0, rim), (0, 0, height - 0.2), 0.02, (0.36, 0.24, 0.14)))
    low = height - 0.4 if kind == "tree" else rim + 0.08
    for k in range(10):
        a, out = k * 2.4, rng.uniform(0.04, 0.19)
        z = low + (height - low) * (k + 0.5) / 10
        size = rng.uniform(0.14, 0.26)
        parts.append(
            blob(
                (out * math.cos(a), out * math.sin(a), z),
                (size, size, size * 0.8),
                shade(color, rng.uniform(0.75, 1.25)),
            )
        )
    return assemble(parts)
