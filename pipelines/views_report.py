"""What a study of new views came to: tables by view and by scene, gains, curves, as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .views_evaluation import MethodRow, PairedGain, paired_gains, summarise
from .views_study import StudyResults

_COLUMNS = (
    ("PSNR", "psnr", 2),
    ("SSIM (3DGS)", "ssim_3dgs", 3),
    ("SSIM (skimage)", "ssim_skimage", 3),
    ("MS-SSIM", "ms_ssim", 3),
    ("LPIPS", "lpips", 3),
)
"""Heading, name of the metric, digits."""


@dataclass(frozen=True)
class Table:
    """Cells as text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """With columns of one width each."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [self.head, tuple("-" * width for width in widths), *self.rows]
        return "\n".join(
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
            for line in lines
        )


@dataclass(frozen=True)
class Course:
    """PSNR of the test photos over the steps of one fit."""

    method: str
    seed: int
    steps: tuple[int, ...]
    psnr: tuple[float, ...]
    """Means over the photos, dB."""


@dataclass(frozen=True)
class StudyReport:
    """Everything that is said of a study, beside its pictures."""

    scene: str
    rule: str
    """How photos were chosen."""
    width: int
    height: int
    train: tuple[str, ...]
    test: tuple[str, ...]
    methods: tuple[str, ...]
    steps: tuple[int | None, ...]
    """Of each method; None for a file."""
    seeds: tuple[int, ...]
    backend: str
    lpips: str
    scenes: tuple[MethodRow, ...]
    """Means over the test photos, then over seeds."""
    views: tuple[MethodRow, ...]
    """A row for each test photo and method, means over seeds; ``scene`` is the photo's name."""
    gains: tuple[PairedGain, ...]
    """Over the first method, on the seeds that both have."""
    curves: tuple[Course, ...]
    failures: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; what cannot be computed, and the infinite PSNR of equal images, is None."""
        return _finite(asdict(self))


def make_report(made: StudyResults, rule: str, warnings: Sequence[str] = ()) -> StudyReport:
    """Put a study's results together.

    Args:
        made: The study.
        rule: How its photos were chosen.
        warnings: What readers said; what fits said is added.
    """
    study = made.study
    names = (*(fit.method for fit in study.files), *study.methods)
    by_view = [replace(result, scene=result.view) for result in made.results]
    order = {name: place for place, name in enumerate(study.test.names)}
    return StudyReport(
        scene=study.scene,
        rule=rule,
        width=study.test.cameras.width,
        height=study.test.cameras.height,
        train=study.train.names if study.methods else (),
        test=study.test.names,
        methods=names,
        steps=(*(None for _ in study.files), *(method.fit.steps for method in study.methods.values())),
        seeds=study.seeds,
        backend=study.backend,
        lpips=made.lpips,
        scenes=summarise(made.results),
        views=tuple(sorted(summarise(by_view), key=lambda row: order[row.scene])),
        gains=paired_gains(made.results, names[0]),
        curves=tuple(
            Course(method, seed, tuple(p.step for p in points), tuple(round(p.psnr, 4) for p in points))
            for (method, seed), points in made.curves.items()
        ),
        failures=tuple(f"{one.method}, seed {one.seed}: {one.error}" for one in made.failures),
        warnings=tuple(dict.fromkeys((*warnings, *(note for fit in made.fits for note in fit.warnings)))),
    )


def scene_table(report: StudyReport) -> Table:
    """A row for each method."""
    return _table("scene", report.scenes, _whole)


def view_table(report: StudyReport) -> Table:
    """A row for each test photo and method."""
    return _table("view", report.views, None)


def gain_table(report: StudyReport) -> Table:
    """A row for each method but the first."""
    rows = (
        (gain.method, gain.against, str(gain.seeds), f"{gain.psnr:+.2f}{_spread(gain.deviation, 2)}")
        for gain in report.gains
    )
    return Table(("method", "against", "seeds", "PSNR gain (dB)"), tuple(rows))


def facts(report: StudyReport) -> tuple[tuple[str, str], ...]:
    """What was done: a name and a value each."""
    steps = (
        f"{name} ({'a file' if n is None else f'{n} steps'})"
        for name, n in zip(report.methods, report.steps, strict=True)
    )
    return (
        ("photos", f"{report.width} x {report.height} pixels, {report.rule}"),
        ("trained on", f"{len(report.train)}: {', '.join(report.train)}" if report.train else "nothing"),
        ("tested on", f"{len(report.test)}: {', '.join(report.test)}"),
        ("methods", ", ".join(steps)),
        ("seeds", ", ".join(map(str, report.seeds))),
        ("LPIPS", report.lpips),
    )


def print_report(report: StudyReport) -> None:
    """Tables as Markdown."""
    for name, value in facts(report):
        print(f"{name}: {value}")
    print(f"\n{view_table(report).markdown()}\n\n{scene_table(report).markdown()}")
    if report.gains:
        print(f"\n{gain_table(report).markdown()}")
    for note in report.warnings:
        print(f"note: {note}")


def _table(first: str, rows: Sequence[MethodRow], more: Callable[[MethodRow], tuple[str, ...]] | None) -> Table:
    head = (first, "method", "seeds", *(name for name, _, _ in _COLUMNS), *(("views", *_MORE) if more else ()))
    cells = (
        (
            row.scene,
            row.method,
            str(row.seeds),
            *(_shown(row.mean[name], digits) + _spread(row.deviation[name], digits) for _, name, digits in _COLUMNS),
            *(more(row) if more else ()),
        )
        for row in rows
    )
    return Table(head, tuple(cells))


_MORE = ("Gaussians", "seconds")


def _whole(row: MethodRow) -> tuple[str, ...]:
    return str(row.views), f"{row.gaussians:.0f}", f"{row.seconds:.1f}"


def _shown(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def _spread(value: float | None, digits: int) -> str:
    return "" if value is None else f" ± {value:.{digits}f}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
