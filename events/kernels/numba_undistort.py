"""Pixels without lens distortion: computed once for each pixel of the sensor, then looked up for each event."""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float32, Float64, Int16
from numba import njit

from ...core.threads import parallel_code
from .numpy_undistort import FIXED_POINT_STEPS, NEWTON_END, NEWTON_STEPS

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_RUN = 1 << 14
"""Events that a thread takes at once."""


def why_unusable(device: torch.device) -> str | None:
    """Only arrays on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, asked for {device}"


def undistort(
    x: Int16[np.ndarray, "e"],
    y: Int16[np.ndarray, "e"],
    sensor: tuple[int, int],
    K: Float64[np.ndarray, "3 3"],
    coefficients: Float64[np.ndarray, "d"],
) -> Float32[np.ndarray, "e 2"]:
    """See :func:`.numpy_undistort.undistort`."""
    table, found = np.empty((*sensor, 2), np.float32), np.empty((len(x), 2), np.float32)
    if len(x):
        with parallel_code():
            _fill(K, coefficients, table)
            _look_up(x, y, table, found)
    return found


@no_type_check
@njit(parallel=True, **_OPTIONS)
def _fill(K, coefficients, table):
    for row in numba.prange(table.shape[0]):
        for column in range(table.shape[1]):
            v0 = (row + 0.5 - K[1, 2]) / K[1, 1]
            u0 = (column + 0.5 - K[0, 2] - K[0, 1] * v0) / K[0, 0]
            u, v = _fisheye(u0, v0, coefficients) if len(coefficients) == 4 else _rational(u0, v0, coefficients)
            table[row, column, 0] = K[0, 0] * u + K[0, 1] * v + K[0, 2]
            table[row, column, 1] = K[1, 1] * v + K[1, 2]


@no_type_check
@njit(**_OPTIONS)
def _rational(u0, v0, k):
    u, v = u0, v0
    for _ in range(FIXED_POINT_STEPS):
        r2 = u * u + v * v
        factor = (1 + ((k[7] * r2 + k[6]) * r2 + k[5]) * r2) / (1 + ((k[4] * r2 + k[1]) * r2 + k[0]) * r2)
        if factor < 0:
            return u0, v0
        shift_u = 2 * k[2] * u * v + k[3] * (r2 + 2 * u * u)
        shift_v = k[2] * (r2 + 2 * v * v) + 2 * k[3] * u * v
        u, v = (u0 - shift_u) * factor, (v0 - shift_v) * factor
    return u, v


@no_type_check
@njit(**_OPTIONS)
def _fisheye(u, v, k):
    bent = math.hypot(u, v)
    angle = bent
    for _ in range(NEWTON_STEPS):
        a2 = angle * angle
        miss = angle * (1 + a2 * (k[0] + a2 * (k[1] + a2 * (k[2] + a2 * k[3])))) - bent
        step = miss / (1 + a2 * (3 * k[0] + a2 * (5 * k[1] + a2 * (7 * k[2] + a2 * 9 * k[3]))))
        angle -= step
        if abs(step) < NEWTON_END:
            if 0 <= angle < math.pi / 2 and bent < math.pi / 2:
                factor = math.tan(angle) / bent if bent >= 1e-12 else 1.0
                return u * factor, v * factor
            break
    return math.nan, math.nan


@no_type_check
@njit(parallel=True, **_OPTIONS)
def _look_up(x, y, table, found):
    n = len(x)
    for run in numba.prange((n + _RUN - 1) // _RUN):
        for i in range(run * _RUN, min(n, (run + 1) * _RUN)):
            found[i, 0] = table[y[i], x[i], 0]
            found[i, 1] = table[y[i], x[i], 1]
