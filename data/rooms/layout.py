"""A room and the furniture in it: where things stand so that nothing interpenetrates and the room looks lived in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from .catalog import KINDS
from .colors import sample_color
from .seating import CHAIRS_WITH_ARMS, OFFICE_CHAIRS
from .shapes import Number, Shape, Surface, Vec
from .style_words import words_of

Rect = tuple[Number, Number, Number, Number, Number, Number]
"""x low, x high, y low, y high, z low, z high."""
WALLS = ("south", "north", "west", "east")
_YAW = {"south": 0.0, "north": math.pi, "west": -math.pi / 2, "east": math.pi / 2}


@dataclass(frozen=True)
class Item:
    """A thing in a room. ``yaw`` turns its front from +y; ``support`` is the index of the item that it stands on or under."""

    category: str
    style: int
    is_held_out: bool
    color: str | None
    shape: Shape
    position: Vec = (0.0, 0.0, 0.0)
    yaw: Number = 0.0
    support: int | None = None
    wall: str | None = None
    words: tuple[str, ...] = ()
    """What people say of its shape ("office", "round")."""

    def rect(self) -> Rect:
        """The axis-aligned box around it in the room."""
        (x, y, z), (w, d, h) = self.position, self.shape.size
        cos, sin = abs(math.cos(self.yaw)), abs(math.sin(self.yaw))
        half_x, half_y = (cos * w + sin * d) / 2, (sin * w + cos * d) / 2
        return (x - half_x, x + half_x, y - half_y, y + half_y, z, z + h)

    def at(self, x: Number, y: Number, z: Number = 0.0) -> Vec:
        """A point of its own frame in the room's."""
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        return (self.position[0] + cos * x - sin * y, self.position[1] + sin * x + cos * y, self.position[2] + z)


@dataclass
class Room:
    """A room being furnished: ``width`` along x and ``depth`` along y, centred on the origin, floor at z = 0."""

    width: Number
    depth: Number
    height: Number
    items: list[Item] = field(default_factory=list)
    keep_free: list[Rect] = field(default_factory=list)

    def fits(self, item: Item, gap: Number = 0.03, ignore: int | None = None) -> bool:
        """Whether an item stands inside the room and touches nothing (but perhaps one item)."""
        rect = item.rect()
        inside = (
            rect[0] > -self.width / 2 - 0.07
            and rect[1] < self.width / 2 + 0.07
            and rect[2] > -self.depth / 2 - 0.07
            and rect[3] < self.depth / 2 + 0.07
        )
        if not inside or any(overlaps(rect, r, 0.0) for r in self.keep_free):
            return False
        return not any(
            overlaps(rect, other.rect(), gap) for i, other in enumerate(self.items) if i not in (ignore, item.support)
        )

    def add(self, item: Item) -> int:
        """Put an item in; returns its index."""
        self.items.append(item)
        return len(self.items) - 1


def overlaps(a: Rect, b: Rect, gap: Number) -> bool:
    """Whether two boxes come closer than a gap sideways and share some height."""
    return (
        a[0] < b[1] + gap
        and b[0] < a[1] + gap
        and a[2] < b[3] + gap
        and b[2] < a[3] + gap
        and a[4] < b[5] - 1e-6
        and b[4] < a[5] - 1e-6
    )


class ModelShop:
    """Hands out furniture: a few models and colours a room and category, as rooms have series of the same thing."""

    def __init__(self, rng: np.random.Generator, *, use_held_out: bool) -> None:
        self._rng = rng
        self._use_held_out = use_held_out
        self._models: dict[str, list[tuple[int, int]]] = {}
        self._colors: dict[str, list[str]] = {}

    def make(self, category: str, styles: tuple[int, ...] | None = None, colors: tuple[str, ...] = ()) -> Item:
        """A new item of a category, in one of its models of this room.

        Args:
            styles: Restricts the models (a lamp that stands on a table).
            colors: Instead of the category's; things with colours of their own are a series of their own. A name that is
                there twice is drawn twice as often.
        """
        kind, rng = KINDS[category], self._rng
        series = "/".join((category, *colors))
        palette = colors or kind.colors
        if series not in self._models:
            n_models = int(rng.choice([1, 2, 3], p=[0.35, 0.35, 0.3]))
            allowed = styles if colors else None
            self._models[series] = [(self._style(category, allowed), int(rng.integers(2**31))) for _ in range(n_models)]
            n_colors = int(rng.choice([1, 2, 4], p=[0.15, 0.35, 0.5]))
            picks = rng.permutation(len(palette))[:n_colors]
            self._colors[series] = [palette[int(i)] for i in picks]
        models = [m for m in self._models[series] if styles is None or m[0] in styles]
        if not models:
            models = [(self._style(category, styles), int(rng.integers(2**31)))]
            self._models[series].extend(models)
        style, seed = models[int(rng.integers(len(models)))]
        names = self._colors[series]
        name = names[int(rng.integers(len(names)))]
        shape = kind.build(style, np.random.default_rng(seed), sample_color(name, rng))
        return Item(category, style, style in kind.held_out, name, shape, words=words_of(category, style))

    def _style(self, category: str, allowed: tuple[int, ...] | None) -> int:
        kind = KINDS[category]
        styles = list(range(kind.n_styles)) if allowed is None else list(allowed)
        seen = [s for s in styles if s not in kind.held_out]
        unseen = [s for s in styles if s in kind.held_out]
        if self._use_held_out and unseen and self._rng.random() < 0.5:
            return unseen[int(self._rng.integers(len(unseen)))]
        return seen[int(self._rng.integers(len(seen)))]


def against_wall(
    room: Room, item: Item, rng: np.random.Generator, *, gap: Number = 0.03, z: Number = 0.0, tries: int = 24
) -> int | None:
    """Put an item with its back to a wall; returns its index, or ``None`` where it does not fit."""
    for _ in range(tries):
        wall = WALLS[int(rng.integers(4))]
        length = room.width if wall in ("south", "north") else room.depth
        free = length - item.shape.size[0] - 0.1
        if free <= 0:
            continue
        u = float(rng.uniform(-free / 2, free / 2))
        if rng.random() < 0.25:
            u = math.copysign(free / 2, u)
        placed = on_wall(room, item, wall, u, gap, z)
        if room.fits(placed):
            return room.add(placed)
    return None


def on_wall(room: Room, item: Item, wall: str, u: Number, gap: Number, z: Number) -> Item:
    """An item with its back ``gap`` before a wall (negative: set into it), ``u`` along it and ``z`` up."""
    out = item.shape.size[1] / 2 + gap
    x, y = {
        "south": (u, -room.depth / 2 + out),
        "north": (u, room.depth / 2 - out),
        "west": (-room.width / 2 + out, u),
        "east": (room.width / 2 - out, u),
    }[wall]
    return replace(item, position=(x, y, z), yaw=_YAW[wall], wall=wall)


def free_standing(
    room: Room, item: Item, rng: np.random.Generator, *, gap: Number = 0.35, turn: bool = False, tries: int = 24
) -> int | None:
    """Put an item somewhere on the floor."""
    for _ in range(tries):
        x = float(rng.uniform(-room.width / 2 + 0.4, room.width / 2 - 0.4))
        y = float(rng.uniform(-room.depth / 2 + 0.4, room.depth / 2 - 0.4))
        yaw = float(rng.uniform(-math.pi, math.pi)) if turn else _YAW[WALLS[int(rng.integers(4))]]
        placed = replace(item, position=(x, y, 0.0), yaw=yaw)
        if room.fits(placed, gap):
            return room.add(placed)
    return None


def near(
    room: Room, item: Item, anchor: int, rng: np.random.Generator, *, reach: Number = 0.3, tries: int = 16
) -> int | None:
    """Put an item on the floor beside another, with the same orientation."""
    base = room.items[anchor]
    for _ in range(tries):
        side = (-1, 1)[int(rng.integers(2))]
        x = side * (base.shape.size[0] / 2 + item.shape.size[0] / 2 + float(rng.uniform(0.04, reach)))
        y = -base.shape.size[1] / 2 + item.shape.size[1] / 2 + float(rng.uniform(0.0, 0.08))
        placed = replace(item, position=base.at(x, y), yaw=base.yaw, wall=base.wall)
        if room.fits(placed):
            return room.add(placed)
    return None


def on_top(
    room: Room, item: Item, support: int, rng: np.random.Generator, *, facing: bool = False, tries: int = 12
) -> int | None:
    """Put an item on another's top, its front to the other's front (or turned a little)."""
    base = room.items[support]
    for surface in base.shape.tops:
        placed = _within(room, item, base, surface, surface.z, support, rng, 0.0 if facing else 0.3, tries)
        if placed is not None:
            return placed
    return None


def underneath(room: Room, item: Item, support: int, rng: np.random.Generator, *, tries: int = 12) -> int | None:
    """Put an item on the floor under a table or desk."""
    base = room.items[support]
    space = base.shape.under
    if space is None or item.shape.size[2] > space.z - 0.02:
        return None
    return _within(room, item, base, space, 0.0, support, rng, 0.2, tries)


def _within(
    room: Room,
    item: Item,
    base: Item,
    surface: Surface,
    z: Number,
    support: int,
    rng: np.random.Generator,
    turn: Number,
    tries: int,
) -> int | None:
    (w, d, _) = item.shape.size
    for _ in range(tries):
        yaw = base.yaw + float(rng.uniform(-turn, turn))
        half_x = (w * math.cos(yaw - base.yaw) + d * abs(math.sin(yaw - base.yaw))) / 2
        half_y = (d * math.cos(yaw - base.yaw) + w * abs(math.sin(yaw - base.yaw))) / 2
        low_x, high_x = surface.x[0] + half_x, surface.x[1] - half_x
        low_y, high_y = surface.y[0] + half_y, surface.y[1] - half_y
        if low_x > high_x or low_y > high_y:
            return None
        position = base.at(float(rng.uniform(low_x, high_x)), float(rng.uniform(low_y, high_y)), z)
        placed = replace(item, position=position, yaw=yaw, support=support)
        if room.fits(placed, 0.02):
            return room.add(placed)
    return None


def chair_at(room: Room, item: Item, table: int, side: int, slot: Number, rng: np.random.Generator) -> int | None:
    """Put a chair at a table's side (0 front, 1 back, 2 left, 3 right), facing it.

    Args:
        slot: Place along the side, from -0.5 to 0.5.
    """
    base = room.items[table]
    width, depth, _ = base.shape.size
    has_arms = item.style in CHAIRS_WITH_ARMS
    out = item.shape.size[1] / 2 + (0.06 if has_arms else float(rng.uniform(-0.16, 0.06)))
    x, y, turn = {
        0: (slot * width, depth / 2 + out, math.pi),
        1: (slot * width, -depth / 2 - out, 0.0),
        2: (-width / 2 - out, slot * depth, -math.pi / 2),
        3: (width / 2 + out, slot * depth, math.pi / 2),
    }[side]
    swing = 0.45 if item.style in OFFICE_CHAIRS else 0.1
    yaw = base.yaw + turn + float(rng.normal(0, swing))
    placed = replace(item, position=base.at(x, y), yaw=yaw)
    if not room.fits(placed, 0.02, ignore=table):
        return None
    return room.add(placed)
