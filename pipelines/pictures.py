"""Pictures of answers: into the room and from above, the boxes drawn in, the sentence as caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ..core.files import atomic_write
from ..data.boxes import Boxes3D
from ..data.point_cloud import PointCloud
from .point_renderer import Floats, Rendering, View, point_spacing, render

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

PANEL = (800, 700)
"""Width and height of each of the two panels (pixels)."""
_HEAD, _FOOT, _SUPER = 96, 44, 2
_BEST, _OTHER, _TRUE = (230, 60, 20), (70, 100, 170), (20, 150, 60)
_MOST_POINTS = 300_000


@dataclass(frozen=True, eq=False)
class _Style:
    boxes: Float[Tensor, "m 8 3"]
    color: tuple[int, int, int]
    width: int
    name: str
    labels: tuple[str, ...] = ()


def draw_answers(
    cloud: PointCloud,
    boxes: Boxes3D,
    caption: str,
    path: Path,
    *,
    labels: Sequence[str] = (),
    truth: Boxes3D | None = None,
) -> Path:
    """Write a PNG with a view into the room and one from above.

    The ceiling and the walls towards the camera are cut away; of eight directions the one is taken from which most of the best
    box can be seen. Edges behind something are drawn thinner and dashed.

    Args:
        cloud: Metres, z up, floor near 0.
        boxes: The first is the best answer.
        caption: The sentence.
        path: The file; written atomically.
        labels: A word for each box, or for the first ones.
        truth: True boxes, if known.
    """
    from PIL import Image, ImageDraw

    points, colors = _visible_part(cloud)
    spacing = point_spacing(points)
    styles = _styles(boxes, labels, truth)
    azimuth = _best_azimuth(points, boxes, spacing)
    inner = ~_near_walls(points, azimuth)
    views = (
        (points[inner], colors[inner], View.perspective(points, azimuth, np.radians(42), *PANEL)),
        (points, colors, View.from_above(points, *PANEL)),
    )
    sheet = Image.new("RGB", (2 * PANEL[0], _HEAD + PANEL[1] + _FOOT), "white")
    for number, (shown, their_colors, view) in enumerate(views):
        rendering = render(shown, their_colors, view, spacing)
        sheet.paste(_with_boxes(rendering, view, styles), (number * PANEL[0], _HEAD))
    draw = ImageDraw.Draw(sheet)
    _write_caption(draw, caption, sheet.width)
    _write_legend(draw, styles, _HEAD + PANEL[1])
    with atomic_write(path) as file:
        sheet.save(file, format="PNG")
    return path


def _styles(boxes: Boxes3D, labels: Sequence[str], truth: Boxes3D | None) -> list[_Style]:
    corners = boxes.corners.double()
    styles = [_Style(corners[1:], _OTHER, 2, "other answers", tuple(labels[1:])) for _ in range(len(boxes) > 1)]
    if truth is not None:
        styles.append(_Style(truth.corners.double(), _TRUE, 3, "true box"))
    if len(boxes):
        styles.append(_Style(corners[:1], _BEST, 4, "best answer", tuple(labels[:1])))
    return styles


def _visible_part(cloud: PointCloud) -> tuple[Floats, Floats]:
    """Points below the ceiling, thinned where there are very many."""
    points = cloud.points.double().numpy()
    colors = np.full_like(points, 0.6) if cloud.colors is None else cloud.colors.double().numpy()
    if len(points) > _MOST_POINTS:
        chosen = np.random.default_rng(0).choice(len(points), _MOST_POINTS, replace=False)
        points, colors = points[chosen], colors[chosen]
    if len(points) < 2:
        return points, np.clip(colors, 0, 1)
    floor, top = np.quantile(points[:, 2], [0.01, 0.995])
    ceiling = floor + 2.0 if 2.1 < top - floor < 5 else np.inf
    shown = points[:, 2] <= ceiling
    return points[shown], np.clip(colors[shown], 0, 1)


def _near_walls(points: Floats, azimuth: float, depth: float = 0.3) -> NDArray[np.bool_]:
    """Points of the walls between camera and room, but not the floor before them."""
    if len(points) < 100:
        return np.zeros(len(points), dtype=bool)
    low, high = np.quantile(points, 0.01, axis=0), np.quantile(points, 0.99, axis=0)
    hidden = np.zeros(len(points), dtype=bool)
    for axis, towards in enumerate((np.cos(azimuth), np.sin(azimuth))):
        if high[axis] - low[axis] < 2:
            continue
        if towards > 0.3:
            hidden |= points[:, axis] > high[axis] - depth
        elif towards < -0.3:
            hidden |= points[:, axis] < low[axis] + depth
    return hidden & (points[:, 2] > low[2] + 0.12)


def _best_azimuth(points: Floats, boxes: Boxes3D, spacing: float) -> float:
    """The direction from which most of the best box's points can be seen; the first of equals."""
    directions = [np.radians(degrees) for degrees in (225, 315, 45, 135, 250, 290, 70, 110)]
    if not len(boxes) or len(points) < 100:
        return directions[0]
    step = max(len(points) // 40_000, 1)
    few, spread = points[::step], spacing * np.sqrt(step)
    low, high = boxes.low[0].double().numpy() - 0.05, boxes.high[0].double().numpy() + 0.05
    marked: NDArray[np.bool_] = np.all((few >= low) & (few <= high), axis=1)
    seen = []
    for azimuth in directions:
        kept = ~_near_walls(few, azimuth) | marked
        view = View.perspective(points, azimuth, np.radians(42), PANEL[0] // 4, PANEL[1] // 4)
        colors = np.where(marked[kept], 1.0, 0.0)[:, None].repeat(3, 1)
        rendering = render(few[kept], colors, view, spread, background=0.0)
        seen.append(int((rendering.image[..., 0] > 0.3).sum()))
    return directions[int(np.argmax(seen))]


def _with_boxes(rendering: Rendering, view: View, styles: Sequence[_Style]) -> Image:
    from PIL import Image, ImageDraw

    base = Image.fromarray((np.clip(rendering.image, 0, 1) * 255).astype(np.uint8))
    large = base.resize((view.width * _SUPER, view.height * _SUPER), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(large)
    for style in styles:
        for number, corners in enumerate(style.boxes.numpy()):
            _draw_box(draw, corners, rendering, view, style)
            if number < len(style.labels):
                _draw_label(draw, corners, view, style, style.labels[number])
    return large.resize(base.size, Image.Resampling.LANCZOS)


def _draw_box(draw: ImageDraw, corners: Floats, rendering: Rendering, view: View, style: _Style) -> None:
    samples = 48
    along = np.linspace(0, 1, samples + 1)[:, None]
    for a in range(8):
        for bit in (1, 2, 4):
            if a & bit:
                continue
            edge = corners[a] + along * (corners[a | bit] - corners[a])
            x, y, depth = view.project(edge)
            if depth.min() <= 0.05:
                continue
            column = np.clip(x.astype(int), 0, view.width - 1)
            row = np.clip(y.astype(int), 0, view.height - 1)
            visible = np.asarray(depth <= rendering.depth[row, column] + 0.06)
            for i in range(samples):
                line = [x[i] * _SUPER, y[i] * _SUPER, x[i + 1] * _SUPER, y[i + 1] * _SUPER]
                if visible[i]:
                    draw.line(line, fill=style.color, width=style.width * _SUPER)
                elif i % 4 < 2:
                    draw.line(line, fill=style.color, width=max(style.width // 2, 1) * _SUPER)


def _draw_label(draw: ImageDraw, corners: Floats, view: View, style: _Style, label: str) -> None:
    x, y, _ = view.project(corners)
    font = _font(17 * _SUPER)
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
    width, height = right - left, bottom - top
    at_x = float(np.clip(x.mean() * _SUPER - width / 2, 4, view.width * _SUPER - width - 12))
    at_y = float(np.clip(y.min() * _SUPER - height - 22, 4, view.height * _SUPER - height - 12))
    draw.rectangle(
        [at_x - 8, at_y - 4, at_x + width + 8, at_y + height + 10], fill="white", outline=style.color, width=2
    )
    draw.text((at_x - left, at_y - top + 2), label, fill=style.color, font=font)


def _write_caption(draw: ImageDraw, caption: str, width: int) -> None:
    words, lines = f"\u201c{' '.join(caption.split())}\u201d".split(" "), [""]
    font = _font(28)
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font=font) < width - 60:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > 2:
        lines = [lines[0], lines[1].rstrip("\u201d") + " \u2026"]
    top = (_HEAD - 36 * len(lines)) / 2
    for number, line in enumerate(lines):
        draw.text((width / 2, top + 36 * number), line, fill=(25, 25, 25), font=font, anchor="ma")


def _write_legend(draw: ImageDraw, styles: Sequence[_Style], top: int) -> None:
    font, x = _font(17), 24
    for style in reversed(styles):
        draw.line([x, top + 22, x + 34, top + 22], fill=style.color, width=style.width)
        draw.text((x + 44, top + 22), style.name, fill=(60, 60, 60), font=font, anchor="lm")
        x += 80 + int(draw.textlength(style.name, font=font))
    draw.text(
        (2 * PANEL[0] - 24, top + 22),
        "left: into the room, right: from above",
        fill=(120, 120, 120),
        font=font,
        anchor="rm",
    )


def _font(size: int) -> FreeTypeFont | ImageFont:
    """DejaVu Sans, which matplotlib carries."""
    from matplotlib import font_manager
    from PIL import ImageFont

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
