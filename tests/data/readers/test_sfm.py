"""Cameras found from photos alone: of a corner of two textured planes, and of photos that show nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from trisparse.core.errors import BackendUnavailable, DataError, MissingPart
from trisparse.data.cameras import Cameras
from trisparse.data.readers.sfm import find_cameras

from .posed_scene import save

_WIDTH, _HEIGHT, _FOCAL = 240, 180, 230.0


def _cameras(n: int) -> Cameras:
    centers = torch.tensor([[0.9 * i - 0.45 * (n - 1), -4.0 + 0.1 * i * i, 1.6 + 0.2 * (i % 2)] for i in range(n)])
    K = torch.tensor([[_FOCAL, 0, _WIDTH / 2], [0, _FOCAL, _HEIGHT / 2], [0, 0, 1]]).expand(n, 3, 3)
    return Cameras.looking_at(centers, torch.tensor([0.0, 0, 0.6]), K, width=_WIDTH, height=_HEIGHT)


def _texture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(400, 400))
    mixed = np.sum([gaussian_filter(noise, s, mode="wrap") * s for s in (1.2, 3, 8)], axis=0)
    return np.clip(128 + 90 * mixed / mixed.std(), 0, 255)


def _picture(camera: Cameras) -> np.ndarray:
    """The floor z = 0 and the wall y = 1.5 as the camera sees them."""
    rays, _ = camera.rays()
    start, towards = rays.origins.double().numpy(), rays.directions.double().numpy()
    with np.errstate(divide="ignore"):
        floor, wall = -start[:, 2] / towards[:, 2], (1.5 - start[:, 1]) / towards[:, 1]
    floor, wall = (np.where(d > 0, d, np.inf) for d in (floor, wall))
    at = start + np.minimum(floor, wall)[:, None] * towards
    values = np.empty(len(at))
    for chosen, columns, seed in [(floor < wall, [0, 1], 1), (floor >= wall, [0, 2], 2)]:
        places = (at[chosen][:, columns] * 60) % 400
        values[chosen] = map_coordinates(_texture(seed), places.T, order=1, mode="grid-wrap")
    grey = values.reshape(_HEIGHT, _WIDTH, 1).repeat(3, 2)
    return grey.round().astype(np.uint8)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    cameras = _cameras(4)
    return [_picture(cameras[i]) for i in range(4)]


@pytest.fixture
def folder(tmp_path: Path, pictures: list[np.ndarray]) -> Path:
    pytest.importorskip("pycolmap")
    for i, picture in enumerate(pictures):
        save(tmp_path / f"p{i}.png", picture)
    return tmp_path


def _miss(found: Cameras, true: Cameras) -> float:
    """Root mean square distance of camera centres, as a share of their spread, after the best similarity."""
    a, b = found.centers.double().numpy(), true.centers.double().numpy()
    a, b = a - a.mean(0), b - b.mean(0)
    u, scales, v = np.linalg.svd(b.T @ a)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ v))])
    scale = (scales * np.diag(flip)).sum() / (a**2).sum()
    return float(np.sqrt(((b - scale * a @ (u @ flip @ v).T) ** 2).sum(1).mean()) / np.linalg.norm(b, axis=1).max())


def test_cameras_and_points_are_found_and_the_same_from_any_number_of_threads(folder: Path) -> None:
    photos = find_cameras(folder, threads=1)
    assert photos.names == ("p0.png", "p1.png", "p2.png", "p3.png")
    assert photos.warnings == (
        "the cameras of 4 of 4 photos were found by structure from motion; scale and up are any",
    )
    assert (photos.cameras.width, photos.cameras.height) == (_WIDTH, _HEIGHT)
    assert _miss(photos.cameras, _cameras(4)) < 0.02
    assert photos.points is not None
    assert len(photos.points.cloud) > 100
    projected = photos.cameras.project(photos.points.cloud.points)
    assert projected.inside.T[photos.points.visible].float().mean() > 0.99
    again = find_cameras(folder, threads=2)
    assert torch.equal(photos.cameras.camera_from_world, again.cameras.camera_from_world)
    assert again.points is not None
    assert torch.equal(photos.points.cloud.points, again.points.cloud.points)


def test_a_photo_that_takes_longer_than_the_others_changes_nothing(folder: Path) -> None:
    image = Image.open(folder / "p0.png")
    image.resize((4 * _WIDTH, 4 * _HEIGHT), Image.Resampling.BILINEAR).save(folder / "p0.png")
    one, two = (find_cameras(folder, threads=n) for n in (1, 2))
    assert torch.equal(one.cameras.camera_from_world, two.cameras.camera_from_world)


def test_cameras_are_for_the_full_size_of_photos_that_were_matched_smaller(folder: Path) -> None:
    for i in range(4):
        image = Image.open(folder / f"p{i}.png").resize((2 * _WIDTH, 2 * _HEIGHT), Image.Resampling.BILINEAR)
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = round(_FOCAL / np.hypot(_WIDTH, _HEIGHT) * np.hypot(36, 24))
        (folder / f"p{i}.png").unlink()
        image.save(folder / f"p{i}.jpg", quality=95, exif=exif)
    photos = find_cameras(folder, longest=_WIDTH)
    assert (photos.cameras.width, photos.cameras.height) == (2 * _WIDTH, 2 * _HEIGHT)
    assert photos.cameras.K[0, 0, 0].item() == pytest.approx(2 * _FOCAL, rel=0.05)
    assert photos.cameras.K[0, :2, 2].tolist() == [_WIDTH, _HEIGHT]
    assert _miss(photos.cameras, _cameras(4)) < 0.05


def test_a_photo_of_something_else_is_left_out_with_the_reason(folder: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (_HEIGHT, _WIDTH, 3)).astype(np.uint8)
    save(folder / "a other.png", noise)
    save(folder / "b grey.png", np.full((_HEIGHT, _WIDTH, 3), 90, np.uint8))
    photos = find_cameras(folder)
    assert photos.names == ("p0.png", "p1.png", "p2.png", "p3.png")
    assert photos.warnings[0].startswith("the cameras of 4 of 6 photos were found")
    assert "a other.png (" in photos.warnings[1]
    assert "b grey.png (0 features: dark, blurred or without texture)" in photos.warnings[1]
    assert "what helps: photos taken a step apart" in photos.warnings[1]


def test_photos_of_different_things_say_that_they_do_not_match(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    for i in range(3):
        save(tmp_path / "images" / f"{i}.png", _texture(10 + i)[:150, :200, None].repeat(3, 2).astype(np.uint8))
    with pytest.raises(DataError, match=r"none of 3 photos were found: .* 0 of 3 pairs of photos have 15 matches"):
        find_cameras(tmp_path)


def test_photos_without_texture_say_that_they_have_none(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    for i in range(2):
        save(tmp_path / f"{i}.png", np.full((90, 120, 3), 40 + i, np.uint8))
    with pytest.raises(DataError, match=r"0 to 0 features a photo, .* dark, blurred or without texture; what helps"):
        find_cameras(tmp_path)


def test_photos_from_one_place_are_not_enough(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    for i in range(3):
        center, K = _cameras(2).centers[:1], _cameras(1).K
        turned = Cameras.looking_at(center, torch.tensor([0.3 * i, 0.2, 0.5]), K, width=_WIDTH, height=_HEIGHT)
        save(tmp_path / f"{i}.png", _picture(turned))
    with pytest.raises(DataError, match="3 of 3 pairs of photos match, but no two from places far enough apart"):
        find_cameras(tmp_path)


def test_too_few_photos_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    save(tmp_path / "a.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(MissingPart, match="1 photos, expected at least 2"):
        find_cameras(tmp_path)


def test_without_pycolmap_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(BackendUnavailable, match=r"pip install 'trisparse\[sfm\]'"):
        find_cameras(tmp_path)
