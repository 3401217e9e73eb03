"""Occupied voxels: where they are, and which row is at which coordinate."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Int, Int32, Int64
from torch import Tensor

from ..core.backend import Op
from ..core.errors import InvalidInput

FIND_ROWS = Op(
    "find rows",
    {
        "triton": "trisparse.sparse3d.kernels.triton_gpu:find_rows",
        "numba": "trisparse.sparse3d.kernels.numba_cpu:find_rows",
        "torch": "trisparse.sparse3d.kernels.torch_ref:find_rows",
    },
)

SORT_KEYS = Op(
    "sort voxels",
    {
        "numba": "trisparse.sparse3d.kernels.numba_cpu:sort_keys",
        "torch": "trisparse.sparse3d.kernels.torch_ref:sort_keys",
    },
)

Triple = tuple[int, int, int]
ROUND = 64
"""The bounds of packed coordinates are multiples of this where keys allow it."""
T = TypeVar("T")


def triple(value: int | Sequence[int], what: str) -> Triple:
    """One positive number for all axes, or one for each.

    Raises:
        InvalidInput: Not one or three positive integers.
    """
    parts = (value,) * 3 if isinstance(value, int) else tuple(int(part) for part in value)
    if len(parts) != 3 or min(parts) < 1:
        raise InvalidInput(f"{what} must be one or three integers of at least 1, got {value}")
    return parts[0], parts[1], parts[2]


@dataclass(frozen=True)
class _Packing:
    """Coordinates to one sortable 64-bit key: batch first, then x, y, z."""

    low: tuple[int, int, int, int]
    extent: tuple[int, int, int, int]

    @classmethod
    def around(cls, low: list[int], high: list[int]) -> _Packing:
        """For coordinates in [low, high]; with room around them where there is some, so that few packings serve many needs."""
        wide = [start // ROUND * ROUND for start in low], [end // ROUND * ROUND + ROUND - 1 for end in high]
        if math.prod(end - start + 1 for start, end in zip(*wide, strict=True)) < 2**63:
            low, high = wide
        extent = [end - start + 1 for start, end in zip(low, high, strict=True)]
        cells = extent[0] * extent[1] * extent[2] * extent[3]
        if cells >= 2**63:
            raise InvalidInput(
                f"voxel coordinates from {low} to {high} (batch, x, y, z) span too many cells for 64-bit keys; "
                "check the units of the points or take larger voxels"
            )
        return cls((low[0], low[1], low[2], low[3]), (extent[0], extent[1], extent[2], extent[3]))

    def keys(self, coords: Int[Tensor, "m 4"]) -> Int64[Tensor, "m"]:
        """Keys of coordinates in the packed range; they sort as the coordinates do."""
        b, x, y, z = coords.unbind(1)
        keys = b.to(torch.int64, copy=True)
        for column, extent in ((x, self.extent[1]), (y, self.extent[2]), (z, self.extent[3])):
            keys.mul_(extent).add_(column)
        return keys.sub_(self._key_of_zero)

    @property
    def _key_of_zero(self) -> int:
        """The key that the lowest coordinates would have if nothing were taken off them, wrapped to 64 bits as tensors do."""
        b, x, y, z = self.low
        key = ((b * self.extent[1] + x) * self.extent[2] + y) * self.extent[3] + z
        return (key + 2**63) % 2**64 - 2**63

    def step(self, offset: Sequence[int]) -> int:
        """What a spatial offset adds to a key."""
        return (offset[0] * self.extent[2] + offset[1]) * self.extent[3] + offset[2]

    def unpack(self, keys: Int64[Tensor, "m"]) -> Int32[Tensor, "m 4"]:
        """The inverse of :meth:`keys`."""
        rest, z = keys // self.extent[3], keys % self.extent[3]
        rest, y = rest // self.extent[2], rest % self.extent[2]
        b, x = rest // self.extent[1], rest % self.extent[1]
        return (torch.stack([b, x, y, z], 1) + torch.tensor(self.low, device=keys.device)).int()


@dataclass(frozen=True, eq=False)
class VoxelGrid:
    """Occupied voxels of a batch of scenes.

    ``coords`` holds (batch, x, y, z) in units of the finest voxels: unique rows, multiples of ``stride`` (one number an
    axis). Two grids are the same only if they are the same object; what is derived from a grid (coarser grids, kernel maps)
    is remembered on it.

    Raises:
        InvalidInput: A coordinate that is repeated, no multiple of the stride, or of a negative batch number.
    """

    coords: Int32[Tensor, "v 4"]
    stride: Triple = (1, 1, 1)
    _memo: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stride", triple(self.stride, "stride"))
        if not len(self.coords):
            return
        if int(self.coords[:, 0].min()) < 0:
            raise InvalidInput(f"batch numbers start at 0, got {int(self.coords[:, 0].min())}")
        off = (self.coords[:, 1:] % torch.tensor(self.stride, device=self.device)).any(1)
        if bool(off.any()):
            raise InvalidInput(f"voxel {self.coords[off][0].tolist()} is no multiple of the stride {self.stride}")
        ordered = self.coords[self.order]
        same = (ordered[1:] == ordered[:-1]).all(1)
        if bool(same.any()):
            voxel = ordered[1:][same][0].tolist()
            raise InvalidInput(f"voxel {voxel} is there twice; merge voxels first (see voxelize)")

    @classmethod
    def unchecked(cls, coords: Int32[Tensor, "v 4"], stride: Triple) -> VoxelGrid:
        """A grid whose rows are known to be unique multiples of the stride."""
        grid = object.__new__(cls)
        for name, value in (("coords", coords), ("stride", stride), ("_memo", {})):
            object.__setattr__(grid, name, value)
        return grid

    @classmethod
    def unique(cls, coords: Int32[Tensor, "m 4"], stride: Triple) -> VoxelGrid:
        """The distinct voxels among some coordinates, sorted by batch, x, y, z."""
        if not len(coords):
            return cls.unchecked(coords, stride)
        packing = _Packing.around(*_bounds(coords))
        keys, _ = SORT_KEYS.pick(coords.device)(packing.keys(coords))
        keys = keys[torch.cat([keys.new_ones(1), keys.diff()]) > 0]
        grid = cls.unchecked(packing.unpack(keys), stride)
        grid._memo["order"] = torch.arange(len(grid), device=coords.device)
        grid._memo[packing] = keys
        return grid

    def __len__(self) -> int:
        return len(self.coords)

    @property
    def device(self) -> torch.device:
        """Where the coordinates are."""
        return self.coords.device

    @property
    def n_batch(self) -> int:
        """Highest batch number plus one; 0 for an empty grid."""
        return self.remember("n_batch", lambda: int(self.coords[:, 0].max()) + 1 if len(self) else 0)

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gives, made once for this grid."""
        if key not in self._memo:
            self._memo[key] = make()
        return self._memo[key]

    def recall(self, key: Hashable) -> Any:
        """What was stored under a key, or None."""
        return self._memo.get(key)

    def store(self, key: Hashable, value: object) -> None:
        """Remember a value that depends on this grid."""
        self._memo[key] = value

    def rows_of(self, coords: Int[Tensor, "m 4"]) -> Int64[Tensor, "m"]:
        """The row at each coordinate, -1 where there is no voxel."""
        return self.rows_near(coords, torch.zeros(1, 3, dtype=torch.int64))[0]

    def rows_near(self, coords: Int[Tensor, "m 4"], offsets: Int64[Tensor, "k 3"]) -> list[Int64[Tensor, "m"]]:
        """For each spatial offset the row at each ``coordinate + offset``, -1 where there is no voxel."""
        steps = offsets.tolist()
        if not len(self) or not len(coords):
            return [torch.full((len(coords),), -1, dtype=torch.int64, device=coords.device) for _ in steps]
        packing = _Packing.around(*_joint_bounds(self._bounds, _bounds(coords), steps))
        keys, wanted = self._sorted_keys(packing), packing.keys(coords)
        find = FIND_ROWS.pick(self.device)
        return [find(keys, self.order, wanted, packing.step(step)) for step in steps]

    def sorted_keys_with(
        self, other: VoxelGrid, offsets: Int64[Tensor, "k 3"]
    ) -> tuple[Int64[Tensor, "v"], Int64[Tensor, "w"], Int64[Tensor, "k"]]:
        """Keys of this grid's voxels and of another's, each sorted, and what each spatial offset adds to a key."""
        steps = offsets.tolist()
        if not len(self) or not len(other) or not steps:
            bounds = [0] * 4, [0] * 4
        else:
            bounds = _joint_bounds(self._bounds, other._bounds, steps)
        packing = _Packing.around(*bounds)
        keys, others = self._sorted_keys(packing), other._sorted_keys(packing)
        return keys, others, torch.tensor([packing.step(step) for step in steps], dtype=torch.int64, device=self.device)

    def strided(self, factor: int | Sequence[int]) -> VoxelGrid:
        """The coarser grid of cells that hold a voxel: ``floor(c / s) * s`` with s = stride * factor, sorted.

        The same object every time it is asked for.
        """
        factors = triple(factor, "stride")
        if factors == (1, 1, 1):
            return self
        return self.remember(("strided", factors), lambda: self._make_strided(factors))

    def _make_strided(self, factors: Triple) -> VoxelGrid:
        stride = tuple(s * f for s, f in zip(self.stride, factors, strict=True))
        return VoxelGrid.unique(self.floored((stride[0], stride[1], stride[2])), (stride[0], stride[1], stride[2]))

    def floored(self, stride: Triple) -> Int32[Tensor, "v 4"]:
        """Each voxel's cell in a coarser lattice; true floor, also for negative coordinates."""
        steps = torch.tensor((1, *stride), device=self.device, dtype=torch.int32)
        return torch.div(self.coords, steps, rounding_mode="floor") * steps

    def shifted(self, offsets: Int[Tensor, "k 3"], stride: Triple) -> VoxelGrid:
        """All voxels ``c + offset``, merged, sorted."""
        steps = torch.cat([offsets.new_zeros(len(offsets), 1), offsets], 1).to(self.coords)
        return VoxelGrid.unique((self.coords[None] + steps[:, None]).reshape(-1, 4), stride)

    def select(self, keep: Bool[Tensor, "v"] | Int64[Tensor, "m"]) -> VoxelGrid:
        """Some of the voxels: where a mask is true, or at distinct rows in their order."""
        return VoxelGrid.unchecked(self.coords[keep], self.stride)

    @property
    def order(self) -> Int64[Tensor, "v"]:
        """Rows sorted by batch, x, y, z."""
        return self.remember("order", self._sort)

    @property
    def order32(self) -> Int32[Tensor, "v"]:
        """The same in 32 bits."""
        return self.remember("order32", lambda: self.order.int())

    def _sort(self) -> Int64[Tensor, "v"]:
        if not len(self):
            return torch.empty(0, dtype=torch.int64, device=self.device)
        packing = _Packing.around(*self._bounds)
        keys, order = SORT_KEYS.pick(self.device)(packing.keys(self.coords))
        self.store(packing, keys)
        return order

    def _sorted_keys(self, packing: _Packing) -> Int64[Tensor, "v"]:
        order = self.order
        return self.remember(packing, lambda: packing.keys(self.coords).index_select(0, order))

    @property
    def _bounds(self) -> tuple[list[int], list[int]]:
        return self.remember("bounds", lambda: _bounds(self.coords))


def _bounds(coords: Int[Tensor, "m 4"]) -> tuple[list[int], list[int]]:
    low, high = torch.aminmax(coords, dim=0)
    return low.tolist(), high.tolist()


def _joint_bounds(
    a: tuple[list[int], list[int]], b: tuple[list[int], list[int]], offsets: list[list[int]]
) -> tuple[list[int], list[int]]:
    """Of coordinates in some bounds and of others moved by any of the offsets."""
    (a_low, a_high), (b_low, b_high) = a, b
    columns = [[0], *([offset[axis] for offset in offsets] for axis in range(3))]
    low = [min(x, y + min(column)) for x, y, column in zip(a_low, b_low, columns, strict=True)]
    high = [max(x, y + max(column)) for x, y, column in zip(a_high, b_high, columns, strict=True)]
    return [min(x, y) for x, y in zip(low, b_low, strict=True)], [max(x, y) for x, y in zip(high, b_high, strict=True)]
