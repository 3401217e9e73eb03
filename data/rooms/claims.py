"""All that can be claimed of a room's objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from . import ordering
from . import relations as rel
from .relations import Claim, Thing

MIN_POINTS = 60
_THIN = ("door", "window", "picture", "whiteboard", "curtain")
_OneAnchor = Callable[[Thing, Sequence[Thing], Thing], bool]
_WITH_ONE_ANCHOR: dict[str, _OneAnchor] = {
    "nearest": rel.is_nearest,
    "farthest": rel.is_farthest,
    "second nearest": ordering.is_second_nearest,
    "next to": rel.is_next_to,
    "on": rel.is_on,
    "under": rel.is_under,
    "above": rel.is_above,
    "below": rel.is_below,
}


def name_of(thing: Thing, things: Sequence[Thing]) -> tuple[bool, str | None] | None:
    """How an anchor can be named so that nothing else is meant.

    Returns:
        Whether the noun alone suffices, and the colour to say otherwise; ``None`` when neither singles it out.
    """
    if len(rel.may_be_meant(things, thing.category)) == 1:
        return True, None
    if thing.color is not None and len(rel.may_be_meant(things, thing.category, thing.color)) == 1:
        return False, thing.color
    return None


def can_be_target(thing: Thing) -> bool:
    """Seen well enough to be referred to."""
    return thing.n_points >= MIN_POINTS and thing.complete > 0.55 and thing.category != "window"


def claims_about(target: Thing, things: Sequence[Thing], width: float, depth: float) -> Iterator[Claim]:
    """Every claim that singles an object out, given the room's width (x) and depth (y) in metres."""
    rivals = rel.may_be_meant(things, target.category)
    if len(rivals) == 1:
        yield Claim(target.object_id, "plain")
    else:
        yield from _by_attribute(target, rivals, things)
    colors: list[str | None] = [None]
    if target.color is not None and 1 < len(rel.may_be_meant(things, target.category, target.color)) < len(rivals):
        colors.append(target.color)
    anchors = [t for t in things if t.n_points >= 40 and name_of(t, things) is not None and t is not target]
    for color in colors:
        group = rel.may_be_meant(things, target.category, color)
        if color is not None:
            yield from (Claim(target.object_id, w, (), color) for w in rel.SIZES if rel.is_extreme(target, group, w))
        yield from _by_relation(target, group, anchors, color, (width, depth))


def _by_attribute(target: Thing, rivals: Sequence[Thing], things: Sequence[Thing]) -> Iterator[Claim]:
    if target.color is not None and len(rel.may_be_meant(things, target.category, target.color)) == 1:
        yield Claim(target.object_id, "color", (), target.color)
    for word in target.words:
        if len(rel.may_be_meant(things, target.category, word=word)) == 1:
            yield Claim(target.object_id, "word", word=word)
    for word in rel.SIZES:
        if rel.is_extreme(target, rivals, word):
            yield Claim(target.object_id, word)
    if target.category in ("table", "coffee table") and ordering.is_surrounded(target, rivals, things):
        yield Claim(target.object_id, "surrounded", number=ordering.seats_around(target, things))


def _by_relation(
    target: Thing, group: Sequence[Thing], anchors: Sequence[Thing], color: str | None, room: tuple[float, float]
) -> Iterator[Claim]:
    own = target.object_id
    for anchor in anchors:
        rivals = [t for t in group if t is not anchor]
        ids = (anchor.object_id,)
        for name, holds in _WITH_ONE_ANCHOR.items():
            if len(rivals) == 1 and name == "farthest":
                continue
            if holds(target, rivals, anchor):
                yield Claim(own, name, ids, color)
        if anchor.category in rel.FRONTED:
            yield from (
                Claim(own, s, ids, color) for s in ("left", "right") if rel.is_beside(target, rivals, anchor, s)
            )
            yield from (
                Claim(own, s, ids, color) for s in ("front", "behind") if rel.is_along_front(target, rivals, anchor, s)
            )
        if anchor.category == "door" and len(rivals) > 1:
            yield from (
                Claim(own, s, ids, color)
                for s in ("leftmost", "rightmost")
                if rel.is_outermost(target, rivals, anchor, s)
            )
            for side in ("left", "right") if len(rivals) > 2 else ():
                rank = ordering.rank_from_side(target, rivals, anchor, side)
                if 1 < rank <= min(3, len(rivals) - 1):
                    yield Claim(own, f"from {side}", ids, color, number=rank)
    for i, a in enumerate(anchors):
        for b in anchors[i + 1 :]:
            rivals = [t for t in group if t is not a and t is not b]
            if a.category not in _THIN[1:] and b.category not in _THIN[1:] and rel.is_between(target, rivals, a, b):
                yield Claim(own, "between", (a.object_id, b.object_id), color)
    if target.low[2] < 0.2:
        if rel.is_in_corner(target, group, *room):
            yield Claim(own, "corner", (), color)
        if rel.is_in_middle(target, group, *room):
            yield Claim(own, "middle", (), color)
