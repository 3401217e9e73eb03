"""Marching rays through an occupancy grid on the CPU; the same steps as the reference, ray by ray."""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numba
import numpy as np
import torch

from ....core.threads import parallel_code
from ..occupancy import BLOCK
from .torch_marching import March, Marched

_RAYS = 32
"""Rays that a thread takes at once."""
_MOST_ROOM = 1 << 27
"""Samples that there may be room for before their number is known; only what is used becomes real memory."""
_BOX, _SPHERE, _TANH = 0, 1, 2
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


def march(task: March) -> Marched:
    """See :func:`trisparse.rendering.radiance.marching.march`.

    Samples are first written where there is room for as many as a ray could have, then moved together. Where that is more
    than anyone has, rays are marched twice: once to count.
    """
    kind = {"aabb": _BOX, "sphere": _SPHERE, "tanh": _TANH}[task.contraction]
    origins, directions = task.origins.double().contiguous().numpy(), task.directions.double().contiguous().numpy()
    limits, box = torch.stack([task.t_min, task.t_max], 1).numpy(), task.aabb.double().contiguous().numpy()
    occupied, blocks = task.occupied.contiguous().numpy(), task.occupied_blocks.contiguous().numpy()
    arguments = (origins, directions, limits, box, kind, occupied, blocks, task.step, task.cone_angle)
    room = np.zeros(len(origins) + 1, np.int64)
    most = np.nan_to_num((limits[:, 1] - limits[:, 0]) / task.step, nan=0.0).clip(0) + 2
    np.cumsum(most.astype(np.int64), out=room[1:])
    has_room = bool(room[-1] <= _MOST_ROOM)
    starts, nothing = np.zeros(len(origins) + 1, np.int64), np.empty((0, 2))
    with parallel_code():
        loose = np.empty((room[-1], 2)) if has_room else nothing
        _march(*arguments, room, has_room, starts[1:], loose)
        np.cumsum(starts, out=starts)
        ends, rays = np.empty((starts[-1], 2)), np.empty(starts[-1], np.int64)
        if has_room:
            _gather(loose, room, starts, ends, rays)
        else:
            _march(*arguments, starts, True, starts[1:].copy(), ends)
            rays = np.repeat(np.arange(len(origins)), np.diff(starts))
    t = torch.from_numpy(ends)
    return Marched(t[:, 0], t[:, 1], torch.from_numpy(rays))


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def _gather(loose, room, starts, ends, rays):
    """Move each ray's samples from where there was room to where they belong."""
    for block in numba.prange((len(starts) - 1 + _RAYS - 1) // _RAYS):
        for ray in range(block * _RAYS, min((block + 1) * _RAYS, len(starts) - 1)):
            for k in range(starts[ray + 1] - starts[ray]):
                ends[starts[ray] + k, 0], ends[starts[ray] + k, 1] = loose[room[ray] + k, 0], loose[room[ray] + k, 1]
                rays[starts[ray] + k] = ray


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def _march(
    origins, directions, limits, box, kind, occupied, blocks, step, cone_angle, places, is_written, counts, ends
):
    """Count each ray's samples, and write them from its place on."""
    for block in numba.prange((len(origins) + _RAYS - 1) // _RAYS):
        for ray in range(block * _RAYS, min((block + 1) * _RAYS, len(origins))):
            if kind == _BOX:
                counts[ray] = _march_box(
                    origins[ray], directions[ray], limits[ray], box, occupied, blocks, step, cone_angle,
                    places[ray], is_written, ends,
                )  # fmt: skip
            else:
                counts[ray] = _march_contracted(
                    origins[ray], directions[ray], limits[ray], box, kind, occupied, step, cone_angle,
                    places[ray], is_written, ends,
                )  # fmt: skip


@no_type_check
@numba.njit(**_OPTIONS)
def _march_box(o, d, limits, box, occupied, blocks, step, cone_angle, first, is_written, ends):
    """Through a box, in units of its cells; empty cells and blocks of cells are left in whole steps."""
    nx, ny, nz = occupied.shape
    x0, dx, over_x = _to_cells(o[0], d[0], box[0], box[3], nx)
    y0, dy, over_y = _to_cells(o[1], d[1], box[1], box[4], ny)
    z0, dz, over_z = _to_cells(o[2], d[2], box[2], box[5], nz)
    near, far = limits
    start, end = near, near + max(near * cone_angle, step)
    middle = near + max(near * cone_angle, step) / 2
    place = first
    while middle < far:
        x, y, z = x0 + middle * dx, y0 + middle * dy, z0 + middle * dz
        is_inside = (x >= 0) & (y >= 0) & (z >= 0) & (x <= nx) & (y <= ny) & (z <= nz)
        side = 1.0
        if is_inside:
            i, j, k = min(int(x), nx - 1), min(int(y), ny - 1), min(int(z), nz - 1)
            if occupied[i, j, k]:
                if is_written:
                    ends[place, 0], ends[place, 1] = start, end
                place += 1
                start = end
                end = start + max(start * cone_angle, step)
                middle = (start + end) / 2
                continue
            if not blocks[i // BLOCK, j // BLOCK, k // BLOCK]:
                side = float(BLOCK)
        way = min(_exit(x, dx, over_x, side), _exit(y, dy, over_y, side), _exit(z, dz, over_z, side))
        middle += max(np.ceil(min(max(way, 0.0), far - middle) / step), 1.0) * step
        half = max(middle * cone_angle, step) / 2
        start, end = middle - half, middle + half
    return place - first


@no_type_check
@numba.njit(**_OPTIONS)
def _to_cells(origin, direction, low, high, count):
    """A ray's coordinate in cells, how fast it grows, and the inverse of that (0 where it does not)."""
    scale = count / (high - low)
    speed = direction * scale
    return (origin - low) * scale, speed, 1 / speed if speed != 0 else 0.0


@no_type_check
@numba.njit(**_OPTIONS)
def _exit(x, speed, over, side):
    """How far it is to where a ray leaves a slab of cells."""
    if speed == 0:
        return np.inf
    low = np.floor(x / side) * side
    return ((low + side if speed > 0 else low) - x) * over


@no_type_check
@numba.njit(**_OPTIONS)
def _march_contracted(o, d, limits, box, kind, occupied, step, cone_angle, first, is_written, ends):
    """Through contracted space, where rays bend: from step to step."""
    nx, ny, nz = occupied.shape
    sx, sy, sz = 1 / (box[3] - box[0]), 1 / (box[4] - box[1]), 1 / (box[5] - box[2])
    start, far = limits
    place = first
    end = start + max(start * cone_angle, step)
    middle = start + max(start * cone_angle, step) / 2
    while middle < far:
        u = (o[0] + middle * d[0] - box[0]) * sx
        v = (o[1] + middle * d[1] - box[1]) * sy
        w = (o[2] + middle * d[2] - box[2]) * sz
        if kind == _TANH:
            u, v, w = (math.tanh(u - 0.5) + 1) / 2, (math.tanh(v - 0.5) + 1) / 2, (math.tanh(w - 0.5) + 1) / 2
        else:
            u, v, w = u * 2 - 1, v * 2 - 1, w * 2 - 1
            norm = math.sqrt(u * u + v * v + w * w)
            factor = ((2 - 1 / norm) / norm if norm > 1 else 1.0) / 4
            u, v, w = factor * u + 0.5, factor * v + 0.5, factor * w + 0.5
        if occupied[_cell(u, nx), _cell(v, ny), _cell(w, nz)]:
            if is_written:
                ends[place, 0], ends[place, 1] = start, end
            place += 1
        start = end
        end = start + max(start * cone_angle, step)
        middle = (start + end) / 2
    return place - first


@no_type_check
@numba.njit(**_OPTIONS)
def _cell(unit, count):
    return min(max(int(unit * count), 0), count - 1)
