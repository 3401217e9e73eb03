"""A page of a study of new views: its tables, its curves, and every test photo beside what was rendered; one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ..core.files import write_bytes
from .views import View, as_bytes, depth_limits, depth_picture, render_views
from .views_evaluation import Reconstruction
from .views_report import StudyReport, Table, facts, gain_table, scene_table, view_table
from .views_study import StudyResults

_ERROR = 4
"""Times which differences are shown."""
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1720px; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; } h3 { font-size: 1em; }
table { border-collapse: collapse; } th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } table.facts td { text-align: left; }
img { width: 100%; height: auto; display: block; } img.curve { max-width: 900px; }
.view { display: grid; grid-template-columns: repeat(4, 1fr); gap: .4em; margin-bottom: 1.6em; }
figure { margin: 0; } figcaption { font-size: .85em; } .truth { grid-column: 1; } .faint { color: #666; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


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
        f"<table class='facts'>{_rows(facts(report), 'td')}</table>",
        *(f"<p class='faint'>note: {escape(note)}</p>" for note in notes),
        "<h2>Means over the views, deviation over seeds</h2>",
        *(f"{_table(one)}<br>" for one in cells),
        *_curve(report),
        f"<h2>By view</h2>{_table(view_table(report))}",
        f"<h2>Pictures</h2><p class='faint'>Photo, render, absolute difference times {_ERROR}, depth (near is red, one scale "
        "for all methods); of several seeds the first.</p>",
        *_figures(report, made, shown),
    ]
    text = (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(report.scene)}</title><style>{_STYLE}</style></head><body>\n" + "\n".join(parts)
    )
    write_bytes(path, f"{text}\n</body></html>\n".encode(errors="replace"))
    return path


def _first_seed(made: StudyResults, method: str) -> int:
    return next(fit.seed for fit in made.fits if fit.method == method)


def _table(table: Table) -> str:
    return f"<table>{_rows([table.head], 'th')}{_rows(table.rows, 'td')}</table>"


def _rows(rows: Sequence[Sequence[str]], tag: str) -> str:
    return "".join(f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>" for row in rows)


def _curve(report: StudyReport) -> Iterator[str]:
    if report.curves:
        yield "<h2>PSNR of the test views over steps</h2><p class='faint'>To look at; nothing was chosen by it.</p>"
        yield f"<img class='curve' alt='' src='{_data(draw_curves(report), 'png')}'>"


def draw_curves(report: StudyReport) -> bytes:
    """PSNR over steps as a PNG: a thin line a seed, a thick one for their mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
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
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()


def _figures(report: StudyReport, made: StudyResults, shown: Sequence[Reconstruction]) -> Iterator[str]:
    """Every test photo, and what each reconstruction makes of it: a row of pictures each."""
    study = made.study
    by_view = {(result.view, result.method, result.seed): result.metrics.psnr for result in made.results}
    for row, name in enumerate(study.test.names):
        photo = study.test.image(row)
        views = [_render(one, made, row) for one in shown]
        limits = _limits(views)
        pictures = [f"<figure class='truth'>{_picture(as_bytes(photo))}<figcaption>photo</figcaption></figure>"]
        for number, (one, view) in enumerate(zip(shown, views, strict=True)):
            error = ((view.image - photo).abs() * _ERROR).clamp(0, 1)
            depth = depth_picture(view.depth_z, view.alpha, limits)
            caption = f"{one.method}: {by_view[name, one.method, one.seed]:.2f} dB"
            pictures += ["<div class='truth'></div>"] if number else []
            pictures += [
                f"<figure>{_picture(pixels)}<figcaption>{escape(words)}</figcaption></figure>"
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


def _picture(pixels: UInt8[np.ndarray, "h w 3"]) -> str:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=88)
    return f"<img alt='' src='{_data(content.getvalue(), 'jpeg')}'>"


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
