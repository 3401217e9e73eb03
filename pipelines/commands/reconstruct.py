"""``trisparse reconstruct``."""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...core.errors import InvalidInput
from .recordings import RecordingCommand, sensor_size

if TYPE_CHECKING:
    from rich.console import Console

    from ...data.cameras import Cameras
    from ...data.event_recording import PosedRecording
    from ..event_nerf.config import EventNerfConfig
    from ..event_nerf.model import EventModel
    from ..stages.reconstruct_events import ReconstructEvents

Bounds = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Reconstruct(RecordingCommand):
    """Learn a radiance field from the recording of an event camera, and show it.

    Needs the events, the camera's poses and its calibration: beside the events, or as --poses and --calibration. Training can
    be stopped at any time, and the same command goes on. Brightness is known only up to scale and offset of its logarithm;
    where the recording has photos, renders are aligned to them and compared.

    Writes a video along a path around the place, views and depth at some of the camera's own poses, and a point cloud that
    `trisparse ground` takes.
    """

    preset: str = "cpu-small"
    """Settings: "cpu-small" (minutes on two cores), or Robust e-NeRF's own, for a GPU: "synthetic", "mocap-1d-trans",
    "mocap-desk2", "office-maze"."""
    steps: int | None = None
    """Optimiser steps; the preset's by default."""
    bounds: Bounds | None = None
    """Box around the scene in metres: smallest x y z, then largest. By default around what the camera looks at."""
    outside: Literal["nothing", "more"] | None = None
    """Whether there is anything outside the box: "nothing" (a background is learned then), or "more" (drawn together). The
    preset's by default."""
    near: float | None = None
    """Metres from the camera to the nearest thing it sees."""
    far: float | None = None
    """Metres to the farthest."""
    thresholds: tuple[float, float] | None = None
    """Contrast thresholds (natural logarithm) for brighter and darker, instead of the calibration's."""
    refractory: float | None = None
    """Refractory period in microseconds, instead of the calibration's."""
    learn_sensor: bool | None = None
    """Learn the ratio of the thresholds and the refractory period with the scene; the preset's by default."""
    gradient: float | None = None
    """Weight of the gradient loss; the preset's by default."""
    poses_between: Literal["linear", "cubic"] = "linear"
    """Interpolation of poses."""
    photos: Path | None = None
    """Photos with cameras in the recording's world to compare with (transforms.json and others); those of the recording, or
    its views/ by default."""
    frames: int = 60
    """Of the video; 0 for none."""
    fps: int = 24
    """Frames a second."""
    video: Literal["auto", "mp4", "webp"] = "auto"
    """MP4 needs the extra [video]; "auto" takes WebP without it."""
    views: int = 4
    """Views and depth maps written at the camera's own poses."""
    points: int = 100_000
    """Points of the point cloud, about; 0 for none."""
    seed: int = 0
    """Of everything random."""
    out: Path | None = None
    """Folder for the results; runs/reconstruct/<name> by default."""
    runs: Path = Path("runs")
    """Folder of trained fields; one that is there is used again."""

    def run(self) -> None:
        from rich.console import Console

        say = Console(stderr=True, quiet=self.json)
        stage = self._stage()
        with say.status(f"reading {self.recording}"):
            recording = stage.posed()
        self._check(recording)
        folder = self.out if self.out is not None else self.runs / "reconstruct" / self.recording.resolve().stem
        made = self._make(stage, recording, folder, say)
        if self.json:
            print(json_format.dumps(made, ensure_ascii=False))
            return
        for note in dict.fromkeys(made["notes"]):
            say.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
        if "psnr" in made:
            print(f"against {made['photos']} photos: PSNR {made['psnr']:.2f} dB, SSIM {made['ssim']:.3f} (aligned)")
        print(f"results: {folder}")

    def _stage(self) -> ReconstructEvents:
        from ..stages.reconstruct_events import ReconstructEvents

        return ReconstructEvents(
            recording=self.recording,
            config=self._config(),
            poses=self.poses,
            calibration=self.calibration,
            size=sensor_size(self.size),
            unit=self.time_unit,
            part=self.part,
            interpolation=self.poses_between,
            start_s=self.start,
            duration_s=self.duration,
            thresholds=self.thresholds,
            refractory_period_ns=None if self.refractory is None else self.refractory * 1e3,
            progress=not self.json,
        )

    def _config(self) -> EventNerfConfig:
        from ..event_nerf.config import PRESETS

        config = PRESETS.get(self.preset)
        if config is None:
            raise InvalidInput(f"no preset {self.preset!r}; choose from {', '.join(PRESETS)}")
        space = config.space
        if self.bounds is not None:
            space = replace(space, aabb=self.bounds)
        if self.outside is not None:
            space = replace(space, contraction="aabb" if self.outside == "nothing" else "sphere")
        near, far = self.near, self.far
        space = replace(space, near=space.near if near is None else near, far=space.far if far is None else far)
        config = replace(config, space=space, seed=self.seed)
        if self.outside is not None:
            config = replace(config, has_background=self.outside == "nothing")
        if self.learn_sensor is not None:
            config = replace(config, learn_ratio=self.learn_sensor, learn_refractory_period=self.learn_sensor)
        if self.gradient is not None:
            config = replace(config, loss=replace(config.loss, gradient=self.gradient))
        return config if self.steps is None else config.with_steps(self.steps)

    def _check(self, recording: PosedRecording) -> None:
        """What is wrong is said before anything is written."""
        from ..event_nerf.space import find_space

        find_space(recording, self._config().space)
        if self.frames < 0 or self.views < 0 or self.points < 0:
            raise InvalidInput(
                f"{self.frames} frames, {self.views} views and {self.points} points; expected 0 or more of each"
            )

    def _make(self, stage: ReconstructEvents, recording: PosedRecording, folder: Path, say: Console) -> dict[str, Any]:
        from ..event_nerf.saved import load_field
        from ..event_nerf.space import cameras_on_path
        from ..runner import Machine, run_stage
        from ..store import Store

        artifact = run_stage(stage, Store(self.runs), machine=Machine())
        model = load_field(artifact.folder / "field.safetensors").model
        about = json_format.loads((artifact.folder / "about.json").read_text(encoding="utf-8"))
        made: dict[str, Any] = {"field": str(artifact.folder), "notes": list(about["notes"])}
        made |= {name: about[name] for name in ("threshold_ratio", "refractory_period_ns")}
        with say.status("rendering"):
            made |= self._compare(model, folder)
            if self.views:
                _write_views(model, cameras_on_path(recording, self.views), folder / "views")
            if self.frames:
                made["video"] = str(self._film(model, cameras_on_path(recording, 60), folder))
            if self.points:
                made["notes"] += _write_points(model, cameras_on_path(recording, 40), self.points, folder)
        return made

    def _compare(self, model: EventModel, folder: Path) -> dict[str, Any]:
        from ...data.readers.event_recordings import read_recording
        from ...data.readers.photos import read_photos
        from ..event_nerf.views import aligned_image, evaluate_views
        from ..views import as_bytes, write_picture

        photos = None
        beside = self.recording / "views" / "transforms_val.json"
        if self.photos is not None or beside.is_file():
            photos = read_photos(self.photos or beside)
        elif self.recording.is_dir():
            photos = read_recording(self.recording, poses=self.poses, calibration=self.calibration).posed_frames()
        if photos is None or not len(photos):
            return {}
        found, views = evaluate_views(model, photos)
        for name, view in zip(photos.names, views, strict=True):
            image = as_bytes(aligned_image(view, found.alignment))
            write_picture(folder / "compared" / f"{Path(name).stem}.png", image)
        mean = found.mean
        return {"photos": len(photos), "psnr": mean.psnr, "ssim": mean.ssim, "psnr_clamped": mean.psnr_clamped}

    def _film(self, model: EventModel, cameras: Cameras, folder: Path) -> Path:
        from ...data.camera_paths import orbit
        from ..animation import write_video
        from ..event_nerf.views import plain_images, render_event_views
        from ..views import as_bytes

        images = plain_images(list(render_event_views(model, orbit(cameras, self.frames))))
        return write_video(folder, "orbit", [as_bytes(image) for image in images], fps=self.fps, kind=self.video)


def _write_views(model: EventModel, cameras: Cameras, folder: Path) -> None:
    from ..event_nerf.views import plain_images, render_event_views
    from ..views import as_bytes, depth_limits, depth_picture, write_picture

    views = list(render_event_views(model, cameras))
    for row, (view, image) in enumerate(zip(views, plain_images(views), strict=True)):
        write_picture(folder / f"{row:03d}.png", as_bytes(image))
        limits = depth_limits(view.depth_z, view.opacity)
        write_picture(folder / f"{row:03d}_depth.png", depth_picture(view.depth_z, view.opacity, limits))


def _write_points(model: EventModel, cameras: Cameras, n: int, folder: Path) -> list[str]:
    from ...data.readers.ply import write_ply
    from ...data.readers.scannet import cloud_columns
    from ..event_nerf.points import field_points

    try:
        found = field_points(model, cameras, n)
    except InvalidInput as error:
        return [str(error)]
    write_ply(folder / "points.ply", {"vertex": cloud_columns(found.cloud)})
    return list(found.warnings)
