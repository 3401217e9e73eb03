"""Data sets of Robust e-NeRF: raw_events.npz, camera_poses.npz, camera_calibration.npz; and the bags of its simulator."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, InvalidInput, MissingPart
from ...core.files import atomic_write, write_text
from ..event_camera import ContrastThresholds, EventCamera
from ..event_recording import EventRecording
from ..event_stream import EventStream
from ..posed_images import PosedImages
from ..trajectory import Interpolation, Trajectory
from .event_calibration import read_esim_camera
from .event_file import TimeUnit
from .event_poses import read_trajectory
from .event_tidy import tidy
from .events import read_events
from .photo_writing import write_photos
from .pose_tidy import RawPoses, tidy_poses
from .rosbag import read_rosbag_camera, read_rosbag_events, read_rosbag_poses, read_rosbag_stamps

EVENTS = "raw_events.npz"
POSES = "camera_poses.npz"
CALIBRATION = "camera_calibration.npz"
SETTINGS = "esim.conf"
_EXACT = 1 << 53
"""Nanoseconds up to which a float64, in which Robust e-NeRF computes, holds every one."""
_MODELS = {"pinhole": "plumb_bob", "opencv": "plumb_bob", "fisheye": "equidistant"}
_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def is_esim_folder(path: Path) -> bool:
    """Whether a folder is a data set of Robust e-NeRF."""
    return (path / EVENTS).is_file()


def read_esim_recording(
    path: Path, *, unit: TimeUnit | None = None, interpolation: Interpolation = "linear"
) -> EventRecording:
    """Read the folder of a data set; poses and calibration may be missing.

    Raises:
        MissingPart: No events.
        CorruptFile: A file is damaged.
    """
    camera = read_esim_camera(path / CALIBRATION) if (path / CALIBRATION).is_file() else None
    events = read_events(path / EVENTS, size=None if camera is None else (camera.width, camera.height), unit=unit)
    trajectory, notes = None, events.notes
    if (path / POSES).is_file():
        poses = read_trajectory(path / POSES, interpolation=interpolation)
        trajectory, notes = poses.trajectory, (*notes, *poses.notes)
    return EventRecording(events.stream, events.format, trajectory, camera, None, notes)


def read_bag_recording(
    path: Path, *, topic: str | None = None, unit: TimeUnit | None = None, interpolation: Interpolation = "linear"
) -> EventRecording:
    """Events, poses and calibration of a ROS 1 bag, as far as they are in it.

    Where the bag has an IMU, only poses with a stamp of it are kept, as Robust e-NeRF does with the bags of its simulator. The
    simulator's ``esim.conf`` beside the bag tells contrast thresholds, refractory period and colour filters.

    Raises:
        MissingPart: No events.
        CorruptFile: Damaged.
    """
    events = tidy(path, read_rosbag_events(path, topic=topic), unit=unit)
    trajectory, camera, notes = None, None, list(events.notes)
    try:
        raw = _at_stamps(read_rosbag_poses(path), read_rosbag_stamps(path, "sensor_msgs/Imu"))
        poses = tidy_poses(path, raw, interpolation=interpolation)
        trajectory = poses.trajectory
        notes += poses.notes
    except MissingPart:
        notes.append("the bag holds no poses")
    try:
        camera = read_rosbag_camera(path)
    except MissingPart:
        notes.append("the bag holds no calibration")
    if camera is not None and (path.parent / SETTINGS).is_file():
        camera = with_settings(path.parent / SETTINGS, camera)
    return EventRecording(events.stream, events.format, trajectory, camera, None, tuple(notes))


def with_settings(path: Path, camera: EventCamera) -> EventCamera:
    """The camera with thresholds, refractory period and colour filters out of the simulator's ``esim.conf``.

    Raises:
        CorruptFile: A value that is no number, or not above 0.
    """
    found = dict(re.findall(r"^\s*--(\w+)=(\S*)", path.read_text("utf-8", "replace"), re.MULTILINE))
    try:
        thresholds = ContrastThresholds(
            float(found.get("contrast_threshold_pos", 1.0)), float(found.get("contrast_threshold_neg", 1.0))
        )
        refractory = float(found.get("refractory_period_ns", 0))
        is_color = found.get("simulate_color_events", "false").lower() in ("true", "1")
        return replace(
            camera,
            thresholds=thresholds,
            refractory_period_ns=refractory,
            bayer_pattern="RGGB" if is_color else "",
        )
    except ValueError as error:
        raise CorruptFile(path, "settings", f"{error}; expected the flags of ESIM") from error


def write_esim_recording(
    path: str | PathLike[str], recording: EventRecording, *, photos: PosedImages | None = None
) -> tuple[str, ...]:
    """Write a folder that Robust e-NeRF, and this program, read.

    Times beyond 2^53 ns (104 days) count from the first pose (or event), because Robust e-NeRF computes in float64.

    Args:
        path: The folder, made if missing.
        recording: Its poses and calibration are written where they are known.
        photos: Pinhole views to compare with, written into ``views/``.

    Returns:
        Notes on what was changed.

    Raises:
        InvalidInput: The lens has coefficients that the format does not hold.
    """
    folder = Path(path)
    stream, trajectory = recording.stream, recording.trajectory
    first = int(stream.t_ns[0]) if len(stream) else 0
    t0 = first if trajectory is None else trajectory.t0_ns
    last = first if trajectory is None else int(trajectory.t_ns[-1])
    largest = max(abs(first), abs(last))
    shift = t0 if largest > _EXACT else 0
    write_esim_companions(folder, recording, shift)
    if photos is not None and len(photos):
        _write_views(folder / "views", photos)
    _save(folder / EVENTS, _event_arrays(stream, shift))
    return (f"times count from {t0} ns on, the first {'event' if trajectory is None else 'pose'}",) if shift else ()


def write_esim_companions(folder: Path, recording: EventRecording, shift_ns: int = 0) -> None:
    """Write poses and calibration only, where they are known, their times less a shift.

    Raises:
        InvalidInput: The lens has coefficients that the format does not hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if recording.camera is not None:
        _save(folder / CALIBRATION, _calibration_arrays(recording.camera))
    if recording.trajectory is not None:
        _save(folder / POSES, _pose_arrays(recording.trajectory, shift_ns))


def _at_stamps(raw: RawPoses, stamps: np.ndarray) -> RawPoses:
    kept = np.isin(raw.t_ns, stamps)
    if not len(stamps) or kept.all():
        return raw
    if kept.sum() < 2:
        return replace(raw, notes=(*raw.notes, "hardly any pose has a stamp of the IMU; all poses were kept"))
    note = f"{int((~kept).sum())} of {len(kept)} poses without a stamp of the IMU were left out"
    return RawPoses(raw.t_ns[kept], raw.centers[kept], raw.quats[kept], raw.format, (*raw.notes, note))


def _event_arrays(stream: EventStream, shift: int) -> dict[str, np.ndarray]:
    return {
        "position": np.stack([stream.x, stream.y], 1).astype(np.uint16),
        "timestamp": stream.t_ns - shift,
        "polarity": stream.polarity > 0,
    }


def _pose_arrays(trajectory: Trajectory, shift: int) -> dict[str, np.ndarray]:
    quats = trajectory.quats.detach().cpu().numpy()[:, [1, 2, 3, 0]]
    return {
        "T_wc_position": trajectory.centers.detach().cpu().numpy().astype(np.float32),
        "T_wc_orientation": quats.astype(np.float32),
        "T_wc_timestamp": trajectory.t_ns.cpu().numpy() - shift,
    }


def _calibration_arrays(camera: EventCamera) -> dict[str, np.ndarray]:
    coefficients = camera.distortion.numpy()
    used = int(np.flatnonzero(coefficients)[-1]) + 1 if coefficients.any() else 0
    if used > 4:
        raise InvalidInput(
            f"a lens with {used} coefficients; Robust e-NeRF's format holds 4: calibrate with k1 k2 p1 p2, or take RPG's format"
        )
    K = camera.K.numpy().copy()
    K[:2, 2] -= 0.5
    count = 0 if camera.model == "pinhole" or (camera.model == "opencv" and not used) else 4
    arrays: dict[str, object] = {
        "intrinsics": K.astype(np.float32),
        "distortion_params": np.resize(np.concatenate([coefficients, np.zeros(4)]), 4)[:count].astype(np.float32),
        "distortion_model": np.array(_MODELS[camera.model]),
        "img_height": np.uint16(camera.height),
        "img_width": np.uint16(camera.width),
        "bayer_pattern": np.array(camera.bayer_pattern),
    }
    if camera.thresholds is not None:
        arrays["pos_contrast_threshold"] = np.float32(camera.thresholds.positive)
        arrays["neg_contrast_threshold"] = np.float32(camera.thresholds.negative)
    if camera.refractory_period_ns is not None:
        arrays["refractory_period"] = np.float32(camera.refractory_period_ns)
    return {name: np.asarray(value) for name, value in arrays.items()}


def _write_views(folder: Path, photos: PosedImages) -> None:
    names = write_photos(photos, folder / "val")
    K = photos.cameras.K[0].double().clone()
    K[:2, 2] -= 0.5
    frames = [
        {"file_path": f"val/{name.with_suffix('')}", "transform_matrix": (pose.numpy() @ _OPENGL).tolist()}
        for name, pose in zip(names, photos.cameras.world_from_camera.double(), strict=True)
    ]
    write_text(
        folder / "transforms_val.json", json.dumps({"intrinsics": K.tolist(), "frames": frames}, indent=1) + "\n"
    )


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic_write(path) as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
