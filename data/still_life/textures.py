"""Colours of surfaces, computed wherever they are asked for: patterns in metres, with noise of several wavelengths."""

from __future__ import annotations

import math
from typing import NamedTuple, no_type_check

import numba
import numpy as np
from numba import njit

from ...core.threads import parallel_code
from .casting import Floats, Ints, Solids

_RUN = 512


class Materials(NamedTuple):
    """Materials of the rows of :class:`.casting.Solids`."""

    pattern: Ints
    colors: Floats
    """Linear, (s, 3, 3)."""
    numbers: Floats
    """Scale, grain, size of the grain, speckles, gloss: (s, 5)."""
    seed: Ints
    half: Floats
    """Half sizes of the solids: patterns are laid out in metres."""


def albedo(solids: Solids, materials: Materials, points: Floats, rows: Ints) -> Floats:
    """Linear colours (n, 3) of points on solids; black where the row is -1."""
    out = np.zeros((len(points), 3))
    with parallel_code():
        _all_albedo(solids.kind, solids.shape, solids.unit_from_world, solids.center, materials, points, rows, out)
    return out


@no_type_check
@njit(error_model="numpy")
def _chance(i, j, k, seed):
    """A number in [0, 1) that belongs to a cell of a lattice."""
    h = ((i * 73856093) ^ (j * 19349663) ^ (k * 83492791) ^ (seed * 1540483477)) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return (h ^ (h >> 16)) / 4294967296.0


@no_type_check
@njit(error_model="numpy")
def _whole(x):
    return math.floor(x)


@no_type_check
@njit(error_model="numpy")
def _noise(x, y, z, seed):
    """Smooth noise in [0, 1) of wavelength 1."""
    i, j, k = _whole(x), _whole(y), _whole(z)
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for a in range(2):
        fx = u if a else 1 - u
        for b in range(2):
            fy = fx * (v if b else 1 - v)
            low, high = _chance(i + a, j + b, k, seed), _chance(i + a, j + b, k + 1, seed)
            total += fy * (low + (high - low) * w)
    return total


@no_type_check
@njit(error_model="numpy")
def _octaves(x, y, z, seed):
    """Three octaves of noise, around 0 within about -1 and 1."""
    total = _noise(x, y, z, seed) - 0.5
    total += 0.6 * (_noise(2 * x + 5.3, 2 * y + 1.7, 2 * z + 9.1, seed + 1) - 0.5)
    return 1.2 * (total + 0.45 * (_noise(4 * x + 3.1, 4 * y + 7.9, 4 * z + 2.3, seed + 2) - 0.5))


@no_type_check
@njit(error_model="numpy")
def _ramp(x, width):
    """0 below 0, 1 above 0, linear over a width: edges that are not sharper than a lens would show them."""
    return min(max(x / width + 0.5, 0.0), 1.0)


@no_type_check
@njit(error_model="numpy")
def _glyph(u, v, scale, seed):
    """Ink at a place of a page: lines of words of letters of 3 x 5 blocks, some of them headings."""
    line = _whole(v / (scale * 1.7))
    y = v / scale - line * 1.7
    if y >= 1.25 or _chance(line, 3, 1, seed) < 0.08:
        return 0.0
    indent = 4.0 * _chance(line, 5, 1, seed) * scale
    letter = _whole((u - indent) / (scale * 0.95))
    x = (u - indent) / scale - letter * 0.95
    if x >= 0.75 or _chance(letter, line, 2, seed) < 0.16:
        return 0.0
    column, row = _whole(x * 4), _whole(y * 4)
    kind = _whole(_chance(letter, line, 4, seed) * 40)
    if row == 0 and _chance(kind, 1, 9, seed) < 0.5:
        return 0.0
    stem = column == 0 or (row % 2 == 0 and _chance(kind, row, 7, seed) < 0.8)
    return 1.0 if stem or _chance(kind * 8 + column, row, 6, seed) < 0.35 else 0.0


@no_type_check
@njit(error_model="numpy")
def _bricks(u, v, scale, seed):
    """Share of mortar, and a number of the brick."""
    row = _whole(v / scale)
    shifted = u / (2.2 * scale) + 0.5 * (row % 2)
    column = _whole(shifted)
    x, y = (shifted - column) * 2.2, v / scale - row
    gap = min(min(x, 2.2 - x), min(y, 1 - y))
    return 1 - _ramp(gap - 0.07, 0.06), _chance(column, row, 11, seed)


@no_type_check
@njit(error_model="numpy")
def _tartan(u, scale, seed):
    """Shares of the three colours of one set of threads."""
    x = u / scale
    band = _whole(x)
    fine = (x * 4 - math.floor(x * 4)) < 0.3
    which = _chance(band % 5, 1, 13, seed)
    return 0 if which < 0.45 else (2 if fine else 1) if which < 0.8 else 2


@no_type_check
@njit(error_model="numpy")
def _mix(out, r, colors, one, two, share):
    for c in range(3):
        out[r, c] = colors[one, c] + (colors[two, c] - colors[one, c]) * share


@no_type_check
@njit(error_model="numpy")
def _sheet(kind, shape, half, x, y, z):
    """Two coordinates along a solid's surface in metres, and the number of the face."""
    if kind == 0:
        ax, ay, az = abs(x), abs(y), abs(z)
        if ax >= ay and ax >= az:
            return (y if x > 0 else -y) * half[1], z * half[2], 1 if x > 0 else 2
        if ay >= az:
            return (-x if y > 0 else x) * half[0], z * half[2], 3 if y > 0 else 4
        return x * half[0], y * half[1], 5 if z > 0 else 6
    if kind == 1:
        return math.atan2(y, x) * half[0], math.asin(min(max(z, -1.0), 1.0)) * half[2], 0
    if kind == 4:
        rho = math.sqrt(x * x + y * y)
        return math.atan2(y, x) * half[0], math.atan2(z, rho - 1) * half[0] * shape, 0
    if kind == 5 or (kind == 2 and abs(abs(z) - 1) < 1e-9):
        return x * half[0], y * half[1], 5
    return math.atan2(y, x) * half[0] * max(1.0, shape), z * half[2], 0


@no_type_check
@njit(error_model="numpy")
def _layout(out, r, pattern, colors, scale, seed, u, v, face, px, py, pz):
    """The pattern's colour at a place: u, v along the surface, p in the solid's axes, in metres."""
    i, j = _whole(u / scale), _whole(v / scale)
    if pattern == 0:
        n = 0.5 + 1.1 * _octaves(px / scale, py / scale, pz / scale, seed + 20)
        n = min(max(n, 0.0), 1.0)
        _mix(out, r, colors, 0 if n < 0.5 else 1, 1 if n < 0.5 else 2, 2 * n if n < 0.5 else 2 * n - 1)
    elif pattern == 1:
        a, b = abs(u / scale - i - 0.5), abs(v / scale - j - 0.5)
        edge = 0.5 * min(_ramp(0.5 - a, 0.06), _ramp(0.5 - b, 0.06)) + 0.5 if max(a, b) > 0.45 else 1.0
        even = (i + j) % 2 == 0
        _mix(out, r, colors, 1 if even else 0, 0 if even else 1, edge)
        if _chance(i, j, face, seed) < 0.12:
            _mix(out, r, colors, 0 if even else 1, 2, 0.8)
    elif pattern == 2:
        wave = u / scale + 0.25 * _noise(u / scale / 4, v / scale / 4, 0.5, seed)
        band = _whole(wave)
        first, second = _whole(3 * _chance(band, face, 1, seed)), _whole(3 * _chance(band + 1, face, 1, seed))
        _mix(out, r, colors, first, second, _ramp(wave - band - 0.96, 0.08))
    elif pattern == 3:
        mortar, number = _bricks(u, v, scale, seed + face)
        _mix(out, r, colors, 0, 1, number)
        for c in range(3):
            out[r, c] *= 0.8 + 0.4 * (number * 7 - math.floor(number * 7))
            out[r, c] += (colors[2, c] - out[r, c]) * mortar
    elif pattern == 4:
        plank = _whole(v / scale)
        shift = 9 * _chance(plank, face, 3, seed)
        grain = _noise(u / scale / 1.5 + shift, 5 * v / scale + shift, 0.5, seed)
        grain = grain * 6 + _noise(u / scale / 3, v / scale * 20, 3.5, seed)
        seam = v / scale - plank
        butt = u / scale / 7 + shift
        butt = (butt - math.floor(butt)) * 7
        _mix(out, r, colors, 0, 1, grain - math.floor(grain))
        tone = 0.75 + 0.5 * _chance(plank, face, 5, seed)
        gap = min(min(seam, 1 - seam), min(butt, 7 - butt))
        for c in range(3):
            out[r, c] = out[r, c] * tone + (colors[2, c] - out[r, c] * tone) * (1 - _ramp(gap - 0.025, 0.03))
    elif pattern == 5:
        paper = 0.25 * _noise(u / scale / 9, v / scale / 7, 0.5, seed)
        _mix(out, r, colors, 0, 2, paper)
        if _glyph(u, v, scale, seed + face) > 0:
            _mix(out, r, colors, 1, 0, 0.08)
    elif pattern == 6:
        radius = 0.22 + 0.2 * _chance(i, j, 1, seed)
        x = u / scale - i - radius - (1 - 2 * radius) * _chance(i, j, 2, seed)
        y = v / scale - j - radius - (1 - 2 * radius) * _chance(i, j, 3, seed)
        inside = _ramp(radius - math.sqrt(x * x + y * y), 0.06)
        _mix(out, r, colors, 0, 1 if _chance(i, j, 4, seed) < 0.6 else 2, inside)
    elif pattern == 7:
        n = _octaves(px / scale, py / scale, pz / scale, seed + 30)
        wave = 0.5 + 0.5 * math.sin(4 * (px + 0.6 * py + 0.8 * pz) / scale + 7 * n)
        _mix(out, r, colors, 0, 1, wave * wave)
        vein = abs(_noise(1.7 * px / scale, 1.7 * py / scale, 1.7 * pz / scale, seed + 40) - 0.5)
        if vein < 0.03:
            for c in range(3):
                out[r, c] += (colors[2, c] - out[r, c]) * (1 - vein / 0.03)
    elif pattern == 8:
        x, y = u / scale - i, v / scale - j
        first, second = _whole(3 * _chance(i, j, face, seed)), _whole(3 * _chance(i, j, face + 9, seed))
        _mix(out, r, colors, first, second, 0.5 * _chance(i, j, face + 19, seed))
        gap = min(min(x, 1 - x), min(y, 1 - y))
        tone = (0.6 + 0.7 * _chance(i, j, face + 29, seed)) * (0.35 + 0.65 * _ramp(gap - 0.06, 0.06))
        for c in range(3):
            out[r, c] *= tone
    elif pattern == 9:
        warp, weft = _tartan(u, scale, seed), _tartan(v, scale, seed + 1)
        thread = 0.5 + 0.2 * math.sin(40 * u / scale) * math.sin(40 * v / scale)
        _mix(out, r, colors, warp, weft, thread)
    elif pattern == 10:
        n = _octaves(u / scale / 3, v / scale / 2, 0.5, seed)
        m = _octaves(u / scale, v / scale, 7.5, seed + 3)
        steps = math.floor(5 * (n + 0.5 + 0.35 * m)) / 5
        _mix(out, r, colors, 0 if n < 0.05 else 1, 2 if m > 0 else 1, min(max(steps, 0.0), 1.0))
    elif pattern == 11:
        along = v / scale + 0.9 * abs(u) / scale
        rib = along * 4 - math.floor(along * 4)
        _mix(out, r, colors, 0, 1, 0.7 if rib < 0.25 else 0.35 * _noise(4 * u / scale, 4 * v / scale, 0.5, seed))
        if abs(u) < 0.03 * scale:
            _mix(out, r, colors, 2, 0, 0.2)
    else:
        n = 0.5 + 1.3 * _octaves(px / scale, py / scale, 2.2 * pz / scale, seed + 50)
        low = min(max(2.5 * pz / scale, 0.0), 1.0)  # haze at the horizon
        _mix(out, r, colors, 2, 0, low)
        n = min(max(1.6 * n - 0.5, 0.0), 1.0) * (0.35 + 0.65 * low)
        for c in range(3):
            out[r, c] += (colors[1, c] - out[r, c]) * n


@no_type_check
@njit(cache=True, error_model="numpy", parallel=True)
def _all_albedo(kinds, shapes, unit_from_world, centers, materials, points, rows, out):
    n = len(points)
    for run in numba.prange((n + _RUN - 1) // _RUN):
        for r in range(run * _RUN, min(n, (run + 1) * _RUN)):
            row = rows[r]
            if row < 0:
                continue
            m, c, half = unit_from_world[row], centers[row], materials.half[row]
            dx, dy, dz = points[r, 0] - c[0], points[r, 1] - c[1], points[r, 2] - c[2]
            x = m[0, 0] * dx + m[0, 1] * dy + m[0, 2] * dz
            y = m[1, 0] * dx + m[1, 1] * dy + m[1, 2] * dz
            z = m[2, 0] * dx + m[2, 1] * dy + m[2, 2] * dz
            px, py, pz = x * half[0], y * half[1], z * half[2]
            u, v, face = _sheet(kinds[row], shapes[row], half, x, y, z)
            numbers, seed = materials.numbers[row], materials.seed[row]
            pattern = materials.pattern[row]
            _layout(out, r, pattern, materials.colors[row], numbers[0], seed, u, v, face, px, py, pz)
            if pattern == 12:
                continue
            size = numbers[2]
            tone = 1 + numbers[1] * 1.6 * _octaves(px / size, py / size, pz / size, seed + 60)
            if numbers[3] > 0:
                i, j, k = _whole(2 * px / size), _whole(2 * py / size), _whole(2 * pz / size)
                if _chance(i, j, k, seed + 70) < numbers[3]:
                    a, b, d = 2 * px / size - i - 0.5, 2 * py / size - j - 0.5, 2 * pz / size - k - 0.5
                    spot = _ramp(0.4 - math.sqrt(a * a + b * b + d * d), 0.15)
                    tone *= 1 + spot * (0.7 if _chance(i, j, k, seed + 80) < 0.5 else -0.7)
            for c in range(3):
                out[r, c] = min(max(out[r, c] * tone, 0.0), 1.0)
