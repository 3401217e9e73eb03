"""Sequences of TUM-VIE: left event camera, motion capture, calibrations A and B, photos of the left frame camera."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float64
from torch import Tensor

from ...core.errors import MissingPart
from ..event_camera import ContrastThresholds
from ..event_recording import EventRecording, Frames
from ..quaternions import from_matrix, multiply, to_matrix
from ..trajectory import Interpolation, Trajectory
from .decimal_text import read_decimal_table
from .event_calibration import RigCamera, read_tumvie_rig, tumvie_pose
from .event_h5 import read_event_h5
from .event_poses import read_pose_text
from .event_tidy import tidy
from .json_files import entry, read_json
from .pose_tidy import tidy_poses

THRESHOLDS = ContrastThresholds(positive=0.3645, negative=0.25)
"""What Robust e-NeRF assumes of the sensor."""
REFRACTORY_PERIOD_NS = 1375.0
"""Likewise."""
SETTLING_FRAMES = 80
"""Photos at the start that Robust e-NeRF leaves out."""
_EVENTS = "*-events_left.h5"
_FRAME_LEFT, _EVENT_LEFT = 0, 2
_CALIBRATION_A = ("loop-floor0", "loop-floor1", "loop-floor2", "loop-floor3", "mocap-desk", "mocap-desk2", "skate-easy")


def is_tumvie_folder(path: Path) -> bool:
    """Whether a folder holds events of a sequence."""
    return any(path.glob(_EVENTS))


def read_tumvie_recording(path: Path, *, interpolation: Interpolation = "linear") -> EventRecording:
    """Read the folder of a sequence, as it is published.

    ``world_from_event = world_from_marker @ inv(imu_from_marker) @ imu_from_event``. Thresholds and refractory period are what
    Robust e-NeRF assumes. The calibration may lie in the folder or in the one above.

    Raises:
        MissingPart: A file is not there.
        CorruptFile: A file is damaged.
    """
    events_file = sorted(path.glob(_EVENTS))
    if not events_file:
        raise MissingPart(f"{path}: no file {_EVENTS}; expected a sequence of TUM-VIE")
    sequence = events_file[0].name.removesuffix(_EVENTS[1:])
    letter = "A" if sequence in _CALIBRATION_A else "B"
    rig = read_tumvie_rig(_beside(path, f"camera-calibration{letter}.json"))
    if len(rig) <= _EVENT_LEFT:
        raise MissingPart(
            f"{path}: the calibration holds {len(rig)} cameras; expected 4, of which the third is the left event camera"
        )
    frame, event = rig[_FRAME_LEFT], rig[_EVENT_LEFT]
    poses_file = _only(path, "mocap_data.txt")
    markers = tidy_poses(poses_file, read_pose_text(poses_file, "us"), interpolation=interpolation)
    calibration = _beside(path, f"mocap-imu-calibration{letter}.json")
    root = entry(calibration, "root", read_json(calibration, "TUM-VIE's motion capture calibration"), "value0", dict)
    imu_from_marker = tumvie_pose(calibration, "T_imu_marker", entry(calibration, "value0", root, "T_imu_marker", dict))
    marker_from_event = torch.linalg.inv(imu_from_marker) @ event.rig_from_camera
    events = tidy(events_file[0], read_event_h5(events_file[0]), size=(event.camera.width, event.camera.height))
    camera = replace(event.camera, thresholds=THRESHOLDS, refractory_period_ns=REFRACTORY_PERIOD_NS)
    notes = (*events.notes, *markers.notes, "thresholds and refractory period are those that Robust e-NeRF assumes")
    return EventRecording(
        events.stream,
        f"TUM-VIE {sequence}",
        moved(markers.trajectory, marker_from_event),
        camera,
        _frames(path, frame, event),
        notes,
    )


def moved(trajectory: Trajectory, old_from_new: Float64[Tensor, "4 4"]) -> Trajectory:
    """The trajectory of another point of the same rigid body."""
    rotations = to_matrix(trajectory.quats)
    turn = from_matrix(old_from_new[:3, :3]).expand(len(trajectory), 4)
    return replace(
        trajectory,
        centers=trajectory.centers + rotations @ old_from_new[:3, 3],
        quats=multiply(trajectory.quats, turn),
    )


def _frames(path: Path, frame: RigCamera, event: RigCamera) -> Frames | None:
    stamps = sorted(path.rglob("image_timestamps_left.txt"))
    if not stamps:
        return None
    table = read_decimal_table(stamps[0], "a time in microseconds a line")
    times = table.scaled(0, 3).tolist()
    photos = sorted(p for p in stamps[0].parent.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(photos) != len(times):
        raise MissingPart(f"{stamps[0].parent}: {len(photos)} photos for {len(times)} times; expected one each")
    event_from_frame = torch.linalg.inv(event.rig_from_camera) @ frame.rig_from_camera
    kept = slice(SETTLING_FRAMES, None)
    return Frames(tuple(times[kept]), tuple(photos[kept]), frame.camera, event_from_frame)


def _only(path: Path, name: str) -> Path:
    found = sorted(path.rglob(name))
    if len(found) != 1:
        raise MissingPart(f"{path}: {len(found)} files {name}; expected one in the sequence's folder or one below")
    return found[0]


def _beside(path: Path, name: str) -> Path:
    for folder in (path, path.parent):
        if (folder / name).is_file():
            return folder / name
    raise MissingPart(f"{path / name}: no such file, nor in the folder above; it is part of TUM-VIE's calibrations")
