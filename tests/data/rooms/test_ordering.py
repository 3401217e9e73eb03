"""Ranks and counts on layouts made by hand."""

from __future__ import annotations

from trisparse.data.rooms.ordering import is_second_nearest, is_surrounded, rank_from_side, seats_around
from trisparse.data.rooms.relations import Thing, is_along_front


def _thing(k: int, x: float, y: float, *, category: str = "chair", yaw: float = 0.0, size: float = 0.4) -> Thing:
    low, high = (x - size / 2, y - size / 2, 0.0), (x + size / 2, y + size / 2, 0.8)
    return Thing(k, category, None, low, high, yaw, 1.0, 500, None, None, False)


DOOR = _thing(9, 0.0, -3.0, category="door")
"""In the south wall, its front to +y, into the room; who enters looks along +y and has -x at the left."""


def test_ranks_are_counted_from_the_left_of_one_who_enters() -> None:
    row = [_thing(0, -1.5, 0.0), _thing(1, 0.0, 0.0), _thing(2, 1.5, 0.0)]
    assert [rank_from_side(t, row, DOOR, "left") for t in row] == [1, 2, 3]
    assert [rank_from_side(t, row, DOOR, "right") for t in row] == [3, 2, 1]


def test_a_rank_is_unclear_where_two_stand_behind_one_another_or_one_beside_the_door() -> None:
    column = [_thing(0, 0.0, 0.0), _thing(1, 0.1, 1.5), _thing(2, 1.5, 0.0)]
    assert rank_from_side(column[0], column, DOOR, "left") == 0
    beside = [_thing(0, -1.5, 0.0), _thing(1, 0.0, 0.0), _thing(2, 1.5, -2.8)]
    assert rank_from_side(beside[1], beside, DOOR, "left") == 0


def test_the_second_nearest_needs_three_and_a_margin() -> None:
    anchor = _thing(9, 0.0, 0.0, category="bed")
    row = [_thing(0, 1.0, 0.0), _thing(1, 2.0, 0.0), _thing(2, 3.0, 0.0)]
    assert [is_second_nearest(t, row, anchor) for t in row] == [False, True, False]
    assert not is_second_nearest(row[1], row[:2], anchor)
    assert not is_second_nearest(row[1], [*row[:2], _thing(2, 2.1, 0.0)], anchor)


def test_chairs_are_counted_around_their_table() -> None:
    tables = [_thing(0, 0.0, 0.0, category="table", size=1.0), _thing(1, 4.0, 0.0, category="table", size=1.0)]
    chairs = [_thing(2 + k, x, y) for k, (x, y) in enumerate([(0.8, 0.0), (-0.8, 0.0), (0.0, 0.8), (4.8, 0.0)])]
    things = [*tables, *chairs]
    assert [seats_around(t, things) for t in tables] == [3, 1]
    assert is_surrounded(tables[0], tables, things)
    assert not is_surrounded(tables[1], tables, things)


def test_front_and_behind_follow_the_anchors_own_front() -> None:
    couch = _thing(9, 0.0, 0.0, category="couch")  # yaw 0: its front is +y
    ahead, rear = _thing(0, 0.0, 0.8), _thing(1, 0.0, -0.8)
    assert is_along_front(ahead, [ahead], couch, "front")
    assert not is_along_front(ahead, [ahead], couch, "behind")
    assert is_along_front(rear, [rear], couch, "behind")
    assert not is_along_front(ahead, [ahead, _thing(2, 0.3, 0.9)], couch, "front")
