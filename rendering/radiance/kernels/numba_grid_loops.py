"""Loops of the hash-grid encoding: rows and weights of the eight vertices lane by lane, then the gathering, sample by sample.

``pair`` stands in for the number of features: a tuple, whose length the compiler knows, so that it unrolls the loops over them.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np

from .feature_rows import gather, gather_both, scatter, scatter_both

LANES = 64
"""Samples whose rows and weights are computed at once."""
BLOCK = 2048
"""Samples that stay in the second-level cache from level to level; a multiple of the lanes."""
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


@no_type_check
@numba.njit(**_OPTIONS)
def _buffers(size, dtype):
    """Lanes of positions and velocities, rows of the table, places in the cell, weights and their slopes."""
    lanes, speeds, parts = np.empty((3, size), dtype), np.empty((3, size), dtype), np.empty((3, LANES), dtype)
    return (
        lanes,
        speeds,
        np.empty((8, LANES), np.uint32),
        parts,
        np.empty((8, LANES), dtype),
        np.empty((8, LANES), dtype),
    )


@no_type_check
@numba.njit(**_OPTIONS)
def _load(values, start, stop, lanes):
    """Copy rows into lanes, filled up with zeros."""
    count = stop - start
    for axis in range(3):
        lane = lanes[axis]
        for i in range(count):
            lane[i] = values[start + i, axis]
        lane[count:] = 0


@no_type_check
@numba.njit(**_OPTIONS)
def _are_inside(lanes, at):
    """Whether the cube holds all of these positions."""
    outside = 0
    for axis in range(3):
        x = lanes[axis, at : at + LANES]
        for i in range(LANES):
            outside += not ((x[i] >= 0) & (x[i] <= 1))
    return outside == 0


@no_type_check
@numba.njit(**_OPTIONS)
def _locate(lanes, at, scale, shape, is_inside, rows, parts):
    """Rows of the table of the vertices around each lane's position, and its place in the cell along each axis (0..1)."""
    resolution, entries, offset, is_dense = shape[0], shape[1], shape[2], shape[3] != 0
    one, half = np.uint32(1), lanes.dtype.type(0.5)
    size, last = np.uint32(entries), np.uint32(entries - 1)
    x_lanes, y_lanes, z_lanes = lanes[0, at : at + LANES], lanes[1, at : at + LANES], lanes[2, at : at + LANES]
    x_parts, y_parts, z_parts = parts[0], parts[1], parts[2]
    r000, r100, r010, r110 = rows[0], rows[1], rows[2], rows[3]
    r001, r101, r011, r111 = rows[4], rows[5], rows[6], rows[7]
    y_stride, z_stride = np.uint32(resolution), np.uint32(resolution * resolution)
    if not is_dense:
        y_stride, z_stride = np.uint32(2654435761), np.uint32(805459861)
    for i in range(LANES):
        px, py, pz = x_lanes[i] * scale + half, y_lanes[i] * scale + half, z_lanes[i] * scale + half
        fx, fy, fz = np.floor(px), np.floor(py), np.floor(pz)
        x_parts[i], y_parts[i], z_parts[i] = px - fx, py - fy, pz - fz
        x, y, z = np.uint32(np.int32(fx)), np.uint32(np.int32(fy)) * y_stride, np.uint32(np.int32(fz)) * z_stride
        u, v, w = x + one, y + y_stride, z + z_stride
        if is_dense:
            r000[i], r100[i], r010[i], r110[i] = x + y + z, u + y + z, x + v + z, u + v + z
            r001[i], r101[i], r011[i], r111[i] = x + y + w, u + y + w, x + v + w, u + v + w
        else:
            r000[i], r100[i], r010[i], r110[i] = x ^ y ^ z, u ^ y ^ z, x ^ v ^ z, u ^ v ^ z
            r001[i], r101[i], r011[i], r111[i] = x ^ y ^ w, u ^ y ^ w, x ^ v ^ w, u ^ v ^ w
    first = np.uint32(offset)
    for c in range(8):
        row = rows[c]
        if not is_dense:
            for i in range(LANES):
                row[i] = (row[i] & last) + first
        elif is_inside:  # at most the border's far side exceeds the table, by less than its size
            for i in range(LANES):
                row[i] = (row[i] - size if row[i] >= size else row[i]) + first
        else:
            for i in range(LANES):
                row[i] = row[i] % size + first


@no_type_check
@numba.njit(**_OPTIONS)
def _weigh(parts, weights):
    one = parts.dtype.type(1)
    x_parts, y_parts, z_parts = parts[0], parts[1], parts[2]
    w000, w100, w010, w110 = weights[0], weights[1], weights[2], weights[3]
    w001, w101, w011, w111 = weights[4], weights[5], weights[6], weights[7]
    for i in range(LANES):
        u, v, w = x_parts[i], y_parts[i], z_parts[i]
        x, y, z = one - u, one - v, one - w
        w000[i], w100[i], w010[i], w110[i] = x * y * z, u * y * z, x * v * z, u * v * z
        w001[i], w101[i], w011[i], w111[i] = x * y * w, u * y * w, x * v * w, u * v * w


@no_type_check
@numba.njit(**_OPTIONS)
def _weigh_slopes(parts, speeds, at, scale, slopes):
    """How fast the weights change along the velocities."""
    one = parts.dtype.type(1)
    x_parts, y_parts, z_parts = parts[0], parts[1], parts[2]
    a_lanes, b_lanes, c_lanes = speeds[0, at : at + LANES], speeds[1, at : at + LANES], speeds[2, at : at + LANES]
    w000, w100, w010, w110 = slopes[0], slopes[1], slopes[2], slopes[3]
    w001, w101, w011, w111 = slopes[4], slopes[5], slopes[6], slopes[7]
    for i in range(LANES):
        u, v, w = x_parts[i], y_parts[i], z_parts[i]
        x, y, z = one - u, one - v, one - w
        a, b, c = a_lanes[i] * scale, b_lanes[i] * scale, c_lanes[i] * scale
        w000[i] = -a * y * z - x * b * z - x * y * c
        w100[i] = a * y * z - u * b * z - u * y * c
        w010[i] = -a * v * z + x * b * z - x * v * c
        w110[i] = a * v * z + u * b * z - u * v * c
        w001[i] = -a * y * w - x * b * w + x * y * c
        w101[i] = a * y * w - u * b * w + u * y * c
        w011[i] = -a * v * w + x * b * w + x * v * c
        w111[i] = a * v * w + u * b * w + u * v * c


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def encode(unit, velocity, table, scales, shapes, pair, out):
    """Fill ``out`` (p, s, levels x features): values, and with ``velocity`` (p = 2) derivatives along it.

    Args:
        unit: (s, 3).
        velocity: (s, 3), or without rows.
        table: (t, features).
        scales: Of each level.
        shapes: Resolution, entries, offset and whether dense, of each level.
        pair: As many numbers as there are features.
        out: To fill.
    """
    features, n, has_velocity = len(pair), len(unit), len(velocity) > 0
    for block in numba.prange((n + BLOCK - 1) // BLOCK):
        lanes, speeds, rows, parts, weights, slopes = _buffers(BLOCK, unit.dtype)
        start, stop = block * BLOCK, min((block + 1) * BLOCK, n)
        _load(unit, start, stop, lanes)
        if has_velocity:
            _load(velocity, start, stop, speeds)
        for level in range(len(scales)):
            column = level * features
            for first in range(start, stop, LANES):
                at = first - start
                _locate(lanes, at, scales[level], shapes[level], _are_inside(lanes, at), rows, parts)
                _weigh(parts, weights)
                if has_velocity:
                    _weigh_slopes(parts, speeds, at, scales[level], slopes)
                for i in range(min(LANES, stop - first)):
                    if has_velocity:
                        gather_both(table, rows, weights, slopes, pair, i, out[0], out[1], first + i, column)
                    else:
                        gather(table, rows, weights, pair, i, out[0], first + i, column)


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def table_gradient(unit, velocity, grads, scales, shapes, groups, pair, out):
    """Add to ``out`` (t, features) what each sample's gradients (p, s, w) say, in the order of the samples.

    The first of the ``groups`` takes the first level and every ``groups``-th after it, the second begins at the second level,
    and so on: no two share an entry.
    """
    features, n, has_velocity = len(pair), len(unit), len(velocity) > 0
    for group in numba.prange(groups):
        lanes, speeds, rows, parts, weights, slopes = _buffers(BLOCK, unit.dtype)
        for start in range(0, n, BLOCK):
            stop = min(start + BLOCK, n)
            _load(unit, start, stop, lanes)
            if has_velocity:
                _load(velocity, start, stop, speeds)
            for level in range(group, len(scales), groups):
                column = level * features
                for first in range(start, stop, LANES):
                    at = first - start
                    _locate(lanes, at, scales[level], shapes[level], _are_inside(lanes, at), rows, parts)
                    _weigh(parts, weights)
                    if has_velocity:
                        _weigh_slopes(parts, speeds, at, scales[level], slopes)
                    for i in range(min(LANES, stop - first)):
                        if has_velocity:
                            scatter_both(out, rows, weights, slopes, pair, i, grads[0], grads[1], first + i, column)
                        else:
                            scatter(out, rows, weights, pair, i, grads[0], first + i, column)


@no_type_check
@numba.njit(**_OPTIONS)
def _project(table, rows, grad, pair, first, count, column, out):
    """For each vertex and lane its features times the gradient; lanes beyond the last sample get 0."""
    out[:] = 0
    for i in range(count):
        for c in range(8):
            total = table.dtype.type(0)
            for f in range(len(pair)):
                total += table[np.uintp(rows[c, i]), f] * grad[first + i, column + f]
            out[c, i] = total


@no_type_check
@numba.njit(**_OPTIONS)
def _add_slopes(corners, parts, scale, sums):
    """Add the derivatives by x, y and z of the interpolated corners."""
    one = parts.dtype.type(1)
    x_parts, y_parts, z_parts = parts[0], parts[1], parts[2]
    x_sums, y_sums, z_sums = sums[0], sums[1], sums[2]
    c000, c100, c010, c110 = corners[0], corners[1], corners[2], corners[3]
    c001, c101, c011, c111 = corners[4], corners[5], corners[6], corners[7]
    for i in range(LANES):
        u, v, w = x_parts[i], y_parts[i], z_parts[i]
        x, y, z = one - u, one - v, one - w
        along_x = ((c100[i] - c000[i]) * y + (c110[i] - c010[i]) * v) * z
        along_x += ((c101[i] - c001[i]) * y + (c111[i] - c011[i]) * v) * w
        along_y = ((c010[i] - c000[i]) * x + (c110[i] - c100[i]) * u) * z
        along_y += ((c011[i] - c001[i]) * x + (c111[i] - c101[i]) * u) * w
        along_z = ((c001[i] - c000[i]) * x + (c101[i] - c100[i]) * u) * y
        along_z += ((c011[i] - c010[i]) * x + (c111[i] - c110[i]) * u) * v
        x_sums[i] += scale * along_x
        y_sums[i] += scale * along_y
        z_sums[i] += scale * along_z


@no_type_check
@numba.njit(**_OPTIONS)
def _add_curves(corners, parts, speeds, scale, sums):
    """Add the derivatives by x, y and z of the derivative along a velocity: the mixed ones, since no axis bends by itself."""
    one = parts.dtype.type(1)
    x_parts, y_parts, z_parts = parts[0], parts[1], parts[2]
    a_lanes, b_lanes, c_lanes = speeds[0], speeds[1], speeds[2]
    x_sums, y_sums, z_sums = sums[0], sums[1], sums[2]
    c000, c100, c010, c110 = corners[0], corners[1], corners[2], corners[3]
    c001, c101, c011, c111 = corners[4], corners[5], corners[6], corners[7]
    square = scale * scale
    for i in range(LANES):
        u, v, w = x_parts[i], y_parts[i], z_parts[i]
        x, y, z = one - u, one - v, one - w
        a, b, c = a_lanes[i] * square, b_lanes[i] * square, c_lanes[i] * square
        xy = (c110[i] - c010[i] - c100[i] + c000[i]) * z + (c111[i] - c011[i] - c101[i] + c001[i]) * w
        xz = (c101[i] - c001[i] - c100[i] + c000[i]) * y + (c111[i] - c011[i] - c110[i] + c010[i]) * v
        yz = (c011[i] - c001[i] - c010[i] + c000[i]) * x + (c111[i] - c101[i] - c110[i] + c100[i]) * u
        x_sums[i] += b * xy + c * xz
        y_sums[i] += a * xy + c * yz
        z_sums[i] += a * xz + b * yz


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def position_gradient(unit, velocity, table, grads, scales, shapes, pair, out):
    """Fill gradients (p, s, 3) by positions, and with ``velocity`` (p = 2) by velocities."""
    features, n = len(pair), len(unit)
    for block in numba.prange((n + LANES - 1) // LANES):
        lanes, speeds, rows, parts, corners, _ = _buffers(LANES, unit.dtype)
        sums = np.zeros((2, 3, LANES), unit.dtype)
        first = block * LANES
        count = min(LANES, n - first)
        _load(unit, first, first + count, lanes)
        is_inside = _are_inside(lanes, 0)
        if len(velocity) > 0:
            _load(velocity, first, first + count, speeds)
        for level in range(len(scales)):
            _locate(lanes, 0, scales[level], shapes[level], is_inside, rows, parts)
            _project(table, rows, grads[0], pair, first, count, level * features, corners)
            _add_slopes(corners, parts, scales[level], sums[0])
            if len(velocity) > 0:
                _project(table, rows, grads[1], pair, first, count, level * features, corners)
                _add_slopes(corners, parts, scales[level], sums[1])
                _add_curves(corners, parts, speeds, scales[level], sums[0])
        for part in range(len(out)):
            for i in range(count):
                for axis in range(3):
                    out[part, first + i, axis] = sums[part, axis, i]
