"""Photos that EXIF data would turn are read as the cameras of a file count their pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.core.errors import CorruptFile
from trisparse.data.image_files import LazyPhoto, image_size
from trisparse.data.readers.colmap import read_colmap
from trisparse.data.readers.colmap_writing import write_colmap
from trisparse.data.readers.stored_photo import StoredPhoto, orientation, stored_size

from .posed_scene import posed_set


def _save(path: Path, pixels: np.ndarray, turn: int | None) -> Path:
    exif = Image.Exif()
    if turn is not None:
        exif[0x0112] = turn
    Image.fromarray(pixels).save(path, exif=exif, quality=100, subsampling=0, lossless=True)
    return path


@pytest.mark.parametrize("turn", [None, 1, 2, 3, 4, 5, 6, 7, 8, 9])
@pytest.mark.parametrize("suffix", ["jpg", "webp", "tif"])
def test_stored_pixels_are_those_that_were_saved(tmp_path: Path, turn: int | None, suffix: str) -> None:
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:8, :8], pixels[8:, 16:] = (250, 0, 0), (0, 0, 250)
    path = _save(tmp_path / f"a.{suffix}", pixels, turn)
    assert orientation(path) == (turn if turn in range(2, 9) else 1)
    assert stored_size(path) == (24, 16)
    found = StoredPhoto(path)()
    torch.testing.assert_close(found, torch.from_numpy(pixels) / 255, rtol=0, atol=0.2)
    assert StoredPhoto(path, size=(12, 8))().shape == (8, 12, 3)


def test_a_file_that_is_no_photo_has_no_orientation(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe1\xff\xff")
    assert orientation(tmp_path / "a.jpg") == 1
    assert orientation(tmp_path / "b.jpg") == 1


def _turned_project(folder: Path, turn: int) -> None:
    write_colmap(posed_set(), folder)
    for file in sorted((folder / "images").rglob("*.png")):
        _save(file, np.array(Image.open(file)), turn)


@pytest.mark.parametrize("turn", [3, 6])
def test_cameras_of_colmap_fit_photos_as_they_are_stored(tmp_path: Path, turn: int) -> None:
    photos = posed_set()
    _turned_project(tmp_path, turn)
    again = read_colmap(tmp_path)
    torch.testing.assert_close(again.images(), photos.images(), rtol=0, atol=0)
    assert again.warnings == (
        "3 photos would be turned by their EXIF orientation: read as they are stored, as their cameras are",
    )
    path = tmp_path / "images" / photos.names[0]
    assert not torch.equal(LazyPhoto(path)(), photos.image(0))
    assert image_size(path) == ((40, 30) if turn == 3 else (30, 40))


def test_cameras_of_the_turned_shape_get_turned_photos(tmp_path: Path) -> None:
    _turned_project(tmp_path, 6)
    model = write_colmap(posed_set(), tmp_path / "text", binary=False, with_photos=False)
    text = (model / "cameras.txt").read_text()
    (model / "cameras.txt").write_text(text.replace(" 40 30 ", " 30 40 "))
    again = read_colmap(tmp_path / "text", tmp_path / "images")
    assert again.image(0).shape == (40, 30, 3)
    assert again.warnings == ("3 photos: each turned by its EXIF orientation",)
    (model / "cameras.txt").write_text(text.replace(" 40 30 ", " 40 20 "))
    with pytest.raises(CorruptFile, match=r"40 x 20 pixels, but the photo .* has 40 x 30: another shape"):
        read_colmap(tmp_path / "text", tmp_path / "images")
