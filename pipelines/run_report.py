"""A page about a run: what went in, its stages with times and backends, curves, pictures, answers; one file."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..data.answers import AnswerSheet, read_answers
from .artifact import Artifact
from .html_page import data_address, figure, table, table_rows, write_page
from .step_log import StepLog

_PICTURES = ("views", "answers", "splats", "field", "points")
"""Labels in the order in which their pictures are of interest."""
_MOST = 12


def write_run_report(path: Path, name: str, kind: str, made: Mapping[str, Artifact]) -> Path:
    """Write the page, atomically.

    Args:
        path: The file.
        name: Of the run.
        kind: Which pipeline.
        made: Its artifacts by label.

    Raises:
        ArtifactCorrupt, CorruptFile: An artifact is damaged.
    """
    parts = [
        f"<h1>{escape(name)}: {escape(kind)}</h1>",
        *_answers(made),
        *_pictures(made),
        "<h2>Stages</h2>",
        table(
            ("stage", "label", "seconds", "device", "size", "key"), [_stage_row(label, made[label]) for label in made]
        ),
        *_curves(made),
        *_notes(made),
        "<h2>Settings</h2>",
        *(_settings(label, artifact) for label, artifact in made.items()),
    ]
    return write_page(path, name, parts)


def _answers(made: Mapping[str, Artifact]) -> Iterator[str]:
    if "answers" not in made:
        return
    sheet: AnswerSheet = read_answers(made["answers"].file("answers.json"))
    rows = []
    for answer in sheet.answers:
        if answer.rank == 1:
            center, size = (" ".join(f"{value:.2f}" for value in values) for values in (answer.center, answer.size))
            rows.append([answer.sentence, f"{answer.score:.2f}", center, size])
    yield "<h2>Answers</h2>" + table(("sentence", "score", "centre x y z (m)", "size x y z (m)"), rows)


def _pictures(made: Mapping[str, Artifact]) -> Iterator[str]:
    from PIL import Image

    shown: list[str] = []
    for label in [one for one in _PICTURES if one in made]:
        folder = made[label].folder
        for path in sorted(folder.rglob("*.png"))[:_MOST]:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            shown.append(figure(pixels, f"{label}: {path.relative_to(folder).as_posix()}"))
    if shown:
        yield f"<h2>Pictures</h2><div class='view'>{''.join(shown)}</div>"


def _curves(made: Mapping[str, Artifact]) -> Iterator[str]:
    for label, artifact in made.items():
        path = artifact.folder / "log.jsonl"
        if path.is_file():
            points = [(line["step"], line["loss"]) for line in StepLog(path).read() if "loss" in line]
            if len(points) > 1:
                yield f"<h2>Loss: {escape(label)}</h2><img class='curve' alt='' src='{data_address(_plot(points), 'png')}'>"


def _plot(points: list[tuple[int, float]]) -> bytes:
    from matplotlib.figure import Figure

    plot = Figure(figsize=(9, 3), layout="constrained")
    axes = plot.subplots()
    axes.plot(*zip(*points, strict=True), linewidth=1.0)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    content = io.BytesIO()
    plot.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()


def _stage_row(label: str, artifact: Artifact) -> list[str]:
    manifest = artifact.manifest
    about: Any = manifest.get("about", {})
    total = sum(entry["bytes"] for entry in manifest["files"].values())
    return [
        str(manifest.get("stage", "")),
        label,
        f"{manifest.get('seconds', 0.0):.1f}",
        str(about.get("device", "")),
        f"{total / 1e6:.2f} MB",
        artifact.key[:12],
    ]


def _notes(made: Mapping[str, Artifact]) -> Iterator[str]:
    found: list[str] = []
    for artifact in made.values():
        for file in ("about.json", "frame.json"):
            path = artifact.folder / file
            if path.is_file():
                content = json.loads(path.read_text(encoding="utf-8"))
                found += [*content.get("notes", ()), *content.get("warnings", ())]
    if found:
        yield "<h2>Notes</h2>" + "".join(f"<p class='faint'>{escape(note)}</p>" for note in dict.fromkeys(found))


def _settings(label: str, artifact: Artifact) -> str:
    manifest = artifact.manifest
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(manifest.get("started", 0.0)))
    about: Any = manifest.get("about", {})
    rows = [[name, json.dumps(value)[:400]] for name, value in about.get("config", {}).items()]
    rows += [["made", when], ["threads", str(manifest.get("threads", ""))]]
    rows += [["backends", json.dumps(manifest.get("backends", {}))[:400]]]
    rows += [["versions", json.dumps(manifest.get("versions", {}))], ["commit", str(manifest.get("commit"))]]
    return f"<h3>{escape(label)}</h3><table class='facts'>{table_rows(rows, 'td')}</table>"
