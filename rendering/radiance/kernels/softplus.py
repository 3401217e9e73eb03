"""The activation between layers in compiled loops: softplus with sharpness 100 or ReLU, with derivatives, vector by vector."""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numba
import numpy as np
from numba import types
from numba.extending import overload

from ...kernels.numba_blend import falloff
from ..activations import SHARPNESS

_THRESHOLD = 20.0
"""Beyond, torch's softplus is the identity."""
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "arcp"},
}


def _log1p(u: float) -> float:
    """log(1 + u) for u from 0 to 1, to 2e-7 relative in float32."""
    return math.log1p(u)


@no_type_check
@overload(_log1p, inline="always")
def _log1p_of(u):
    if u == types.float32:

        def single(u):
            p = np.float32(0.0051261018961668015)
            p = p * u + np.float32(-0.029074065387248993)
            p = p * u + np.float32(0.0775160863995552)
            p = p * u + np.float32(-0.13602247834205627)
            p = p * u + np.float32(0.19076880812644958)
            p = p * u + np.float32(-0.2483539879322052)
            p = p * u + np.float32(0.3331812024116516)
            p = p * u + np.float32(-0.4999944567680359)
            p = p * u + np.float32(1.0)
            return p * u

        return single
    return lambda u: math.log1p(u)


@no_type_check
@numba.njit(**_OPTIONS)
def activate(x, is_softplus, slopes):
    """Replace each number by its activation; fill their derivatives unless ``slopes`` is empty."""
    real = x.dtype.type
    one, zero, sharp, most, threshold = real(1), real(0), real(SHARPNESS), real(80), real(_THRESHOLD)
    if not is_softplus:
        for i in range(len(slopes)):
            slopes[i] = one if x[i] > zero else zero
        for i in range(len(x)):
            x[i] = max(x[i], zero)
        return
    dull = one / sharp
    if len(slopes) > 0:
        for i in range(len(x)):
            t = x[i] * sharp
            u = falloff(min(abs(t), most))
            slope = (one if t >= zero else u) / (one + u)
            bent = (max(t, zero) + _log1p(u)) * dull
            slopes[i] = one if t > threshold else slope
            x[i] = x[i] if t > threshold else bent
        return
    for i in range(len(x)):
        t = x[i] * sharp
        u = falloff(min(abs(t), most))
        bent = (max(t, zero) + _log1p(u)) * dull
        x[i] = x[i] if t > threshold else bent


@no_type_check
@numba.njit(**_OPTIONS)
def activate_tangent(tangent, slopes, is_softplus, curves):
    """Multiply tangents by the derivatives; fill second derivatives times tangents unless ``curves`` is empty."""
    real = tangent.dtype.type
    one, sharp = real(1), real(SHARPNESS) if is_softplus else real(0)
    for i in range(len(curves)):
        curves[i] = sharp * slopes[i] * (one - slopes[i]) * tangent[i]
    for i in range(len(tangent)):
        tangent[i] *= slopes[i]
