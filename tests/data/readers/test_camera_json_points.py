"""The points beside a cameras.json."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, MissingPart, TrisparseError, UnsafeFile
from trisparse.data.cameras import Projection
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.camera_json import read_camera_json
from trisparse.data.resample import sample_image

from .camera_json_set import camera_content, write_points, write_set
from .posed_scene import POINT, shots


def test_points_have_colours_and_may_come_without_sights(tmp_path: Path) -> None:
    write_set(tmp_path, camera_content())
    away = shots()[0].center - 3 * shots()[0].rotation[2]  # behind the first camera
    xyz = np.stack([POINT, [np.nan, 0, 0], away]).astype(">f8")
    write_points(tmp_path, xyz=xyz, rgb=np.array([[255, 51, 0], [1, 1, 1], [0, 0, 102]], np.uint8))
    photos = read_camera_json(tmp_path)
    assert photos.points is not None
    torch.testing.assert_close(photos.points.cloud.points[0], torch.from_numpy(POINT).float(), rtol=0, atol=0)
    torch.testing.assert_close(photos.points.cloud.colors, torch.tensor([[1, 0.2, 0], [0, 0, 0.4]]))
    assert photos.points.visible[0].tolist() == [True, True, True]
    assert not photos.points.visible[1, 0]
    assert photos.warnings[0].startswith("1 of 3 points have NaN or infinity")
    assert photos.warnings[1].startswith("the points come without the photos that see them")


def test_no_points_at_all_are_a_cloud_of_none(tmp_path: Path) -> None:
    write_set(tmp_path, camera_content())
    write_points(tmp_path, xyz=np.zeros((0, 3), np.float32), visible=np.zeros((0, 3), bool))
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
    write_points(write_set(tmp_path, camera_content()), **arrays)
    with pytest.raises(error, match=message) as caught:
        read_camera_json(tmp_path)
    assert "points.npz" in str(caught.value)


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
