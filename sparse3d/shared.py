"""Features of scenes that several sentences read: one scene a sentence, but nothing is copied before it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from .grid import VoxelGrid
from .ops import lookup
from .tensor import SparseTensor


@dataclass(frozen=True, eq=False)
class SharedTensor:
    """A sparse tensor whose batch entry b is a copy of entry ``scene_of[b]`` of another.

    Copies would cost as much memory as there are sentences, and training reads few of their rows.
    """

    source: SparseTensor
    scene_of: Int64[Tensor, "b"]

    @cached_property
    def rows(self) -> Int64[Tensor, "v"]:
        """The source's row that each voxel copies; copy after copy, within a copy in the source's order."""
        order = torch.argsort(self.source.grid.coords[:, 0], stable=True)
        parts = order.split(self._counts.tolist())
        return torch.cat([order[:0], *(parts[scene] for scene in self.scene_of.tolist())])

    @cached_property
    def grid(self) -> VoxelGrid:
        """The voxels of all copies."""
        coords = self.source.grid.coords[self.rows]
        copies = torch.arange(len(self.scene_of), dtype=coords.dtype, device=coords.device)
        coords[:, 0] = torch.repeat_interleave(copies, self._counts[self.scene_of])
        return VoxelGrid.unchecked(coords, self.source.grid.stride)

    @cached_property
    def _counts(self) -> Int64[Tensor, "_"]:
        """Voxels of each scene, those that nothing copies among them."""
        scenes = max([0, *(scene + 1 for scene in self.scene_of.tolist())])
        return torch.bincount(self.source.grid.coords[:, 0].long(), minlength=scenes)

    def contains(self, coords: Int[Tensor, "m 4"]) -> Bool[Tensor, "m"]:
        """Whether there is a voxel at each coordinate (b, x, y, z)."""
        return self.source.grid.rows_of(self._in_source(coords)) >= 0

    def lookup(self, coords: Int[Tensor, "m 4"]) -> Float[Tensor, "m c"]:
        """Features at some coordinates (b, x, y, z), zeros where there is no voxel."""
        return lookup(self.source, self._in_source(coords))

    def prune(self, keep: Bool[Tensor, "v"]) -> SparseTensor:
        """The voxels where a mask is true, in their order, on a new grid."""
        return SparseTensor(self.grid.select(keep), self.source.feats[self.rows[keep]])

    def spread(
        self, judge: Callable[[VoxelGrid, Sequence[Tensor]], Bool[Tensor, "_"]], about: Sequence[Tensor]
    ) -> Bool[Tensor, "v"]:
        """What ``judge`` says of the voxels of all copies, asked once for copies of one scene with the same tensor.

        Args:
            judge: Given a grid and a tensor for each of its batch entries, says something of each voxel.
            about: The tensor of each copy.
        """
        kinds = [(scene, id(one)) for scene, one in zip(self.scene_of.tolist(), about, strict=True)]
        first = {kind: kinds.index(kind) for kind in kinds}
        different = SharedTensor(self.source, self.scene_of[list(first.values())])
        said = judge(different.grid, [about[number] for number in first.values()])
        parts = dict(zip(first, said.split(self._counts[different.scene_of].tolist()), strict=True))
        return torch.cat([said[:0], *(parts[kind] for kind in kinds)])

    def _in_source(self, coords: Int[Tensor, "m 4"]) -> Int[Tensor, "m 4"]:
        scene = self.scene_of[coords[:, 0].long()].to(coords.dtype)
        return torch.cat([scene[:, None], coords[:, 1:]], 1)
