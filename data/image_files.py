"""Photos in files: what they hold as colours in 0..255, whatever they are stored as."""

from __future__ import annotations

import warnings
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

from ..core.errors import CorruptFile, MissingPart, UnknownFormat

MOST_PIXELS = 2**28
"""Of a photo; a header that says more is not believed."""
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""


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
        UnknownFormat: Not an image that pillow reads.
        CorruptFile: Its header makes no sense.
    """
    with _opened(Path(path)) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(_ORIENTATION) in _TURNED else (width, height)


def read_image(path: str | PathLike[str], *, background: tuple[int, int, int] = (0, 0, 0)) -> ReadImage:
    """Decode a photo: 8 or 16 bits, grey, palette or colour, with or without alpha; EXIF orientation applied.

    Args:
        path: The file.
        background: What shows through transparent pixels, 0..255.

    Raises:
        MissingPart: No such file.
        UnknownFormat: Not an image that pillow reads.
        CorruptFile: It is truncated, or its header makes no sense.
    """
    from PIL import ImageOps

    path = Path(path)
    notes = []
    with _opened(path) as image:
        if image.getexif().get(_ORIENTATION, 1) not in (0, 1):
            notes.append("turned by its EXIF orientation")
        try:
            image.load()
            turned = ImageOps.exif_transpose(image)
        except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
            problem = f"the pixels cannot be decoded ({error}); the file may be truncated: fetch it again"
            raise CorruptFile(path, "pixels", problem) from error
        if turned.mode.startswith("I") or turned.mode == "F":
            turned, note = _to_bytes(np.asarray(turned, np.float64))
            notes.append(note)
        if turned.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in turned.info:
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

    def __call__(self) -> Float[Tensor, "h w 3"]:
        from PIL import Image

        rgb = read_image(self.path, background=self.background).rgb
        if self.size is not None and self.size != (rgb.shape[1], rgb.shape[0]):
            shrinks = self.size[0] <= rgb.shape[1] and self.size[1] <= rgb.shape[0]
            how = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC  # BOX is the mean over areas
            rgb = np.asarray(Image.fromarray(rgb).resize(self.size, how))
        return torch.from_numpy(np.ascontiguousarray(rgb)).float() / 255


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file as a pillow image whose header makes sense."""
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise MissingPart(f"{path}: no such photo")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
    except UnidentifiedImageError as error:
        raise UnknownFormat(
            f"{path}: not an image that can be read here; expected PNG, JPEG, WebP, TIFF or BMP"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        image = _huge(path)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise CorruptFile(path, "header", f"{error}; the file may be truncated: fetch it again") from error
    with image:
        width, height = image.size
        if width < 1 or height < 1 or width * height > MOST_PIXELS:
            raise CorruptFile(path, "header", f"{width} x {height} pixels; expected 1 to {MOST_PIXELS} in all")
        yield image


def _huge(path: Path) -> Any:
    """An image that pillow finds suspiciously large; our own limit decides."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    try:
        Image.MAX_IMAGE_PIXELS = None
        return Image.open(path)
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _to_bytes(values: np.ndarray) -> tuple[Any, str]:
    """Grey of 16 or 32 bits, or floats in 0..1, as 8 bits."""
    from PIL import Image

    values = np.nan_to_num(values)
    greatest = float(values.max()) if values.size else 0.0
    top = 1.0 if greatest <= 1 else 255.0 if greatest <= 255 else 65535.0 if greatest <= 65535 else greatest
    scaled = np.clip(values / top * 255 + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(scaled), f"brought from a range of 0 to {top:g} to 8 bits"


def _over(pixels: UInt8[np.ndarray, "h w 4"], background: tuple[int, int, int]) -> UInt8[np.ndarray, "h w 3"]:
    alpha = pixels[..., 3:].astype(np.float32) / 255
    mixed = pixels[..., :3] * alpha + np.asarray(background, np.float32) * (1 - alpha)
    return (mixed + 0.5).astype(np.uint8)
