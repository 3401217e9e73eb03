"""COLMAP models: what they mean, there and back, against pycolmap, and damaged."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, UnknownFormat
from trisparse.data.readers import colmap, colmap_binary
from trisparse.data.readers.colmap import find_colmap, read_colmap, read_model
from trisparse.data.readers.colmap_model import KINDS
from trisparse.data.readers.colmap_writing import write_colmap

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

_LENSES = [
    ("pinhole", None),
    ("opencv", [0.05, -0.02, 0.001, -0.002]),
    ("opencv", [0.05, -0.02, 0.001, -0.002, 0.01, 0.1, -0.01, 0.02]),
    ("fisheye", [0.02, -0.01, 0.003, -0.001]),
]


def _project(
    folder: Path, names: list[str] | None = None, camera: str = f"PINHOLE {WIDTH} {HEIGHT} 35 35 20 15"
) -> Path:
    """A text model of the scene of three shots, written by hand, and its photos."""
    sparse = folder / "sparse" / "0"
    sparse.mkdir(parents=True)
    (sparse / "cameras.txt").write_text(f"# a comment\n\n4 {camera}\n")
    lines = []
    names = names or [f"p{i}.png" for i in range(3)]
    for i, (name, shot) in enumerate(zip(names, shots(), strict=True)):
        x, y, z, w = Rotation.from_matrix(shot.rotation).as_quat()
        numbers = " ".join(map(repr, map(float, (w, x, y, z, *shot.translation))))
        lines += [f"{10 + i} {numbers} 4 {name}", "" if i else f"{shot.mark[0] + 0.5} {shot.mark[1] + 0.5} 77"]
        save(folder / "images" / name, photo(shot.mark))
    (sparse / "images.txt").write_text("\n".join(lines) + "\n")
    (sparse / "points3D.txt").write_text(f"77 {POINT[0]} {POINT[1]} {POINT[2]} 255 0 51 0.5 10 0 12 3\n")
    return folder


def test_a_known_point_projects_to_the_centre_of_the_pixel_that_shows_it(tmp_path: Path) -> None:
    photos = read_colmap(_project(tmp_path))
    assert photos.names == ("p0.png", "p1.png", "p2.png")
    assert_marks_are_hit(photos)
    assert photos.points is not None
    assert photos.points.visible.tolist() == [[True, False, True]]
    torch.testing.assert_close(photos.points.cloud.points, torch.from_numpy(POINT[None]).float())
    torch.testing.assert_close(photos.points.cloud.colors, torch.tensor([[1, 0, 0.2]]))


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("model", "distortion"), _LENSES)
def test_what_is_written_is_read_back(tmp_path: Path, model: str, distortion: list[float] | None, binary: bool) -> None:
    photos = posed_set(model, distortion)
    write_colmap(photos, tmp_path, binary=binary)
    again = read_colmap(tmp_path)
    assert_same_set(photos, again)
    assert again.warnings == ()


def test_a_model_of_the_other_kind_is_replaced(tmp_path: Path) -> None:
    write_colmap(posed_set(), tmp_path, binary=True)
    write_colmap(posed_set().select([1]), tmp_path, binary=False)
    assert len(read_colmap(tmp_path)) == 1


def test_no_points_and_points_that_nothing_sees_survive(tmp_path: Path) -> None:
    photos = posed_set()
    assert photos.points is not None
    photos.points.visible[2] = False
    write_colmap(photos, tmp_path / "a")
    assert_same_set(photos, read_colmap(tmp_path / "a"))
    bare = type(photos)(photos.cameras, photos.names, photos.loads)
    write_colmap(bare, tmp_path / "b")
    assert read_colmap(tmp_path / "b").points is None


# Against COLMAP itself


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(("model", "distortion"), _LENSES)
def test_pycolmap_reads_what_is_written_and_projects_the_same(
    tmp_path: Path, model: str, distortion: list[float] | None, binary: bool
) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    photos = posed_set(model, distortion)
    theirs = pycolmap.Reconstruction(str(write_colmap(photos, tmp_path, binary=binary)))
    assert photos.points is not None
    projected = photos.cameras.project(photos.points.cloud.points)
    assert theirs.num_images() == len(photos)
    for image in theirs.images.values():
        row = photos.names.index(image.name)
        seen = photos.points.visible[:, row].nonzero()[:, 0].tolist()
        assert [p.point3D_id - 1 for p in image.points2D] == seen
        for point in range(len(photos.points.cloud)):
            expected = image.project_point(photos.points.cloud.points[point].double().numpy())
            np.testing.assert_allclose(projected.pixels[row, point].numpy(), expected, atol=2e-3)
    for number, point in theirs.points3D.items():
        np.testing.assert_array_equal(point.xyz, photos.points.cloud.points[number - 1].double().numpy())
        assert point.track.length() == int(photos.points.visible[number - 1].sum())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("binary", [True, False])
def test_every_camera_model_that_pycolmap_writes_projects_the_same(tmp_path: Path, kind, binary: bool) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    parameters = [
        *[FOCAL, FOCAL + 2][: kind.focals],
        19.0,
        16.5,
        *[0.03, -0.02, 0.004, -0.003, 0.01, 0.02, 0.005, 0.001][: kind.coefficients],
    ]
    camera = pycolmap.Camera(model=kind.name, width=WIDTH, height=HEIGHT, params=parameters, camera_id=3)
    theirs = pycolmap.Reconstruction()
    theirs.add_camera_with_trivial_rig(camera)
    for i, shot in enumerate(shots()):
        image = pycolmap.Image(name=f"p{i}.png", camera_id=3, image_id=i + 1)
        pose = pycolmap.Rigid3d(pycolmap.Rotation3d(shot.rotation), shot.translation)
        theirs.add_image_with_trivial_frame(image, pose)
        save(tmp_path / "images" / f"p{i}.png", photo(shot.mark))
    (tmp_path / "sparse").mkdir()
    (theirs.write_binary if binary else theirs.write_text)(str(tmp_path / "sparse"))
    cameras = read_colmap(tmp_path).cameras
    points = POINT + np.random.default_rng(1).normal(0, 0.3, (5, 3))
    projected = cameras.project(torch.from_numpy(points).float()).pixels
    for i in range(3):
        expected = [theirs.images[i + 1].project_point(point) for point in points]
        np.testing.assert_allclose(projected[i].numpy(), np.array(expected), atol=2e-3)


# Where photos are


def test_smaller_photos_of_another_folder_bring_the_cameras_to_their_size(tmp_path: Path) -> None:
    _project(tmp_path, camera=f"PINHOLE {2 * WIDTH} {2 * HEIGHT} 70 70 40 30")
    for file in list((tmp_path / "images").iterdir()):
        (tmp_path / "images_2").mkdir(exist_ok=True)
        shutil.move(file, tmp_path / "images_2" / file.name)
    with pytest.raises(MissingPart, match="none of its 3 photos is there"):
        read_colmap(tmp_path)
    photos = read_colmap(tmp_path, "images_2")
    assert_marks_are_hit(photos)
    assert photos.warnings == ("cameras of 3 photos were brought from 80 x 60 to 40 x 30, their photos' size",)


def test_smaller_photos_that_were_numbered_anew_are_matched_in_order(tmp_path: Path) -> None:
    _project(tmp_path, ["IMG_3.png", "IMG_5.png", "IMG_8.png"])
    for i, file in enumerate(sorted((tmp_path / "images").iterdir())):
        save(tmp_path / "images_8" / f"image{i:03d}.png", photo(shots()[i].mark))
        save(file, photo((0, 0)))
    photos = read_colmap(tmp_path, "images_8")
    assert photos.names == ("IMG_3.png", "IMG_5.png", "IMG_8.png")
    assert_marks_are_hit(photos)


def test_missing_and_surplus_photos_are_left_out_and_said(tmp_path: Path) -> None:
    _project(tmp_path)
    (tmp_path / "images" / "p1.png").unlink()
    save(tmp_path / "images" / "q.png", photo((0, 0)))
    photos = read_colmap(tmp_path / "sparse" / "0")
    assert photos.names == ("p0.png", "p2.png")
    assert photos.points is not None
    assert photos.points.visible.tolist() == [[True, True]]
    assert photos.warnings == (
        "1 photos have no camera (q.png): left out",
        "1 of 3 photos are not there (p1.png): left out",
    )


def test_photos_of_a_few_pixels_difference_are_brought_to_one_size(tmp_path: Path) -> None:
    _project(tmp_path)
    save(tmp_path / "images" / "p1.png", photo((31, 22), WIDTH + 1, HEIGHT))
    sparse = tmp_path / "sparse" / "0"
    (sparse / "cameras.txt").write_text(
        f"4 PINHOLE {WIDTH} {HEIGHT} 35 35 20 15\n5 PINHOLE {WIDTH + 1} {HEIGHT} 35 35 20 15\n"
    )
    lines = (sparse / "images.txt").read_text().split("\n")
    lines[2] = lines[2].replace(" 4 p1", " 5 p1")
    (sparse / "images.txt").write_text("\n".join(lines))
    photos = read_colmap(tmp_path)
    assert photos.images().shape == (3, HEIGHT, WIDTH, 3)
    torch.testing.assert_close(photos.cameras.K[1, 0], torch.tensor([35 * 40 / 41, 0, 20 * 40 / 41]))
    assert photos.warnings == ("1 photos of other sizes (p1.png) are brought to 40 x 30",)


def test_the_points_that_most_photos_see_are_kept_where_the_table_would_be_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = posed_set()
    assert photos.points is not None
    write_colmap(photos, tmp_path)
    monkeypatch.setattr(colmap, "_MOST_SIGHTS", 9)
    few = read_colmap(tmp_path)
    assert few.points is not None
    counts = photos.points.visible.sum(1)
    assert sorted(few.points.visible.sum(1).tolist()) == sorted(counts.tolist())[-3:]
    assert few.warnings == ("only those 3 of 7 points are kept that most photos see",)


# Bad input


def _text(part: str, old: str, new: str):
    def change(folder: Path) -> None:
        file = folder / "sparse" / "0" / f"{part}.txt"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return change


def _mirrored(folder: Path) -> None:
    _text("images", "10 ", "10 0 0 0 0 1 2 3 4 p9.png\n\n10 ")(folder)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_text("cameras", "35 35", "0 35"), CorruptFile, r"images.txt: image 1: the focal lengths are 0 and 35 pixels"),
        (_text("cameras", "35 35", "nan 35"), CorruptFile, "image 1: the lens has the numbers .nan"),
        (_text("cameras", "35 35", "1e300 35"), CorruptFile, "finite ones below 1e12"),
        (_text("cameras", " 35 35", " 35"), CorruptFile, "3 parameters of a PINHOLE camera, expected 4"),
        (_text("cameras", "PINHOLE", "FOV"), UnknownFormat, "camera model FOV is not read here.*image_undistorter"),
        (_text("cameras", "PINHOLE", "PINHOL"), CorruptFile, "COLMAP has no camera model 'PINHOL'"),
        (_text("cameras", "40 30", "0 30"), CorruptFile, "0 x 30 pixels"),
        (_text("cameras", "40 30", "4.5 30"), CorruptFile, "line 3: found '4.5', expected a whole number"),
        (_text("cameras", "40 30", "30 40"), CorruptFile, "30 x 40 pixels, but the photo .*p0.png has 40 x 30"),
        (_text("cameras", "4 PIN", "5 PIN"), CorruptFile, "its camera 4 is not among the model's 1"),
        (_text("cameras", "4 PIN", "4 PINHOLE 9 9 1 1 1 1\n4 PIN"), CorruptFile, "the number 4 is another camera's"),
        (_mirrored, CorruptFile, r"its rotation is the quaternion \[0.0, 0.0, 0.0, 0.0\]; expected length 1"),
        (_text("images", "p1.png", "p0.png"), CorruptFile, "the photo 'p0.png' is that of image 1 already"),
        (_text("images", "p1.png", "../p1.png"), CorruptFile, "lies outside the folder"),
        (_text("images", "p1.png", "/etc/passwd"), CorruptFile, "lies outside the folder"),
        (_text("images", "p1.png", "x/../../p1.png"), CorruptFile, "lies outside the folder"),
        (_text("images", "\n7.5 5.5 77", ""), CorruptFile, "every image has two lines"),
        (_text("images", " 77", ""), CorruptFile, "2 words, expected x, y and point"),
        (_text("images", "10 ", "10 x"), CorruptFile, "expected a number"),
        (_text("points3D", " 10 0 12 3", " 10"), CorruptFile, "9 words, expected number, x y z"),
        (_text("points3D", "255 0 51", "255 0 510"), CorruptFile, "the colour .255, 0, 510., expected 0 to 255"),
    ],
)
def test_bad_text_is_refused_with_the_place(tmp_path: Path, change, error: type, message: str) -> None:
    change(_project(tmp_path))
    with pytest.raises(error, match=message):
        read_colmap(tmp_path)


def test_points_with_nan_and_sights_of_unknown_images_are_left_out_and_said(tmp_path: Path) -> None:
    _project(tmp_path)
    with (tmp_path / "sparse" / "0" / "points3D.txt").open("a") as file:
        file.write("78 nan 0 0 1 2 3 0.1 10 0\n79 1 1 1 1 2 3 0.1 99 0\n")
    photos = read_colmap(tmp_path)
    assert photos.points is not None
    assert photos.points.visible.tolist() == [[True, False, True], [False, False, False]]
    assert photos.warnings == (
        "1 sights of points are in images that the model does not have: left out",
        "1 of 3 points have NaN or infinity in them: left out",
    )


def test_photos_of_several_shapes_and_kinds_of_lenses_are_refused(tmp_path: Path) -> None:
    _project(tmp_path)
    cameras = tmp_path / "sparse" / "0" / "cameras.txt"
    images = tmp_path / "sparse" / "0" / "images.txt"
    images.write_text(images.read_text().replace(" 4 p2.png", " 5 p2.png"))
    cameras.write_text(cameras.read_text() + "5 OPENCV_FISHEYE 40 30 35 35 20 15 0 0 0 0\n")
    with pytest.raises(InvalidInput, match=r"'p2.png' has a fisheye lens, 'p0.png' none"):
        read_colmap(tmp_path)
    cameras.write_text(cameras.read_text().replace("5 OPENCV_FISHEYE 40 30", "5 OPENCV_FISHEYE 30 40"))
    save(tmp_path / "images" / "p2.png", photo((1, 1), HEIGHT, WIDTH))
    with pytest.raises(InvalidInput, match=r"several shapes: 2 of 40 x 30 \(p0.png, p1.png\); 1 of 30 x 40 \(p2.png\)"):
        read_colmap(tmp_path)


def test_pinhole_and_distorted_cameras_go_together(tmp_path: Path) -> None:
    _project(tmp_path)
    cameras = tmp_path / "sparse" / "0" / "cameras.txt"
    images = tmp_path / "sparse" / "0" / "images.txt"
    images.write_text(images.read_text().replace(" 4 p2.png", " 5 p2.png"))
    cameras.write_text(cameras.read_text() + "5 SIMPLE_RADIAL 40 30 35 20 15 0.25\n")
    photos = read_colmap(tmp_path)
    assert photos.cameras.model == "opencv"
    assert photos.cameras.distortion[:, 0].tolist() == [0, 0, 0.25]


def test_nothing_where_a_model_should_be_names_where_it_was_looked_for(tmp_path: Path) -> None:
    assert find_colmap(tmp_path) is None
    with pytest.raises(MissingPart, match=r"no COLMAP model; looked for cameras and images .*sparse/0"):
        read_colmap(tmp_path)
    _project(tmp_path)
    (tmp_path / "sparse" / "0" / "images.txt").write_text("# nothing\n")
    with pytest.raises(MissingPart, match="names no photos"):
        read_colmap(tmp_path)


@pytest.mark.parametrize("part", ["cameras", "images", "points3D"])
def test_every_truncation_of_a_binary_file_is_refused_with_its_name(tmp_path: Path, part: str) -> None:
    folder = write_colmap(posed_set(n=2), tmp_path)
    file = folder / f"{part}.bin"
    content = file.read_bytes()
    read = {"cameras": colmap_binary.read_cameras, "images": colmap_binary.read_images}.get(
        part, colmap_binary.read_points
    )
    for size in range(len(content)):
        file.write_bytes(content[:size])
        with pytest.raises(CorruptFile, match=f"{part}.bin: "):
            read(file)
    file.write_bytes(content + b"\0")
    with pytest.raises(CorruptFile, match="1 bytes follow the last of the"):
        read(file)


@pytest.mark.parametrize("part", ["cameras", "images", "points3D"])
@pytest.mark.parametrize("count", [0, 1, 4, 2**31, 2**62, 2**64 - 1])
def test_wrong_counts_are_refused_before_memory_is_taken(tmp_path: Path, part: str, count: int) -> None:
    folder = write_colmap(posed_set(), tmp_path)
    file = folder / f"{part}.bin"
    content = file.read_bytes()
    (right,) = struct.unpack_from("<Q", content)
    file.write_bytes(struct.pack("<Q", count) + content[8:])
    if count == right:
        read_model(folder)
        return
    with pytest.raises(CorruptFile, match=f"{part}.bin: .*(count|truncated)"):
        read_model(folder)


def test_a_track_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    folder = write_colmap(posed_set(), tmp_path)
    content = bytearray((folder / "points3D.bin").read_bytes())
    content[8 + 43 : 8 + 51] = struct.pack("<Q", 2**61)
    (folder / "points3D.bin").write_bytes(content)
    with pytest.raises(CorruptFile, match="point 1: its track of 2305843009213693952 images"):
        read_model(folder)


def test_names_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    photos = posed_set()
    for names, message in [
        (("a.png", "a.png", "b.png"), "two photos are named 'a.png'"),
        (("a.png", "a.jpg", "b.png"), "two photos would be written as 'a.png'"),
        (("../a.png", "c", "b"), "lies outside the folder"),
    ]:
        with pytest.raises(InvalidInput, match=message):
            write_colmap(type(photos)(photos.cameras, names, photos.loads), tmp_path)


def test_names_with_spaces_are_written_in_binary_only(tmp_path: Path) -> None:
    photos = posed_set()
    photos = type(photos)(photos.cameras, ("a b.png", "c.png", "ä/ö.png"), photos.loads)
    write_colmap(photos, tmp_path)
    assert_same_set(photos, read_colmap(tmp_path))
    with pytest.raises(InvalidInput, match=r"cannot hold the name 'a b.png' with its space"):
        write_colmap(photos, tmp_path, binary=False)
