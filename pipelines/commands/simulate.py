"""``trisparse events simulate``."""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from ...core.errors import InvalidInput
from .recordings import sensor_size

if TYPE_CHECKING:
    from rich.console import Console

    from ...data.event_recording import EventRecording
    from ...data.posed_images import PosedImages
    from ...events.simulate import SimulatedSensor
    from ..event_simulation import Progress

_SET = "events-eval-v2"
_BAYER = "RGGB"


@dataclass(frozen=True)
class Simulate:
    """Record a scene with a simulated event camera (the improved ESIM of Robust e-NeRF).

    SOURCE is "events-eval-v2", the generated scene that reconstructions are measured on; a splat file (.ply, .splat, .spz),
    around which the camera spirals; or a folder of images with timestamps.txt or --fps, frames so dense that nothing moves by
    much more than half a pixel between them. Of a scene files of Robust e-NeRF are written, with views to compare with, for
    `trisparse reconstruct`; of a film the events. The same options give the same bytes.
    """

    source: tyro.conf.Positional[str]
    """"events-eval-v2", a splat file, or a folder of images."""
    level: Literal["easy", "medium", "hard"] = "easy"
    """How the camera moves and what its sensor is like: even speed and an ideal sensor; uneven speed, thresholds that vary and
    pixels that sleep 8 ms, or 25 ms, after each event. Of films, the sensor alone."""
    grey: bool = False
    """No colour filters; else an RGGB pattern."""
    thresholds: tuple[float, float] | None = None
    """Contrast thresholds (natural logarithm) for brighter and darker, instead of the level's."""
    threshold_std: float | None = None
    """Their standard deviation from pixel to pixel, instead of the level's."""
    refractory: float | None = None
    """Refractory period in microseconds, instead of the level's."""
    leak: float = 0.0
    """Events a second that a pixel fires without a change."""
    size: str = "128x128"
    """Sensor as WIDTHxHEIGHT in pixels (splats)."""
    poses: Path | None = None
    """Poses of the camera, lines of t px py pz qx qy qz qw, instead of the spiral (splats)."""
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Colour behind the splats, 0 to 1."""
    fps: float | None = None
    """Images a second (films without timestamps.txt)."""
    duration: float | None = None
    """Seconds to record (the set, splats); 4 by default."""
    seed: int | None = None
    """Of the sensor; 0, or the set's own."""
    out: Path | None = None
    """Folder to write; runs/events/<source>-<level> by default."""
    json: bool = False
    """Print JSON for machines."""

    def run(self) -> None:
        from rich.console import Console

        from ...data.readers.esim import write_esim_recording
        from ...data.readers.event_folder import write_event_folder
        from ..step_bar import StepBar

        say = Console(stderr=True, quiet=self.json)
        name = _SET if self.source == _SET else Path(self.source).resolve().stem
        folder = self.out or Path("runs") / "events" / f"{name}-{self.level}{'-grey' if self.grey else ''}"
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InvalidInput(f"--out {folder}: something is there already; name a new folder")
        with StepBar("simulating", 100, 0, enabled=not self.json) as bar:
            recording, photos = self._record(lambda share: bar.advance(round(100 * share), ""), say)
        notes: tuple[str, ...] = ()
        if recording.camera is None:  # files of Robust e-NeRF know the size of the sensor by its calibration alone
            write_event_folder(folder, recording.stream)
        else:
            notes = write_esim_recording(folder, recording, photos=photos)
        for note in notes:
            say.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
        stream = recording.stream
        if self.json:
            print(json_format.dumps({"folder": str(folder), "events": len(stream), "notes": list(notes)}))
            return
        print(f"{len(stream):,} events of {stream.width} x {stream.height} pixels: {folder}")

    def _record(self, progress: Progress, say: Console) -> tuple[EventRecording, PosedImages | None]:
        from ...data.readers.event_poses import read_trajectory
        from ...events.evaluation_set import EventEvalSet
        from ...rendering.splat_files.files import read_splats
        from ..event_simulation import film_events, find_film, splat_events

        duration_ns = self._duration_ns()
        if self.source == _SET:
            if self._changes_sensor() or self.seed is not None or self.poses is not None:
                raise InvalidInput(
                    f"{_SET} is fixed: choose its --level, --grey and --duration, or give a scene of your own"
                )
            fixed = EventEvalSet.read()
            recording = fixed.record(self.level, is_color=not self.grey, duration_ns=duration_ns, progress=progress)
            return recording, fixed.views()
        place, seed = Path(self.source), self.seed or 0
        if place.is_file():
            size = sensor_size(self.size)
            assert size is not None
            path = None if self.poses is None else read_trajectory(self.poses)
            splats = read_splats(place)
            for note in (*splats.notes, *(() if path is None else path.notes)):
                say.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
            return splat_events(
                splats.cloud,
                self.level,
                size,
                sensor=self._sensor(),
                trajectory=None if path is None else path.trajectory,
                background=self.background,
                duration_ns=duration_ns,
                seed=seed,
                progress=progress,
            )
        return film_events(find_film(place, self.fps), self._sensor(), seed=seed, progress=progress), None

    def _duration_ns(self) -> int | None:
        if self.duration is None:
            return None
        if not 0 < self.duration < 1e6:
            raise InvalidInput(f"a duration of {self.duration} s; expected more than 0")
        return round(self.duration * 1e9)

    def _changes_sensor(self) -> bool:
        return bool(self.leak) or any(x is not None for x in (self.thresholds, self.threshold_std, self.refractory))

    def _sensor(self) -> SimulatedSensor:
        from ...data.event_camera import ContrastThresholds
        from ...events.generated_scenes import SETTINGS

        sensor = SETTINGS[self.level].sensor
        return replace(
            sensor,
            thresholds=sensor.thresholds if self.thresholds is None else ContrastThresholds(*self.thresholds),
            threshold_stds=sensor.threshold_stds if self.threshold_std is None else (self.threshold_std,) * 2,
            refractory_period_ns=sensor.refractory_period_ns
            if self.refractory is None
            else round(self.refractory * 1e3),
            leak_rate_hz=self.leak,
            bayer_pattern="" if self.grey else _BAYER,
        )
