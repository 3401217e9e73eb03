"""A plain list of cameras, cameras.json, beside a folder of photos; perhaps points.npz."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core.errors import CorruptFile, InvalidInput, MissingPart, UnknownFormat
from ...core.files import write_bytes, write_text
from ..cameras import Cameras
from ..distortion import PARAMETERS
from ..point_cloud import PointCloud
from ..posed_images import PosedImages, SparsePoints
from .json_files import entry, read_json, shown
from .lens_and_pose import Lens, check_lens, check_pose
from .npz import ArrayFile
from .photo_folders import PhotoFolder, inner_path, require_some, without_camera
from .photo_set import View, checked_sights, photo_set
from .photo_writing import photo_names, write_photos

_WHAT = "a list of photos with K, R and t of their cameras"
_CONVENTION = (
    "x right, y down, z forward: X_camera = R X_world + t, pixel = K X_camera / z; the centre of the first pixel lies at "
    "(pixel_centers, pixel_centers)"
)
_LARGEST = 1e12
"""Of a point's coordinates."""


def find_camera_json(path: str | PathLike[str]) -> Path | None:
    """A cameras.json at a path or in the folder there; None where there is none. What it holds is not looked at."""
    path = Path(path)
    file = path / "cameras.json" if path.is_dir() else path
    return file if file.is_file() and file.suffix == ".json" else None


def read_camera_json(
    path: str | PathLike[str],
    images: str | PathLike[str] | None = None,
    *,
    background: tuple[int, int, int] = (0, 0, 0),
) -> PosedImages:
    """Read photos, cameras and points of a plain list of cameras, in the order of its frames.

    The file is ``{"pixel_centers": 0.5, "frames": [{"file": "a.jpg", "K": 3 x 3, "R": 3 x 3, "t": 3}]}`` with
    ``X_camera = R X_world + t`` and ``pixel = K X_camera / z``; a frame may have ``width`` and ``height``, ``distortion``
    and ``model`` (see :data:`trisparse.data.distortion.PARAMETERS`). ``pixel_centers`` says where the centre of the first
    pixel lies; without it the file counts as OpenCV does, from 0, and half a pixel is added to the principal points.

    Points are ``xyz`` (p, 3), ``rgb`` (p, 3) of bytes and ``visible`` (p, frames) in a ``points.npz`` beside it. The world
    has any scale and any direction up, and is left as it is.

    Args:
        path: The file, or the folder that holds it as ``cameras.json``.
        images: The folder of the photos; ``images`` beside the file by default, or the file's own where there is none.
        background: What shows through transparent photos, 0..255.

    Raises:
        MissingPart: No such file, no frames, or none of the photos is there.
        CorruptFile: It contradicts itself; a pose or lens is none; a path leads out of the folder.
        UnsafeFile: The points hold Python objects.
        UnknownFormat: A camera model that is not known, or points that are no NPZ.
        InvalidInput: The photos have several shapes, or some have fisheye lenses and others not.
    """
    path = Path(path)
    path = path / "cameras.json" if path.is_dir() else path
    content = read_json(path, _WHAT)
    frames = entry(path, "the document", content, "frames", list)
    if not frames:
        raise MissingPart(f"{path}: has no frames; expected at least one photo with its camera")
    shift, notes = _half_pixel(path, content)
    beside = path.parent / "images"
    folder = Path(images) if images is not None else beside if beside.is_dir() else path.parent
    places = [f"frame {i}" for i in range(len(frames))]
    names = [
        inner_path(path, where, entry(path, where, frame, "file", str))
        for where, frame in zip(places, frames, strict=True)
    ]
    found = PhotoFolder(folder, any_suffix=images is not None).find_all(names)
    require_some(path, names, found, str(folder))
    views = [
        View(where, name.as_posix(), photo, _lens(path, where, frame, shift), _pose(path, where, frame))
        for where, frame, name, photo in zip(places, frames, names, found, strict=True)
    ]
    photos = photo_set(path, views, background=background, warnings=(*notes, *without_camera(found)))
    points, more = _points(path.parent / "points.npz", photos.cameras, [photo is not None for photo in found])
    points, odd = checked_sights(points, photos.cameras)
    return replace(photos, points=points, warnings=(*photos.warnings, *more, *odd))


def _half_pixel(path: Path, content: Any) -> tuple[float, list[str]]:
    """What is added to principal points, and what to say of it."""
    value = content.get("pixel_centers")
    if value is None:
        return 0.5, ["pixel_centers is not given: taken for 0, as OpenCV counts; half a pixel was added"]
    if isinstance(value, bool) or value not in (0, 0.5):
        raise CorruptFile(path, "the document", f"'pixel_centers' is {shown(value)}, expected 0.5 or 0")
    return 0.5 - value, []


# Frames


def _lens(path: Path, where: str, frame: Any, shift: float) -> Lens:
    K = _numbers(path, where, frame, "K", (3, 3))
    if K[1, 0] or K[2].tolist() != [0, 0, 1]:
        raise CorruptFile(
            path, where, f"K is {K.tolist()}, expected [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] in pixels"
        )
    width, height = _pixels(path, where, frame, "width"), _pixels(path, where, frame, "height")
    given = frame.get("distortion", [])
    coefficients = _numbers(path, where, frame, "distortion", (None,)).tolist() if given != [] else []
    model = frame.get("model", "opencv" if given else "pinhole")
    if not isinstance(model, str) or model not in PARAMETERS:
        raise UnknownFormat(f"{path}: {where}: no camera model {shown(model)}; choose from {', '.join(PARAMETERS)}")
    if len(coefficients) > PARAMETERS[model]:
        raise CorruptFile(
            path, where, f"{len(coefficients)} coefficients of distortion; {model} has at most {PARAMETERS[model]}"
        )
    lens = Lens(
        *(width, height, K[0, 0], K[1, 1], K[0, 2] + shift, K[1, 2] + shift, K[0, 1]),
        model=model,  # pyright: ignore[reportArgumentType]
        coefficients=tuple(coefficients),
    )
    return check_lens(path, where, lens)


def _pose(path: Path, where: str, frame: Any) -> np.ndarray:
    R, t = _numbers(path, where, frame, "R", (3, 3)), _numbers(path, where, frame, "t", (3,))
    return check_pose(path, where, np.concatenate([R, t[:, None]], 1))


def _pixels(path: Path, where: str, frame: Any, key: str) -> int | None:
    if frame.get(key) is None:
        return None
    value = entry(path, where, frame, key, int)
    if not 1 <= value <= 1_000_000:
        raise CorruptFile(path, where, f"{key!r} is {shown(value)}, expected 1 to 1000000 pixels")
    return value


def _numbers(path: Path, where: str, frame: Any, key: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """A list of numbers, or a list of such lists."""
    rows = entry(path, where, frame, key, list)
    inner = [rows] if len(shape) == 1 else rows
    expected = " x ".join("any" if size is None else str(size) for size in shape)
    good = len(shape) == 1 or len(rows) == shape[0]
    good = good and all(isinstance(row, list) and shape[-1] in (None, len(row)) for row in inner)
    if not good or not all(isinstance(v, (int, float)) and not isinstance(v, bool) for row in inner for v in row):
        raise CorruptFile(path, where, f"{key!r} is not a list of {expected} numbers")
    try:
        values = np.array([[float(v) for v in row] for row in inner])
    except OverflowError as error:
        raise CorruptFile(path, where, f"{key!r} holds a whole number that is too large") from error
    if not np.isfinite(values).all():
        raise CorruptFile(path, where, f"{key!r} holds NaN or infinity, expected finite numbers")
    return values[0] if len(shape) == 1 else values


# Points


def _points(path: Path, cameras: Cameras, kept: Sequence[bool]) -> tuple[SparsePoints | None, list[str]]:
    """The points, and what had to be said of them; ``kept`` says which frames' photos are there."""
    if not path.is_file():
        return None, []
    file = ArrayFile(path)
    xyz, rgb = _array(file, "xyz", "fiu", 3), _array(file, "rgb", "u", 3)
    seen = _array(file, "visible", "b", len(kept))
    if xyz is None:
        raise MissingPart(f"{path}: no array 'xyz' (found {', '.join(map(repr, file.names[:8])) or 'none'})")
    for name, part in (("rgb", rgb), ("visible", seen)):
        if part is not None and len(part) != len(xyz):
            raise CorruptFile(path, f"array {name!r}", f"{len(part)} rows for {len(xyz)} points; expected one each")
    good = np.asarray((np.isfinite(xyz) & (np.abs(xyz) < _LARGEST)).all(1))
    notes = [] if good.all() else [f"{int((~good).sum())} of {len(good)} points have NaN or infinity in them: left out"]
    colors = None if rgb is None else torch.from_numpy(rgb[good].astype(np.float32) / np.iinfo(rgb.dtype).max)
    cloud = PointCloud(torch.from_numpy(xyz[good].astype(np.float32)), colors)
    if seen is None:
        notes.append("the points come without the photos that see them: seen counts where they project into a photo")
        return SparsePoints(cloud, cameras.project(cloud.points).inside.mT.contiguous()), notes
    return SparsePoints(cloud, torch.from_numpy(seen[good][:, list(kept)])), notes


def _array(file: ArrayFile, name: str, kinds: str, columns: int) -> np.ndarray | None:
    """A table of one kind of numbers; None where there is none of the name."""
    if name not in file.names:
        return None
    values = file.read(name)
    if values.ndim != 2 or values.shape[1] != columns or values.dtype.kind not in kinds:
        kind = {"u": "unsigned whole numbers", "b": "booleans"}.get(kinds, "numbers")
        found = f"holds {values.dtype!s:.40} of shape {values.shape}"
        raise CorruptFile(file.path, f"array {name!r}", f"{found}, expected {kind} of shape (points, {columns})")
    return values


# Writing


def write_camera_json(photos: PosedImages, folder: str | PathLike[str], *, with_photos: bool = True) -> Path:
    """Write ``cameras.json``, ``images/*.png`` and, where there are points, ``points.npz`` into a folder.

    Args:
        photos: Of any lens.
        folder: Made if it is missing.
        with_photos: Write the photos too; else the file names them as they are named.

    Returns:
        The file.

    Raises:
        InvalidInput: Names that cannot be files of one folder, or points with coordinates that single precision cannot hold.
    """
    folder = Path(folder)
    photo_names(photos)  # refused before anything is removed
    (folder / "cameras.json").unlink(missing_ok=True)  # where it is, the rest is whole
    names = write_photos(photos, folder / "images") if with_photos else photo_names(photos)
    frames = [_frame(str(name), photos.cameras[row]) for row, name in enumerate(names)]
    content = {"convention": _CONVENTION, "pixel_centers": 0.5, "frames": frames}
    points = folder / "points.npz"
    if photos.points is None:
        points.unlink(missing_ok=True)  # of an older set
    else:
        write_bytes(points, _npz(photos.points))
    write_text(folder / "cameras.json", json.dumps(content, indent=1) + "\n")
    return folder / "cameras.json"


def _frame(name: str, camera: Cameras) -> dict[str, Any]:
    pose = camera.camera_from_world[0].double().cpu()
    lens: dict[str, Any] = {"width": camera.width, "height": camera.height, "K": camera.K[0].double().cpu().tolist()}
    if camera.has_distortion:
        lens |= {"model": camera.model, "distortion": camera.distortion[0].double().cpu().tolist()}
    return {"file": name, **lens, "R": pose[:3, :3].tolist(), "t": pose[:3, 3].tolist()}


def _npz(points: SparsePoints) -> bytes:
    xyz = points.cloud.points.detach().float().cpu()
    if not bool(xyz.isfinite().all()):
        raise InvalidInput(
            "a point lies too far out for single precision; scale the world down first (`Cameras.moved`)"
        )
    arrays = {"xyz": xyz.numpy(), "visible": np.ascontiguousarray(points.visible.cpu().numpy())}
    if points.cloud.colors is not None:
        levels = (points.cloud.colors.detach().double().cpu().numpy() * 255).round().clip(0, 255)
        arrays["rgb"] = levels.astype(np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()
