"""Furnishing: nothing interpenetrates, things stand where they are said to stand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trisparse.data.rooms.furnishing import furnish_room
from trisparse.data.rooms.layout import Item, Room, against_wall, overlaps
from trisparse.data.rooms.shapes import assemble, block


@pytest.mark.parametrize("seed", range(25))
def test_nothing_interpenetrates_but_chairs_pushed_under_tables(seed: int) -> None:
    room = furnish_room(np.random.default_rng(seed), use_held_out=bool(seed % 2))
    for i, a in enumerate(room.items):
        for j, b in enumerate(room.items[:i]):
            if overlaps(a.rect(), b.rect(), -0.005) and a.support != j:
                assert {"chair", "table"} == {a.category, b.category} or {"chair", "desk"} == {a.category, b.category}


@pytest.mark.parametrize("seed", range(25))
def test_things_stay_inside_the_room_and_stand_on_something(seed: int) -> None:
    room = furnish_room(np.random.default_rng(seed), use_held_out=False)
    for item in room.items:
        x0, x1, y0, y1, z0, _ = item.rect()
        assert max(abs(x0), abs(x1)) < room.width / 2 + 0.08
        assert max(abs(y0), abs(y1)) < room.depth / 2 + 0.08
        if item.support is not None and z0 > 0:
            base = room.items[item.support]
            assert any(z0 == pytest.approx(base.position[2] + top.z) for top in base.shape.tops)
        elif item.category not in ("window", "picture", "cabinet", "curtain", "whiteboard", "tv"):
            assert z0 == 0


def test_a_thing_against_a_wall_faces_the_room() -> None:
    shape = assemble([block((-0.5, 0.5), (-0.2, 0.2), (0, 1), (0, 0, 0))])
    for seed in range(8):
        room = Room(4.0, 5.0, 2.5)
        index = against_wall(room, Item("cabinet", 0, False, None, shape), np.random.default_rng(seed))
        assert index is not None
        item = room.items[index]
        front = np.array([-math.sin(item.yaw), math.cos(item.yaw)])
        out = np.array(item.position[:2]) / [room.width / 2, room.depth / 2]
        at_wall = np.argmax(np.abs(out))
        assert front[at_wall] * out[at_wall] < 0
