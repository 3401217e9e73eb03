"""Photos as PNG files beside the cameras that a writer writes."""

from __future__ import annotations

import io
from pathlib import Path, PurePosixPath

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import CorruptFile, InvalidInput
from ...core.files import write_bytes
from ..posed_images import PosedImages
from .photo_folders import PHOTO_SUFFIXES, inner_path


def photo_names(photos: PosedImages) -> list[PurePosixPath]:
    """Names of the photos as files of a folder; without suffix where the set has none.

    Raises:
        InvalidInput: Two photos have one name, or a name cannot be a file's within the folder.
    """
    try:
        names = [inner_path(Path("photos"), f"photo {i}", name) for i, name in enumerate(photos.names)]
    except CorruptFile as error:
        raise InvalidInput(f"{error}; rename it before it is written") from error
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"two photos are named {str(twice)!r}; name each its own way before they are written")
    return names


def write_photos(photos: PosedImages, folder: Path) -> list[PurePosixPath]:
    """Write all photos as PNG of 8 bits into a folder, under their names with the suffix .png.

    Returns:
        Their names in the folder.

    Raises:
        InvalidInput: See :func:`photo_names`; or two names differ in their suffix alone.
    """
    names = [_png_name(name) for name in photo_names(photos)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(
            f"two photos would be written as {str(twice)!r}; names must differ in more than their suffix"
        )
    for row, name in enumerate(names):
        write_bytes(folder / name, png_bytes(photos.image(row)))
    return names


def _png_name(name: PurePosixPath) -> PurePosixPath:
    is_photo = name.suffix.lower() in PHOTO_SUFFIXES
    return name.with_suffix(".png") if is_photo else name.with_name(name.name + ".png")


def png_bytes(image: Float[Tensor, "h w 3"]) -> bytes:
    """A photo, 0..1, as a PNG file of 8 bits."""
    from PIL import Image

    levels = (image.detach().cpu() * 255).round().clamp(0, 255).to(torch.uint8)
    out = io.BytesIO()
    Image.fromarray(levels.numpy()).save(out, "PNG")
    return out.getvalue()
