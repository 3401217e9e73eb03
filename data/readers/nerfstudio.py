"""transforms.json of nerfstudio and instant-ngp."""

from __future__ import annotations

import json
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core.errors import CorruptFile, InvalidInput
from ...core.files import write_text
from ..cameras import Cameras
from ..point_cloud import PointCloud
from ..posed_images import PosedImages, SparsePoints
from .json_files import read_json, shown
from .lens_and_pose import OPENCV_FROM_OPENGL
from .photo_folders import inner_path, some_of, without_camera
from .photo_set import photo_set
from .photo_writing import photo_names, write_photos
from .ply import write_ply
from .scan import read_scan_file
from .transforms_frames import Document, read_views

_WHAT = "a transforms.json of nerfstudio or instant-ngp"


def read_transforms(
    path: str | PathLike[str],
    images: str | PathLike[str] | None = None,
    *,
    background: tuple[int, int, int] = (0, 0, 0),
) -> PosedImages:
    """Read photos and cameras of a transforms.json, in the order of its frames.

    Its poses are world-from-camera in OpenGL's axes (y up, z back), which become ours; its pixel centres are at +0.5. Its
    world may have any scale and any direction up (nerfstudio promises z, instant-ngp nothing), and is left as it is.

    Args:
        path: The file, or the folder that holds it as ``transforms.json``.
        images: The folder that the photos' paths start from; by default the file's. Photos there may be smaller, or of
            another format.
        background: What shows through transparent photos, 0..255.

    Returns:
        The photos that are there. Points of ``ply_file_path`` come without the photos that see them: they count as seen by
        those into which they project, hidden or not.

    Raises:
        MissingPart: No such file, no frames, or none of the photos is there.
        CorruptFile: It contradicts itself; a pose or lens is none; a path leads out of the folder.
        UnknownFormat: A camera that is not read here.
        InvalidInput: The photos have several sizes, or some have fisheye lenses and others not.
    """
    path = Path(path)
    path = path / "transforms.json" if path.is_dir() else path
    document = Document(path, read_json(path, _WHAT))
    folder = path.parent if images is None else Path(images)
    views = read_views(document, folder, any_suffix=images is not None)
    # Blender's transforms_train.json and the like lie beside one another, and depth images beside their photos.
    extra = without_camera([view.photo for view in views]) if path.name == "transforms.json" else []
    photos = photo_set(path, views, background=background, warnings=extra)
    points, notes = _points(document, photos.cameras)
    return replace(photos, points=points, warnings=(*photos.warnings, *notes))


def _points(document: Document, cameras: Cameras) -> tuple[SparsePoints | None, list[str]]:
    name = document.content.get("ply_file_path")
    if name is None:
        return None, []
    if not isinstance(name, str):
        raise CorruptFile(document.path, "ply_file_path", f"is {shown(name)}, expected a path")
    path = document.path.parent / inner_path(document.path, "ply_file_path", name)
    if not path.is_file():
        return None, [f"the points {some_of([name])} are not there: read without them"]
    file = read_scan_file(path)
    visible = torch.stack([cameras[i].project(file.cloud.points).inside[0] for i in range(len(cameras))], 1)
    note = f"the points of {some_of([name])} come without the photos that see them: seen counts where they project into a photo"
    return SparsePoints(file.cloud, visible), [note, *file.notes]


def write_transforms(photos: PosedImages, folder: str | PathLike[str], *, with_photos: bool = True) -> Path:
    """Write ``transforms.json``, ``images/*.png`` and, where there are points, ``sparse_pc.ply`` into a folder.

    The file has no place for which photos see a point.

    Args:
        photos: Without skew in K, and without the coefficients k4 to k6 of OpenCV's model.
        folder: Made if it is missing.
        with_photos: Write the photos too; else the file names them as they are named.

    Returns:
        The file.

    Raises:
        InvalidInput: A camera that the format cannot hold, or names that cannot be files of one folder.
    """
    folder, cameras = Path(folder), photos.cameras
    lenses = [_lens_entries(cameras, i) for i in range(len(photos))]
    names = (
        [f"images/{name}" for name in write_photos(photos, folder / "images")] if with_photos else photo_names(photos)
    )
    shared = lenses[0] if lenses and all(lens == lenses[0] for lens in lenses) else {}
    poses = cameras.world_from_camera.double().cpu().numpy() @ OPENCV_FROM_OPENGL
    frames = [
        {"file_path": str(name), **({} if shared else lens), "transform_matrix": pose.tolist()}
        for name, lens, pose in zip(names, lenses, poses, strict=True)
    ]
    content: dict[str, Any] = {**shared, "frames": frames}
    if photos.points is not None and len(photos.points.cloud):  # an empty file would not be read again
        _write_points(folder / "sparse_pc.ply", photos.points.cloud)
        content["ply_file_path"] = "sparse_pc.ply"
    write_text(folder / "transforms.json", json.dumps(content, indent=1) + "\n")
    return folder / "transforms.json"


def _lens_entries(cameras: Cameras, row: int) -> dict[str, Any]:
    K: list[list[float]] = cameras.K[row].double().tolist()
    lens = cameras.distortion[row].double().tolist()
    if K[0][1]:
        raise InvalidInput(f"camera {row} has skew in K, which transforms.json cannot hold; resample the photos first")
    size = {"w": cameras.width, "h": cameras.height, "fl_x": K[0][0], "fl_y": K[1][1], "cx": K[0][2], "cy": K[1][2]}
    if cameras.model == "fisheye":
        return {"camera_model": "OPENCV_FISHEYE", **size, **dict(zip(("k1", "k2", "k3", "k4"), lens, strict=True))}
    if any(lens[5:]):
        raise InvalidInput(
            f"camera {row} has the rational coefficients k4 to k6, which transforms.json cannot hold; undistort the photos "
            "first"
        )
    if not any(lens):
        return {"camera_model": "PINHOLE", **size}
    return {"camera_model": "OPENCV", **size, **dict(zip(("k1", "k2", "p1", "p2", "k3"), lens, strict=False))}


def _write_points(path: Path, cloud: PointCloud) -> None:
    columns: dict[str, Any] = {name: cloud.points[:, i].float().cpu().numpy() for i, name in enumerate("xyz")}
    if cloud.colors is not None:
        levels = (cloud.colors.double().cpu().numpy() * 255).round().clip(0, 255).astype(np.uint8)
        columns |= {name: levels[:, i] for i, name in enumerate(("red", "green", "blue"))}
    write_ply(path, {"vertex": columns})
