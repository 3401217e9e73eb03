"""COLMAP models as binary files. Counts are compared with the size of the file before memory is taken."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile
from .colmap_model import ColmapCamera, ColmapImage, ColmapPoints, kind_of

_POINT = np.dtype([("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("length", "<u8")])
_SIGHT = np.dtype([("image", "<u4"), ("row", "<u4")])
_OBSERVATION = np.dtype([("xy", "<f8", 2), ("point", "<i8")])
_IMAGE = struct.Struct("<I4d3dI")
_CAMERA = struct.Struct("<IiQQ")
_COUNT = struct.Struct("<Q")
_LONGEST_NAME = 4096


class _Bytes:
    """A file's content, read from the front; what is not there any more is an error that names the place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        self.at = 0

    def take(self, form: struct.Struct, where: str) -> tuple:
        """The next numbers."""
        self.need(form.size, where)
        self.at += form.size
        return form.unpack_from(self.data, self.at - form.size)

    def need(self, size: int, where: str) -> None:
        """Refuse to read beyond the end."""
        if size > len(self.data) - self.at:
            raise CorruptFile(
                self.path,
                where,
                f"{size} bytes are needed at byte {self.at}, but {len(self.data) - self.at} are left: truncated, or a count "
                "is wrong; copy the file again",
            )

    def count(self, what: str, smallest: int) -> int:
        """The number of records that follow, each at least so many bytes long."""
        (count,) = self.take(_COUNT, "the count at the start")
        if count * smallest > len(self.data) - self.at:
            raise CorruptFile(
                self.path,
                "the count at the start",
                f"claims {count} {what}, each at least {smallest} bytes, but {len(self.data) - self.at} bytes follow: "
                "truncated, or no file of COLMAP; copy it again",
            )
        return count

    def finish(self, what: str) -> None:
        """Refuse bytes behind the last record."""
        if self.at != len(self.data):
            raise CorruptFile(
                self.path,
                f"byte {self.at}",
                f"{len(self.data) - self.at} bytes follow the last of the {what}: wrong count",
            )


def read_cameras(path: Path) -> dict[int, ColmapCamera]:
    """``cameras.bin``.

    Raises:
        CorruptFile: Truncated, a wrong count, or a number twice.
        UnknownFormat: A camera model that is not read here.
    """
    file, cameras = _Bytes(path), {}
    for i in range(file.count("cameras", _CAMERA.size)):
        where = f"camera {i + 1}"
        number, model, width, height = file.take(_CAMERA, where)
        kind = kind_of(path, where, model)
        parameters = file.take(struct.Struct(f"<{kind.parameters}d"), where)
        if number in cameras:
            raise CorruptFile(path, where, f"the number {number} is another camera's already; expected each once")
        cameras[number] = ColmapCamera(kind, width, height, parameters)
    file.finish("cameras")
    return cameras


def read_images(path: Path) -> tuple[ColmapImage, ...]:
    """``images.bin``, without the positions of features.

    Raises:
        CorruptFile: Truncated, a wrong count, or a name that is no text.
    """
    file, images = _Bytes(path), []
    for i in range(file.count("images", _IMAGE.size + 1 + _COUNT.size)):
        where = f"image {i + 1}"
        number, *pose, camera = file.take(_IMAGE, where)
        end = file.data.find(b"\0", file.at, file.at + _LONGEST_NAME)
        if end < 0:
            raise CorruptFile(path, where, f"its name, at byte {file.at}, has no end; truncated?")
        try:
            name = file.data[file.at : end].decode()
        except UnicodeDecodeError as error:
            raise CorruptFile(path, where, f"its name, at byte {file.at}, is no text in UTF-8") from error
        file.at = end + 1
        (features,) = file.take(_COUNT, where)
        file.need(features * _OBSERVATION.itemsize, f"{where}: its {features} features")
        file.at += features * _OBSERVATION.itemsize
        images.append(ColmapImage(number, tuple(pose[:4]), tuple(pose[4:]), camera, name))
    file.finish("images")
    return tuple(images)


def read_points(path: Path) -> ColmapPoints:
    """``points3D.bin``.

    Raises:
        CorruptFile: Truncated, or a wrong count.
    """
    file = _Bytes(path)
    starts = np.zeros(count := file.count("points", _POINT.itemsize), np.int64)
    for i in range(count):
        starts[i] = file.at
        file.need(_POINT.itemsize, f"point {i + 1}")
        (length,) = _COUNT.unpack_from(file.data, file.at + _POINT.itemsize - _COUNT.size)
        file.at += _POINT.itemsize
        file.need(length * _SIGHT.itemsize, f"point {i + 1}: its track of {length} images")
        file.at += length * _SIGHT.itemsize
    file.finish("points")
    data = np.frombuffer(file.data, np.uint8)
    rows = data[starts[:, None] + np.arange(_POINT.itemsize)].reshape(-1).view(_POINT)
    lengths = rows["length"].astype(np.int64)
    seen = np.repeat(np.arange(count), lengths)
    order = np.arange(len(seen)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    at = (starts + _POINT.itemsize)[seen] + order * _SIGHT.itemsize
    sights = data[at[:, None] + np.arange(_SIGHT.itemsize)].reshape(-1).view(_SIGHT)
    return ColmapPoints(rows["xyz"].copy(), rows["rgb"].copy(), seen, sights["image"].astype(np.int64))


def camera_bytes(cameras: Mapping[int, ColmapCamera]) -> bytes:
    """What ``cameras.bin`` holds."""
    parts = [_COUNT.pack(len(cameras))]
    for number, camera in cameras.items():
        parts.append(_CAMERA.pack(number, camera.kind.number, camera.width, camera.height))
        parts.append(np.array(camera.parameters, "<f8").tobytes())
    return b"".join(parts)


def image_bytes(images: Sequence[ColmapImage], features: Sequence[tuple[np.ndarray, np.ndarray]]) -> bytes:
    """What ``images.bin`` holds; ``features`` are the positions (f, 2) and points (f,) of each image."""
    parts = [_COUNT.pack(len(images))]
    for image, (xy, point) in zip(images, features, strict=True):
        table = np.zeros(len(xy), _OBSERVATION)
        table["xy"], table["point"] = xy, point
        parts.append(_IMAGE.pack(image.number, *image.quaternion, *image.translation, image.camera))
        parts += [image.name.encode(), b"\0", _COUNT.pack(len(table)), table.tobytes()]
    return b"".join(parts)


def point_bytes(points: ColmapPoints, feature: np.ndarray) -> bytes:
    """What ``points3D.bin`` holds; ``feature`` (t,) is each sight's row among its image's features."""
    lengths = np.bincount(points.seen, minlength=len(points.xyz))
    rows = np.zeros(len(points.xyz), _POINT)
    rows["id"] = np.arange(1, len(rows) + 1)
    rows["xyz"], rows["rgb"], rows["error"], rows["length"] = points.xyz, points.rgb, -1.0, lengths
    sights = np.zeros(len(points.seen), _SIGHT)
    sights["image"], sights["row"] = points.image, feature
    ends = np.cumsum(lengths)
    parts = [_COUNT.pack(len(rows))]
    for row, start, end in zip(rows, ends - lengths, ends, strict=True):
        parts += [row.tobytes(), sights[start:end].tobytes()]
    return b"".join(parts)
