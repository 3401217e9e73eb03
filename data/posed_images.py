"""Photos with their cameras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.errors import ShapeMismatch
from .cameras import Cameras
from .point_cloud import PointCloud

Load = Callable[[], Float[Tensor, "h w 3"]]
"""Gives one photo, red green blue in 0..1, at the cameras' size; called once, when the photo is first wanted."""


@dataclass(frozen=True, eq=False)
class SparsePoints:
    """Points that structure from motion found, and which photos see each."""

    cloud: PointCloud
    visible: Bool[Tensor, "p n"]
    """Point p was found in photo n."""

    def __post_init__(self) -> None:
        if len(self.visible) != len(self.cloud.points):
            raise ShapeMismatch(f"visibility of {len(self.visible)} points for {len(self.cloud.points)} points")

    def seen_by(self, rows: Sequence[int], at_least: int = 2) -> PointCloud:
        """The points that at least so many of some photos see: what those photos alone could have found."""
        chosen = self.visible[:, list(rows)].sum(1) >= at_least
        return PointCloud(self.cloud.points[chosen], None if self.cloud.colors is None else self.cloud.colors[chosen])


@dataclass(frozen=True, eq=False)
class PosedImages:
    """Photos of one place with one camera each. Photos are read when they are first wanted, and kept."""

    cameras: Cameras
    names: tuple[str, ...]
    """Of the photos, in the order of the cameras: file names, for messages and results."""
    loads: tuple[Load, ...]
    points: SparsePoints | None = None
    warnings: tuple[str, ...] = ()
    """What the reader had to assume or leave out."""
    _kept: dict[int, Float[Tensor, "h w 3"]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not len(self.cameras) == len(self.names) == len(self.loads):
            raise ShapeMismatch(f"{len(self.cameras)} cameras, {len(self.names)} names, {len(self.loads)} photos")
        if self.points is not None and self.points.visible.shape[1] != len(self):
            raise ShapeMismatch(
                f"points with their visibility in {self.points.visible.shape[1]} photos for {len(self)}"
            )

    @classmethod
    def from_tensors(
        cls,
        cameras: Cameras,
        images: Float[Tensor, "n h w 3"],
        names: Sequence[str] | None = None,
        points: SparsePoints | None = None,
    ) -> PosedImages:
        """Photos that are in memory already."""
        names = tuple(names) if names is not None else tuple(f"{i:03d}" for i in range(len(images)))
        return cls(cameras, names, tuple(_Known(image) for image in images), points)

    def __len__(self) -> int:
        return len(self.names)

    def image(self, row: int) -> Float[Tensor, "h w 3"]:
        """One photo, 0..1."""
        if row not in self._kept:
            image = self.loads[row]()
            expected = (self.cameras.height, self.cameras.width, 3)
            if tuple(image.shape) != expected:
                raise ShapeMismatch(
                    f"photo {self.names[row]} has shape {tuple(image.shape)}, its camera says {expected}"
                )
            self._kept[row] = image
        return self._kept[row]

    def images(self) -> Float[Tensor, "n h w 3"]:
        """All photos, 0..1."""
        if not len(self):
            return torch.zeros(0, self.cameras.height, self.cameras.width, 3)
        return torch.stack([self.image(row) for row in range(len(self))])

    def select(self, rows: Sequence[int]) -> PosedImages:
        """Some of the photos, in the order asked for; points keep their visibility in them."""
        points = None if self.points is None else replace(self.points, visible=self.points.visible[:, list(rows)])
        return replace(
            self,
            cameras=self.cameras[rows],
            names=tuple(self.names[row] for row in rows),
            loads=tuple(self.loads[row] for row in rows),
            points=points,
            _kept={new: self._kept[old] for new, old in enumerate(rows) if old in self._kept},
        )


@dataclass(frozen=True, eq=False)
class _Known:
    image: Float[Tensor, "h w 3"]

    def __call__(self) -> Float[Tensor, "h w 3"]:
        return self.image
