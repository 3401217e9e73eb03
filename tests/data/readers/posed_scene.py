"""A few photos with known cameras, for tests of readers: each shows one red pixel where a known point of the world is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.spatial.transform import Rotation
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages, SparsePoints

WIDTH, HEIGHT, FOCAL = 40, 30, 35.0
POINT = np.array([0.3, -0.2, 0.5])
"""Of the world; every camera of a scene sees it."""
MARKS = ((7, 5), (31, 22), (20, 28))
"""Column and row of the pixel whose centre the point projects to, one a photo."""


@dataclass(frozen=True)
class Shot:
    """One camera: x right, y down, z forward."""

    rotation: np.ndarray
    """camera-from-world, (3, 3)."""
    translation: np.ndarray
    mark: tuple[int, int]

    @property
    def center(self) -> np.ndarray:
        """Where it stands."""
        return -self.rotation.T @ self.translation


def shots(cx: float = WIDTH / 2, cy: float = HEIGHT / 2, focal: float = FOCAL) -> list[Shot]:
    """Cameras that see the point at the centre of their mark; pixel centres at +0.5, no distortion."""
    found = []
    for i, (column, row) in enumerate(MARKS):
        rotation = Rotation.from_euler("xyz", [0.4 * i - 2, 0.3 + 0.2 * i, 0.5 - 0.7 * i]).as_matrix()
        depth = 2.0 + i
        local = depth * np.array([(column + 0.5 - cx) / focal, (row + 0.5 - cy) / focal, 1.0])
        found.append(Shot(rotation, local - rotation @ POINT, (column, row)))
    return found


def photo(mark: tuple[int, int], width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Grey, with one red pixel at a column and row."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    pixels[mark[1], mark[0]] = (255, 0, 0)
    return pixels


def save(path: Path, pixels: np.ndarray) -> None:
    """Write an image file, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def assert_marks_are_hit(photos: PosedImages) -> None:
    """The point projects to the centre of each photo's red pixel."""
    projected = photos.cameras.project(torch.from_numpy(POINT[None]).float())
    for row in range(len(photos)):
        x, y = projected.pixels[row, 0].tolist()
        (found,) = (photos.image(row)[..., 0] == 1).nonzero().tolist()
        assert (x, y) == (abs_pixel(found[1]), abs_pixel(found[0]))
        assert projected.depth_z[row, 0] > 0


def abs_pixel(number: int) -> object:
    """The centre of a pixel, to a thousandth of one."""
    import pytest

    return pytest.approx(number + 0.5, abs=2e-3)


def posed_set(model: str = "pinhole", distortion: list[float] | None = None, *, n: int = 3) -> PosedImages:
    """Cameras around a few coloured points, with random photos of eight bits."""
    rng = np.random.default_rng(4)
    centers = torch.from_numpy(rng.normal(0, 0.4, (n, 3)) + [0, -4, 1]).float()
    K = torch.tensor([[FOCAL, 0, 19.25], [0, FOCAL + 1.5, 15.75], [0, 0, 1]]).expand(n, 3, 3)
    cameras = Cameras.looking_at(centers, torch.zeros(3), K, width=WIDTH, height=HEIGHT)
    if distortion is not None:
        rows = torch.tensor([distortion]).expand(n, len(distortion))
        cameras = Cameras(cameras.camera_from_world, cameras.K, WIDTH, HEIGHT, model, rows)  # pyright: ignore[reportArgumentType]
    points = torch.from_numpy(rng.normal(0, 0.5, (7, 3))).float()
    colors = torch.from_numpy(rng.integers(0, 256, (7, 3))).float() / 255
    visible = torch.from_numpy(rng.random((7, n)) < 0.7)
    images = torch.from_numpy(rng.integers(0, 256, (n, HEIGHT, WIDTH, 3))).float() / 255
    names = [f"a/photo{i}.png" for i in range(n)]
    return PosedImages.from_tensors(cameras, images, names, SparsePoints(PointCloud(points, colors), visible))


def assert_same_set(a: PosedImages, b: PosedImages) -> None:
    """Names, cameras, photos, points and visibility are equal, but for rounding of single precision."""
    assert a.names == b.names
    assert (a.cameras.width, a.cameras.height) == (b.cameras.width, b.cameras.height)
    assert a.cameras.has_distortion == b.cameras.has_distortion
    if a.cameras.has_distortion:
        assert a.cameras.model == b.cameras.model
        torch.testing.assert_close(a.cameras.distortion, b.cameras.distortion, rtol=0, atol=0)
    torch.testing.assert_close(a.cameras.K, b.cameras.K, rtol=0, atol=0)
    torch.testing.assert_close(a.cameras.camera_from_world, b.cameras.camera_from_world, rtol=0, atol=1e-6)
    torch.testing.assert_close(a.images(), b.images(), rtol=0, atol=0)
    assert (a.points is None) == (b.points is None)
    if a.points is not None and b.points is not None:
        torch.testing.assert_close(a.points.cloud.points, b.points.cloud.points, rtol=0, atol=0)
        torch.testing.assert_close(a.points.cloud.colors, b.points.cloud.colors, rtol=0, atol=0)
        assert torch.equal(a.points.visible, b.points.visible)
