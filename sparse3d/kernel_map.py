"""Which input voxel meets which output voxel under which kernel tap (MinkowskiEngine's rule, docs/conventions.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from weakref import ref

import torch
from jaxtyping import Int32, Int64
from torch import Tensor

from ..core.backend import Op
from .grid import Triple, VoxelGrid
from .neighbour_table import NeighbourTable

MATCH_KEYS = Op(
    "match voxels",
    {
        "triton": "trisparse.sparse3d.kernels.triton_gpu:match_keys",
        "numba": "trisparse.sparse3d.kernels.numba_cpu:match_keys",
        "torch": "trisparse.sparse3d.kernels.torch_ref:match_keys",
    },
)

MIRROR = Op(
    "mirror taps",
    {
        "numba": "trisparse.sparse3d.kernels.numba_cpu:mirror_image",
        "torch": "trisparse.sparse3d.kernels.torch_ref:mirror_image",
    },
)

Pair = tuple[Int64[Tensor, "_"], Int64[Tensor, "_"]]


@dataclass(frozen=True, eq=False)
class KernelMap:
    """For each tap the rows of the input and of the output that it joins; no row is there twice in one tap.

    The pairs lie tap after tap. Within a tap both sides follow the order of the coordinates, which a translation keeps, so
    that pairs near one another in the list are near one another in space. A run is a stretch of rows in that order.
    """

    rows_in: Int32[Tensor, "m"]
    rows_out: Int32[Tensor, "m"]
    starts: tuple[int, ...]
    """Where each tap's pairs begin, and the end of the last."""
    runs_in: Int64[Tensor, "k r"]
    """For each tap where the pairs of each run of input rows begin, and the end of the last."""
    runs_out: Int64[Tensor, "k s"]
    """The same for runs of output rows."""
    n_in: int
    n_out: int

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Rows of the input and of the output, tap by tap, as torch indexes fastest."""
        rows_in, rows_out = self.rows_in.long(), self.rows_out.long()
        return tuple((rows_in[start:stop], rows_out[start:stop]) for start, stop in pairwise(self.starts))

    @cached_property
    def neighbours(self) -> NeighbourTable:
        """The same as tiles of output rows, for kernels that gather."""
        return NeighbourTable.of(self.rows_in, self.rows_out, self.starts, self.n_out)

    @cached_property
    def transposed(self) -> KernelMap:
        """The same taps the other way."""
        return KernelMap(
            self.rows_out, self.rows_in, self.starts, self.runs_out, self.runs_in, n_in=self.n_out, n_out=self.n_in
        )


@dataclass(frozen=True, eq=False)
class Matches:
    """The pairs of some taps as places in the sorted lists of keys; what MATCH_KEYS gives. The fields are KernelMap's."""

    places_in: Int32[Tensor, "m"]
    places_out: Int32[Tensor, "m"]
    runs_in: Int64[Tensor, "k r"]
    runs_out: Int64[Tensor, "k s"]


def run_width(rows: int) -> int:
    """Rows in a run: few enough for the cache, and enough runs to share among threads. Does not change any result."""
    return 256 if rows >= 4096 else 64


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
    offsets = kernel_offsets(size, step)
    if not centred:
        offsets = offsets - offsets.min(0).values
    mirrored = source is target and all(n % 2 for n in size)
    if mirrored:
        offsets = offsets[: len(offsets) // 2]
    keys_in, keys_out, steps = source.sorted_keys_with(target, offsets)
    match = MATCH_KEYS.pick(source.device)
    found: Matches = match(keys_in, keys_out, steps, run_width(len(source)), run_width(len(target)))
    if mirrored:
        found = MIRROR.pick(source.device)(found, len(source))
    starts = (*found.runs_out[:, 0].tolist(), len(found.places_in))
    rows_in, rows_out = (
        grid.order32.index_select(0, places) for grid, places in ((source, found.places_in), (target, found.places_out))
    )
    return KernelMap(rows_in, rows_out, starts, found.runs_in, found.runs_out, n_in=len(source), n_out=len(target))
