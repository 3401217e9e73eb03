"""COLMAP models, text and binary: photos with cameras, and the points that they see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from ...core.errors import CorruptFile, MissingPart
from ..point_cloud import PointCloud
from ..posed_images import PosedImages, SparsePoints
from . import colmap_binary, colmap_text
from .colmap_model import ColmapModel, ColmapPoints
from .photo_folders import PhotoFolder, inner_path, require_some, without_camera
from .photo_set import View, checked_sights, photo_set

_PLACES = ("", "sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse", "0")
"""Where a project keeps its model, in the order in which it is looked for."""
_MOST_SIGHTS = 1 << 30
"""Points times photos: bytes of the table of who sees what. Above, the points that fewest photos see are left out."""
_LARGEST = 1e12
"""Of a point's coordinates."""


def find_colmap(path: str | PathLike[str]) -> Path | None:
    """The folder of a COLMAP model at a path or in the usual places below it; None where there is none."""
    path = Path(path)
    path = path.parent if path.name in ("cameras.bin", "cameras.txt") else path
    for place in _PLACES:
        for suffix in (".bin", ".txt"):
            if all((path / place / f"{part}{suffix}").is_file() for part in ("cameras", "images")):
                return path / place
    return None


def read_colmap(path: str | PathLike[str], images: str | PathLike[str] | None = None) -> PosedImages:
    """Read the photos, cameras and points of a COLMAP model, sorted by the photos' names.

    COLMAP's world has any scale and any direction up, and is left as it is.

    Args:
        path: A model's folder, or a project's that holds it as ``sparse/0``. Binary files are preferred to text.
        images: The folder of the photos, or its name beside the model (``images_8``: smaller photos; the cameras are brought
            to their size). By default the one of the usual places that holds most of them.

    Raises:
        MissingPart: No model or none of its photos is there.
        CorruptFile: A file is truncated or contradicts itself; a pose or lens is none.
        UnknownFormat: A camera model that is not read here.
        InvalidInput: The photos have several sizes, or some have fisheye lenses and others not.
    """
    folder = find_colmap(path)
    if folder is None:
        raise MissingPart(
            f"{path}: no COLMAP model; looked for cameras and images as .bin or .txt in "
            f"{', '.join(str(Path(path) / place) for place in _PLACES)}"
        )
    model = read_model(folder)
    named = folder / ("images.bin" if (folder / "images.bin").is_file() else "images.txt")
    order = sorted(range(len(model.images)), key=lambda i: model.images[i].name)
    names = [inner_path(named, f"image {i + 1}", model.images[i].name) for i in order]
    photos, found = _photos(folder, Path(path), names, images)
    require_some(named, names, found, photos)
    views = [
        colmap_view(named, model, i, name.as_posix(), photo) for i, name, photo in zip(order, names, found, strict=True)
    ]
    kept = [model.images[i].number for i, photo in zip(order, found, strict=True) if photo is not None]
    points, notes = sparse_points(model.points, kept, {image.number for image in model.images})
    photos = photo_set(named, views, warnings=(*notes, *without_camera(found)))
    points, odd = checked_sights(points, photos.cameras)
    return replace(photos, points=points, warnings=(*photos.warnings, *odd))


def read_model(folder: str | PathLike[str]) -> ColmapModel:
    """The three files of a model; without a file of points it has none.

    Raises:
        CorruptFile, UnknownFormat, MissingPart: See :func:`read_colmap`.
    """
    folder = Path(folder)
    files, suffix = (colmap_binary, ".bin") if (folder / "cameras.bin").is_file() else (colmap_text, ".txt")
    for part in ("cameras", "images"):
        if not (folder / f"{part}{suffix}").is_file():
            raise MissingPart(f"{folder / part}{suffix}: no such file; expected the {part} of a COLMAP model")
    points = folder / f"points3D{suffix}"
    return ColmapModel(
        files.read_cameras(folder / f"cameras{suffix}"),
        files.read_images(folder / f"images{suffix}"),
        files.read_points(points) if points.is_file() else ColmapPoints(),
    )


def colmap_view(path: Path, model: ColmapModel, row: int, name: str, photo: Path | None) -> View:
    """The image at some row of a model as a view of a photo.

    Raises:
        CorruptFile: Its camera is not in the model; its lens or pose is none. ``path`` is for the message.
    """
    image, where = model.images[row], f"image {row + 1}"
    camera = model.cameras.get(image.camera)
    if camera is None:
        raise CorruptFile(path, where, f"its camera {image.camera} is not among the model's {len(model.cameras)}")
    return View(where, name, photo, camera.lens(path, where), image.camera_from_world(path, where))


# Photos


def _photos(
    folder: Path, given: Path, names: Sequence[PurePosixPath], images: str | PathLike[str] | None
) -> tuple[str, list[Path | None]]:
    """Where the photos were looked for, as text, and their files."""
    roots = list(dict.fromkeys([given, folder, folder.parent, folder.parent.parent]))
    if images is not None:
        beside = [root / images for root in roots if (root / images).is_dir()]
        place = beside[0] if beside else Path(images)
        first = next((root / "images" for root in roots if (root / "images").is_dir()), None)
        return str(place), PhotoFolder(place, any_suffix=True, originals=first).find_all(names)
    places = list(dict.fromkeys(place for root in roots for place in (root / "images", root)))
    found = [PhotoFolder(place).find_all(names) for place in places]
    best = max(range(len(places)), key=lambda i: sum(photo is not None for photo in found[i]))  # the first of equals
    return ", ".join(map(str, places)), found[best]


# Points


def sparse_points(points: ColmapPoints, kept: Sequence[int], known: set[int]) -> tuple[SparsePoints | None, list[str]]:
    """The points and which of some images see them, and what had to be left out.

    Args:
        points: Of a model.
        kept: Numbers of the images that are columns of the visibility.
        known: Numbers of all images of the model.
    """
    if not len(points.xyz):
        return None, []
    notes = []
    stray = int((~np.isin(points.image, list(known))).sum())
    if stray:
        notes.append(f"{stray} sights of points are in images that the model does not have: left out")
    columns = {number: i for i, number in enumerate(kept)}
    column = np.array([columns.get(number, -1) for number in points.image.tolist()], np.int64)
    seen, column = points.seen[column >= 0], column[column >= 0]
    good = np.asarray((np.isfinite(points.xyz) & (np.abs(points.xyz) < _LARGEST)).all(1))
    if not good.all():
        notes.append(f"{int((~good).sum())} of {len(good)} points have NaN or infinity in them: left out")
    if good.sum() * len(kept) > _MOST_SIGHTS:
        most = _MOST_SIGHTS // len(kept)
        notes.append(f"only those {most} of {int(good.sum())} points are kept that most photos see")
        sights = np.where(good, np.bincount(seen, minlength=len(good)), -1)
        good[:] = False
        good[np.argsort(-sights, kind="stable")[:most]] = True
    rows = np.cumsum(good) - 1
    visible = torch.zeros(int(good.sum()), len(kept), dtype=torch.bool)
    inside = good[seen]
    visible[torch.from_numpy(rows[seen[inside]]), torch.from_numpy(column[inside])] = True
    cloud = PointCloud(torch.from_numpy(points.xyz[good]).float(), torch.from_numpy(points.rgb[good]).float() / 255)
    return SparsePoints(cloud, visible), notes
