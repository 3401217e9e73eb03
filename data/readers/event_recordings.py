"""Recordings out of whatever file or folder they lie in: events with poses, calibration and photos, as far as "
"there are any."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path

from ...core.errors import MissingPart
from ..event_recording import EventRecording
from ..trajectory import Interpolation
from . import rosbag_file
from .eds import is_eds_folder, read_eds_recording
from .esim import CALIBRATION, EVENTS, POSES, is_esim_folder, read_bag_recording, read_esim_recording
from .event_calibration import read_esim_camera, read_event_camera
from .event_file import TimeUnit
from .event_folder import is_event_folder
from .event_poses import read_trajectory
from .events import read_events
from .rpg_events import is_rpg_folder, read_rpg_recording
from .tumvie import is_tumvie_folder, read_tumvie_recording


def read_recording(
    path: str | PathLike[str],
    *,
    poses: str | PathLike[str] | None = None,
    calibration: str | PathLike[str] | None = None,
    size: tuple[int, int] | None = None,
    unit: TimeUnit | None = None,
    part: str | None = None,
    interpolation: Interpolation = "linear",
) -> EventRecording:
    """Read a recording: a folder of Robust e-NeRF, RPG, TUM-VIE or EDS, a folder of mapped columns, or any file of events.

    Args:
        path: The folder or file. A file named as in one of these layouts brings its folder along.
        poses: A file with the poses (see :func:`.event_poses.read_trajectory`), instead of those found.
        calibration: A file with the calibration (see :func:`.event_calibration.read_event_camera`), likewise.
        size: Width and height of the sensor, where nothing says them.
        unit: Unit of the events' times, likewise.
        part: Which of several sensors in a file (see :func:`.events.read_events`).
        interpolation: Between poses.

    Raises:
        MissingPart: No such file or folder, or nothing in it that is a recording.
        UnknownFormat, CorruptFile, UnsafeFile, BackendUnavailable: As :func:`.events.read_events`.
    """
    path = Path(path)
    recording = _found(path, size, unit, part, interpolation)
    notes = list(recording.notes)
    if poses is not None:
        given = read_trajectory(poses, interpolation=interpolation)
        recording = replace(recording, trajectory=given.trajectory)
        notes += given.notes
    if calibration is not None:
        stream = recording.stream
        camera = read_event_camera(calibration, size=(stream.width, stream.height))
        recording = replace(recording, camera=camera)
    _check_sizes(recording)
    return replace(recording, notes=tuple(notes))


def _found(
    path: Path, size: tuple[int, int] | None, unit: TimeUnit | None, part: str | None, interpolation: Interpolation
) -> EventRecording:
    folder = path if path.is_dir() else path.parent
    if (path.is_dir() or path.name == EVENTS) and is_esim_folder(folder):
        return read_esim_recording(folder, unit=unit, interpolation=interpolation)
    if path.is_dir():
        if is_event_folder(path):
            return _with_neighbours(path, interpolation)
        if is_tumvie_folder(path):
            return read_tumvie_recording(path, interpolation=interpolation)
        if is_eds_folder(path):
            return read_eds_recording(path, interpolation=interpolation)
        if is_rpg_folder(path):
            return read_rpg_recording(path, size=size, unit=unit, interpolation=interpolation)
        raise MissingPart(
            f"{path}: no recording in this folder; expected {EVENTS} (Robust e-NeRF), events.txt with "
            "groundtruth.txt or calib.txt (RPG), *-events_left.h5 (TUM-VIE), events.h5 with stamped_groundtruth.txt "
            "(EDS), or events.json; or give the file of the events itself"
        )
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(rosbag_file.MAGIC)) == rosbag_file.MAGIC:
                return read_bag_recording(path, topic=part, unit=unit, interpolation=interpolation)
    events = read_events(path, size=size, unit=unit, part=part)
    return EventRecording(events.stream, events.format, notes=events.notes)


def _with_neighbours(path: Path, interpolation: Interpolation) -> EventRecording:
    """Mapped columns, with poses and calibration as Robust e-NeRF names them, where there are any."""
    events = read_events(path)
    camera = read_esim_camera(path / CALIBRATION) if (path / CALIBRATION).is_file() else None
    trajectory, notes = None, events.notes
    if (path / POSES).is_file():
        poses = read_trajectory(path / POSES, interpolation=interpolation)
        trajectory, notes = poses.trajectory, (*notes, *poses.notes)
    return EventRecording(events.stream, events.format, trajectory, camera, None, notes)


def _check_sizes(recording: EventRecording) -> None:
    stream, camera = recording.stream, recording.camera
    if camera is not None and (camera.width, camera.height) != (stream.width, stream.height):
        raise MissingPart(
            f"the events are of a sensor of {stream.width} x {stream.height} pixels, the calibration of one of "
            f"{camera.width} x {camera.height}; give the calibration of this sensor, or the right size"
        )
