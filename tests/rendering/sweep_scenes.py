"""Photos of generated still lifes with the exact depth of each pixel, for tests of the plane sweep and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from trisparse.data.cameras import Cameras
from trisparse.data.posed_images import PosedImages
from trisparse.data.still_life.capture import FeatureConfig, capture
from trisparse.data.still_life.render import photograph
from trisparse.data.still_life.rigs import Lens, forward_facing
from trisparse.data.still_life.scene import make_still_life


@dataclass(frozen=True, eq=False)
class Shown:
    """Photos, and what they show."""

    photos: PosedImages
    depth_z: Tensor
    """Infinite where nothing is."""

    @property
    def bare(self) -> PosedImages:
        """The photos without their sparse points."""
        return PosedImages(self.photos.cameras, self.photos.names, self.photos.loads)


@cache
def shown(kind: str, seed: int, n: int = 3) -> Shown:
    """A scene from n places before it, 120 x 90."""
    scene = make_still_life(seed, kind=kind)
    cameras = forward_facing(scene, n, Lens(120, 90))
    photos = capture(scene, cameras, features=FeatureConfig(n_points=400))
    return Shown(photos, photograph(scene, cameras, samples_per_pixel=1).depth_z)


def side_by_side(
    n: int,
    *,
    step: float = 0.5,
    width: int = 40,
    height: int = 30,
    focal: float = 40.0,
    dtype: torch.dtype = torch.float64,
) -> Cameras:
    """Cameras that look along z (x right, y down), each ``step`` metres to the right of the one before."""
    poses = torch.eye(4, dtype=dtype).repeat(n, 1, 1)
    poses[:, 0, 3] = -step * torch.arange(n, dtype=dtype)
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], dtype=dtype).repeat(n, 1, 1)
    return Cameras(poses, K, width, height)


def texture(height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth noise, 0..1."""
    noise = torch.rand(1, 1, height // 2 + 2, width // 2 + 2, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=(height, width), mode="bicubic")[0, 0].clamp(0, 1)
