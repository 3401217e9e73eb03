"""Blender, LLFF and DTU scenes: what their numbers mean, and damaged ones."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, TrisparseError, UnsafeFile
from trisparse.data.readers.blender import read_blender
from trisparse.data.readers.dtu import read_dtu, read_dtu_masks, split_projection
from trisparse.data.readers.llff import read_llff, read_llff_bounds

from .posed_scene import FOCAL, HEIGHT, POINT, WIDTH, assert_marks_are_hit, photo, save, shots

# Blender


def _blender(folder: Path) -> Path:
    """Transparent photos, opaque only where the mark is."""
    frames = []
    for i, shot in enumerate(shots()):
        right, down, forward = shot.rotation
        columns = [right, -down, -forward, shot.center]
        rows = [[float(column[k]) for column in columns] for k in range(3)] + [[0.0, 0.0, 0.0, 1.0]]
        frames.append({"file_path": f"./train/r_{i}", "rotation": 0.01, "transform_matrix": rows})
        alpha = (photo(shot.mark)[..., :1] == 255) * np.uint8(255)
        save(folder / "train" / f"r_{i}.png", np.concatenate([photo(shot.mark), alpha], -1))
        save(folder / "train" / f"r_{i}_depth_0001.png", photo((0, 0)))
    angle = 2 * math.atan(WIDTH / 2 / FOCAL)
    (folder / "transforms_train.json").write_text(json.dumps({"camera_angle_x": angle, "frames": frames}))
    return folder


def test_a_blender_scene_is_read_on_white(tmp_path: Path) -> None:
    photos = read_blender(_blender(tmp_path))
    assert photos.names == ("train/r_0.png", "train/r_1.png", "train/r_2.png")
    assert photos.image(0)[0, 0].tolist() == [1, 1, 1]
    dark = read_blender(tmp_path, background=(0, 0, 51))
    torch.testing.assert_close(dark.image(0)[0, 0], torch.tensor([0, 0, 0.2]))
    assert_marks_are_hit(dark)


def test_a_split_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"transforms_test.json: .*\(found transforms_train.json\)"):
        read_blender(_blender(tmp_path), "test")
    with pytest.raises(MissingPart, match=r"no transforms_\*.json"):
        read_blender(tmp_path / "nothing")


# LLFF


def _llff(folder: Path, factor: int = 1) -> Path:
    """Axes down, right, back; the photos in ``images_<factor>``, their names other than by row."""
    rows = []
    for i, shot in enumerate(shots()):
        right, down, forward = shot.rotation
        size = np.array([HEIGHT, WIDTH, FOCAL]) * factor
        table = np.stack([down, right, -forward, shot.center, size], 1)
        rows.append([*table.ravel(), 1.5 + i, 9.5])
        save(folder / f"images_{factor}" / f"image{i:03d}.png", photo(shot.mark))
        save(folder / "images" / f"IMG_{7 * i}.jpg", np.zeros((HEIGHT * factor, WIDTH * factor, 3), np.uint8))
    np.save(folder / "poses_bounds.npy", np.array(rows))
    return folder


def test_an_llff_scene_is_read_at_the_size_of_its_photos(tmp_path: Path) -> None:
    _llff(tmp_path, 8)
    photos = read_llff(tmp_path, "images_8")
    assert_marks_are_hit(photos)
    assert photos.warnings == ("cameras of 3 photos were brought from 320 x 240 to 40 x 30, their photos' size",)
    assert read_llff(tmp_path).cameras.width == 320
    assert read_llff_bounds(tmp_path).tolist() == [[1.5, 9.5], [2.5, 9.5], [3.5, 9.5]]
    shutil.move(tmp_path / "images_8", tmp_path / "elsewhere")
    assert_marks_are_hit(read_llff(tmp_path, tmp_path / "elsewhere"))


def _table(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        np.save(folder / "poses_bounds.npy", change(np.load(folder / "poses_bounds.npy")))

    return write


def _put(row: int, column: int, value: float) -> Callable[[Path], None]:
    def change(table: np.ndarray) -> np.ndarray:
        table[row, column] = value
        return table

    return _table(change)


def _mirrored(table: np.ndarray) -> np.ndarray:
    table[:, [0, 5, 10]] *= -1
    return table


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_put(1, 2, np.nan), CorruptFile, "row 1: holds NaN"),
        (_put(1, 2, 1e300), CorruptFile, "row 1: holds NaN, infinity or a number above 1e12"),
        (_put(2, 0, 5), CorruptFile, "row 2: the pose's axes have lengths"),
        (_table(_mirrored), CorruptFile, "row 0: the pose is mirrored"),
        (_put(0, 14, 0), CorruptFile, "row 0: the focal lengths are 0 and 0 pixels"),
        (_put(0, 9, 0), CorruptFile, "row 0: an image of 0 x 30 pixels"),
        (_put(0, 9, 40.5), CorruptFile, "row 0: an image of 40.5 x 30 pixels"),
        (_put(0, 9, 400), CorruptFile, "row 0: its camera sees 400 x 30 pixels, but the photo"),
        (_table(lambda t: t[:, :15]), CorruptFile, r"holds float64 of shape \(3, 15\), expected"),
        (_table(lambda t: t[0]), CorruptFile, r"of shape \(17,\)"),
        (_table(lambda t: t[:2]), InvalidInput, "holds 3 photos, but poses_bounds.npy beside it 2 rows"),
        (_table(lambda t: t[[0, 0, 0, 0]]), InvalidInput, "holds 3 photos, but poses_bounds.npy beside it 4 rows"),
        (_table(lambda t: t.astype(object)), UnsafeFile, "holds Python objects"),
        (lambda folder: (folder / "poses_bounds.npy").write_bytes(b"\x93NUMPY"), CorruptFile, "no header"),
        (lambda folder: (folder / "poses_bounds.npy").unlink(), MissingPart, "no such file"),
        (lambda folder: shutil.rmtree(folder / "images_1"), MissingPart, r"holds no photos; .*\(found images\)"),
    ],
)
def test_bad_llff_scenes_are_refused(
    tmp_path: Path, change: Callable[[Path], object], error: type[TrisparseError], message: str
) -> None:
    change(_llff(tmp_path))
    with pytest.raises(error, match=message) as caught:
        read_llff(tmp_path, "images_1")
    assert str(tmp_path) in str(caught.value)


# DTU


def _dtu(folder: Path, scale: float = -0.37) -> Path:
    """Matrices that count integer pixel centres, in millimetres, of any scale; the photos beside other ones."""
    scan = folder / "Rectified" / "scan8"
    calibration = folder / "Calibration" / "cal18"
    calibration.mkdir(parents=True)
    for i, shot in enumerate(shots(cx=19.5 + 0.5, cy=14.25 + 0.5)):
        K = np.array([[FOCAL, 0, 19.5], [0, FOCAL, 14.25], [0, 0, 1]])
        matrix = scale * K @ np.concatenate([shot.rotation, 1000 * shot.translation[:, None]], 1)
        text = "\n".join(" ".join(f"{v:.9f}" for v in row) for row in matrix)
        (calibration / f"pos_{i + 1:03d}.txt").write_text(text + "\n")
        save(scan / f"rect_{i + 1:03d}_3_r5000.png", photo(shot.mark))
        save(scan / f"rect_{i + 1:03d}_max.png", photo((0, 0)))
    return scan


@pytest.mark.parametrize("scale", [1.0, -0.37, 250.0])
def test_a_dtu_scan_is_read_in_metres(tmp_path: Path, scale: float) -> None:
    photos = read_dtu(_dtu(tmp_path, scale))
    assert photos.names == tuple(f"rect_00{i}_3_r5000.png" for i in (1, 2, 3))
    assert photos.warnings == ("millimetres became metres",)
    assert_marks_are_hit(photos)
    torch.testing.assert_close(photos.cameras.centers[1], torch.from_numpy(shots(20, 14.75)[1].center).float())


def test_dtu_photos_may_be_smaller_and_their_matrices_elsewhere(tmp_path: Path) -> None:
    scan = _dtu(tmp_path)
    shutil.move(tmp_path / "Calibration", tmp_path / "c")
    with pytest.raises(
        MissingPart, match=r"no projection matrices; looked for pos_001.txt in .*scan8/Calibration/cal18"
    ):
        read_dtu(scan)
    photos = read_dtu(scan, tmp_path / "c" / "cal18", most=2)
    assert len(photos) == 2


def test_dtu_lights_gaps_and_missing_matrices_are_said(tmp_path: Path) -> None:
    scan = _dtu(tmp_path)
    with pytest.raises(MissingPart, match=r"no photos rect_001_9.png and so on \(lights found: 3_r5000, max\)"):
        read_dtu(scan, light="9")
    (scan / "rect_002_3_r5000.png").unlink()
    assert "1 photos up to number 3 are not there" in read_dtu(scan).warnings[1]
    (tmp_path / "Calibration" / "cal18" / "pos_003.txt").unlink()
    with pytest.raises(MissingPart, match=r"pos_003.txt: no such file"):
        read_dtu(scan)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3", "3 numbers, expected 3 x 4"),
        ("", "0 numbers, expected 3 x 4"),
        ("nan " * 12, "expected 3 x 4 finite ones"),
        ("0 " * 12, "expected 3 x 4 finite ones"),
        ("1 " * 12, "cannot be inverted"),
        ("1 2 x", "'x' is not a number"),
    ],
)
def test_bad_dtu_matrices_are_refused(tmp_path: Path, text: str, message: str) -> None:
    scan = _dtu(tmp_path)
    (tmp_path / "Calibration" / "cal18" / "pos_002.txt").write_text(text)
    with pytest.raises(CorruptFile, match=rf"pos_002.txt: .*{message}"):
        read_dtu(scan)


def test_a_projection_matrix_with_skew_is_split_into_what_it_was_made_of() -> None:
    shot, K = shots()[1], np.array([[900.0, 12, 300], [0, 800, 200], [0, 0, 1]])
    lens, pose = split_projection(Path("p"), K @ np.concatenate([shot.rotation, shot.translation[:, None]], 1))
    np.testing.assert_allclose(lens.matrix(), K, atol=1e-9)
    np.testing.assert_allclose(pose[:3], np.concatenate([shot.rotation, shot.translation[:, None]], 1), atol=1e-12)
    pixel = lens.matrix() @ (pose[:3, :3] @ POINT + pose[:3, 3])
    np.testing.assert_allclose(pixel[:2] / pixel[2], (K @ (shot.rotation @ POINT + shot.translation) / pixel[2])[:2])


@pytest.mark.parametrize("place", ["masks", "masks/mask"])
def test_dtu_masks_shrink_to_what_is_object_all_over(tmp_path: Path, place: str) -> None:
    photos = read_dtu(_dtu(tmp_path)).select([2, 0])
    for number in (0, 2):
        mask = np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8)
        mask[10 : 21 + number, 20:31] = 255
        save(tmp_path / place / f"{number:03d}.png", mask)
    masks = read_dtu_masks(tmp_path / "masks", photos)
    assert masks.sum((1, 2)).tolist() == [6 * 5, 5 * 5]
    assert masks[1, 5:10, 10:15].all()
    (tmp_path / place / "002.png").unlink()
    with pytest.raises(MissingPart, match=r"002.png: no such mask, of rect_003_3_r5000.png"):
        read_dtu_masks(tmp_path / "masks", photos)
    save(tmp_path / place / "002.png", np.zeros((HEIGHT, WIDTH + 1), np.uint8))
    with pytest.raises(InvalidInput, match="a mask of 41 x 30 pixels for photos of 40 x 30"):
        read_dtu_masks(tmp_path / "masks", photos)
