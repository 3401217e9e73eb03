"""Draws generated rooms on one sheet.

Usage: python docs/draw_rooms.py OUT.png [--seeds 1 2 3] [--dense]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from trisparse.data.rooms.generate import RoomConfig, generate_room
from trisparse.data.rooms.scanning import ScanConfig
from trisparse.data.scene import Scene
from trisparse.pipelines.point_renderer import View, render

TILE = (640, 440)
ON_WALLS = ("door", "window", "picture", "curtain", "whiteboard", "tv")


@dataclass(frozen=True)
class Arguments:
    """What to draw."""

    out: tyro.conf.Positional[Path]
    """The PNG file to write."""
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    """The rooms."""
    columns: int = 5
    """Rooms in a row."""
    dense: bool = False
    """Scan with more views and finer voxels than a data set's rooms are, to judge the furniture."""


def main(arguments: Arguments) -> None:
    """Make the rooms and draw them."""
    from PIL import Image

    scan = ScanConfig(n_views=120, spacing_m=0.012, max_points=1_000_000) if arguments.dense else ScanConfig()
    rows = math.ceil(len(arguments.seeds) / arguments.columns)
    sheet = Image.new("RGB", (arguments.columns * TILE[0], rows * TILE[1]), "white")
    for number, seed in enumerate(arguments.seeds):
        picture = _draw(generate_room(seed, RoomConfig(n_sentences=1, scan=scan)), scan.spacing_m)
        tile = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
        sheet.paste(tile, (number % arguments.columns * TILE[0], number // arguments.columns * TILE[1]))
    sheet.quantize(200, method=Image.Quantize.FASTOCTREE).save(arguments.out, optimize=True)
    print(arguments.out)


def _draw(scene: Scene, spacing: float) -> NDArray[np.float64]:
    """A view into a room from a corner, without the ceiling and the two walls before the camera."""
    cloud = scene.cloud
    assert cloud.colors is not None
    assert cloud.instances is not None
    points, instances = cloud.points.double().numpy(), cloud.instances.numpy()
    colors = cloud.colors.double().numpy()
    azimuth = math.radians(235)
    shell = instances < 0
    low = points[shell].min(0)
    before = (points[:, 0] < low[0] + 0.25) | (points[:, 1] < low[1] + 0.25)
    hanging = np.isin(instances, [o.object_id for o in scene.objects if o.category in ON_WALLS])
    shown = ~(before & (shell | hanging) & (points[:, 2] > 0.1)) & (points[:, 2] < 2.35)
    points, colors = points[shown], colors[shown]
    view = View.perspective(points, azimuth, math.radians(38), *TILE)
    return render(points, colors, view, spacing).image


if __name__ == "__main__":
    main(tyro.cli(Arguments))
