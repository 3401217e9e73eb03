"""Colours that people have words for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Rgb = tuple[float | int, float | int, float | int]

PALETTE: dict[str, tuple[Rgb, ...]] = {
    "red": ((0.68, 0.10, 0.10), (0.76, 0.16, 0.14), (0.60, 0.08, 0.12)),
    "blue": ((0.12, 0.22, 0.62), (0.16, 0.34, 0.70), (0.10, 0.18, 0.50)),
    "green": ((0.12, 0.46, 0.18), (0.22, 0.54, 0.24), (0.16, 0.40, 0.22)),
    "yellow": ((0.88, 0.78, 0.16), (0.92, 0.84, 0.28)),
    "brown": ((0.36, 0.22, 0.12), (0.42, 0.27, 0.15), (0.30, 0.19, 0.11), (0.46, 0.30, 0.18)),
    "black": ((0.07, 0.07, 0.08), (0.11, 0.11, 0.12)),
    "white": ((0.92, 0.92, 0.91), (0.88, 0.89, 0.90)),
    "gray": ((0.46, 0.46, 0.47), (0.52, 0.52, 0.52), (0.40, 0.41, 0.43)),
    "orange": ((0.92, 0.48, 0.08), (0.88, 0.42, 0.10)),
    "purple": ((0.42, 0.16, 0.52), (0.48, 0.22, 0.58)),
    "pink": ((0.92, 0.56, 0.66), (0.94, 0.62, 0.72)),
    "beige": ((0.80, 0.70, 0.54), (0.76, 0.66, 0.50)),
}
"""Typical red, green, blue values (0..1) of each named colour."""

_EASILY_MIXED_UP = (
    {"brown", "orange"},
    {"brown", "beige"},
    {"brown", "red"},
    {"brown", "black"},
    {"beige", "white"},
    {"beige", "yellow"},
    {"beige", "gray"},
    {"gray", "white"},
    {"gray", "black"},
    {"pink", "purple"},
    {"pink", "red"},
    {"orange", "red"},
    {"orange", "yellow"},
    {"purple", "blue"},
)
WOOD = ("brown", "beige", "white", "black", "gray")
FABRIC = ("red", "blue", "green", "yellow", "brown", "black", "gray", "orange", "purple", "pink", "beige", "white")
ANY = tuple(PALETTE)
METAL: Rgb = (0.55, 0.56, 0.58)
DARK: Rgb = (0.10, 0.10, 0.11)
PALE: Rgb = (0.90, 0.90, 0.89)


def nearest_names(colors: NDArray[np.floating]) -> NDArray[np.int64]:
    """For each red, green, blue (n, 3) in 0..1 the place in the palette of the colour whose shades it resembles most.

    Distances in RGB beside twice the deviation from grey, so that hue counts more than brightness.
    """
    shades = np.array([shade for shades in PALETTE.values() for shade in shades])
    owners = np.repeat(np.arange(len(PALETTE)), [len(shades) for shades in PALETTE.values()])
    return owners[KDTree(_with_hue(shades)).query(_with_hue(colors))[1]]


def _with_hue(colors: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.concatenate([colors, 2 * (colors - colors.mean(1, keepdims=True))], 1)


def sample_color(name: str, rng: np.random.Generator) -> Rgb:
    """A shade of a named colour."""
    shades = PALETTE[name]
    red, green, blue = np.clip(shades[int(rng.integers(len(shades)))] + rng.normal(0, 0.018, 3), 0.02, 0.98)
    return float(red), float(green), float(blue)


def shade(color: Rgb, factor: float | int) -> Rgb:
    """The same colour, darker (factor < 1) or lighter."""
    return tuple(min(1.0, c * factor) for c in color)  # pyright: ignore[reportReturnType]


def may_be_confused(a: str, b: str) -> bool:
    """Whether a person could call a thing of colour ``a`` by the name ``b``."""
    return a == b or {a, b} in _EASILY_MIXED_UP
