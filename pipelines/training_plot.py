"""Curves of a training: losses and validation accuracy against steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.files import atomic_write
from .step_log import StepLog


def plot_training(folder: Path) -> Path:
    """Draw ``curves.png`` from ``log.jsonl`` and ``validation.jsonl`` of a training's folder."""
    from matplotlib.figure import Figure

    losses, scores = StepLog(folder / "log.jsonl").read(), StepLog(folder / "validation.jsonl").read()
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for part in ("loss", "box", "score", "keep", "completion", "category_words", "color_words", "object_contrast"):
        having = [record for record in losses if part in record]
        left.plot([r["step"] for r in having], _smooth([r[part] for r in having]), label=part, linewidth=1)
    left.set(xlabel="step", ylabel="loss (mean of 50 steps)", yscale="log")
    left.legend(frameon=False)
    for name in ("unique@0.25", "unique@0.5", "multiple@0.25", "multiple@0.5"):
        right.plot([r["step"] for r in scores], [100 * r[name] for r in scores], marker="o", markersize=3, label=name)
    right.set(xlabel="step", ylabel="validation accuracy (%)", ylim=(0, 100))
    right.legend(frameon=False)
    path = folder / "curves.png"
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=100, metadata={"Software": None})
    return path


def _smooth(values: list[float], window: int = 50) -> list[float]:
    if len(values) <= window:
        return values
    sums = np.cumsum([0.0, *values])
    starts = np.maximum(np.arange(1, len(values) + 1) - window, 0)
    ends = np.arange(1, len(values) + 1)
    return ((sums[ends] - sums[starts]) / (ends - starts)).tolist()
