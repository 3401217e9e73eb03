"""The stage that trains a radiance field from a recording: resumable, one log line every so often, pictures on the way."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch

from ...core.errors import InvalidInput
from ...core.files import write_text
from ...data.cameras import Cameras
from ...data.event_camera import ContrastThresholds
from ...data.event_recording import PosedRecording
from ...data.event_stream import EventStream
from ...data.readers.event_file import TimeUnit
from ...data.readers.event_recordings import read_recording
from ...data.trajectory import Interpolation
from ..checkpoint import load_checkpoint, remove_checkpoints, save_checkpoint
from ..event_nerf.config import EventNerfConfig
from ..event_nerf.saved import save_field
from ..event_nerf.space import cameras_on_path
from ..event_nerf.training import EventNerf, StepResult
from ..event_nerf.views import plain_images, render_event_views
from ..stage import AbstractStage, StageContext
from ..step_bar import StepBar
from ..step_log import StepLog
from ..views import as_bytes, write_picture

CHECKPOINTS = "checkpoints"
_LOOKS = 8
"""Pictures of what the field looked like on the way."""


@dataclass(frozen=True)
class ReconstructEvents(AbstractStage):
    """Train a radiance field from events, poses and a calibration.

    Writes ``field.safetensors``, ``about.json`` (the sensor as it was learned, the space, notes), ``log.jsonl`` (loss and its
    terms) and ``looks/`` (the first pose's view on the way). Seconds go to the run's own log.
    """

    version: ClassVar[int] = 1
    recording: Path
    """Anything that ``read_recording`` reads."""
    config: EventNerfConfig
    poses: Path | None = None
    """File with the poses, where they do not lie beside the events."""
    calibration: Path | None = None
    """File with the calibration, likewise."""
    size: tuple[int, int] | None = None
    """Width and height of the sensor in pixels, where nothing says them."""
    unit: TimeUnit | None = None
    """Of the events' times, likewise."""
    part: str | None = None
    """Which of several sensors in a file."""
    interpolation: Interpolation = "linear"
    """Between poses."""
    start_s: float = 0.0
    """Seconds after the first event from which on events count."""
    duration_s: float | None = None
    """Seconds from there; None: to the end."""
    thresholds: tuple[float, float] | None = None
    """Positive and negative contrast threshold, instead of the calibration's."""
    refractory_period_ns: float | None = None
    """Instead of the calibration's."""
    checkpoint_every: int = field(default=500, metadata={"key": False})
    """Steps between checkpoints; does not change the result."""
    progress: bool = field(default=True, metadata={"key": False})
    """Show a bar."""

    def run(self, ctx: StageContext) -> None:
        recording = self.posed()
        training = EventNerf(recording, self.config, device=str(ctx.device))
        checkpoint = load_checkpoint(ctx.folder / CHECKPOINTS)
        if checkpoint is not None:
            training.load(checkpoint.state)
        log = StepLog(ctx.folder / "log.jsonl")
        log.rewind(training.done)
        steps = self.config.optimiser.steps
        camera = cameras_on_path(recording, 1)
        began, samples = time.monotonic(), 0
        with StepBar("learning", steps, training.done, enabled=self.progress) as bar:
            while training.done < steps:
                result = training.step()
                samples += result.samples
                bar.advance(result.step, _shown(result, samples / max(time.monotonic() - began, 1e-9)))
                if result.step % 10 == 0 or result.step == steps:
                    log.append(result.step, **_rounded(result))
                if result.step % max(steps // _LOOKS, 1) == 0:
                    _look(ctx.folder, training, camera, result.step)
                if result.step % self.checkpoint_every == 0 and result.step < steps:
                    save_checkpoint(ctx.folder / CHECKPOINTS, result.step, training.tree())
                    ctx.log.write("checkpoint", step=result.step)
        about = {
            "recording": self.recording.name,
            "events": len(recording.stream),
            "samples": len(training.events.singles),
            "notes": list(training.notes),
            "space": asdict(training.space),
            "color": recording.camera.is_color,
        }
        save_field(ctx.folder / "field.safetensors", training.model, about)
        sensor = training.model.sensor
        learned = {
            "threshold_ratio": float((sensor.thresholds.positive / sensor.thresholds.negative).detach()),
            "refractory_period_ns": float(sensor.refractory_period_ns.detach()),
        }
        write_text(ctx.folder / "about.json", json.dumps({**about, **learned}, indent=1) + "\n")
        remove_checkpoints(ctx.folder / CHECKPOINTS)

    def posed(self) -> PosedRecording:
        """The recording, read, and with what is given instead of its calibration.

        Raises:
            DataError: It cannot be read, or has no poses or no calibration.
            InvalidInput: No event has a pose, or none lies in the time asked for.
        """
        found = read_recording(
            self.recording,
            poses=self.poses,
            calibration=self.calibration,
            size=self.size,
            unit=self.unit,
            part=self.part,
            interpolation=self.interpolation,
        )
        stream = part_of(found.stream, self.start_s, self.duration_s)
        if not len(stream):
            raise InvalidInput(
                f"{self.recording}: no events between {self.start_s} s and {self.duration_s} s later; it lasts "
                f"{found.stream.duration_ns / 1e9:.6g} s"
            )
        posed = replace(found, stream=stream).posed()
        camera = posed.camera
        if self.thresholds is not None:
            camera = replace(camera, thresholds=ContrastThresholds(*self.thresholds))
        if self.refractory_period_ns is not None:
            camera = replace(camera, refractory_period_ns=self.refractory_period_ns)
        return replace(posed, camera=camera)


def part_of(stream: EventStream, start_s: float, duration_s: float | None) -> EventStream:
    """The events from some seconds after the first one on, for some seconds."""
    if not len(stream) or (start_s == 0 and duration_s is None):
        return stream
    first = int(stream.t_ns[0]) + round(start_s * 1e9)
    return stream.between(first, int(stream.t_ns[-1]) + 1 if duration_s is None else first + round(duration_s * 1e9))


def _shown(result: StepResult, rate: float) -> str:
    return f"loss {result.loss:.4f}, {result.events} events, {rate / 1e6:.2f} M samples/s"


def _rounded(result: StepResult) -> dict[str, object]:
    return {
        "loss": round(result.loss, 6),
        "terms": {name: round(value, 6) for name, value in result.terms.items()},
        "events": result.events,
        "samples_per_ray": round(result.samples_per_ray, 2),
        "ratio": round(result.ratio, 6),
        "refractory_period_ns": round(result.refractory_period_ns, 1),
    }


def _look(folder: Path, training: EventNerf, camera: Cameras, step: int) -> None:
    with torch.no_grad():
        (image,) = plain_images(list(render_event_views(training.model, camera)))
    write_picture(folder / "looks" / f"{step:06d}.png", as_bytes(image))
