"""Whatever lies in a folder is read as what it is, or refused with what was looked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trisparse.core.errors import CorruptFile, MissingPart, TrisparseError, UnknownFormat
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers import photos as reader
from trisparse.data.readers.colmap_writing import write_colmap
from trisparse.data.readers.nerfstudio import write_transforms
from trisparse.data.readers.photos import read_photos

from .posed_scene import FOCAL, HEIGHT, WIDTH, assert_marks_are_hit, photo, save, shots


def _photos(folder: Path, pattern: str = "p{}.png") -> None:
    for i, shot in enumerate(shots()):
        save(folder / pattern.format(i), photo(shot.mark))


def _frames(pattern: str) -> list[dict[str, Any]]:
    found = []
    for i, shot in enumerate(shots()):
        columns = np.stack([shot.rotation[0], -shot.rotation[1], -shot.rotation[2], shot.center], 1)
        found.append({"file_path": pattern.format(i), "transform_matrix": columns.tolist()})
    return found


def _nerfstudio(folder: Path) -> Path:
    _photos(folder / "images")
    content = {"fl_x": FOCAL, "frames": _frames("images/p{}.png")}
    (folder / "transforms.json").write_text(json.dumps(content))
    return folder / "transforms.json"


def _blender(folder: Path) -> Path:
    _photos(folder / "train")
    content = {"fl_x": FOCAL, "frames": _frames("./train/p{}")}
    for split in ("train", "test"):
        (folder / f"transforms_{split}.json").write_text(json.dumps(content))
    return folder / "transforms_train.json"


def _colmap(folder: Path) -> Path:
    _nerfstudio(folder / "n")
    model = write_colmap(read_photos(folder / "n"), folder)
    shutil.rmtree(folder / "n")
    return model / "images.bin"


def _llff(folder: Path) -> Path:
    _photos(folder / "images")
    rows = [
        [*np.stack([s.rotation[1], s.rotation[0], -s.rotation[2], s.center, [HEIGHT, WIDTH, FOCAL]], 1).ravel(), 1, 9]
        for s in shots()
    ]
    np.save(folder / "poses_bounds.npy", np.array(rows))
    return folder / "poses_bounds.npy"


def _matrices(cx: float, cy: float) -> np.ndarray:
    return np.array([[FOCAL, 0, cx], [0, FOCAL, cy], [0, 0, 1]])


def _camera_json(folder: Path) -> Path:
    _photos(folder / "images")
    K = _matrices(WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5).tolist()
    frames = [
        {
            "file": f"p{i}.png",
            "width": WIDTH,
            "height": HEIGHT,
            "K": K,
            "R": s.rotation.tolist(),
            "t": s.translation.tolist(),
        }
        for i, s in enumerate(shots())
    ]
    (folder / "cameras.json").write_text(json.dumps({"frames": frames}))
    return folder / "cameras.json"


def _middlebury(folder: Path) -> Path:
    _photos(folder)
    K = _matrices(WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5)
    rows = [[*K.ravel(), *s.rotation.ravel(), *s.translation] for s in shots()]
    lines = [f"p{i}.png " + " ".join(map(repr, map(float, row))) for i, row in enumerate(rows)]
    (folder / "x_par.txt").write_text("\n".join([str(len(lines)), *lines]) + "\n")
    return folder / "x_par.txt"


def _dtu(folder: Path) -> Path:
    for i, shot in enumerate(shots()):
        save(folder / f"rect_{i + 1:03d}_3_r5000.png", photo(shot.mark))
        pose = np.concatenate([shot.rotation, 1000 * shot.translation[:, None]], 1)
        np.savetxt(folder / f"pos_{i + 1:03d}.txt", _matrices(WIDTH / 2 - 0.5, HEIGHT / 2 - 0.5) @ pose)
    return folder


_WRITERS = (_nerfstudio, _blender, _colmap, _llff, _camera_json, _middlebury, _dtu)


@pytest.mark.parametrize("write", _WRITERS)
def test_each_layout_is_recognised_by_its_folder_and_by_its_file(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    file = write(tmp_path)
    photos = read_photos(tmp_path)
    assert len(photos) == 3
    assert_marks_are_hit(photos)
    assert_marks_are_hit(read_photos(file))


def test_a_json_file_is_told_by_its_content_not_its_name(tmp_path: Path) -> None:
    assert_marks_are_hit(read_photos(_nerfstudio(tmp_path).rename(tmp_path / "a.json")))
    assert_marks_are_hit(read_photos(_camera_json(tmp_path).rename(tmp_path / "b.json")))
    (tmp_path / "a.json").rename(tmp_path / "cameras.json")
    assert_marks_are_hit(read_photos(tmp_path))


def test_the_first_of_several_layouts_is_read_and_the_others_named(tmp_path: Path) -> None:
    _llff(tmp_path)
    _colmap(tmp_path)
    photos = read_photos(tmp_path)
    assert photos.warnings[0] == "read as COLMAP model; the folder also holds LLFF scene, which is not looked at"
    write_transforms(replace(photos, points=None), tmp_path)
    assert (
        "read as transforms.json; the folder also holds COLMAP model, LLFF scene" in read_photos(tmp_path).warnings[0]
    )


def test_a_blender_scene_says_which_photos_were_not_read(tmp_path: Path) -> None:
    _blender(tmp_path)
    assert read_photos(tmp_path).warnings == ("photos of transforms_train.json; not those of transforms_test.json",)


def test_the_folder_of_photos_can_be_chosen(tmp_path: Path) -> None:
    _llff(tmp_path)
    _photos(tmp_path / "images_1")
    shutil.rmtree(tmp_path / "images")
    assert_marks_are_hit(read_photos(tmp_path, "images_1"))
    assert_marks_are_hit(read_photos(tmp_path / "poses_bounds.npy", tmp_path / "images_1"))


@pytest.mark.parametrize("place", ["", "images"])
def test_photos_alone_are_given_to_structure_from_motion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    calls = []

    def find(path: Path, *, seed: int) -> PosedImages:
        calls.append((path, seed))
        return answer

    _nerfstudio(tmp_path / "n")
    answer = read_photos(tmp_path / "n")
    monkeypatch.setattr(reader, "find_cameras", find)
    _photos(tmp_path / "p" / place)
    assert read_photos(tmp_path / "p", seed=5) is answer
    assert calls == [(tmp_path / "p", 5)]


_NOTHING = (
    "looked for transforms_train.json .*, transforms.json .*, cameras.bin .*, poses_bounds.npy .*, cameras.json, "
    ".*_par.txt"
)


@pytest.mark.parametrize(
    ("write", "name", "error", "message"),
    [
        (lambda f: None, "", MissingPart, f"no photos and no cameras that are read here; {_NOTHING}"),
        (lambda f: save(f / "a.png", photo((1, 1))), "", MissingPart, f"1 photos and no cameras .*{_NOTHING}"),
        (
            lambda f: None,
            "nothing",
            MissingPart,
            "no such file or folder; expected photos with cameras: transforms_train",
        ),
        (lambda f: save(f / "a.png", photo((1, 1))), "a.png", UnknownFormat, "one photo; give the folder of several"),
        (lambda f: (f / "a.json").write_text("[1]"), "a.json", UnknownFormat, "JSON, but no photos with cameras"),
        (lambda f: (f / "a.json").write_text("[1"), "a.json", CorruptFile, "not JSON"),
        (
            lambda f: (f / "transforms.json").write_text("[]"),
            "",
            CorruptFile,
            "transforms.json: the document: found a list",
        ),
        (lambda f: (f / "cameras.json").write_text("{}"), "", CorruptFile, "cameras.json: .*frames"),
        (lambda f: (f / "b.npy").write_bytes(b""), "b.npy", UnknownFormat, "an array, but not poses_bounds.npy"),
        (lambda f: (f / "b.txt").write_text("x"), "b.txt", UnknownFormat, "no file with cameras"),
        (lambda f: (f / "cameras.txt").write_text("x"), "cameras.txt", MissingPart, "no COLMAP model"),
    ],
)
def test_nothing_that_is_read_here_is_refused_with_what_was_looked_for(
    tmp_path: Path, write: Callable[[Path], object], name: str, error: type[TrisparseError], message: str
) -> None:
    write(tmp_path)
    with pytest.raises(error, match=message):
        read_photos(tmp_path / name)


@pytest.mark.parametrize("name", ["nvs_fox", "nvs_sceaux_castle", "nvs_temple_sparse_ring"])
def test_real_sets_are_read(shared: Path, name: str) -> None:
    folder = shared / "data" / name
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    photos = read_photos(folder)
    assert len(photos) == {"nvs_fox": 50, "nvs_sceaux_castle": 10, "nvs_temple_sparse_ring": 16}[name]
    assert photos.image(0).shape == (photos.cameras.height, photos.cameras.width, 3)
