from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.camera_paths import focus_of
from trisparse.data.readers.middlebury import read_middlebury
from trisparse.data.views import (
    DTU_EXCLUDED,
    ViewSplit,
    split_arc,
    split_blender,
    split_dtu,
    split_llff,
    split_tanks,
)

LLFF = {
    "fern": (20, "1 10 19", "1 4 7 12 15 19", "1 3 5 7 10 12 14 17 19"),
    "flower": (34, "1 17 33", "1 7 13 20 26 33", "1 5 9 12 17 21 25 28 33"),
    "fortress": (42, "1 21 41", "1 9 17 25 33 41", "1 5 11 15 21 26 30 36 41"),
    "horns": (62, "1 30 61", "1 13 25 37 49 61", "1 9 15 23 30 38 46 53 61"),
    "leaves": (26, "1 12 25", "1 5 10 15 20 25", "1 4 6 10 12 15 19 21 25"),
    "orchids": (25, "1 12 23", "1 5 10 14 19 23", "1 3 6 10 12 14 18 21 23"),
    "room": (41, "1 20 39", "1 9 17 23 31 39", "1 5 10 15 20 25 30 35 39"),
    "trex": (55, "1 28 54", "1 11 22 33 44 54", "1 7 14 21 28 34 41 47 54"),
}
"""Photos of each scene, and the ones that 3, 6 and 9 views train on."""


@pytest.mark.parametrize("scene", LLFF)
def test_llff_trains_and_tests_on_the_published_photos(scene: str) -> None:
    n, *tables = LLFF[scene]
    for k, table in zip((3, 6, 9), tables, strict=True):
        split = split_llff(n, k)
        assert split.train == tuple(int(word) for word in str(table).split())
        assert split.test == tuple(range(0, n, 8))


def test_without_a_number_all_others_train() -> None:
    assert split_llff(10) == ViewSplit((1, 2, 3, 4, 5, 6, 7, 9), (0, 8))


def test_mipnerf_360_rounds_the_places() -> None:
    split = split_llff(185, 12)
    rest = [i for i in range(185) if i % 8]
    assert split.train == tuple(rest[round(i * 160 / 11)] for i in range(12))
    assert split.train[1] == rest[15]  # 14.5 and a bit; cut down it would be 14
    assert len(split_llff(185, 24).train) == 24


def test_dtu_uses_its_fixed_lists() -> None:
    split = split_dtu(64, 9)
    assert split.train == (25, 22, 28, 40, 44, 48, 0, 8, 13)
    test = "1 2 9 10 11 12 14 15 23 24 26 27 29 30 31 32 33 34 35 41 42 43 45 46 47"
    assert split.test == tuple(int(word) for word in test.split())
    assert not set(DTU_EXCLUDED) & {*split.train, *split.test}
    assert split_dtu(49, 3).train == (25, 22, 28)


def test_blender_trains_on_eight_frames_and_tests_on_every_eighth() -> None:
    split = split_blender(100, 200)
    assert split.train == (2, 16, 26, 55, 73, 76, 86, 93)
    assert split.test == tuple(range(100, 300, 8))
    assert len(split.test) == 25


def test_tanks_and_temples_tests_on_twelve_of_twenty_four() -> None:
    split = split_tanks(24, 3)
    assert split.test == (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22)
    rest = (0, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23)
    assert split.train == (rest[0], rest[5], rest[11])
    assert split_tanks(24, 12).train == rest


def test_an_arc_holds_what_is_trained_on_and_tested() -> None:
    angles = torch.deg2rad(torch.tensor([0.0, 100, 120, 140, 160, 180, 300]))
    centers = torch.stack([2 * angles.cos(), 2 * angles.sin(), torch.zeros(7)], 1) + torch.tensor([5.0, 0, 1])
    split = split_arc(centers, torch.tensor([5.0, 0, 1]), 85.0, 3)
    assert sorted(split.train) == [1, 3, 5]
    assert sorted(split.test) == [2, 4]
    with pytest.raises(InvalidInput, match="holds 5"):
        split_arc(centers, torch.tensor([5.0, 0, 1]), 85.0, 6)


def test_a_photo_from_the_place_of_another_is_not_tested_beside_it() -> None:
    angles = torch.deg2rad(torch.tensor([0.0, 30, 60, 90, 0, 30]))
    centers = torch.stack([2 * angles.cos(), 2 * angles.sin(), torch.zeros(6)], 1)
    centers[4:] += 1e-3
    split = split_arc(centers, torch.zeros(3), 90.0, 2)
    assert split == ViewSplit((0, 3), (1, 2))


def test_no_arc_holds_anything_of_too_few_cameras() -> None:
    for n in (0, 1, 2):
        with pytest.raises(InvalidInput, match=f"holds {n}"):
            split_arc(torch.rand(n, 3), torch.zeros(3), 360.0, 3)
    with pytest.raises(InvalidInput, match="1 photos to train on"):
        split_arc(torch.rand(5, 3), torch.zeros(3), 360.0, 1)


def test_the_temple_has_five_places_within_a_hundred_degrees(shared: Path) -> None:
    folder = shared / "data" / "nvs_temple_sparse_ring"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    cameras = read_middlebury(folder).cameras
    split = split_arc(cameras.centers, focus_of(cameras), 100.0, 3)
    assert len(split.train) == 3
    assert len(split.test) == 2
    around = torch.nn.functional.normalize(cameras.centers[[*split.train, *split.test]] - focus_of(cameras), dim=1)
    angles = torch.rad2deg(torch.acos((around @ around.mT).clamp(-1, 1)))
    assert float(angles.max()) < 101
    assert float((angles + 1e3 * torch.eye(5)).min()) > 20


@pytest.mark.parametrize(
    "make",
    [
        lambda: split_llff(10, 0),
        lambda: split_llff(10, 9),
        lambda: split_dtu(48, 3),
        lambda: split_dtu(49, 10),
        lambda: split_blender(93, 200),
        lambda: split_tanks(25, 3),
        lambda: split_tanks(24, 13),
        lambda: ViewSplit((1, 2), (2, 3)),
    ],
)
def test_splits_that_do_not_exist_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(InvalidInput):
        make()


def test_places_are_those_of_numpy() -> None:
    import numpy as np

    for n in range(9, 70):
        rest = [i for i in range(n) if i % 8]
        for k in (3, 6):
            places = [round(float(place)) for place in np.linspace(0, len(rest) - 1, k)]
            assert split_llff(n, k).train == tuple(rest[place] for place in places)
    assert math.isclose(np.linspace(0, 1, 3)[1], 0.5)
