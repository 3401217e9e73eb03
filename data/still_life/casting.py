"""Rays against solids: the nearest surface, and whether anything is in the way.

A ray is taken into each solid's own frame, where the solid has size 1 and meets it exactly. Every ray is on its own, so the
bits do not depend on the number of threads.
"""

from __future__ import annotations

import math
from typing import NamedTuple, no_type_check

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...core.threads import parallel_code

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RUN = 512
"""Rays that a thread takes at once."""
_DEEPEST = 64


class Solids(NamedTuple):
    """Solids as arrays, and the tree of boxes above those inside the shell; see :func:`.gather.gather`."""

    kind: Ints
    unit_from_world: Floats
    """Linear part of the way into the solid's own frame, (s, 3, 3)."""
    center: Floats
    shape: Floats
    n_shell: int
    """The first so many rows are the shell: floor, walls, sky."""
    lower: Floats
    """Least corners of the tree's boxes, (m, 3)."""
    upper: Floats
    first: Ints
    """A leaf's first solid; otherwise the first of two children, the other is the next."""
    count: Ints
    """Solids of a leaf; 0 otherwise."""


class Hits(NamedTuple):
    """Where rays ended."""

    distance: Floats
    """In lengths of the ray's direction; infinity where it met nothing."""
    solid: Ints
    """Row of the solid, -1 for none."""
    normal: Floats
    """Unit normals on the side that the ray came from; zeros where it met nothing."""


def nearest_hits(solids: Solids, origins: Floats, directions: Floats) -> Hits:
    """The first surface that each ray meets; ``origins`` are (r, 3), or (1, 3) for all rays alike."""
    n = len(directions)
    hits = Hits(np.full(n, np.inf), np.full(n, -1, np.int64), np.zeros((n, 3)))
    with parallel_code():
        _all_nearest(solids, origins, directions, *hits)
    return hits


def blocked(solids: Solids, origins: Floats, directions: Floats, reach: float) -> NDArray[np.bool_]:
    """Whether a solid inside the shell lies within ``reach`` lengths of each ray's direction."""
    found = np.zeros(len(directions), np.bool_)
    with parallel_code():
        _all_blocked(solids, origins, directions, reach, found)
    return found


def is_inside(solids: Solids, points: Floats) -> NDArray[np.bool_]:
    """Whether points (n, 3) lie in a closed solid inside the shell."""
    found = np.zeros(len(points), np.bool_)
    with parallel_code():
        _all_inside(solids, points, found)
    return found


@no_type_check
@njit(error_model="numpy")
def _box_entry(lower, upper, ox, oy, oz, ix, iy, iz, until):
    """Where a ray enters a box along the axes, infinity if not before ``until``; i are the inverses of its direction."""
    a, b = (lower[0] - ox) * ix, (upper[0] - ox) * ix
    near, far = min(a, b), max(a, b)
    a, b = (lower[1] - oy) * iy, (upper[1] - oy) * iy
    near, far = max(near, min(a, b)), min(far, max(a, b))
    a, b = (lower[2] - oz) * iz, (upper[2] - oz) * iz
    near, far = max(near, min(a, b), 0.0), min(far, max(a, b), until)
    return near if near <= far else np.inf


@no_type_check
@njit(error_model="numpy")
def _inverse(d):
    """1 / d, and a large number instead of infinity, whose product with 0 would be no number."""
    if abs(d) < 1e-12:
        return 1e12 if d >= 0 else -1e12
    return 1.0 / d


@no_type_check
@njit(error_model="numpy")
def _quartic(a, b, c, d, e, t):
    return (((a * t + b) * t + c) * t + d) * t + e


@no_type_check
@njit(error_model="numpy")
def _root_between(a, b, c, d, e, low, high):
    """The root of a polynomial whose signs differ at two places and which is monotonic between them."""
    rising = _quartic(a, b, c, d, e, low) < 0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (_quartic(a, b, c, d, e, middle) < 0) == rising:
            low = middle
        else:
            high = middle
        if high - low < 1e-14 * (1.0 + abs(high)):
            break
    return 0.5 * (low + high)


@no_type_check
@njit(error_model="numpy")
def _first_root(a, b, c, d, e, low, high):
    """Least root of a quartic between two places: its derivatives' roots cut the line into monotonic pieces."""
    root = 9 * b * b - 24 * a * c  # of the second derivative 12 a t^2 + 6 b t + 2 c
    turn_0, turn_1 = high, high
    if root > 0:
        turn_0 = min(max((-3 * b - math.sqrt(root)) / (12 * a), low), high)
        turn_1 = min(max((-3 * b + math.sqrt(root)) / (12 * a), low), high)
    start = low
    for piece in range(3):  # pieces of the line on which the first derivative is monotonic
        end = turn_0 if piece == 0 else turn_1 if piece == 1 else high
        if end <= start:
            continue
        slope_0 = _quartic(0.0, 4 * a, 3 * b, 2 * c, d, start)
        slope_1 = _quartic(0.0, 4 * a, 3 * b, 2 * c, d, end)
        middle = end
        if (slope_0 < 0) != (slope_1 < 0):
            middle = _root_between(0.0, 4 * a, 3 * b, 2 * c, d, start, end)
        for half in range(2):
            u, v = (start, middle) if half == 0 else (middle, end)
            if v > u and (_quartic(a, b, c, d, e, u) < 0) != (_quartic(a, b, c, d, e, v) < 0):
                return _root_between(a, b, c, d, e, u, v)
        start = end
    return np.inf


@no_type_check
@njit(error_model="numpy")
def _meet_ring(tube, ox, oy, oz, dx, dy, dz, least):
    near, far = least, np.inf
    wide = 1 + tube
    for o, d, size in ((ox, dx, wide), (oy, dy, wide), (oz, dz, tube)):
        i = _inverse(d)
        p, q = (-size - o) * i, (size - o) * i
        near, far = max(near, min(p, q)), min(far, max(p, q))
    if near >= far:
        return np.inf
    px, py, pz = ox + near * dx, oy + near * dy, oz + near * dz  # from here: near the ring the numbers are small
    dd, pd, pp = dx * dx + dy * dy + dz * dz, px * dx + py * dy + pz * dz, px * px + py * py + pz * pz
    k = pp + 1 - tube * tube
    a, b = dd * dd, 4 * dd * pd
    c = 2 * dd * k + 4 * pd * pd - 4 * (dx * dx + dy * dy)
    d = 4 * pd * k - 8 * (px * dx + py * dy)
    e = k * k - 4 * (px * px + py * py)
    return near + _first_root(a, b, c, d, e, 0.0, far - near)


@no_type_check
@njit(error_model="numpy")
def _meet(kind, shape, ox, oy, oz, dx, dy, dz, least):
    """Least t above ``least`` at which o + t d meets the solid in its own frame; infinity when it does not."""
    if kind == 0:
        near, far = -np.inf, np.inf
        for o, d in ((ox, dx), (oy, dy), (oz, dz)):
            i = _inverse(d)
            a, b = (-1 - o) * i, (1 - o) * i
            near, far = max(near, min(a, b)), min(far, max(a, b))
        if near > far:
            return np.inf
        return near if near > least else far if far > least else np.inf
    if kind == 1:
        a, b, c = dx * dx + dy * dy + dz * dz, ox * dx + oy * dy + oz * dz, ox * ox + oy * oy + oz * oz - 1
        root = b * b - a * c
        if root < 0:
            return np.inf
        root = math.sqrt(root)
        t = (-b - root) / a
        if t <= least:
            t = (-b + root) / a
        return t if t > least else np.inf
    if kind == 5:
        t = -oz * _inverse(dz)
        y = oy + t * dy
        return t if t > least and abs(y) <= 1 and abs(ox + t * dx) <= 1 - y * y else np.inf
    if kind == 4:
        return _meet_ring(shape, ox, oy, oz, dx, dy, dz, least)
    best = np.inf
    m, k = (1 + shape) / 2, (shape - 1) / 2  # the radius at height z is m + k z
    a = dx * dx + dy * dy - k * k * dz * dz
    b = ox * dx + oy * dy - k * dz * (m + k * oz)
    c = ox * ox + oy * oy - (m + k * oz) ** 2
    root = b * b - a * c
    if root >= 0 and abs(a) > 1e-12:
        root = math.sqrt(root)
        for t in ((-b - root) / a, (-b + root) / a):
            if least < t < best and abs(oz + t * dz) <= 1 and m + k * (oz + t * dz) >= 0:
                best = t
    if kind == 2 and abs(dz) > 1e-12:
        for lid, radius in ((-1.0, 1.0), (1.0, shape)):
            t = (lid - oz) / dz
            if least < t < best and (ox + t * dx) ** 2 + (oy + t * dy) ** 2 <= radius * radius:
                best = t
    return best


@no_type_check
@njit(error_model="numpy")
def _meet_row(s, row, ox, oy, oz, dx, dy, dz, least):
    m, c = s.unit_from_world[row], s.center[row]
    x, y, z = ox - c[0], oy - c[1], oz - c[2]
    return _meet(
        s.kind[row],
        s.shape[row],
        m[0, 0] * x + m[0, 1] * y + m[0, 2] * z,
        m[1, 0] * x + m[1, 1] * y + m[1, 2] * z,
        m[2, 0] * x + m[2, 1] * y + m[2, 2] * z,
        m[0, 0] * dx + m[0, 1] * dy + m[0, 2] * dz,
        m[1, 0] * dx + m[1, 1] * dy + m[1, 2] * dz,
        m[2, 0] * dx + m[2, 1] * dy + m[2, 2] * dz,
        least,
    )


@no_type_check
@njit(error_model="numpy")
def _walk(s, ox, oy, oz, dx, dy, dz, best, anything, stack, entry):
    """Distance and row of the nearest solid of the tree before ``best``; of any one if ``anything``."""
    row = -1
    if len(s.count) == 0:
        return best, row
    ix, iy, iz = _inverse(dx), _inverse(dy), _inverse(dz)
    depth = 1
    stack[0] = 0
    entry[0] = _box_entry(s.lower[0], s.upper[0], ox, oy, oz, ix, iy, iz, best)
    while depth:
        depth -= 1
        node = stack[depth]
        if entry[depth] >= best:
            continue
        first = s.first[node]
        if s.count[node] > 0:
            for other in range(first, first + s.count[node]):
                t = _meet_row(s, other, ox, oy, oz, dx, dy, dz, 0.0)
                if t < best:
                    best, row = t, other
                    if anything:
                        return best, row
            continue
        a = _box_entry(s.lower[first], s.upper[first], ox, oy, oz, ix, iy, iz, best)
        b = _box_entry(s.lower[first + 1], s.upper[first + 1], ox, oy, oz, ix, iy, iz, best)
        swap = 1 if b < a else 0  # the nearer child goes on top
        far, near = (a, b) if swap else (b, a)
        if far < best:
            stack[depth], entry[depth] = first + 1 - swap, far
            depth += 1
        if near < best:
            stack[depth], entry[depth] = first + swap, near
            depth += 1
    return best, row


@no_type_check
@njit(error_model="numpy")
def _unit_normal(kind, shape, x, y, z):
    """Outward normal, of any length, at a point of a solid in its own frame."""
    if kind == 0:
        ax, ay, az = abs(x), abs(y), abs(z)
        if ax >= ay and ax >= az:
            return x, 0.0, 0.0
        return (0.0, y, 0.0) if ay >= az else (0.0, 0.0, z)
    if kind == 1:
        return x, y, z
    if kind == 5:
        return 0.0, 0.0, 1.0
    if kind == 4:
        rho = math.sqrt(x * x + y * y)
        shrink = 1.0 - 1.0 / max(rho, 1e-12)
        return x * shrink, y * shrink, z
    if kind == 2 and abs(abs(z) - 1) < 1e-9:
        return 0.0, 0.0, z
    k = (shape - 1) / 2
    return x, y, -k * ((1 + shape) / 2 + k * z)


@no_type_check
@njit(cache=True, error_model="numpy", parallel=True)
def _all_nearest(s, origins, directions, distance, solid, normal):
    n = len(directions)
    for run in numba.prange((n + _RUN - 1) // _RUN):
        stack, entry = np.empty(_DEEPEST, np.int64), np.empty(_DEEPEST, np.float64)
        for r in range(run * _RUN, min(n, (run + 1) * _RUN)):
            ox, oy, oz = origins[r if len(origins) > 1 else 0]
            dx, dy, dz = directions[r]
            best, row = _walk(s, ox, oy, oz, dx, dy, dz, np.inf, False, stack, entry)
            for other in range(s.n_shell):
                t = _meet_row(s, other, ox, oy, oz, dx, dy, dz, 0.0)
                if t < best:
                    best, row = t, other
            if row < 0:
                continue
            distance[r], solid[r] = best, row
            m, c = s.unit_from_world[row], s.center[row]
            x, y, z = ox + best * dx - c[0], oy + best * dy - c[1], oz + best * dz - c[2]
            u, v, w = _unit_normal(
                s.kind[row],
                s.shape[row],
                m[0, 0] * x + m[0, 1] * y + m[0, 2] * z,
                m[1, 0] * x + m[1, 1] * y + m[1, 2] * z,
                m[2, 0] * x + m[2, 1] * y + m[2, 2] * z,
            )
            nx = m[0, 0] * u + m[1, 0] * v + m[2, 0] * w
            ny = m[0, 1] * u + m[1, 1] * v + m[2, 1] * w
            nz = m[0, 2] * u + m[1, 2] * v + m[2, 2] * w
            length = math.sqrt(nx * nx + ny * ny + nz * nz)
            if length > 0:
                flip = -1.0 if nx * dx + ny * dy + nz * dz > 0 else 1.0
                normal[r, 0], normal[r, 1], normal[r, 2] = nx * flip / length, ny * flip / length, nz * flip / length


@no_type_check
@njit(cache=True, error_model="numpy", parallel=True)
def _all_blocked(s, origins, directions, reach, found):
    n = len(directions)
    for run in numba.prange((n + _RUN - 1) // _RUN):
        stack, entry = np.empty(_DEEPEST, np.int64), np.empty(_DEEPEST, np.float64)
        for r in range(run * _RUN, min(n, (run + 1) * _RUN)):
            ox, oy, oz = origins[r if len(origins) > 1 else 0]
            dx, dy, dz = directions[r]
            found[r] = _walk(s, ox, oy, oz, dx, dy, dz, reach, True, stack, entry)[1] >= 0


@no_type_check
@njit(cache=True, error_model="numpy", parallel=True)
def _all_inside(s, points, found):
    n = len(points)
    for run in numba.prange((n + _RUN - 1) // _RUN):
        for r in range(run * _RUN, min(n, (run + 1) * _RUN)):
            for row in range(s.n_shell, len(s.kind)):
                m, c = s.unit_from_world[row], s.center[row]
                px, py, pz = points[r, 0] - c[0], points[r, 1] - c[1], points[r, 2] - c[2]
                x = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz
                y = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz
                z = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz
                kind, shape = s.kind[row], s.shape[row]
                radius = (1 + shape) / 2 + (shape - 1) / 2 * z
                if (
                    (kind == 0 and max(abs(x), abs(y), abs(z)) < 1)
                    or (kind == 1 and x * x + y * y + z * z < 1)
                    or (kind == 2 and abs(z) < 1 and x * x + y * y < radius * radius)
                    or (kind == 4 and (math.sqrt(x * x + y * y) - 1) ** 2 + z * z < shape * shape)
                ):
                    found[r] = True
