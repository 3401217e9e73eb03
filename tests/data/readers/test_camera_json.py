"""cameras.json: what it means, there and back, and damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, TrisparseError, UnknownFormat, UnsafeFile
from trisparse.data.cameras import Cameras, Projection
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.camera_json import find_camera_json, read_camera_json, write_camera_json
from trisparse.data.resample import sample_image

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


def _content(pixel_centers: float | None = 0.5, scale: float = 1.0) -> Content:
    """The scene of three shots; the matrices for images at another scale, in the file's own pixels."""
    half = 0.5 - (pixel_centers or 0)
    K = [[scale * FOCAL, 0, scale * WIDTH / 2 - half], [0, scale * FOCAL, scale * HEIGHT / 2 - half], [0, 0, 1]]
    size = {"width": round(scale * WIDTH), "height": round(scale * HEIGHT)}
    frames = [
        {"file": f"p{i}.png", **size, "K": K, "R": shot.rotation.tolist(), "t": shot.translation.tolist()}
        for i, shot in enumerate(shots())
    ]
    said = {} if pixel_centers is None else {"pixel_centers": pixel_centers}
    return {"convention": "any text", **said, "frames": frames}


def _write(folder: Path, content: Content, place: str = "images") -> Path:
    for i, shot in enumerate(shots()):
        save(folder / place / f"p{i}.png", photo(shot.mark))
    (folder / "cameras.json").write_text(json.dumps(content))
    return folder


def _points(folder: Path, **arrays: np.ndarray) -> None:
    np.savez(folder / "points.npz", allow_pickle=True, **arrays)


@pytest.mark.parametrize("place", ["images", "."])
@pytest.mark.parametrize("pixel_centers", [None, 0, 0.5])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_known_point_projects_to_the_centre_of_the_pixel_that_shows_it(
    tmp_path: Path, place: str, pixel_centers: float | None, scale: float
) -> None:
    photos = read_camera_json(_write(tmp_path, _content(pixel_centers, scale), place))
    assert photos.names == ("p0.png", "p1.png", "p2.png")
    assert len(photos.warnings) == (scale != 1) + (pixel_centers is None)
    assert_marks_are_hit(photos)


def test_without_a_size_k_is_for_the_photo(tmp_path: Path) -> None:
    content = _content()
    for frame in content["frames"]:
        del frame["width"], frame["height"]
    assert_marks_are_hit(read_camera_json(_write(tmp_path, content) / "cameras.json"))


def test_smaller_photos_of_another_format_may_lie_elsewhere(tmp_path: Path) -> None:
    content = _content(scale=2)
    for frame in content["frames"]:
        frame["file"] = frame["file"].replace("png", "jpg")
    _write(tmp_path, content)
    (tmp_path / "images").rename(tmp_path / "images_2")
    with pytest.raises(MissingPart, match=r"none of its 3 photos is there; looked for 'p0.jpg'"):
        read_camera_json(tmp_path)
    photos = read_camera_json(tmp_path, tmp_path / "images_2")
    assert_marks_are_hit(photos)
    assert photos.warnings == ("cameras of 3 photos were brought from 80 x 60 to 40 x 30, their photos' size",)


def test_lenses_may_distort(tmp_path: Path) -> None:
    content = _content()
    content["frames"][0]["distortion"] = [0.5, 0.25]
    content["frames"][1]["distortion"] = [0.125, 0, 0, 0, 0, 0, 0, -0.5]
    content["frames"][2] |= {"model": "pinhole", "distortion": []}
    cameras = read_camera_json(_write(tmp_path, content)).cameras
    assert cameras.model == "opencv"
    assert cameras.distortion.tolist() == [[0.5, 0.25, *[0] * 6], [0.125, *[0] * 6, -0.5], [0] * 8]


# What is there and what is not


def test_photos_without_a_camera_and_cameras_without_a_photo_are_left_out_and_counted(tmp_path: Path) -> None:
    _write(tmp_path, _content())
    (tmp_path / "images" / "p1.png").rename(tmp_path / "images" / "other.png")
    visible = np.array([[True, False, False], [False, True, True]])
    _points(tmp_path, xyz=np.stack([POINT, -POINT]).astype(np.float32), visible=visible)
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
    content = _content()
    content["frames"] = content["frames"][1:2]
    photos = read_camera_json(_write(tmp_path, content))
    assert len(photos) == 1
    assert_marks_are_hit(photos)


def test_no_photos_are_none(tmp_path: Path) -> None:
    (tmp_path / "cameras.json").write_text(json.dumps(_content()))
    with pytest.raises(MissingPart, match=r"none of its 3 photos is there; looked for 'p0.png' "):
        read_camera_json(tmp_path)
    with pytest.raises(MissingPart, match=r"cameras.json: no such file; it is a list of photos with K, R and t"):
        read_camera_json(tmp_path / "nowhere" / "cameras.json")


def test_photos_of_a_slightly_other_size_become_equal_and_of_another_shape_are_refused(tmp_path: Path) -> None:
    content = _content()
    _write(tmp_path, content)
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
    _write(tmp_path, _content())
    save(tmp_path / "images" / "p0.png", np.zeros((HEIGHT, WIDTH, 4), np.uint8))
    assert read_camera_json(tmp_path, background=(255, 51, 0)).image(0)[3, 4].tolist() == pytest.approx([1, 0.2, 0])


# Points


def test_points_have_colours_and_may_come_without_sights(tmp_path: Path) -> None:
    _write(tmp_path, _content())
    away = shots()[0].center - 3 * shots()[0].rotation[2]  # behind the first camera
    xyz = np.stack([POINT, [np.nan, 0, 0], away]).astype(">f8")
    _points(tmp_path, xyz=xyz, rgb=np.array([[255, 51, 0], [1, 1, 1], [0, 0, 102]], np.uint8))
    photos = read_camera_json(tmp_path)
    assert photos.points is not None
    torch.testing.assert_close(photos.points.cloud.points[0], torch.from_numpy(POINT).float(), rtol=0, atol=0)
    torch.testing.assert_close(photos.points.cloud.colors, torch.tensor([[1, 0.2, 0], [0, 0, 0.4]]))
    assert photos.points.visible[0].tolist() == [True, True, True]
    assert not photos.points.visible[1, 0]
    assert photos.warnings[0].startswith("1 of 3 points have NaN or infinity")
    assert photos.warnings[1].startswith("the points come without the photos that see them")


def test_no_points_at_all_are_a_cloud_of_none(tmp_path: Path) -> None:
    _write(tmp_path, _content())
    _points(tmp_path, xyz=np.zeros((0, 3), np.float32), visible=np.zeros((0, 3), bool))
    photos = read_camera_json(tmp_path)
    assert photos.points is not None
    assert photos.points.visible.shape == (0, 3)


_XYZ = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({}, MissingPart, r"no array 'xyz' \(found none\)"),
        ({"other": _XYZ}, MissingPart, r"no array 'xyz' \(found 'other'\)"),
        (
            {"xyz": _XYZ[0]},
            CorruptFile,
            r"'xyz': holds float32 of shape \(3,\), expected numbers of shape \(points, 3\)",
        ),
        ({"xyz": _XYZ[:, :2]}, CorruptFile, r"holds float32 of shape \(2, 2\)"),
        ({"xyz": np.array(3.0)}, CorruptFile, r"holds float64 of shape \(\)"),
        ({"xyz": _XYZ.astype("c8")}, CorruptFile, r"holds complex64"),
        ({"xyz": _XYZ.astype(str)}, CorruptFile, r"holds <U32 of shape"),
        ({"xyz": _XYZ.astype(object)}, UnsafeFile, "holds Python objects"),
        ({"xyz": _XYZ, "rgb": _XYZ}, CorruptFile, r"'rgb': holds float32 .* expected unsigned whole numbers"),
        ({"xyz": _XYZ, "rgb": np.zeros((3, 3), np.uint8)}, CorruptFile, r"'rgb': 3 rows for 2 points"),
        (
            {"xyz": _XYZ, "visible": np.zeros((2, 2), bool)},
            CorruptFile,
            r"'visible': .*expected booleans of shape \(points, 3\)",
        ),
        ({"xyz": _XYZ, "visible": np.zeros((2, 4), bool)}, CorruptFile, r"'visible': holds bool of shape \(2, 4\)"),
        ({"xyz": _XYZ, "visible": np.zeros((2, 3))}, CorruptFile, "'visible': holds float64"),
    ],
)
def test_bad_points_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], error: type[TrisparseError], message: str
) -> None:
    _points(_write(tmp_path, _content()), **arrays)
    with pytest.raises(error, match=message) as caught:
        read_camera_json(tmp_path)
    assert "points.npz" in str(caught.value)


# There and back


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
    photos = read_camera_json(_write(tmp_path / "a", _content(0)))
    path = write_camera_json(photos, tmp_path / "b", with_photos=False)
    assert sorted(file.name for file in path.parent.rglob("*")) == ["cameras.json"]
    assert_same_set(photos, read_camera_json(path, tmp_path / "a" / "images"))


@pytest.mark.parametrize("names", [("../a", "b", "c"), ("a.png", "a.jpg", "b"), ("/a", "b", "c"), ("a", "a", "b")])
def test_names_that_cannot_be_files_are_not_written(tmp_path: Path, names: tuple[str, ...]) -> None:
    photos = posed_set()
    with pytest.raises(InvalidInput):
        write_camera_json(PosedImages(photos.cameras, names, photos.loads), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_file_is_found_in_its_folder(tmp_path: Path) -> None:
    assert find_camera_json(tmp_path) is None
    assert find_camera_json(tmp_path / "cameras.json") is None
    path = _write(tmp_path, _content()) / "cameras.json"
    assert find_camera_json(tmp_path) == find_camera_json(path) == path
    assert find_camera_json(tmp_path / "images" / "p0.png") is None


# Damaged


def _frame(**changes: Any) -> Callable[[Content], object]:
    return lambda content: content["frames"][1].update(changes)


def _drop(key: str) -> Callable[[Content], object]:
    return lambda content: content["frames"][1].pop(key)


def _shared(**changes: Any) -> Callable[[Content], object]:
    return lambda content: content.update(changes)


_R = shots()[1].rotation
_MIRRORED = (_R * [[-1], [1], [1]]).tolist()
_NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_frame(K=[[0, 0, 1], [0, 5, 1], [0, 0, 1]]), CorruptFile, "frame 1: the focal lengths are 0 and 5 pixels"),
        (_frame(K=[[5, 0, 1], [0, -5, 1], [0, 0, 1]]), CorruptFile, "the focal lengths are 5 and -5 pixels"),
        (_frame(K=[[0] * 3] * 3), CorruptFile, r"frame 1: K is .*expected \[\[fx, skew, cx\]"),
        (_frame(K=[[5, 0, 0], [0, 5, 0], [1, 1, 1]]), CorruptFile, r"frame 1: K is .*expected \[\[fx, skew, cx\]"),
        (_frame(K=[[5, 0, _NAN], [0, 5, 1], [0, 0, 1]]), CorruptFile, "frame 1: 'K' holds NaN or infinity"),
        (_frame(K=[[5, 0, 1], [0, 5, 1]]), CorruptFile, "frame 1: 'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[[5, 0, 1], [0, 5], [0, 0, 1]]), CorruptFile, "'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[[5, 0, 1], 3, [0, 0, 1]]), CorruptFile, "'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[["5", 0, 1], [0, 5, 1], [0, 0, 1]]), CorruptFile, "'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[[True, 0, 1], [0, 5, 1], [0, 0, 1]]), CorruptFile, "'K' is not a list of 3 x 3 numbers"),
        (_frame(K=[[10**400, 0, 1], [0, 5, 1], [0, 0, 1]]), CorruptFile, "'K' holds a whole number that is too large"),
        (_drop("K"), CorruptFile, r"frame 1: no key 'K' \(found "),
        (_frame(R=_MIRRORED), CorruptFile, "frame 1: the pose is mirrored"),
        (_frame(R=(2 * _R).tolist()), CorruptFile, "axes have lengths .2, 2, 2., expected 1"),
        (_frame(R=[[1.0, 0, 0]] * 3), CorruptFile, "axes have lengths"),
        (_frame(R=[[_NAN] * 3] * 3), CorruptFile, "'R' holds NaN or infinity"),
        (_frame(R=_R.ravel().tolist()), CorruptFile, "'R' is not a list of 3 x 3 numbers"),
        (_frame(t=[1, 2]), CorruptFile, "'t' is not a list of 3 numbers"),
        (_frame(t=[[1, 2, 3]]), CorruptFile, "'t' is not a list of 3 numbers"),
        (_frame(t=[1, 2, 1e13]), CorruptFile, "the pose is .*expected finite numbers below 1e12"),
        (_frame(t="123"), CorruptFile, "'t' is '123', expected list"),
        (_frame(file="../p1.png"), CorruptFile, "frame 1: the photo '../p1.png' lies outside the folder"),
        (_frame(file="a/../../p1.png"), CorruptFile, "lies outside the folder"),
        (_frame(file="/etc/p1.png"), CorruptFile, "lies outside the folder"),
        (_frame(file="C:\\p1.png"), CorruptFile, "lies outside the folder"),
        (_frame(file=""), CorruptFile, "cannot be the name of a photo"),
        (_frame(file="x\0.png"), CorruptFile, "cannot be the name of a photo"),
        (_frame(file=3), CorruptFile, "'file' is 3, expected str"),
        (_frame(file="./p0.png"), CorruptFile, "frame 1: the photo 'p0.png' is that of frame 0 already"),
        (_frame(width=0), CorruptFile, "frame 1: 'width' is 0, expected 1 to"),
        (_frame(height=10**30), CorruptFile, "'height' is 1000.*, expected 1 to"),
        (_frame(width=40.0), CorruptFile, "'width' is 40.0, expected int"),
        (_drop("t"), CorruptFile, r"frame 1: no key 't' \(found "),
        (_frame(width=HEIGHT, height=WIDTH), CorruptFile, "30 x 40 pixels, but the photo .* has 40 x 30"),
        (_frame(model="equirectangular"), UnknownFormat, "no camera model 'equirectangular'; choose from"),
        (_frame(model=["opencv"]), UnknownFormat, "no camera model a list"),
        (
            _frame(model="pinhole", distortion=[0.1]),
            CorruptFile,
            "frame 1: 1 coefficients of distortion; pinhole has at most 0",
        ),
        (
            _frame(model="fisheye", distortion=[0] * 5),
            CorruptFile,
            "5 coefficients of distortion; fisheye has at most 4",
        ),
        (_frame(model="opencv", distortion=0.1), CorruptFile, "'distortion' is 0.1, expected list"),
        (_frame(model="opencv", distortion=[None]), CorruptFile, "'distortion' is not a list of any numbers"),
        (_frame(model="opencv", distortion=[_NAN]), CorruptFile, "'distortion' holds NaN"),
        (_frame(model="fisheye"), InvalidInput, "'p1.png' has a fisheye lens, 'p0.png' none"),
        (_shared(pixel_centers=0.25), CorruptFile, "'pixel_centers' is 0.25, expected 0"),
        (_shared(pixel_centers=False), CorruptFile, "'pixel_centers' is False"),
        (_shared(pixel_centers=[0]), CorruptFile, "'pixel_centers' is a list"),
        (_shared(frames=[]), MissingPart, "has no frames"),
        (_shared(frames={}), CorruptFile, "'frames' is a dict, expected list"),
        (_shared(frames=[None]), CorruptFile, "frame 0: found None, expected an object"),
        (lambda content: content.pop("frames"), CorruptFile, "the document: no key 'frames'"),
    ],
)
def test_bad_content_is_refused_with_the_place(
    tmp_path: Path, change: Callable[[Content], object], error: type[TrisparseError], message: str
) -> None:
    content = _content()
    change(content)
    with pytest.raises(error, match=message) as caught:
        read_camera_json(_write(tmp_path, content))
    assert "cameras.json" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"frames": [[[' + "[" * 5000, '{"frames": "\\ud800"}', "\xff"])
def test_hostile_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "cameras.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptFile, match=r"cameras.json"):
        read_camera_json(tmp_path)


# Real photos


def _real(shared: Path, name: str) -> Path:
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    return folder


def test_the_points_of_sceaux_castle_have_the_colours_of_the_photos_that_see_them(shared: Path) -> None:
    photos = read_camera_json(_real(shared, "nvs_sceaux_castle"))
    assert photos.points is not None
    assert photos.points.visible.shape == (12683, 10)
    assert len(photos.points.seen_by([0, 2, 5])) == 3007
    at = photos.cameras.project(photos.points.cloud.points)
    seen = photos.points.visible.mT & at.inside
    assert int(seen.sum()) > 0.99 * int(photos.points.visible.sum())
    there = _mean_difference(photos, photos.points, at, seen, (0, 0))
    assert there < 20 / 255
    for beside in ((-0.5, -0.5), (0.5, 0.5), (0.5, -0.5), (-0.5, 0.5)):
        assert _mean_difference(photos, photos.points, at, seen, beside) > there + 0.5 / 255
    mixed = photos.select([*range(1, 10), 0])
    assert _mean_difference(mixed, photos.points, at, seen, (0, 0)) > 2 * there


def _mean_difference(
    photos: PosedImages, points: SparsePoints, at: Projection, seen: torch.Tensor, beside: tuple[float, float]
) -> float:
    """Between the points' colours and those of the photos that see them, so many pixels beside where they project."""
    assert points.cloud.colors is not None
    total = 0.0
    for row in range(len(photos)):
        shown = sample_image(photos.image(row), at.pixels[row, seen[row]] + torch.tensor(beside))
        total += float((shown - points.cloud.colors[seen[row]]).abs().mean()) / len(photos)
    return total
