"""The stages that make a point cloud, z up and in metres where that is known, out of what was reconstructed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float64
from torch import Tensor

from ...core.errors import InvalidInput
from ...core.files import write_text
from ...data.camera_paths import gravity_of
from ...data.cameras import Cameras
from ...data.point_cloud import PointCloud
from ...data.readers.photos import read_photos
from ...data.readers.ply import write_ply
from ...data.readers.scannet import cloud_columns
from ...rendering.splat_files.files import read_splats
from ...rendering.splat_files.points import to_point_cloud
from ..event_nerf.points import field_points
from ..event_nerf.saved import load_field
from ..event_nerf.space import cameras_on_path
from ..stage import AbstractStage, StageContext
from .reconstruct_events import ReconstructEvents

_LEAST_OPACITY = 0.5


@dataclass(frozen=True)
class KnownDistance:
    """Two cameras, and how far apart they stand."""

    first: int
    """Number of a photo, from 0."""
    second: int
    metres: float

    def __post_init__(self) -> None:
        if not (0 < self.metres < math.inf and self.first != self.second):
            raise InvalidInput(
                f"cameras {self.first} and {self.second}, {self.metres} m apart; expected two of them and a distance above 0"
            )

    def metres_per_unit(self, cameras: Cameras) -> float:
        """Length of the world's unit.

        Raises:
            InvalidInput: No such camera, or both in one place.
        """
        n = len(cameras)
        if not (0 <= self.first < n and 0 <= self.second < n):
            raise InvalidInput(f"cameras {self.first} and {self.second} of {n}; they are numbered from 0")
        apart = float((cameras.centers[self.first] - cameras.centers[self.second]).norm())
        if not apart > 1e-9:
            raise InvalidInput(
                f"cameras {self.first} and {self.second} are in one place: their distance gives no scale"
            )
        return self.metres / apart


@dataclass(frozen=True)
class FuseSplats(AbstractStage):
    """Gaussians of a few photos as points.

    Takes the artifact ``splats`` (of FitSplats). Writes ``points.ply`` and ``frame.json``: the transform from the photos'
    world, and whether its scale and its vertical are known.
    """

    version: ClassVar[int] = 1
    photos: Path
    """What the Gaussians were fitted to; the cameras tell which way is up."""
    metres_per_unit: float | None = None
    """Length of the photos' unit; None where nobody knows."""
    known_distance: KnownDistance | None = None
    """Another way to say it."""
    min_opacity: float = _LEAST_OPACITY
    """Gaussians less opaque than this are left out."""

    def run(self, ctx: StageContext) -> None:
        cameras = read_photos(self.photos).cameras
        metres = self.metres_per_unit
        if self.known_distance is not None:
            if metres is not None:
                raise InvalidInput("both a length of the unit and a distance of cameras are given; give one")
            metres = self.known_distance.metres_per_unit(cameras)
        splats = read_splats(ctx.inputs["splats"].file("splats.ply"))
        cloud = to_point_cloud(splats.cloud, min_opacity=self.min_opacity)
        _write(ctx.folder, cloud, cameras, metres, notes=())


@dataclass(frozen=True)
class FuseField(AbstractStage):
    """The surfaces of a radiance field as points.

    Takes the artifact ``field`` (of ReconstructEvents); writes as FuseSplats does.
    """

    version: ClassVar[int] = 1
    source: ReconstructEvents
    """What the field was learned from; its cameras tell which way is up. Poses of event cameras are metric."""
    points: int = 100_000
    """About so many."""
    cameras: int = 40
    """Places on the camera's path from which surfaces are looked at."""

    def run(self, ctx: StageContext) -> None:
        model = load_field(ctx.inputs["field"].file("field.safetensors")).model
        cameras = cameras_on_path(self.source.posed(), self.cameras)
        found = field_points(model, cameras, self.points)
        _write(ctx.folder, found.cloud, cameras, 1.0, notes=found.warnings)


def _write(folder: Path, cloud: PointCloud, cameras: Cameras, metres: float | None, notes: tuple[str, ...]) -> None:
    if not len(cloud):
        raise InvalidInput("nothing solid was reconstructed: no point is left; reconstruct longer, or from more photos")
    up = gravity_of(cameras)
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = (1.0 if metres is None else metres) * (
        _turn_up(up.double()) if up is not None else torch.eye(3).double()
    )
    moved = PointCloud(cloud.points.double(), cloud.colors).transformed(matrix)
    write_ply(folder / "points.ply", {"vertex": cloud_columns(PointCloud(moved.points.float(), cloud.colors))})
    said = [*notes]
    if metres is None:
        said.append("nothing tells the scale of the photos' world: units are guessed from the extent of the points")
    if up is None:
        said.append("the photos were not taken upright: up is guessed from the points")
    frame = {
        "points_from_world": matrix.tolist(),
        "is_metric": metres is not None,
        "is_upright": up is not None,
        "points": len(cloud),
        "notes": said,
    }
    write_text(folder / "frame.json", json.dumps(frame, indent=1) + "\n")


def _turn_up(up: Float64[Tensor, "3"]) -> Float64[Tensor, "3 3"]:
    """The shortest rotation that takes a direction to z."""
    z = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    cosine, axis = float(up @ z), torch.linalg.cross(up, z)
    if cosine < -1 + 1e-9:
        return torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    x, y, w = axis.tolist()
    skew = torch.tensor([[0.0, -w, y], [w, 0.0, -x], [-y, x, 0.0]], dtype=torch.float64)
    return torch.eye(3, dtype=torch.float64) + skew + skew @ skew / (1 + cosine)
