"""What can be said of an object so that it means no other: colour, size and spatial relations, each with a margin.

A relation holds only where a person could not reasonably pick another object; what lies between is not said at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .colors import may_be_confused
from .shapes import Vec


@dataclass(frozen=True)
class Thing:
    """An object as scanned: its axis-aligned box in the room, and what is known of it.

    ``yaw`` turns its front from +y. ``complete`` is the least share of an extent that was seen. ``wall`` says that its back
    is to a wall. ``support`` is the id of the object that it stands on or under.
    """

    object_id: int
    category: str
    color: str | None
    low: Vec
    high: Vec
    yaw: float
    complete: float
    n_points: int
    support: int | None
    wall: str | None
    is_held_out: bool
    words: tuple[str, ...] = ()
    """Adjectives that are true of its style ("office", "round")."""

    @property
    def center(self) -> Vec:
        """Middle of the box."""
        return tuple((a + b) / 2 for a, b in zip(self.low, self.high, strict=True))  # pyright: ignore[reportReturnType]

    @property
    def size(self) -> Vec:
        """Extents of the box."""
        return tuple(b - a for a, b in zip(self.low, self.high, strict=True))  # pyright: ignore[reportReturnType]


@dataclass(frozen=True)
class Claim:
    """The meaning of a sentence: the one object that a noun, perhaps a colour, and a relation single out.

    ``relation`` is "plain" (the noun and colour suffice), "color", "word" (an adjective of style decides), "largest",
    "smallest", "tallest", "shortest", "nearest", "farthest", "second nearest", "next to", "between", "on", "under", "above",
    "below", "left", "right", "front", "behind", "leftmost", "rightmost", "from left", "from right", "surrounded", "corner" or
    "middle". ``color`` narrows the noun.
    """

    target: int
    relation: str
    anchors: tuple[int, ...] = ()
    color: str | None = None
    word: str | None = None
    """The adjective of "word"."""
    number: int = 0
    """The rank of "from left" and "from right" (2: second), the chairs of "surrounded"."""


_MEANS = {
    "chair": ("chair", "armchair"),
    "table": ("table", "coffee table", "desk"),
    "cabinet": ("cabinet", "dresser", "nightstand", "counter"),
    "counter": ("counter", "cabinet", "desk", "table"),
    "tv": ("tv", "monitor"),
    "monitor": ("monitor", "tv"),
    "ottoman": ("ottoman", "stool"),
    "stool": ("stool", "ottoman", "bench"),
    "bench": ("bench", "coffee table", "stool"),
    "coffee table": ("coffee table", "bench"),
    "suitcase": ("suitcase",),
    "backpack": ("backpack", "suitcase"),
    "microwave": ("microwave",),
    "picture": ("picture", "whiteboard", "tv"),
    "dresser": ("dresser", "cabinet"),
    "nightstand": ("nightstand", "cabinet"),
    "desk": ("desk", "table"),
}
"""Which categories a person may mean by a noun, where more than one."""
_SEAT_WORDS = ("office", "swivel", "folding", "dining")
FRONTED = (
    "couch",
    "armchair",
    "bed",
    "desk",
    "bookshelf",
    "cabinet",
    "dresser",
    "refrigerator",
    "toilet",
    "counter",
    "tv",
    "washing machine",
)
SIZES = ("largest", "smallest", "tallest", "shortest")
ATTRIBUTES = ("color", "word", *SIZES)


def may_be_meant(
    things: Sequence[Thing], category: str, color: str | None = None, word: str | None = None
) -> list[Thing]:
    """All things that a noun, perhaps with a colour or an adjective of style, could mean.

    A thing of another category that the noun may mean counts whatever its style, unless the word names a kind of seat.
    """
    nouns = _MEANS.get(category, (category,))
    found = [t for t in things if t.category in nouns]
    if color is not None:
        found = [t for t in found if t.color is not None and may_be_confused(t.color, color)]
    if word is not None:
        found = [t for t in found if word in t.words or (t.category != category and word not in _SEAT_WORDS)]
    return found


def gap(a: Thing, b: Thing) -> float:
    """Horizontal distance between two boxes, 0 where they overlap from above."""
    x = max(a.low[0] - b.high[0], b.low[0] - a.high[0], 0.0)
    y = max(a.low[1] - b.high[1], b.low[1] - a.high[1], 0.0)
    return math.hypot(x, y)


def spread(a: Thing, b: Thing) -> float:
    """Horizontal distance between two boxes' centres."""
    return math.hypot(a.center[0] - b.center[0], a.center[1] - b.center[1])


def wins(values: Sequence[tuple[float, Thing]], target: Thing, factor: float, extra: float) -> bool:
    """Whether the target's value is the least, by a factor and an extra, of all."""
    own = next(v for v, t in values if t is target)
    return all(v >= own * factor + extra for v, t in values if t is not target)


def is_nearest(target: Thing, rivals: Sequence[Thing], anchor: Thing) -> bool:
    """The rival nearest to an anchor, by centres and by gaps, by a clear margin."""
    by_center = [(spread(t, anchor), t) for t in rivals]
    by_gap = [(gap(t, anchor), t) for t in rivals]
    return spread(target, anchor) < 3.5 and wins(by_center, target, 1.25, 0.2) and wins(by_gap, target, 1.0, 0.2)


def is_farthest(target: Thing, rivals: Sequence[Thing], anchor: Thing) -> bool:
    """The rival farthest from an anchor, by centres and by gaps, by a clear margin."""
    by_center = [(-spread(t, anchor), t) for t in rivals]
    by_gap = [(-gap(t, anchor), t) for t in rivals]
    return wins(by_center, target, 1 / 1.15, 0.2) and wins(by_gap, target, 1.0, 0.25)


def is_next_to(target: Thing, rivals: Sequence[Thing], anchor: Thing) -> bool:
    """Close beside an anchor, which no rival is; neither stands on the other."""
    if (
        gap(target, anchor) > 0.45
        or footprint_overlap(target, anchor) > 0.05
        or abs(target.low[2] - anchor.low[2]) > 0.5
    ):
        return False
    return all(gap(t, anchor) > 1.0 for t in rivals if t is not target)


def footprint_overlap(a: Thing, b: Thing) -> float:
    """Shared footprint over the smaller of the two footprints."""
    x = min(a.high[0], b.high[0]) - max(a.low[0], b.low[0])
    y = min(a.high[1], b.high[1]) - max(a.low[1], b.low[1])
    smaller = min(a.size[0] * a.size[1], b.size[0] * b.size[1])
    return max(x, 0.0) * max(y, 0.0) / max(smaller, 1e-9)


def is_on(target: Thing, rivals: Sequence[Thing], anchor: Thing) -> bool:
    """Standing on an anchor, alone of its kind."""
    return _rests_on(target, anchor) and not any(
        footprint_overlap(t, anchor) > 0.05 and t.center[2] > anchor.center[2] for t in rivals if t is not target
    )


def _rests_on(t: Thing, anchor: Thing) -> bool:
    return t.support == anchor.object_id and t.center[2] > anchor.center[2] and footprint_overlap(t, anchor) > 0.4


def is_under(target: Thing, rivals: Sequence[Thing], anchor: Thing) -> bool:
    """On the floor under an anchor, alone of its kind."""
    inside = target.support == anchor.object_id and target.low[2] < 0.15 and target.high[2] < anchor.high[2] - 0.01
    return inside and not any(
        footprint_overlap(t, anchor) > 0.05 and t.low[2] < anchor.center[2] for t in rivals if t is not target
    )


def is_above(target: Thing, rivals: Sequence[Thing], anchor: Thing) -> bool:
    """Higher than an anchor, over it, touching it nowhere; no rival is."""
    return _hangs_over(target, anchor) and not any(_roughly_over(t, anchor) for t in rivals if t is not target)


def is_below(target: Thing, rivals: Sequence[Thing], anchor: Thing) -> bool:
    """Lower than an anchor on a wall, beneath it; no rival is."""
    return _hangs_over(anchor, target) and not any(_roughly_over(anchor, t) for t in rivals if t is not target)


def _side_share(a: Thing, b: Thing, slack: float) -> float:
    """Overlap of two things at the same wall along it, over the smaller width; 0 at different walls."""
    if a.wall is None or a.wall != b.wall:
        return 0.0
    k = 0 if a.wall in ("south", "north") else 1
    shared = min(a.high[k], b.high[k]) - max(a.low[k], b.low[k]) + slack
    return max(shared, 0.0) / max(min(a.size[k], b.size[k]), 1e-9)


def _hangs_over(high: Thing, low: Thing) -> bool:
    return high.low[2] > 0.6 and high.low[2] > low.high[2] + 0.04 and _side_share(high, low, 0.0) > 0.6


def _roughly_over(high: Thing, low: Thing) -> bool:
    return high.center[2] > low.center[2] and (gap(high, low) < 0.3 or _side_share(high, low, 0.25) > 0.0)


def is_between(target: Thing, rivals: Sequence[Thing], a: Thing, b: Thing) -> bool:
    """In the middle part of the line between two anchors; no rival is near that line."""
    length = spread(a, b)
    if not 1.0 < length < 4.5 or gap(a, b) < 0.35:
        return False
    along, off = _on_line(target, a, b)
    if not (0.25 < along < 0.75 and off < min(0.45, 0.25 * length)):
        return False
    if not wins([(_detour(t, a, b), t) for t in rivals], target, 1.0, 0.3):
        return False
    loose = [_on_line(t, a, b) for t in rivals if t is not target]
    return not any(0.05 < s < 0.95 and o < max(0.9, 0.5 * length) for s, o in loose)


def _detour(t: Thing, a: Thing, b: Thing) -> float:
    """How much longer the way from one anchor to the other is by way of a thing."""
    return spread(t, a) + spread(t, b) - spread(a, b)


def _on_line(t: Thing, a: Thing, b: Thing) -> tuple[float, float]:
    dx, dy = b.center[0] - a.center[0], b.center[1] - a.center[1]
    length = math.hypot(dx, dy)
    px, py = t.center[0] - a.center[0], t.center[1] - a.center[1]
    return (px * dx + py * dy) / length**2, abs(px * dy - py * dx) / length


def seen_from_front(t: Thing, anchor: Thing) -> tuple[float, float]:
    """Offset of a thing from an anchor for a viewer who faces the anchor's front: to the right, and away from the viewer."""
    front = (-math.sin(anchor.yaw), math.cos(anchor.yaw))
    dx, dy = t.center[0] - anchor.center[0], t.center[1] - anchor.center[1]
    # The viewer looks along -front; their right is that direction turned clockwise.
    return -dx * front[1] + dy * front[0], -(dx * front[0] + dy * front[1])


def is_beside(target: Thing, rivals: Sequence[Thing], anchor: Thing, side: str) -> bool:
    """Left or right of an anchor for one who faces its front; no rival is on that side and near."""
    sign = 1.0 if side == "right" else -1.0
    right, away = seen_from_front(target, anchor)
    half = abs(math.cos(anchor.yaw)) * anchor.size[0] / 2 + abs(math.sin(anchor.yaw)) * anchor.size[1] / 2
    if sign * right < half or abs(away) > 0.7 or gap(target, anchor) > 1.0:
        return False
    rest = [(seen_from_front(t, anchor)[0], gap(t, anchor)) for t in rivals if t is not target]
    return not any(sign * r > -0.1 and g < 2.0 for r, g in rest)


def is_along_front(target: Thing, rivals: Sequence[Thing], anchor: Thing, side: str) -> bool:
    """In front of or behind an anchor that has a front; no rival is on that side and near."""
    sign = -1.0 if side == "front" else 1.0
    right, away = seen_from_front(target, anchor)
    half = abs(math.sin(anchor.yaw)) * anchor.size[0] / 2 + abs(math.cos(anchor.yaw)) * anchor.size[1] / 2
    if sign * away < half or abs(right) > 0.6 or gap(target, anchor) > 1.0:
        return False
    rest = [(seen_from_front(t, anchor)[1], gap(t, anchor)) for t in rivals if t is not target]
    return not any(sign * a > -0.1 and g < 2.0 for a, g in rest)


def is_outermost(target: Thing, rivals: Sequence[Thing], door: Thing, side: str) -> bool:
    """Leftmost or rightmost for one who stands at the door and looks into the room, by offset and by bearing."""
    sign = -1.0 if side == "rightmost" else 1.0
    offsets = []
    for t in rivals:
        # Looking in is the opposite of facing the door's front from inside: right and left change places.
        right, away = seen_from_front(t, door)
        offsets.append((-right, -away, t))
    if any(ahead < 0.5 for _, ahead, _ in offsets):
        return False
    lateral = [(sign * r, t) for r, _, t in offsets]
    bearing = [(sign * math.atan2(r, ahead), t) for r, ahead, t in offsets]
    return wins(lateral, target, 1.0, 0.4) and wins(bearing, target, 1.0, 0.12)


def is_in_corner(target: Thing, rivals: Sequence[Thing], width: float, depth: float) -> bool:
    """In a corner of the room, which no rival is."""

    def from_corner(t: Thing) -> float:
        x = width / 2 - max(abs(t.low[0]), abs(t.high[0]))
        y = depth / 2 - max(abs(t.low[1]), abs(t.high[1]))
        return max(x, y)

    return from_corner(target) < 0.35 and all(from_corner(t) > 0.9 for t in rivals if t is not target)


def is_in_middle(target: Thing, rivals: Sequence[Thing], width: float, depth: float) -> bool:
    """Near the middle of the room, which no rival is."""

    def off(t: Thing) -> float:
        return max(abs(t.center[0]) / width, abs(t.center[1]) / depth)

    return off(target) < 0.15 and all(off(t) > 0.27 for t in rivals if t is not target)


def is_extreme(target: Thing, rivals: Sequence[Thing], word: str) -> bool:
    """Largest, smallest, tallest or shortest by a clear margin, all of them well seen."""
    if any(t.complete < 0.8 for t in rivals):
        return False
    if word in ("tallest", "shortest"):
        values = [(t.size[2], t) for t in rivals]
        if any(t.low[2] > 0.2 for t in rivals):
            return False
        factor = 1.15
    else:
        values = [(math.prod(t.size), t) for t in rivals]
        factor = 1.4
    own = next(v for v, t in values if t is target)
    if word in ("largest", "tallest"):
        return all(own >= v * factor for v, t in values if t is not target)
    return all(v >= own * factor for v, t in values if t is not target)
