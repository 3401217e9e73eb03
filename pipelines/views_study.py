"""Methods against each other on photos that they have not seen: every fit once, every view a line, resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from ..core.errors import InvalidInput, TrisparseError
from ..data.posed_images import PosedImages
from ..rendering.gaussians import GaussianCloud
from ..rendering.lpips import Lpips, why_no_lpips
from .fingerprint import describe_config, hash_value
from .sparse_splats import SplatMethod
from .views import render_views
from .views_evaluation import ViewResult, score_views
from .views_fits import CurveWish, FitJob, make_fit
from .views_records import CurvePoint, Curves, FitFolder, KeptFit, ResultLines, hash_photos, hash_training

_VERSION = 1
"""Of the keys: bump it when the same settings would now give other Gaussians."""
_LEAST_LPIPS = 32
"""Pixels along the shorter side."""


@dataclass(frozen=True, eq=False)
class Study:
    """What is compared, on which photos."""

    scene: str
    train: PosedImages
    """Undistorted, at the size of the fits."""
    test: PosedImages
    """Likewise; at least one."""
    methods: Mapping[str, SplatMethod]
    """By name, in the order of the tables; gains are over the first."""
    seeds: tuple[int, ...] = (0,)
    files: tuple[KeptFit, ...] = ()
    """Reconstructions that are there already, see :func:`.views_fits.splats_from_file`."""
    backend: str = "auto"
    """Of the rasterisation."""
    curve_every: int | None = None
    """Steps between looks at the test photos, for a curve in the report; nothing is chosen by it."""
    masks: Bool[Tensor, "n h w"] | None = None
    """Pixels of the test photos that count, see :func:`.views_evaluation.score_views`."""

    def __post_init__(self) -> None:
        if not len(self.test):
            raise InvalidInput("no photo to test; give at least one that is not learned from")
        if self.methods and len(self.train) < 2:
            raise InvalidInput(f"{len(self.train)} photos to train on; give at least 2: one tells no depth")
        if not self.methods and not self.files:
            raise InvalidInput("neither a method nor a file of splats to score; give at least one")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise InvalidInput(f"seeds {list(self.seeds)}; give at least one, each once and not below 0")
        if self.curve_every is not None and self.curve_every < 1:
            raise InvalidInput(f"a curve with a point every {self.curve_every} steps; give at least 1")


@dataclass(frozen=True)
class Failure:
    """A fit that could not be made."""

    method: str
    seed: int
    error: str


@dataclass(frozen=True, eq=False)
class StudyResults:
    """What came out."""

    study: Study
    results: tuple[ViewResult, ...]
    """A view of a fit each, fit after fit."""
    fits: tuple[KeptFit, ...]
    curves: Mapping[tuple[str, int], Sequence[CurvePoint]]
    """By method and seed."""
    failures: tuple[Failure, ...]
    lpips: str
    """Which variant was computed, or why none."""


def run_study(
    study: Study, out: Path, *, keep_all: bool = True, progress: bool = True, say: Callable[[str], object] = print
) -> StudyResults:
    """Fit and score whatever is not there yet.

    Args:
        study: What to do.
        out: Folder of ``results.jsonl``, ``curves.jsonl`` and ``fits/``.
        keep_all: Run fits again whose Gaussians were removed, even where their results are there: pictures need them.
        progress: Show bars.
        say: Called with a line for each fit that fails; the others go on.

    Raises:
        CorruptFile: What lies in the folder is not what a study wrote.
        InvalidInput, BackendUnavailable: The backend does not run here.
    """
    _check_backend(study)
    work = _Work(study, out, keep_all, progress)
    wanted = [(name, method, seed) for name, method in study.methods.items() for seed in study.seeds]
    fits, failures = list(study.files), []
    results = [result for fit in study.files for result in work.scores(fit)]
    for number, (name, method, seed) in enumerate(wanted, start=1):
        seeded = replace(method, fit=replace(method.fit, seed=seed))
        try:
            fit = work.fit(name, seeded, f"{name}, seed {seed} ({number} of {len(wanted)})")
            results += work.scores(fit)
            fits.append(fit)
        except TrisparseError as error:
            failures.append(Failure(name, seed, str(error)))
            say(f"{name}, seed {seed}: {error}")
    curves = {} if work.curve is None else {(fit.method, fit.seed): work.curve_of(fit) for fit in fits}
    about_lpips = _about_lpips(study.test, work.lpips)
    return StudyResults(
        study,
        tuple(results),
        tuple(fits),
        {name: points for name, points in curves.items() if points},
        tuple(failures),
        about_lpips,
    )


class _Work:
    """A study under way: what its folder held at the start, and what was added.

    Args:
        study: What to do.
        out: The folder.
        keep_all: See :func:`run_study`.
        progress: Show bars.
    """

    def __init__(self, study: Study, out: Path, keep_all: bool, progress: bool) -> None:
        self.study, self.out, self.keep_all, self.progress = study, out, keep_all, progress
        self.lines, self.curves = ResultLines(out / "results.jsonl"), Curves(out / "curves.jsonl")
        self.known, self.known_curves = self.lines.start(), self.curves.start()
        self.lpips = Lpips.load("vgg") if _is_large(study.test) and why_no_lpips("vgg") is None else None
        self.photo_keys = hash_photos(study.test, study.masks)
        self.train_key = hash_training(study.train) if study.methods else ""
        self.curve = None if study.curve_every is None else hash_value([study.curve_every, *self.photo_keys])

    def fit(self, name: str, method: SplatMethod, title: str) -> KeptFit:
        """The finished fit, or a new one."""
        study = self.study
        key = hash_value([_VERSION, self.train_key, describe_config(method), study.backend])
        folder = FitFolder.of(self.out, name, method.fit.seed, key)
        found = folder.find()
        if found is None and not self.keep_all and all(self._is_scored(key, photo) for photo in self.photo_keys):
            known = self.known[key, self.photo_keys[0]]
            found = KeptFit(key, name, method.fit.seed, folder.splats, known.gaussians, known.seconds)
        if found is not None and (self.curve is None or self.curve_of(found)):
            return replace(found, method=name)
        wish = None if study.curve_every is None else CurveWish(study.curve_every, study.test, study.masks)
        job = FitJob(name, method, study.train, folder, study.backend, wish)
        made, points = make_fit(job, title, progress=self.progress)
        if self.curve is not None:
            self.curves.append(made, self.curve, points)
            self.known_curves[key, self.curve] = list(points)
        folder.finish(made)
        return made

    def curve_of(self, fit: KeptFit) -> Sequence[CurvePoint]:
        """The curve that is wanted, empty where it is not there."""
        return () if self.curve is None else self.known_curves.get((fit.key, self.curve), ())

    def scores(self, fit: KeptFit) -> list[ViewResult]:
        """Results of all test photos, those that are there already and the others."""
        study = self.study
        missing = [row for row, photo in enumerate(self.photo_keys) if not self._is_scored(fit.key, photo)]
        if missing:
            masks = None if study.masks is None else study.masks[missing]
            photos = study.test.select(missing)
            new = score_views(fit.open(study.scene), photos, lpips=self.lpips, masks=masks, backend=study.backend)
            keys = [self.photo_keys[row] for row in missing]
            self.lines.append(fit.key, keys, new)
            self.known.update({(fit.key, photo): result for photo, result in zip(keys, new, strict=True)})
        # Names of folders and methods may have changed since; what was measured has not.
        return [
            replace(self.known[fit.key, photo], scene=study.scene, method=fit.method, view=name, seconds=fit.seconds)
            for photo, name in zip(self.photo_keys, study.test.names, strict=True)
        ]

    def _is_scored(self, fit: str, photo: str) -> bool:
        known = self.known.get((fit, photo))
        return known is not None and (self.lpips is None or known.metrics.lpips is not None)


def _check_backend(study: Study) -> None:
    """Before any work is done: draw next to nothing with it."""
    nothing = GaussianCloud.from_points(torch.zeros(1, 3), torch.zeros(1, 3))
    next(render_views(nothing, study.test.cameras[0].resized(16, 16), backend=study.backend))


def _is_large(photos: PosedImages) -> bool:
    return min(photos.cameras.width, photos.cameras.height) >= _LEAST_LPIPS


def _about_lpips(photos: PosedImages, lpips: Lpips | None) -> str:
    if lpips is not None:
        return "VGG, images in 0..1 as most papers on sparse views compute it"
    if not _is_large(photos):
        return f"n/a: images of less than {_LEAST_LPIPS} pixels"
    return f"n/a: {why_no_lpips('vgg')}"
