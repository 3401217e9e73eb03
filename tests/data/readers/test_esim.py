"""Data sets of Robust e-NeRF come back as written, with the arrays that it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, InvalidInput
from trisparse.data.cameras import Cameras
from trisparse.data.event_recording import EventRecording
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers.esim import write_esim_recording
from trisparse.data.readers.event_folder import write_event_folder
from trisparse.data.readers.event_recordings import read_recording
from trisparse.data.readers.photos import read_photos

from .recording_parts import assert_same, camera, stream, trajectory


@pytest.mark.parametrize(
    "changed", [{}, {"model": "fisheye"}, {"model": "pinhole", "distortion": torch.zeros(0).double()}]
)
def test_a_data_set_of_robust_e_nerf_comes_back_as_written(tmp_path: Path, changed: dict[str, Any]) -> None:
    recording = EventRecording(stream(), "test", trajectory(), camera(**changed))
    assert write_esim_recording(tmp_path / "a", recording) == ()
    for path in (tmp_path / "a", tmp_path / "a" / "raw_events.npz"):
        found = read_recording(path)
        assert_same(recording, found)
        assert found.camera is not None
        assert found.camera.refractory_period_ns == 8000
        assert found.camera.thresholds is not None
        assert found.camera.thresholds.negative == pytest.approx(0.3)
        assert found.notes == ()


def test_what_is_written_has_the_arrays_and_types_that_robust_e_nerf_reads(tmp_path: Path) -> None:
    write_esim_recording(tmp_path, EventRecording(stream(), "test", trajectory(), camera()))
    kinds = {}
    for name in ("raw_events", "camera_poses", "camera_calibration"):
        with np.load(tmp_path / f"{name}.npz", allow_pickle=False) as arrays:
            kinds |= {
                key: (arrays[key].dtype.kind + str(arrays[key].dtype.itemsize), arrays[key].shape)
                for key in arrays.files
            }
            if name == "camera_calibration":
                assert arrays["intrinsics"].tolist() == [
                    [30, 0, 16],
                    [0, 31, 12],
                    [0, 0, 1],
                ]  # centres are whole numbers there
    assert kinds["position"] == ("u2", (200, 2))
    assert kinds["timestamp"] == ("i8", (200,))
    assert kinds["polarity"] == ("b1", (200,))
    assert kinds["T_wc_position"] == ("f4", (5, 3))
    assert kinds["T_wc_orientation"] == ("f4", (5, 4))
    assert kinds["T_wc_timestamp"] == ("i8", (5,))
    assert kinds["distortion_params"] == ("f4", (4,))
    assert kinds["img_height"] == ("u2", ())


def test_times_that_a_float64_does_not_hold_count_from_the_first_pose(tmp_path: Path) -> None:
    start = 1_468_939_993_067_416_019
    recording = EventRecording(stream(start + 10), "test", trajectory(start), camera())
    notes = write_esim_recording(tmp_path, recording)
    assert notes == (f"times count from {start} ns on, the first pose",)
    assert_same(recording, read_recording(tmp_path), shift_ns=start)


def test_a_lens_of_more_coefficients_than_the_format_holds_is_refused(tmp_path: Path) -> None:
    lens = torch.tensor([0.1, 0, 0, 0, 0.2], dtype=torch.float64)
    with pytest.raises(InvalidInput, match="a lens with 5 coefficients; Robust e-NeRF's format holds 4"):
        write_esim_recording(tmp_path, EventRecording(stream(), "test", None, camera(distortion=lens)))


def test_a_folder_of_mapped_columns_takes_poses_and_calibration_beside_them(tmp_path: Path) -> None:
    recording = EventRecording(stream(), "test", trajectory(), camera())
    write_esim_recording(tmp_path, recording)
    (tmp_path / "raw_events.npz").unlink()
    write_event_folder(tmp_path, recording.stream)
    found = read_recording(tmp_path)
    assert_same(recording, found)
    assert found.format == "mapped columns"


def test_views_of_robust_e_nerf_have_the_lens_of_their_matrix(tmp_path: Path) -> None:
    angles = torch.tensor([0.0, 0.5], dtype=torch.float64)
    centers = torch.stack([2 * angles.cos(), 2 * angles.sin(), angles], 1)
    K = torch.tensor([[30.0, 0, 14.5], [0, 31, 13], [0, 0, 1]], dtype=torch.float64).expand(2, 3, 3)
    cameras = Cameras.looking_at(centers, torch.zeros(3, dtype=torch.float64), K, width=32, height=24)
    photos = PosedImages.from_tensors(cameras, torch.rand(2, 24, 32, 3), ["a.png", "b.png"])
    write_esim_recording(tmp_path, EventRecording(stream(), "test", trajectory(), camera()), photos=photos)
    found = read_photos(tmp_path / "views" / "transforms_val.json")
    torch.testing.assert_close(found.cameras.K.double(), K)
    torch.testing.assert_close(found.cameras.camera_from_world.double(), cameras.camera_from_world)
    text = (tmp_path / "views" / "transforms_val.json").read_text()
    document = json.loads(text)
    for bad in ([[30.0, 0.0], [0.0, 30.0]], "K", [[0.0] * 3] * 3, [[float("1e400")] * 3] * 3):
        (tmp_path / "views" / "transforms_val.json").write_text(json.dumps({**document, "intrinsics": bad}))
        with pytest.raises(CorruptFile, match="intrinsics"):
            read_photos(tmp_path / "views" / "transforms_val.json")
