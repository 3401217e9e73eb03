"""Where the cameras of data sets stand: in front of a scene, along an arc, all around an object."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import InvalidInput
from ...core.random import torch_rng
from ..cameras import Cameras
from ..distortion import Model
from .scene import StillLife

_GOLDEN = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True)
class Lens:
    """What all cameras of a rig have in common."""

    width: int = 400
    height: int = 300
    field_of_view: float = 0.95
    """Horizontal, of an undistorted image, in radians."""
    model: Model = "pinhole"
    distortion: tuple[float, ...] = ()
    """Coefficients, see :data:`trisparse.data.distortion.PARAMETERS`."""

    def __post_init__(self) -> None:
        if not 0 < self.field_of_view < math.pi:
            raise InvalidInput(f"a field of view of {self.field_of_view}; give radians between 0 and pi")

    def looking_at(self, centers: Float[Tensor, "n 3"], target: Float[Tensor, "3"]) -> Cameras:
        """Cameras at some places that look at a point; no camera at all is allowed."""
        focal = self.width / 2 / math.tan(self.field_of_view / 2)
        K = centers.new_tensor([[focal, 0, self.width / 2], [0, focal, self.height / 2], [0, 0, 1]])
        K = K.expand(len(centers), 3, 3)
        cameras = Cameras.looking_at(centers, target, K, width=self.width, height=self.height)
        coefficients = centers.new_tensor(self.distortion).expand(len(centers), len(self.distortion))
        return replace(cameras, model=self.model, distortion=coefficients)


def forward_facing(
    scene: StillLife,
    n: int,
    lens: Lens | None = None,
    *,
    spread: float = 0.22,
    path: str = "grid",
) -> Cameras:
    """Cameras before the scene that look at its centre, as LLFF's photos were taken.

    Args:
        spread: Greatest offset sideways, in distances of the camera; upwards and downwards it is three fifths of it.
        path: ``grid``: rows from below to above, each from left to right. ``spiral``: two turns outwards, for videos.
    """
    t = torch.arange(n, dtype=torch.float64)
    if path == "grid":
        columns = max(1, math.ceil(math.sqrt(n)))
        rows = max(1, math.ceil(n / columns))
        side = 2 * (t % columns) / max(1, columns - 1) - min(1, columns - 1)
        above = 2 * (t // columns) / max(1, rows - 1) - min(1, rows - 1)
    elif path == "spiral":
        share = (t + 0.5) / max(n, 1)
        side, above = share.sqrt() * (4 * math.pi * share).cos(), share.sqrt() * (4 * math.pi * share).sin()
    else:
        raise InvalidInput(f"no path {path!r}; choose grid or spiral")
    away, right, up = _axes(scene)
    offsets = away + spread * (side[:, None] * right + 0.6 * above[:, None] * up)
    return _around(scene, lens, offsets)


def arc(scene: StillLife, n: int, lens: Lens | None = None, *, angle: float = 1.0) -> Cameras:
    """Cameras on an arc about the vertical line through the centre, from left to right; ``angle`` is its size (radians)."""
    turn = angle * (torch.arange(n, dtype=torch.float64) / max(1, n - 1) - 0.5 * (n > 1))
    return _around(scene, lens, _direction(scene.front + turn, torch.full_like(turn, scene.elevation)))


def orbit(
    scene: StillLife, n: int, lens: Lens | None = None, *, elevations: tuple[float, float] = (0.15, 1.0)
) -> Cameras:
    """Cameras all around on a spiral from a low to a high elevation, evenly over that band of the sphere."""
    low, high = (math.sin(elevation) for elevation in elevations)
    t = torch.arange(n, dtype=torch.float64)
    elevation = torch.asin(low + (high - low) * (t + 0.5) / max(n, 1))
    return _around(scene, lens, _direction(scene.front + _GOLDEN * t, elevation))


def ring_around(scene: StillLife, n: int, lens: Lens | None = None) -> Cameras:
    """Cameras all around at the scene's usual elevation, in order: a turn-table, for videos and test views."""
    turn = 2 * math.pi * torch.arange(n, dtype=torch.float64) / max(n, 1)
    return _around(scene, lens, _direction(scene.front + turn, torch.full_like(turn, scene.elevation)))


def random_views(
    scene: StillLife,
    n: int,
    lens: Lens | None = None,
    *,
    seed: int = 0,
    angle: float = 2 * math.pi,
    elevations: tuple[float, float] = (0.1, 1.2),
) -> Cameras:
    """Cameras at random on part of a sphere about the centre, evenly by area.

    Args:
        angle: Width of the part about the front (radians).
        elevations: Its lower and upper end.
    """
    generator = torch_rng(seed, "random views", scene.name)
    low, high = (math.sin(elevation) for elevation in elevations)
    turn, rise = torch.rand(2, n, generator=generator, dtype=torch.float64)
    return _around(scene, lens, _direction(scene.front + angle * (turn - 0.5), torch.asin(low + (high - low) * rise)))


def usual_cameras(scene: StillLife, n: int, lens: Lens | None = None) -> Cameras:
    """What suits a scene: a grid before a table, an orbit around an object, an arc through a courtyard."""
    if scene.name.startswith("object"):
        return orbit(scene, n, lens)
    if scene.name.startswith("courtyard"):
        return arc(scene, n, lens)
    return forward_facing(scene, n, lens)


def _axes(scene: StillLife) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors from the centre to the usual camera, to that camera's right, and upwards in its image."""
    angles = torch.tensor([scene.front, scene.elevation], dtype=torch.float64)
    away = _direction(angles[:1], angles[1:])[0]
    right = torch.stack([-angles[0].sin(), angles[0].cos(), angles.new_zeros(())])
    return away, right, torch.linalg.cross(away, right)


def _direction(azimuth: Float[Tensor, "n"], elevation: Float[Tensor, "n"]) -> Float[Tensor, "n 3"]:
    flat = elevation.cos()
    return torch.stack([azimuth.cos() * flat, azimuth.sin() * flat, elevation.sin()], -1)


def _around(scene: StillLife, lens: Lens | None, offsets: Float[Tensor, "n 3"]) -> Cameras:
    center = torch.tensor(scene.center, dtype=torch.float64)
    return (lens or Lens()).looking_at(center + scene.distance * offsets, center)
