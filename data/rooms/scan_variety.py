"""Scans as different people and sensors make them, for training: few views or many, noise, density, colour casts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .scanning import ScanConfig

Rng = np.random.Generator


def vary_scan(rng: Rng, usual: ScanConfig) -> ScanConfig:
    """Settings for one room: half of the rooms are scanned as usual, the others otherwise."""
    if rng.random() < 0.5:
        return usual
    few = rng.random() < 0.35
    return replace(
        usual,
        n_views=int(rng.integers(1, 9)) if few else int(rng.integers(20, 46)),
        noise_m=usual.noise_m * float(rng.uniform(0.5, 3.0)),
        spacing_m=float(rng.uniform(0.015, 0.04)),
        range_m=float(rng.uniform(3.0, 4.5)),
        max_points=int(rng.integers(40_000, 150_000)),
    )


def vary_colors(colors: NDArray[np.floating], rng: Rng) -> NDArray[np.floating]:
    """One camera's exposure, contrast, saturation and white balance for the whole scan.

    Args:
        colors: Red, green, blue (n, 3) in 0..1.
    """
    if rng.random() < 0.4:
        return colors
    grey = colors.mean(1, keepdims=True)
    saturated = grey + (colors - grey) * rng.uniform(0.6, 1.2)
    balanced = saturated * (rng.uniform(0.8, 1.15) * rng.uniform(0.94, 1.06, 3))
    lifted = (balanced - 0.5) * rng.uniform(0.8, 1.1) + 0.5 + rng.uniform(-0.04, 0.04)
    return np.clip(lifted + rng.normal(0, rng.uniform(0, 0.04), colors.shape), 0, 1)
