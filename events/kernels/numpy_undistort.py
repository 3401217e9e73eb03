"""Pixels without lens distortion as OpenCV finds them, the readable reference."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int16

FIXED_POINT_STEPS = 5
"""Of OpenCV's undistortPoints: not converged at the corners of strong lenses, but what data sets were made with."""
NEWTON_STEPS = 10
NEWTON_END = 1e-8
"""Radians; OpenCV's own criterion for fisheye lenses."""


def why_unusable(device: torch.device) -> str | None:
    """Only arrays on the CPU."""
    return None if device.type == "cpu" else f"numpy runs on the CPU, asked for {device}"


def undistort(
    x: Int16[np.ndarray, "e"],
    y: Int16[np.ndarray, "e"],
    sensor: tuple[int, int],
    K: Float64[np.ndarray, "3 3"],
    coefficients: Float64[np.ndarray, "d"],
) -> Float32[np.ndarray, "e 2"]:
    """Undistorted positions of pixel centres; four coefficients are a fisheye lens, eight OpenCV's rational one.

    NaN where a fisheye lens has no ray within 90 degrees of its axis.
    """
    v = (y + 0.5 - K[1, 2]) / K[1, 1]
    u = (x + 0.5 - K[0, 2] - K[0, 1] * v) / K[0, 0]
    u, v = (_fisheye if len(coefficients) == 4 else _rational)(u, v, coefficients)
    return np.stack([K[0, 0] * u + K[0, 1] * v + K[0, 2], K[1, 1] * v + K[1, 2]], -1).astype(np.float32)


def _rational(u0: np.ndarray, v0: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    k1, k2, p1, p2, k3, k4, k5, k6 = coefficients
    u, v = u0.copy(), v0.copy()
    gave_up = np.zeros(u.shape, np.bool_)  # beyond a pole of the formula, where OpenCV keeps the point as it is
    for _ in range(FIXED_POINT_STEPS):
        r2 = u * u + v * v
        factor = (1 + ((k6 * r2 + k5) * r2 + k4) * r2) / (1 + ((k3 * r2 + k2) * r2 + k1) * r2)
        gave_up |= factor < 0
        shift_u = 2 * p1 * u * v + p2 * (r2 + 2 * u * u)
        shift_v = p1 * (r2 + 2 * v * v) + 2 * p2 * u * v
        u = np.where(gave_up, u0, (u0 - shift_u) * factor)
        v = np.where(gave_up, v0, (v0 - shift_v) * factor)
    return u, v


def _fisheye(u: np.ndarray, v: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    k1, k2, k3, k4 = coefficients
    bent = np.hypot(u, v)
    angle = bent.copy()
    left = np.ones(angle.shape, np.bool_)
    for _ in range(NEWTON_STEPS):
        a2 = angle * angle
        miss = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4)))) - bent
        step = miss / (1 + a2 * (3 * k1 + a2 * (5 * k2 + a2 * (7 * k3 + a2 * 9 * k4))))
        angle = np.where(left, angle - step, angle)
        left = left & ~(np.abs(step) < NEWTON_END)
    exists = ~left & (angle >= 0) & (angle < np.pi / 2) & (bent < np.pi / 2)
    is_middle = bent < 1e-12
    factor = np.where(is_middle, 1.0, np.tan(np.where(exists, angle, 0.0)) / np.where(is_middle, 1.0, bent))
    return np.where(exists, u * factor, np.nan), np.where(exists, v * factor, np.nan)
