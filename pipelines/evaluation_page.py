"""A page of an evaluation to look at: its tables, and pictures of its best and worst answers; one file, nothing to load."""

from __future__ import annotations

import base64
import io
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import torch

from ..core.files import write_bytes
from ..data.boxes import Boxes3D
from ..data.scene import Scene
from ..sparse3d.metrics import Rate
from .evaluation import ReportRow, SentenceResult
from .part_times import PartTime

PICTURE = (800, 420)
"""Width and height of a picture in the page (pixels)."""

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1720px; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; }
table { border-collapse: collapse; } th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(600px, 1fr)); gap: 1.2em; }
figure { margin: 0; border: 1px solid #ddd; border-radius: 6px; padding: .6em; }
figure img { width: 100%; height: auto; } figcaption { font-size: .92em; }
.sentence { font-size: 1.08em; font-weight: 600; } .faint { color: #666; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Page:
    """What a page says beside its pictures."""

    title: str
    facts: Sequence[tuple[str, str]]
    """What was evaluated: a name and a value each."""
    rows: Sequence[ReportRow]
    times: Sequence[PartTime]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Examples:
    """Answers to show."""

    best: tuple[SentenceResult, ...]
    worst: tuple[SentenceResult, ...]


def choose_examples(results: Sequence[SentenceResult], *, count: int = 8, per_scene: int = 2) -> Examples:
    """The answers with the greatest IoU, and those with the least; of equals those that the network was surest of.

    Args:
        results: To choose from.
        count: Of each sort at most; no answer is of both.
        per_scene: Of each sort and scene at most.
    """
    by_iou = sorted(results, key=lambda r: (-r.iou, -r.score, r.scene_id, r.sentence))
    best = _spread(by_iou, min(count, (len(results) + 1) // 2), per_scene)
    rest = [result for result in results if result not in best]
    by_fault = sorted(rest, key=lambda r: (r.iou, -r.score, r.scene_id, r.sentence))
    return Examples(best, _spread(by_fault, count, per_scene))


def _spread(ordered: Sequence[SentenceResult], count: int, per_scene: int) -> tuple[SentenceResult, ...]:
    taken: Counter[str] = Counter()
    chosen = []
    for result in ordered:
        if len(chosen) < count and taken[result.scene_id] < per_scene:
            taken[result.scene_id] += 1
            chosen.append(result)
    return tuple(chosen)


def write_page(
    path: Path,
    page: Page,
    examples: Examples,
    scene_of: Callable[[str], Scene],
    *,
    progress: bool = True,
) -> Path:
    """Write a page, atomically.

    Args:
        path: The file, ``report.html``.
        page: Title and tables.
        examples: What to draw.
        scene_of: Gives a scene by its id; asked once for each scene that is drawn.
        progress: Show a bar.
    """
    from rich.progress import track

    wanted = (*examples.best, *examples.worst)
    by_scene = sorted(range(len(wanted)), key=lambda number: wanted[number].scene_id)
    scene: Scene | None = None
    figures = [""] * len(wanted)
    for number in track(by_scene, "drawing", disable=not progress):
        if scene is None or scene.scene_id != wanted[number].scene_id:
            scene = scene_of(wanted[number].scene_id)
        figures[number] = _figure(wanted[number], scene)
    cut = len(examples.best)
    write_bytes(path, _document(page, figures[:cut], figures[cut:]).encode(errors="replace"))
    return path


def _document(page: Page, best: Sequence[str], worst: Sequence[str]) -> str:
    facts = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in page.facts)
    notes = "".join(f"<p class='faint'>{escape(note)}</p>" for note in page.notes)
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(page.title)}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>{escape(page.title)}</h1>\n<table>{facts}</table>\n{notes}\n"
        f"<h2>Accuracy, percent with 95 % intervals over scenes</h2>\n{_rows_table(page.rows)}\n"
        f"<h2>Time by part (ms)</h2>\n{_times_table(page.times)}\n"
        "<p class='faint'>In the pictures the answer is red, the true box green.</p>\n"
        f"<h2>Best answers</h2>\n<div class='answers'>{''.join(best)}</div>\n"
        f"<h2>Worst answers, the surest first</h2>\n<div class='answers'>{''.join(worst)}</div>\n"
        "</body></html>\n"
    )


def _rows_table(rows: Sequence[ReportRow]) -> str:
    names = ("sentences", "n", "Acc@0.25", "Acc@0.5", "other sentence's answer @0.25", "random of category @0.25")
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(
        f"<tr><td>{escape(row.name)}</td><td>{row.count}</td><td>{row.accuracy[0]}</td><td>{row.accuracy[1]}</td>"
        f"<td>{_percent(row.shuffled[0])}</td><td>{_percent(row.random_of_category[0])}</td></tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _percent(rate: Rate) -> str:
    return f"{100 * rate.value:.1f}"


def _times_table(times: Sequence[PartTime]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("part", "median", "90th percentile", "n"))
    body = "".join(
        f"<tr><td>{escape(time.name)}</td><td>{time.median:.1f}</td><td>{time.slow:.1f}</td><td>{time.count}</td></tr>"
        for time in times
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _figure(result: SentenceResult, scene: Scene) -> str:
    tags = ", ".join(tag for tag in result.tags if not tag.startswith("template:"))
    boxes = "; ".join(
        f"{name} box at {_numbers(center)}, size {_numbers(size)}"
        for name, center, size in (
            ("found", result.center, result.size),
            ("true", result.true_center, result.true_size),
        )
    )
    return (
        f"<figure><img src='{_picture(result, scene)}' width='{PICTURE[0]}' height='{PICTURE[1]}' alt=''>"
        f"<figcaption><div class='sentence'>{escape(result.sentence)}</div>"
        f"<div>IoU {result.iou:.2f}, score {result.score:.2f}, {escape(result.category)}"
        f"{' (weak: nothing seemed to fit)' if result.fell_back else ''}</div>"
        f"<div class='faint'>{escape(result.scene_id)}, object {result.target_id}; {escape(tags)}</div>"
        f"<div class='faint'>{boxes} (m)</div></figcaption></figure>\n"
    )


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


def _picture(result: SentenceResult, scene: Scene) -> str:
    """A small PNG as a data address."""
    from PIL import Image

    from .pictures import draw_answers

    found = Boxes3D.axis_aligned(torch.tensor([result.center]), torch.tensor([result.size]))
    truth = None
    if result.true_center:
        truth = Boxes3D.axis_aligned(torch.tensor([result.true_center]), torch.tensor([result.true_size]))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer.png"
        draw_answers(scene.cloud, found, result.sentence, file, labels=[f"{result.score:.2f}"], truth=truth)
        with Image.open(file) as large:
            small = large.convert("RGB").resize(PICTURE, Image.Resampling.LANCZOS)
    content = io.BytesIO()
    # An octree keeps the boxes' thin bright lines, which the median cut would mix into the rest.
    small.quantize(128, method=Image.Quantize.FASTOCTREE).save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
