"""How near renders of unseen views are to their photos: a line a view, means over seeds, a page of pictures."""

from __future__ import annotations

import base64
import io
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from html import escape
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from ..core.files import write_bytes
from ..data.posed_images import PosedImages
from ..rendering.gaussians import GaussianCloud
from ..rendering.lpips import Lpips
from ..rendering.metrics import ImageMetrics, measure
from .views import View, as_bytes, depth_limits, depth_picture, render_views

METRICS = tuple(field.name for field in fields(ImageMetrics))


@dataclass(frozen=True)
class ViewResult:
    """One view of one reconstruction."""

    scene: str
    method: str
    seed: int
    view: str
    """Name of its photo."""
    gaussians: int
    seconds: float
    """Of the whole reconstruction."""
    metrics: ImageMetrics


@dataclass(frozen=True)
class MethodRow:
    """One method on one scene: means over views, then over seeds."""

    scene: str
    method: str
    seeds: int
    views: int
    mean: dict[str, float | None]
    """By the metric's name; None where it could not be computed."""
    deviation: dict[str, float | None]
    """Standard deviation over seeds; None for one seed."""
    gaussians: float
    seconds: float


@dataclass(frozen=True)
class PairedGain:
    """One method against another, seed by seed."""

    scene: str
    method: str
    against: str
    seeds: int
    psnr: float
    """Mean difference, dB."""
    deviation: float | None
    """Standard deviation of the difference over seeds."""


@dataclass(frozen=True)
class Reconstruction:
    """What is scored."""

    scene: str
    method: str
    seed: int
    cloud: GaussianCloud
    """In the photos' world."""
    seconds: float
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    antialiased: bool = False


def score_views(
    made: Reconstruction,
    photos: PosedImages,
    *,
    lpips: Lpips | None = None,
    masks: Bool[Tensor, "n h w"] | None = None,
    backend: str = "auto",
) -> tuple[ViewResult, ...]:
    """Compare renders of a reconstruction with photos that it has not seen.

    Args:
        made: The reconstruction.
        photos: Undistorted.
        lpips: The network, where it is there.
        masks: Pixels that count, as the protocol of DTU has it: for PSNR they alone, for the other metrics all else is white.
        backend: Of the rasterisation.
    """
    views = render_views(
        made.cloud, photos.cameras, background=made.background, antialiased=made.antialiased, backend=backend
    )
    results = []
    for row, view in enumerate(views):
        image, photo, mask = view.image.cpu(), photos.image(row), None
        if masks is not None:
            mask = masks[row]
            image, photo = (torch.where(mask[..., None], x, torch.ones_like(x)) for x in (image, photo))
        metrics = measure(image, photo, mask=mask, lpips=lpips)
        results.append(
            ViewResult(made.scene, made.method, made.seed, photos.names[row], len(made.cloud), made.seconds, metrics)
        )
    return tuple(results)


def summarise(results: Iterable[ViewResult]) -> tuple[MethodRow, ...]:
    """Means over the views of each seed, then mean and deviation over seeds; in the order of first appearance."""
    rows = []
    for (scene, method), runs in _by_run(results).items():
        everything = [result for run in runs.values() for result in run]
        means = {
            name: [_mean([getattr(result.metrics, name) for result in run]) for run in runs.values()]
            for name in METRICS
        }
        rows.append(
            MethodRow(
                scene,
                method,
                len(runs),
                len(next(iter(runs.values()))),
                {name: _mean(values) for name, values in means.items()},
                {name: _deviation(values) for name, values in means.items()},
                statistics.fmean(result.gaussians for result in everything),
                statistics.fmean(result.seconds for result in everything),
            )
        )
    return tuple(rows)


def paired_gains(results: Iterable[ViewResult], against: str) -> tuple[PairedGain, ...]:
    """Every method against one of them, on the seeds that both have."""
    by_run = _by_run(results)
    gains = []
    for (scene, method), runs in by_run.items():
        base = by_run.get((scene, against), {})
        seeds = sorted(set(runs) & set(base))
        if method == against or not seeds:
            continue
        psnr = [
            statistics.fmean(result.metrics.psnr for result in runs[seed])
            - statistics.fmean(result.metrics.psnr for result in base[seed])
            for seed in seeds
        ]
        gains.append(PairedGain(scene, method, against, len(seeds), statistics.fmean(psnr), _deviation(psnr)))
    return tuple(gains)


def _by_run(results: Iterable[ViewResult]) -> dict[tuple[str, str], dict[int, list[ViewResult]]]:
    found: dict[tuple[str, str], dict[int, list[ViewResult]]] = {}
    for result in results:
        found.setdefault((result.scene, result.method), {}).setdefault(result.seed, []).append(result)
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def _deviation(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.stdev(known) if len(known) > 1 else None


def to_line(result: ViewResult) -> str:
    """One line of JSON."""
    return json.dumps(asdict(result))


def from_line(line: str) -> ViewResult:
    """What :func:`to_line` made."""
    values = json.loads(line)
    return ViewResult(**{**values, "metrics": ImageMetrics(**values["metrics"])})


def table(rows: Sequence[MethodRow]) -> str:
    """Markdown: PSNR with its deviation over seeds, both SSIMs, MS-SSIM, LPIPS ("n/a" without weights), Gaussians, seconds."""
    lines = [
        "| scene | method | seeds | views | PSNR | SSIM (3DGS) | SSIM (skimage) | MS-SSIM | LPIPS | Gaussians | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        spread = row.deviation["psnr"]
        psnr = _shown(row.mean["psnr"], 2) + (f" ± {spread:.2f}" if spread is not None else "")
        others = " | ".join(_shown(row.mean[name], 3) for name in ("ssim_3dgs", "ssim_skimage", "ms_ssim", "lpips"))
        lines.append(
            f"| {row.scene} | {row.method} | {row.seeds} | {row.views} | {psnr} | {others} | {row.gaussians:.0f} | "
            f"{row.seconds:.0f} |"
        )
    return "\n".join(lines)


def _shown(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1720px; padding: 0 1em; color: #222; }
table { border-collapse: collapse; } th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } img { width: 100%; height: auto; }
.views { display: grid; grid-template-columns: repeat(4, 1fr); gap: .4em; margin-bottom: 1em; } .faint { color: #666; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_views_page(
    path: Path, title: str, rows: Sequence[MethodRow], made: Sequence[Reconstruction], photos: PosedImages
) -> Path:
    """Write a page, atomically: the table, and for each reconstruction its views as photo, render, error and depth.

    Args:
        path: The file, ``report.html``.
        title: Heading.
        rows: The table.
        made: What is shown.
        photos: The views, with their photos.
    """
    parts = []
    for one in made:
        views = render_views(one.cloud, photos.cameras, background=one.background, antialiased=one.antialiased)
        figures = "".join(_figure(view, photos, row) for row, view in enumerate(views))
        parts.append(f"<h2>{escape(one.method)}, seed {one.seed}, {len(one.cloud)} Gaussians</h2>{figures}")
    lines = [line.strip("| ").split(" | ") for line in table(rows).splitlines() if not line.startswith("|---")]
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
    text = (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n"
        f"<table>{cells}</table><p class='faint'>Each row: photo, render, absolute difference times 4, depth (near is red)."
        f"</p>{''.join(parts)}</body></html>\n"
    )
    write_bytes(path, text.encode(errors="replace"))
    return path


def _figure(view: View, photos: PosedImages, row: int) -> str:
    truth, image = photos.image(row), view.image.cpu()
    error = ((image - truth).abs() * 4).clamp(0, 1)
    depth = depth_picture(view.depth_z.cpu(), view.alpha.cpu(), depth_limits(view.depth_z.cpu(), view.alpha.cpu()))
    name = escape(photos.names[row])
    pictures = [as_bytes(truth), as_bytes(image), as_bytes(error), depth]
    return f"<p>{name}</p><div class='views'>" + "".join(_embedded(picture) for picture in pictures) + "</div>"


def _embedded(pixels: UInt8[np.ndarray, "h w 3"]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
    return f"<img src='data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}'>"
