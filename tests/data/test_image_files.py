"""Photos in files: every kind of pixel, turned ones, damaged ones, hostile ones."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, UnknownFormat
from trisparse.data.image_files import MOST_PIXELS, LazyPhoto, image_notes, image_size, read_image

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
"""A photo 7 wide and 5 high."""


def _save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)  # pyright: ignore[reportArgumentType]
    return path


# Kinds of pixels


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm"])
def test_colour_photos_are_read_as_they_are(tmp_path: Path, suffix: str) -> None:
    path = _save(tmp_path / f"a.{suffix}", RGB, **({"lossless": True} if suffix == "webp" else {}))
    found = read_image(str(path))
    np.testing.assert_array_equal(found.rgb, RGB)
    assert found.alpha is None
    assert found.notes == ()
    assert image_size(path) == (7, 5)


def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", RGB)
    path = path.rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(path).rgb, RGB)


def test_jpeg_comes_near_its_picture(tmp_path: Path) -> None:
    smooth = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 48, 0).repeat(3, 2)
    found = read_image(_save(tmp_path / "a.jpg", smooth, quality=95)).rgb
    assert np.abs(found.astype(int) - smooth).max() <= 3


def test_grey_photos_have_three_equal_channels(tmp_path: Path) -> None:
    found = read_image(_save(tmp_path / "a.png", RGB[..., 0]))
    np.testing.assert_array_equal(found.rgb, RGB[..., :1].repeat(3, 2))
    assert found.alpha is None


def test_black_and_white_photos_are_0_and_255(tmp_path: Path) -> None:
    found = read_image(_save(tmp_path / "a.png", RGB[..., 0] > 100))
    np.testing.assert_array_equal(found.rgb[..., 1], (RGB[..., 0] > 100) * 255)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("greatest", [1, 200, 300, 65535])
def test_16_bits_become_8_whatever_the_photo_holds(tmp_path: Path, suffix: str, greatest: int) -> None:
    deep = np.linspace(0, greatest, 35).astype(np.uint16).reshape(5, 7)
    found = read_image(_save(tmp_path / f"a.{suffix}", deep))
    np.testing.assert_array_equal(found.rgb, np.round(deep[..., None] / 257).repeat(3, 2))
    assert found.notes == ("brought from a range of 0 to 65535 to 8 bits",)


def test_16_bits_a_colour_become_8(tmp_path: Path) -> None:
    deep = RGB.astype(np.uint16) * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    path = tmp_path / "a.png"
    path.write_bytes(_png(7, 5, 16, 2, zlib.compress(rows)))
    np.testing.assert_array_equal(read_image(path).rgb, RGB)


def test_fractions_are_taken_from_0_to_1_and_other_ranges_are_not_guessed(tmp_path: Path) -> None:
    levels = 7 * np.arange(35).reshape(5, 7)
    values = (levels / 255).astype(np.float32)
    np.testing.assert_array_equal(read_image(_save(tmp_path / "a.tif", values)).rgb[..., 2], levels)
    assert read_image(_save(tmp_path / "a.tif", values / 10)).rgb.max() == 24  # dark stays dark
    for other in (values * 255, values - 0.5, values + np.float32("nan"), values + np.float32("inf")):
        with pytest.raises(UnknownFormat, match=r"a.tif: grey values from .*expected whole numbers up to 65535"):
            read_image(_save(tmp_path / "a.tif", other))


def test_whole_numbers_of_32_bits_are_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat, match="grey values from -5 to 100000"):
        read_image(_save(tmp_path / "a.tif", np.array([[-5, 100000]], np.int32)))


def test_palettes_are_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray(RGB // 128 * 255).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").rgb, RGB // 128 * 255)
    image.save(tmp_path / "a.gif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif").rgb, RGB // 128 * 255)


def test_the_colours_of_print_become_those_of_a_screen(tmp_path: Path) -> None:
    Image.new("CMYK", (6, 4), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    assert np.abs(read_image(tmp_path / "a.jpg").rgb.astype(int) - [255, 0, 0]).max() < 4


# Transparency


def test_transparent_pixels_show_the_background(tmp_path: Path) -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 0] = 200
    pixels[0, :, 3] = 0, 51, 255
    path = _save(tmp_path / "a.png", pixels)
    found = read_image(path, background=(10, 20, 255))
    assert found.rgb.tolist() == [[[10, 20, 255], [48, 16, 204], [200, 0, 0]]]
    assert found.alpha is not None
    assert found.alpha.tolist() == [[0, 51, 255]]
    assert read_image(path).rgb[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", ["grey and alpha", "palette", "palette with alphas", "one colour", "one grey"])
def test_transparency_of_every_kind_is_found(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    if kind == "grey and alpha":
        Image.fromarray(np.array([[[9, 0], [90, 255]]], np.uint8)).save(path)
    elif kind.startswith("palette"):
        image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
        image.putpalette([9, 9, 9, 90, 90, 90])
        image.save(path, transparency=bytes([0, 255]) if "alphas" in kind else 0)
    elif kind == "one colour":
        Image.fromarray(np.array([[[9, 9, 9], [90, 90, 90]]], np.uint8)).save(path, transparency=(9, 9, 9))
    else:
        Image.fromarray(np.array([[9, 90]], np.uint8)).save(path, transparency=9)
    found = read_image(path, background=(255, 0, 0))
    assert found.rgb.tolist() == [[[255, 0, 0], [90, 90, 90]]]
    assert found.alpha is not None
    assert found.alpha.tolist() == [[0, 255]]


def test_an_opaque_photo_with_an_alpha_channel_is_itself(tmp_path: Path) -> None:
    found = read_image(
        _save(tmp_path / "a.png", np.dstack([RGB, np.full((5, 7), 255, np.uint8)])), background=(9, 9, 9)
    )
    np.testing.assert_array_equal(found.rgb, RGB)
    assert found.alpha is not None
    assert found.alpha.min() == 255


# Turned by EXIF

_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}
"""What EXIF's orientations ask a viewer to do with the stored pixels."""


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_as_exif_says_and_so_is_their_size(tmp_path: Path, suffix: str, orientation: int) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = _save(tmp_path / f"a.{suffix}", RGB, exif=_exif(orientation), **options)
    expected = _TURNS[orientation](RGB)
    found = read_image(path)
    np.testing.assert_array_equal(found.rgb, expected)
    assert found.rgb.flags.c_contiguous
    assert image_size(path) == (expected.shape[1], expected.shape[0])
    assert found.notes == (() if orientation == 1 else ("turned by its EXIF orientation",))


def test_jpegs_and_alpha_are_turned(tmp_path: Path) -> None:
    left = np.zeros((16, 32, 3), np.uint8)
    left[:, :16] = 255
    path = _save(tmp_path / "a.jpg", left, exif=_exif(6), quality=95)
    found = read_image(path).rgb
    assert image_size(path) == (16, 32)
    assert found[:14].min() > 240
    assert found[18:].max() < 15
    path = _save(tmp_path / "a.png", np.dstack([RGB, RGB[..., 0]]), exif=_exif(8))
    alpha = read_image(path).alpha
    assert alpha is not None
    np.testing.assert_array_equal(alpha, np.rot90(RGB[..., 0]))


@pytest.mark.parametrize("orientation", [0, 9, 700])
def test_orientations_that_do_not_exist_turn_nothing(tmp_path: Path, orientation: int) -> None:
    path = _save(tmp_path / "a.png", RGB, exif=_exif(orientation))
    np.testing.assert_array_equal(read_image(path).rgb, RGB)
    assert image_size(path) == (7, 5)


@pytest.mark.parametrize(
    "exif", [b"", b"junk", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"]
)
def test_damaged_exif_turns_nothing(tmp_path: Path, exif: bytes) -> None:
    path = _save(tmp_path / "a.jpg", np.full((16, 24, 3), 90, np.uint8), exif=exif)
    assert image_size(path) == (24, 16)
    assert read_image(path).rgb.shape == (16, 24, 3)


def test_the_header_alone_tells_what_reading_will_change(tmp_path: Path) -> None:
    assert image_notes(_save(tmp_path / "a.png", RGB)) == image_notes(_save(tmp_path / "a.jpg", RGB)) == ()
    assert image_notes(_save(tmp_path / "a.png", RGB, exif=_exif(3))) == ("turned by its EXIF orientation",)
    deep = RGB.astype(np.uint16) * 257
    _save(tmp_path / "grey.png", deep[..., 0])
    _save(tmp_path / "grey.tif", deep[..., 0])
    _save(tmp_path / "fractions.tif", RGB[..., 0] / np.float32(255))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    (tmp_path / "colour.png").write_bytes(_png(7, 5, 16, 2, zlib.compress(rows)))
    for name in ("grey.png", "grey.tif", "fractions.tif", "colour.png"):
        assert image_notes(tmp_path / name) == ("brought from 16 or 32 bits to 8",)
    _save(tmp_path / "a.png", np.dstack([RGB, RGB[..., 0]]))
    Image.fromarray(RGB).convert("P").save(tmp_path / "b.png", transparency=0)
    for name in ("a.png", "b.png"):
        notes = image_notes(tmp_path / name, background=(255, 0, 9))
        assert notes == ("laid on the colour (255, 0, 9) where it is transparent",)
    with pytest.raises(MissingPart):
        image_notes(tmp_path / "none.png")


# Damaged and hostile


def _png(width: int, height: int, bits: int, color: int, data: bytes) -> bytes:
    """A PNG file; the header may claim what the data do not hold."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _encoded(kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("read", [read_image, image_size])
def test_a_missing_file_and_a_folder_are_no_photos(tmp_path: Path, read: Callable[[Path], object]) -> None:
    for path in (tmp_path / "a.jpg", tmp_path):
        with pytest.raises(MissingPart, match="no such photo"):
            read(path)


@pytest.mark.parametrize("read", [read_image, image_size])
def test_what_is_no_image_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"")
    with pytest.raises(CorruptFile, match="the file is empty"):
        read(path)
    for content in (b"hello", b"\0" * 1000, b"\x89PNG\r\n\x1a\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
        path.write_bytes(content)
        with pytest.raises((UnknownFormat, CorruptFile), match=r"a\.jpg"):
            read(path)


def test_postscript_which_pillow_would_run_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with Image.open(path) as image:
        assert image.format == "EPS"
    for read in (read_image, image_size):
        with pytest.raises(UnknownFormat, match="expected PNG, JPEG"):
            read(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_truncated_photos_are_refused(tmp_path: Path, kind: str, share: float) -> None:
    content = _encoded(kind)
    path = tmp_path / "a.jpg"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises((CorruptFile, UnknownFormat), match=r"a\.jpg.*truncated"):
        read_image(path)


def test_the_size_of_a_truncated_photo_is_still_known(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "BMP"):
        (tmp_path / "a").write_bytes(_encoded(kind)[:2000])
        assert image_size(tmp_path / "a") == (80, 60)


@pytest.mark.parametrize("read", [read_image, image_size])
@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (2**20, 2**10), (0, 5), (5, 0)])
def test_absurd_sizes_in_headers_are_not_believed(
    tmp_path: Path, read: Callable[[Path], object], size: tuple[int, int]
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(_png(*size, 8, 2, zlib.compress(b"\0" * 100)))
    assert size[0] * size[1] > MOST_PIXELS or 0 in size
    with pytest.raises((CorruptFile, UnknownFormat), match=r"a\.png"):
        read(path)


def test_a_small_file_that_claims_many_pixels_is_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(_png(10_000, 9_000, 1, 0, zlib.compress(b"\0" * (1251 * 9000), 9)))
    assert path.stat().st_size < 20_000
    with pytest.raises(CorruptFile, match="header: claims 10000 x 9000 pixels; expected 1 to"):
        read_image(path)


def test_a_bomb_that_is_let_in_takes_no_more_memory_than_a_photo_of_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(_png(4000, 4000, 8, 6, zlib.compress(b"\0" * (16_001 * 4000), 9)))
    tracemalloc.start()
    read_image(path, background=(9, 9, 9))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16_000_000 * (3 * 4 + 3 + 1) + 8_000_000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_flipped_bits_give_a_photo_or_an_error_of_ours(tmp_path: Path, kind: str) -> None:
    content = np.frombuffer(_encoded(kind), np.uint8)
    generator = np.random.default_rng(3)
    path = tmp_path / "a"
    for _ in range(40):
        damaged = content.copy()
        places = generator.integers(0, min(len(content), 400), int(generator.integers(1, 6)))
        damaged[places] = generator.integers(0, 256, len(places))
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(CorruptFile, UnknownFormat):
            assert read_image(path).rgb.shape[1::-1] == image_size(path)


# Photos that wait to be read


def test_a_lazy_photo_reads_when_it_is_called_and_travels_to_other_processes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    load = pickle.loads(pickle.dumps(LazyPhoto(path, (255, 0, 0), (7, 5))))
    assert load == LazyPhoto(path, (255, 0, 0), (7, 5))
    with pytest.raises(MissingPart):
        load()
    _save(path, np.dstack([RGB, np.zeros((5, 7), np.uint8)]))
    torch.testing.assert_close(load(), torch.tensor([1.0, 0, 0]).expand(5, 7, 3))


def test_a_lazy_photo_is_in_0_to_1_and_its_bytes_come_back(tmp_path: Path) -> None:
    image = LazyPhoto(_save(tmp_path / "a.png", RGB))()
    assert image.dtype == torch.float32
    np.testing.assert_array_equal((image * 255).numpy(), RGB)


def test_a_lazy_photo_shrinks_to_means_of_areas(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", RGB[:4, :6])
    means = torch.from_numpy(RGB[:4, :6].reshape(2, 2, 3, 2, 3).astype(np.float32).mean((1, 3)) / 255)
    torch.testing.assert_close(LazyPhoto(path, size=(3, 2))(), means, atol=1e-6, rtol=0)
    wide = torch.tensor([[1.0, 0.5, 0], [0, 0.5, 1]]) / 1.5  # of three pixels, half of the middle one to each side
    row = torch.from_numpy(RGB[:1, :3].astype(np.float32)) / 255
    shrunk = LazyPhoto(_save(tmp_path / "b.png", RGB[:1, :3]), size=(2, 1))()
    torch.testing.assert_close(shrunk, (wide @ row[0])[None], atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, -1)])
def test_a_lazy_photo_has_pixels(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="give a width and a height above 0"):
        LazyPhoto(Path("a.png"), size=size)
