"""Colours from spherical harmonics and their gradients, one loop over the Gaussians; the basis is that of ``harmonics.py``."""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np

_C0 = 0.28209479177387814
_C1 = 0.4886025119029199
_C20, _C21, _C22 = 1.0925484305920792, 0.31539156525252005, 0.5462742152960396
_C30, _C31, _C32 = 0.5900435899266435, 2.890611442640554, 0.4570457994644658
_C33, _C34 = 0.3731763325901154, 1.445305721320277


@no_type_check
@numba.njit(cache=True, nogil=True)
def _basis(x, y, z, degree, b):
    b[0] = _C0
    if degree > 0:
        b[1], b[2], b[3] = -_C1 * y, _C1 * z, -_C1 * x
    if degree > 1:
        b[4], b[5], b[6] = _C20 * x * y, -_C20 * y * z, _C21 * (3 * z * z - 1)
        b[7], b[8] = -_C20 * x * z, _C22 * (x * x - y * y)
    if degree > 2:
        b[9], b[10] = -_C30 * y * (3 * x * x - y * y), _C31 * x * y * z
        b[11], b[12] = -_C32 * y * (5 * z * z - 1), _C33 * z * (5 * z * z - 3)
        b[13], b[14] = -_C32 * x * (5 * z * z - 1), _C34 * z * (x * x - y * y)
        b[15] = -_C30 * x * (x * x - 3 * y * y)


@no_type_check
@numba.njit(cache=True, nogil=True)
def _slope(x, y, z, degree, w):
    """Gradient of sum of w times the basis with respect to x, y, z."""
    gx = gy = gz = 0.0
    if degree > 0:
        gy -= _C1 * w[1]
        gz += _C1 * w[2]
        gx -= _C1 * w[3]
    if degree > 1:
        gx += _C20 * (y * w[4] - z * w[7]) + 2 * _C22 * x * w[8]
        gy += _C20 * (x * w[4] - z * w[5]) - 2 * _C22 * y * w[8]
        gz += -_C20 * (y * w[5] + x * w[7]) + 6 * _C21 * z * w[6]
    if degree > 2:
        gx += -6 * _C30 * x * y * w[9] + _C31 * y * z * w[10] - _C32 * (5 * z * z - 1) * w[13]
        gx += 2 * _C34 * x * z * w[14] - 3 * _C30 * (x * x - y * y) * w[15]
        gy += -3 * _C30 * (x * x - y * y) * w[9] + _C31 * x * z * w[10] - _C32 * (5 * z * z - 1) * w[11]
        gy += -2 * _C34 * y * z * w[14] + 6 * _C30 * x * y * w[15]
        gz += _C31 * x * y * w[10] - 10 * _C32 * z * (y * w[11] + x * w[13]) + 3 * _C33 * (5 * z * z - 1) * w[12]
        gz += _C34 * (x * x - y * y) * w[14]
    return gx, gy, gz


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def colors_forward(sh, directions, degree, colors):
    """Fill the colours: the sum of the harmonics plus 0.5, not below 0."""
    block = 1024
    used = (degree + 1) * (degree + 1)
    for unit in numba.prange((len(sh) + block - 1) // block):
        b = np.empty(16, np.float64)
        for row in range(unit * block, min((unit + 1) * block, len(sh))):
            x, y, z = np.float64(directions[row, 0]), np.float64(directions[row, 1]), np.float64(directions[row, 2])
            length = max(np.sqrt(x * x + y * y + z * z), 1e-12)
            _basis(x / length, y / length, z / length, degree, b)
            for channel in range(sh.shape[2]):
                total = 0.5
                for k in range(used):
                    total += b[k] * sh[row, k, channel]
                colors[row, channel] = max(total, 0.0)


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def colors_backward(sh, directions, degree, colors, grad, grad_sh, grad_directions):
    """Fill the gradients; harmonics beyond the degree get 0."""
    block = 1024
    used = (degree + 1) * (degree + 1)
    for unit in numba.prange((len(sh) + block - 1) // block):
        b, w = np.empty(16, np.float64), np.empty(16, np.float64)
        for row in range(unit * block, min((unit + 1) * block, len(sh))):
            x, y, z = np.float64(directions[row, 0]), np.float64(directions[row, 1]), np.float64(directions[row, 2])
            length = max(np.sqrt(x * x + y * y + z * z), 1e-12)
            x, y, z = x / length, y / length, z / length
            _basis(x, y, z, degree, b)
            w[:] = 0.0
            for channel in range(sh.shape[2]):
                g = np.float64(grad[row, channel]) if colors[row, channel] > 0 else 0.0
                for k in range(used):
                    grad_sh[row, k, channel] = g * b[k]
                    w[k] += g * sh[row, k, channel]
                for k in range(used, sh.shape[1]):
                    grad_sh[row, k, channel] = 0.0
            gx, gy, gz = _slope(x, y, z, degree, w)
            radial = gx * x + gy * y + gz * z
            grad_directions[row, 0] = (gx - radial * x) / length
            grad_directions[row, 1] = (gy - radial * y) / length
            grad_directions[row, 2] = (gz - radial * z) / length
