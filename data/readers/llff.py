"""LLFF scenes: poses_bounds.npy beside folders of photos at several sizes."""

from __future__ import annotations

from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import CorruptFile, InvalidInput, MissingPart
from ..posed_images import PosedImages
from .lens_and_pose import Lens, check_pose, inverse
from .npz import ArrayFile
from .photo_folders import list_photos
from .photo_set import View, photo_set

_COLUMNS = 17
"""Of a row: 3 x 5 numbers (three axes, the position, and height, width, focal length), then the nearest and farthest depth."""


def read_llff(path: str | PathLike[str], images: str | PathLike[str] | None = None) -> PosedImages:
    """Read an LLFF scene: photos sorted by name, as the rows of poses_bounds.npy are.

    Its poses are world-from-camera with the axes down, right, back, which become ours; pixel centres at +0.5, the principal
    point in the middle. Its world has any scale and any direction up, and is left as it is.

    Args:
        path: The scene's folder.
        images: The folder of photos within it, or elsewhere: ``images`` by default; the benchmarks take ``images_8``, or
            ``images_4``. Cameras are brought to the photos' size.

    Raises:
        MissingPart: No poses_bounds.npy, or no photos.
        CorruptFile: The table has other columns, or NaN; a pose or lens is none.
        UnsafeFile: The array holds Python objects.
        InvalidInput: There are not as many photos as rows, or they have several sizes.
    """
    path = Path(path)
    table = _table(path / "poses_bounds.npy")
    folder = path / (images or "images")
    if images is not None and not folder.is_dir() and Path(images).is_dir():
        folder = Path(images)
    names = list_photos(folder)
    if not names:
        others = sorted(f.name for f in path.glob("images*") if list_photos(f))
        raise MissingPart(
            f"{folder}: holds no photos; expected those of an LLFF scene (found {', '.join(others) or 'none'})"
        )
    if len(names) != len(table):
        raise InvalidInput(
            f"{folder} holds {len(names)} photos, but poses_bounds.npy beside it {len(table)} rows, which belong to them in "
            "the order of their names; remove the files that are too many, or bring back those that are missing"
        )
    source = path / "poses_bounds.npy"
    views = [_view(source, i, row, folder / name) for i, (row, name) in enumerate(zip(table, names, strict=True))]
    return photo_set(source, views)


def read_llff_bounds(path: str | PathLike[str]) -> Float[Tensor, "n 2"]:
    """The nearest and the farthest depth along the optical axis that LLFF says each photo shows, in the order of photos.

    Raises:
        MissingPart, CorruptFile, UnsafeFile: See :func:`read_llff`.
    """
    return torch.from_numpy(_table(Path(path) / "poses_bounds.npy")[:, 15:].copy()).float()


def _table(path: Path) -> np.ndarray:
    """The array (n, 17), finite."""
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected the cameras of an LLFF scene")
    table = ArrayFile(path).read("array") if ArrayFile(path).is_npy else None
    if table is None or table.ndim != 2 or table.shape[1] != _COLUMNS or table.dtype.kind not in "fiu":
        what = "is an archive" if table is None else f"holds {table.dtype!s:.40} of shape {table.shape}"
        raise CorruptFile(path, "array", f"{what}, expected numbers of shape (photos, {_COLUMNS})")
    table = table.astype(np.float64)
    bad = ~np.isfinite(table).all(1) | (np.abs(table) > 1e12).any(1)
    if bad.any():
        raise CorruptFile(
            path, f"row {int(bad.argmax())}", "holds NaN, infinity or a number above 1e12; expected finite ones"
        )
    return table


def _view(source: Path, number: int, row: np.ndarray, photo: Path) -> View:
    where = f"row {number}"
    axes = row[:15].reshape(3, 5)
    down, right, back, position = axes[:, :4].T
    height, width, focal = axes[:, 4]
    if width < 1 or height < 1 or width != round(width) or height != round(height):
        raise CorruptFile(source, where, f"an image of {width:g} x {height:g} pixels, expected whole numbers above 0")
    pose = check_pose(source, where, np.stack([right, down, -back, position], 1))
    lens = Lens(int(width), int(height), focal, focal, width / 2, height / 2)
    return View(where, PurePosixPath(photo.name).as_posix(), photo, lens, inverse(pose))
