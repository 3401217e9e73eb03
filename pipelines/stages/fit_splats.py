"""The stage that fits Gaussians to a few photos: resumable, one log line every so often, pictures on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ...core.files import write_text
from ...data.posed_images import PosedImages
from ...data.readers.photos import read_photos
from ...rendering.fit import Fit, StepResult
from ...rendering.splat_files.files import write_splats
from ..checkpoint import load_checkpoint, remove_checkpoints, save_checkpoint
from ..sparse_splats import SplatMethod, mean_camera_distance, prepare_fit, prepare_photos, run_fit
from ..stage import AbstractStage, StageContext
from ..step_bar import StepBar
from ..step_log import StepLog
from ..views import as_bytes, write_picture

CHECKPOINTS = "checkpoints"
_LOOKS = 8
"""Pictures in the sheet of what the fit looked like on the way."""


@dataclass(frozen=True)
class FitSplats(AbstractStage):
    """Fit Gaussians to posed photos.

    Writes ``splats.ply`` (in the photos' own world), ``about.json`` (among others the background colour that belongs to them),
    ``log.jsonl`` (loss and PSNR) and ``contact_sheet.png`` (the first photo,
    and what the fit made of it on the way). Seconds go to the run's own log.
    """

    version: ClassVar[int] = 2
    photos: Path
    """Folder or file that ``read_photos`` reads."""
    method: SplatMethod
    train: tuple[int, ...] | None = None
    """Numbers of the photos to learn from; all by default."""
    longest: int | None = 480
    """Longer side of the photos in pixels, at most; None for their own size."""
    checkpoint_every: int = field(default=500, metadata={"key": False})
    """Steps between checkpoints; does not change the result."""
    progress: bool = field(default=True, metadata={"key": False})
    """Show a bar."""

    def run(self, ctx: StageContext) -> None:
        photos = prepare_photos(self.chosen(read_photos(self.photos)), self.longest)
        prepared = prepare_fit(photos, self.method)
        fit = prepared.fit
        checkpoint = load_checkpoint(ctx.folder / CHECKPOINTS)
        if checkpoint is not None:
            prepared.load(checkpoint.state)
        log = StepLog(ctx.folder / "log.jsonl")
        log.rewind(fit.done)
        steps = self.method.fit.steps
        with StepBar("fitting", steps, fit.done, enabled=self.progress) as bar:

            def after_step(result: StepResult) -> None:
                bar.advance(result.step, f"{result.psnr:.1f} dB, {result.gaussians} Gaussians")
                if result.step % 10 == 0 or result.step == steps:
                    log.append(
                        result.step, loss=round(result.loss, 6), psnr=round(result.psnr, 3), gaussians=result.gaussians
                    )
                if result.step % max(steps // _LOOKS, 1) == 0:
                    _look(ctx.folder, fit, result.step)
                if result.step % self.checkpoint_every == 0 and result.step < steps:
                    save_checkpoint(ctx.folder / CHECKPOINTS, result.step, prepared.tree())
                    ctx.log.write("checkpoint", step=result.step)

            cloud = run_fit(prepared, after_step)
        write_splats(ctx.folder / "splats.ply", cloud)
        about: dict[str, Any] = {
            "gaussians": len(cloud),
            "background": list(fit.config.background),
            "camera_distance": mean_camera_distance(photos, cloud),
            "warnings": list(prepared.warnings),
        }
        write_text(ctx.folder / "about.json", _json(about))
        _sheet(ctx.folder, photos)
        remove_checkpoints(ctx.folder / CHECKPOINTS)

    def chosen(self, photos: PosedImages) -> PosedImages:
        """The photos to learn from."""
        return photos if self.train is None else photos.select(self.train)


def _json(value: dict[str, Any]) -> str:
    import json

    return json.dumps(value, indent=1)


def _look(folder: Path, fit: Fit, step: int) -> None:
    with torch.no_grad():
        image = fit.render(fit.cameras[0]).image
    write_picture(folder / f"look_{step:06d}.png", as_bytes(image))


def _sheet(folder: Path, photos: PosedImages) -> None:
    """The photo and all looks in rows of three, at half size; the single looks go."""
    from PIL import Image

    looks = sorted(folder.glob("look_*.png"))
    pictures = [as_bytes(photos.image(0)), *(np.asarray(Image.open(path)) for path in looks)]
    height, width = pictures[0].shape[:2]
    size = max(width // 2, 1), max(height // 2, 1)
    sheet = Image.new("RGB", (3 * size[0], -(-len(pictures) // 3) * size[1]))
    for place, picture in enumerate(pictures):
        small = Image.fromarray(picture).resize(size, Image.Resampling.BOX)
        sheet.paste(small, (place % 3 * size[0], place // 3 * size[1]))
    write_picture(folder / "contact_sheet.png", np.asarray(sheet))
    for path in looks:
        path.unlink()
