"""Depth maps of several views into one cloud of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ...data.cameras import Cameras

_LEVELS_PER_OCTAVE = 2
_FINEST_PX = 0.25


@dataclass(frozen=True, eq=False)
class FusedPoints:
    """Points with colours and what they are worth."""

    points: Float[Tensor, "n 3"]
    colors: Float[Tensor, "n 3"]
    confidence: Float[Tensor, "n"]


def unproject(cameras: Cameras, depth_z: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w 3"]:
    """Pixels into the world, by their depth."""
    views = []
    for view in range(len(cameras)):
        rays, _ = cameras[view].rays()
        z = (rays.directions * cameras.forwards[view]).sum(-1)
        points = rays.origins + rays.directions * (depth_z[view].reshape(-1).to(z) / z)[:, None]
        views.append(points.reshape(*depth_z.shape[1:], 3))
    return torch.stack(views)


def footprint(cameras: Cameras, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
    """Size of a pixel at each point, in metres: distance to the nearest camera by focal length."""
    nearest = torch.stack([(points - center).norm(dim=1) for center in cameras.centers]).amin(0)
    return nearest / cameras.K[:, 0, 0].mean()


def merge(
    cameras: Cameras,
    points: Float[Tensor, "n 3"],
    colors: Float[Tensor, "n 3"],
    confidence: Float[Tensor, "n"],
    coarseness: Float[Tensor, "n"],
    target: int,
) -> FusedPoints:
    """Average points in voxels that grow with the distance to the nearest camera, so that they look alike in the photos.

    The size of voxels is chosen so that about ``target`` points result; fewer points are merged where they coincide alone.
    Averages are weighted by the square of confidence; a merged point has the greatest confidence of those that it stands for.

    Args:
        cameras: Of the photos.
        points: Metres.
        colors: 0..1.
        confidence: Above 0.
        coarseness: Factor on the voxels' size at each point.
        target: Number of points wanted.
    """
    if not len(points):
        return FusedPoints(points, colors, confidence)
    xyz = points.double().numpy()
    pixel = (footprint(cameras, points) * coarseness).double().numpy()
    _, cells = _choose_size(xyz, pixel, target)
    _, first, cell = np.unique(cells, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))  # voxels in the order in which the points come
    cell, n = rank[cell.reshape(-1)], len(first)
    trust = confidence.double().numpy()
    weight = trust**2
    total = np.bincount(cell, weight, n)
    columns = [np.bincount(cell, weight * column, n) / total for column in (*xyz.T, *colors.double().numpy().T)]
    greatest = np.zeros(n)
    np.maximum.at(greatest, cell, trust)
    both = torch.from_numpy(np.stack(columns, 1)).to(points)
    return FusedPoints(both[:, :3], both[:, 3:].to(colors), torch.from_numpy(greatest).to(confidence))


def _choose_size(xyz: NDArray[np.float64], pixel: NDArray[np.float64], target: int) -> tuple[float, NDArray[np.uint64]]:
    """The size of voxels in pixels, by bisection, and the voxel of each point."""
    low, high = _FINEST_PX, _FINEST_PX
    cells = _cells(xyz, pixel, low)
    if len(np.unique(cells)) <= target:
        return low, cells
    while len(np.unique(_cells(xyz, pixel, high))) > target:
        low, high = high, high * 2
    for _ in range(6):
        middle = (low * high) ** 0.5
        if len(np.unique(_cells(xyz, pixel, middle))) > target:
            low = middle
        else:
            high = middle
    return high, _cells(xyz, pixel, high)


def _cells(xyz: NDArray[np.float64], pixel: NDArray[np.float64], size_px: float) -> NDArray[np.uint64]:
    """Numbers of the voxels that points lie in, 64 bits hashed from level and place."""
    level = np.floor(np.log2(pixel) * _LEVELS_PER_OCTAVE)
    size = size_px * 2.0 ** (level / _LEVELS_PER_OCTAVE)
    parts = [level, *np.floor(xyz / size[:, None]).T]
    hashed = np.zeros(len(xyz), np.uint64)
    for part in parts:
        hashed ^= part.astype(np.int64).view(np.uint64)
        hashed *= np.uint64(0x9E3779B97F4A7C15)
        hashed ^= hashed >> np.uint64(29)
    return hashed


def pixel_colors(images: list[Float[Tensor, "h w 3"]]) -> Float[Tensor, "n 3"]:
    """All pixels of all photos."""
    return torch.cat([image.detach().cpu().float().reshape(-1, 3) for image in images])
