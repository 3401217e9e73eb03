"""The whole way on real photos: read, resized, undistorted, split."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers.camera_json import read_camera_json
from trisparse.data.readers.nerfstudio import read_transforms
from trisparse.data.resample import resize_photos, sample_image, undistort_photos, undistortion_mask
from trisparse.data.views import split_llff


def _real(shared: Path, name: str) -> Path:
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    return folder


def _color_miss(photos: PosedImages, row: int, shift: tuple[float, float]) -> float:
    """Between points' colours and the photo, so many pixels beside where they project."""
    assert photos.points is not None
    cloud = photos.points.cloud
    assert cloud.colors is not None
    at = photos.cameras[row].project(cloud.points)
    seen = photos.points.visible[:, row] & at.inside[0]
    shown = sample_image(photos.image(row), at.pixels[0, seen] + torch.tensor(shift))
    return float((shown - cloud.colors[seen]).square().mean())


@pytest.mark.parametrize("row", [0, 3])
def test_points_stay_on_what_they_show_when_photos_shrink(shared: Path, row: int) -> None:
    """By a factor that is no whole number; a mistake of half a pixel in photo or camera would put the best place elsewhere."""
    photos = resize_photos(read_camera_json(_real(shared, "nvs_sceaux_castle")), 413, 310)
    here = _color_miss(photos, row, (0, 0))
    for shift in ((-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5)):
        assert _color_miss(photos, row, shift) > here


def test_the_castle_at_half_its_size_is_the_mean_of_four_pixels(shared: Path) -> None:
    photos = read_camera_json(_real(shared, "nvs_sceaux_castle"))
    half = resize_photos(photos, 354, 266)
    expected = photos.image(4).reshape(266, 2, 354, 2, 3).mean((1, 3))
    torch.testing.assert_close(half.image(4), expected, rtol=0, atol=1e-5)


def test_a_point_of_the_fox_lies_at_one_place_before_and_after_undistortion(shared: Path) -> None:
    """Any direction: where the lens puts it in the photo is what the undistorted photo shows where the pinhole puts it."""
    photos = resize_photos(read_transforms(_real(shared, "nvs_fox")), 270, 480)
    straight = undistort_photos(photos)
    assert photos.cameras.has_distortion
    assert not straight.cameras.has_distortion
    mask = undistortion_mask(photos.cameras[7], straight.cameras[7])
    assert 0.9 < float(mask.float().mean()) <= 1
    pixels = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([260.0, 470]) + 5
    rays, exist = photos.cameras[7].rays(pixels)
    points = rays.at(torch.full((4000,), 2.0))[exist]
    bent, flat = photos.cameras[7].project(points), straight.cameras[7].project(points)
    assert float((bent.pixels - flat.pixels).norm(dim=-1).max()) > 1.5
    inside = flat.inside[0]
    miss = sample_image(photos.image(7), bent.pixels[0, inside]) - sample_image(
        straight.image(7), flat.pixels[0, inside]
    )
    unmoved = sample_image(photos.image(7), flat.pixels[0, inside]) - sample_image(
        straight.image(7), flat.pixels[0, inside]
    )
    assert float(miss.abs().mean()) < 0.02
    assert float(miss.abs().mean()) < 0.5 * float(unmoved.abs().mean())


def test_the_fox_is_split_as_llff_does(shared: Path) -> None:
    photos = read_transforms(_real(shared, "nvs_fox"))
    split = split_llff(len(photos), 3)
    assert len(photos) == 50
    assert split.train == (1, 25, 49)
    assert split.test == (0, 8, 16, 24, 32, 40, 48)
    assert list(photos.names) == sorted(photos.names)
    chosen = photos.select(split.train)
    assert chosen.names == tuple(photos.names[i] for i in split.train)
