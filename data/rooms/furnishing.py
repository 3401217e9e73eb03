"""Kinds of rooms, and what each holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import fixtures
from .colors import sample_color
from .homely import appliances_on_tops, curtains, luggage, television, whiteboards
from .layout import Item, ModelShop, Room, against_wall, chair_at, free_standing, near, on_top, on_wall, underneath
from .seating import CHAIR_STYLES, OFFICE_CHAIRS
from .shapes import Shape, block
from .storage import wall_cabinet
from .surfaces import TABLE_LAMP_STYLES

Rng = np.random.Generator


def furnish_room(rng: Rng, *, use_held_out: bool) -> Room:
    """A furnished room of a random kind.

    Args:
        use_held_out: Whether half of the models are of the styles held out of training.
    """
    theme = _THEMES[int(rng.choice(len(_THEMES), p=_SHARES))]
    small = theme is _bathroom
    width, depth = (
        (rng.uniform(3.0, 4.5), rng.uniform(3.0, 4.2)) if small else (rng.uniform(3.8, 8.0), rng.uniform(3.5, 6.5))
    )
    room = Room(float(width), float(depth), float(rng.uniform(2.4, 2.9)))
    shop = ModelShop(rng, use_held_out=use_held_out)
    _openings(room, rng)
    curtains(room, shop, rng)
    theme(room, shop, rng)
    _clutter(room, shop, rng)
    _pictures(room, rng)
    return room


def _count(rng: Rng, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _openings(room: Room, rng: Rng) -> None:
    for _ in range(1 + int(rng.random() < 0.3)):
        color = ("brown", "white", "beige", "gray", "blue")[int(rng.integers(5))]
        shape = fixtures.door(rng, sample_color(color, rng))
        index = _hang(room, Item("door", 0, False, color, shape), rng, 0.0, -0.06)
        if index is not None:
            x, y, _ = room.items[index].at(0, 0.5)
            room.keep_free.append((x - 0.4, x + 0.4, y - 0.4, y + 0.4, 0.0, 2.0))
    for _ in range(_count(rng, 0, 3)):
        shape = fixtures.window(rng, sample_color("white", rng))
        _hang(room, Item("window", 0, False, None, shape), rng, float(rng.uniform(0.85, 1.0)), -0.03)


def _pictures(room: Room, rng: Rng) -> None:
    for _ in range(_count(rng, 0, 3)):
        color = ("black", "white", "brown", "red", "blue")[int(rng.integers(5))]
        shape = fixtures.picture(rng, sample_color(color, rng))
        _hang(room, Item("picture", 0, False, color, shape), rng, float(rng.uniform(1.3, 1.6)), 0.0)


def _hang(room: Room, item: Item, rng: Rng, z: float, gap: float) -> int | None:
    return against_wall(room, item, rng, gap=gap, z=z, tries=16)


def _loose(room: Room, shop: ModelShop, rng: Rng, category: str, n: int) -> None:
    """Up to ``n`` of a category anywhere on the floor, turned anyhow."""
    for _ in range(n):
        free_standing(room, shop.make(category), rng, gap=0.08, turn=True)


def _several(room: Room, shop: ModelShop, rng: Rng, category: str, n: int) -> list[int]:
    """Up to ``n`` of a category with their backs to walls, some in a row."""
    placed: list[int] = []
    for _ in range(n):
        item = shop.make(category)
        index = near(room, item, placed[-1], rng, reach=0.4) if placed and rng.random() < 0.3 else None
        index = against_wall(room, item, rng) if index is None else index
        if index is not None:
            placed.append(index)
    return placed


_OFFICE_COLORS = ("black", "black", "black", "gray", "gray", "blue", "red", "green")
_SIDE_CHAIRS = tuple(s for s in range(CHAIR_STYLES) if s not in OFFICE_CHAIRS)


def _chair(shop: ModelShop, rng: Rng, office: float) -> Item:
    """A chair, with a given chance an office chair in one of their usual colours."""
    if rng.random() < office:
        return shop.make("chair", OFFICE_CHAIRS, _OFFICE_COLORS)
    return shop.make("chair", _SIDE_CHAIRS)


def _chairs_around(room: Room, shop: ModelShop, rng: Rng, table: int, n: int, office: float = 0.0) -> None:
    long = room.items[table].shape.size[0] > 1.15
    slots = [(0, -0.25), (0, 0.25), (1, -0.25), (1, 0.25)] if long else [(0, 0.0), (1, 0.0)]
    slots += [(2, 0.0), (3, 0.0)]
    order = rng.permutation(len(slots))
    for k in order[:n]:
        side, slot = slots[int(k)]
        chair_at(room, _chair(shop, rng, office), table, side, slot, rng)


def _workplaces(room: Room, shop: ModelShop, rng: Rng, n: int) -> None:
    for _ in range(n):
        item = shop.make("desk")
        index = against_wall(room, item, rng) if rng.random() < 0.75 else free_standing(room, item, rng, gap=0.5)
        if index is None:
            continue
        if rng.random() < 0.9:
            chair_at(room, _chair(shop, rng, 0.8), index, 0, float(rng.uniform(-0.12, 0.12)), rng)
        for _ in range(_count(rng, 0, 2)):
            on_top(room, shop.make("monitor"), index, rng, facing=True)
        if rng.random() < 0.35:
            on_top(room, shop.make("laptop"), index, rng)
        if rng.random() < 0.3:
            on_top(room, shop.make("lamp", TABLE_LAMP_STYLES), index, rng)
        if rng.random() < 0.35:
            underneath(room, shop.make(("trash can", "backpack", "box")[int(rng.integers(3))]), index, rng)


def _office(room: Room, shop: ModelShop, rng: Rng) -> None:
    whiteboards(room, shop, rng, 0.45)
    _workplaces(room, shop, rng, _count(rng, 2, 5))
    _several(room, shop, rng, "bookshelf", _count(rng, 0, 3))
    _several(room, shop, rng, "cabinet", _count(rng, 0, 4))
    _several(room, shop, rng, "trash can", _count(rng, 1, 4))
    for _ in range(_count(rng, 0, 3)):
        free_standing(room, _chair(shop, rng, 0.6), rng, gap=0.1, turn=True)
    if rng.random() < 0.2:
        _several(room, shop, rng, "bench", _count(rng, 1, 3))


def _bedroom(room: Room, shop: ModelShop, rng: Rng) -> None:
    for _ in range(_count(rng, 1, 3)):
        bed = against_wall(room, shop.make("bed"), rng, tries=40)
        if bed is None:
            continue
        for _ in range(_count(rng, 1, 2)):
            stand = near(room, shop.make("nightstand"), bed, rng, reach=0.12)
            if stand is not None and rng.random() < 0.7:
                on_top(room, shop.make("lamp", TABLE_LAMP_STYLES), stand, rng)
        for _ in range(_count(rng, 1, 3)):
            on_top(room, shop.make("pillow"), bed, rng)
    _several(room, shop, rng, "dresser", _count(rng, 0, 3))
    _several(room, shop, rng, "bookshelf", _count(rng, 0, 2))
    if rng.random() < 0.5:
        _workplaces(room, shop, rng, 1)
    _several(room, shop, rng, "armchair", _count(rng, 0, 2))
    if rng.random() < 0.35:
        _several(room, shop, rng, "bench", _count(rng, 1, 2))
    if rng.random() < 0.35:
        _loose(room, shop, rng, "ottoman", _count(rng, 1, 3))
    television(room, shop, rng, 0.35)
    luggage(room, shop, rng, 0.4)
    _several(room, shop, rng, "trash can", _count(rng, 0, 2))


def _living(room: Room, shop: ModelShop, rng: Rng) -> None:
    for _ in range(_count(rng, 1, 3)):
        item = shop.make("couch")
        couch = against_wall(room, item, rng) if rng.random() < 0.7 else free_standing(room, item, rng)
        if couch is None:
            continue
        for _ in range(_count(rng, 0, 3)):
            on_top(room, shop.make("pillow"), couch, rng)
    for _ in range(_count(rng, 1, 3)):
        low = free_standing(room, shop.make("coffee table"), rng, gap=0.25)
        if low is not None and rng.random() < 0.4:
            on_top(room, shop.make(("plant", "box")[int(rng.integers(2))]), low, rng)
    for _ in range(_count(rng, 1, 5)):
        free_standing(room, shop.make("armchair"), rng, gap=0.12, turn=True)
    _several(room, shop, rng, "bookshelf", _count(rng, 0, 3))
    _several(room, shop, rng, "cabinet", _count(rng, 0, 3))
    television(room, shop, rng, 0.75)
    _several(room, shop, rng, "lamp", _count(rng, 0, 3))
    if rng.random() < 0.5:
        _loose(room, shop, rng, "ottoman", _count(rng, 1, 4))
    if rng.random() < 0.2:
        _several(room, shop, rng, "bench", _count(rng, 1, 2))
    _loose(room, shop, rng, "stool", _count(rng, 0, 3))


def _meeting(room: Room, shop: ModelShop, rng: Rng) -> None:
    whiteboards(room, shop, rng, 0.75)
    television(room, shop, rng, 0.35)
    office = float(rng.choice([0.0, 0.6, 1.0], p=[0.3, 0.3, 0.4]))
    for _ in range(_count(rng, 1, 4)):
        table = free_standing(room, shop.make("table"), rng, gap=0.6)
        if table is None:
            continue
        _chairs_around(room, shop, rng, table, _count(rng, 2, 6), office)
        for _ in range(_count(rng, 0, 2)):
            on_top(room, shop.make(("box", "plant", "laptop", "laptop")[int(rng.integers(4))]), table, rng)
    _several(room, shop, rng, "cabinet", _count(rng, 0, 3))
    if rng.random() < 0.7:
        _several(room, shop, rng, "chair", _count(rng, 0, 4))
    else:
        _several(room, shop, rng, "bench", _count(rng, 1, 3))
    _several(room, shop, rng, "trash can", _count(rng, 1, 4))


def _kitchen(room: Room, shop: ModelShop, rng: Rng) -> None:
    _several(room, shop, rng, "refrigerator", _count(rng, 1, 2))
    for _ in range(int(rng.random() < 0.4)):
        _several(room, shop, rng, "washing machine", _count(rng, 1, 2))
    bases = _several(room, shop, rng, "counter", _count(rng, 0, 3))
    bases += _several(room, shop, rng, "cabinet", _count(rng, 1, 4))
    for index in bases:
        base = room.items[index]
        if base.shape.size[2] < 1.1 and base.wall is not None and rng.random() < 0.6:
            color = base.color or "white"
            shape = wall_cabinet(rng, sample_color(color, rng))
            along = base.position[0] if base.wall in ("south", "north") else base.position[1]
            above = on_wall(
                room, Item("cabinet", 0, False, color, shape), base.wall, along, 0.0, float(rng.uniform(1.45, 1.6))
            )
            if room.fits(above):
                room.add(above)
    appliances_on_tops(room, shop, rng, bases)
    if rng.random() < 0.5:
        _several(room, shop, rng, "sink", 1)
    table = free_standing(room, shop.make("table"), rng, gap=0.5)
    if table is not None:
        _chairs_around(room, shop, rng, table, _count(rng, 2, 6))
    if rng.random() < 0.2:
        _several(room, shop, rng, "bench", _count(rng, 1, 2))
    _loose(room, shop, rng, "stool", _count(rng, 0, 4))
    _several(room, shop, rng, "trash can", _count(rng, 1, 3))


def _bathroom(room: Room, shop: ModelShop, rng: Rng) -> None:
    _several(room, shop, rng, "bathtub", int(rng.random() < 0.7))
    _several(room, shop, rng, "toilet", _count(rng, 1, 2))
    _several(room, shop, rng, "sink", _count(rng, 1, 3))
    _several(room, shop, rng, "cabinet", _count(rng, 0, 3))
    _several(room, shop, rng, "trash can", _count(rng, 1, 3))
    if rng.random() < 0.5:
        _several(room, shop, rng, "washing machine", _count(rng, 1, 2))
    _loose(room, shop, rng, "stool", _count(rng, 0, 3))


def _storeroom(room: Room, shop: ModelShop, rng: Rng) -> None:
    shelves = _several(room, shop, rng, "bookshelf", _count(rng, 2, 4)) + _several(
        room, shop, rng, "cabinet", _count(rng, 2, 4)
    )
    for index in shelves:
        if rng.random() < 0.4:
            on_top(room, shop.make("box"), index, rng)
    _several(room, shop, rng, "box", _count(rng, 2, 4))
    for _ in range(_count(rng, 1, 3)):
        free_standing(room, shop.make("box"), rng, gap=0.1, turn=True)
    _several(room, shop, rng, "dresser", _count(rng, 0, 2))
    if rng.random() < 0.35:
        _several(room, shop, rng, "washing machine", _count(rng, 1, 3))
    luggage(room, shop, rng, 0.6)
    table = against_wall(room, shop.make("table"), rng)
    if table is not None:
        underneath(room, shop.make("box"), table, rng)
        on_top(room, shop.make("box"), table, rng)
    for _ in range(_count(rng, 0, 4)):
        free_standing(room, shop.make(("chair", "stool")[int(rng.integers(2))]), rng, gap=0.1, turn=True)


_THEMES: tuple[Callable[[Room, ModelShop, Rng], None], ...] = (
    _office,
    _bedroom,
    _living,
    _meeting,
    _kitchen,
    _bathroom,
    _storeroom,
)
_SHARES = (0.22, 0.19, 0.18, 0.15, 0.12, 0.06, 0.08)


def _clutter(room: Room, shop: ModelShop, rng: Rng) -> None:
    """Plants, lamps, boxes and bags, on the floor, on tops and under tables."""
    tops = [
        i
        for i, item in enumerate(room.items)
        if item.shape.tops and 0.3 < item.shape.size[2] < 1.3 and item.category not in ("bed", "couch")
    ]
    for index in tops:
        if rng.random() < 0.2:
            on_top(room, shop.make(("plant", "box", "backpack")[int(rng.integers(3))]), index, rng)
    for index, item in enumerate(list(room.items)):
        if item.shape.under is not None and rng.random() < 0.2:
            underneath(room, shop.make(("box", "backpack", "stool")[int(rng.integers(3))]), index, rng)
    for category, share, most in (
        ("plant", 0.5, 3),
        ("backpack", 0.4, 3),
        ("suitcase", 0.08, 2),
        ("box", 0.4, 3),
        ("lamp", 0.3, 2),
    ):
        if rng.random() < share:
            floor_only = tuple(s for s in range(9) if s not in TABLE_LAMP_STYLES) if category == "lamp" else None
            for _ in range(_count(rng, 1, most)):
                item = shop.make(category, floor_only)
                if rng.random() < 0.6:
                    against_wall(room, item, rng, gap=0.06)
                else:
                    free_standing(room, item, rng, gap=0.08, turn=True)


def shell(room: Room, rng: Rng) -> Shape:
    """The floor, walls and (sometimes) ceiling as one shape in the room's frame (not moved to its own origin)."""
    x, y = (-room.width / 2, room.width / 2), (-room.depth / 2, room.depth / 2)
    wall_color = tuple(
        np.clip(
            np.array(
                [(0.86, 0.85, 0.82), (0.78, 0.76, 0.70), (0.72, 0.78, 0.82), (0.82, 0.78, 0.66), (0.9, 0.9, 0.9)][
                    int(rng.integers(5))
                ]
            )
            + rng.normal(0, 0.02, 3),
            0,
            1,
        ).tolist()
    )
    floor_color = tuple(
        np.clip(
            np.array(
                [(0.45, 0.33, 0.22), (0.55, 0.54, 0.52), (0.62, 0.5, 0.36), (0.3, 0.32, 0.36), (0.7, 0.67, 0.6)][
                    int(rng.integers(5))
                ]
            )
            + rng.normal(0, 0.02, 3),
            0,
            1,
        ).tolist()
    )
    top = room.height
    parts = [block(x, y, (-0.1, 0.0), floor_color)]  # type: ignore[arg-type]
    for low_x, high_x, low_y, high_y in (
        (x[0] - 0.1, x[0], y[0] - 0.1, y[1] + 0.1),
        (x[1], x[1] + 0.1, y[0] - 0.1, y[1] + 0.1),
        (x[0], x[1], y[0] - 0.1, y[0]),
        (x[0], x[1], y[1], y[1] + 0.1),
    ):
        parts.append(block((low_x, high_x), (low_y, high_y), (0, top), wall_color))  # type: ignore[arg-type]
    if rng.random() < 0.2:
        parts.append(block(x, y, (top, top + 0.1), (0.93, 0.93, 0.92)))
    return Shape(tuple(parts), (room.width, room.depth, top))
