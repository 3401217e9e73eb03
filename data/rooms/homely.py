"""Where curtains, white boards, television sets, microwaves and luggage go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .appliances import TV_STYLES, TVS_ON_WALL
from .household import WHITEBOARD_STYLES, WHITEBOARDS_ON_LEGS
from .layout import ModelShop, Room, against_wall, free_standing, on_top, on_wall

Rng = np.random.Generator

_SILL = 0.16
"""Distance from the wall that clears a window's sill, in metres."""
_ON_STANDS = tuple(s for s in range(TV_STYLES) if s not in TVS_ON_WALL)
_BOARDS_ON_WALL = tuple(s for s in range(WHITEBOARD_STYLES) if s not in WHITEBOARDS_ON_LEGS)


def curtains(room: Room, shop: ModelShop, rng: Rng) -> None:
    """Curtains beside the windows or in front of them, in half of the rooms."""
    if rng.random() < 0.5:
        return
    for window in [item for item in room.items if item.category == "window"]:
        if window.wall is None:
            continue
        along = window.position[0] if window.wall in ("south", "north") else window.position[1]
        top = window.position[2] + window.shape.size[2] + float(rng.uniform(0.05, 0.2))
        before = rng.random() < 0.25
        for side in (0,) if before else (-1, 1):
            item = shop.make("curtain")
            u = along + side * ((window.shape.size[0] + item.shape.size[0]) / 2 + 0.04)
            z = max(0.0, min(top, room.height - 0.02) - item.shape.size[2])
            placed = on_wall(room, item, window.wall, u, _SILL if before else 0.02, z)
            if z + item.shape.size[2] < room.height and room.fits(placed):
                room.add(placed)


def whiteboards(room: Room, shop: ModelShop, rng: Rng, share: float) -> None:
    """One or two white boards on the walls (or on wheels), in a share of the rooms."""
    if rng.random() > share:
        return
    for _ in range(1 + int(rng.random() < 0.35)):
        if rng.random() < 0.25:
            item = shop.make("whiteboard", WHITEBOARDS_ON_LEGS)
            if against_wall(room, item, rng, gap=0.12) is None:
                free_standing(room, item, rng, gap=0.1)
        else:
            against_wall(
                room, shop.make("whiteboard", _BOARDS_ON_WALL), rng, gap=0.005, z=float(rng.uniform(0.8, 1.05))
            )


def television(room: Room, shop: ModelShop, rng: Rng, share: float) -> None:
    """A television set on a low cabinet or dresser, on a bench or on the wall, in a share of the rooms."""
    if rng.random() > share:
        return
    stands = [
        i
        for i, item in enumerate(room.items)
        if item.category in ("cabinet", "dresser", "bench") and item.shape.tops and item.shape.size[2] < 1.15
    ]
    for index in rng.permutation(stands).tolist()[:3] if stands and rng.random() < 0.7 else ():
        if on_top(room, shop.make("tv", _ON_STANDS), index, rng, facing=True) is not None:
            return
    against_wall(room, shop.make("tv", TVS_ON_WALL), rng, gap=0.005, z=float(rng.uniform(0.95, 1.35)))


def appliances_on_tops(room: Room, shop: ModelShop, rng: Rng, bases: Sequence[int]) -> None:
    """Microwaves, boxes and plants on kitchen counters and low cabinets."""
    for index in bases:
        if room.items[index].shape.size[2] > 1.2:
            continue
        if rng.random() < 0.4:
            on_top(room, shop.make("microwave"), index, rng, facing=True)
        if rng.random() < 0.25:
            on_top(room, shop.make(("plant", "box")[int(rng.integers(2))]), index, rng)


def luggage(room: Room, shop: ModelShop, rng: Rng, share: float) -> None:
    """One to four suitcases on the floor, in a share of the rooms."""
    if rng.random() > share:
        return
    for _ in range(int(rng.integers(1, 5))):
        item = shop.make("suitcase")
        if rng.random() < 0.6:
            against_wall(room, item, rng, gap=0.06)
        else:
            free_standing(room, item, rng, gap=0.08, turn=True)
