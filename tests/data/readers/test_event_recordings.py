"""Files of events with poses and calibrations given beside them; what is missing is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from trisparse.core.errors import MissingPart
from trisparse.data.event_recording import EventRecording
from trisparse.data.readers.esim import write_esim_recording
from trisparse.data.readers.event_recordings import read_recording

from .event_encoders import evt3, raw_header, some_events
from .recording_parts import HEIGHT, WIDTH, camera, rpg_folder, stream, trajectory


def test_poses_and_calibration_may_be_given_beside_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(
        raw_header("EVT3", with_size=False) + evt3(some_events(50, span=190, width=WIDTH, height=HEIGHT))
    )
    rpg_folder(tmp_path / "rpg")
    recording = read_recording(
        tmp_path / "a.raw",
        poses=tmp_path / "rpg" / "groundtruth.txt",
        calibration=tmp_path / "rpg" / "calib.txt",
        size=(WIDTH, HEIGHT),
        interpolation="cubic",
    )
    posed = recording.posed()
    assert len(posed.stream) == 50
    assert (posed.trajectory.interpolation, posed.camera.model) == ("cubic", "opencv")


def test_events_alone_say_what_a_reconstruction_lacks(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(raw_header("EVT3") + evt3(some_events(5)))
    recording = read_recording(tmp_path / "a.raw")
    with pytest.raises(MissingPart, match=r"\(Prophesee EVT3\) come without poses .* is not supported; give a file"):
        recording.posed()
    with pytest.raises(MissingPart, match="without a calibration of the camera; give one: fx fy"):
        replace(recording, trajectory=trajectory()).posed()
    assert recording.posed_frames() is None


def test_a_calibration_of_another_sensor_is_refused(tmp_path: Path) -> None:
    write_esim_recording(tmp_path / "a", EventRecording(stream(), "test", trajectory(), camera()))
    (tmp_path / "a.raw").write_bytes(raw_header("EVT3") + evt3(some_events(5)))
    with pytest.raises(MissingPart, match="a sensor of 640 x 480 pixels, the calibration of one of 32 x 24"):
        read_recording(tmp_path / "a.raw", calibration=tmp_path / "a" / "camera_calibration.npz")


def test_a_folder_of_something_else_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(MissingPart, match=r"no recording in this folder; expected raw_events\.npz"):
        read_recording(tmp_path)
    with pytest.raises(MissingPart, match="no such file"):
        read_recording(tmp_path / "nothing")
