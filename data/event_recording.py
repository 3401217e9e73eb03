"""What was recorded with an event camera: events, and perhaps where it was, how it sees, and photos taken beside "
"them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float64
from torch import Tensor

from ..core.errors import MissingPart
from .cameras import rigid
from .event_camera import EventCamera
from .event_stream import EventStream
from .image_files import LazyPhoto
from .posed_images import PosedImages
from .resample import filled_intrinsics, undistort_photos
from .trajectory import Trajectory, events_within


@dataclass(frozen=True, eq=False)
class Frames:
    """Photos taken during a recording, to compare a reconstruction with."""

    t_ns: tuple[int, ...]
    """On the clock of the events."""
    paths: tuple[Path, ...]
    camera: EventCamera
    """The lens that took them (its thresholds mean nothing)."""
    event_from_frame: Float64[Tensor, "4 4"]
    """Where that camera sits beside the event camera."""


@dataclass(frozen=True, eq=False)
class EventRecording:
    """A recording; ``notes`` say what was guessed, left out or repaired while it was read, each one sentence."""

    stream: EventStream
    format: str
    trajectory: Trajectory | None = None
    """Of the event camera, on the clock of the events; None where nothing tells."""
    camera: EventCamera | None = None
    frames: Frames | None = None
    notes: tuple[str, ...] = ()

    def posed(self) -> PosedRecording:
        """The recording as a reconstruction needs it: with a pose for every event, and a calibration.

        Raises:
            MissingPart: No poses or no calibration.
            InvalidInput: No event has a pose.
        """
        if self.trajectory is None:
            raise MissingPart(
                f"the events ({self.format}) come without poses of the camera, and reconstruction without poses is "
                "not supported; give a file with lines of t px py pz qx qy qz qw on the clock of the events: from "
                "motion capture, or from visual odometry or structure from motion on frames of the same sensor"
            )
        if self.camera is None:
            raise MissingPart(
                f"the events ({self.format}) come without a calibration of the camera; give one: fx fy cx cy k1 k2 "
                "p1 p2 k3 in a line, a YAML file of Kalibr or ROS, or camera_calibration.npz"
            )
        within = events_within(self.stream, self.trajectory)
        notes = (*self.notes, within.note) if within.note else self.notes
        return PosedRecording(within.stream, self.trajectory, self.camera, notes)

    def posed_frames(self) -> PosedImages | None:
        """Its photos as pinhole cameras would have taken them, without those that have no pose; None where there are none.

        Lenses that distort are replaced by ones of longer focal length, so that no pixel is without a source.
        """
        if self.frames is None or self.trajectory is None:
            return None
        first, last = int(self.trajectory.t_ns[0]), int(self.trajectory.t_ns[-1])
        rows = [i for i, t in enumerate(self.frames.t_ns) if first <= t <= last]
        times = self.trajectory.since_start(torch.tensor([self.frames.t_ns[i] for i in rows], dtype=torch.int64))
        poses = self.trajectory.pose_at(times)
        world_from_frame = rigid(poses.rotations, poses.centers) @ self.frames.event_from_frame
        rotation = world_from_frame[:, :3, :3].mT
        frame_from_world = rigid(rotation, -(rotation @ world_from_frame[:, :3, 3:])[..., 0])
        paths = [self.frames.paths[i] for i in rows]
        cameras = self.frames.camera.cameras(frame_from_world)
        left_out = len(self.frames.t_ns) - len(rows)
        notes = (f"{left_out} of {len(self.frames.t_ns)} photos were taken before the first or after the last pose",)
        photos = PosedImages(
            cameras,
            tuple(path.name for path in paths),
            tuple(map(LazyPhoto, paths)),
            warnings=notes if left_out else (),
        )
        return undistort_photos(photos, filled_intrinsics(cameras)) if cameras.has_distortion and rows else photos

    def with_notes(self, *notes: str) -> EventRecording:
        """The same, with more to say."""
        return replace(self, notes=(*self.notes, *notes))


@dataclass(frozen=True, eq=False)
class PosedRecording:
    """Events that all have a pose, and the camera that saw them."""

    stream: EventStream
    trajectory: Trajectory
    camera: EventCamera
    notes: tuple[str, ...] = ()
