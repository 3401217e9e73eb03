"""Recordings of the RPG event camera data set: events.txt, groundtruth.txt, calib.txt, images.txt with a folder of photos."""

from __future__ import annotations

from pathlib import Path

import torch

from ...core.errors import CorruptFile, MissingPart
from ...core.files import write_text
from ..event_camera import EventCamera
from ..event_recording import EventRecording, Frames
from ..trajectory import Interpolation
from .decimal_text import read_decimal_table
from .event_calibration import read_rpg_camera
from .event_file import TimeUnit
from .event_poses import read_trajectory
from .event_text import seconds_text, write_event_text
from .events import read_events
from .photo_folders import inner_path

POSES = "groundtruth.txt"
CALIBRATION = "calib.txt"
PHOTOS = "images.txt"
_EVENTS = ("events.txt", "events.npz", "events.h5")
_MOST_LINES = 1 << 20


def is_rpg_folder(path: Path) -> bool:
    """Whether a folder holds such a recording."""
    return events_of(path) is not None and any((path / name).is_file() for name in (POSES, CALIBRATION))


def events_of(path: Path) -> Path | None:
    """The file of the events, whatever program wrote it."""
    return next((path / name for name in _EVENTS if (path / name).is_file()), None)


def read_rpg_recording(
    path: Path,
    *,
    size: tuple[int, int] | None = None,
    unit: TimeUnit | None = None,
    interpolation: Interpolation = "linear",
) -> EventRecording:
    """Read such a folder; poses, calibration and photos may be missing.

    Raises:
        MissingPart: No events.
        CorruptFile: A file is damaged.
    """
    source = events_of(path)
    if source is None:
        raise MissingPart(f"{path}: none of {', '.join(_EVENTS)}; expected a recording of the RPG data set")
    events = read_events(source, size=size, unit=unit)
    notes = list(events.notes)
    trajectory = None
    if (path / POSES).is_file():
        poses = read_trajectory(path / POSES, interpolation=interpolation)
        trajectory = poses.trajectory
        notes += poses.notes
    camera = None
    if (path / CALIBRATION).is_file():
        camera = read_rpg_camera(path / CALIBRATION, (events.stream.width, events.stream.height))
    frames = None
    if (path / PHOTOS).is_file() and camera is not None:
        frames = read_rpg_frames(path, camera)
    return EventRecording(events.stream, f"RPG ({events.format})", trajectory, camera, frames, tuple(notes))


def write_rpg_recording(path: Path, recording: EventRecording) -> tuple[str, ...]:
    """Write ``events.txt``, and ``groundtruth.txt`` and ``calib.txt`` where they are known.

    Returns:
        Notes on what the format does not hold.
    """
    path.mkdir(parents=True, exist_ok=True)
    notes = []
    if (trajectory := recording.trajectory) is not None:
        rows = zip(trajectory.t_ns.tolist(), trajectory.centers.tolist(), trajectory.quats.tolist(), strict=True)
        lines = (f"{seconds_text(t)} {' '.join(map(repr, [*c, *q[1:], q[0]]))}\n" for t, c, q in rows)
        write_text(path / POSES, "".join(lines))
    if (camera := recording.camera) is not None:
        if camera.model == "fisheye":
            notes.append("the calibration is of a fisheye lens, which the format does not hold, and was left out")
        else:
            K = camera.K.tolist()
            numbers = [K[0][0], K[1][1], K[0][2] - 0.5, K[1][2] - 0.5, *camera.distortion.tolist()]
            write_text(path / CALIBRATION, " ".join(map(repr, numbers)) + "\n")
        if camera.thresholds is not None or camera.bayer_pattern:
            notes.append("the format does not hold contrast thresholds, refractory period and colour filters")
    write_event_text(path / _EVENTS[0], recording.stream)
    return tuple(notes)


def read_rpg_frames(path: Path, camera: EventCamera) -> Frames:
    """``images.txt``: a time in seconds and a file name a line; the photos are of the same sensor.

    Raises:
        CorruptFile: Another line, or a name that leads out of the folder.
        MissingPart: A photo is not there.
    """
    place = path / PHOTOS
    times, paths = [], []
    for number, line in enumerate(place.read_text("utf-8", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        stamp, _, name = line.strip().partition(" ")
        if number > _MOST_LINES or not name:
            raise CorruptFile(place, f"line {number}", f"{line[:60]!r}; expected a time in seconds and a file name")
        table = read_decimal_table(place, "a time in seconds", content=stamp.encode(), first_line=number)
        times.append(int(table.scaled(0, 9)[0]))
        paths.append(path / inner_path(place, f"line {number}", name.strip()))
        if not paths[-1].is_file():
            raise MissingPart(f"{paths[-1]}: no such file, though line {number} of {place} names it")
    return Frames(tuple(times), tuple(paths), camera, torch.eye(4, dtype=torch.float64))
