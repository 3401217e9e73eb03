"""One fit of a study: made with a bar and perhaps a curve, and kept; and splats that somebody else made."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from jaxtyping import Bool
from torch import Tensor

from ..core.errors import InvalidInput, MissingPart
from ..data.posed_images import PosedImages
from ..rendering.fit import StepResult
from ..rendering.metrics import psnr
from ..rendering.splat_files.files import read_splats
from .fingerprint import hash_file, hash_value
from .sparse_splats import METHODS, Prepared, SplatMethod, prepare_fit, run_fit
from .step_bar import StepBar
from .views import render_views
from .views_records import CurvePoint, FitFolder, KeptFit

_MOST_DB = 200.0
"""In curves: JSON has no infinity."""


@dataclass(frozen=True, eq=False)
class CurveWish:
    """A curve of PSNR over steps, of photos that are not learned from. Nothing is chosen by it."""

    every: int
    """Steps between looks; the last step is looked at in any case."""
    photos: PosedImages
    masks: Bool[Tensor, "n h w"] | None = None
    """Pixels that count."""


@dataclass(frozen=True, eq=False)
class FitJob:
    """One fit that is to be made."""

    name: str
    """Of the method."""
    method: SplatMethod
    train: PosedImages
    folder: FitFolder
    backend: str = "auto"
    """Of the rasterisation."""
    curve: CurveWish | None = None


@dataclass
class _Looker:
    """Looks at the test photos when it is time to, and remembers how long that took."""

    wish: CurveWish
    prepared: Prepared
    backend: str
    points: list[CurvePoint] = field(default_factory=list)
    seconds: float = 0.0

    def look(self, step: int) -> None:
        if step % self.wish.every and step != self.prepared.fit.config.steps:
            return
        started = time.perf_counter()
        config, photos, masks = self.prepared.fit.config, self.wish.photos, self.wish.masks
        # The fit is where the world was brought to scale, so the cameras have to be.
        cameras = self.prepared.frame.of_photos(replace(photos, points=None)).cameras
        views = render_views(
            self.prepared.fit.result(),
            cameras,
            background=config.background,
            antialiased=config.antialiased,
            backend=self.backend,
        )
        found = {
            photos.names[row]: psnr(view.image.cpu(), photos.image(row), mask=None if masks is None else masks[row])
            for row, view in enumerate(views)
        }
        found = {name: min(value, _MOST_DB) for name, value in found.items()}
        self.points.append(CurvePoint(step, sum(found.values()) / len(found), found))
        self.seconds += time.perf_counter() - started


def make_fit(job: FitJob, title: str, *, progress: bool = True) -> tuple[KeptFit, tuple[CurvePoint, ...]]:
    """Run a fit and write its Gaussians; :meth:`.FitFolder.finish` is left to the caller.

    Args:
        job: What to do.
        title: Of the bar.
        progress: Show it.

    Returns:
        The fit, and its curve, empty where none was asked for.

    Raises:
        InvalidInput: The photos do not allow it.
        NotFinite: The loss was not finite for ten steps.
    """
    job.train.images()  # before the clock runs
    with StepBar(title, job.method.fit.steps, 0, enabled=progress) as bar:
        started = time.perf_counter()
        prepared = prepare_fit(job.train, job.method, backend=job.backend)
        looker = None if job.curve is None else _Looker(job.curve, prepared, job.backend)
        if looker is not None:
            looker.look(0)

        def after_step(result: StepResult) -> None:
            if looker is not None:
                looker.look(result.step)
            bar.advance(result.step, f"{result.psnr:.1f} dB, {result.gaussians} Gaussians")

        cloud = run_fit(prepared, after_step)
        seconds = time.perf_counter() - started
    notes = job.folder.keep_splats(cloud)
    config = prepared.fit.config
    made = KeptFit(
        key=job.folder.key,
        method=job.name,
        seed=job.method.fit.seed,
        splats=job.folder.splats,
        gaussians=len(cloud),
        seconds=round(seconds - (0.0 if looker is None else looker.seconds), 3),
        background=config.background,
        antialiased=config.antialiased,
        warnings=tuple(dict.fromkeys((*prepared.warnings, *notes))),
    )
    return made, () if looker is None else tuple(looker.points)


def choose_methods(
    names: Sequence[str], *, steps: int | None = None, background: tuple[float, float, float] | None = None
) -> dict[str, SplatMethod]:
    """Methods by name.

    Args:
        names: Of :data:`.sparse_splats.METHODS`.
        steps: Optimiser steps of all of them; each method's own by default.
        background: Colour behind everything, 0..1, where it is known; each method's own by default.

    Raises:
        InvalidInput: No such method, one twice, or no step.
    """
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise InvalidInput(f"no method {unknown[0]!r}; choose from {', '.join(METHODS)}")
    if len(set(names)) < len(names):
        raise InvalidInput(f"methods {', '.join(names)}: one is named twice; give each once")
    if steps is not None and steps < 1:
        raise InvalidInput(f"{steps} optimiser steps; give at least 1")
    chosen = {name: METHODS[name] if steps is None else METHODS[name].with_steps(steps) for name in names}
    if background is None:
        return chosen
    return {
        name: replace(method, background="black", fit=replace(method.fit, background=background))
        for name, method in chosen.items()
    }


def splats_from_file(
    path: Path,
    *,
    scale: float = 1.0,
    background: tuple[float, float, float] | None = None,
    antialiased: bool = False,
) -> KeptFit:
    """A reconstruction that somebody made, to be scored like a fit.

    Args:
        path: A .ply, .splat or .spz file, in the photos' world.
        scale: Units of the file for one unit of the photos' world, where the file was scaled for viewers.
        background: Colour behind the Gaussians, 0..1; black by default. No file can hold it.
        antialiased: Trained with the antialiased filter; SPZ files say so themselves.

    Raises:
        InvalidInput: A scale that is none.
        MissingPart, UnknownFormat, CorruptFile: See :func:`trisparse.rendering.splat_files.files.read_splats`; or the file
            holds no Gaussian.
    """
    if not 0 < scale < float("inf"):
        raise InvalidInput(f"a scale of {scale:g}; expected a finite number above 0")
    file = read_splats(path, drop_bad=True)
    if not len(file.cloud):
        raise MissingPart(f"{path}: no Gaussian to score ({'; '.join(file.notes) or 'the file holds none'})")
    filtered = antialiased or bool(file.antialiased)
    color = (0.0, 0.0, 0.0) if background is None else background
    key = hash_value({"splats": hash_file(path), "scale": scale, "background": list(color), "antialiased": filtered})
    return KeptFit(key, path.name, 0, path, len(file.cloud), 0.0, color, filtered, file.notes, scale=scale)
