"""Relations that count: ranks along a row, the second nearest, and how many chairs stand around a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .relations import Thing, gap, seen_from_front, spread

_SEATS = ("chair", "stool")


def rank_from_side(target: Thing, rivals: Sequence[Thing], door: Thing, side: str) -> int:
    """Rank (1: outermost) from the left or right for one who stands at the door and looks into the room; 0 where it is unclear.

    Clear means: all rivals lie well ahead, and the order by offset and by bearing is the same with a margin on both sides of
    the target.
    """
    sign = 1.0 if side == "left" else -1.0
    offsets, bearings = [], []
    for t in rivals:
        # Looking in is the opposite of facing the door's front from inside: right and left change places.
        right, away = seen_from_front(t, door)
        if -away < 0.5:
            return 0
        offsets.append((sign * -right, t.object_id))
        bearings.append((sign * math.atan2(-right, -away), t.object_id))
    by_offset, by_bearing = sorted(offsets), sorted(bearings)
    rank = next(k for k, (_, i) in enumerate(by_offset) if i == target.object_id)
    if by_bearing[rank][1] != target.object_id:
        return 0
    if {i for _, i in by_offset[:rank]} != {i for _, i in by_bearing[:rank]}:
        return 0
    clear = _margin(by_offset, rank) > 0.4 and _margin(by_bearing, rank) > 0.12
    return rank + 1 if clear else 0


def _margin(ordered: Sequence[tuple[float, int]], rank: int) -> float:
    """Distance of a value to its neighbours in order."""
    own = ordered[rank][0]
    before = own - ordered[rank - 1][0] if rank else math.inf
    after = ordered[rank + 1][0] - own if rank + 1 < len(ordered) else math.inf
    return min(before, after)


def is_second_nearest(target: Thing, rivals: Sequence[Thing], anchor: Thing) -> bool:
    """Second in distance to an anchor, by centres and by gaps, of three or more, with a margin on both sides."""
    if len(rivals) < 3 or spread(target, anchor) > 3.5:
        return False
    for measure in (spread, gap):
        ordered = sorted((measure(t, anchor), t.object_id) for t in rivals)
        if ordered[1][1] != target.object_id or _margin(ordered, 1) < 0.25:
            return False
    return True


def seats_around(table: Thing, things: Sequence[Thing]) -> int:
    """Chairs and stools close around a table."""
    return sum(t.category in _SEATS and gap(t, table) < 0.3 for t in things)


def is_surrounded(target: Thing, rivals: Sequence[Thing], things: Sequence[Thing]) -> bool:
    """A table with at least three seats around it, which no other has nearly as many of."""
    own = seats_around(target, things)
    return own >= 3 and all(seats_around(t, things) <= own - 2 for t in rivals if t is not target)
