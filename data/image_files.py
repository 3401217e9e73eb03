"""Photos in files: what they hold as colours in 0..255, whatever they are stored as."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ..core.errors import CorruptFile, InvalidInput, MissingPart, UnknownFormat
from .resizing import resize_image

MOST_PIXELS = 2**27
"""Of a photo; a header that says more is not believed."""
_FREE_PIXELS = 2**24
_MOST_PIXELS_A_BYTE = 100
"""Above `_FREE_PIXELS` a file must hold a byte for so many: a small one that claims to be huge is a decompression bomb."""
TURNED = "turned by its EXIF orientation"
_TRANSPARENT = ("LA", "PA", "RGBA", "La", "RGBa")
_ROWS = 64
"""At once, where numbers take more memory than the bytes that they become."""
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
"""Pillow knows more, among them some that start programs (EPS)."""
_PILLOW_ERRORS = (
    *(OSError, SyntaxError, ValueError, RuntimeError, LookupError, TypeError, ArithmeticError, MemoryError),
    *(struct.error, zlib.error),
)
"""What pillow raises on damaged files."""


@dataclass(frozen=True, eq=False)
class ReadImage:
    """A photo's pixels."""

    rgb: UInt8[np.ndarray, "h w 3"]
    """Grey photos have three equal channels; transparent ones lie on the background."""
    alpha: UInt8[np.ndarray, "h w"] | None
    """Where the file has transparency."""
    notes: tuple[str, ...]
    """What was done: turned by its EXIF orientation, brought from 16 bits to 8."""


def image_size(path: str | PathLike[str]) -> tuple[int, int]:
    """Width and height in pixels, EXIF orientation applied, without decoding.

    Raises:
        MissingPart: No such file.
        UnknownFormat: Not an image of a format that is read here.
        CorruptFile: Its header makes no sense.
    """
    with _opened(Path(path)) as image:
        return _turned_size(image)


def image_notes(path: str | PathLike[str], *, background: tuple[int, int, int] = (0, 0, 0)) -> tuple[str, ...]:
    """What :func:`read_image` will change, as far as the header tells; nothing of most photos.

    Raises:
        MissingPart, UnknownFormat, CorruptFile: See :func:`image_size`.
    """
    with _opened(Path(path)) as image:
        is_deep = image.mode[:1] in ("I", "F") or any(";16" in str(tile[3]) for tile in image.tile)
        notes = {
            TURNED: _orientation(image) != 1,
            "brought from 16 or 32 bits to 8": is_deep,
            f"laid on the colour {background} where it is transparent": _is_transparent(image),
        }
    return tuple(note for note, holds in notes.items() if holds)


def read_image(path: str | PathLike[str], *, background: tuple[int, int, int] = (0, 0, 0)) -> ReadImage:
    """Decode a photo: 8 or 16 bits, grey, palette or colour, with or without alpha; EXIF orientation applied.

    Args:
        path: The file.
        background: What shows through transparent pixels, 0..255.

    Raises:
        MissingPart: No such file.
        UnknownFormat: Not an image of a format that is read here, or of numbers whose range is unknown.
        CorruptFile: It is truncated, or its header makes no sense.
    """
    path = Path(path)
    with _opened(path) as image:
        orientation = _orientation(image)
        notes = [TURNED] if orientation != 1 else []
        with _decoding(path):
            image.load()
            turned = image if image.format == "TIFF" else _turn(image, orientation)  # pillow turns TIFF itself
        if turned.mode.startswith("I") or turned.mode == "F":
            grey, note = _grey_bytes(path, np.asarray(turned), turned.mode)
            return ReadImage(np.repeat(grey[..., None], 3, 2), None, (*notes, note))
        with _decoding(path):
            if turned.mode in ("La", "RGBa"):  # multiplied by alpha
                turned = turned.convert({"La": "LA", "RGBa": "RGBA"}[turned.mode])
            if _is_transparent(turned):
                pixels = np.asarray(turned.convert("RGBA"))
                rgb, alpha = _over(pixels, background), np.ascontiguousarray(pixels[..., 3])
                return ReadImage(rgb, alpha, tuple(notes))
            return ReadImage(np.array(turned.convert("RGB")), None, tuple(notes))


@dataclass(frozen=True)
class LazyPhoto:
    """Reads a photo when it is called, and brings it to a size: a ``Load`` of :class:`.posed_images.PosedImages`."""

    path: Path
    background: tuple[int, int, int] = (0, 0, 0)
    """What shows through transparent pixels, 0..255."""
    size: tuple[int, int] | None = None
    """Width and height in pixels; None for those of the file."""

    def __post_init__(self) -> None:
        if self.size is not None and min(self.size) < 1:
            raise InvalidInput(f"a photo of {self.size[0]} x {self.size[1]} pixels; give a width and a height above 0")

    def __call__(self) -> Float[Tensor, "h w 3"]:
        rgb = torch.from_numpy(read_image(self.path, background=self.background).rgb)
        return (rgb.float() if self.size is None else resize_image(rgb, *self.size)) / 255


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file as a pillow image whose header makes sense."""
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise MissingPart(f"{path}: no such photo")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damage that does not touch the pixels; sizes are checked below
        try:
            image = Image.open(path, formats=_FORMATS)
        except UnidentifiedImageError as error:
            raise _unidentified(path) from error
        except Image.DecompressionBombError as error:
            raise CorruptFile(path, "header", f"{error!s:.200}; expected at most {MOST_PIXELS} pixels") from error
        except _PILLOW_ERRORS as error:
            raise CorruptFile(path, "header", f"{error!s:.200}; the file may be truncated: fetch it again") from error
        with image:
            width, height = image.size
            most = min(MOST_PIXELS, _FREE_PIXELS + _MOST_PIXELS_A_BYTE * path.stat().st_size)
            if width < 1 or height < 1 or width * height > most:
                raise CorruptFile(
                    path, "header", f"claims {width} x {height} pixels; expected 1 to {most} of a file of its length"
                )
            yield image


def _unidentified(path: Path) -> CorruptFile | UnknownFormat:
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        return CorruptFile(path, "header", "the file is empty; fetch it again")
    return UnknownFormat(
        f"{path}: not an image that can be read here, it begins with {start!r}; expected PNG, JPEG, WebP, TIFF, BMP, "
        "GIF or PPM: convert it, or fetch it again if it is truncated"
    )


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except _PILLOW_ERRORS as error:
        problem = f"the pixels cannot be decoded ({error!s:.200}); the file may be truncated: fetch it again"
        raise CorruptFile(path, "pixels", problem) from error


def _orientation(image: Any) -> int:
    """By EXIF, 1 to 8. What lies behind the pixels of a PNG file, or is damaged, does not count."""
    from PIL import Image

    try:
        found = Image.Image.getexif(image).get(_ORIENTATION, 1)  # not PngImageFile's, which decodes the pixels
    except _PILLOW_ERRORS:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _turned_size(image: Any) -> tuple[int, int]:
    width, height = image.size
    exchanged = image.format != "TIFF" and _orientation(image) in _TURNED  # pillow says TIFF's as it will turn it
    return (height, width) if exchanged else (width, height)


def _is_transparent(image: Any) -> bool:
    return image.mode in _TRANSPARENT or "transparency" in image.info


def _turn(image: Any, orientation: int) -> Any:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _grey_bytes(path: Path, values: np.ndarray, mode: str) -> tuple[UInt8[np.ndarray, "h w"], str]:
    """Grey of 16 bits, or floats in 0..1, as 8 bits. The range is the format's, not the photo's: dark ones stay dark."""
    top = 1.0 if mode == "F" else 65535.0
    least, greatest = float(values.min()), float(values.max())
    if not 0 <= least <= greatest <= top:
        raise UnknownFormat(
            f"{path}: grey values from {least:g} to {greatest:g}; expected whole numbers up to 65535 or fractions in 0..1: "
            "save it with 8 or 16 bits"
        )
    scaled = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS):
        rows = slice(start, start + _ROWS)
        scaled[rows] = (values[rows].astype(np.float64) / top * 255 + 0.5).astype(np.uint8)
    return scaled, f"brought from a range of 0 to {top:g} to 8 bits"


def _over(pixels: UInt8[np.ndarray, "h w 4"], background: tuple[int, int, int]) -> UInt8[np.ndarray, "h w 3"]:
    behind = np.asarray(background, np.float32)
    mixed = np.empty((*pixels.shape[:2], 3), np.uint8)
    for start in range(0, len(pixels), _ROWS):
        rows = slice(start, start + _ROWS)
        alpha = pixels[rows, :, 3:].astype(np.float32) / 255
        mixed[rows] = (pixels[rows, :, :3] * alpha + behind * (1 - alpha) + 0.5).astype(np.uint8)
    return mixed
