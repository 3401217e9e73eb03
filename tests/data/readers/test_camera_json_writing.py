"""cameras.json, there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.cameras import Cameras
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.camera_json import read_camera_json, write_camera_json

from .camera_json_set import camera_content, write_set
from .posed_scene import HEIGHT, WIDTH, assert_same_set, posed_set


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("pinhole", None),
        ("opencv", [0.05, -0.02, 0.001, -0.002, 0.004, 0.02, -0.01, 0.003]),
        ("fisheye", [0.02, -0.01, 0.003, -0.001]),
    ],
)
def test_what_is_written_is_read_back(tmp_path: Path, model: str, distortion: list[float] | None) -> None:
    photos = posed_set(model, distortion)
    path = write_camera_json(photos, tmp_path / "set")
    again = read_camera_json(path)
    assert again.warnings == ()
    assert_same_set(photos, again)
    second = write_camera_json(again, tmp_path / "second")
    assert (second.parent / "points.npz").read_bytes() == (path.parent / "points.npz").read_bytes()
    assert_same_set(again, read_camera_json(second.parent))


def test_an_earlier_set_of_the_folder_is_replaced_with_its_points(tmp_path: Path) -> None:
    photos = posed_set()
    write_camera_json(photos, tmp_path)
    bare = PosedImages(photos.cameras[[0, 2]], (photos.names[0], photos.names[2]), (photos.loads[0], photos.loads[2]))
    again = read_camera_json(write_camera_json(bare, tmp_path))
    assert again.points is None
    assert_same_set(bare, again)
    assert again.warnings == ("1 photos have no camera (photo1.png): left out",)


def test_a_set_that_could_not_be_written_whole_has_no_cameras_json(tmp_path: Path) -> None:
    photos = posed_set()
    write_camera_json(photos, tmp_path)

    def broken() -> torch.Tensor:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_camera_json(PosedImages(photos.cameras, photos.names, (*photos.loads[:2], broken)), tmp_path)
    assert not (tmp_path / "cameras.json").exists()
    assert not [file for file in tmp_path.rglob("*") if file.suffix == ".tmp"]


def test_colours_and_skew_survive_and_points_may_be_grey(tmp_path: Path) -> None:
    photos = posed_set()
    assert photos.points is not None
    K = photos.cameras.K.clone()
    K[1, 0, 1] = 0.25
    cloud = type(photos.points.cloud)(photos.points.cloud.points)
    skewed = PosedImages(
        Cameras(photos.cameras.camera_from_world, K, WIDTH, HEIGHT),
        photos.names,
        photos.loads,
        SparsePoints(cloud, photos.points.visible),
    )
    again = read_camera_json(write_camera_json(skewed, tmp_path))
    torch.testing.assert_close(again.cameras.K, K, rtol=0, atol=0)
    assert again.points is not None
    assert again.points.cloud.colors is None


def test_photos_may_stay_where_they_are(tmp_path: Path) -> None:
    photos = read_camera_json(write_set(tmp_path / "a", camera_content(0)))
    path = write_camera_json(photos, tmp_path / "b", with_photos=False)
    assert sorted(file.name for file in path.parent.rglob("*")) == ["cameras.json"]
    assert_same_set(photos, read_camera_json(path, tmp_path / "a" / "images"))


@pytest.mark.parametrize("names", [("../a", "b", "c"), ("a.png", "a.jpg", "b"), ("/a", "b", "c"), ("a", "a", "b")])
def test_names_that_cannot_be_files_are_not_written(tmp_path: Path, names: tuple[str, ...]) -> None:
    photos = posed_set()
    with pytest.raises(InvalidInput):
        write_camera_json(PosedImages(photos.cameras, names, photos.loads), tmp_path)
    assert not list(tmp_path.iterdir())
