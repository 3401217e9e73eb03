"""``trisparse reconstruct``."""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...core.errors import InvalidInput
from .field_training import FieldCommand, learned

if TYPE_CHECKING:
    from rich.console import Console

    from ...data.cameras import Cameras
    from ...data.event_recording import PosedRecording
    from ..event_nerf.model import EventModel
    from ..stages.reconstruct_events import ReconstructEvents


@dataclass(frozen=True)
class Reconstruct(FieldCommand):
    """Learn a radiance field from the recording of an event camera, and show it.

    Needs the events, the camera's poses and its calibration: beside the events, or as --poses and --calibration. Training can
    be stopped at any time, and the same command goes on. Brightness is known only up to scale and offset of its logarithm;
    where the recording has photos, renders are aligned to them and compared.

    Writes a video along a path around the place, views and depth at some of the camera's own poses, and a point cloud that
    `trisparse ground` takes.
    """

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

    def run(self) -> None:
        from rich.console import Console

        say = Console(stderr=True, quiet=self.json)
        stage = self.stage(self.seed)
        with say.status(f"reading {self.recording}"):
            recording = stage.posed()
        self.check(recording)
        if min(self.frames, self.views, self.points) < 0:
            raise InvalidInput(
                f"{self.frames} frames, {self.views} views and {self.points} points; expected 0 or more of each"
            )
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

    def _make(self, stage: ReconstructEvents, recording: PosedRecording, folder: Path, say: Console) -> dict[str, Any]:
        from ..event_nerf.space import cameras_on_path

        model, kept = learned(stage, self.runs)
        about = json_format.loads((kept / "about.json").read_text(encoding="utf-8"))
        made: dict[str, Any] = {"field": str(kept), "notes": list(about["notes"])}
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
        from ..event_nerf.views import aligned_image, evaluate_views
        from ..views import as_bytes, write_picture

        photos = self.comparison()
        if photos is None:
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
