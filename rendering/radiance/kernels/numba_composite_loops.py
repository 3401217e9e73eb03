"""Loops of volume rendering. ``sums`` and their gradients: colours, then opacity, then distances, of each ray.

With w the weight of a sample, T the transmittance before it and x its optical thickness: w = T (1 - exp(-x)); the transmittance
behind it is T exp(-x), which is also the derivative of w by x. All samples behind it weigh the less the larger x.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np

BLOCK = 64
"""Rays that a thread takes at once."""
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def visible(sigma, t_starts, t_ends, starts, most_before, least_held, out):
    """Fill ``out`` (s): whether a sample has at most so much optical thickness before it and at least so much of its own."""
    for block in numba.prange((len(starts) - 1 + BLOCK - 1) // BLOCK):
        for ray in range(block * BLOCK, min((block + 1) * BLOCK, len(starts) - 1)):
            before = 0.0
            for i in range(starts[ray], starts[ray + 1]):
                optical = sigma[i] * (t_ends[i] - t_starts[i])
                out[i] = (before <= most_before) & (optical >= least_held)
                before += optical


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def composite(sigma, rgb, t_starts, t_ends, starts, sums, weights, left):
    """Fill ``sums`` (r, c + 2), ``weights`` (s) and the transmittance behind each sample."""
    channels = rgb.shape[1]
    for block in numba.prange((len(starts) - 1 + BLOCK - 1) // BLOCK):
        totals = np.empty(channels + 2)
        for ray in range(block * BLOCK, min((block + 1) * BLOCK, len(starts) - 1)):
            through = 1.0
            totals[:] = 0.0
            for i in range(starts[ray], starts[ray + 1]):
                passed = np.exp(-np.float64(sigma[i] * (t_ends[i] - t_starts[i])))
                weight = through * (1.0 - passed)
                through *= passed
                weights[i], left[i] = weight, through
                for k in range(channels):
                    totals[k] += weight * rgb[i, k]
                totals[channels] += weight
                totals[channels + 1] += weight * ((t_starts[i] + t_ends[i]) / 2)
            for k in range(channels + 2):
                sums[ray, k] = totals[k]


@no_type_check
@numba.njit(**_OPTIONS)
def _gradient_of_weight(grad, rgb, t_start, t_end):
    """What a weight adds to a ray's sums, times their gradient."""
    channels = len(rgb)
    total = np.float64(grad[channels]) + grad[channels + 1] * ((t_start + t_end) / 2)
    for k in range(channels):
        total += grad[k] * rgb[k]
    return total


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def composite_backward(rgb, t_starts, t_ends, starts, weights, left, grad_sums, grad_weights, grad_sigma, grad_rgb):
    """Fill ``grad_sigma`` (s) and ``grad_rgb`` (s, c)."""
    for block in numba.prange((len(starts) - 1 + BLOCK - 1) // BLOCK):
        for ray in range(block * BLOCK, min((block + 1) * BLOCK, len(starts) - 1)):
            grad, behind = grad_sums[ray], 0.0
            for i in range(starts[ray + 1] - 1, starts[ray] - 1, -1):
                slope = _gradient_of_weight(grad, rgb[i], t_starts[i], t_ends[i]) + grad_weights[i]
                grad_sigma[i] = (slope * left[i] - behind) * (t_ends[i] - t_starts[i])
                behind += slope * weights[i]
                for k in range(rgb.shape[1]):
                    grad_rgb[i, k] = weights[i] * grad[k]


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def composite_tangent(sigma, sigma_tangent, rgb, rgb_tangent, t_starts, t_ends, starts, sums, weights, left):
    """Fill ``sums`` (2, r, c + 2) and ``weights`` (2, s) with values and derivatives, and the transmittance behind each."""
    channels = rgb.shape[1]
    for block in numba.prange((len(starts) - 1 + BLOCK - 1) // BLOCK):
        totals, rates = np.empty(channels + 2), np.empty(channels + 2)
        for ray in range(block * BLOCK, min((block + 1) * BLOCK, len(starts) - 1)):
            through, before = 1.0, 0.0
            totals[:] = 0.0
            rates[:] = 0.0
            for i in range(starts[ray], starts[ray + 1]):
                step, middle = np.float64(t_ends[i] - t_starts[i]), (t_starts[i] + t_ends[i]) / 2
                passed, change = np.exp(-sigma[i] * step), sigma_tangent[i] * step
                weight = through * (1.0 - passed)
                through *= passed
                rate = through * change - weight * before
                before += change
                weights[0, i], weights[1, i], left[i] = weight, rate, through
                for k in range(channels):
                    totals[k] += weight * rgb[i, k]
                    rates[k] += rate * rgb[i, k] + weight * rgb_tangent[i, k]
                totals[channels] += weight
                rates[channels] += rate
                totals[channels + 1] += weight * middle
                rates[channels + 1] += rate * middle
            for k in range(channels + 2):
                sums[0, ray, k], sums[1, ray, k] = totals[k], rates[k]


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def composite_tangent_backward(
    sigma_tangent,
    rgb,
    rgb_tangent,
    t_starts,
    t_ends,
    starts,
    weights,
    left,
    grad_sums,
    grad_weights,
    grad_sigma,
    grad_sigma_tangent,
    grad_rgb,
    grad_rgb_tangent,
):
    """Fill the last four. ``grad_sums`` (2, r, c + 2) and ``grad_weights`` (2, s): of values and of derivatives."""
    channels = rgb.shape[1]
    for block in numba.prange((len(starts) - 1 + BLOCK - 1) // BLOCK):
        for ray in range(block * BLOCK, min((block + 1) * BLOCK, len(starts) - 1)):
            grad, grad_rate = grad_sums[0, ray], grad_sums[1, ray]
            before = 0.0
            for i in range(starts[ray], starts[ray + 1]):
                before += sigma_tangent[i] * (t_ends[i] - t_starts[i])
            behind = behind_change = 0.0
            for i in range(starts[ray + 1] - 1, starts[ray] - 1, -1):
                step = np.float64(t_ends[i] - t_starts[i])
                change, weight, rate, passing = sigma_tangent[i] * step, weights[0, i], weights[1, i], left[i]
                slope = _gradient_of_weight(grad, rgb[i], t_starts[i], t_ends[i]) + grad_weights[0, i]
                slope_rate = _gradient_of_weight(grad_rate, rgb[i], t_starts[i], t_ends[i]) + grad_weights[1, i]
                for k in range(channels):
                    slope += grad_rate[k] * rgb_tangent[i, k]
                    grad_rgb[i, k] = weight * grad[k] + rate * grad_rate[k]
                    grad_rgb_tangent[i, k] = weight * grad_rate[k]
                # ``before`` still counts this sample's own change, which its rate's derivative needs too.
                grad_sigma[i] = (passing * (slope - slope_rate * before) - behind) * step
                grad_sigma_tangent[i] = (slope_rate * passing - behind_change) * step
                behind += slope * weight + slope_rate * rate
                behind_change += slope_rate * weight
                before -= change
