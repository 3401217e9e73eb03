"""What is known of one place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from .boxes import Boxes3D
from .point_cloud import PointCloud
from .referral import Referral


@dataclass(frozen=True)
class SceneObject:
    """One annotated object: axis-aligned box in the scene's frame, in metres."""

    object_id: int
    category: str
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    color: str | None = None
    """Name of its colour, where the data set tells (generated rooms do)."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One place: points, objects and sentences share one world frame (metres, z up)."""

    scene_id: str
    cloud: PointCloud
    objects: tuple[SceneObject, ...] = ()
    referrals: tuple[Referral, ...] = ()

    @property
    def boxes(self) -> Boxes3D:
        """The objects' boxes, in their order, as float64."""
        return Boxes3D.axis_aligned(_stack([o.center for o in self.objects]), _stack([o.size for o in self.objects]))

    def object(self, object_id: int) -> SceneObject:
        """The object with an id.

        Raises:
            KeyError: No such object.
        """
        for candidate in self.objects:
            if candidate.object_id == object_id:
                return candidate
        raise KeyError(f"scene {self.scene_id} has no object {object_id}")


def _stack(rows: list[tuple[float, float, float]]) -> Float64[Tensor, "m 3"]:
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 3)
