"""What sensors and their users do beside :class:`~.scanning.ScanConfig`: pixels lost, a ceiling or none, one standing place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .layout import Room
from .shapes import Shape, block

_PATCH_PX = 6


@dataclass(frozen=True)
class SensorConfig:
    """Particulars of a scan."""

    dropout: float | int = 0.0
    """Share of single pixels without depth."""
    holes: float | int = 0.0
    """Share of patches of 6 x 6 pixels without depth, as dark and shiny surfaces leave them."""
    ceiling: bool | None = None
    """Whether the room has a ceiling; ``None``: as it was made."""
    from_one_place: bool = False
    """Views side by side from one place, as a sensor on a tripod, instead of a walk through the room."""


def measured_pixels(sensor: SensorConfig, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which pixels of a view have depth, row by row.

    Args:
        size: Width and height in pixels.
    """
    width, height = size
    patches = rng.random((-(-height // _PATCH_PX), -(-width // _PATCH_PX))) < sensor.holes
    lost = patches.repeat(_PATCH_PX, 0).repeat(_PATCH_PX, 1)[:height, :width]
    return ~(lost | (rng.random((height, width)) < sensor.dropout)).reshape(-1)


def with_ceiling(shell: Shape, room: Room, *, present: bool) -> Shape:
    """A room's shell with or without its ceiling."""
    below = tuple(p for p in shell.parts if p.bounds()[0][2] < room.height - 1e-6)
    if not present:
        return replace(shell, parts=below)
    if len(below) < len(shell.parts):
        return shell
    x, y = (-room.width / 2, room.width / 2), (-room.depth / 2, room.depth / 2)
    return replace(shell, parts=(*below, block(x, y, (room.height, room.height + 0.1), (0.93, 0.93, 0.92))))
