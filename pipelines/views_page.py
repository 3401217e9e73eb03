"""A page of a study of new views: its tables, its curves, and every test photo beside what was rendered; one file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from .html_page import data_address, figure, table, table_rows, write_page
from .views import View, as_bytes, depth_limits, depth_picture, render_views
from .views_evaluation import Reconstruction
from .views_report import StudyReport, Table, facts, gain_table, scene_table, view_table
from .views_study import StudyResults

_ERROR = 4
"""Times which differences are shown."""


def write_study_page(path: Path, report: StudyReport, made: StudyResults) -> Path:
    """Write a page, atomically. Of several seeds the pictures are those of the first.

    Args:
        path: The file, ``report.html``.
        report: Tables and curves.
        made: Whose Gaussians are rendered.

    Raises:
        CorruptFile: Gaussians that were kept cannot be read.
    """
    shown = [fit.open(report.scene) for fit in made.fits if fit.seed == _first_seed(made, fit.method)]
    cells = [scene_table(report), *([gain_table(report)] if report.gains else [])]
    notes = [*report.failures, *report.warnings]
    parts = [
        f"<h1>{escape(report.scene)}: views held back</h1>",
        f"<table class='facts'>{table_rows(facts(report), 'td')}</table>",
        *(f"<p class='faint'>note: {escape(note)}</p>" for note in notes),
        "<h2>Means over the views, deviation over seeds</h2>",
        *(f"{_table(one)}<br>" for one in cells),
        *_curve(report),
        f"<h2>By view</h2>{_table(view_table(report))}",
        f"<h2>Pictures</h2><p class='faint'>Photo, render, absolute difference times {_ERROR}, depth (near is red, one scale "
        "for all methods); of several seeds the first.</p>",
        *_figures(report, made, shown),
    ]
    return write_page(path, report.scene, parts)


def _first_seed(made: StudyResults, method: str) -> int:
    return next(fit.seed for fit in made.fits if fit.method == method)


def _table(one: Table) -> str:
    return table(one.head, one.rows)


def _curve(report: StudyReport) -> Iterator[str]:
    if report.curves:
        yield "<h2>PSNR of the test views over steps</h2><p class='faint'>To look at; nothing was chosen by it.</p>"
        yield f"<img class='curve' alt='' src='{data_address(draw_curves(report), 'png')}'>"


def draw_curves(report: StudyReport) -> bytes:
    """PSNR over steps as a PNG: a thin line a seed, a thick one for their mean."""
    from matplotlib.figure import Figure

    plot = Figure(figsize=(9, 4), layout="constrained")
    axes = plot.subplots()
    for number, method in enumerate(dict.fromkeys(course.method for course in report.curves)):
        courses = [course for course in report.curves if course.method == method]
        color = f"C{number % 10}"
        for course in courses if len(courses) > 1 else []:
            axes.plot(course.steps, course.psnr, color=color, linewidth=0.7, alpha=0.4)
        steps = sorted(set.intersection(*(set(course.steps) for course in courses)))
        known = [dict(zip(course.steps, course.psnr, strict=True)) for course in courses]
        means = [sum(one[step] for one in known) / len(known) for step in steps]
        axes.plot(steps, means, color=color, linewidth=1.8, label=method, marker="." if len(steps) < 30 else None)
    axes.set(xlabel="step", ylabel="PSNR of the test views (dB)")
    axes.legend(frameon=False)
    content = io.BytesIO()
    plot.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()


def _figures(report: StudyReport, made: StudyResults, shown: Sequence[Reconstruction]) -> Iterator[str]:
    """Every test photo, and what each reconstruction makes of it: a row of pictures each."""
    study = made.study
    by_view = {(result.view, result.method, result.seed): result.metrics.psnr for result in made.results}
    for row, name in enumerate(study.test.names):
        photo = study.test.image(row)
        views = [_render(one, made, row) for one in shown]
        limits = _limits(views)
        pictures = [figure(as_bytes(photo), "photo", is_first=True)]
        for number, (one, view) in enumerate(zip(shown, views, strict=True)):
            error = ((view.image - photo).abs() * _ERROR).clamp(0, 1)
            depth = depth_picture(view.depth_z, view.alpha, limits)
            caption = f"{one.method}: {by_view[name, one.method, one.seed]:.2f} dB"
            pictures += ["<div class='truth'></div>"] if number else []
            pictures += [
                figure(pixels, words)
                for pixels, words in (
                    (as_bytes(view.image), caption),
                    (as_bytes(error), "difference"),
                    (depth, f"depth, {limits[0]:.3g} to {limits[1]:.3g}"),
                )
            ]
        yield f"<h3>{escape(name)}</h3><div class='view'>{''.join(pictures)}</div>"


def _render(one: Reconstruction, made: StudyResults, row: int) -> View:
    view = next(
        render_views(
            one.cloud,
            made.study.test.cameras[row],
            background=one.background,
            antialiased=one.antialiased,
            backend=made.study.backend,
        )
    )
    return View(view.image.cpu(), view.alpha.cpu(), view.depth_z.cpu())


def _limits(views: Sequence[View]) -> tuple[float, float]:
    """Of depth, for all of them."""
    found = [depth_limits(view.depth_z, view.alpha) for view in views if bool((view.alpha > 0.5).any())]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else (1.0, 2.0)
