"""Photos with cameras out of whatever folder or file they lie in, told by what is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from ...core.errors import MissingPart, UnknownFormat
from ..posed_images import PosedImages
from .blender import read_blender
from .camera_json import read_camera_json
from .colmap import find_colmap, read_colmap
from .dtu import is_dtu, read_dtu
from .json_files import read_json
from .llff import read_llff
from .middlebury import find_middlebury, read_middlebury
from .nerfstudio import read_transforms
from .photo_folders import PHOTO_SUFFIXES, list_photos
from .sfm import find_cameras
from .transforms_frames import is_transforms

Images = str | PathLike[str] | None


@dataclass(frozen=True)
class _Layout:
    """One way in which photos and cameras lie in a folder."""

    name: str
    sign: str
    """What it is told by, for the message when nothing is there."""
    is_here: Callable[[Path], bool]
    read: Callable[[Path, Images], PosedImages]


_LAYOUTS = (
    _Layout(
        "Blender scene",
        "transforms_train.json (Blender)",
        lambda path: (path / "transforms_train.json").is_file(),
        lambda path, images: _blender(path),
    ),
    _Layout(
        "transforms.json",
        "transforms.json (nerfstudio, instant-ngp)",
        lambda path: (path / "transforms.json").is_file(),
        lambda path, images: _json(path / "transforms.json", images),
    ),
    _Layout(
        "COLMAP model",
        "cameras.bin or .txt, also below sparse/0 (COLMAP)",
        lambda path: find_colmap(path) is not None,
        read_colmap,
    ),
    _Layout("LLFF scene", "poses_bounds.npy (LLFF)", lambda path: (path / "poses_bounds.npy").is_file(), read_llff),
    _Layout(
        "cameras.json",
        "cameras.json",
        lambda path: (path / "cameras.json").is_file(),
        lambda path, images: _json(path / "cameras.json", images),
    ),
    _Layout(
        "Middlebury set", "*_par.txt (Middlebury)", lambda path: find_middlebury(path) is not None, read_middlebury
    ),
    _Layout("DTU scan", "rect_001_3_r5000.png (DTU)", is_dtu, lambda path, images: read_dtu(path)),
)
"""In the order in which they count: a folder may have several."""


def read_photos(path: str | PathLike[str], images: Images = None, *, seed: int = 0) -> PosedImages:
    """Read photos and their cameras: COLMAP, transforms.json, Blender (its training photos), LLFF, cameras.json, Middlebury,
    DTU; or photos alone, whose cameras are then found by structure from motion, which takes seconds a photo.

    A folder that holds several kinds is read as the first of them in this order: Blender, transforms.json, COLMAP, LLFF,
    cameras.json, Middlebury, DTU.

    Args:
        path: A folder, or the file with the cameras.
        images: The folder of photos, where it is not the usual one (``images_8``).
        seed: For structure from motion.

    Returns:
        The photos; ``warnings`` say what was assumed or left out.

    Raises:
        MissingPart: Nothing is there, or nothing that is read here; lists what was looked for.
        UnknownFormat: A file that holds no cameras.
        DataError: What is there is damaged, or no cameras can be found from the photos alone.
        InvalidInput: The photos do not go together.
        BackendUnavailable: Photos alone, and pycolmap cannot be imported.
    """
    path = Path(path)
    if path.is_file():
        return _read_file(path, images)
    if not path.is_dir():
        raise MissingPart(f"{path}: no such file or folder; expected photos with cameras: {_looked_for()}")
    here = [layout for layout in _LAYOUTS if layout.is_here(path)]
    if here:
        photos = here[0].read(path, images)
        others = ", ".join(layout.name for layout in here[1:])
        note = f"read as {here[0].name}; the folder also holds {others}, which is not looked at"
        return replace(photos, warnings=(note, *photos.warnings)) if others else photos
    place = Path(path / images) if images is not None else path
    counts = len(list_photos(place)), len(list_photos(place / "images"))
    if max(counts) >= 2:
        return find_cameras(place, seed=seed)
    raise MissingPart(
        f"{path}: {max(counts) or 'no'} photos and no cameras that are read here; looked for {_looked_for()}; or at least two "
        "photos, alone or in the folder `images`, whose cameras can be found"
    )


def _read_file(path: Path, images: Images) -> PosedImages:
    name = path.name.lower()
    if name.endswith(".json"):
        return _json(path, images)
    if name.endswith("_par.txt"):
        return read_middlebury(path, images)
    if name.endswith(".npy"):
        if name != "poses_bounds.npy":
            raise UnknownFormat(f"{path}: an array, but not poses_bounds.npy of LLFF; expected {_looked_for()}")
        return read_llff(path.parent, images)
    if path.stem in ("cameras", "images", "points3D") and path.suffix in (".bin", ".txt"):
        return read_colmap(path.parent, images)
    what = "one photo; give the folder of several" if name.endswith(PHOTO_SUFFIXES) else "no file with cameras"
    raise UnknownFormat(f"{path}: {what}; expected {_looked_for()}")


def _json(path: Path, images: Images) -> PosedImages:
    content = read_json(path, "photos with cameras")
    if _has_matrices(content):
        return read_camera_json(path, images)
    if is_transforms(content) or path.name == "transforms.json":
        is_blender = path.name.startswith("transforms_")
        return read_transforms(path, images, background=(255, 255, 255) if is_blender else (0, 0, 0))
    if path.name == "cameras.json":
        return read_camera_json(path, images)  # which says what is wrong with it
    raise UnknownFormat(
        f"{path}: JSON, but no photos with cameras in it; expected `frames` with `transform_matrix` (nerfstudio, instant-ngp, "
        "Blender) or with K, R and t (cameras.json)"
    )


def _has_matrices(content: Any) -> bool:
    frames = content.get("frames") if isinstance(content, dict) else None
    return isinstance(frames, list) and any(isinstance(f, dict) and {"K", "R", "t"} <= f.keys() for f in frames[:1])


def _blender(path: Path) -> PosedImages:
    photos = read_blender(path)
    others = sorted(file.name for file in path.glob("transforms_*.json") if file.name != "transforms_train.json")
    note = f"photos of transforms_train.json; not those of {', '.join(others)}"
    return replace(photos, warnings=(note, *photos.warnings)) if others else photos


def _looked_for() -> str:
    return ", ".join(layout.sign for layout in _LAYOUTS)
