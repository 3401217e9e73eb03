"""Marching rays through an occupancy grid on the CPU; the same steps as the reference, ray by ray."""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numba
import numpy as np
import torch

from ....core.threads import parallel_code
from .torch_marching import March, Marched

_BLOCK = 32
"""Rays that a thread takes at once."""
_BOX, _SPHERE, _TANH = 0, 1, 2
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


def march(task: March) -> Marched:
    """See :func:`trisparse.rendering.radiance.marching.march`."""
    kind = {"aabb": _BOX, "sphere": _SPHERE, "tanh": _TANH}[task.contraction]
    origins, directions = task.origins.double().contiguous().numpy(), task.directions.double().contiguous().numpy()
    limits, box = torch.stack([task.t_min, task.t_max], 1).numpy(), task.aabb.double().contiguous().numpy()
    occupied = task.occupied.contiguous().numpy()
    arguments = (origins, directions, limits, box, kind, occupied, task.step, task.cone_angle)
    starts = np.zeros(len(origins) + 1, np.int64)
    nothing, no_rays = np.empty(0), np.empty(0, np.int64)
    with parallel_code():
        _march(*arguments, starts[1:], False, nothing, nothing, no_rays)
        np.cumsum(starts, out=starts)
        t_starts, t_ends, rays = np.empty(starts[-1]), np.empty(starts[-1]), np.empty(starts[-1], np.int64)
        _march(*arguments, starts, True, t_starts, t_ends, rays)
    return Marched(torch.from_numpy(t_starts), torch.from_numpy(t_ends), torch.from_numpy(rays))


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def _march(
    origins, directions, limits, box, kind, occupied, step, cone_angle, numbers, is_second, t_starts, t_ends, rays
):
    """First count each ray's samples into ``numbers``; then, given where each ray begins, write them."""
    for block in numba.prange((len(origins) + _BLOCK - 1) // _BLOCK):
        for ray in range(block * _BLOCK, min((block + 1) * _BLOCK, len(origins))):
            place = numbers[ray] if is_second else 0
            near, far = limits[ray]
            o, d = origins[ray], directions[ray]
            start, end = near, near + max(near * cone_angle, step)
            middle = near + max(near * cone_angle, step) / 2
            while middle < far:
                x, y, z = o[0] + middle * d[0], o[1] + middle * d[1], o[2] + middle * d[2]
                is_hit = _is_occupied(x, y, z, box, kind, occupied)
                if is_hit:
                    if is_second:
                        t_starts[place], t_ends[place], rays[place] = start, end, ray
                    place += 1
                if is_hit or kind != _BOX:
                    start = end
                    end = start + max(start * cone_angle, step)
                    middle = (start + end) / 2
                else:
                    middle += _skip(x, y, z, d, far - middle, box, occupied, step)
                    half = max(middle * cone_angle, step) / 2
                    start, end = middle - half, middle + half
            if not is_second:
                numbers[ray] = place


@no_type_check
@numba.njit(**_OPTIONS)
def _cell(unit, count):
    return min(max(int(unit * count), 0), count - 1)


@no_type_check
@numba.njit(**_OPTIONS)
def _is_occupied(x, y, z, box, kind, occupied):
    if kind == _BOX and not (
        (x >= box[0]) & (y >= box[1]) & (z >= box[2]) & (x <= box[3]) & (y <= box[4]) & (z <= box[5])
    ):
        return False
    u, v, w = (x - box[0]) / (box[3] - box[0]), (y - box[1]) / (box[4] - box[1]), (z - box[2]) / (box[5] - box[2])
    if kind == _TANH:
        u, v, w = (math.tanh(u - 0.5) + 1) / 2, (math.tanh(v - 0.5) + 1) / 2, (math.tanh(w - 0.5) + 1) / 2
    elif kind == _SPHERE:
        u, v, w = u * 2 - 1, v * 2 - 1, w * 2 - 1
        norm = math.sqrt(u * u + v * v + w * w)
        factor = (2 - 1 / norm) / norm if norm > 1 else 1.0
        u, v, w = factor * u / 4 + 0.5, factor * v / 4 + 0.5, factor * w / 4 + 0.5
    return occupied[_cell(u, occupied.shape[0]), _cell(v, occupied.shape[1]), _cell(w, occupied.shape[2])]


@no_type_check
@numba.njit(**_OPTIONS)
def _skip(x, y, z, d, left, box, occupied, step):
    """How far it is out of the cell, in whole steps, at least one; not beyond what is left by more than a step."""
    distance = np.inf
    for axis in range(3):
        if d[axis] != 0:
            size, count = box[3 + axis] - box[axis], occupied.shape[axis]
            inside = ((x if axis == 0 else y if axis == 1 else z) - box[axis]) / size * count
            edge = np.floor(inside + 0.5 + 0.5 * np.sign(d[axis])) - inside
            distance = min(distance, edge / d[axis] / count * size)
    return max(np.ceil(min(max(distance, 0.0), left) / step), 1.0) * step
