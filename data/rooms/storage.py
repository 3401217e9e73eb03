"""Shelves, cabinets, drawers, bins, boxes and bags."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .colors import DARK, METAL, PALE, Rgb, shade
from .shapes import Part, Shape, Span, Surface, assemble, blob, block, four_legs, post, rod

Rng = np.random.Generator

# shelves, divisions, back, books, width, height; the last three are held out of training
_BOOKSHELVES = (
    (5, 1, True, 0.8, 0.85, 1.9),
    (4, 1, True, 0.5, 0.75, 1.5),
    (3, 1, True, 0.7, 1.0, 1.1),
    (4, 2, False, 0.5, 1.3, 1.5),
    (2, 3, True, 0.4, 1.2, 0.85),
    (6, 1, False, 0.6, 0.7, 2.0),
    (3, 3, False, 0.6, 1.15, 1.2),
    (4, 2, True, 0.3, 1.5, 1.8),
    (5, 1, False, 0.2, 0.5, 1.7),
)
BOOKSHELF_STYLES = len(_BOOKSHELVES)


def bookshelf(style: int, rng: Rng, color: Rgb) -> Shape:
    """Shelves with rows of books."""
    shelves, divisions, closed, fill, width, height = _BOOKSHELVES[style]
    width, height, depth = width * rng.uniform(0.9, 1.1), height * rng.uniform(0.93, 1.07), rng.uniform(0.26, 0.36)
    x, y, thick = (-width / 2, width / 2), (-depth / 2, depth / 2), 0.025
    parts = [
        block((s, s + thick), y, (0, height), color) for s in np.linspace(x[0], x[1] - thick, divisions + 1).tolist()
    ]
    levels = np.linspace(0.05, height - thick, shelves + 1).tolist()
    parts += [block(x, y, (z, z + thick), color) for z in levels]
    if closed:
        parts.append(block(x, (y[0], y[0] + 0.012), (0, height), shade(color, 0.9)))
    cell = (width - thick) / divisions
    for z, above in pairwise(levels):
        for d in range(divisions):
            if rng.random() < fill:
                parts += _books(x[0] + d * cell + thick, cell - thick, z + thick, above - z - thick, y, rng)
    return assemble(parts, [Surface(height, (x[0] + 0.03, x[1] - 0.03), (y[0] + 0.02, y[1] - 0.02))])


def _books(start: float, room: float, z: float, space: float, y: Span, rng: Rng) -> list[Part]:
    parts = []
    end = start + room * rng.uniform(0.5, 0.98)
    at = start
    while at < end - 0.05:
        wide = rng.uniform(0.04, 0.12)
        tall = space * rng.uniform(0.6, 0.92)
        hue = tuple(rng.uniform(0.15, 0.8, 3).tolist())
        parts.append(
            block((at, min(at + wide, end)), (y[0] + 0.02, y[1] - rng.uniform(0.03, 0.08)), (z, z + tall), hue)
        )  # type: ignore[arg-type]
        at += wide
    return parts


# doors, drawers, legs, width, height
_CABINETS = (
    (2, 0, False, 0.9, 0.9),
    (1, 0, False, 0.45, 0.75),
    (2, 1, False, 1.0, 1.0),
    (2, 0, True, 1.1, 0.8),
    (2, 0, False, 0.9, 1.9),
    (0, 3, False, 0.45, 1.0),
    (3, 0, True, 1.4, 0.75),
    (2, 2, False, 0.8, 1.5),
    (4, 0, False, 1.5, 1.0),
    (1, 2, True, 0.6, 1.2),
)
CABINET_STYLES = len(_CABINETS)
FILING_CABINETS = tuple(i for i, row in enumerate(_CABINETS) if row[0] == 0)


def cabinet(style: int, rng: Rng, color: Rgb) -> Shape:
    """Cupboards and filing cabinets."""
    doors, drawers, legs, width, height = _CABINETS[style]
    width, height, depth = width * rng.uniform(0.92, 1.08), height * rng.uniform(0.92, 1.08), rng.uniform(0.4, 0.56)
    return _chest(width, depth, height, doors, drawers, 1, 0.14 if legs else 0.04, color, rng)


def wall_cabinet(rng: Rng, color: Rgb) -> Shape:
    """Cupboards that hang on a wall."""
    width, height = rng.uniform(0.6, 1.2), rng.uniform(0.45, 0.65)
    return _chest(width, rng.uniform(0.3, 0.38), height, 2, 0, 1, 0.0, color, rng)


# columns, rows, legs
_DRESSERS = (
    (2, 3, False),
    (1, 4, False),
    (2, 3, True),
    (2, 2, True),
    (3, 3, False),
    (1, 5, True),
    (3, 2, True),
    (2, 4, False),
    (1, 3, True),
)
DRESSER_STYLES = len(_DRESSERS)


def dresser(style: int, rng: Rng, color: Rgb) -> Shape:
    """Chests of drawers."""
    columns, rows, legs = _DRESSERS[style]
    width = {1: 0.7, 2: 1.15, 3: 1.45}[columns] * rng.uniform(0.92, 1.08)
    height = (0.28 + 0.19 * rows) * rng.uniform(0.95, 1.08)
    return _chest(width, rng.uniform(0.42, 0.52), height, 0, rows, columns, 0.13 if legs else 0.05, color, rng)


# doors, drawers, legs
_NIGHTSTANDS = (
    (0, 2, 0.05),
    (0, 1, 0.2),
    (1, 1, 0.05),
    (0, 3, 0.04),
    (1, 0, 0.12),
    (0, 2, 0.16),
    (1, 0, 0.03),
    (0, 1, 0.3),
    (1, 1, 0.18),
)
NIGHTSTAND_STYLES = len(_NIGHTSTANDS)


def nightstand(style: int, rng: Rng, color: Rgb) -> Shape:
    """Small chests beside a bed."""
    doors, drawers, legs = _NIGHTSTANDS[style]
    width = rng.uniform(0.4, 0.54)
    return _chest(width, rng.uniform(0.36, 0.44), rng.uniform(0.48, 0.64), doors, drawers, 1, legs, color, rng)


def _chest(
    width: float, depth: float, height: float, doors: int, drawers: int, columns: int, lift: float, color: Rgb, rng: Rng
) -> Shape:
    """A body with doors below and drawers above, raised on legs when ``lift`` exceeds a plinth's height."""
    x, y = (-width / 2, width / 2), (-depth / 2, depth / 2)
    front = shade(color, rng.uniform(1.06, 1.2))
    handle = (METAL, DARK, PALE)[int(rng.integers(3))]
    parts = [block(x, y, (lift, height), color)]
    if lift > 0.1:
        parts += four_legs(width, depth, lift, 0.022, handle if rng.random() < 0.5 else color, inset=0.04)
    elif lift > 0:
        parts.append(block((x[0] + 0.02, x[1] - 0.02), (y[0] + 0.02, y[1] - 0.04), (0, lift), shade(color, 0.6)))
    split = height - 0.02 if not drawers else (lift + 0.02 if not doors else height - min(0.2 * drawers, 0.5 * height))
    face = (y[1], y[1] + 0.014)
    for k in range(doors):
        step = width / doors
        left = x[0] + k * step
        parts.append(block((left + 0.012, left + step - 0.012), face, (lift + 0.02, split - 0.015), front))
        hold = left + (step - 0.07 if k % 2 == 0 else 0.05)
        middle = (lift + split) / 2
        parts.append(block((hold, hold + 0.02), (face[1], face[1] + 0.025), (middle - 0.07, middle + 0.07), handle))
    for r in range(drawers):
        tall = (height - 0.02 - split) / drawers
        for c in range(columns):
            step = width / columns
            left, z = x[0] + c * step, split + r * tall
            parts.append(block((left + 0.015, left + step - 0.015), face, (z + 0.01, z + tall - 0.01), front))
            middle = left + step / 2
            parts.append(
                block(
                    (middle - 0.06, middle + 0.06),
                    (face[1], face[1] + 0.025),
                    (z + tall / 2 - 0.01, z + tall / 2 + 0.01),
                    handle,
                )
            )
    return assemble(parts, [Surface(height, (x[0] + 0.03, x[1] - 0.03), (y[0] + 0.03, y[1] - 0.03))])


# section, taper, lid, height
_BINS = (
    ("round", 1.25, "open", 0.32),
    ("square", 1.0, "open", 0.36),
    ("round", 1.0, "dome", 0.62),
    ("round", 1.0, "flat", 0.42),
    ("square", 1.0, "swing", 0.7),
    ("round", 1.3, "open", 0.5),
    ("square", 1.0, "flat", 0.5),
    ("round", 1.15, "dome", 0.45),
    ("square", 1.0, "open", 0.62),
)
BIN_STYLES = len(_BINS)
ROUND_BINS = tuple(i for i, row in enumerate(_BINS) if row[0] == "round")


def trash_can(style: int, rng: Rng, color: Rgb) -> Shape:
    """Waste baskets and bins with lids."""
    section, taper, lid, height = _BINS[style]
    height *= rng.uniform(0.9, 1.12)
    radius = rng.uniform(0.12, 0.15) if height < 0.45 else rng.uniform(0.16, 0.2)
    dark = shade(color, 0.5) if sum(color) > 0.5 else (0.25, 0.25, 0.27)
    if section == "round":
        parts = [post(0, 0, (0, 0.02), radius, color), post(0, 0, (0, height), radius, color, taper=taper, open=True)]
        if lid == "dome":
            parts.append(blob((0, 0, height), (2 * radius * taper, 2 * radius * taper, radius * 1.1), dark))
        elif lid == "flat":
            parts += [
                post(0, 0, (height, height + 0.03), radius * 1.04, dark),
                block((-0.04, 0.04), (radius, radius + 0.05), (0.01, 0.03), METAL),
            ]
        return assemble(parts)
    wide, deep = radius * 1.25, radius * 0.95
    parts = _open_box(wide, deep, height, 0.012, color)
    if lid == "flat":
        parts.append(block((-wide - 0.01, wide + 0.01), (-deep - 0.01, deep + 0.01), (height, height + 0.03), dark))
    elif lid == "swing":
        parts += [
            block((-wide, wide), (-deep, deep), (height, height + 0.05), dark),
            block((-wide * 0.7, wide * 0.7), (-deep * 0.7, deep * 0.7), (height + 0.05, height + 0.13), color),
        ]
    return assemble(parts)


def _open_box(wide: float, deep: float, height: float, thick: float, color: Rgb) -> list[Part]:
    return [
        block((-wide, wide), (-deep, deep), (0, thick), color),
        block((-wide, -wide + thick), (-deep, deep), (0, height), color),
        block((wide - thick, wide), (-deep, deep), (0, height), color),
        block((-wide, wide), (-deep, -deep + thick), (0, height), color),
        block((-wide, wide), (deep - thick, deep), (0, height), color),
    ]


# kind, width, height
_BOXES = (
    ("closed", 0.4, 0.3),
    ("open", 0.42, 0.32),
    ("crate", 0.45, 0.28),
    ("closed", 0.55, 0.4),
    ("lid", 0.38, 0.26),
    ("closed", 0.34, 0.45),
    ("open", 0.55, 0.42),
    ("lid", 0.5, 0.36),
    ("crate", 0.36, 0.36),
)
BOX_STYLES = len(_BOXES)
OPEN_BOXES = tuple(i for i, row in enumerate(_BOXES) if row[0] in ("open", "crate"))


def box(style: int, rng: Rng, color: Rgb) -> Shape:
    """Cardboard and storage boxes."""
    kind, width, height = _BOXES[style]
    wide, height = width / 2 * rng.uniform(0.85, 1.2), height * rng.uniform(0.85, 1.2)
    deep = wide * rng.uniform(0.65, 1.0)
    if kind == "closed":
        parts = [
            block((-wide, wide), (-deep, deep), (0, height), color),
            block((-wide - 0.002, wide + 0.002), (-0.025, 0.025), (height * 0.8, height + 0.003), shade(color, 1.25)),
        ]
    elif kind == "lid":
        parts = [
            block((-wide, wide), (-deep, deep), (0, height), color),
            block(
                (-wide - 0.015, wide + 0.015),
                (-deep - 0.015, deep + 0.015),
                (height * 0.75, height + 0.01),
                shade(color, 0.85),
            ),
        ]
    else:
        parts = _open_box(wide, deep, height, 0.015, color)
        if kind == "open":
            for side in (-1, 1):
                x = sorted((side * wide, side * (wide + 0.1)))
                parts.append(block((x[0], x[1]), (-deep, deep), (height - 0.03, height - 0.02), shade(color, 1.1)))
    return assemble(parts)


# wide, pockets, roll
_BACKPACKS = (
    (0.30, 1, False),
    (0.34, 2, False),
    (0.28, 0, False),
    (0.32, 1, True),
    (0.38, 1, False),
    (0.30, 2, True),
    (0.36, 0, True),
    (0.26, 2, False),
    (0.40, 2, False),
)
BACKPACK_STYLES = len(_BACKPACKS)


def backpack(style: int, rng: Rng, color: Rgb) -> Shape:
    """Rucksacks standing on the floor."""
    wide, pockets, roll = _BACKPACKS[style]
    wide, tall = wide * rng.uniform(0.92, 1.08), rng.uniform(0.42, 0.54)
    dark = shade(color, 0.75)
    parts = [
        block((-wide / 2, wide / 2), (-0.1, 0.08), (0.0, tall * 0.8), color),
        blob((0, -0.01, tall * 0.78), (wide, 0.2, tall * 0.44), color),
    ]
    if pockets:
        parts.append(blob((0, 0.1, tall * 0.28), (wide * 0.8, 0.16, tall * 0.46), dark))
    if pockets == 2:
        parts.append(blob((0, 0.09, tall * 0.62), (wide * 0.66, 0.1, tall * 0.24), dark))
    if roll:
        parts.append(rod((-wide / 2, 0, tall + 0.03), (wide / 2, 0, tall + 0.03), 0.06, shade(color, 0.6)))
    parts += [rod((s * wide * 0.25, -0.11, 0.06), (s * wide * 0.2, -0.13, tall * 0.85), 0.022, DARK) for s in (-1, 1)]
    return assemble(parts)
