"""Sequences of EDS, as Deblur e-NeRF takes them: events.h5, stamped_groundtruth.txt, a Kalibr calibration, photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ...core.errors import CorruptFile, MissingPart
from ..event_camera import ContrastThresholds
from ..event_recording import EventRecording, Frames
from ..trajectory import Interpolation
from .decimal_text import read_decimal_table
from .event_calibration import RigCamera, read_kalibr_rig
from .event_h5 import read_event_h5
from .event_poses import read_pose_text
from .event_tidy import tidy
from .photo_folders import inner_path
from .pose_tidy import tidy_poses

EVENTS = "events.h5"
POSES = "stamped_groundtruth.txt"
TIMES = "times.txt"
THRESHOLDS = ContrastThresholds(positive=0.25 * (414 - 300) / (300 - 194), negative=0.25)
"""By the biases of its sensor, as Deblur e-NeRF computes them."""
REFRACTORY_PERIOD_NS = 40542.0
"""Likewise."""


def is_eds_folder(path: Path) -> bool:
    """Whether a folder holds such a sequence."""
    return (path / EVENTS).is_file() and (path / POSES).is_file()


def read_eds_recording(path: Path, *, interpolation: Interpolation = "linear") -> EventRecording:
    """Read the folder of a sequence. The poses are those of the event camera already.

    Raises:
        MissingPart: A file is not there.
        CorruptFile: A file is damaged.
    """
    place = _calibration(path)
    rig = read_kalibr_rig(place)
    if len(rig) != 2:
        raise MissingPart(f"{place}: {len(rig)} cameras; expected two, cam0 of colour and cam1 of events")
    frame, event = rig
    poses = tidy_poses(path / POSES, read_pose_text(path / POSES, "s"), interpolation=interpolation)
    size = (event.camera.width, event.camera.height)
    events = tidy(path / EVENTS, read_event_h5(path / EVENTS), size=size)
    camera = replace(event.camera, thresholds=THRESHOLDS, refractory_period_ns=REFRACTORY_PERIOD_NS)
    notes = (
        *events.notes,
        *poses.notes,
        "thresholds and refractory period are those that Deblur e-NeRF computes from the biases",
    )
    return EventRecording(events.stream, "EDS", poses.trajectory, camera, _frames(path, frame, event), notes)


def _calibration(path: Path) -> Path:
    found = [p for folder in (path, path.parent) for p in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))]
    if len(found) != 1:
        raise MissingPart(
            f"{path}: {len(found)} YAML files here and above; expected one, Kalibr's calibration of both cameras"
        )
    return found[0]


def _frames(path: Path, frame: RigCamera, event: RigCamera) -> Frames | None:
    """``times.txt``: frame, time in seconds, exposure, gain and, last, the name of the photo."""
    if not (path / TIMES).is_file():
        return None
    times, paths = [], []
    for number, line in enumerate((path / TIMES).read_text("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) < 3:
            raise CorruptFile(
                path / TIMES, f"line {number}", f"{line[:60]!r}; expected frame, time, exposure, gain, name"
            )
        table = read_decimal_table(path / TIMES, "a time in seconds", content=words[1].encode(), first_line=number)
        times.append(int(table.scaled(0, 9)[0]))
        paths.append(path / "images" / inner_path(path / TIMES, f"line {number}", words[-1]))
    event_from_frame = torch.linalg.inv(event.rig_from_camera) @ frame.rig_from_camera
    return Frames(tuple(times), tuple(paths), frame.camera, event_from_frame)
