"""cameras.json: what its numbers mean, and what is there and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart
from trisparse.data.readers.camera_json import find_camera_json, read_camera_json

from .camera_json_set import camera_content, write_points, write_set
from .posed_scene import HEIGHT, POINT, WIDTH, assert_marks_are_hit, photo, save


@pytest.mark.parametrize("place", ["images", "."])
@pytest.mark.parametrize("pixel_centers", [None, 0, 0.5])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_known_point_projects_to_the_centre_of_the_pixel_that_shows_it(
    tmp_path: Path, place: str, pixel_centers: float | None, scale: float
) -> None:
    photos = read_camera_json(write_set(tmp_path, camera_content(pixel_centers, scale), place))
    assert photos.names == ("p0.png", "p1.png", "p2.png")
    assert len(photos.warnings) == (scale != 1) + (pixel_centers is None)
    assert_marks_are_hit(photos)


def test_without_a_size_k_is_for_the_photo(tmp_path: Path) -> None:
    content = camera_content()
    for frame in content["frames"]:
        del frame["width"], frame["height"]
    assert_marks_are_hit(read_camera_json(write_set(tmp_path, content) / "cameras.json"))


def test_smaller_photos_of_another_format_may_lie_elsewhere(tmp_path: Path) -> None:
    content = camera_content(scale=2)
    for frame in content["frames"]:
        frame["file"] = frame["file"].replace("png", "jpg")
    write_set(tmp_path, content)
    (tmp_path / "images").rename(tmp_path / "images_2")
    with pytest.raises(MissingPart, match=r"none of its 3 photos is there; looked for 'p0.jpg'"):
        read_camera_json(tmp_path)
    photos = read_camera_json(tmp_path, tmp_path / "images_2")
    assert_marks_are_hit(photos)
    assert photos.warnings == ("cameras of 3 photos were brought from 80 x 60 to 40 x 30, their photos' size",)


def test_lenses_may_distort(tmp_path: Path) -> None:
    content = camera_content()
    content["frames"][0]["distortion"] = [0.5, 0.25]
    content["frames"][1]["distortion"] = [0.125, 0, 0, 0, 0, 0, 0, -0.5]
    content["frames"][2] |= {"model": "pinhole", "distortion": []}
    cameras = read_camera_json(write_set(tmp_path, content)).cameras
    assert cameras.model == "opencv"
    assert cameras.distortion.tolist() == [[0.5, 0.25, *[0] * 6], [0.125, *[0] * 6, -0.5], [0] * 8]


def test_photos_without_a_camera_and_cameras_without_a_photo_are_left_out_and_counted(tmp_path: Path) -> None:
    write_set(tmp_path, camera_content())
    (tmp_path / "images" / "p1.png").rename(tmp_path / "images" / "other.png")
    visible = np.array([[True, False, False], [False, True, True]])
    write_points(tmp_path, xyz=np.stack([POINT, -POINT]).astype(np.float32), visible=visible)
    photos = read_camera_json(tmp_path)
    assert photos.names == ("p0.png", "p2.png")
    assert photos.warnings == (
        "1 photos have no camera (other.png): left out",
        "1 of 3 photos are not there (p1.png): left out",
    )
    assert photos.points is not None
    assert photos.points.visible.tolist() == [[True, False], [False, True]]
    assert_marks_are_hit(photos)


def test_one_photo_is_a_set(tmp_path: Path) -> None:
    content = camera_content()
    content["frames"] = content["frames"][1:2]
    photos = read_camera_json(write_set(tmp_path, content))
    assert len(photos) == 1
    assert_marks_are_hit(photos)


def test_no_photos_are_none(tmp_path: Path) -> None:
    (tmp_path / "cameras.json").write_text(json.dumps(camera_content()))
    with pytest.raises(MissingPart, match=r"none of its 3 photos is there; looked for 'p0.png' "):
        read_camera_json(tmp_path)
    with pytest.raises(MissingPart, match=r"cameras.json: no such file; it is a list of photos with K, R and t"):
        read_camera_json(tmp_path / "nowhere" / "cameras.json")


def test_photos_of_a_slightly_other_size_become_equal_and_of_another_shape_are_refused(tmp_path: Path) -> None:
    content = camera_content()
    write_set(tmp_path, content)
    save(tmp_path / "images" / "p1.png", photo((0, 0), WIDTH + 1, HEIGHT))
    photos = read_camera_json(tmp_path)
    assert photos.images().shape == (3, HEIGHT, WIDTH, 3)
    assert "1 photos of other sizes (p1.png) are brought to 40 x 30" in photos.warnings
    save(tmp_path / "images" / "p1.png", photo((0, 0), HEIGHT, WIDTH))
    with pytest.raises(
        CorruptFile, match=r"frame 1: its camera sees 40 x 30 pixels, but the photo .* 30 x 40: another"
    ):
        read_camera_json(tmp_path)
    content["frames"][1] |= {"width": HEIGHT, "height": WIDTH}
    (tmp_path / "cameras.json").write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match=r"several shapes: 2 of 40 x 30 \(p0.png, p2.png\); 1 of 30 x 40 \(p1.png\)"):
        read_camera_json(tmp_path)


def test_transparent_photos_lie_on_the_background(tmp_path: Path) -> None:
    write_set(tmp_path, camera_content())
    save(tmp_path / "images" / "p0.png", np.zeros((HEIGHT, WIDTH, 4), np.uint8))
    assert read_camera_json(tmp_path, background=(255, 51, 0)).image(0)[3, 4].tolist() == pytest.approx([1, 0.2, 0])


def test_the_file_is_found_in_its_folder(tmp_path: Path) -> None:
    assert find_camera_json(tmp_path) is None
    assert find_camera_json(tmp_path / "cameras.json") is None
    path = write_set(tmp_path, camera_content()) / "cameras.json"
    assert find_camera_json(tmp_path) == find_camera_json(path) == path
    assert find_camera_json(tmp_path / "images" / "p0.png") is None
