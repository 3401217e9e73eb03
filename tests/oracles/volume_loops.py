"""Volume rendering sample by sample, as it is defined; slow."""

from __future__ import annotations

import math

import numpy as np


def composite(
    sigma: np.ndarray, rgb: np.ndarray, t_starts: np.ndarray, t_ends: np.ndarray, rays: np.ndarray, n_rays: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Colours (r, c), opacity (r), distances times weights (r) and weights (s)."""
    colors, opacity, distance = np.zeros((n_rays, rgb.shape[1])), np.zeros(n_rays), np.zeros(n_rays)
    weights = np.zeros(len(sigma))
    thickness = np.zeros(n_rays)
    for i, ray in enumerate(rays):
        own = sigma[i] * (t_ends[i] - t_starts[i])
        weights[i] = math.exp(-thickness[ray]) * (1 - math.exp(-own))
        thickness[ray] += own
        colors[ray] += weights[i] * rgb[i]
        opacity[ray] += weights[i]
        distance[ray] += weights[i] * (t_starts[i] + t_ends[i]) / 2
    return colors, opacity, distance, weights
