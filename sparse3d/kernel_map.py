"""Which input voxel meets which output voxel under which kernel tap (MinkowskiEngine's rule, docs/conventions.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from weakref import ref

import torch
from jaxtyping import Int64
from torch import Tensor

from .grid import Triple, VoxelGrid

BLOCK = 2048
"""Neighbouring rows that are worked on together, so that they stay in the processor's cache from tap to tap."""

Pair = tuple[Int64[Tensor, "_"], Int64[Tensor, "_"]]


@dataclass(frozen=True, eq=False)
class KernelMap:
    """For each tap the rows of the input and of the output that it joins; no row is there twice in one tap."""

    pairs: tuple[Pair, ...]
    n_in: int
    n_out: int
    cuts_in: tuple[tuple[int, ...], ...] = ()
    """For each tap where its pairs pass from one run of BLOCK input rows, in the order of the coordinates, to the next."""
    cuts_out: tuple[tuple[int, ...], ...] = ()
    """The same for output rows."""

    @cached_property
    def transposed(self) -> KernelMap:
        """The same taps the other way."""
        pairs = tuple((o, i) for i, o in self.pairs)
        return KernelMap(pairs, self.n_out, self.n_in, self.cuts_out, self.cuts_in)


def kernel_offsets(size: Triple, step: Triple) -> Int64[Tensor, "k 3"]:
    """Offsets of the taps, x fastest; odd sizes are centred, even ones start at 0.

    Args:
        size: Taps an axis.
        step: Distance of neighbouring taps an axis, in the finest voxels.
    """
    axes = [[(i - n // 2 if n % 2 else i) * s for i in range(n)] for n, s in zip(size, step, strict=True)]
    return torch.tensor([(x, y, z) for z, y, x in product(axes[2], axes[1], axes[0])], dtype=torch.int64)


def convolution_map(source: VoxelGrid, target: VoxelGrid, size: Triple, step: Triple) -> KernelMap:
    """Taps of a convolution: the output voxel u reads the input voxel ``u + offset``. Remembered on the input grid."""
    return _remembered(source, target, ("map", size, step), lambda: _build(source, target, size, step))


def cell_map(source: VoxelGrid, target: VoxelGrid, size: Triple) -> KernelMap:
    """Taps of a pooling whose window is its stride: the output voxel reads the voxels inside its own cell."""
    return _remembered(
        source, target, ("cells", size), lambda: _build(source, target, size, source.stride, centred=False)
    )


def _remembered(
    source: VoxelGrid, target: VoxelGrid, key: tuple[object, ...], make: Callable[[], KernelMap]
) -> KernelMap:
    """Keep a map on its source; the target is referred to weakly, so that grids never keep one another alive in a circle."""
    found: tuple[ref[VoxelGrid], KernelMap] | None = source.recall((*key, id(target)))
    if found is not None and found[0]() is target:
        return found[1]
    made = make()
    source.store((*key, id(target)), (ref(target), made))
    return made


def _build(source: VoxelGrid, target: VoxelGrid, size: Triple, step: Triple, *, centred: bool = True) -> KernelMap:
    offsets = kernel_offsets(size, step).to(source.device)
    if not centred:
        offsets = offsets - offsets.min(0).values
    half = len(offsets) // 2
    mirrored = source is target and all(n % 2 for n in size)
    pairs: list[Pair] = []
    # Asked in the order of the coordinates, so that one tap's pairs come in that order on both sides.
    for rows in source.rows_near(target.coords[target.order], offsets[:half] if mirrored else offsets):
        hit = (rows >= 0).nonzero().flatten()
        pairs.append((rows[hit], target.order[hit]))
    if mirrored:
        every = source.order
        pairs += [(every, every), *((out, into) for into, out in reversed(pairs))]
    cuts_in = _cuts([i for i, _ in pairs], source)
    cuts_out = tuple(reversed(cuts_in)) if mirrored else _cuts([o for _, o in pairs], target)
    return KernelMap(tuple(pairs), len(source), len(target), cuts_in, cuts_out)


def _cuts(rows_by_tap: list[Int64[Tensor, "_"]], grid: VoxelGrid) -> tuple[tuple[int, ...], ...]:
    place = torch.empty_like(grid.order)
    place[grid.order] = torch.arange(len(grid), device=grid.device)
    limits = torch.arange(0, len(grid) + BLOCK, BLOCK, device=grid.device)
    return tuple(tuple(torch.searchsorted(place[rows], limits).tolist()) for rows in rows_by_tap)
