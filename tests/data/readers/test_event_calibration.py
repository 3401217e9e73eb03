"""Calibrations of all formats give the same camera, with pixel centres at +0.5; damage is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, DataError, InvalidInput, MissingPart, ShapeMismatch, UnknownFormat
from trisparse.data.event_camera import ContrastThresholds, EventCamera
from trisparse.data.readers.event_calibration import read_event_camera, read_kalibr_rig
from trisparse.data.readers.yaml_subset import read_yaml_subset

FX, FY, CX, CY = 300.0, 310.0, 320.0, 240.0
LENS = [0.1, -0.2, 0.01, 0.02]
SIZE = (640, 480)
HALF_TURN = {"qx": 0.0, "qy": 0.0, "qz": 1.0, "qw": 0.0}


def write(folder: Path, name: str, text: str) -> Path:
    """A file of some text."""
    (folder / name).write_text(text)
    return folder / name


def rpg(folder: Path) -> Path:
    return write(folder, "calib.txt", f"{FX} {FY} {CX} {CY} {' '.join(map(str, LENS))} 0.0\n")


def npz(folder: Path, **changed: Any) -> Path:
    arrays: dict[str, Any] = {
        "intrinsics": np.array([[FX, 0, CX], [0, FY, CY], [0, 0, 1]], np.float32),
        "distortion_params": np.array(LENS, np.float32),
        "distortion_model": np.array("plumb_bob"),
        "img_height": np.uint16(480),
        "img_width": np.uint16(640),
        "pos_contrast_threshold": np.float32(0.25),
        "neg_contrast_threshold": np.float32(0.5),
        "refractory_period": np.int64(8000),
        "bayer_pattern": np.array("RGGB"),
    }
    np.savez(folder / "camera_calibration.npz", **{k: v for k, v in (arrays | changed).items() if v is not None})
    return folder / "camera_calibration.npz"


def kalibr(folder: Path, model: str = "radtan", cameras: int = 2) -> Path:
    text = "cam0:\n  camera_model: pinhole\n  intrinsics: [100.0, 100.0, 50.0, 40.0]\n  resolution: [100, 80]\n"
    text += "  distortion_model: none\n  distortion_coeffs: []\n  rostopic: /rgb/image\n"
    if cameras > 1:
        text += "cam1:\n  T_cn_cnm1:\n  - [1.0, 0.0, 0.0, -0.02]\n  - [0.0, 0.0, 1.0, 0.03]\n  - [0.0, -1, 0.0, 1e-3]\n"
        text += f"  - [0.0, 0.0, 0.0, 1.0]\n  cam_overlaps: [0]\n  camera_model: pinhole\n  distortion_coeffs: {LENS}\n"
        text += f"  distortion_model: {model}\n  intrinsics: [{FX}, {FY},\n    {CX}, {CY}]\n  resolution: [640, 480]\n"
    return write(folder, "camchain.yaml", text)


def ros(folder: Path) -> Path:
    text = "%YAML:1.0\n---\nimage_width: 640\nimage_height: 480\ncamera_matrix: !!opencv-matrix\n  rows: 3\n"
    text += f"  cols: 3\n  data: [{FX}, 0., {CX}, 0., {FY}, {CY},\n         0., 0., 1.]\ndistortion_model: plumb_bob\n"
    text += f"distortion_coefficients:\n  rows: 1\n  cols: 5\n  data: [{', '.join(map(str, LENS))}, 0.]  # k3\n"
    return write(folder, "camera_info.yaml", text)


def tumvie(folder: Path, **changed: Any) -> Path:
    lens = {"fx": FX, "fy": FY, "cx": CX, "cy": CY, "k1": LENS[0], "k2": LENS[1], "k3": LENS[2], "k4": LENS[3]}
    value = {
        "T_imu_cam": [{"px": 0.1 * i, "py": 0.2, "pz": 0.3} | HALF_TURN for i in range(4)],
        "intrinsics": [{"camera_type": "kb4", "intrinsics": lens}] * 4,
        "resolution": [[1024, 1024], [1024, 1024], [640, 480], [640, 480]],
    }
    return write(folder, "calibration.json", json.dumps({"value0": value | changed}))


@pytest.mark.parametrize("make", [rpg, npz, kalibr, ros])
def test_calibrations_of_all_formats_give_the_same_camera(tmp_path: Path, make: Any) -> None:
    camera = read_event_camera(make(tmp_path), size=SIZE)
    assert camera.K.tolist() == [[FX, 0, CX + 0.5], [0, FY, CY + 0.5], [0, 0, 1]]
    assert (camera.width, camera.height, camera.model) == (*SIZE, "opencv")
    np.testing.assert_allclose(camera.distortion[:4], LENS, rtol=1e-6)


def test_a_camera_sees_a_point_where_its_calibration_says(tmp_path: Path) -> None:
    camera = read_event_camera(rpg(tmp_path), size=SIZE)
    seen = camera.cameras(torch.eye(4, dtype=torch.float64)[None]).project(torch.tensor([[0.2, -0.1, 2.0]]).double())
    x, y = 0.1, -0.05
    r2, (k1, k2, p1, p2) = x * x + y * y, LENS
    radial = 1 + k1 * r2 + k2 * r2 * r2
    u = FX * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)) + CX
    v = FY * (y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y) + CY
    assert seen.pixels[0, 0].tolist() == pytest.approx([u + 0.5, v + 0.5], abs=1e-5)  # float32 point


def test_what_robust_e_nerf_stores_of_the_sensor_is_read(tmp_path: Path) -> None:
    camera = read_event_camera(npz(tmp_path))
    assert camera.thresholds is not None
    assert camera.thresholds == ContrastThresholds(0.25, 0.5)
    assert (camera.thresholds.mean, camera.thresholds.ratio) == (0.375, 0.5)
    assert (camera.refractory_period_ns, camera.bayer_pattern, camera.is_color) == (8000, "RGGB", True)
    bare = read_event_camera(
        npz(tmp_path, pos_contrast_threshold=None, neg_contrast_threshold=None, refractory_period=None)
    )
    assert (bare.thresholds, bare.refractory_period_ns) == (None, None)


def test_a_lens_without_coefficients_is_a_pinhole_whatever_its_model(tmp_path: Path) -> None:
    camera = read_event_camera(
        npz(tmp_path, distortion_params=np.zeros(0, np.float32), distortion_model=np.array("fov"))
    )
    assert (camera.model, len(camera.distortion)) == ("pinhole", 0)


def test_the_left_event_camera_of_tum_vie_is_read_as_a_fisheye(tmp_path: Path) -> None:
    camera = read_event_camera(tumvie(tmp_path))
    assert (camera.width, camera.height, camera.model) == (640, 480, "fisheye")
    assert camera.distortion.tolist() == LENS
    assert read_event_camera(tumvie(tmp_path), camera="0").width == 1024


def test_poses_of_a_kalibr_rig_are_chained(tmp_path: Path) -> None:
    first, second = read_kalibr_rig(kalibr(tmp_path))
    assert torch.equal(first.rig_from_camera, torch.eye(4).double())
    point_in_second = torch.tensor([0.5, 0.25, 2.0, 1.0]).double()
    point = second.rig_from_camera @ point_in_second
    step = torch.tensor([[1, 0, 0, -0.02], [0, 0, 1, 0.03], [0, -1, 0, 1e-3], [0, 0, 0, 1]]).double()
    torch.testing.assert_close(step @ point, point_in_second, rtol=0, atol=1e-8)


def test_the_camera_of_a_rig_is_chosen_by_name_or_size(tmp_path: Path) -> None:
    path = kalibr(tmp_path)
    assert read_event_camera(path, size=SIZE).width == 640
    assert read_event_camera(path, camera="cam0").width == 100
    with pytest.raises(MissingPart, match=r"several cameras, cam0 \(100 x 80\), cam1 \(640 x 480\); say which"):
        read_event_camera(path)
    assert read_event_camera(kalibr(tmp_path, cameras=1)).width == 100


@pytest.mark.parametrize(
    ("name", "text", "kind", "message"),
    [
        ("calib.txt", "1 2 3\n", CorruptFile, "line 1: 3 numbers, 1 lines; expected fx fy cx cy"),
        ("calib.txt", "1 2 3 4\n1 2 3 4\n", CorruptFile, "4 numbers, 2 lines"),
        ("calib.txt", "-1 2 3 4\n", CorruptFile, "line 1: K of camera 0 is .*fx and fy above 0"),
        ("calib.txt", "1 2 3 four\n", CorruptFile, "line 1: holds something that is no number"),
        ("a.json", '{"value0": {}}', CorruptFile, "T_imu_cam"),
        ("a.json", "{", CorruptFile, "not JSON"),
        ("a.yaml", "cam0:\n  resolution: [640, 480]\n", CorruptFile, "cam0: intrinsics is None, expected 4 numbers"),
        ("a.yaml", "cam0:\n  intrinsics: [1, 2, 3, 4\n", CorruptFile, r"line 2: '\[1, 2, 3, 4' is no list in brackets"),
        ("a.yaml", "cam0:\n  intrinsics: [1, 2, 3, x]\n", CorruptFile, "expected 4 numbers"),
        ("a.yaml", "other: 1\n", MissingPart, "no cam0, cam1, ... .found other."),
        ("a.yaml", "cam0: x\n&anchor\n", CorruptFile, "line 2: '&anchor' is neither"),
        ("a.bin", "\0\1", UnknownFormat, "as no calibration does"),
    ],
)
def test_damaged_calibrations_are_told(
    tmp_path: Path, name: str, text: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        read_event_camera(write(tmp_path, name, text), size=SIZE)


def test_lens_models_that_are_not_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        UnknownFormat, match="cam1: the lens model 'fov' is not read here; expected one of none, pinhole"
    ):
        read_event_camera(kalibr(tmp_path, model="fov"), size=SIZE)
    lens = {"camera_type": "ds", "intrinsics": {"fx": 1.0, "fy": 1.0, "cx": 1.0, "cy": 1.0, "xi": 1.0, "alpha": 0.5}}
    with pytest.raises(UnknownFormat, match="camera 0: a camera of type 'ds' is not read here"):
        read_event_camera(tumvie(tmp_path, intrinsics=[lens] * 4))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"intrinsics": np.eye(2)}, r"intrinsics: float64 of shape \(2, 2\)"),
        ({"intrinsics": None}, "no intrinsics .found"),
        ({"img_width": np.zeros(3)}, "img_width: float64 of shape"),
        ({"img_width": np.uint16(0)}, "a sensor of 0 x 480"),
        ({"pos_contrast_threshold": np.float32(-1)}, "a positive contrast threshold of -1"),
        ({"bayer_pattern": np.array("RGBX")}, "a Bayer pattern of 'RGBX'"),
        ({"distortion_params": np.zeros(9) + 1}, "9 coefficients of the lens model 'opencv'"),
        ({"intrinsics": np.full((3, 3), np.nan)}, "K: 3 of 3 rows are NaN"),
    ],
)
def test_damaged_arrays_of_robust_e_nerf_are_told(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_event_camera(npz(tmp_path, **changed))


def test_a_missing_file_or_size_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"calib\.txt: no such file; expected a calibration"):
        read_event_camera(tmp_path / "calib.txt")
    with pytest.raises(MissingPart, match="does not hold the size of the sensor; give width and height"):
        read_event_camera(rpg(tmp_path))


@pytest.mark.parametrize(
    "changed",
    [
        {"width": 0},
        {"K": torch.eye(3)},
        {"K": torch.eye(4).double()},
        {"refractory_period_ns": -1.0},
        {"bayer_pattern": "RG"},
    ],
)
def test_what_is_no_camera_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises((InvalidInput, ShapeMismatch, TypeError)):
        EventCamera(**({"K": torch.eye(3).double(), "width": 4, "height": 3} | changed))


def test_nested_keys_scalars_and_lists_of_yaml_are_read(tmp_path: Path) -> None:
    text = "a:\n  b: 1\n  c:\n    d: [1, [2.5, -3e-2], []]\n  e: some words # a comment\nf: 'quoted'\ng: 1.\n"
    assert read_yaml_subset(write(tmp_path, "a.yaml", text)) == {
        "a": {"b": 1, "c": {"d": [1, [2.5, -0.03], []]}, "e": "some words"},
        "f": "quoted",
        "g": 1.0,
    }
