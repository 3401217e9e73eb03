"""Office chairs: a star with casters, a gas column, a padded seat, and backs of several makes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .colors import DARK, METAL, Rgb, shade
from .shapes import Part, blob, block, post, rod, tilted

Rng = np.random.Generator


@dataclass(frozen=True)
class OfficeChair:
    """A make of office chair."""

    back: Literal["panel", "curved", "mesh", "executive", "bucket", "split"]
    arms: Literal["", "t", "loop"]
    head_rest: bool = False
    padded: bool = True


def office_chair(make: OfficeChair, rng: Rng, color: Rgb) -> list[Part]:
    """The parts of an office chair; its seat is at 0.42 to 0.54 m, its front at +y."""
    seat = float(rng.uniform(0.42, 0.54))
    width, depth = float(rng.uniform(0.44, 0.54)), float(rng.uniform(0.42, 0.5))
    frame = (DARK, DARK, METAL, (0.24, 0.24, 0.26))[int(rng.integers(4))]
    parts = _star(seat, rng, frame)
    parts += _seat(make, width, depth, seat, color)
    tall = {"panel": 0.42, "curved": 0.48, "mesh": 0.56, "executive": 0.72, "bucket": 0.36, "split": 0.6}[make.back]
    tall *= float(rng.uniform(0.92, 1.08))
    parts += _back(make.back, width, depth, seat, tall, color, frame)
    if make.head_rest:
        z, y = seat + tall + 0.16, -depth / 2 - 0.06
        parts += [
            tilted(blob((0, y, z), (0.3, 0.1, 0.16), color), 0.12),
            rod((0, y - 0.02, seat + tall), (0, y - 0.02, z), 0.018, frame),
        ]
    for side in (-1, 1) if make.arms else ():
        parts += _arm(make.arms, side, width, depth, seat, frame)
    return parts


def _star(seat: float, rng: Rng, color: Rgb) -> list[Part]:
    radius, start = rng.uniform(0.28, 0.33), rng.uniform(0, 2 * math.pi)
    parts = [
        post(0, 0, (0.07, seat * 0.62), 0.032, shade(color, 0.8)),
        post(0, 0, (seat * 0.6, seat - 0.07), 0.018, METAL),
        post(0, 0, (0.06, 0.13), 0.05, color, taper=0.7),
        block((-0.09, 0.09), (-0.12, 0.1), (seat - 0.1, seat - 0.06), DARK),
    ]
    for k in range(5):
        angle = start + k * 2 * math.pi / 5
        x, y = radius * math.cos(angle), radius * math.sin(angle)
        parts += [rod((0, 0, 0.11), (x, y, 0.075), 0.022, color), blob((x, y, 0.032), (0.06, 0.06, 0.064), DARK)]
    return parts


def _seat(make: OfficeChair, width: float, depth: float, seat: float, color: Rgb) -> list[Part]:
    if make.back == "bucket":
        return [
            post(0, 0, (seat - 0.07, seat - 0.01), width / 2, color),
            blob((0, 0, seat - 0.02), (width, width, 0.06), color),
        ]
    x, y = width / 2, depth / 2
    parts = [
        block((-x, x), (-y + 0.04, y - 0.05), (seat - 0.07, seat - 0.01), color),
        block((-x + 0.05, x - 0.05), (-y, y), (seat - 0.07, seat - 0.01), color),
    ]
    parts += [post(sx * (x - 0.06), y - 0.06, (seat - 0.07, seat - 0.01), 0.06, color) for sx in (-1, 1)]
    if make.padded:
        parts.append(blob((0, 0, seat - 0.015), (width * 1.05, depth * 1.05, 0.07), color))
    return parts


def _back(kind: str, width: float, depth: float, seat: float, tall: float, color: Rgb, frame: Rgb) -> list[Part]:
    rear, low = -depth / 2 - 0.02, seat + (0.02 if kind in ("executive", "bucket") else 0.13)
    high = max(seat + tall, low + 0.25)
    joint = [rod((0, rear + 0.14, seat - 0.07), (0, rear - 0.02, low + 0.06), 0.025, DARK)]
    middle = (low + high) / 2
    if kind == "panel":
        panel = block((-width * 0.42, width * 0.42), (rear - 0.03, rear + 0.03), (low, high), color)
        cushion = blob((0, rear + 0.02, middle), (width * 0.86, 0.09, (high - low) * 1.02), color)
        return [*joint, tilted(panel, 0.1), tilted(cushion, 0.1)]
    if kind == "mesh":
        net = shade(color, 1.15)
        parts = [_leaning(p, 0.12) for p in _arc(width * 0.46, rear, (low, high), 0.012, net)]
        edge = [(-width * 0.46, rear + 0.08), (width * 0.46, rear + 0.08)]
        parts += [rod((x, y, low), (x * 0.92, y - 0.09, high), 0.017, frame) for x, y in edge]
        parts += [
            block((-width * 0.44, width * 0.44), (rear - 0.075, rear - 0.02), (high - 0.03, high + 0.01), frame),
            block((-width * 0.44, width * 0.44), (rear + 0.01, rear + 0.05), (low - 0.01, low + 0.03), frame),
        ]
        return [*joint, *parts]
    if kind == "executive":
        parts = [tilted(block((-width / 2, width / 2), (rear - 0.03, rear + 0.04), (low, high), color), 0.12)]
        rows = np.linspace(low + 0.12, high - 0.1, 3).tolist()
        for z in rows:
            y = rear + 0.03 - (z - middle) * 0.12
            parts.append(tilted(blob((0, y, z), (width * 0.96, 0.13, (high - low) / 3), shade(color, 1.06)), 0.12))
        return parts
    if kind == "bucket":
        return [_leaning(p, 0.08) for p in _arc(width * 0.55, rear + 0.03, (low, high), 0.025, color, bend=1.1)]
    if kind == "split":
        edge = middle - 0.02
        lower = blob((0, rear, (low + edge) / 2), (width * 0.78, 0.1, edge - low + 0.02), color)
        upper = blob((0, rear - 0.04, (edge + high) / 2 + 0.02), (width * 0.92, 0.1, high - edge), color)
        return [
            *joint,
            tilted(lower, 0.1),
            tilted(upper, 0.1),
            rod((0, rear - 0.06, low), (0, rear - 0.1, high), 0.022, DARK),
        ]
    return [*joint, *(_leaning(p, 0.1) for p in _arc(width * 0.5, rear, (low, high), 0.03, color, bend=0.55))]


def _arc(half: float, rear: float, z: tuple[float, float], thick: float, color: Rgb, bend: float = 0.4) -> list[Part]:
    """Upright slabs along an arc that opens to the front."""
    radius = half / math.sin(bend)
    parts = []
    for k in range(5):
        angle = bend * (k - 2) / 2.5
        x, y = radius * math.sin(angle), rear + radius * (1 - math.cos(angle))
        slab = block((x - half * 0.23, x + half * 0.23), (y - thick, y + thick), z, color)
        parts.append(_yawed(slab, angle))
    return parts


def _yawed(part: Part, angle: float) -> Part:
    cos, sin = math.cos(angle), math.sin(angle)
    return replace(part, rotation=((cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0)))


def _leaning(part: Part, lean: float) -> Part:
    """A part that is turned about z already, leaning backwards too."""
    cos, sin = math.cos(lean), math.sin(lean)
    lean_back = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    rows = (lean_back @ np.array(part.rotation)).tolist()
    return replace(part, rotation=(tuple(rows[0]), tuple(rows[1]), tuple(rows[2])))


def _arm(kind: str, side: int, width: float, depth: float, seat: float, frame: Rgb) -> list[Part]:
    x, top = side * (width / 2 + 0.05), seat + 0.21
    if kind == "t":
        return [
            rod((side * (width / 2 - 0.06), 0, seat - 0.07), (x, 0, seat - 0.03), 0.018, frame),
            rod((x, 0, seat - 0.04), (x, 0, top), 0.02, frame),
            block((x - 0.04, x + 0.04), (-0.11, 0.13), (top, top + 0.035), DARK),
        ]
    corners = [(x, depth / 2 - 0.16, seat - 0.05), (x, depth / 2 - 0.1, top), (x, -depth / 2 + 0.02, top + 0.02)]
    ends = [*corners[1:], (x * 0.9, -depth / 2 - 0.03, seat + 0.12)]
    return [rod(a, b, 0.02, frame) for a, b in zip(corners, ends, strict=True)]
