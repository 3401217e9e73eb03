"""``trisparse evaluate views``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

if TYPE_CHECKING:
    from ...data.posed_images import PosedImages
    from ..views_split import SplitPhotos
    from ..views_study import Study

_COLORS = {"black": (0.0, 0.0, 0.0), "white": (1.0, 1.0, 1.0)}
_METHODS = ("3dgs", "ours")
_LEAST = 16
"""Pixels along the longer side."""


@dataclass(frozen=True)
class EvaluateViews:
    """Measure how near renders of unseen views come to their photos.

    PHOTOS is a folder or file of photos with cameras, as `trisparse render` takes it. Each method is fitted with each seed to
    the photos to train on, which alone it sees, and compared with the others: PSNR, SSIM (of 3DGS and of scikit-image),
    MS-SSIM, LPIPS where its weights are on this machine, by view and by scene, mean and deviation over seeds, and paired gains
    over the first method.

    Writes results.jsonl (a line a view), report.json, report.html (photo, render, error and depth of every view), and the
    Gaussians of every fit. The same command goes on where it was stopped; a finished fit is not run again.
    """

    photos: tyro.conf.Positional[Path]
    """Folder or file of photos with cameras, or folder of photos."""
    split: str | None = None
    """Which photos are tested: "llff" and "mipnerf360" (every 8th), "every-nth", "dtu", "blender", "tanks" (as InstantSplat
    uses Tanks and Temples), "arc" (within 90 degrees); "llff" where nothing names them."""
    train: tuple[str, ...] = ()
    """One number: so many photos to learn from, chosen by the split. Several numbers (from 0) or names: these photos."""
    test: tuple[str, ...] = ()
    """Photos to compare with, by number or name; those of the split, or all others, by default."""
    every: int = 8
    """For --split every-nth: one of so many photos is tested."""
    methods: tuple[str, ...] = ()
    """How Gaussians are fitted, see docs/views.md; gains are over the first. "3dgs", "ours" by default, none with --splats."""
    seeds: tuple[int, ...] = (0,)
    """Of everything random; one fit each."""
    steps: int | None = None
    """Optimiser steps; each method's own by default."""
    longest: int | None = 480
    """Longer side of the photos, pixels, at most."""
    curve: int | None = None
    """Also look at the test photos every so many steps, for a curve in the page. Nothing is chosen by it."""
    splats: Path | None = None
    """Score this .ply, .splat or .spz file, which lies in the photos' world; alone all photos are tested."""
    scale: float = 1.0
    """Units of that file for one of the photos' world, where it was scaled for viewers (`trisparse render` says by what)."""
    antialiased: bool = False
    """That file was trained with the antialiased filter."""
    background: str | None = None
    """Colour behind everything: "black", "white" or "#rrggbb". Each method's own by default, white for the split "blender"."""
    masks: Path | None = None
    """Folder of DTU's masks: PSNR of the object alone, the other metrics before white."""
    backend: str = "auto"
    """Of the rasterisation: "numba", "torch" or "gsplat"."""
    out: Path | None = None
    """Folder for the results; runs/evaluate-views/<name> by default."""
    page: bool = True
    """Write report.html, a page with pictures of every test photo."""
    json: bool = False
    """Print the report as JSON and nothing else."""

    def run(self) -> None:
        from ...core.errors import InvalidInput
        from ...core.files import write_text
        from ..views_page import write_study_page
        from ..views_report import make_report, print_report
        from ..views_study import run_study

        out = Path("runs/evaluate-views") / self._scene() if self.out is None else self.out
        if out.exists() and not out.is_dir():
            raise InvalidInput(f"--out {out}: a file is there already; name a folder")
        if self.longest is not None and self.longest < _LEAST:
            raise InvalidInput(f"--longest {self.longest}: photos of so few pixels; give at least {_LEAST}")
        chosen, study = self._study()
        made = run_study(study, out, keep_all=self.page, progress=not self.json, say=self._say)
        if not made.results:
            raise InvalidInput(f"no fit could be made: {made.failures[0].error}")
        report = make_report(made, chosen.rule, chosen.photos.warnings)
        write_text(out / "report.json", json.dumps(report.to_dict(), indent=1) + "\n")
        page = write_study_page(out / "report.html", report, made) if self.page else None
        if self.json:
            print(json.dumps(report.to_dict(), ensure_ascii=False))
        else:
            print_report(report)
            print(f"a line a view, report.json{', and report.html to look at' if page else ''}: {out}")
        if made.failures:
            n = len(made.failures)
            raise InvalidInput(f"{n} of {n + len(made.fits)} fits could not be made: {report.failures[0]}")

    def _study(self) -> tuple[SplitPhotos, Study]:
        """What is to be done, checked before anything takes long."""
        from ..sparse_splats import prepare_photos
        from ..views_fits import choose_methods, splats_from_file
        from ..views_split import SplitOptions, read_split
        from ..views_study import Study

        options = SplitOptions(self.split, self.train, self.test, self.every)
        color = _color(self.background) if self.background is not None else options.background
        names = self.methods or (() if self.splats is not None else _METHODS)
        methods = choose_methods(names, steps=self.steps, background=color)
        files = ()
        if self.splats is not None:
            files = (splats_from_file(self.splats, scale=self.scale, background=color, antialiased=self.antialiased),)
        chosen = read_split(self.photos, options, needs_train=bool(methods))
        photos = prepare_photos(chosen.photos, self.longest)
        test = photos.select(chosen.split.test)
        study = Study(
            scene=self._scene(),
            train=photos.select(chosen.split.train),
            test=test,
            methods=methods,
            seeds=self.seeds,
            files=files,
            backend=self.backend,
            curve_every=self.curve,
            masks=self._masks(test),
        )
        return chosen, study

    def _masks(self, test: PosedImages) -> Any:
        from ...data.readers.dtu import read_dtu_masks

        return None if self.masks is None else read_dtu_masks(self.masks, test)

    def _scene(self) -> str:
        place = self.photos.resolve()
        return place.name if place.is_dir() else place.parent.name

    def _say(self, line: str) -> None:
        if not self.json:
            print(f"left out: {line}")


def _color(text: str) -> tuple[float, float, float]:
    from ...core.errors import InvalidInput

    if text in _COLORS:
        return _COLORS[text]
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise InvalidInput(f"--background {text!r}; choose black, white or #rrggbb, as #8090a0")
    red, green, blue = (int(text[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue
