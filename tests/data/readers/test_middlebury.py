"""Middlebury's files of cameras: what their numbers mean, and damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, TrisparseError
from trisparse.data.readers.camera_json import read_camera_json, write_camera_json
from trisparse.data.readers.middlebury import find_middlebury, read_middlebury

from .posed_scene import FOCAL, HEIGHT, WIDTH, assert_marks_are_hit, assert_same_set, photo, save, shots


def _lines() -> list[str]:
    """Matrices that count integer pixel centres."""
    K = np.array([[FOCAL, 0, WIDTH / 2 - 0.5], [0, FOCAL, HEIGHT / 2 - 0.5], [0, 0, 1]])
    rows = [np.concatenate([K.ravel(), shot.rotation.ravel(), shot.translation]) for shot in shots()]
    return ["3", *(f"view{i}.png " + " ".join(f"{v:.17g}" for v in row) for i, row in enumerate(rows))]


def _write(folder: Path, lines: list[str], place: str = "images") -> Path:
    for i, shot in enumerate(shots()):
        save(folder / place / f"view{i}.png", photo(shot.mark))
    (folder / "scene_par.txt").write_text("\n".join(lines) + "\n")
    (folder / "scene_ang.txt").write_text("1 2 view0.png\n")
    return folder


@pytest.mark.parametrize("place", ["images", "."])
def test_a_known_point_projects_to_the_centre_of_the_pixel_that_shows_it(tmp_path: Path, place: str) -> None:
    photos = read_middlebury(_write(tmp_path, _lines(), place))
    assert photos.names == ("view0.png", "view1.png", "view2.png")
    assert photos.warnings == ("pixel centres were whole numbers: half a pixel was added",)
    assert_marks_are_hit(photos)
    assert photos.cameras.K[0].tolist() == [[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]]


def test_line_ends_blank_lines_and_tabs_do_not_matter(tmp_path: Path) -> None:
    lines = [line.replace(" ", "\t") for line in _lines()]
    _write(tmp_path, ["\ufeff3 ", "", *lines[1:], " ", ""])
    path = tmp_path / "scene_par.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert_marks_are_hit(read_middlebury(path))


def test_the_number_of_photos_may_be_left_out(tmp_path: Path) -> None:
    assert len(read_middlebury(_write(tmp_path, _lines()[1:]))) == 3


def test_photos_beside_the_file_are_preferred_where_they_are_as_many(tmp_path: Path) -> None:
    _write(tmp_path, _lines(), ".")
    for i in (0, 1):
        save(tmp_path / "images" / f"view{i}.png", photo((0, 0)))
    assert_marks_are_hit(read_middlebury(tmp_path))


def test_photos_without_a_camera_and_cameras_without_a_photo_are_left_out_and_counted(tmp_path: Path) -> None:
    _write(tmp_path, _lines())
    (tmp_path / "images" / "view1.png").rename(tmp_path / "images" / "other.png")
    photos = read_middlebury(tmp_path)
    assert photos.names == ("view0.png", "view2.png")
    assert photos.warnings[1:] == (
        "1 photos have no camera (other.png): left out",
        "1 of 3 photos are not there (view1.png): left out",
    )
    assert_marks_are_hit(photos)


def test_photos_may_lie_elsewhere_and_one_is_a_set(tmp_path: Path) -> None:
    lines = _lines()
    _write(tmp_path / "a", ["1", lines[2].replace("png", "jpg")])
    photos = read_middlebury(tmp_path / "a", tmp_path / "a" / "images")
    assert photos.names == ("view1.jpg",)
    assert_marks_are_hit(photos)


def test_no_photos_are_none(tmp_path: Path) -> None:
    (tmp_path / "scene_par.txt").write_text("\n".join(_lines()))
    with pytest.raises(MissingPart, match=r"none of its 3 photos is there; looked for 'view0.png'"):
        read_middlebury(tmp_path)


def test_photos_of_several_shapes_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, _lines())
    save(tmp_path / "images" / "view1.png", photo((0, 0), HEIGHT, WIDTH))
    with pytest.raises(InvalidInput, match=r"several shapes: 2 of 40 x 30 .*; 1 of 30 x 40 \(view1.png\)"):
        read_middlebury(tmp_path)


def test_the_file_is_found_and_several_are_refused(tmp_path: Path) -> None:
    assert find_middlebury(tmp_path) is None
    assert find_middlebury(tmp_path / "x_par.txt") is None
    with pytest.raises(MissingPart, match=r"no cameras of a Middlebury set; expected a file \*_par.txt"):
        read_middlebury(tmp_path)
    _write(tmp_path, _lines())
    assert find_middlebury(tmp_path) == find_middlebury(tmp_path / "scene_par.txt") == tmp_path / "scene_par.txt"
    assert find_middlebury(tmp_path / "scene_ang.txt") is None
    (tmp_path / "other_par.txt").write_text("0")
    with pytest.raises(InvalidInput, match=r"holds other_par.txt, scene_par.txt; name the one"):
        read_middlebury(tmp_path)
    assert len(read_middlebury(tmp_path / "scene_par.txt")) == 3


def _put(line: int, word: int, text: str) -> Callable[[list[str]], object]:
    def change(lines: list[str]) -> None:
        words = lines[line].split()
        words[word] = text
        lines[line] = " ".join(words)

    return change


def _mirrored(lines: list[str]) -> None:
    words = lines[2].split()
    words[10:13] = [f"{-float(word):.17g}" for word in words[10:13]]
    lines[2] = " ".join(words)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_put(0, 0, "99999999999999999999"), CorruptFile, r"line 1: claims 1e\+20 photos, but 3 lines follow"),
        (_put(0, 0, "999999999"), CorruptFile, r"line 1: claims 1e\+09 photos, but 3 lines follow"),
        (_put(0, 0, "-3"), CorruptFile, "line 1: claims -3 photos"),
        (_put(0, 0, "3.5"), CorruptFile, "line 1: claims 3.5 photos, but 3"),
        (_put(0, 0, "nan"), CorruptFile, "line 1: claims nan photos"),
        (_put(0, 0, "1e400"), CorruptFile, "line 1: claims inf photos"),
        (_put(0, 0, "\u0663"), CorruptFile, "line 1: .* holds a word that is no number"),  # a digit, but none of ASCII
        (_put(0, 0, "2"), CorruptFile, "line 1: claims 2 photos, but 3 lines follow"),
        (lambda lines: lines.pop(), CorruptFile, "line 1: claims 3 photos, but 2 lines follow; truncated"),
        (lambda lines: lines.clear(), MissingPart, "names no photos; expected lines of a photo"),
        (_put(2, 4, ""), CorruptFile, "line 3: 20 numbers after the photo's name, expected 21"),
        (_put(2, 4, "x"), CorruptFile, "line 3: .* holds a word that is no number"),
        (_put(2, 4, "1e-"), CorruptFile, "line 3: .* holds a word that is no number"),
        (_put(2, 1, "nan"), CorruptFile, "line 3: 21 numbers after the photo's name, expected 21 finite ones"),
        (_put(2, 1, "1e400"), CorruptFile, "line 3: 21 numbers after the photo's name, expected 21 finite ones"),
        (_put(2, 1, "0"), CorruptFile, "line 3: the focal lengths are 0 and 35 pixels"),
        (_put(2, 4, "1"), CorruptFile, "line 3: K is .*expected fx skew cx"),
        (_put(2, 9, "0"), CorruptFile, "line 3: K is .*expected fx skew cx"),
        (_put(2, 10, "nan"), CorruptFile, "line 3: .* expected 21 finite ones"),
        (_put(2, 10, "7"), CorruptFile, "line 3: the pose's axes have lengths"),
        (_put(2, 21, "1e15"), CorruptFile, "line 3: the pose is .*below 1e12"),
        (_mirrored, CorruptFile, "line 3: the pose is mirrored"),
        (_put(2, 0, "../view1.png"), CorruptFile, "line 3: the photo '../view1.png' lies outside the folder"),
        (_put(2, 0, "/view1.png"), CorruptFile, "line 3: the photo '/view1.png' lies outside the folder"),
        (_put(2, 0, "C:/view1.png"), CorruptFile, "lies outside the folder"),
        (_put(2, 0, "a\0"), CorruptFile, "cannot be the name of a photo"),
        (_put(2, 0, "./view0.png"), CorruptFile, "line 3: the photo 'view0.png' is that of line 2 already"),
    ],
)
def test_bad_files_are_refused_with_the_place(
    tmp_path: Path, change: Callable[[list[str]], object], error: type[TrisparseError], message: str
) -> None:
    lines = _lines()
    change(lines)
    with pytest.raises(error, match=message) as caught:
        read_middlebury(_write(tmp_path, lines))
    assert "scene_par.txt" in str(caught.value)


def test_a_name_that_is_no_text_is_a_photo_that_is_not_there(tmp_path: Path) -> None:
    path = _write(tmp_path, _lines()) / "scene_par.txt"
    path.write_bytes(path.read_bytes().replace(b"view1", b"\xff\xfe"))
    assert read_middlebury(tmp_path).names == ("view0.png", "view2.png")


def test_the_temple_s_two_files_say_the_same(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "nvs_temple_sparse_ring"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    by_lines, by_json = read_middlebury(folder), read_camera_json(folder)
    assert len(by_lines) == 16
    assert_same_set(by_lines, by_json)
    assert by_lines.cameras.K[0, :2, 2].tolist() == pytest.approx([302.82, 247.37])
    few = by_lines.select([3, 11])
    assert_same_set(few, read_camera_json(write_camera_json(few, tmp_path)))


def test_the_temple_stands_before_all_its_cameras(shared: Path) -> None:
    folder = shared / "data" / "nvs_temple_sparse_ring"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    photos = read_middlebury(folder)
    corners = torch.cartesian_prod(*torch.tensor([[-0.073568, 0.028855], [0.021728, 0.181892], [-0.012445, 0.062736]]))
    at = photos.cameras.project(corners)  # of its box
    for row in (0, 3, 5):
        bright = (photos.image(row).amax(-1) > 0.3).nonzero().flip(1) + 0.5
        low, high = at.pixels[row].amin(0), at.pixels[row].amax(0)
        assert float(((bright > low) & (bright < high)).all(1).float().mean()) > 0.99
        assert float((high - low).prod()) < 0.6 * 640 * 480
