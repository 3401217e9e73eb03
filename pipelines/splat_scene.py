"""Gaussians fitted to photos, from Python: what belongs to them, new views, files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike

from ..core.errors import InvalidInput
from ..data.camera_paths import orbit
from ..data.cameras import Cameras
from ..data.posed_images import PosedImages
from ..data.readers.photos import read_photos
from ..rendering.fit import StepResult
from ..rendering.gaussians import GaussianCloud
from ..rendering.splat_files.files import write_splats
from .sparse_splats import METHODS, mean_camera_distance, prepare_fit, prepare_photos, run_fit
from .step_bar import StepBar
from .views import View, render_views


@dataclass(frozen=True, eq=False)
class SplatScene:
    """A place as Gaussians, in the world of its photos."""

    cloud: GaussianCloud
    photos: PosedImages
    """Those it was learned from, undistorted, at the size of the fit."""
    background: tuple[float, float, float]
    """Colour behind the Gaussians, 0..1."""
    antialiased: bool
    warnings: tuple[str, ...]

    def orbit(self, n: int = 60) -> Cameras:
        """Cameras on a path around the place, or to and fro before it."""
        return orbit(self.photos.cameras, n)

    def render(self, cameras: Cameras) -> Iterator[View]:
        """What pinhole cameras see: image [h w 3] 0..1, alpha [h w], depth along the optical axis [h w] in the photos' unit."""
        return render_views(self.cloud, cameras, background=self.background, antialiased=self.antialiased)

    def write(self, path: str | PathLike[str]) -> tuple[str, ...]:
        """Write a ``.ply``, ``.splat`` or ``.spz`` file, scaled so that viewers do not clip it; notes on what is lost."""
        distance = mean_camera_distance(self.photos, self.cloud)
        return tuple(write_splats(path, self.cloud, normalize=distance, antialiased=self.antialiased))


def fit_views(
    photos: str | PathLike[str] | PosedImages,
    *,
    train: Sequence[int] | None = None,
    method: str = "ours",
    steps: int | None = None,
    longest: int | None = 480,
    seed: int = 0,
    progress: bool = True,
) -> SplatScene:
    """Fit Gaussians to a few photos. The same input and seed give the same Gaussians.

    Args:
        photos: Folder or file that :func:`trisparse.data.readers.photos.read_photos` reads, or photos with cameras.
        train: Numbers of the photos to learn from; all by default.
        method: See docs/views.md.
        steps: Optimiser steps; the method's by default.
        longest: Longer side in pixels, at most; None for the photos' own size.
        seed: Of everything random.
        progress: Show a bar.

    Raises:
        InvalidInput: No such method, or photos that allow no fit (a single one, no baseline ...).
        DataError, MissingPart, CorruptFile: See the readers.
    """
    if method not in METHODS:
        raise InvalidInput(f"no method {method!r}; choose from {', '.join(METHODS)}")
    chosen = METHODS[method] if steps is None else METHODS[method].with_steps(steps)
    chosen = replace(chosen, fit=replace(chosen.fit, seed=seed))
    known = photos if isinstance(photos, PosedImages) else read_photos(photos)
    prepared_photos = prepare_photos(known if train is None else known.select(tuple(train)), longest)
    prepared = prepare_fit(prepared_photos, chosen)
    with StepBar("fitting", chosen.fit.steps, 0, enabled=progress) as bar:

        def after_step(result: StepResult) -> None:
            bar.advance(result.step, f"{result.psnr:.1f} dB, {result.gaussians} Gaussians")

        cloud = run_fit(prepared, after_step)
    config = prepared.fit.config
    return SplatScene(cloud, prepared_photos, config.background, config.antialiased, prepared.warnings)
