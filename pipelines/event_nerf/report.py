"""How near reconstructions from events come to photos: lines for machines, and a page with pictures."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import torch

from ...data.posed_images import PosedImages
from ...events.evaluation import Evaluation, ViewMetrics
from ..html_page import figure, table, table_rows, write_page
from ..views import as_bytes, depth_limits, depth_picture
from .views import EventView, aligned_image, photo_intensity

METRICS = ("psnr", "ssim", "psnr_clamped", "ssim_clamped", "l1", "lpips")
_NAMES = ("PSNR", "SSIM", "PSNR, clamped", "SSIM, clamped", "L1", "LPIPS")
_ERROR = 4
"""Times which differences are shown."""


@dataclass(frozen=True, eq=False)
class ScoredField:
    """A field with one seed, and how it did."""

    seed: int
    found: Evaluation
    views: Sequence[EventView]
    threshold_ratio: float
    refractory_period_ns: float


@dataclass(frozen=True)
class Spread:
    """Mean over views and seeds, and the standard deviation over seeds (None of one)."""

    mean: float
    deviation: float | None


def summary(scored: Sequence[ScoredField]) -> dict[str, Spread | None]:
    """Each metric over seeds; None where it was not measured."""
    made: dict[str, Spread | None] = {}
    for name in METRICS:
        values = [getattr(one.found.mean, name) for one in scored]
        made[name] = None
        if None not in values:
            made[name] = Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)
    return made


def lines(recording: str, photos: PosedImages, scored: Sequence[ScoredField]) -> list[dict[str, object]]:
    """A line a view and seed."""
    return [
        {"recording": recording, "seed": one.seed, "view": name, **asdict(metrics)}
        for one in scored
        for name, metrics in zip(photos.names, one.found.views, strict=True)
    ]


def shown(value: float | None, name: str) -> str:
    """A metric as people write it."""
    if value is None:
        return "n/a"
    return f"{value:.2f}" if name.startswith("psnr") else f"{value:.3f}"


def mean_table(scored: Sequence[ScoredField]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: each seed, and all of them."""
    rows = [[f"seed {one.seed}", *_cells(one.found.mean)] for one in scored]
    if len(scored) > 1:
        cells = []
        for name, spread in summary(scored).items():
            text = "n/a" if spread is None else f"{shown(spread.mean, name)} ± {shown(spread.deviation, name)}"
            cells.append(text)
        rows.append([f"{len(scored)} seeds", *cells])
    return ["", *_NAMES], rows


def write_events_page(
    path: Path,
    recording: str,
    photos: PosedImages,
    scored: Sequence[ScoredField],
    facts: Mapping[str, str],
    notes: Sequence[str],
) -> Path:
    """Write a page, atomically: photo, aligned render, difference and depth of every view, of the first seed."""
    head, rows = mean_table(scored)
    of_views = [[name, *_cells(metrics)] for name, metrics in zip(photos.names, scored[0].found.views, strict=True)]
    parts = [
        f"<h1>{escape(recording)}: views that no event was recorded from</h1>",
        f"<table class='facts'>{table_rows(list(facts.items()), 'td')}</table>",
        *(f"<p class='faint'>note: {escape(note)}</p>" for note in notes),
        "<h2>Means over the views</h2><p class='faint'>After one scale and one offset of the logarithm for each channel, over "
        "all views together (Robust e-NeRF's protocol).</p>",
        table(head, rows),
        f"<h2>By view</h2>{table(['', *_NAMES], of_views)}",
        f"<h2>Pictures</h2><p class='faint'>Photo, render, absolute difference times {_ERROR}, depth (near is red); of several "
        "seeds the first.</p>",
        *_pictures(photos, scored[0]),
    ]
    return write_page(path, recording, parts)


def _cells(metrics: ViewMetrics) -> list[str]:
    return [shown(getattr(metrics, name), name) for name in METRICS]


def _pictures(photos: PosedImages, one: ScoredField) -> Iterator[str]:
    for row, (name, view, metrics) in enumerate(zip(photos.names, one.views, one.found.views, strict=True)):
        image = aligned_image(view, one.found.alignment)
        is_color = view.intensity.shape[2] == 3
        photo = photo_intensity(photos, row, is_color=is_color).clamp(0, 1).float().expand(-1, -1, 3)
        error = ((image - photo).abs() * _ERROR).clamp(0, 1)
        limits = depth_limits(view.depth_z, view.opacity) if bool((view.opacity > 0.5).any()) else (1.0, 2.0)
        depth = depth_picture(view.depth_z, view.opacity, limits)
        cells = (
            figure(as_bytes(photo), "photo", is_first=True),
            figure(as_bytes(image), f"{metrics.psnr:.2f} dB"),
            figure(as_bytes(error), "difference"),
            figure(depth, f"depth, {limits[0]:.3g} to {limits[1]:.3g} m"),
        )
        yield f"<h3>{escape(name)}</h3><div class='view'>{''.join(cells)}</div>"


def score(model_views: tuple[Evaluation, list[EventView]], seed: int, ratio: float, period_ns: float) -> ScoredField:
    """Put together what :func:`.views.evaluate_views` gives and what the sensor became; images move to the CPU."""
    found, views = model_views
    kept = [EventView(*(torch.as_tensor(part).cpu() for part in vars(view).values())) for view in views]
    return ScoredField(seed, found, kept, ratio, period_ns)
