"""Scans of layouts that somebody else annotated: labelled boxes in, a furnished and scanned room out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import InvalidInput, ShapeMismatch
from ...core.random import numpy_rng
from ..boxes import Boxes3D
from ..point_cloud import PointCloud
from ..scene import Scene, SceneObject
from . import fixtures
from .catalog import KINDS
from .colors import ANY, PALETTE, Rgb, sample_color
from .furnishing import shell
from .label_names import SHELL_LABELS, category_of, styles_of
from .layout import Item, Room
from .scanning import RoomScan, ScanConfig, scan_room
from .sensor import SensorConfig
from .shapes import Part, Shape, Solid, Vec, block
from .style_words import words_of

Rng = np.random.Generator
Floats = NDArray[np.float64]
_MOST_UNDER_FLOOR = 0.3
_LEAST_SIZE = 0.02
_MARGIN = 0.3
_N_TRIES = 8
_ON_WALLS: dict[str, Callable[[Rng, Rgb], Shape]] = {
    "door": fixtures.door,
    "window": fixtures.window,
    "picture": fixtures.picture,
}


@dataclass(frozen=True)
class Extent:
    """A room's inner space along the boxes' axes, in metres: ``low`` has the floor's height, ``high`` the ceiling's."""

    low: Vec
    high: Vec


def furnish(
    boxes: Boxes3D,
    labels: Sequence[str],
    colors: Sequence[str | Rgb | None] | None = None,
    *,
    extent: Extent | None = None,
    seed: int = 0,
    scan: ScanConfig | None = None,
    sensor: SensorConfig | None = None,
) -> Scene:
    """Build a room from labelled boxes and scan it.

    Furniture of our kinds, in the style whose proportions suit, is stretched to the boxes; what we have no furniture for
    becomes a plain box. Boxes may touch or overlap, as annotations do.

    Args:
        boxes: Metres, z up; yaw turns a thing's front from +y. Edges under 2 cm are made 2 cm.
        labels: One a box, in the words of any data set ("sofa", "office chair"). Floor, wall and ceiling are the room's own
            and are left out.
        colors: One a box: a name of :data:`~.colors.PALETTE`, red, green, blue in 0..1, or ``None`` for a usual colour.
        extent: The room; without it the boxes' extent and 0.3 m around, with the floor at z = 0.
        seed: Same seed, same bytes.
        scan: How it is scanned; ``None``: as generated rooms are.
        sensor: What else is particular about the scan.

    Returns:
        In the boxes' frame. Object ids and ``cloud.instances`` are places in ``boxes``, categories are the labels as given;
        an object's box is the axis-aligned box of its scanned points, and what was hardly seen (under 20 points) is no object.

    Raises:
        ShapeMismatch: Labels or colours are not as many as boxes.
        InvalidInput: A box reaches more than 0.3 m under the floor, a colour is unknown, or the room is too large to scan.
    """
    given, scan = _colors(colors, len(boxes)), scan or ScanConfig()
    if len(labels) != len(boxes):
        raise ShapeMismatch(f"{len(boxes)} boxes but {len(labels)} labels; give one for each box")
    rows = [i for i, label in enumerate(labels) if label.lower().strip() not in SHELL_LABELS]
    room, origin = _room(boxes, rows, extent or _extent_of(boxes), scan)
    rng = numpy_rng(seed, "annotated")
    for row in rows:
        room.items.append(_item(boxes, row, labels[row], given[row], origin, rng))
    scanned = scan_room(room, shell(room, rng), rng, scan, sensor)
    return _scene(scanned, rows, labels, given, origin, seed)


def _colors(colors: Sequence[str | Rgb | None] | None, n: int) -> list[str | Rgb | None]:
    if colors is None:
        return [None] * n
    if len(colors) != n:
        raise ShapeMismatch(f"{n} boxes but {len(colors)} colours; give one for each box, or None where none is known")
    found: list[str | Rgb | None] = []
    for color in colors:
        named = "gray" if color == "grey" else color
        if isinstance(named, str):
            if named not in PALETTE:
                raise InvalidInput(
                    f"colour {color!r} is unknown; expected one of {', '.join(PALETTE)}, or red, green, blue"
                )
        elif named is not None and (len(named) != 3 or not all(0 <= c <= 1 for c in named)):
            raise InvalidInput(f"colour {color} is not red, green, blue in 0..1; divide by 255 if it is in 0..255")
        found.append(named)
    return found


def _extent_of(boxes: Boxes3D) -> Extent:
    if not len(boxes):
        return Extent((-2.0, -2.0, 0.0), (2.0, 2.0, 2.5))
    corners = boxes.corners.double().reshape(-1, 3).numpy()
    low, high = corners.min(0) - _MARGIN, corners.max(0) + _MARGIN
    wider = np.maximum(0, 2.4 - (high - low)) / 2
    low, high = low - wider, high + wider
    top = max(2.5, float(corners[:, 2].max()) + 0.1)
    return Extent((float(low[0]), float(low[1]), 0.0), (float(high[0]), float(high[1]), top))


def _room(boxes: Boxes3D, rows: Sequence[int], extent: Extent, scan: ScanConfig) -> tuple[Room, Floats]:
    """An empty room, and the place of its origin in the boxes' frame."""
    low, high = np.array(extent.low, np.float64), np.array(extent.high, np.float64)
    span = high - low
    if not np.isfinite(span).all() or bool((span <= 0).any()):
        raise InvalidInput(f"the room reaches from {extent.low} to {extent.high}; expected low below high")
    most = 1000 * scan.spacing_m
    if span[:2].max() > 2 * most or span[2] > most:
        raise InvalidInput(
            f"a room of {span[0]:.1f} x {span[1]:.1f} x {span[2]:.1f} m is too large for voxels of {scan.spacing_m} m, which "
            f"reach {2 * most:.0f} m and {most:.0f} m up; give metres, or scan it with a larger spacing_m"
        )
    if rows:
        under = low[2] - boxes.low[rows, 2].double().numpy()
        if under.max() > _MOST_UNDER_FLOOR:
            worst = rows[int(under.argmax())]
            raise InvalidInput(
                f"box {worst} reaches {under.max():.2f} m under the floor at z = {low[2]:g}; expected at most "
                f"{_MOST_UNDER_FLOOR} m; give the floor's height in extent, and z upwards"
            )
    origin = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    return Room(float(span[0]), float(span[1]), float(span[2])), origin


def _item(boxes: Boxes3D, row: int, label: str, given: str | Rgb | None, origin: Floats, rng: Rng) -> Item:
    size = np.maximum(boxes.sizes[row].double().numpy(), _LEAST_SIZE)
    center = boxes.centers[row].double().numpy() - origin
    category = category_of(label)
    name = given if isinstance(given, str) else None
    if given is None:
        palette = KINDS[category].colors if category in KINDS else ("white",) if category == "window" else ANY
        name = palette[int(rng.integers(len(palette)))]
    color = sample_color(name, rng) if name is not None else given
    assert not isinstance(color, str)
    assert color is not None
    style, shape = _shape(category, label, size, color, rng)
    is_kind = category in KINDS
    position = (float(center[0]), float(center[1]), float(center[2] - size[2] / 2))
    return Item(
        category or label,
        style,
        is_kind and style in KINDS[category].held_out,
        name,
        shape,
        position,
        float(boxes.yaw[row]),
        words=words_of(category, style) if is_kind else (),
    )


def _shape(category: str | None, label: str, size: Floats, color: Rgb, rng: Rng) -> tuple[int, Shape]:
    """The style and the stretched shape, of a few tried the one that has to be stretched least."""
    if category is None:
        x, y, z = (size / 2).tolist()
        return 0, Shape((block((-x, x), (-y, y), (0, 2 * z), color),), _vec(size))
    if category in _ON_WALLS:
        tried = [(0, _ON_WALLS[category](rng, color)) for _ in range(_N_TRIES)]
    else:
        styles = styles_of(label, category)
        picks = [styles[int(rng.integers(len(styles)))] for _ in range(_N_TRIES)]
        tried = [(style, KINDS[category].build(style, rng, color)) for style in picks]

    def strain(shape: Shape) -> float:
        ratio = np.log(size / np.maximum(np.array(shape.size), 1e-6))
        return float(np.abs(ratio).sum())

    style, shape = min(tried, key=lambda pair: strain(pair[1]))
    return style, stretched(shape, _vec(size))


def _vec(values: Floats) -> Vec:
    return (float(values[0]), float(values[1]), float(values[2]))


def stretched(shape: Shape, size: Vec) -> Shape:
    """A shape whose parts fill exactly a size, the middle of its footprint at the origin and its lowest point at z = 0.

    Surfaces to put things on are lost.
    """
    bounds = [_tight_bounds(part) for part in shape.parts]
    low, high = np.min([b[0] for b in bounds], 0), np.max([b[1] for b in bounds], 0)
    shift = np.array([-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]])
    moved = tuple(replace(p, center=_vec(np.array(p.center, np.float64) + shift)) for p in shape.parts)
    factors = np.array(size) / (high - low)
    return Shape(moved, size, stretch=_vec(factors))


def _tight_bounds(part: Part) -> tuple[Floats, Floats]:
    """Least and greatest corner that a part touches; closer than :meth:`Part.bounds` for leaning cylinders."""
    center, half = np.array(part.center, np.float64), np.array(part.half, np.float64)
    axes = np.array(part.rotation, np.float64) * half
    if part.solid == Solid.BOX:
        reach = np.abs(axes).sum(1)
    elif part.solid == Solid.ELLIPSOID:
        reach = np.sqrt((axes**2).sum(1))
    else:
        disc = np.sqrt((axes[:, :2] ** 2).sum(1))
        ends = [(-axes[:, 2], disc), (axes[:, 2], disc * part.taper)]
        low, high = np.min([m - r for m, r in ends], 0), np.max([m + r for m, r in ends], 0)
        return center + low, center + high
    return center - reach, center + reach


def _scene(
    scanned: RoomScan,
    rows: Sequence[int],
    labels: Sequence[str],
    colors: Sequence[str | Rgb | None],
    origin: Floats,
    seed: int,
) -> Scene:
    points = (scanned.points + origin).astype(np.float32)
    owners = np.array([-1, *rows], np.int64)[scanned.items + 1]
    objects = []
    for row in rows:
        own = points[owners == row].astype(np.float64)
        if len(own) < 20:
            owners[owners == row] = -1
            continue
        low, high = own.min(0), own.max(0)
        color = colors[row]
        objects.append(
            SceneObject(
                row,
                labels[row],
                _vec((low + high) / 2),
                _vec(high - low),
                color if isinstance(color, str) else None,
            )
        )
    cloud = PointCloud(
        torch.from_numpy(points), torch.from_numpy(scanned.colors.astype(np.float32)), torch.from_numpy(owners)
    )
    return Scene(f"annotated{seed:04d}_00", cloud, tuple(objects))
