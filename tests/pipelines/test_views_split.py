"""Which photos a study learns from and which it tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from trisparse.core.errors import InvalidInput, MissingPart
from trisparse.data.cameras import Cameras
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers.camera_json import write_camera_json
from trisparse.data.views import BLENDER_TRAIN, split_llff
from trisparse.pipelines.views_split import SplitOptions, SplitPhotos, find_photo, read_split


def _photos(n: int, names: list[str] | None = None) -> PosedImages:
    angles = torch.linspace(-0.5, 0.5, n)
    centers = torch.stack([2 * angles.sin(), -2 * angles.cos(), torch.zeros(n)], 1)
    K = torch.tensor([[8.0, 0, 4], [0, 8.0, 3], [0, 0, 1]]).repeat(n, 1, 1)
    cameras = Cameras.looking_at(centers, torch.zeros(3), K, width=8, height=6)
    return PosedImages.from_tensors(cameras, torch.zeros(n, 6, 8, 3), names or [f"p{i:02d}.png" for i in range(n)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("twenty")
    write_camera_json(_photos(20), place)
    return place


def _split(folder: Path, **options: object) -> SplitPhotos:
    words = {
        name: tuple(value.split()) if isinstance(value, str) and name != "rule" else value
        for name, value in options.items()
    }
    return read_split(folder, SplitOptions(**words))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "train", "test"),
    [
        ({"train": "3"}, (1, 10, 19), (0, 8, 16)),  # fern of LLFF, as published
        ({"rule": "llff", "train": "6"}, (1, 4, 7, 12, 15, 19), (0, 8, 16)),
        ({}, tuple(i for i in range(20) if i % 8), (0, 8, 16)),
        ({"rule": "mipnerf360"}, split_llff(20, 12).train, (0, 8, 16)),
        ({"rule": "every-nth", "every": 5, "train": "2"}, (1, 19), (0, 5, 10, 15)),
        ({"train": "0 2 5"}, (0, 2, 5), tuple(i for i in range(20) if i not in (0, 2, 5))),
        ({"train": "p05.png p02", "test": "7 p00"}, (5, 2), (7, 0)),
        ({"train": "3", "test": "2 3"}, (1, 10, 19), (2, 3)),
        ({"test": "4"}, tuple(i for i in range(20) if i != 4), (4,)),
    ],
)
def test_photos_are_divided_by_rule_number_or_name(
    folder: Path, options: dict[str, object], train: tuple[int, ...], test: tuple[int, ...]
) -> None:
    made = _split(folder, **options)
    assert (made.split.train, made.split.test) == (train, test)
    assert not made.photos.warnings


def test_an_arc_needs_no_name_and_tests_what_lies_between(folder: Path) -> None:
    made = _split(folder, rule="arc", train="3")
    assert len(made.split.train) == 3
    assert sorted((*made.split.train, *made.split.test)) == list(range(20))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "magic"}, "no split 'magic'; choose from llff, mipnerf360"),
        ({"rule": "llff", "train": "0 2 5"}, "both --split llff and photos to train on"),
        ({"rule": "dtu"}, "the DTU split needs the first 49"),
        ({"rule": "tanks"}, "this split is of 24"),
        ({"rule": "every-nth", "every": 1}, "give at least 2"),
        ({"train": "18"}, "18 of 17 photos to train on"),
        ({"train": "0"}, "--train 0: no photo to train on"),
        ({"train": "1"}, r"1 photos to train on \(LLFF .* give at least 2"),
        ({"train": "p01"}, "give at least 2: one tells no depth"),
        ({"train": "1 20"}, "--train names photo 20; there are 20, numbered from 0"),
        ({"train": "1 nothing.png"}, "--train names photo 'nothing.png'; there is none among the 20: p00.png"),
        ({"train": "1 p01"}, "--train names photo p01.png twice"),
        ({"test": "1 1"}, "--test names photo p01.png twice"),
        ({"train": "0 1 2", "test": "2"}, r"photos \[2\] are trained on and tested"),
        ({"train": " ".join(map(str, range(20)))}, "no photo is left to test: all 20 are trained on"),
    ],
)
def test_what_cannot_be_divided_is_refused_in_one_line(folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        _split(folder, **options)
    assert "\n" not in str(caught.value)


def test_where_nothing_is_learned_all_photos_are_tested_unless_others_are_named(folder: Path) -> None:
    everything = read_split(folder, SplitOptions(), needs_train=False)
    assert (everything.split.train, everything.split.test) == ((), tuple(range(20)))
    assert read_split(folder, SplitOptions(test=("3",)), needs_train=False).split.test == (3,)
    assert read_split(folder, SplitOptions("llff"), needs_train=False).split.test == (0, 8, 16)


def test_a_name_may_lack_its_folder_and_suffix_but_must_mean_one_photo() -> None:
    photos = _photos(4, ["a/1.png", "a/x.png", "b/x.png", "b/y.png"])
    assert [find_photo(photos, word, "--test") for word in ("b/x.png", "y.png", "y", "1.png")] == [2, 3, 3, 0]
    assert find_photo(photos, "1", "--test") == 1  # a plain number is a place, not a name
    with pytest.raises(InvalidInput, match=r"--test names photo 'x', which may be a/x.png, b/x.png"):
        find_photo(photos, "x", "--test")


def test_a_published_rule_says_so_where_photos_do_not_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_camera_json(_photos(9, [f"{i}.png" for i in (2, 0, 1, 3, 4, 5, 6, 7, 8)]), tmp_path)
    assert "not that of their names" in _split(tmp_path, rule="llff", train="3").photos.warnings[-1]
    assert not _split(tmp_path, train="0 1").photos.warnings


def _blender(folder: Path, n_train: int, n_test: int, size: int = 4) -> None:
    pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2.0], [0, 0, 0, 1]]
    for split, n in (("train", n_train), ("test", n_test)):
        (folder / split).mkdir(parents=True)
        for row in range(n):
            Image.new("RGB", (size, size)).save(folder / split / f"r_{row}.png")
        frames = [{"file_path": f"./{split}/r_{row}", "transform_matrix": pose} for row in range(n)]
        (folder / f"transforms_{split}.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))


def test_of_a_blender_scene_eight_training_frames_are_learned_and_every_eighth_test_frame_tested(
    tmp_path: Path,
) -> None:
    _blender(tmp_path, 100, 20)
    made = _split(tmp_path, rule="blender")
    assert made.split.train == BLENDER_TRAIN
    names = [made.photos.names[row] for row in (*made.split.train[:2], *made.split.test)]
    assert names == ["train/r_2.png", "train/r_16.png", "test/r_0.png", "test/r_8.png", "test/r_16.png"]
    assert made.photos.image(made.split.test[1]).shape == (4, 4, 3)
    assert SplitOptions("blender").background == (1, 1, 1)
    with pytest.raises(InvalidInput, match="the Blender split has 8"):
        _split(tmp_path, rule="blender", train="3")


def test_a_blender_split_needs_a_blender_scene(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"transforms_train\.json"):
        _split(folder, rule="blender")
    _blender(tmp_path, 50, 8)
    with pytest.raises(InvalidInput, match="50 training frames"):
        _split(tmp_path, rule="blender")


def test_options_are_values() -> None:
    options = SplitOptions(train=("007",))
    assert options.count is None  # a name: no number is written so
    assert replace(options, train=("7",)).count == 7
    assert replace(options, train=("7", "8")).count is None
