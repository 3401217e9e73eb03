"""What a seed gives: solids, light and a place for cameras; and the looks that all kinds of scenes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .lighting import Light
from .solids import Material, Number, Pattern, Rgb, Solid, Vec

Rng = np.random.Generator

_PALETTES: tuple[tuple[Rgb, Rgb, Rgb], ...] = (
    ((0.80, 0.22, 0.16), (0.95, 0.87, 0.70), (0.20, 0.25, 0.42)),
    ((0.12, 0.36, 0.55), (0.93, 0.80, 0.40), (0.90, 0.92, 0.94)),
    ((0.20, 0.48, 0.34), (0.91, 0.88, 0.74), (0.72, 0.30, 0.18)),
    ((0.88, 0.52, 0.16), (0.30, 0.20, 0.30), (0.96, 0.90, 0.80)),
    ((0.52, 0.24, 0.48), (0.92, 0.76, 0.78), (0.26, 0.42, 0.44)),
    ((0.86, 0.78, 0.30), (0.22, 0.28, 0.24), (0.78, 0.40, 0.24)),
    ((0.30, 0.58, 0.66), (0.95, 0.93, 0.88), (0.82, 0.34, 0.30)),
    ((0.70, 0.62, 0.52), (0.34, 0.30, 0.30), (0.90, 0.85, 0.76)),
)
"""Three colours that go together: a ground, what is drawn on it, and an accent."""

_WOODS: tuple[tuple[Rgb, Rgb, Rgb], ...] = (
    ((0.64, 0.45, 0.28), (0.48, 0.31, 0.18), (0.20, 0.12, 0.07)),
    ((0.78, 0.62, 0.43), (0.66, 0.49, 0.31), (0.34, 0.23, 0.14)),
    ((0.42, 0.28, 0.20), (0.30, 0.19, 0.13), (0.13, 0.08, 0.06)),
)
_LEAVES: tuple[tuple[Rgb, Rgb, Rgb], ...] = (
    ((0.25, 0.50, 0.16), (0.42, 0.62, 0.24), (0.66, 0.76, 0.40)),
    ((0.20, 0.42, 0.22), (0.34, 0.56, 0.36), (0.60, 0.72, 0.50)),
    ((0.62, 0.40, 0.14), (0.78, 0.56, 0.20), (0.50, 0.24, 0.12)),
)

BRIGHT = (
    Pattern.CHECKER,
    Pattern.STRIPES,
    Pattern.DOTS,
    Pattern.MARBLE,
    Pattern.MOSAIC,
    Pattern.TARTAN,
    Pattern.PAINTING,
)
"""Patterns that suit toys and crockery."""


@dataclass(frozen=True)
class Composition:
    """What a scene is made of; the fields are those of :class:`.scene.StillLife`."""

    solids: tuple[Solid, ...]
    light: Light
    center: Vec
    radius: float
    distance: float
    front: float
    elevation: float


def palette(rng: Rng) -> tuple[Rgb, Rgb, Rgb]:
    """Three colours in any order, a little brighter or darker than in the list."""
    colors = _PALETTES[int(rng.integers(len(_PALETTES)))]
    return _toned(tuple(colors[i] for i in rng.permutation(3)), rng)


def material(
    rng: Rng,
    pattern: Pattern | Sequence[Pattern],
    scale: Number,
    *,
    colors: tuple[Rgb, Rgb, Rgb] | None = None,
    grain: Number = 0.3,
    grain_size: Number | None = None,
    speckles: Number = 0.0,
    gloss: Number = 0.0,
) -> Material:
    """A material with random colours, unless given, and a seed of its own; ``scale`` varies by a tenth."""
    chosen = pattern if isinstance(pattern, Pattern) else pattern[int(rng.integers(len(pattern)))]
    scale = scale * float(rng.uniform(0.9, 1.1))
    return Material(
        chosen,
        palette(rng) if colors is None else colors,
        scale,
        grain,
        scale if grain_size is None else grain_size,
        speckles,
        gloss,
        int(rng.integers(1, 1_000_000)),
    )


def wood(rng: Rng, scale: Number = 0.09) -> Material:
    """Planks of about a width (m)."""
    colors = _toned(_WOODS[int(rng.integers(len(_WOODS)))], rng)
    return material(
        rng, Pattern.WOOD, scale, colors=colors, grain=0.2, grain_size=0.4 * scale, speckles=0.05, gloss=0.04
    )


def foliage(rng: Rng, scale: Number) -> Material:
    """Of one leaf of about a width (m)."""
    colors = _toned(_LEAVES[int(rng.choice(len(_LEAVES), p=[0.45, 0.45, 0.1]))], rng)
    return material(rng, Pattern.VEINS, scale, colors=colors, grain=0.25, grain_size=scale)


def paper(rng: Rng, scale: Number) -> Material:
    """A printed page; letters of about a width (m)."""
    ink: Rgb = (0.10, 0.10, 0.14) if rng.random() < 0.7 else (0.55, 0.10, 0.10)
    colors = ((0.93, 0.91, 0.85), ink, (0.80, 0.76, 0.66))
    return material(rng, Pattern.GLYPHS, scale, colors=colors, grain=0.12, grain_size=6 * scale)


def stone(rng: Rng, scale: Number, pattern: Pattern = Pattern.BRICKS) -> Material:
    """Bricks, tiles or rock with elements of about a height (m)."""
    warm = rng.uniform(-0.06, 0.10)
    base = float(rng.uniform(0.58, 0.76))
    colors = (
        (base + warm, base, base - warm),
        (0.8 * base + warm, 0.78 * base, 0.74 * base - 0.4 * warm),
        (0.45 * base, 0.44 * base, 0.43 * base),
    )
    return material(rng, pattern, scale, colors=colors, grain=0.45, grain_size=0.9 * scale, speckles=0.25)


def _toned(colors: tuple[Rgb, ...], rng: Rng) -> tuple[Rgb, Rgb, Rgb]:
    tones = rng.uniform(0.88, 1.08, 3)
    first, second, third = (
        (min(r * t, 1.0), min(g * t, 1.0), min(b * t, 1.0)) for (r, g, b), t in zip(colors, tones.tolist(), strict=True)
    )
    return first, second, third
