"""Photos as they are stored, without the turn that their EXIF data ask for.

COLMAP, nerfstudio and instant-ngp count pixels as they are stored: their cameras fit those.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ..image_files import LazyPhoto, image_size

_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, RuntimeError, LookupError, TypeError, ArithmeticError, MemoryError),
    *(struct.error, zlib.error),
)
"""What pillow raises on damaged files."""


def orientation(path: Path) -> int:
    """By EXIF, 1 to 8: how the stored pixels are to be turned. 1, not at all, where nothing sound says otherwise."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage that does not touch the pixels
            with Image.open(path) as image:
                found = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except (*_DAMAGE, Image.DecompressionBombError):  # what is wrong with the file is said where it is read
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def stored_size(path: Path) -> tuple[int, int]:
    """Width and height of the stored pixels.

    Raises:
        MissingPart, UnknownFormat, CorruptFile: See :func:`trisparse.data.image_files.image_size`.
    """
    width, height = image_size(path)
    return (height, width) if orientation(path) in _SIDEWAYS else (width, height)


@dataclass(frozen=True)
class StoredPhoto:
    """A ``Load`` of the pixels as they are stored, of a photo that its EXIF data would turn."""

    path: Path
    background: tuple[int, int, int] = (0, 0, 0)
    size: tuple[int, int] | None = None
    """Width and height in pixels; None for those of the file."""

    def __call__(self) -> Float[Tensor, "h w 3"]:
        turn = orientation(self.path)
        size = self.size
        if size is not None and turn in _SIDEWAYS:
            size = (size[1], size[0])
        return turned_back(LazyPhoto(self.path, self.background, size)(), turn)


def turned_back(image: Float[Tensor, "h w c"], turn: int) -> Tensor:
    """The stored image, of one that was turned by an EXIF orientation."""
    match turn:
        case 2:
            return image.flip(1)
        case 3:
            return image.flip(0, 1)
        case 4:
            return image.flip(0)
        case 5:
            return image.transpose(0, 1)
        case 6:
            return torch.rot90(image, 1, (0, 1))
        case 7:
            return image.transpose(0, 1).flip(0, 1)
        case 8:
            return torch.rot90(image, -1, (0, 1))
        case _:
            return image
