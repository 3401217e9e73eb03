"""Photos with cameras and points as a COLMAP model."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ...core.errors import InvalidInput
from ...core.files import write_bytes, write_text
from ..cameras import Cameras
from ..posed_images import PosedImages
from . import colmap_binary, colmap_text
from .colmap_model import KIND_BY_NAME, ColmapCamera, ColmapImage, ColmapPoints
from .photo_writing import photo_names, write_photos

_GREY = 128


def write_colmap(
    photos: PosedImages, folder: str | PathLike[str], *, binary: bool = True, with_photos: bool = True
) -> Path:
    """Write ``sparse/0/{cameras,images,points3D}`` and ``images/*.png`` into a folder.

    A point's features are where it projects to, since :class:`SparsePoints` keep no measured places; its error is -1,
    unknown. What the model can hold comes back from :func:`read_colmap` as it was, photos to 8 bits.

    Args:
        photos: Without skew in K.
        folder: Made if it is missing. Files of an earlier model are replaced, and removed if they are of the other kind.
        binary: Binary files, or text.
        with_photos: Write the photos too; else the model names them as they are named.

    Returns:
        The model's folder.

    Raises:
        InvalidInput: A skewed K, names that cannot be files of one folder, or, in text, a name with a space.
    """
    model = Path(folder) / "sparse" / "0"
    names = write_photos(photos, Path(folder) / "images") if with_photos else photo_names(photos)
    if not binary and (split := next((name for name in map(str, names) if len(name.split()) != 1), None)):
        raise InvalidInput(f"COLMAP's text files cannot hold the name {split!r} with its space; write binary files")
    cameras, numbers = colmap_cameras(photos.cameras)
    poses = photos.cameras.camera_from_world.double().cpu().numpy()
    quaternions = Rotation.from_matrix(poses[:, :3, :3]).as_quat(scalar_first=True)
    rows = zip(quaternions.tolist(), poses[:, :3, 3].tolist(), numbers, names, strict=True)
    images = [
        ColmapImage(i, tuple(q), tuple(t), number, name.as_posix()) for i, (q, t, number, name) in enumerate(rows, 1)
    ]
    points, features, places = _features(photos)
    contents = {"cameras": cameras, "images": images, "points3D": points}
    model.mkdir(parents=True, exist_ok=True)
    for part in contents:
        (model / f"{part}{'.txt' if binary else '.bin'}").unlink(missing_ok=True)
    if binary:
        write_bytes(model / "cameras.bin", colmap_binary.camera_bytes(cameras))
        write_bytes(model / "images.bin", colmap_binary.image_bytes(images, features))
        write_bytes(model / "points3D.bin", colmap_binary.point_bytes(points, places))
    else:
        write_text(model / "cameras.txt", colmap_text.camera_text(cameras))
        write_text(model / "images.txt", colmap_text.image_text(images, features))
        write_text(model / "points3D.txt", colmap_text.point_text(points, places))
    return model


def colmap_cameras(cameras: Cameras) -> tuple[dict[int, ColmapCamera], list[int]]:
    """COLMAP's cameras by their numbers, equal ones once, and the number of each photo's.

    Raises:
        InvalidInput: A skewed K.
    """
    K, distortion = cameras.K.double().cpu().numpy(), cameras.distortion.double().cpu().numpy()
    if (K[:, 0, 1] != 0).any():
        raise InvalidInput(
            f"camera {int((K[:, 0, 1] != 0).argmax())} has skew in K, which COLMAP cannot hold; resample the photos first"
        )
    named: dict[ColmapCamera, int] = {}
    numbers = []
    for matrix, coefficients in zip(K, distortion, strict=True):
        kind = KIND_BY_NAME[_kind_name(cameras, coefficients)]
        parameters = (*matrix[[0, 1], [0, 1]], *matrix[:2, 2], *coefficients[: kind.coefficients])
        camera = ColmapCamera(kind, cameras.width, cameras.height, tuple(float(v) for v in parameters))
        numbers.append(named.setdefault(camera, len(named) + 1))
    return {number: camera for camera, number in named.items()}, numbers


def _kind_name(cameras: Cameras, coefficients: np.ndarray) -> str:
    if cameras.model == "fisheye":
        return "OPENCV_FISHEYE"
    if not coefficients.any():
        return "PINHOLE"
    return "FULL_OPENCV" if coefficients[4:].any() else "OPENCV"


def _features(photos: PosedImages) -> tuple[ColmapPoints, list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """The points; each image's features and the points' numbers, from 1; and each sight's row among its image's features."""
    if photos.points is None:
        nothing = (np.zeros((0, 2)), np.zeros(0, np.int64))
        return ColmapPoints(), [nothing] * len(photos), np.zeros(0, np.int64)
    cloud, visible = photos.points.cloud, photos.points.visible.cpu().numpy()
    cameras = photos.cameras
    features, seen, image, place = [], [], [], []
    for i in range(len(photos)):
        rows = np.flatnonzero(visible[:, i])
        projected = cameras[i].project(cloud.points[rows].to(cameras.K))
        pixels, ahead = projected.pixels[0].double().cpu().numpy(), projected.depth_z[0].cpu().numpy() > 0
        rows, pixels = rows[ahead], pixels[ahead]
        features.append((pixels, rows + 1))
        seen.append(rows)
        image.append(np.full(len(rows), i + 1))
        place.append(np.arange(len(rows)))
    order = np.argsort(np.concatenate(seen), kind="stable")
    rgb = np.full((len(cloud), 3), _GREY, np.uint8)
    if cloud.colors is not None:
        rgb = (cloud.colors.double().cpu().numpy() * 255).round().clip(0, 255).astype(np.uint8)
    points = ColmapPoints(
        *(cloud.points.double().cpu().numpy(), rgb, np.concatenate(seen)[order], np.concatenate(image)[order])
    )
    return points, features, np.concatenate(place)[order]
