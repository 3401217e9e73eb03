"""Things to sit and lie on."""

from __future__ import annotations

import math

import numpy as np

from .colors import DARK, METAL, PALE, Rgb, shade
from .office_chairs import OfficeChair, office_chair
from .shapes import Part, Shape, Surface, assemble, blob, block, four_legs, post, rod, tilted

Rng = np.random.Generator

# legs, back, arms, or a make of office chair; the last three are held out of training
_CHAIRS: tuple[tuple[str, str, bool] | OfficeChair, ...] = (
    ("four", "solid", False),
    ("four", "slats", False),
    OfficeChair("panel", "t"),
    OfficeChair("curved", ""),
    ("sled", "solid", False),
    ("four", "ladder", False),
    ("splayed", "shell", False),
    OfficeChair("mesh", "t"),
    OfficeChair("executive", "loop"),
    OfficeChair("panel", "", padded=False),
    ("folding", "solid", False),
    OfficeChair("bucket", ""),
    OfficeChair("mesh", "t", head_rest=True),
    ("sled", "ladder", True),
    OfficeChair("curved", "loop"),
    ("four", "slats", True),
    OfficeChair("split", "t", head_rest=True),
)
CHAIR_STYLES = len(_CHAIRS)
OFFICE_CHAIRS = tuple(i for i, row in enumerate(_CHAIRS) if isinstance(row, OfficeChair))
FOLDING_CHAIRS = tuple(i for i, row in enumerate(_CHAIRS) if not isinstance(row, OfficeChair) and row[0] == "folding")
CHAIRS_WITH_ARMS = tuple(i for i, row in enumerate(_CHAIRS) if (row.arms if isinstance(row, OfficeChair) else row[2]))


def chair(style: int, rng: Rng, color: Rgb) -> Shape:
    """Dining, stacking, folding and office chairs."""
    row = _CHAIRS[style]
    if isinstance(row, OfficeChair):
        return assemble(office_chair(row, rng, color))
    legs, back, arms = row
    width, depth = rng.uniform(0.44, 0.54), rng.uniform(0.44, 0.53)
    seat, total = rng.uniform(0.43, 0.49), rng.uniform(0.82, 0.98)
    frame = color if legs in ("four", "splayed") and rng.random() < 0.6 else (DARK, METAL)[int(rng.integers(2))]
    parts = _chair_base(legs, width, depth, seat, frame)
    parts.append(block((-width / 2, width / 2), (-depth / 2, depth / 2), (seat - 0.06, seat), color))
    parts += _chair_back(back, width, depth, seat, total, color)
    if arms:
        for side in (-1, 1):
            x = side * (width / 2 + 0.02)
            y = (-depth / 2 + 0.06, depth / 2 - 0.08)
            parts.append(block((x - 0.025, x + 0.025), y, (seat + 0.19, seat + 0.23), frame))
            parts.append(rod((x, 0.02, seat - 0.04), (x, 0.02, seat + 0.2), 0.018, frame))
    return assemble(parts)


def _chair_base(legs: str, width: float, depth: float, seat: float, color: Rgb) -> list[Part]:
    if legs == "folding":
        front, rear = depth / 2 - 0.02, -depth / 2 + 0.02
        parts = []
        for side in (-1, 1):
            x = side * (width / 2 - 0.01)
            parts += [
                rod((x, front, 0.012), (x, rear, seat + 0.12), 0.013, color),
                rod((x * 0.92, rear, 0.012), (x * 0.92, front - 0.06, seat - 0.05), 0.013, color),
            ]
        return [
            *parts,
            *(rod((-width / 2, y, 0.1), (width / 2, y, 0.1), 0.01, color) for y in (front - 0.06, rear + 0.06)),
        ]
    if legs == "sled":
        parts = []
        for side in (-1, 1):
            x = side * (width / 2 - 0.02)
            front, rear = depth / 2 - 0.03, -depth / 2 + 0.03
            parts += [
                rod((x, front, 0.012), (x, front, seat - 0.05), 0.014, color),
                rod((x, rear, 0.012), (x, rear, seat - 0.05), 0.014, color),
                rod((x, rear, 0.014), (x, front, 0.014), 0.014, color),
            ]
        return parts
    return four_legs(width, depth, seat - 0.05, 0.02, color, splay=0.05 if legs == "splayed" else 0.0)


def _chair_back(back: str, width: float, depth: float, seat: float, total: float, color: Rgb) -> list[Part]:
    rear = -depth / 2
    if back in ("slats", "ladder"):
        uprights = [
            block((x - 0.02, x + 0.02), (rear, rear + 0.04), (seat - 0.05, total), color)
            for x in (-width / 2 + 0.02, width / 2 - 0.02)
        ]
        if back == "slats":
            rail = block((-width / 2, width / 2), (rear, rear + 0.04), (total - 0.07, total), color)
            bars = [
                block((x - 0.018, x + 0.018), (rear + 0.01, rear + 0.03), (seat, total - 0.05), color)
                for x in np.linspace(-width / 2 + 0.1, width / 2 - 0.1, 4)
            ]
            return [*uprights, rail, *bars]
        heights = np.linspace(seat + 0.14, total - 0.05, 3)
        return uprights + [
            block((-width / 2, width / 2), (rear + 0.005, rear + 0.03), (z - 0.04, z + 0.05), color) for z in heights
        ]
    if back == "shell":
        return [
            tilted(blob((0, rear + 0.03, (seat + total) / 2), (width * 0.95, 0.09, total - seat + 0.12), color), 0.12)
        ]
    low, high = seat + 0.1, total
    panel = block((-width / 2 + 0.02, width / 2 - 0.02), (rear, rear + 0.05), (low, high), color)
    joint = block((-0.04, 0.04), (rear, rear + 0.03), (seat - 0.05, low + 0.05), DARK)
    return [tilted(panel, 0.08), joint]


# arms, legs, rounded, width of the back above the seat
_PADDED = (
    ("box", "skirt", False, 0.42),
    ("box", "feet", False, 0.36),
    ("round", "feet", False, 0.44),
    ("slim", "feet", True, 0.38),
    ("none", "feet", False, 0.46),
    ("box", "skirt", True, 0.50),
    ("round", "skirt", True, 0.34),
    ("slim", "skirt", False, 0.52),
    ("none", "skirt", True, 0.40),
)
PADDED_STYLES = len(_PADDED)
L_SHAPED_COUCHES = (3, 8)


def armchair(style: int, rng: Rng, color: Rgb) -> Shape:
    """Padded chairs for one."""
    parts, _ = _padded(style, rng.uniform(0.52, 0.62), 1, rng, color)
    return assemble(parts)


def couch(style: int, rng: Rng, color: Rgb) -> Shape:
    """Sofas of two or three seats, some with a chaise longue."""
    seats = 2 + int(rng.random() < 0.6)
    parts, seat = _padded(style, rng.uniform(0.58, 0.7), seats, rng, color)
    if style in L_SHAPED_COUCHES:
        width = 0.62 * seats
        parts.append(block((width / 2 - 0.62, width / 2), (0.3, 0.95), (0.06, 0.42), color))
    return assemble(parts, [seat])


def _padded(style: int, seat_width: float, seats: int, rng: Rng, color: Rgb) -> tuple[list[Part], Surface]:
    arms, legs, rounded, rise = _PADDED[style]
    inner, depth = seat_width * seats, rng.uniform(0.74, 0.9)
    seat = rng.uniform(0.4, 0.46)
    low = 0.02 if legs == "skirt" else 0.1
    dark = shade(color, 0.85)
    parts = [
        block((-inner / 2, inner / 2), (-depth / 2, depth / 2 - 0.04), (low, seat - 0.12), dark),
        tilted(block((-inner / 2, inner / 2), (-depth / 2, -depth / 2 + 0.18), (low, seat + rise), color), 0.05),
    ]
    for k in range(seats):
        x = -inner / 2 + k * seat_width
        gap = 0.012
        parts.append(block((x + gap, x + seat_width - gap), (-depth / 2 + 0.14, depth / 2), (seat - 0.13, seat), color))
        middle = (x + seat_width / 2, -depth / 2 + 0.22, seat + rise * 0.48)
        if rounded:
            parts.append(tilted(blob(middle, (seat_width * 1.02, 0.26, rise * 1.05), color), 0.15))
        else:
            parts.append(
                tilted(
                    block(
                        (x + gap, x + seat_width - gap),
                        (middle[1] - 0.08, middle[1] + 0.08),
                        (seat, seat + rise * 0.95),
                        color,
                    ),
                    0.15,
                )
            )
    parts += _padded_arms(arms, inner, depth, seat, low, color)
    if legs == "feet":
        wide = inner + (0.3 if arms != "none" else 0.0)
        parts += four_legs(wide, depth, low + 0.02, 0.025, DARK, inset=0.07)
    return parts, Surface(seat, (-inner / 2 + 0.05, inner / 2 - 0.05), (-depth / 2 + 0.34, depth / 2))


def _padded_arms(arms: str, inner: float, depth: float, seat: float, low: float, color: Rgb) -> list[Part]:
    if arms == "none":
        return []
    thick = {"box": 0.18, "round": 0.17, "slim": 0.08}[arms]
    parts = []
    for side in (-1, 1):
        x = sorted((side * inner / 2, side * (inner / 2 + thick)))
        y = (-depth / 2, depth / 2)
        parts.append(block((x[0], x[1]), y, (low, seat + 0.15), color))
        if arms == "round":
            middle = (x[0] + x[1]) / 2
            parts.append(rod((middle, y[0], seat + 0.16), (middle, y[1], seat + 0.16), 0.11, color))
    return parts


_STOOLS = (
    ("round", 4, 0.46),
    ("round", 3, 0.62),
    ("square", 4, 0.45),
    ("round", 1, 0.6),
    ("square", 4, 0.72),
    ("round", 3, 0.45),
    ("square", 1, 0.66),
    ("round", 4, 0.74),
)
STOOL_STYLES = len(_STOOLS)
ROUND_STOOLS = tuple(i for i, row in enumerate(_STOOLS) if row[0] == "round")
BAR_STOOLS = tuple(i for i, row in enumerate(_STOOLS) if row[2] > 0.55)


def stool(style: int, rng: Rng, color: Rgb) -> Shape:
    """Low and bar stools."""
    seat, legs, height = _STOOLS[style]
    height *= rng.uniform(0.94, 1.06)
    radius = rng.uniform(0.16, 0.21)
    frame = (color, METAL, DARK)[int(rng.integers(3))]
    if seat == "round":
        parts = [post(0, 0, (height - 0.06, height), radius, color)]
    else:
        parts = [block((-radius, radius), (-radius, radius), (height - 0.06, height), color)]
    if legs == 1:
        parts += [post(0, 0, (0.02, height - 0.05), 0.035, frame), post(0, 0, (0, 0.03), radius, frame)]
    else:
        for k in range(legs):
            angle = 2 * math.pi * (k + 0.5) / legs
            x, y = math.cos(angle), math.sin(angle)
            inner = radius * 0.8
            parts.append(
                rod((x * radius * 1.15, y * radius * 1.15, 0), (x * inner, y * inner, height - 0.05), 0.018, frame)
            )
        if height > 0.55:
            parts.append(post(0, 0, (height * 0.4, height * 0.4 + 0.02), radius, frame, open=True))
    return assemble(parts)


# headboard, footboard, base
_BEDS = (
    ("panel", False, "box"),
    ("panel", True, "legs"),
    ("bars", True, "legs"),
    ("padded", False, "box"),
    ("none", False, "legs"),
    ("low", False, "box"),
    ("bars", False, "box"),
    ("padded", True, "legs"),
    ("panel", True, "box"),
)
BED_STYLES = len(_BEDS)


def bed(style: int, rng: Rng, color: Rgb) -> Shape:
    """Single and double beds; the named colour is the blanket's."""
    head, foot, base = _BEDS[style]
    width = rng.uniform(0.95, 1.15) if rng.random() < 0.5 else rng.uniform(1.4, 1.75)
    length, top = rng.uniform(1.92, 2.1), rng.uniform(0.48, 0.6)
    wood = ((0.36, 0.22, 0.12), (0.72, 0.58, 0.4), PALE, DARK)[int(rng.integers(4))]
    x, rear, front = (-width / 2, width / 2), -length / 2, length / 2
    parts = [
        block(x, (rear, front), (0.0 if base == "box" else 0.2, top - 0.2), wood),
        block((x[0] + 0.03, x[1] - 0.03), (rear + 0.03, front - 0.03), (top - 0.2, top), PALE),
        block((x[0] - 0.01, x[1] + 0.01), (rear + length * 0.28, front + 0.01), (top - 0.26, top + 0.03), color),
    ]
    if base == "legs":
        parts += four_legs(width, length, 0.22, 0.04, wood, inset=0.06)
    if head in ("panel", "padded", "low"):
        height = {"panel": 1.0, "padded": 1.15, "low": 0.75}[head]
        thick = 0.12 if head == "padded" else 0.05
        parts.append(block(x, (rear - thick, rear), (0.0, height), color if head == "padded" else wood))
    elif head == "bars":
        parts.append(block(x, (rear - 0.05, rear), (0.98, 1.05), wood))
        parts += [post(float(p), rear - 0.025, (0, 1.0), 0.022, wood) for p in np.linspace(x[0] + 0.03, x[1] - 0.03, 7)]
    if foot:
        parts.append(block(x, (front, front + 0.05), (0.0, top + 0.12), wood))
    top_surface = Surface(top, (x[0] + 0.1, x[1] - 0.1), (rear + 0.05, rear + 0.45))
    return assemble(parts, [top_surface])
