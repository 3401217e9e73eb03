"""transforms.json of nerfstudio and instant-ngp: what it means, there and back, and damaged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, TrisparseError, UnknownFormat
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.nerfstudio import read_transforms, write_transforms
from trisparse.data.readers.ply import write_ply

from .posed_scene import (
    FOCAL,
    HEIGHT,
    POINT,
    WIDTH,
    assert_marks_are_hit,
    assert_same_set,
    photo,
    posed_set,
    save,
    shots,
)

Content = dict[str, Any]


def _content(**shared: Any) -> Content:
    """Frames of the scene of three shots: world-from-camera with y up and z back, worked out column by column."""
    frames = []
    for i, shot in enumerate(shots()):
        right, down, forward = shot.rotation
        columns = [right, -down, -forward, shot.center]
        rows = [[float(column[k]) for column in columns] for k in range(3)] + [[0.0, 0.0, 0.0, 1.0]]
        frames.append({"file_path": f"images/p{i}.png", "transform_matrix": rows})
    return (
        {"fl_x": FOCAL, "fl_y": FOCAL, "cx": WIDTH / 2, "cy": HEIGHT / 2, "w": WIDTH, "h": HEIGHT}
        | shared
        | {"frames": frames}
    )


def _write(folder: Path, content: Content, *, with_photos: bool = True) -> Path:
    if with_photos:
        for i, shot in enumerate(shots()):
            save(folder / "images" / f"p{i}.png", photo(shot.mark))
    folder.mkdir(exist_ok=True)
    (folder / "transforms.json").write_text(json.dumps(content))
    return folder


def test_a_known_point_projects_to_the_centre_of_the_pixel_that_shows_it(tmp_path: Path) -> None:
    photos = read_transforms(_write(tmp_path, _content()))
    assert photos.names == ("images/p0.png", "images/p1.png", "images/p2.png")
    assert photos.warnings == ()
    assert_marks_are_hit(photos)


@pytest.mark.parametrize(
    "lens",
    [
        {"camera_angle_x": 2 * math.atan(WIDTH / 2 / FOCAL)},
        {"camera_angle_x": 2 * math.atan(WIDTH / 2 / FOCAL), "w": WIDTH, "h": HEIGHT},
        {"camera_angle_x": 2 * math.atan(WIDTH / 2 / FOCAL), "camera_angle_y": 2 * math.atan(HEIGHT / 2 / FOCAL)},
        {"x_fov": math.degrees(2 * math.atan(WIDTH / 2 / FOCAL))},
        {"fl_x": 2 * FOCAL, "w": 2 * WIDTH, "h": 2 * HEIGHT},
        {"fl_x": FOCAL, "camera_model": "OPENCV", "k1": 0, "k4": 0.0},
    ],
)
def test_the_lens_may_be_said_in_several_ways(tmp_path: Path, lens: Content) -> None:
    content = _content()
    photos = read_transforms(_write(tmp_path, lens | {"frames": content["frames"]}))
    assert_marks_are_hit(photos)
    assert (len(photos.warnings) == 1) == (lens.get("w") == 2 * WIDTH)


def test_frames_may_have_lenses_of_their_own(tmp_path: Path) -> None:
    content = _content(k1=0.5)
    content["frames"][1] |= {"fl_x": 50, "cx": 11, "k1": 0.25, "p2": -0.125, "k3": 0.0625}
    cameras = read_transforms(_write(tmp_path, content)).cameras
    assert cameras.model == "opencv"
    assert cameras.K[:, 0, 0].tolist() == [35, 50, 35]
    assert cameras.K[:, 0, 2].tolist() == [20, 11, 20]
    assert cameras.distortion[:2].tolist() == [[0.5] + [0] * 7, [0.25, 0, 0, -0.125, 0.0625, 0, 0, 0]]


@pytest.mark.parametrize("said", [{"camera_model": "OPENCV_FISHEYE"}, {"is_fisheye": True}])
def test_fisheye_lenses_have_four_coefficients(tmp_path: Path, said: Content) -> None:
    cameras = read_transforms(_write(tmp_path, _content(k1=0.5, k2=0.25, k3=0.125, k4=-0.5, **said))).cameras
    assert cameras.model == "fisheye"
    assert cameras.distortion[2].tolist() == [0.5, 0.25, 0.125, -0.5]


def test_missing_photos_are_left_out_and_counted(tmp_path: Path) -> None:
    _write(tmp_path, _content())
    (tmp_path / "images" / "p0.png").unlink()
    photos = read_transforms(tmp_path / "transforms.json")
    assert photos.names == ("images/p1.png", "images/p2.png")
    assert photos.warnings == ("1 of 3 photos are not there (images/p0.png): left out",)
    for name in ("p1.png", "p2.png"):
        (tmp_path / "images" / name).unlink()
    with pytest.raises(MissingPart, match=r"none of its 3 photos is there; looked for 'images/p0.png'"):
        read_transforms(tmp_path)


def test_paths_without_suffix_and_of_windows_are_found(tmp_path: Path) -> None:
    content = _content()
    content["frames"][0]["file_path"] = "./images/p0"
    content["frames"][1]["file_path"] = ".\\images\\p1.png"
    photos = read_transforms(_write(tmp_path, content))
    assert photos.names == ("images/p0.png", "images/p1.png", "images/p2.png")
    assert_marks_are_hit(photos)


def test_photos_may_lie_elsewhere(tmp_path: Path) -> None:
    content = _content()
    for i, frame in enumerate(content["frames"]):
        frame["file_path"] = f"p{i}.jpg"
    _write(tmp_path / "poses", content, with_photos=False)
    _write(tmp_path, content)
    assert_marks_are_hit(read_transforms(tmp_path / "poses", tmp_path / "images"))


def test_points_of_a_ply_count_as_seen_where_they_project_into_a_photo(tmp_path: Path) -> None:
    _write(tmp_path, _content(ply_file_path="points.ply"))
    assert read_transforms(tmp_path).warnings == ("the points points.ply are not there: read without them",)
    away = shots()[0].center - 3 * shots()[0].rotation[2]  # behind the first camera
    xyz = np.stack([POINT, away])
    colors = {name: np.array([255, 0], np.uint8) for name in ("red", "green", "blue")}
    write_ply(
        tmp_path / "points.ply", {"vertex": {n: xyz[:, i].astype(np.float32) for i, n in enumerate("xyz")} | colors}
    )
    photos = read_transforms(tmp_path)
    assert photos.points is not None
    assert photos.points.visible[0].tolist() == [True, True, True]
    assert not photos.points.visible[1, 0]
    assert "come without the photos that see them" in photos.warnings[0]


@pytest.mark.parametrize(
    ("model", "distortion"),
    [("pinhole", None), ("opencv", [0.05, -0.02, 0.001, -0.002, 0.004]), ("fisheye", [0.02, -0.01, 0.003, -0.001])],
)
def test_what_is_written_is_read_back(tmp_path: Path, model: str, distortion: list[float] | None) -> None:
    photos = posed_set(model, distortion)
    assert photos.points is not None
    again = read_transforms(write_transforms(photos, tmp_path))
    assert again.points is not None
    torch.testing.assert_close(again.points.cloud.points, photos.points.cloud.points, rtol=0, atol=0)
    torch.testing.assert_close(again.points.cloud.colors, photos.points.cloud.colors, rtol=0, atol=1e-6)
    bare = type(photos)(photos.cameras, tuple(f"images/{name}" for name in photos.names), photos.loads)
    assert_same_set(bare, type(again)(again.cameras, again.names, again.loads))


def test_a_set_without_a_single_point_is_written_without_a_file_of_points(tmp_path: Path) -> None:
    photos = posed_set()
    nothing = SparsePoints(PointCloud(torch.zeros(0, 3), torch.zeros(0, 3)), torch.zeros(0, 3, dtype=torch.bool))
    path = write_transforms(PosedImages(photos.cameras, photos.names, photos.loads, nothing), tmp_path)
    again = read_transforms(path)
    assert again.points is None
    assert again.warnings == ()
    assert not (tmp_path / "sparse_pc.ply").exists()


def test_different_lenses_are_written_frame_by_frame(tmp_path: Path) -> None:
    photos = posed_set()
    K = photos.cameras.K.clone()
    K[1, 0, 0] = 44.5
    cameras = Cameras(photos.cameras.camera_from_world, K, WIDTH, HEIGHT)
    path = write_transforms(type(photos)(cameras, photos.names, photos.loads), tmp_path)
    assert "fl_x" not in json.loads(path.read_text())
    torch.testing.assert_close(read_transforms(path).cameras.K, K, rtol=0, atol=0)


def test_cameras_that_the_format_cannot_hold_are_not_written(tmp_path: Path) -> None:
    rational = posed_set("opencv", [0.05, -0.02, 0.001, -0.002, 0.01, 0.1, -0.01, 0.02])
    with pytest.raises(InvalidInput, match="rational coefficients k4 to k6"):
        write_transforms(rational, tmp_path)
    photos = posed_set()
    K = photos.cameras.K.clone()
    K[2, 0, 1] = 0.5
    skewed = type(photos)(Cameras(photos.cameras.camera_from_world, K, WIDTH, HEIGHT), photos.names, photos.loads)
    with pytest.raises(InvalidInput, match="camera 2 has skew"):
        write_transforms(skewed, tmp_path)


def _frame(**changes: Any) -> Callable[[Content], object]:
    return lambda content: content["frames"][1].update(changes)


def _shared(**changes: Any) -> Callable[[Content], object]:
    return lambda content: content.update(changes)


_SHOT = shots()[1]
_POSE = np.stack([_SHOT.rotation[0], -_SHOT.rotation[1], -_SHOT.rotation[2], _SHOT.center], 1)
_MIRROR = (_POSE * [-1, 1, 1, 1]).tolist()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_frame(transform_matrix=_MIRROR), CorruptFile, "frame 1: the pose is mirrored"),
        (_frame(transform_matrix=(_POSE * 2).tolist()), CorruptFile, "axes have lengths .2, 2, 2., expected 1"),
        (_frame(transform_matrix=(_POSE * float("nan")).tolist()), CorruptFile, "expected finite numbers"),
        (_frame(transform_matrix=(_POSE * 0).tolist()), CorruptFile, "axes have lengths .0, 0, 0."),
        (_frame(transform_matrix=_POSE.T.tolist()), CorruptFile, "no table of 4 x 4 numbers"),
        (_frame(transform_matrix=[[1, 2], [3]]), CorruptFile, "no table of 4 x 4 numbers"),
        (_frame(transform_matrix=[[10**400, 0, 0, 0]] * 4), CorruptFile, "whole number that is too large"),
        (_frame(transform_matrix=[["1", 0, 0, 0]] * 4), CorruptFile, "no table of 4 x 4 numbers"),
        (_frame(transform_matrix=np.vstack([_POSE, _POSE[:1]]).tolist()), CorruptFile, "last row is"),
        (_frame(file_path="../p1.png"), CorruptFile, "frame 1: the photo '../p1.png' lies outside the folder"),
        (_frame(file_path="/tmp/p1.png"), CorruptFile, "lies outside the folder"),
        (_frame(file_path="C:\\p1.png"), CorruptFile, "lies outside the folder"),
        (_frame(file_path=""), CorruptFile, "cannot be the name of a photo"),
        (_frame(file_path="a\0b"), CorruptFile, "cannot be the name of a photo"),
        (_frame(file_path="x" * 300), CorruptFile, "cannot be the name of a photo"),
        (_frame(file_path=7), CorruptFile, "'file_path' is 7, expected str"),
        (_frame(file_path="images/p0.png"), CorruptFile, "'images/p0.png' is that of frame 0 already"),
        (_frame(fl_x=0), CorruptFile, "frame 1: the focal lengths are 0 and 35"),
        (_frame(fl_x="9"), CorruptFile, "'fl_x' is '9', expected a number"),
        (_frame(cx=float("nan")), CorruptFile, "'cx' is nan, expected a finite number"),
        (_frame(w=4.5), CorruptFile, "'w' is 4.5, expected a whole number of pixels"),
        (_frame(w=10**400), CorruptFile, "expected a finite number"),
        (_frame(w=HEIGHT, h=WIDTH), CorruptFile, "30 x 40 pixels, but the photo .* has 40 x 30"),
        (_frame(fl_x=None, fl_y=None, camera_angle_x=7.0), CorruptFile, "expected between 0 and pi"),
        (_frame(fl_x=None, fl_y=None), CorruptFile, "no focal length; expected fl_x"),
        (_shared(camera_model="EQUIRECTANGULAR"), UnknownFormat, "the camera 'EQUIRECTANGULAR' is not read here"),
        (_shared(camera_model=["OPENCV"]), UnknownFormat, "the camera a list is not read here"),
        (_shared(is_equirectangular=True), UnknownFormat, "the camera is_equirectangular is not read here"),
        (_shared(k4=0.1), UnknownFormat, "k4 = 0.1 of a camera that is no fisheye"),
        (
            _frame(camera_model="OPENCV_FISHEYE"),
            InvalidInput,
            "'images/p1.png' has a fisheye lens, 'images/p0.png' none",
        ),
        (_shared(ply_file_path="../x.ply"), CorruptFile, "lies outside the folder"),
        (_shared(ply_file_path=3), CorruptFile, "ply_file_path: is 3, expected a path"),
        (_shared(frames=[]), MissingPart, "has no frames"),
        (_shared(frames={}), CorruptFile, "'frames' is a dict, expected list"),
        (_shared(frames=[3]), CorruptFile, "frame 0: found 3, expected an object"),
    ],
)
def test_bad_content_is_refused_with_the_place(
    tmp_path: Path, change: Callable[[Content], object], error: type[TrisparseError], message: str
) -> None:
    content = _content()
    change(content)
    with pytest.raises(error, match=message) as caught:
        read_transforms(_write(tmp_path, content))
    assert "transforms.json" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"frames": [[[' + "[" * 5000, '{"frames": "\\ud800"}'])
def test_hostile_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(CorruptFile, match=r"transforms.json"):
        read_transforms(tmp_path)


def test_a_far_away_world_is_warned_of(tmp_path: Path) -> None:
    content = _content()
    for frame in content["frames"]:
        frame["transform_matrix"][0][3] += 4e5
    assert "positions lose digits" in read_transforms(_write(tmp_path, content)).warnings[0]


def test_the_fox_is_read_and_its_missing_photos_counted(shared: Path) -> None:
    folder = shared / "data" / "nvs_fox"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    photos = read_transforms(folder)
    assert len(photos) == 50
    assert photos.warnings[0].startswith("17 of 67 photos are not there")
    assert (photos.cameras.width, photos.cameras.height, photos.cameras.model) == (1080, 1920, "opencv")
