"""Kitchen and bathroom fixtures, and what is set in or hangs on a wall."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .colors import DARK, METAL, PALE, Rgb, shade
from .shapes import Part, Shape, Solid, Surface, assemble, blob, block, post, rod

Rng = np.random.Generator

# height, split of the doors (0: one door), two doors side by side; the last three are held out of training
_FRIDGES = (
    (1.7, 0.7, False),
    (0.85, 0.0, False),
    (1.75, 0.0, True),
    (1.6, 0.35, False),
    (1.4, 0.0, False),
    (1.8, 0.4, True),
    (1.65, 0.6, True),
    (1.1, 0.65, False),
    (1.85, 0.0, False),
)
FRIDGE_STYLES = len(_FRIDGES)


def refrigerator(style: int, rng: Rng, color: Rgb) -> Shape:
    """Tall and small fridges."""
    height, split, pair = _FRIDGES[style]
    height *= rng.uniform(0.95, 1.05)
    width = rng.uniform(0.8, 0.92) if pair else rng.uniform(0.52, 0.72)
    depth = rng.uniform(0.55, 0.68)
    x, y = (-width / 2, width / 2), (-depth / 2, depth / 2)
    parts = [block(x, y, (0.03, height), shade(color, 0.92)), block(x, (y[0] + 0.03, y[1] - 0.03), (0, 0.04), DARK)]
    edges = [0.05, height * split, height] if split else [0.05, height]
    for low, high in pairwise(edges):
        for side in (-1, 1) if pair else (0,):
            left = x[0] if side <= 0 else 0.0
            right = x[1] if side >= 0 else 0.0
            parts.append(block((left + 0.006, right - 0.006), (y[1], y[1] + 0.05), (low + 0.008, high - 0.008), color))
            hold = right - 0.06 if side <= 0 else left + 0.06
            parts.append(
                rod(
                    (hold, y[1] + 0.08, low + (high - low) * 0.25),
                    (hold, y[1] + 0.08, low + (high - low) * 0.75),
                    0.014,
                    METAL,
                )
            )
    return assemble(parts, [Surface(height, (x[0] + 0.05, x[1] - 0.05), (y[0] + 0.05, y[1] - 0.05))])


# bowl, tank
_TOILETS = (
    ("round", "tall"),
    ("skirt", "tall"),
    ("round", "low"),
    ("wall", "none"),
    ("skirt", "low"),
    ("long", "tall"),
    ("long", "low"),
    ("skirt", "none"),
    ("square", "tall"),
)
TOILET_STYLES = len(_TOILETS)


def toilet(style: int, rng: Rng, color: Rgb) -> Shape:
    """Toilets with their backs at -y."""
    bowl, tank = _TOILETS[style]
    seat, wide = rng.uniform(0.38, 0.43), rng.uniform(0.35, 0.39)
    long = 0.52 if bowl == "long" else 0.45
    parts: list[Part] = []
    if bowl == "square":
        parts += [
            block((-wide / 2, wide / 2), (-0.05, long - 0.02), (seat - 0.16, seat), color),
            block((-0.12, 0.12), (-0.1, 0.25), (0, seat - 0.1), color),
        ]
    elif bowl in ("skirt", "wall"):
        low = 0.0 if bowl == "skirt" else 0.12
        parts += [
            block((-wide / 2 + 0.03, wide / 2 - 0.03), (-0.1, 0.2), (low, seat - 0.02), color),
            blob((0, 0.2, seat - 0.13), (wide, long, 0.26), color),
        ]
    else:
        parts += [
            post(0, 0.12, (0, seat - 0.1), 0.11, color, taper=1.25),
            blob((0, 0.18, seat - 0.11), (wide, long, 0.24), color),
        ]
    parts.append(blob((0, 0.18, seat + 0.005), (wide, long, 0.05), shade(color, 1.05)))
    if tank != "none":
        top = seat + (0.4 if tank == "tall" else 0.26)
        parts += [
            block((-wide / 2 - 0.02, wide / 2 + 0.02), (-0.24, -0.04), (seat - 0.04, top), color),
            block((-wide / 2 - 0.03, wide / 2 + 0.03), (-0.25, -0.03), (top, top + 0.03), color),
        ]
    else:
        parts.append(block((-wide / 2, wide / 2), (-0.16, -0.06), (low if bowl == "wall" else 0.0, seat + 0.02), color))
    return assemble(parts)


# support, basin
_SINKS = (
    ("pedestal", "oval"),
    ("vanity", "oval"),
    ("wall", "square"),
    ("vanity", "square"),
    ("legs", "square"),
    ("pedestal", "square"),
    ("wall", "oval"),
    ("legs", "oval"),
    ("vanity", "bowl"),
)
SINK_STYLES = len(_SINKS)


def sink(style: int, rng: Rng, color: Rgb) -> Shape:
    """Wash basins."""
    support, basin = _SINKS[style]
    width, depth, top = rng.uniform(0.5, 0.72), rng.uniform(0.42, 0.52), rng.uniform(0.8, 0.87)
    x, y = (-width / 2, width / 2), (-depth / 2, depth / 2)
    wood = ((0.4, 0.26, 0.15), (0.75, 0.75, 0.74), (0.25, 0.25, 0.27))[int(rng.integers(3))]
    rim = 0.05
    parts = [
        block(x, (y[0], y[0] + 0.1), (top - 0.14, top), color),
        block(x, (y[1] - rim, y[1]), (top - 0.14, top), color),
        block((x[0], x[0] + rim), y, (top - 0.14, top), color),
        block((x[1] - rim, x[1]), y, (top - 0.14, top), color),
        block(x, y, (top - 0.15, top - 0.12), color),
    ]
    if basin == "oval":
        parts = [
            block(x, y, (top - 0.05, top - 0.02), color),
            post(0, 0.03, (top - 0.16, top), min(width, depth) * 0.42, color, taper=1.1, open=True),
            post(0, 0.03, (top - 0.17, top - 0.01), min(width, depth) * 0.36, shade(color, 0.85)),
        ]
    elif basin == "bowl":
        parts = [
            block(x, y, (top - 0.18, top - 0.14), color),
            post(0, 0.02, (top - 0.14, top), 0.15, color, taper=1.3, open=True),
        ]
    parts += [
        rod((0, y[0] + 0.05, top - 0.02), (0, y[0] + 0.05, top + 0.14), 0.015, METAL),
        rod((0, y[0] + 0.05, top + 0.13), (0, y[0] + 0.2, top + 0.11), 0.013, METAL),
    ]
    if support == "pedestal":
        parts.append(post(0, -0.05, (0, top - 0.1), 0.1, color, taper=1.2))
    elif support == "vanity":
        parts.append(block(x, (y[0], y[1] - 0.02), (0.0, top - 0.14), wood))
        parts += [
            block((s + 0.01, s + width / 2 - 0.01), (y[1] - 0.02, y[1] - 0.005), (0.08, top - 0.17), shade(wood, 1.12))
            for s in (x[0], 0.0)
        ]
    elif support == "legs":
        parts += [
            rod((s * (width / 2 - 0.04), y[1] - 0.05, 0), (s * (width / 2 - 0.04), y[1] - 0.05, top - 0.1), 0.02, METAL)
            for s in (-1, 1)
        ]
    else:
        parts.append(rod((0, y[0] + 0.06, 0.35), (0, 0.0, top - 0.12), 0.025, METAL))
    return assemble(parts)


_TUBS = (
    ("apron", 1.6),
    ("apron", 1.75),
    ("oval", 1.6),
    ("thick", 1.65),
    ("apron", 1.45),
    ("oval", 1.75),
    ("thick", 1.8),
    ("oval", 1.45),
    ("step", 1.6),
)
TUB_STYLES = len(_TUBS)


def bathtub(style: int, rng: Rng, color: Rgb) -> Shape:
    """Bathtubs, long side against the wall."""
    kind, length = _TUBS[style]
    length, width, height = length * rng.uniform(0.96, 1.05), rng.uniform(0.68, 0.8), rng.uniform(0.48, 0.6)
    tap = [rod((length / 2 - 0.12, 0, height - 0.03), (length / 2 - 0.12, 0, height + 0.12), 0.02, METAL)]
    if kind == "oval":
        outer = _oval_side(length, width, height, color, 1.12)
        floor = blob((0, 0, 0.14), (length * 0.9, width * 0.9, 0.14), shade(color, 0.92))
        return assemble([outer, floor, *tap])
    rim = 0.14 if kind == "thick" else 0.07
    x, y = (-length / 2, length / 2), (-width / 2, width / 2)
    parts = [
        block(x, (y[0], y[0] + rim), (0, height), color),
        block(x, (y[1] - rim, y[1]), (0, height), color),
        block((x[0], x[0] + rim), y, (0, height), color),
        block((x[1] - rim, x[1]), y, (0, height), color),
        block(x, y, (0.0, 0.14), shade(color, 0.95)),
    ]
    if kind == "step":
        parts.append(block((x[0] + 0.3, x[1] - 0.3), (y[1], y[1] + 0.22), (0, height * 0.45), shade(color, 0.85)))
    return assemble(parts + tap)


def _oval_side(length: float, width: float, height: float, color: Rgb, taper: float) -> Part:
    """The side of an oval tub."""
    return Part(Solid.TUBE, (0, 0, height / 2), (length / 2 / taper, width / 2 / taper, height / 2), color, taper=taper)


def door(rng: Rng, color: Rgb) -> Shape:
    """A closed door in its frame, its face at +y."""
    width, height = rng.uniform(0.8, 0.98), rng.uniform(1.98, 2.1)
    frame = PALE if rng.random() < 0.5 else shade(color, 0.8)
    x = (-width / 2, width / 2)
    parts = [block(x, (-0.05, 0.03), (0, height), color)]
    parts += [block((s - 0.04, s + 0.04), (-0.06, 0.06), (0, height + 0.04), frame) for s in (x[0] - 0.04, x[1] + 0.04)]
    parts += [block((x[0] - 0.08, x[1] + 0.08), (-0.06, 0.06), (height, height + 0.08), frame)]
    parts.append(rod((x[1] - 0.08, 0.03, 1.0), (x[1] - 0.08, 0.09, 1.0), 0.02, METAL))
    parts.append(rod((x[1] - 0.08, 0.08, 1.0), (x[1] - 0.2, 0.08, 1.0), 0.013, METAL))
    return assemble(parts)


def window(rng: Rng, color: Rgb) -> Shape:
    """A window with frame, sill and bright panes, its face at +y."""
    width, height = rng.uniform(0.9, 1.8), rng.uniform(0.9, 1.3)
    x = (-width / 2, width / 2)
    pane = (0.72, 0.82, 0.92)
    parts = [
        block(x, (-0.05, 0.0), (0.04, height), pane),
        block((x[0] - 0.06, x[1] + 0.06), (-0.05, 0.14), (0, 0.05), color),
        block(x, (-0.05, 0.06), (height, height + 0.06), color),
    ]
    bars = np.linspace(x[0], x[1], 3 if width < 1.3 else 4).tolist()
    parts += [block((s - 0.03, s + 0.03), (-0.05, 0.05), (0.04, height + 0.04), color) for s in bars]
    return assemble(parts)


def picture(rng: Rng, color: Rgb) -> Shape:
    """A framed picture, its face at +y; the named colour is the frame's."""
    width, height = rng.uniform(0.4, 0.9), rng.uniform(0.4, 0.75)
    inner = tuple(rng.uniform(0.2, 0.9, 3).tolist())
    x, rim = (-width / 2, width / 2), 0.05
    parts = [
        block((x[0] + rim, x[1] - rim), (0, 0.03), (rim, height - rim), inner),  # type: ignore[arg-type]
        block(x, (0, 0.05), (0, rim), color),
        block(x, (0, 0.05), (height - rim, height), color),
        block((x[0], x[0] + rim), (0, 0.05), (0, height), color),
        block((x[1] - rim, x[1]), (0, 0.05), (0, height), color),
    ]
    return assemble(parts)
