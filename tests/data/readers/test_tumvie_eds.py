"""Sequences of TUM-VIE and EDS as they are published; what is missing is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.core.errors import CorruptFile, MissingPart
from trisparse.data.event_camera import ContrastThresholds
from trisparse.data.event_stream import EventStream
from trisparse.data.quaternions import to_matrix
from trisparse.data.readers.eds import THRESHOLDS as EDS_THRESHOLDS
from trisparse.data.readers.event_recordings import read_recording

from .recording_parts import HEIGHT, WIDTH, pose, seven, stream

IMU_MARKER = pose([0.3, -0.2, 0.1], [0.02, 0.01, -0.03])
IMU_CAMERAS = [pose([0.1 * i, 0.2, -0.1], [0.05 * i, -0.02, 0.01]) for i in range(4)]


def h5(path: Path, group: str, events: EventStream) -> None:
    """Events in microseconds."""
    h5py = pytest.importorskip("h5py", reason="HDF5 files are read through h5py (pip install 'trisparse[events]')")
    with h5py.File(path, "w") as file:
        place = file.create_group(group) if group else file
        for name, values in (("x", events.x), ("y", events.y), ("t", events.t_ns // 1000), ("p", events.polarity > 0)):
            place[name] = values.astype(np.uint16) if name in "xy" else values


def tumvie_folder(folder: Path, sequence: str = "mocap-desk2") -> Path:
    """As TUM-VIE publishes a sequence; the motion capture sees a marker."""
    folder.mkdir(exist_ok=True)
    start_us = 1_600_000_000_000
    h5(folder / f"{sequence}-events_left.h5", "events", stream(1000 * start_us))
    data = folder / f"{sequence}-vi_gt_data"
    (data / "left_images").mkdir(parents=True)
    markers = [pose([0.1 * i, 0, 0.05], [i, 2, -1]) for i in range(5)]
    rows = [f"{start_us + 50 * i} {' '.join(f'{v:.12f}' for v in seven(m))}\n" for i, m in enumerate(markers)]
    (data / "mocap_data.txt").write_text("# t px py pz qx qy qz qw\n" + "".join(rows))
    for i in range(82):
        Image.new("L", (8, 6), 3 * i).save(data / "left_images" / f"{i:05d}.png")
    (data / "left_images" / "image_timestamps_left.txt").write_text("".join(f"{start_us + i}\n" for i in range(82)))
    names = ("px", "py", "pz", "qx", "qy", "qz", "qw")
    lens = {"fx": 9.0, "fy": 9.0, "cx": 4.0, "cy": 3.0, "k1": 0.01, "k2": 0.0, "k3": 0.0, "k4": 0.0}
    value = {
        "T_imu_cam": [dict(zip(names, seven(m), strict=True)) for m in IMU_CAMERAS],
        "intrinsics": [{"camera_type": "kb4", "intrinsics": lens}] * 4,
        "resolution": [[8, 6], [8, 6], [WIDTH, HEIGHT], [WIDTH, HEIGHT]],
    }
    (folder.parent / "camera-calibrationA.json").write_text(json.dumps({"value0": value}))
    marker = {"T_imu_marker": dict(zip(names, seven(IMU_MARKER), strict=True))}
    (folder.parent / "mocap-imu-calibrationA.json").write_text(json.dumps({"value0": marker}))
    return folder


def test_a_sequence_of_tum_vie_has_the_poses_of_its_event_camera(tmp_path: Path) -> None:
    recording = read_recording(tumvie_folder(tmp_path / "seq"))
    assert recording.format == "TUM-VIE mocap-desk2"
    assert np.array_equal(recording.stream.t_ns - 1_600_000_000_000_000, stream().t_ns)
    assert recording.trajectory is not None
    for i in (0, 3):
        expected = pose([0.1 * i, 0, 0.05], [i, 2, -1]) @ np.linalg.inv(IMU_MARKER) @ IMU_CAMERAS[2]
        np.testing.assert_allclose(recording.trajectory.centers[i], expected[:3, 3], atol=1e-10)
        np.testing.assert_allclose(to_matrix(recording.trajectory.quats[i]), expected[:3, :3], atol=1e-10)
    assert recording.camera is not None
    assert recording.camera.thresholds == ContrastThresholds(0.3645, 0.25)
    assert (recording.camera.model, recording.camera.refractory_period_ns) == ("fisheye", 1375)


def test_photos_of_tum_vie_have_the_poses_of_their_own_camera(tmp_path: Path) -> None:
    recording = read_recording(tumvie_folder(tmp_path / "seq"))
    assert recording.frames is not None
    assert [path.name for path in recording.frames.paths] == ["00080.png", "00081.png"]  # the first 80 are left out
    photos = recording.posed_frames()
    assert photos is not None
    events = recording.posed().trajectory.pose_at(torch.tensor([80_000.0], dtype=torch.float64))
    world_from_event = np.eye(4)
    world_from_event[:3, :3], world_from_event[:3, 3] = events.rotations[0], events.centers[0]
    expected = world_from_event @ np.linalg.inv(IMU_CAMERAS[2]) @ IMU_CAMERAS[0]
    np.testing.assert_allclose(photos.cameras.world_from_camera[0], expected, atol=1e-10)
    assert float(photos.image(0).mean()) == pytest.approx(240 / 255)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("camera-calibrationA.json", "no such file, nor in the folder above"),
        ("mocap-imu-calibrationA.json", "no such file, nor in the folder above"),
        ("seq/mocap-desk2-vi_gt_data/mocap_data.txt", r"0 files mocap_data\.txt; expected one"),
        ("seq/mocap-desk2-vi_gt_data/left_images/00003.png", "81 photos for 82 times"),
    ],
)
def test_a_part_of_tum_vie_that_is_missing_is_named(tmp_path: Path, gone: str, message: str) -> None:
    tumvie_folder(tmp_path / "seq")
    (tmp_path / gone).unlink()
    with pytest.raises(MissingPart, match=message):
        read_recording(tmp_path / "seq")


def test_the_other_calibration_belongs_to_other_sequences(tmp_path: Path) -> None:
    tumvie_folder(tmp_path / "seq", "mocap-1d-trans")
    with pytest.raises(MissingPart, match=r"camera-calibrationB\.json"):
        read_recording(tmp_path / "seq")


def eds_folder(folder: Path) -> Path:
    """As EDS publishes a sequence, with the calibration beside it."""
    folder.mkdir(exist_ok=True)
    start = 1_600_000_000
    h5(folder / "events.h5", "", stream(start * 10**9))
    rows = [
        f"{start}.{50_000 * i:09d} {' '.join(f'{v:.12f}' for v in seven(pose([0.1 * i, 0, 0], [i, 2, -1])))}\n"
        for i in range(5)
    ]
    (folder / "stamped_groundtruth.txt").write_text("".join(rows))
    (folder / "images").mkdir()
    Image.new("RGB", (8, 6), (30, 60, 90)).save(folder / "images" / "f0.png")
    (folder / "times.txt").write_text(f"# frame t exposure gain name\n0 {start}.000020000 5.0 0.0 f0.png\n")
    step = pose([0.1, 0, 0], [0.05, 0, 0])
    text = "cam0:\n  intrinsics: [9.0, 9.0, 4.0, 3.0]\n  resolution: [8, 6]\n  distortion_model: none\n"
    text += f"cam1:\n  intrinsics: [30.0, 31.0, 16.0, 12.0]\n  resolution: [{WIDTH}, {HEIGHT}]\n  distortion_model: radtan\n"
    text += f"  distortion_coeffs: [0.1, -0.05, 0.01, 0.0]\n  T_cn_cnm1: {step.tolist()}\n"
    (folder / "calib.yaml").write_text(text)
    return folder


def test_a_sequence_of_eds_is_read_to_the_nanosecond(tmp_path: Path) -> None:
    recording = read_recording(eds_folder(tmp_path / "seq"))
    assert recording.format == "EDS"
    assert np.array_equal(recording.stream.t_ns - 1_600_000_000 * 10**9, stream().t_ns)
    assert recording.trajectory is not None
    assert (recording.trajectory.t_ns - recording.trajectory.t0_ns).tolist() == [0, 50_000, 100_000, 150_000, 200_000]
    assert recording.camera is not None
    assert recording.camera.K[0].tolist() == [30, 0, 16.5]
    assert recording.camera.thresholds == EDS_THRESHOLDS
    assert EDS_THRESHOLDS.ratio == pytest.approx(1.0755, abs=1e-4)
    photos = recording.posed_frames()
    assert photos is not None
    expected = pose([0.04, 0, 0], [0.4, 2, -1]) @ pose([0.1, 0, 0], [0.05, 0, 0])
    np.testing.assert_allclose(photos.cameras.world_from_camera[0], expected, atol=1e-10)
    np.testing.assert_allclose(photos.image(0)[0, 0] * 255, [30, 60, 90], atol=1e-4)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda f: (f / "calib.yaml").unlink(), MissingPart, "0 YAML files here and above; expected one"),
        (lambda f: (f / "calib.yaml").write_text("cam0:\n  intrinsics: [1]\n"), CorruptFile, "expected 4 numbers"),
        (lambda f: (f / "times.txt").write_text("0 1.5\n"), CorruptFile, "line 1: '0 1.5'; expected frame, time"),
        (lambda f: (f / "times.txt").write_text("0 1.5 2 3 /etc/passwd\n"), CorruptFile, "lies outside"),
    ],
)
def test_a_part_of_eds_that_is_missing_or_wrong_is_named(
    tmp_path: Path, change: Any, kind: type[Exception], message: str
) -> None:
    change(eds_folder(tmp_path / "seq"))
    with pytest.raises(kind, match=message):
        read_recording(tmp_path / "seq")
