"""Features on voxels."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ..core.errors import GridMismatch, ShapeMismatch
from .grid import VoxelGrid


@dataclass(frozen=True, eq=False)
class SparseTensor:
    """One row of features for each voxel of a grid.

    Raises:
        ShapeMismatch: Not one row a voxel.
        GridMismatch: Features and coordinates on different devices.
    """

    grid: VoxelGrid
    feats: Float[Tensor, "v c"]

    def __post_init__(self) -> None:
        if len(self.grid) != len(self.feats):
            raise ShapeMismatch(f"{len(self.grid)} voxels but {len(self.feats)} rows of features; give one row a voxel")
        if self.grid.device != self.feats.device:
            raise GridMismatch(f"voxels on {self.grid.device}, features on {self.feats.device}; move one to the other")

    def with_feats(self, feats: Float[Tensor, "v d"]) -> SparseTensor:
        """Other features on the same grid."""
        return SparseTensor(self.grid, feats)

    def __add__(self, other: SparseTensor) -> SparseTensor:
        if self.grid is not other.grid:
            raise GridMismatch(
                f"cannot add features on different grids: got {len(self.grid)} and {len(other.grid)} voxels; "
                "look one up at the other's coordinates first, or use union_add"
            )
        return self.with_feats(self.feats + other.feats)
