"""Blending of Gaussians tile by tile, a row of sixteen pixels at a time, so that the compiler makes vectors of each row.

A tile's state lies in one array at constant offsets: the compiler sees that the planes do not overlap. A lane is a column
of the tile; gradients are summed lane by lane over the rows, then over the lanes.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numba
import numpy as np
from numba import types
from numba.extending import overload

from .splatting import TILE

_PIXELS = TILE * TILE
_THROUGH, _LIVE, _LAST = 0, _PIXELS, 2 * _PIXELS
_BEHIND = _PIXELS
"""Backward: the light of all that lies behind, as far as the gradient cares."""
_ROW, _ROW_POWER = 3 * _PIXELS, 3 * _PIXELS + TILE
"""Of one row: the weights (before that, in backward, the gradient of the weights), the gradient of the power."""
_LANES = _ROW + 2 * TILE
"""Sums per lane of the power's gradient times 1, dy and dy^2, and of the absolute gradients of x and y."""
_PLANES = _LANES + 5 * TILE
"""The features' planes; in backward the gradient's, and after them the features' sums per lane."""
_LIVE_AT, _LAST_AT, _BEHIND_AT = np.uintp(_LIVE), np.uintp(_LAST), np.uintp(_BEHIND)
_ROW_AT, _ROW_POWER_AT, _LANES_AT = np.uintp(_ROW), np.uintp(_ROW_POWER), np.uintp(_LANES)
_SIDE = np.uintp(TILE)
"""Unsigned, for the inner loops: numba would test a signed index for being negative, which keeps vectors away."""
GRADIENTS = 8
"""Numbers in a Gaussian's gradient before those of its features: mean, conic, opacity, absolute mean."""
_CHECK = 32
"""Gaussians between looks whether any pixel of the tile still needs more."""
_FAST = {"contract", "nsz", "arcp"}


def falloff(power: float) -> float:
    """exp(-power) for power from 0 to 80, to 2e-7 relative in float32."""
    return math.exp(-power)


@no_type_check
@overload(falloff, inline="always")
def _falloff(power):
    if power == types.float32:
        # 2^(n + f) with n the nearest integer: n goes into the exponent's bits, 2^f is a polynomial. Adding 1.5 * 2^23 rounds,
        # and leaves n in the lowest bits.
        def single(power):
            rounded = power * np.float32(-1.44269504) + np.float32(12582912.0)
            f = power * np.float32(-1.44269504) - (rounded - np.float32(12582912.0))
            e = np.float32(0.00015461444724808513)
            e = e * f + np.float32(0.0013400428177711937)
            e = e * f + np.float32(0.00961805667843204)
            e = e * f + np.float32(0.05550327226669895)
            e = e * f + np.float32(0.24022650922289554)
            e = e * f + np.float32(0.6931472067028329)
            e = e * f + np.float32(1.0)
            scale = (np.float32(rounded).view(np.int32) << np.int32(23)) + np.int32(0x3F800000)
            return e * np.int32(scale).view(np.float32)

        return single
    return lambda power: math.exp(-power)


@no_type_check
@numba.njit(cache=True, nogil=True, inline="always", fastmath=_FAST)
def _weigh_row(s, base, first_x, x, dy, a, b, c, opacity, number):
    """One Gaussian on one row of a tile, front to back: its weight in each pixel, and what is left of the light."""
    real = s.dtype.type
    half, small, most, least = real(0.5), real(1 / 255), real(0.99), real(1e-4)
    across, level = b * dy, half * c * dy * dy
    for i in range(TILE):
        at = np.uintp(base + i)
        lane = np.uintp(i)
        dx = x - (first_x + real(i))
        power = (half * a * dx + across) * dx + level
        alpha = opacity * falloff(min(max(power, real(0)), real(80)))
        alpha = min(alpha, most)
        through, live, last = s[at], s[_LIVE_AT + at], s[_LAST_AT + at]
        alpha = alpha if (alpha >= small) & (power >= real(0)) else real(0)
        alpha = alpha * live
        left = through * (real(1) - alpha)
        live = live if left > least else real(0)
        weight = alpha * through * live
        s[_ROW_AT + lane] = weight
        s[at] = left if live > real(0) else through
        s[_LAST_AT + at] = number if weight > real(0) else last
        s[_LIVE_AT + at] = live


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True, fastmath=_FAST)
def blend_forward(ellipses, features, order, starts, members, hands, background, render, alphas, through, last):
    """Fill the image, its alpha, and what backward needs: the light left and the last Gaussian of each pixel."""
    height, width, d = render.shape
    columns = (width + TILE - 1) // TILE
    real = ellipses.dtype.type
    for hand in numba.prange(len(hands)):
        s = np.empty(_PLANES + d * _PIXELS, ellipses.dtype)
        for tile in hands[hand]:
            if tile < 0:
                continue
            top, left = (tile // columns) * TILE, (tile % columns) * TILE
            n_rows, n_columns = min(TILE, height - top), min(TILE, width - left)
            s[_THROUGH : _THROUGH + _PIXELS] = real(1)
            s[_LIVE : _LIVE + _PIXELS] = real(1)
            s[_LAST : _LAST + _PIXELS] = real(-1)
            s[_PLANES:] = real(0)
            start, stop = starts[tile], starts[tile + 1]
            for place in range(start, stop):
                rank = members[place]
                x, y, half_height = ellipses[rank, 0], ellipses[rank, 1], ellipses[rank, 6]
                first = max(int(np.ceil(y - half_height - real(0.501))) - top, 0)
                past = min(int(np.floor(y + half_height - real(0.499))) - top + 1, n_rows)
                a, b, c, opacity = ellipses[rank, 2], ellipses[rank, 3], ellipses[rank, 4], ellipses[rank, 5]
                row_of = order[rank]
                for row in range(first, past):
                    dy = y - (real(top + row) + real(0.5))
                    base = row * TILE
                    _weigh_row(s, base, real(left) + real(0.5), x, dy, a, b, c, opacity, real(place - start))
                    for channel in range(d):
                        value, plane = features[row_of, channel], _PLANES + channel * _PIXELS + base
                        for i in range(TILE):
                            s[np.uintp(plane + i)] += s[_ROW_AT + np.uintp(i)] * value
                if (place - start) % _CHECK == _CHECK - 1:
                    live = real(0)
                    for i in range(n_rows * TILE):
                        live += s[_LIVE_AT + np.uintp(i)]
                    if live == real(0):
                        break
            for row in range(n_rows):
                for i in range(n_columns):
                    at = row * TILE + i
                    y_px, x_px = top + row, left + i
                    through[y_px, x_px] = s[_THROUGH + at]
                    alphas[y_px, x_px, 0] = real(1) - s[_THROUGH + at]
                    last[y_px, x_px] = np.int32(s[_LAST + at])
                    for channel in range(d):
                        value = s[_PLANES + channel * _PIXELS + at]
                        render[y_px, x_px, channel] = value + s[_THROUGH + at] * background[channel]


@no_type_check
@numba.njit(cache=True, nogil=True, inline="always", fastmath=_FAST)
def _unweigh_row(s, base, first_x, x, dy, a, b, c, opacity, number):
    """One Gaussian on one row, back to front: its weights again, and the gradient of its power."""
    real = s.dtype.type
    half, small, most = real(0.5), real(1 / 255), real(0.99)
    across, level = b * dy, half * c * dy * dy
    for i in range(TILE):
        at = np.uintp(base + i)
        lane = np.uintp(i)
        dx = x - (first_x + real(i))
        power = (half * a * dx + across) * dx + level
        raw = opacity * falloff(min(max(power, real(0)), real(80)))
        through, behind, last, slope = s[at], s[_BEHIND_AT + at], s[_LAST_AT + at], s[_ROW_AT + lane]
        alpha = min(raw, most)
        alpha = alpha if (raw >= small) & (power >= real(0)) & (number <= last) else real(0)
        over = real(1) / (real(1) - alpha)
        through = through * over
        weight = alpha * through
        grad = alpha * (over * behind - through * slope)
        grad = grad if raw <= most else real(0)
        s[at] = through
        s[_BEHIND_AT + at] = behind + weight * slope
        s[_ROW_AT + lane] = weight
        s[_ROW_POWER_AT + lane] = grad
        s[_LANES_AT + lane] += grad
        s[_LANES_AT + _SIDE + lane] += grad * dy
        s[_LANES_AT + _SIDE + _SIDE + lane] += grad * (dy * dy)


@no_type_check
@numba.njit(cache=True, nogil=True, inline="always", fastmath=_FAST)
def _add_absolute(s, first_x, x, dy, a, b, c):
    real = s.dtype.type
    for i in range(TILE):
        lane = np.uintp(i)
        dx, grad = x - (first_x + real(i)), abs(s[_ROW_POWER_AT + lane])
        s[_LANES_AT + np.uintp(3 * TILE) + lane] += abs(a * dx + b * dy) * grad
        s[_LANES_AT + np.uintp(4 * TILE) + lane] += abs(b * dx + c * dy) * grad


@no_type_check
@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _start_backward(s, top, left, background, through, last, grad_render, grad_alphas):
    """Fill the planes of one tile; returns the greatest of the last Gaussians."""
    height, width, d = grad_render.shape
    real = s.dtype.type
    s[:] = real(0)
    s[_LAST : _LAST + _PIXELS] = real(-1)
    greatest = -1
    for y in range(top, min(top + TILE, height)):
        for x in range(left, min(left + TILE, width)):
            at = (y - top) * TILE + x - left
            light = -grad_alphas[y, x, 0]
            for channel in range(d):
                grad = grad_render[y, x, channel]
                s[_PLANES + channel * _PIXELS + at] = grad
                light += background[channel] * grad
            s[_THROUGH + at] = through[y, x]
            s[_BEHIND + at] = through[y, x] * light
            s[_LAST + at] = real(last[y, x])
            greatest = max(greatest, last[y, x])
    return greatest


@no_type_check
@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _sum_lanes(s, d, first_x, x, a, b, c, opacity, out):
    """The gradient of one Gaussian in one tile."""
    real = s.dtype.type
    m00 = m10 = m20 = m01 = m11 = m02 = out_x = out_y = real(0)
    for i in range(TILE):
        dx = x - (first_x + real(i))
        zero, one, two = s[_LANES + i], s[_LANES + TILE + i], s[_LANES + 2 * TILE + i]
        m00 += zero
        m10 += dx * zero
        m20 += dx * dx * zero
        m01 += one
        m11 += dx * one
        m02 += two
        out_x += s[_LANES + 3 * TILE + i]
        out_y += s[_LANES + 4 * TILE + i]
    out[0] = a * m10 + b * m01
    out[1] = b * m10 + c * m01
    out[2] = real(0.5) * m20
    out[3] = m11
    out[4] = real(0.5) * m02
    out[5] = -m00 / opacity
    out[6] = out_x
    out[7] = out_y
    lanes = _PLANES + d * _PIXELS
    for channel in range(d):
        total = real(0)
        for i in range(TILE):
            total += s[lanes + channel * TILE + i]
        out[GRADIENTS + channel] = total


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True, fastmath=_FAST)
def blend_backward(
    ellipses,
    features,
    order,
    starts,
    members,
    hands,
    background,
    through,
    last,
    grad_render,
    grad_alphas,
    absolute,
    pair_grads,
):
    """Gradients of every Gaussian in every tile of its own; rows of pairs that no pixel blended are 0."""
    height, width, d = grad_render.shape
    columns = (width + TILE - 1) // TILE
    real = ellipses.dtype.type
    for hand in numba.prange(len(hands)):
        s = np.empty(_PLANES + d * (_PIXELS + TILE), ellipses.dtype)
        lanes = _PLANES + d * _PIXELS
        for tile in hands[hand]:
            if tile < 0:
                continue
            top, left = (tile // columns) * TILE, (tile % columns) * TILE
            n_rows = min(TILE, height - top)
            greatest = _start_backward(s, top, left, background, through, last, grad_render, grad_alphas)
            start, stop = starts[tile], starts[tile + 1]
            pair_grads[start + greatest + 1 : stop] = real(0)
            for place in range(start + greatest, start - 1, -1):
                rank = members[place]
                x, y, half_height = ellipses[rank, 0], ellipses[rank, 1], ellipses[rank, 6]
                first = max(int(np.ceil(y - half_height - real(0.501))) - top, 0)
                past = min(int(np.floor(y + half_height - real(0.499))) - top + 1, n_rows)
                a, b, c, opacity = ellipses[rank, 2], ellipses[rank, 3], ellipses[rank, 4], ellipses[rank, 5]
                row_of, first_x = order[rank], real(left) + real(0.5)
                s[_LANES:_PLANES] = real(0)
                s[lanes:] = real(0)
                for row in range(first, past):
                    dy = y - (real(top + row) + real(0.5))
                    base = row * TILE
                    for i in range(TILE):
                        s[_ROW_AT + np.uintp(i)] = real(0)
                    for channel in range(d):
                        value, plane = features[row_of, channel], _PLANES + channel * _PIXELS + base
                        for i in range(TILE):
                            s[_ROW_AT + np.uintp(i)] += s[np.uintp(plane + i)] * value
                    _unweigh_row(s, base, first_x, x, dy, a, b, c, opacity, real(place - start))
                    for channel in range(d):
                        plane, sums = _PLANES + channel * _PIXELS + base, lanes + channel * TILE
                        for i in range(TILE):
                            s[np.uintp(sums + i)] += s[_ROW_AT + np.uintp(i)] * s[np.uintp(plane + i)]
                    if absolute:
                        _add_absolute(s, first_x, x, dy, a, b, c)
                _sum_lanes(s, d, first_x, x, a, b, c, opacity, pair_grads[place])


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def add_pairs(order, places_start, places, pair_grads, grads):
    """Sum each Gaussian's gradients over its tiles, always in the same order."""
    for rank in numba.prange(len(order)):
        for at in range(places_start[rank], places_start[rank + 1]):
            for k in range(pair_grads.shape[1]):
                grads[order[rank], k] += pair_grads[places[at], k]
