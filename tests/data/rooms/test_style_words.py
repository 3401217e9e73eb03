"""Words of shape are true of their styles and tell them from others; office chairs and newer categories are in the rooms."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from trisparse.data.rooms.appliances import TVS_ON_WALL
from trisparse.data.rooms.catalog import KINDS
from trisparse.data.rooms.furnishing import furnish_room
from trisparse.data.rooms.layout import ModelShop, Room
from trisparse.data.rooms.seating import CHAIR_STYLES, OFFICE_CHAIRS
from trisparse.data.rooms.shapes import Shape, Solid
from trisparse.data.rooms.style_words import STYLE_WORDS, words_of


@pytest.fixture(scope="module")
def rooms() -> list[Room]:
    return [furnish_room(np.random.default_rng(seed), use_held_out=bool(seed % 2)) for seed in range(110)]


def _some(category: str, style: int) -> list[Shape]:
    return [KINDS[category].build(style, np.random.default_rng(seed), (0.5, 0.4, 0.3)) for seed in range(25)]


def test_every_word_tells_styles_of_its_category_apart() -> None:
    for category, by_style in STYLE_WORDS.items():
        n_styles = KINDS[category].n_styles
        assert set(by_style) <= set(range(n_styles))
        for word in {w for words in by_style.values() for w in words}:
            with_it = [s for s in range(n_styles) if word in words_of(category, s)]
            assert 0 < len(with_it) < n_styles, (category, word)
            assert any(s not in KINDS[category].held_out for s in with_it), (category, word)


def test_a_category_or_style_without_words_has_none() -> None:
    assert words_of("toilet", 0) == ()
    assert words_of("spaceship", 3) == ()


@pytest.mark.parametrize(("category", "word"), [("stool", "bar"), ("plant", "tall"), ("curtain", "long")])
def test_a_word_of_height_parts_all_sizes_of_the_styles(category: str, word: str) -> None:
    heights: dict[bool, list[float]] = {True: [], False: []}
    for style in range(KINDS[category].n_styles):
        heights[word in words_of(category, style)] += [float(s.size[2]) for s in _some(category, style)]
    assert min(heights[True]) > max(heights[False]) + 0.02


@pytest.mark.parametrize("category", ["table", "coffee table"])
def test_round_square_and_rectangular_tables_are_just_that(category: str) -> None:
    for style in range(KINDS[category].n_styles):
        words = words_of(category, style)
        for shape in _some(category, style):
            top = shape.parts[0]
            assert (top.solid == Solid.CYLINDER) == ("round" in words)
            ratio = shape.size[0] / shape.size[1]
            assert (ratio > 1.15) == ("rectangular" in words), (style, ratio)
        assert len(words) == 1


def test_office_chairs_stand_on_five_casters_in_the_middle_of_which_is_a_column() -> None:
    for style in range(CHAIR_STYLES):
        for shape in _some("chair", style):
            casters = [p for p in shape.parts if p.solid == Solid.ELLIPSOID and p.center[2] < 0.05]
            assert len(casters) == (5 if "office" in words_of("chair", style) else 0)
            assert 0.7 < shape.size[2] < 1.55


def test_two_fifths_of_chairs_in_offices_and_meeting_rooms_are_office_chairs_mostly_dark(rooms: list[Room]) -> None:
    office = [r for r in rooms if {"desk", "whiteboard"} & {i.category for i in r.items}]
    chairs = [i for r in office for i in r.items if i.category == "chair"]
    swivel = [i for i in chairs if "office" in i.words]
    assert len(swivel) > 0.4 * len(chairs)
    assert sum(i.color in ("black", "gray", "blue") for i in swivel) > 0.6 * len(swivel)
    assert len({i.style for i in swivel}) > 5


def test_some_office_chairs_are_kept_for_evaluation_and_training_has_none_of_them() -> None:
    held_out = set(KINDS["chair"].held_out) & set(OFFICE_CHAIRS)
    assert len(held_out) >= 2
    shop = ModelShop(np.random.default_rng(0), use_held_out=False)
    assert all(shop.make("chair", OFFICE_CHAIRS, ("black",)).style not in held_out for _ in range(30))


def test_own_colors_make_a_series_of_its_own() -> None:
    shop = ModelShop(np.random.default_rng(0), use_held_out=False)
    office = {shop.make("chair", OFFICE_CHAIRS, ("black", "gray")).color for _ in range(20)}
    assert office <= {"black", "gray"}
    assert all(shop.make("chair", (0, 1)).style in (0, 1) for _ in range(20))


def test_each_newer_category_is_in_some_room_and_some_have_rivals(rooms: list[Room]) -> None:
    counts = [Counter(i.category for i in room.items) for room in rooms]
    for category in (
        "counter",
        "curtain",
        "whiteboard",
        "ottoman",
        "bench",
        "washing machine",
        "suitcase",
        "tv",
        "laptop",
        "microwave",
    ):
        assert any(c[category] for c in counts), category
    for category in ("ottoman", "bench", "suitcase", "curtain"):
        assert any(c[category] >= 2 for c in counts), category


def test_thin_things_have_boxes_that_can_be_found() -> None:
    assert min(s.size[1] for style in range(9) for s in _some("curtain", style)) > 0.06
    assert min(s.size[1] for style in range(9) for s in _some("whiteboard", style)) > 0.05
    assert min(s.size[1] for style in range(9) for s in _some("tv", style)) > 0.05


def test_what_hangs_on_a_wall_hangs_there_and_curtains_hang_at_windows(rooms: list[Room]) -> None:
    for room in rooms:
        windows = [i for i in room.items if i.category == "window"]
        for item in room.items:
            if item.category == "curtain":
                assert item.rect()[5] < room.height
                assert any(item.wall == w.wall for w in windows)
            if item.category == "tv" and item.support is None:
                assert item.style in TVS_ON_WALL
                assert item.wall is not None
                assert item.rect()[5] < room.height
