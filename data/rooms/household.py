"""Curtains, white boards, ottomans, benches and suitcases."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .colors import DARK, METAL, Rgb, shade
from .shapes import Part, Shape, Surface, assemble, blob, block, four_legs, post, rod

Rng = np.random.Generator

# folds a metre, length from the rod down, two panels, rod seen
_CURTAINS = (
    (7, 2.1, False, False),
    (9, 2.2, True, True),
    (6, 1.5, True, False),
    (8, 1.4, False, True),
    (11, 2.25, False, False),
    (5, 1.9, True, True),
    (10, 2.05, True, False),
    (6, 2.3, False, True),
    (12, 1.3, False, False),
)
CURTAIN_STYLES = len(_CURTAINS)
SHORT_CURTAINS = tuple(i for i, row in enumerate(_CURTAINS) if row[1] < 1.7)


def curtain(style: int, rng: Rng, color: Rgb) -> Shape:
    """Curtains in folds, 9 to 15 cm deep, their face at +y; panels with a gap between them, or one."""
    folds, length, pair, has_rod = _CURTAINS[style]
    width, length = rng.uniform(0.55, 1.1) * (1.4 if pair else 1.0), length * rng.uniform(0.94, 1.03)
    deep = rng.uniform(0.09, 0.14)
    spans = ((-width / 2, -width * 0.12), (width * 0.12, width / 2)) if pair else ((-width / 2, width / 2),)
    parts: list[Part] = []
    for start, end in spans:
        n = max(3, round(folds * (end - start)))
        radius = (end - start) / n * 0.62
        for k in range(n):
            x = start + (k + 0.5) * (end - start) / n
            y = (deep / 2 - min(radius, deep * 0.3)) * (1 if k % 2 else -1)
            fold = post(x, y, (0.0, length), min(radius, deep * 0.3), shade(color, 1.0 if k % 2 else 0.88))
            parts.append(fold)
        parts.append(block((start, end), (-0.015, 0.015), (0.0, length), shade(color, 0.94)))
    if has_rod:
        ends = ((-width / 2 - 0.08, 0.0, length), (width / 2 + 0.08, 0.0, length))
        parts += [rod(*ends, 0.015, METAL), *(blob(e, (0.06, 0.06, 0.06), METAL) for e in ends)]
    return assemble(parts)


# frame, tray, ratio of height to width, on legs
_WHITEBOARDS = (
    ("metal", True, 0.66, False),
    ("metal", False, 0.75, False),
    ("dark", True, 0.6, False),
    ("wood", True, 0.7, False),
    ("none", True, 0.55, False),
    ("metal", True, 0.7, True),
    ("dark", False, 0.8, False),
    ("none", False, 0.62, False),
    ("wood", True, 0.6, True),
)
WHITEBOARD_STYLES = len(_WHITEBOARDS)
WHITEBOARDS_ON_LEGS = tuple(i for i, row in enumerate(_WHITEBOARDS) if row[3])


def whiteboard(style: int, rng: Rng, color: Rgb) -> Shape:
    """White boards with a frame, their face at +y: on the wall, or on a stand with casters."""
    frame, tray, ratio, on_legs = _WHITEBOARDS[style]
    width = rng.uniform(1.0, 1.5) if on_legs else rng.uniform(1.0, 2.2)
    height = min(width * ratio, 1.25)
    rim_color = {"metal": METAL, "dark": DARK, "wood": (0.55, 0.38, 0.22), "none": shade(color, 0.93)}[frame]
    low = 0.75 if on_legs else 0.0
    x, z, rim = (-width / 2, width / 2), (low, low + height), 0.03
    parts = [
        block(x, (-0.025, 0.02), z, color),
        block(x, (-0.03, 0.03), (z[0], z[0] + rim), rim_color),
        block(x, (-0.03, 0.03), (z[1] - rim, z[1]), rim_color),
        block((x[0], x[0] + rim), (-0.03, 0.03), z, rim_color),
        block((x[1] - rim, x[1]), (-0.03, 0.03), z, rim_color),
    ]
    for _ in range(int(rng.integers(0, 6))):
        at, up = rng.uniform(x[0] + 0.1, x[1] - 0.4), rng.uniform(z[0] + 0.1, z[1] - 0.1)
        ink: Rgb = ((0.1, 0.1, 0.12), (0.1, 0.2, 0.6), (0.65, 0.1, 0.1))[int(rng.integers(3))]
        parts.append(block((at, at + rng.uniform(0.12, 0.3)), (0.02, 0.022), (up, up + 0.012), ink))
    if tray:
        parts.append(block((x[0] * 0.7, x[1] * 0.7), (0.03, 0.09), (z[0] + 0.0, z[0] + 0.02), rim_color))
    if on_legs:
        for side in (-1, 1):
            at = side * (width / 2 + 0.02)
            parts += [
                rod((at, 0, 0.06), (at, 0, z[1]), 0.02, rim_color),
                rod((at, -0.27, 0.06), (at, 0.27, 0.06), 0.022, rim_color),
                *(blob((at, end, 0.03), (0.06, 0.06, 0.06), DARK) for end in (-0.26, 0.26)),
            ]
    return assemble(parts)


# plan, sides, feet
_OTTOMANS = (
    ("round", "plain", False),
    ("square", "plain", True),
    ("square", "plain", False),
    ("round", "soft", False),
    ("long", "plain", True),
    ("square", "soft", True),
    ("round", "plain", True),
    ("long", "soft", False),
    ("square", "trim", False),
)
OTTOMAN_STYLES = len(_OTTOMANS)


def ottoman_styles(plan: str) -> tuple[int, ...]:
    """Styles of ottomans with a "round", "square" or "long" plan."""
    return tuple(i for i, row in enumerate(_OTTOMANS) if row[0] == plan)


def ottoman(style: int, rng: Rng, color: Rgb) -> Shape:
    """Padded low seats without a back."""
    plan, sides, feet = _OTTOMANS[style]
    wide, height = rng.uniform(0.42, 0.62), rng.uniform(0.36, 0.46)
    low = 0.09 if feet else 0.0
    if plan == "round":
        if sides == "soft":
            parts = [blob((0, 0, height / 2), (wide * 1.15, wide * 1.15, height), color)]
        else:
            parts = [
                post(0, 0, (low, height - 0.09), wide / 2, shade(color, 0.9)),
                post(0, 0, (height - 0.09, height - 0.02), wide / 2 + 0.01, color),
                blob((0, 0, height - 0.04), (wide, wide, 0.08), color),
            ]
        corners = wide * 0.62
        parts += four_legs(corners, corners, low + 0.02, 0.022, DARK, inset=0.0) if feet else []
        return assemble(parts)
    across = wide * (rng.uniform(1.4, 1.8) if plan == "long" else 1.0)
    x, y = (-across / 2, across / 2), (-wide / 2, wide / 2)
    body = (0.42, 0.27, 0.15) if sides == "trim" else shade(color, 0.9)
    parts = [block(x, y, (low, height - 0.1), body)]
    cushion = block((x[0] - 0.01, x[1] + 0.01), (y[0] - 0.01, y[1] + 0.01), (height - 0.1, height - 0.02), color)
    parts += [cushion]
    if sides == "soft":
        parts.append(blob((0, 0, height - 0.04), (across * 1.05, wide * 1.05, 0.12), color))
    parts += four_legs(across, wide, low + 0.02, 0.022, DARK, inset=0.05) if feet else []
    return assemble(parts)


# seat, legs, back
_BENCHES = (
    ("plank", "four", False),
    ("padded", "four", False),
    ("plank", "panels", False),
    ("slats", "sled", False),
    ("padded", "chest", False),
    ("slats", "four", True),
    ("padded", "sled", False),
    ("plank", "crossed", False),
    ("padded", "panels", True),
)
BENCH_STYLES = len(_BENCHES)


def bench(style: int, rng: Rng, color: Rgb) -> Shape:
    """Seats for two or three, most without a back; the named colour is the seat's."""
    seat, legs, back = _BENCHES[style]
    width, depth, height = rng.uniform(0.95, 1.6), rng.uniform(0.32, 0.44), rng.uniform(0.42, 0.5)
    frame = color if legs in ("panels", "chest") else (color, METAL, DARK)[int(rng.integers(3))]
    x, y = (-width / 2, width / 2), (-depth / 2, depth / 2)
    low = height - (0.1 if seat == "padded" else 0.04)
    if seat == "slats":
        edges = np.linspace(y[0], y[1], 6).tolist()
        parts = [block(x, (a, b - 0.012), (low, height), color) for a, b in pairwise(edges)]
    else:
        parts = [block(x, y, (low, height), color)]
    if legs == "chest":
        parts.append(block((x[0] + 0.01, x[1] - 0.01), (y[0] + 0.01, y[1] - 0.01), (0, low), shade(color, 0.75)))
    elif legs == "panels":
        parts += [block((s, s + 0.04), y, (0, low), frame) for s in (x[0], x[1] - 0.04)]
    elif legs == "four":
        parts += four_legs(width, depth, low, 0.026, frame, inset=0.05)
    else:
        for side in (-1, 1):
            at, reach = side * (width / 2 - 0.12), depth / 2 - 0.04
            turn = -1 if legs == "crossed" else 1
            parts += [rod((at, s * reach, 0.02), (at, turn * s * reach, low), 0.022, frame) for s in (-1, 1)]
            parts.append(rod((at, -reach, 0.022), (at, reach, 0.022), 0.022, frame))
    if back:
        rise = rng.uniform(0.3, 0.42)
        parts += [block((s, s + 0.04), (y[0], y[0] + 0.04), (low, height + rise), frame) for s in (x[0], x[1] - 0.04)]
        parts += [
            block(x, (y[0], y[0] + 0.03), (height + rise - d, height + rise - d + 0.1), color) for d in (0.1, 0.25)
        ]
    return assemble(parts, [Surface(height, (x[0] + 0.05, x[1] - 0.05), (y[0] + 0.03, y[1] - 0.03))])


# shell, width, height, handle out, standing
_SUITCASES = (
    ("hard", 0.44, 0.66, True, True),
    ("soft", 0.42, 0.6, True, True),
    ("hard", 0.36, 0.5, False, True),
    ("soft", 0.48, 0.72, False, True),
    ("hard", 0.48, 0.7, False, False),
    ("old", 0.6, 0.42, False, True),
    ("soft", 0.36, 0.52, True, True),
    ("hard", 0.5, 0.74, True, True),
    ("old", 0.68, 0.46, False, False),
)
SUITCASE_STYLES = len(_SUITCASES)


def suitcase(style: int, rng: Rng, color: Rgb) -> Shape:
    """Suitcases, standing or lying; most on casters."""
    shell, width, height, pulled, standing = _SUITCASES[style]
    scale = rng.uniform(0.92, 1.08)
    width, height, deep = width * scale, height * scale, rng.uniform(0.2, 0.29)
    dark = shade(color, 0.7)
    if not standing:
        x, y = (-width / 2, width / 2), (-height / 2, height / 2)
        parts = [
            block(x, y, (0, deep), color),
            block((x[0] - 0.006, x[1] + 0.006), (y[0] - 0.006, y[1] + 0.006), (deep * 0.47, deep * 0.53), dark),
            block((-0.09, 0.09), (y[1], y[1] + 0.035), (deep * 0.4, deep * 0.5), DARK),
        ]
        return assemble(parts)
    foot = 0.0 if shell == "old" else 0.055
    x, y, z = (-width / 2, width / 2), (-deep / 2, deep / 2), (foot, foot + height)
    parts = [block(x, y, z, color), block((x[0] - 0.005, x[1] + 0.005), (-0.008, 0.008), (z[0], z[1] + 0.005), dark)]
    if shell == "hard":
        parts += [
            block((s - 0.012, s + 0.012), (y[0] - 0.006, y[1] + 0.006), (z[0] + 0.04, z[1] - 0.04), dark)
            for s in np.linspace(x[0] + 0.07, x[1] - 0.07, 4).tolist()
        ]
    elif shell == "soft":
        parts.append(block((x[0] + 0.04, x[1] - 0.04), (y[1], y[1] + 0.04), (z[0] + 0.04, z[0] + height * 0.55), dark))
    else:
        parts += [
            block((s - 0.02, s + 0.02), (y[0] - 0.005, y[1] + 0.005), z, (0.3, 0.18, 0.1))
            for s in (x[0] + 0.1, x[1] - 0.1)
        ]
    if foot:
        parts += [
            blob((sx * (width / 2 - 0.05), sy * (deep / 2 - 0.04), 0.03), (0.06, 0.06, 0.06), DARK)
            for sx in (-1, 1)
            for sy in (-1, 1)
        ]
    reach = z[1] + (rng.uniform(0.25, 0.38) if pulled else 0.04)
    parts += [rod((s * 0.09, y[0] + 0.04, z[1] - 0.02), (s * 0.09, y[0] + 0.04, reach), 0.012, METAL) for s in (-1, 1)]
    parts.append(rod((-0.1, y[0] + 0.04, reach), (0.1, y[0] + 0.04, reach), 0.016, DARK))
    return assemble(parts)
