"""Photos and points that are not what one hopes for, through any reader: read with a note, or refused with their name."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.camera_json import write_camera_json
from trisparse.data.readers.colmap_writing import write_colmap
from trisparse.data.readers.nerfstudio import write_transforms
from trisparse.data.readers.photos import read_photos

from .posed_scene import HEIGHT, WIDTH, posed_set

Write = Callable[[PosedImages, Path], Path]
_WRITERS = pytest.mark.parametrize("write", [write_camera_json, write_colmap, write_transforms])


def _set(folder: Path, write: Write, odd: Image.Image | bytes, suffix: str = "PNG", **options: object) -> PosedImages:
    """Three photos, the second of which is odd."""
    write(_bare(posed_set()), folder)
    if isinstance(odd, bytes):
        (folder / "images" / "a" / "photo1.png").write_bytes(odd)
    else:
        odd.save(folder / "images" / "a" / "photo1.png", suffix, **options)
    return read_photos(folder)


def _bare(photos: PosedImages, points: SparsePoints | None = None) -> PosedImages:
    return PosedImages(photos.cameras, photos.names, photos.loads, points)


def _noise(channels: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (HEIGHT, WIDTH, channels), np.uint8)


@_WRITERS
def test_transparent_photos_lie_on_black_and_that_is_said(tmp_path: Path, write: Write) -> None:
    pixels = _noise(4)
    pixels[0, 0, 3], pixels[0, 1, 3] = 0, 255
    photos = _set(tmp_path, write, Image.fromarray(pixels))
    assert photos.warnings == ("1 photos: each laid on the colour (0, 0, 0) where it is transparent",)
    assert photos.image(1)[0, 0].tolist() == [0, 0, 0]
    np.testing.assert_array_equal((photos.image(1)[0, 1] * 255).numpy(), pixels[0, 1, :3])


@_WRITERS
def test_photos_of_16_bits_become_8_and_that_is_said(tmp_path: Path, write: Write) -> None:
    deep = _noise(1)[..., 0].astype(np.uint16) * 257
    photos = _set(tmp_path, write, Image.fromarray(deep))
    assert photos.warnings == ("1 photos: each brought from 16 or 32 bits to 8",)
    np.testing.assert_array_equal((photos.image(1) * 65535).round().numpy(), deep[..., None].repeat(3, 2))


@_WRITERS
def test_grey_photos_have_three_equal_channels_and_nothing_is_said(tmp_path: Path, write: Write) -> None:
    photos = _set(tmp_path, write, Image.fromarray(_noise(1)[..., 0]))
    assert photos.warnings == ()
    np.testing.assert_array_equal((photos.image(1) * 255).numpy(), _noise(1).repeat(3, 2))
    assert photos.images().shape == (3, HEIGHT, WIDTH, 3)


def _jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(_noise(3)).save(out, "JPEG", quality=95)
    return out.getvalue()


@_WRITERS
def test_a_truncated_jpeg_is_named_when_its_pixels_are_wanted(tmp_path: Path, write: Write) -> None:
    photos = _set(tmp_path, write, _jpeg()[:-600])
    photos.image(0)
    with pytest.raises(CorruptFile, match=r"photo1.png: pixels: .*may be truncated: fetch it again"):
        photos.images()


@_WRITERS
def test_a_jpeg_truncated_in_its_header_is_refused_at_once(tmp_path: Path, write: Write) -> None:
    with pytest.raises(CorruptFile, match=r"photo1.png: header: .*truncated"):
        _set(tmp_path, write, _jpeg()[:100])


@_WRITERS
def test_photos_of_another_shape_are_refused_and_those_of_another_size_brought_to_one(
    tmp_path: Path, write: Write
) -> None:
    photos = _set(tmp_path, write, Image.fromarray(np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)))
    assert photos.images().shape == (3, HEIGHT, WIDTH, 3)
    assert "1 photos of other sizes (" in photos.warnings[-1]
    torch.testing.assert_close(photos.cameras.K[1], photos.cameras.K[0])
    with pytest.raises((CorruptFile, InvalidInput), match=r"another shape|several shapes"):
        _set(tmp_path, write, Image.fromarray(np.zeros((WIDTH, HEIGHT, 3), np.uint8)))


@_WRITERS
def test_missing_photos_and_photos_without_a_camera_are_left_out_and_named(tmp_path: Path, write: Write) -> None:
    write(_bare(posed_set()), tmp_path)
    folder = tmp_path / "images" / "a"
    (folder / "photo1.png").rename(folder / "stray.png")
    photos = read_photos(tmp_path)
    assert len(photos) == len(photos.cameras) == 2
    assert [warning.split(" (")[0] for warning in photos.warnings] == [
        "1 photos have no camera",
        "1 of 3 photos are not there",
    ]
    assert "stray.png" in photos.warnings[0]
    assert "photo1.png" in photos.warnings[1]
    for name in ("photo0.png", "photo2.png", "stray.png"):
        (folder / name).unlink()
    with pytest.raises(MissingPart, match=r"none of its 3 photos is there; looked for .*photo0"):
        read_photos(tmp_path)


# Points


@pytest.mark.parametrize(
    ("write", "poses"), [(write_camera_json, "cameras.json"), (write_colmap, "sparse/0/images.bin")]
)
def test_sights_of_points_behind_their_cameras_are_left_out_and_counted(
    tmp_path: Path, write: Write, poses: str
) -> None:
    whole = posed_set()
    assert whole.points is not None
    write(_bare(whole, SparsePoints(whole.points.cloud, torch.ones(7, 3, dtype=torch.bool))), tmp_path / "a")
    pose = whole.cameras.camera_from_world.clone()
    pose[1, [0, 2]] *= -1  # the second camera turns its back
    write(_bare(replace(whole, cameras=replace(whole.cameras, camera_from_world=pose))), tmp_path / "b")
    shutil.copy(tmp_path / "b" / poses, tmp_path / "a" / poses)
    photos = read_photos(tmp_path / "a")
    assert photos.points is not None
    assert photos.points.visible.all(0).tolist() == [True, False, True]
    assert not bool(photos.points.visible[:, 1].any())
    assert photos.warnings == (
        "7 sights of points are by cameras that the points lie behind: left out; are the poses' axes right?",
    )
    assert len(photos.points.seen_by([0, 1])) == 0
    assert len(photos.points.seen_by([0, 2])) == 7
