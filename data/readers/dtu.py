"""DTU's multi-view stereo scans: rectified photos under one light, a projection matrix each, and masks of the object."""

from __future__ import annotations

import re
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool
from scipy.linalg import rq
from torch import Tensor

from ...core.errors import CorruptFile, InvalidInput, MissingPart
from ..image_files import read_image
from ..posed_images import PosedImages
from .lens_and_pose import Lens, check_lens, check_pose
from .photo_folders import list_photos
from .photo_set import View, photo_set
from .text_points import parse_numbers

_PHOTO = re.compile(r"rect_(\d{3})_(\w+)\.(?:png|jpg)")
_METRES_PER_UNIT = 1e-3
_NO_SKEW = 1e-4
"""Times the focal length: what the digits of the files leave of a skew of 0."""
_CALIBRATIONS = (
    "",
    "Calibration/cal18",
    "../Calibration/cal18",
    "../../Calibration/cal18",
    "../../../Calibration/cal18",
)
"""Where the matrices lie, seen from the photos, in the order in which they are looked for."""


def is_dtu(path: str | PathLike[str]) -> bool:
    """Whether a folder holds photos named as DTU's."""
    return any(_PHOTO.fullmatch(name) for name in list_photos(Path(path)))


def read_dtu(
    path: str | PathLike[str],
    calibration: str | PathLike[str] | None = None,
    *,
    light: str = "3_r5000",
    most: int = 49,
) -> PosedImages:
    """Read a DTU scan: ``rect_001_3_r5000.png`` and so on, in the order of their numbers.

    The matrices are split into K and pose; millimetres become metres; the principal point gets half a pixel added, as they
    count integer pixel centres.

    Args:
        path: The folder of photos, at their full size or smaller by one factor.
        calibration: The folder of ``pos_001.txt`` and so on; by default the photos' own, or ``Calibration/cal18`` beside it
            or up to three folders above.
        light: The end of the photos' names: which of the lights was on.
        most: Only photos with numbers up to this are read: the protocols take 49 of the 64 that some scans have.

    Raises:
        MissingPart: No photos, no matrices, or none for some photo.
        CorruptFile: A file is no 3 x 4 matrix that a camera has.
        InvalidInput: The photos have several sizes.
    """
    path = Path(path)
    matches = [match for name in list_photos(path) if (match := _PHOTO.fullmatch(name)) and match[2] == light]
    photos = {int(match[1]): path / match[0] for match in matches if int(match[1]) <= most}
    if not photos:
        lights = sorted({match[2] for name in list_photos(path) if (match := _PHOTO.fullmatch(name))})
        raise MissingPart(
            f"{path}: no photos rect_001_{light}.png and so on (lights found: {', '.join(lights) or 'none'})"
        )
    folder = _calibration(path, calibration)
    views = [_view(folder / f"pos_{number:03d}.txt", photo) for number, photo in sorted(photos.items())]
    notes = ["millimetres became metres"]
    gaps = max(photos) - len(photos)
    if gaps:
        notes.append(
            f"{gaps} photos up to number {max(photos)} are not there: a photo's row is not its number less one"
        )
    return photo_set(path, views, warnings=notes)


def read_dtu_masks(path: str | PathLike[str], photos: PosedImages) -> Bool[Tensor, "n h w"]:
    """Where some photos of :func:`read_dtu` show the object.

    A pixel of a smaller photo counts where every pixel of the mask under it does.

    Args:
        path: The folder of masks ``000.png`` (photo 1) and so on, as IDR made them, or one that holds them as ``mask``.
        photos: The photos.

    Raises:
        MissingPart: A mask is not there.
        InvalidInput: A photo's name is not one of DTU's, or a mask has another shape.
    """
    path = Path(path)
    folder = path / "mask" if (path / "mask").is_dir() else path
    width, height = photos.cameras.width, photos.cameras.height
    masks = torch.zeros(len(photos), height, width, dtype=torch.bool)
    for row, name in enumerate(photos.names):
        match = _PHOTO.fullmatch(Path(name).name)
        if match is None:
            raise InvalidInput(f"{name!r} is no name of a DTU photo; expected rect_001_3_r5000.png or its like")
        file = folder / f"{int(match[1]) - 1:03d}.png"
        if not file.is_file():
            raise MissingPart(f"{file}: no such mask, of {name}; expected 000.png for photo 1 and so on")
        masks[row] = _mask(file, width, height)
    return masks


def _mask(path: Path, width: int, height: int) -> Bool[Tensor, "h w"]:
    full = torch.from_numpy(read_image(path).rgb[..., 0] == 255)
    factor = full.shape[1] // width
    if tuple(full.shape) != (height * factor, width * factor) or factor < 1:
        raise InvalidInput(
            f"{path}: a mask of {full.shape[1]} x {full.shape[0]} pixels for photos of {width} x {height}; expected the same "
            "size or a whole multiple"
        )
    return full.reshape(height, factor, width, factor).all(3).all(1)


def _calibration(path: Path, given: str | PathLike[str] | None) -> Path:
    places = [Path(given)] if given is not None else [path / place for place in _CALIBRATIONS]
    for place in places:
        if (place / "pos_001.txt").is_file():
            return place
    raise MissingPart(f"{path}: no projection matrices; looked for pos_001.txt in {', '.join(map(str, places))}")


def _view(path: Path, photo: Path) -> View:
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected the projection matrix of {photo.name}")
    numbers = parse_numbers(path, path.read_bytes())
    if numbers.size != 12 or not np.isfinite(numbers).all() or not 0 < np.abs(numbers).max() < 1e12:
        raise CorruptFile(path, "matrix", f"{numbers.size} numbers, expected 3 x 4 finite ones of a projection matrix")
    lens, pose = split_projection(path, numbers.reshape(3, 4))
    pose[:3, 3] *= _METRES_PER_UNIT
    lens = replace(lens, cx=lens.cx + 0.5, cy=lens.cy + 0.5)
    return View(path.name, photo.name, photo, lens, pose)


def split_projection(path: Path, projection: np.ndarray) -> tuple[Lens, np.ndarray]:
    """K and camera-from-world (4, 4) of a projection matrix (3, 4), of any scale and sign, in its own pixels and units.

    Raises:
        CorruptFile: It is none of a camera that sees points in front of it.
    """
    left = projection[:, :3]
    scale = np.abs(left).max()
    if scale == 0 or np.linalg.cond(left) > 1e12:
        raise CorruptFile(path, "matrix", "it cannot be inverted: no projection matrix of a camera")
    projection = projection / (scale * np.sign(np.linalg.det(left)))
    K, rotation = rq(projection[:, :3])
    signs = np.diag(np.sign(np.diag(K)))
    K, rotation = K @ signs, signs @ rotation
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, np.linalg.solve(K, projection[:, 3])
    K = K / K[2, 2]
    skew = K[0, 1] if abs(K[0, 1]) > _NO_SKEW * K[0, 0] else 0.0
    lens = Lens(None, None, float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]), float(skew))
    return check_lens(path, "matrix", lens), check_pose(path, "matrix", pose)
