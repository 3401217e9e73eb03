"""Scans as different people and sensors make them, for training: few views or many, noise, density, colour casts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .scanning import ScanConfig
from .sensor import SensorConfig

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


def vary_sensor(rng: Rng) -> SensorConfig:
    """Pixels lost in every second scan, and a ceiling in one of three."""
    is_lossy = rng.random() < 0.5
    return SensorConfig(
        dropout=float(rng.uniform(0, 0.3)) if is_lossy else 0.0,
        holes=float(rng.uniform(0, 0.15)) if is_lossy else 0.0,
        ceiling=bool(rng.random() < 0.33),
    )


def partial_scan(rng: Rng, usual: ScanConfig) -> tuple[ScanConfig, SensorConfig]:
    """One to three views side by side in the resolution of a depth camera, as single-view data sets have them."""
    config = replace(
        usual,
        n_views=int(rng.choice([1, 2, 3], p=[0.6, 0.2, 0.2])),
        width_px=320,
        height_px=240,
        noise_m=usual.noise_m * float(rng.uniform(0.5, 3.0)),
        spacing_m=float(rng.uniform(0.015, 0.03)),
        range_m=float(rng.uniform(3.5, 5.5)),
    )
    return config, replace(vary_sensor(rng), from_one_place=True)
