"""Kitchen counters, washing machines, television sets, laptops and microwave ovens."""

from __future__ import annotations

import math

import numpy as np

from .colors import DARK, METAL, PALE, Rgb, shade
from .shapes import Shape, Surface, assemble, block, rod, tilted

Rng = np.random.Generator

# doors, drawers, basin, splash board, overhang at the front; the last three are held out of training
_COUNTERS = (
    (3, 0, False, False, 0.02),
    (4, 0, True, False, 0.02),
    (2, 2, False, True, 0.03),
    (0, 6, False, False, 0.02),
    (3, 0, False, False, 0.22),
    (3, 3, True, True, 0.02),
    (5, 0, False, True, 0.03),
    (2, 0, True, True, 0.04),
    (0, 4, False, False, 0.2),
)
COUNTER_STYLES = len(_COUNTERS)


def counter(style: int, rng: Rng, color: Rgb) -> Shape:
    """Kitchen counters, the working top at 0.86 to 0.95 m; the named colour is the fronts'."""
    doors, drawers, basin, splash, overhang = _COUNTERS[style]
    width, depth, height = rng.uniform(1.25, 2.3), rng.uniform(0.56, 0.64), rng.uniform(0.86, 0.95)
    x, y = (-width / 2, width / 2), (-depth / 2, depth / 2)
    top = ((0.3, 0.3, 0.32), PALE, (0.5, 0.36, 0.22), (0.62, 0.6, 0.57))[int(rng.integers(4))]
    handle = (METAL, DARK)[int(rng.integers(2))]
    parts = [
        block(x, y, (0.1, height - 0.04), color),
        block(x, (y[0], y[1] - 0.06), (0, 0.1), DARK),
        block((x[0] - 0.01, x[1] + 0.01), (y[0], y[1] + overhang), (height - 0.04, height), top),
    ]
    n = max(doors, drawers // 2 if not doors else 0)
    step = width / n
    split = height - 0.22 if doors and drawers else height - 0.06
    for k in range(n):
        left = x[0] + k * step
        faces = [(0.12, split)] if doors else [(0.12, 0.48), (0.49, split)]
        faces += [(split + 0.01, height - 0.05)] if doors and drawers else []
        for low, high in faces:
            parts.append(
                block((left + 0.006, left + step - 0.006), (y[1], y[1] + 0.015), (low, high), shade(color, 1.08))
            )
            hold = (left + step * 0.35, left + step * 0.65)
            parts.append(block(hold, (y[1] + 0.015, y[1] + 0.035), (high - 0.05, high - 0.03), handle))
    if splash:
        parts.append(block(x, (y[0] - 0.02, y[0]), (height - 0.04, height + rng.uniform(0.08, 0.4)), shade(top, 1.1)))
    free = (x[0] + 0.04, x[1] - 0.04)
    if basin:
        at = x[0] + width * 0.25
        free = (at + 0.3, free[1])
        parts += [
            block((at - 0.25, at + 0.25), (y[0] + 0.1, y[1] - 0.07), (height, height + 0.006), METAL),
            block((at - 0.2, at + 0.2), (y[0] + 0.14, y[1] - 0.11), (height, height + 0.009), shade(METAL, 0.6)),
            rod((at, y[0] + 0.07, height), (at, y[0] + 0.07, height + 0.25), 0.016, METAL),
            rod((at, y[0] + 0.07, height + 0.25), (at, y[0] + 0.22, height + 0.22), 0.014, METAL),
        ]
    return assemble(parts, [Surface(height, free, (y[0] + 0.04, y[1] - 0.03))])


# loading, panel, radius of the door
_WASHERS = (
    ("front", "top", 0.17),
    ("front", "top", 0.2),
    ("top", "back", 0.0),
    ("front", "dark", 0.19),
    ("top", "low", 0.0),
    ("front", "plinth", 0.18),
    ("front", "square", 0.17),
    ("top", "tall", 0.0),
    ("front", "tall", 0.22),
)
WASHER_STYLES = len(_WASHERS)


def washing_machine(style: int, rng: Rng, color: Rgb) -> Shape:
    """Washing machines loaded from the front (a round door) or from above (a lid, a panel at the back)."""
    loading, panel, radius = _WASHERS[style]
    width, depth = rng.uniform(0.56, 0.68), rng.uniform(0.52, 0.66)
    height = rng.uniform(0.82, 0.9) + (0.08 if panel == "tall" else 0.0)
    lift = rng.uniform(0.15, 0.3) if panel == "plinth" else 0.0
    x, y, top = (-width / 2, width / 2), (-depth / 2, depth / 2), lift + height
    parts = [block(x, y, (0.0, top), color)]
    dark = DARK if panel == "dark" else shade(color, 0.7)
    if loading == "front":
        middle = (0.0, y[1], lift + height * 0.46)
        out = (0.0, y[1] + 0.04, middle[2])
        parts += [rod(middle, out, radius + 0.03, METAL), rod(middle, (0, out[1] + 0.015, out[2]), radius * 0.8, DARK)]
        if panel == "square":
            parts.append(block((-0.25, 0.25), (y[1], y[1] + 0.02), (middle[2] - 0.24, middle[2] + 0.24), dark))
        parts.append(block((x[0] + 0.02, x[1] - 0.02), (y[1], y[1] + 0.012), (top - 0.13, top - 0.02), dark))
        knob = (x[1] - 0.14, y[1], top - 0.075)
        parts.append(rod(knob, (knob[0], y[1] + 0.035, knob[2]), 0.03, METAL))
        if lift:
            parts.append(
                block((x[0] + 0.02, x[1] - 0.02), (y[1], y[1] + 0.01), (0.02, lift - 0.02), shade(color, 0.85))
            )
        return assemble(parts, [Surface(top, (x[0] + 0.04, x[1] - 0.04), (y[0] + 0.04, y[1] - 0.04))])
    rise = {"back": 0.14, "low": 0.08, "tall": 0.2}[panel]
    parts += [
        block((x[0] + 0.05, x[1] - 0.05), (y[0] + 0.16, y[1] - 0.03), (top, top + 0.02), shade(color, 0.86)),
        block(x, (y[0], y[0] + 0.12), (top, top + rise), shade(color, 0.95)),
        block((x[0] + 0.05, x[1] - 0.05), (y[0] + 0.12, y[0] + 0.13), (top + 0.02, top + rise - 0.02), DARK),
    ]
    return assemble(parts)


# stand, depth
_TVS = (
    ("feet", 0.05),
    ("plate", 0.06),
    ("wall", 0.07),
    ("box", 0.4),
    ("neck", 0.06),
    ("wall", 0.1),
    ("bar", 0.06),
    ("wall", 0.085),
    ("box", 0.32),
)
TV_STYLES = len(_TVS)
TVS_ON_WALL = tuple(i for i, row in enumerate(_TVS) if row[0] == "wall")
TUBE_TVS = tuple(i for i, row in enumerate(_TVS) if row[0] == "box")


def tv(style: int, rng: Rng, color: Rgb) -> Shape:
    """Television sets, flat or with a tube; the picture faces +y. Those for the wall have no stand."""
    stand, depth = _TVS[style]
    width = rng.uniform(0.55, 0.75) if stand == "box" else rng.uniform(0.8, 1.35)
    height = width * (0.8 if stand == "box" else rng.uniform(0.56, 0.6))
    lift = {"wall": 0.0, "box": 0.0, "neck": 0.14}.get(stand, 0.07)
    x, z = (-width / 2, width / 2), (lift, lift + height)
    screen: Rgb = ((0.05, 0.05, 0.06), (0.03, 0.03, 0.03), (0.09, 0.11, 0.15))[int(rng.integers(3))]
    rim = 0.05 if stand == "box" else 0.015
    parts = [
        block(x, (-0.03, 0.02), z, color),
        block((x[0] + rim, x[1] - rim), (0.02, 0.026), (z[0] + rim + 0.02, z[1] - rim), screen),
    ]
    if stand == "box":
        parts.append(block((x[0] * 0.75, x[1] * 0.75), (-depth, -0.02), (z[0] + 0.03, z[1] - 0.1), shade(color, 0.85)))
    elif stand == "wall":
        parts.append(block((-0.2, 0.2), (-depth + 0.02, -0.02), (height * 0.3, height * 0.7), DARK))
    elif stand == "feet":
        parts += [
            rod((s * width * 0.36, end, 0.012), (s * width * 0.36, 0, lift + 0.02), 0.012, color)
            for s in (-1, 1)
            for end in (-0.12, 0.12)
        ]
    else:
        half = {"plate": 0.24, "neck": 0.17, "bar": width * 0.38}[stand]
        parts += [
            block((-half, half), (-0.13, 0.11), (0, 0.02), color),
            block((-0.05, 0.05), (-0.04, 0.0), (0, lift + 0.06), color),
        ]
    return assemble(parts)


# angle of the lid, keys dark, thick
_LAPTOPS = (
    (0.25, True, 0.018),
    (0.1, True, 0.022),
    (0.4, False, 0.018),
    (0.3, True, 0.03),
    (0.05, False, 0.02),
    (0.45, True, 0.024),
    (0.2, False, 0.03),
    (0.35, True, 0.02),
    (0.15, False, 0.026),
)
LAPTOP_STYLES = len(_LAPTOPS)


def laptop(style: int, rng: Rng, color: Rgb) -> Shape:
    """Open laptops, the screen facing +y."""
    lean, dark_keys, thick = _LAPTOPS[style]
    width = rng.uniform(0.31, 0.4)
    depth = width * rng.uniform(0.66, 0.72)
    x, y = (-width / 2, width / 2), (-depth / 2, depth / 2)
    keys = DARK if dark_keys else shade(color, 0.75)
    tall = depth * 0.95
    hinge = y[0] - tall / 2 * math.sin(lean)
    lid = tilted(block(x, (hinge - 0.006, hinge + 0.006), (thick, thick + tall * math.cos(lean)), color), lean)
    glow: Rgb = ((0.06, 0.06, 0.07), (0.16, 0.24, 0.4), (0.75, 0.78, 0.8))[int(rng.integers(3))]
    face = tilted(
        block(
            (x[0] + 0.012, x[1] - 0.012),
            (hinge, hinge + 0.009),
            (thick + 0.02, thick + tall * math.cos(lean) - 0.015),
            glow,
        ),
        lean,
    )
    return assemble(
        [
            block(x, y, (0, thick), color),
            block((x[0] + 0.02, x[1] - 0.02), (y[0] + 0.03, 0.02), (thick, thick + 0.003), keys),
            lid,
            face,
        ]
    )


# handle, window dark, panel below
_MICROWAVES = (
    ("bar", True, False),
    ("none", True, False),
    ("bar", True, True),
    ("knobs", True, False),
    ("knobs", False, False),
    ("none", False, False),
    ("bar", False, False),
    ("knobs", True, True),
    ("none", True, True),
)
MICROWAVE_STYLES = len(_MICROWAVES)


def microwave(style: int, rng: Rng, color: Rgb) -> Shape:
    """Microwave ovens, the door at +y."""
    handle, dark_window, below = _MICROWAVES[style]
    width, depth, height = rng.uniform(0.44, 0.54), rng.uniform(0.32, 0.4), rng.uniform(0.26, 0.32)
    x, y = (-width / 2, width / 2), (-depth / 2, depth / 2)
    split = x[1] - 0.03 if below else x[1] - width * 0.24
    low = 0.08 if below else 0.02
    glass = DARK if dark_window else shade(color, 0.6)
    parts = [
        block(x, y, (0.0, height), color),
        block((x[0] + 0.03, split - 0.02), (y[1], y[1] + 0.01), (low + 0.02, height - 0.04), glass),
    ]
    if handle == "bar":
        parts.append(
            rod((split - 0.01, y[1] + 0.03, low + 0.03), (split - 0.01, y[1] + 0.03, height - 0.04), 0.012, METAL)
        )
    if handle == "knobs":
        spots = (
            ((-0.1, 0.045), (0.1, 0.045))
            if below
            else ((split + width * 0.12, height * 0.7), (split + width * 0.12, height * 0.35))
        )
        parts += [rod((px, y[1], pz), (px, y[1] + 0.025, pz), 0.022, METAL) for px, pz in spots]
    elif not below:
        parts.append(
            block((split + 0.015, x[1] - 0.02), (y[1], y[1] + 0.008), (height * 0.3, height * 0.85), shade(DARK, 2.0))
        )
    return assemble(parts)
