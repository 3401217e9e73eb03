"""Hash-grid encoding on the CPU: values, derivatives along a direction, and gradients of both.

Forwards, threads take blocks of samples. The table's gradient is summed level by level, each by one thread, sample after
sample: so its bits do not depend on the number of threads, and nothing is added atomically.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ....core.threads import parallel_code
from ..hash_grid import HashGrid
from . import numba_grid_loops as loops
from . import torch_grid
from .recomputed import recomputed_gradients


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


def encode(unit: Float[Tensor, "s 3"], table: Float[Tensor, "t f"], grid: HashGrid) -> Float[Tensor, "s w"]:
    """See :func:`trisparse.rendering.radiance.encodings.encode_positions`."""
    return _Encode.apply(grid, table, unit)[0]


def encode_tangent(
    unit: Float[Tensor, "s 3"], velocity: Float[Tensor, "s 3"], table: Float[Tensor, "t f"], grid: HashGrid
) -> tuple[Float[Tensor, "s w"], Float[Tensor, "s w"]]:
    """See :func:`trisparse.rendering.radiance.encodings.encode_positions_tangent`."""
    return _Encode.apply(grid, table, unit, velocity)


class _Encode(torch.autograd.Function):
    """Of the table and positions, and perhaps their velocities; as many results as positions and velocities."""

    @staticmethod
    def forward(ctx: Any, grid: HashGrid, table: Tensor, *moving: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(table, *moving)
        ctx.grid = grid
        unit, velocity = _arrays(moving)
        out = table.new_empty(len(moving), len(unit), grid.width)
        with parallel_code():
            loops.encode(unit, velocity, _array(table), *_levels(grid, table), (0,) * grid.features, out.numpy())
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        grid: HashGrid = ctx.grid
        table, moving = ctx.saved_tensors[0], ctx.saved_tensors[1:]
        if torch.is_grad_enabled():
            return None, *recomputed_gradients(_reference(grid), (table, *moving), grads)
        unit, velocity = _arrays(moving)
        stacked = (torch.stack(grads) if len(moving) > 1 else grads[0].contiguous()[None]).numpy()
        scales, shapes = _levels(grid, table)
        pair = (0,) * grid.features
        of_table, of_moving = None, [None] * len(moving)
        with parallel_code():
            if ctx.needs_input_grad[1]:
                of_table = torch.zeros(table.shape, dtype=table.dtype)
                groups = min(grid.levels, numba.get_num_threads())
                loops.table_gradient(unit, velocity, stacked, scales, shapes, groups, pair, of_table.numpy())
            if any(ctx.needs_input_grad[2:]):
                found = table.new_empty(len(moving), len(unit), 3)
                loops.position_gradient(unit, velocity, _array(table), stacked, scales, shapes, pair, found.numpy())
                of_moving = list(found)
        return None, of_table, *of_moving


def _reference(grid: HashGrid) -> Callable[..., Sequence[Tensor]]:
    def again(table: Tensor, *moving: Tensor) -> Sequence[Tensor]:
        if len(moving) == 1:
            return (torch_grid.encode(moving[0], table, grid),)
        return torch_grid.encode_tangent(moving[0], moving[1], table, grid)

    return again


def _levels(grid: HashGrid, like: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Scales; resolution, entries, offset and whether dense."""
    scales = torch.tensor([level.scale for level in grid.pyramid], dtype=like.dtype).numpy()
    rows = [[level.resolution, level.entries, level.offset, int(level.is_dense)] for level in grid.pyramid]
    return scales, np.array(rows, np.int64)


def _arrays(moving: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities; without these an empty array."""
    return _array(moving[0]), _array(moving[1] if len(moving) > 1 else moving[0][:0])


def _array(values: Tensor) -> np.ndarray:
    return values.detach().contiguous().numpy()
