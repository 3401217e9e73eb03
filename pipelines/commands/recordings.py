"""What all commands on recordings of event cameras ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from ...core.errors import InvalidInput, MissingPart

if TYPE_CHECKING:
    from rich.console import Console

    from ...data.event_recording import EventRecording


@dataclass(frozen=True)
class RecordingCommand:
    """What all commands on recordings ask for."""

    recording: tyro.conf.Positional[Path]
    """Prophesee RAW (EVT2, EVT3) or DAT, AEDAT4, HDF5, ROS 1 bag, NPZ, text, or a folder of Robust e-NeRF, RPG, TUM-VIE or EDS;
    told by content."""
    poses: Path | None = None
    """Poses of the camera, if not beside the events: lines of t px py pz qx qy qz qw, camera_poses.npz, or a bag."""
    calibration: Path | None = None
    """Its calibration, likewise: calib.txt, YAML of Kalibr or ROS, JSON of TUM-VIE, camera_calibration.npz, or a bag."""
    size: str | None = None
    """Sensor as WIDTHxHEIGHT in pixels, where the file does not say."""
    time_unit: Literal["s", "ms", "us", "ns"] | None = None
    """Unit of the events' times, where the file does not say; guessed from rate and duration otherwise."""
    part: str | None = None
    """Which of several sensors: a topic (bag), a group (HDF5), the number of a stream (AEDAT4)."""
    start: float = 0.0
    """Seconds after the first event from which on events count."""
    duration: float | None = None
    """Seconds from there; to the end by default."""
    json: bool = False
    """Print JSON for machines."""

    def read(self, say: Console) -> EventRecording:
        """Read it and say what was guessed or repaired.

        Raises:
            MissingPart: No such recording, or no events in the time that was asked for.
        """
        from ...data.readers.event_recordings import read_recording

        with say.status(f"reading {self.recording}"):
            found = read_recording(
                self.recording,
                poses=self.poses,
                calibration=self.calibration,
                size=sensor_size(self.size),
                unit=self.time_unit,
                part=self.part,
            )
        for note in found.notes:
            say.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
        if self.start == 0 and self.duration is None:
            return found
        if self.start < 0 or (self.duration is not None and not self.duration > 0):
            raise InvalidInput(f"start {self.start} and duration {self.duration} s; expected 0 or more, and above 0")
        stream = found.stream
        first = int(stream.t_ns[0]) + round(self.start * 1e9)
        last = int(stream.t_ns[-1]) + 1 if self.duration is None else first + round(self.duration * 1e9)
        part = stream.between(first, last)
        if not len(part):
            raise MissingPart(f"{self.recording}: no events in that time; it lasts {stream.duration_ns / 1e9:.6g} s")
        return replace(found, stream=part)


def sensor_size(text: str | None) -> tuple[int, int] | None:
    """Width and height out of ``WIDTHxHEIGHT``; None of None."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})\s*[x,]\s*(\d{1,6})", text)
    if match is None:
        raise InvalidInput(f"a size of {text!r}; expected WIDTHxHEIGHT, as 640x480")
    return int(match[1]), int(match[2])
