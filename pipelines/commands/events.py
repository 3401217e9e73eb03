"""``trisparse events info``, ``convert``, ``show`` and ``calibrate``."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from .recordings import RecordingCommand

if TYPE_CHECKING:
    import numpy as np

    from ...data.event_recording import EventRecording

_USUAL_MEAN = 0.25
"""Mean threshold of usual sensors, natural logarithm."""


@dataclass(frozen=True)
class Info(RecordingCommand):
    """What is in a recording: events, rate, duration, polarities, hot pixels, poses and calibration."""

    def run(self) -> None:
        from rich.console import Console
        from rich.table import Table

        from ...data.event_summary import summarize

        say = Console(stderr=True, quiet=self.json)
        found = self.read(say)
        with say.status("counting"):
            summary = summarize(found.stream)
        report = {"recording": str(self.recording), "format": found.format} | asdict(summary)
        report |= {"poses": _pose_report(found), "calibration": _calibration_report(found), "notes": list(found.notes)}
        if self.json:
            print(json_format.dumps(report))
            return
        table = Table(show_header=False, box=None)
        for row in _rows(found, report):
            table.add_row(*row)
        Console().print(table)


@dataclass(frozen=True)
class Convert(RecordingCommand):
    """Write a recording in another format, with its poses and calibration where they are known."""

    out: tyro.conf.Positional[Path] = Path("runs/events/converted")
    """Folder to write."""
    to: Literal["esim", "mapped", "text"] = "esim"
    """esim: NPZ files of Robust e-NeRF; mapped: columns as NPY files, for recordings larger than the memory; text: events.txt,
    and groundtruth.txt, as RPG has them."""
    drop_hot_pixels: bool = False
    """Leave out pixels that fire more than five times as often as those around them."""
    only_with_pose: bool = False
    """Leave out events before the first and after the last pose."""
    photos: bool = True
    """Write photos that were taken beside the events, undistorted, into views/ (esim); --no-photos to leave them out."""

    def run(self) -> None:
        from rich.console import Console

        say = Console(stderr=True, quiet=self.json)
        found = self.read(say)
        notes = []
        if self.only_with_pose:
            from ...data.trajectory import events_within

            if found.trajectory is None:
                found.posed()  # the error
            else:
                within = events_within(found.stream, found.trajectory)
                found, notes = replace(found, stream=within.stream), [within.note] if within.note else []
        if self.drop_hot_pixels:
            found, note = _without_hot_pixels(found)
            notes.append(note)
        with say.status(f"writing {self.out}"):
            notes += _write(found, self.out, self.to, with_photos=self.photos)
        for note in notes:
            say.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
        if self.json:
            report = {"folder": str(self.out), "events": len(found.stream), "notes": [*found.notes, *notes]}
            print(json_format.dumps(report))
        else:
            print(f"{len(found.stream)} events: {self.out}")


@dataclass(frozen=True)
class Show(RecordingCommand):
    """A picture of a recording: frames of events over its time, red brighter, blue darker."""

    out: Path | None = None
    """PNG file to write; runs/events/<recording>.png by default."""
    frames: int = 6
    """How many."""
    milliseconds: float | None = None
    """How long each lasts; by default so that about every eighth pixel has an event."""

    def run(self) -> None:
        from rich.console import Console

        from ..event_pictures import draw_event_frames

        say = Console(stderr=True, quiet=self.json)
        found = self.read(say)
        path = self.out or Path("runs") / "events" / f"{self.recording.resolve().stem}.png"
        seconds = None if self.milliseconds is None else self.milliseconds / 1000
        draw_event_frames(found.stream, path, count=self.frames, seconds=seconds)
        print(json_format.dumps({"picture": str(path)}) if self.json else f"picture: {path}")


@dataclass(frozen=True)
class Calibrate(RecordingCommand):
    """Estimate what a sensor is like from its recording: refractory period, contrast thresholds.

    The refractory period and the ratio of the thresholds follow from events; the thresholds themselves only from frames of the
    same pixels beside them (as DAVIS sensors record), or not at all. With 95 % intervals, and a word on what is not known.
    """

    refractory: float | None = None
    """Microseconds, if it is known from elsewhere: thresholds are better then."""

    def run(self) -> None:
        from rich.console import Console
        from rich.table import Table

        from ...events.calibrate import estimate_sensor

        say = Console(stderr=True, quiet=self.json)
        found = self.read(say)
        frames, note = _frames(found)
        with say.status("estimating"):
            made = estimate_sensor(
                found.stream, frames, refractory_period_ns=None if self.refractory is None else self.refractory * 1e3
            )
        notes = [*([note] if note else []), *made.notes]
        if self.json:
            print(json_format.dumps(asdict(made) | {"recording": str(self.recording), "notes": notes}))
            return
        table = Table("", "value", "95 % interval", box=None)
        for name, estimate, unit in (
            ("refractory period" + (", at most" if made.is_bound else "") + " (us)", made.refractory_period_ns, 1e3),
            ("ratio of thresholds, brighter by darker", made.ratio, 1.0),
            ("threshold, brighter (natural logarithm)", made.positive, 1.0),
            ("threshold, darker", made.negative, 1.0),
            ("mean threshold", made.mean, 1.0),
        ):
            known = estimate is not None
            span = f"{estimate.low / unit:.4g} to {estimate.high / unit:.4g}" if known else ""
            table.add_row(name, f"{estimate.value / unit:.4g}" if known else "not known", span)
        Console().print(table)
        for line in notes:
            say.print(f"note: {line}", highlight=False, soft_wrap=True, markup=False)
        if made.ratio is not None:
            mean = _USUAL_MEAN if made.mean is None else made.mean.value
            up, down = (2 * mean * share / (1 + made.ratio.value) for share in (made.ratio.value, 1.0))
            usual = f" (a mean of {mean:g} is a guess, which changes the contrast alone)" if made.mean is None else ""
            print(f"for trisparse reconstruct: --thresholds {up:.4g} {down:.4g}{usual}")


def _frames(found: EventRecording) -> tuple[list[tuple[int, np.ndarray]], str]:
    """Frames of the same pixels as grey intensities, and why there are none."""
    import numpy as np
    from PIL import Image

    frames, camera = found.frames, found.camera
    if frames is None or not frames.paths:
        return [], ""
    stream = found.stream
    if (frames.camera.width, frames.camera.height) != (
        stream.width,
        stream.height,
    ) or not frames.event_from_frame.allclose(frames.event_from_frame.new_tensor(np.eye(4))):
        return [], "the photos beside the events are of another camera: they tell nothing about thresholds"
    if camera is not None and camera.is_color:
        return [], "frames of sensors with colour filters are not used"
    images = []
    for t, path in sorted(zip(frames.t_ns, frames.paths, strict=True)):
        with Image.open(path) as image:
            images.append((t, np.asarray(image.convert("L"), dtype=np.float64) / 255))
    return images, ""


def _rows(found: EventRecording, report: dict) -> Sequence[tuple[str, str]]:
    pixels = report["width"] * report["height"]
    rows = [
        ("format", f"{report['format']}"),
        (
            "sensor",
            f"{report['width']} x {report['height']} pixels, {report['active_pixels'] / pixels:.1%} of them active",
        ),
        ("events", f"{report['events']:,}"),
        ("duration", f"{report['duration_s']:.6g} s, from {report['first_ns']} ns"),
        ("rate", f"{report['rate']:.3g} events/s, at most {report['peak_rate']:.3g} in 10 ms"),
        ("polarity", f"{report['positive_share']:.1%} positive"),
        (
            "hot pixels",
            f"{report['hot_pixels']} with {report['hot_pixel_share']:.1%} of the events; at most "
            f"{report['most_events_of_a_pixel']} at one pixel",
        ),
    ]
    if (poses := report["poses"]) is None:
        rows.append(("poses", "none: a reconstruction needs them (--poses)"))
    else:
        rows.append(
            (
                "poses",
                f"{poses['poses']} over {poses['duration_s']:.6g} s, a path of {poses['path_m']:.3g} m; "
                f"{poses['events_with_pose']:,} events have one",
            )
        )
    if (calibration := report["calibration"]) is None:
        rows.append(("calibration", "none: a reconstruction needs one (--calibration)"))
    else:
        rows.append(
            ("calibration", f"{calibration['model']}, fx {calibration['fx']:.4g}, fy {calibration['fy']:.4g} pixels")
        )
    if found.frames is not None:
        rows.append(("photos", f"{len(found.frames.paths)}"))
    return rows


def _pose_report(found: EventRecording) -> dict | None:
    trajectory = found.trajectory
    if trajectory is None:
        return None
    steps = (trajectory.centers[1:] - trajectory.centers[:-1]).norm(dim=1)
    covered = found.stream.between(trajectory.t0_ns, int(trajectory.t_ns[-1]) + 1)
    return {
        "poses": len(trajectory),
        "first_ns": trajectory.t0_ns,
        "duration_s": trajectory.end / 1e9,
        "path_m": float(steps.sum()),
        "events_with_pose": len(covered),
    }


def _calibration_report(found: EventRecording) -> dict | None:
    camera = found.camera
    if camera is None:
        return None
    fx, fy = float(camera.K[0, 0]), float(camera.K[1, 1])
    return {"model": camera.model, "fx": fx, "fy": fy, "cx": float(camera.K[0, 2]), "cy": float(camera.K[1, 2])}


def _without_hot_pixels(found: EventRecording) -> tuple[EventRecording, str]:
    from ...data.hot_pixels import hot_pixels, without_pixels

    hot = hot_pixels(found.stream)
    kept = without_pixels(found.stream, hot)
    note = f"{int(hot.sum())} hot pixels with {len(found.stream) - len(kept)} events were left out"
    return replace(found, stream=kept), note


def _write(found: EventRecording, out: Path, to: str, *, with_photos: bool) -> list[str]:
    from ...data.readers.esim import write_esim_companions, write_esim_recording
    from ...data.readers.event_folder import write_event_folder
    from ...data.readers.rpg_events import write_rpg_recording

    if to == "esim":
        photos = found.posed_frames() if with_photos else None
        return list(write_esim_recording(out, found, photos=photos))
    if to == "text":
        return list(write_rpg_recording(out, found))
    write_event_folder(out, found.stream)
    write_esim_companions(out, found)
    return []
