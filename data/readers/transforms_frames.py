"""Frames of a transforms.json: lens and pose of each photo, as nerfstudio, instant-ngp and NeRF's Blender scenes write them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from ..distortion import Model
from .json_files import entry, shown
from .lens_and_pose import OPENCV_FROM_OPENGL, Lens, check_lens, check_pose, inverse
from .photo_folders import PhotoFolder, inner_path, require_some
from .photo_set import View
from .stored_photo import stored_size

_PINHOLES = ("PINHOLE", "SIMPLE_PINHOLE", "PERSPECTIVE")
_OPENCV = ("OPENCV", "SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV")
_FISHEYES = ("OPENCV_FISHEYE", "FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
_NOT_READ = ("is_equirectangular", "is_latlong", "is_orthographic", "ftheta_p0", "rolling_shutter")
"""What instant-ngp says of images that are none of a lens of ours."""


@dataclass(frozen=True, eq=False)
class Document:
    """A parsed transforms.json."""

    path: Path
    content: Any

    def frames(self) -> list[Mapping[str, Any]]:
        """Its frames.

        Raises:
            CorruptFile: It is no object with a list of objects under "frames".
            MissingPart: The list is empty.
        """
        frames = entry(self.path, "the document", self.content, "frames", list)
        if not frames:
            raise MissingPart(f"{self.path}: has no frames; expected at least one photo with its pose")
        for i, frame in enumerate(frames):
            entry(self.path, f"frame {i}", frame, "file_path", str)
            entry(self.path, f"frame {i}", frame, "transform_matrix", list)
        return frames


def is_transforms(content: Any) -> bool:
    """Whether a parsed JSON file is one of transforms."""
    frames = content.get("frames") if isinstance(content, dict) else None
    return isinstance(frames, list) and any(isinstance(f, dict) and "transform_matrix" in f for f in frames[:1])


def read_views(document: Document, folder: Path, *, any_suffix: bool = False) -> list[View]:
    """The frames as views of photos in a folder, in the file's order.

    Raises:
        CorruptFile: A value is missing, of another type or out of range; names the frame.
        UnknownFormat: A camera that is not read here.
        MissingPart: None of the photos is there.
    """
    frames = document.frames()
    places = [f"frame {i}" for i in range(len(frames))]
    rows = list(zip(places, frames, strict=True))
    names = [inner_path(document.path, where, frame["file_path"]) for where, frame in rows]
    files = PhotoFolder(folder, any_suffix=any_suffix)
    found = files.find_all(names)
    require_some(document.path, names, found, str(folder))
    return [
        _view(document, where, frame, name, photo)
        for (where, frame), name, photo in zip(rows, names, found, strict=True)
    ]


def _view(document: Document, where: str, frame: Mapping[str, Any], name: PurePosixPath, photo: Path | None) -> View:
    path = document.path
    pose = check_pose(path, where, matrix_of(path, where, frame["transform_matrix"]))
    lens = _lens(_Numbers(path, where, frame, document.content), photo)
    full = name.as_posix() if photo is None or photo.name == name.name else name.with_name(photo.name).as_posix()
    return View(where, full, photo, check_lens(path, where, lens), OPENCV_FROM_OPENGL @ inverse(pose))


def matrix_of(path: Path, where: str, rows: Sequence[Any]) -> np.ndarray:
    """A matrix that a JSON file holds as a list of rows.

    Raises:
        CorruptFile: It is no table of numbers with 3 or 4 rows of 4.
    """
    good = len(rows) in (3, 4) and all(isinstance(row, list) and len(row) == 4 for row in rows)
    if not good or not all(isinstance(v, (int, float)) and not isinstance(v, bool) for row in rows for v in row):
        raise CorruptFile(path, where, "its transform_matrix is no table of 4 x 4 numbers (nor 3 x 4)")
    try:
        return np.array([[float(value) for value in row] for row in rows])
    except OverflowError as error:
        raise CorruptFile(path, where, "its transform_matrix holds a whole number that is too large") from error


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Numbers that a frame gives, or the document for all frames."""

    path: Path
    where: str
    frame: Mapping[str, Any]
    shared: Mapping[str, Any]

    def value(self, key: str) -> Any:
        """As it stands there; None where it does not."""
        return self.frame.get(key, self.shared.get(key))

    def number(self, key: str) -> float | None:
        """A number; None where there is none."""
        value = self.value(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CorruptFile(self.path, self.where, f"{key!r} is {shown(value)}, expected a number")
        if abs(value) > 1e12 or value != value:
            raise CorruptFile(self.path, self.where, f"{key!r} is {shown(value)}, expected a finite number below 1e12")
        return float(value)

    def pixels(self, key: str) -> int | None:
        """A number of pixels; None where there is none."""
        value = self.number(key)
        if value is not None and (value < 1 or value != int(value)):
            raise CorruptFile(self.path, self.where, f"{key!r} is {shown(value)}, expected a whole number of pixels")
        return None if value is None else int(value)


def _lens(numbers: _Numbers, photo: Path | None) -> Lens:
    width, height = numbers.pixels("w"), numbers.pixels("h")
    if width is None or height is None:
        width, height = stored_size(photo) if photo is not None else (1, 1)  # of a photo that is left out
    if numbers.value("intrinsics") is not None and numbers.number("camera_angle_x") is None:
        return _from_matrix(numbers, width, height)
    fx = _focal(numbers, "fl_x", "camera_angle_x", "x_fov", width)
    fy = _focal(numbers, "fl_y", "camera_angle_y", "y_fov", height)
    one = fx if fx is not None else fy
    if one is None:
        raise CorruptFile(
            numbers.path,
            numbers.where,
            "no focal length; expected fl_x (and fl_y) in pixels or camera_angle_x in radians, in the frame or for all",
        )
    cx, cy = numbers.number("cx"), numbers.number("cy")
    model, coefficients = _distortion(numbers)
    return Lens(
        width,
        height,
        one if fx is None else fx,
        one if fy is None else fy,
        width / 2 if cx is None else cx,
        height / 2 if cy is None else cy,
        model=model,
        coefficients=coefficients,
    )


def _from_matrix(numbers: _Numbers, width: int, height: int) -> Lens:
    """Robust e-NeRF's ``intrinsics``: K in rows, for pixel centres that are whole numbers."""
    rows = numbers.value("intrinsics")
    try:
        K = np.array([[float(value) for value in row] for row in rows])
        is_good = K.shape == (3, 3) and bool(np.isfinite(K).all()) and K[0, 0] > 0 and K[1, 1] > 0
    except (TypeError, ValueError, OverflowError):
        is_good, K = False, np.zeros((3, 3))
    if not is_good:
        raise CorruptFile(
            numbers.path,
            numbers.where,
            f"'intrinsics' is {shown(rows)}; expected three rows of three numbers, focal lengths above 0",
        )
    fx, fy, cx, cy = (float(value) for value in (K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5))
    return Lens(width, height, fx, fy, cx, cy, skew=float(K[0, 1]))


def _focal(numbers: _Numbers, focal: str, angle: str, degrees: str, size: int) -> float | None:
    given = numbers.number(focal)
    if given is not None:
        return given
    radians = numbers.number(angle)
    if radians is None:
        field = numbers.number(degrees)
        radians = None if field is None else math.radians(field)
    if radians is None:
        return None
    if not 1e-6 < radians < math.pi - 1e-6:
        raise CorruptFile(numbers.path, numbers.where, f"{angle!r} is {radians:g} radians, expected between 0 and pi")
    return 0.5 * size / math.tan(0.5 * radians)


def _distortion(numbers: _Numbers) -> tuple[Model, tuple[float, ...]]:
    named = numbers.value("camera_model")
    kind = "OPENCV" if named is None else named
    other = next((key for key in _NOT_READ if numbers.value(key)), None)
    if other or not isinstance(kind, str) or kind.upper() not in (*_PINHOLES, *_OPENCV, *_FISHEYES):
        raise UnknownFormat(
            f"{numbers.path}: {numbers.where}: the camera {other or shown(kind)} is not read here; expected PINHOLE, OPENCV or "
            "OPENCV_FISHEYE: resample the photos first"
        )
    k1, k2, k3, k4, p1, p2 = (numbers.number(key) or 0.0 for key in ("k1", "k2", "k3", "k4", "p1", "p2"))
    if kind.upper() in _FISHEYES or numbers.value("is_fisheye"):
        return "fisheye", (k1, k2, k3, k4)
    if kind.upper() in _PINHOLES or not any((k1, k2, k3, k4, p1, p2)):
        return "pinhole", ()
    if k4:
        raise UnknownFormat(
            f"{numbers.path}: {numbers.where}: k4 = {k4:g} of a camera that is no fisheye: nerfstudio's fourth radial term, "
            "which OpenCV's model has not; resample the photos first"
        )
    return "opencv", (k1, k2, p1, p2, k3)
