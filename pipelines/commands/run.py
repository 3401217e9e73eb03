"""``trisparse run scan-to-answer``, ``photos-to-answer`` and ``events-to-answer``."""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ...core.errors import InvalidInput
from .field_training import FieldCommand

if TYPE_CHECKING:
    from ..runner import Pipeline
    from ..stages.ground_points import GroundPoints

UpName = Literal["auto", "x", "y", "z", "-x", "-y", "-z"]


@dataclass(frozen=True)
class Asking:
    """What is asked, and how a run is kept."""

    ask: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """What to find, in quotation marks; once for each sentence."""
    weights: str = "small"
    """Bundled weights by name, or a .safetensors file."""
    up: UpName = "auto"
    """Axis that points up; found by default."""
    top_k: int = 5
    """Boxes a sentence at most."""
    name: str | None = None
    """Of the run; that of the input by default. A run of the same name is replaced."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for the GPU where there is one."""


def ground_stage(asking: Asking, scan: Path | None, scale: float | None, *, align: bool = True) -> GroundPoints:
    """The stage that asks.

    Raises:
        InvalidInput: No sentence, or a scale that makes no sense.
        MissingPart: No such weights.
    """
    from ..grounding import find_weights
    from ..stages.ground_points import GroundPoints
    from ..to_answer import sentences_of

    if asking.top_k < 1 or (scale is not None and not 1e-9 < scale < 1e9):
        raise InvalidInput(
            f"{asking.top_k} boxes a sentence and {scale} metres a unit; expected at least 1, and above 0"
        )
    sentences = sentences_of(asking.ask)
    return GroundPoints(sentences, find_weights(asking.weights), scan, asking.up, scale, align, asking.top_k)


def finish(pipeline: Pipeline, kind: str, name: str, asking: Asking, runs: Path, *, json: bool) -> None:
    """Run, write the report, and say what came out."""
    from ...data.answers import read_answers
    from ..run_report import write_run_report
    from ..runner import Machine
    from ..store import Store
    from ..to_answer import run_recorded
    from . import devices

    made = run_recorded(name, kind, pipeline, Store(runs), Machine(device=devices.choose(asking.device)))
    report = write_run_report(runs / "reports" / f"{name}.html", name, kind, made)
    sheet = read_answers(made["answers"].file("answers.json"))
    folders = {label: str(artifact.folder) for label, artifact in made.items()}
    if json:
        print(
            json_format.dumps(
                {"name": name, "report": str(report), "parts": folders, **sheet.to_dict()}, ensure_ascii=False
            )
        )
        return
    for answer in sheet.answers:
        if answer.rank == 1:
            center, size = (" ".join(f"{value:.2f}" for value in values) for values in (answer.center, answer.size))
            print(f"{answer.sentence}: centre {center}, size {size} m, score {answer.score:.2f}")
    for label, folder in folders.items():
        print(f"{label}: {folder}")
    print(f"report: {report}")


def run_name(asking: Asking, path: Path) -> str:
    """That the user gave, or that of the input without what no file name should hold."""
    from ..to_answer import file_name

    return asking.name or file_name(path)


@dataclass(frozen=True)
class ScanToAnswer:
    """Ask a scan: boxes, pictures, and a page about the run.

    The same run is not done twice: what is there is used, what was killed is resumed. `trisparse status` lists runs.
    """

    scan: tyro.conf.Positional[Path]
    """Scan file or folder, as `trisparse ground` takes it."""
    asking: tyro.conf.OmitArgPrefixes[Asking]
    scale: Annotated[str, tyro.conf.arg(metavar="auto|METRES")] = "auto"
    """Metres per unit of the file."""
    align: bool = True
    """Find up, floor and walls; --no-align for a scan in metres, z up, floor at 0."""
    runs: Path = Path("runs")
    """Folder of results."""
    json: bool = False
    """Print JSON for machines."""

    def run(self) -> None:
        from ..to_answer import scan_to_answer

        stage = ground_stage(self.asking, self.scan, scale_of(self.scale), align=self.align)
        finish(
            scan_to_answer(stage),
            "scan-to-answer",
            run_name(self.asking, self.scan),
            self.asking,
            self.runs,
            json=self.json,
        )


@dataclass(frozen=True)
class PhotosToAnswer:
    """From a few photos to answers: Gaussians, points, boxes, and renders with the boxes drawn in.

    Cameras tell which way is up if the photos were taken upright. The scale of a world of photos is unknown unless its poses
    are metric (--scale 1) or the distance of two cameras is given (--distance); it is guessed from the extent otherwise.
    """

    photos: tyro.conf.Positional[Path]
    """Folder or file of photos with cameras, or folder of photos, as `trisparse render` takes it."""
    asking: tyro.conf.OmitArgPrefixes[Asking]
    train: tuple[int, ...] = ()
    """Numbers of the photos to learn from, from 0; all by default."""
    method: str = "ours"
    """How Gaussians are fitted (docs/views.md)."""
    steps: int | None = None
    """Optimiser steps; the method's by default."""
    longest: int | None = 480
    """Longer side of the photos, pixels, at most."""
    scale: Annotated[str, tyro.conf.arg(metavar="auto|METRES")] = "auto"
    """Metres per unit of the cameras' world: 1 for metric poses."""
    distance: tuple[int, int, float] | None = None
    """Numbers of two photos, and how far apart they were taken, metres."""
    seed: int = 0
    """Of everything random."""
    runs: Path = Path("runs")
    """Folder of results."""
    json: bool = False
    """Print JSON for machines."""

    def run(self) -> None:
        from ...data.readers.photos import read_photos
        from ..sparse_splats import METHODS
        from ..stages.fit_splats import FitSplats
        from ..stages.fuse_points import FuseSplats, KnownDistance
        from ..to_answer import photos_to_answer

        ground = ground_stage(self.asking, None, None)
        method = METHODS.get(self.method)
        if method is None:
            raise InvalidInput(f"no method {self.method!r}; choose from {', '.join(METHODS)}")
        method = method if self.steps is None else method.with_steps(self.steps)
        method = replace(method, fit=replace(method.fit, seed=self.seed))
        n = len(read_photos(self.photos))
        wrong = [row for row in self.train if not 0 <= row < n]
        if wrong:
            raise InvalidInput(f"--train names photo {wrong[0]}; there are {n}, numbered from 0")
        scale = scale_of(self.scale)
        if scale is not None and self.distance is not None:
            raise InvalidInput("both --scale and --distance are given; choose one")
        fit = FitSplats(self.photos, method, self.train or None, self.longest, progress=not self.json)
        fuse = FuseSplats(self.photos, scale, None if self.distance is None else KnownDistance(*self.distance))
        name = run_name(self.asking, self.photos)
        finish(photos_to_answer(fit, fuse, ground), "photos-to-answer", name, self.asking, self.runs, json=self.json)


@dataclass(frozen=True)
class EventsToAnswer(FieldCommand):
    """From the recording of an event camera to answers: a radiance field, points, boxes, and renders with the boxes drawn in.

    Poses must be metric. Colours are a guess (events tell brightness up to scale and offset), so that colour words mean little.
    """

    asking: tyro.conf.OmitArgPrefixes[Asking] = Asking()
    points: int = 100_000
    """Points of the point cloud, about."""
    seed: int = 0
    """Of everything random."""

    def run(self) -> None:
        from ..stages.fuse_points import FuseField
        from ..to_answer import events_to_answer

        ground = ground_stage(self.asking, None, None)
        learn = self.stage(self.seed)
        self.check(learn.posed())
        pipeline = events_to_answer(learn, FuseField(learn, self.points), ground)
        finish(
            pipeline, "events-to-answer", run_name(self.asking, self.recording), self.asking, self.runs, json=self.json
        )


def scale_of(text: str) -> float | None:
    """Metres per unit; None of "auto".

    Raises:
        InvalidInput: Neither a number nor "auto".
    """
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise InvalidInput(f"--scale must be metres per unit or auto, got {text!r}") from error
