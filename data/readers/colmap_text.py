"""COLMAP models as text files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile
from .colmap_model import ColmapCamera, ColmapImage, ColmapPoints, kind_of
from .json_files import shown

_LARGEST_NUMBER = 2**63 - 1


def read_cameras(path: Path) -> dict[int, ColmapCamera]:
    """``cameras.txt``: number, model, width, height, parameters.

    Raises:
        CorruptFile: A line is too short or too long, holds what is no number, or a number twice.
        UnknownFormat: A camera model that is not read here.
    """
    cameras = {}
    for where, line in _records(path):
        words = line.split()
        if len(words) < 5:
            raise CorruptFile(path, where, f"{shown(line)}, expected a number, a model, width, height and parameters")
        number, width, height = (_whole(path, where, words[i]) for i in (0, 2, 3))
        kind = kind_of(path, where, words[1])
        if len(words) != 4 + kind.parameters:
            raise CorruptFile(
                path, where, f"{len(words) - 4} parameters of a {kind.name} camera, expected {kind.parameters}"
            )
        if number in cameras:
            raise CorruptFile(path, where, f"the number {number} is another camera's already; expected each once")
        cameras[number] = ColmapCamera(kind, width, height, _numbers(path, where, words[4:]))
    return cameras


def read_images(path: Path) -> tuple[ColmapImage, ...]:
    """``images.txt``: two lines an image, pose and name in the first; its features, in the second, are passed over.

    Raises:
        CorruptFile: A line is too short or uneven, or holds what is no number.
    """
    images = []
    lines = _lines(path)
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"line {number}"
        words = line.split(maxsplit=9)
        if len(words) < 10:
            raise CorruptFile(
                path, where, f"{shown(line)}, expected number, qw qx qy qz, tx ty tz, camera and name of an image"
            )
        pose = _numbers(path, where, words[1:8])
        image, camera = _whole(path, where, words[0]), _whole(path, where, words[8])
        images.append(ColmapImage(image, pose[:4], pose[4:], camera, words[9].strip()))
        after, features = next(lines, (number + 1, ""))  # editors cut an empty last line off
        if len(features.split()) % 3:
            raise CorruptFile(
                path,
                f"line {after}",
                f"{len(features.split())} words, expected x, y and point of each feature: every image has two lines, the "
                "second may be empty",
            )
    return tuple(images)


def read_points(path: Path) -> ColmapPoints:
    """``points3D.txt``: number, x y z, r g b, error, then image and feature of each sight.

    Raises:
        CorruptFile: A line is too short or uneven, or holds what is no number.
    """
    xyz, rgb, seen, image = [], [], [], []
    for where, line in _records(path):
        words = line.split()
        if len(words) < 8 or len(words) % 2:
            raise CorruptFile(
                path,
                where,
                f"{len(words)} words, expected number, x y z, r g b, error, and image and feature of each sight",
            )
        color = [_whole(path, where, word) for word in words[4:7]]
        if max(color) > 255:
            raise CorruptFile(path, where, f"the colour {color}, expected 0 to 255")
        seen += [len(xyz)] * (len(words) // 2 - 4)
        image += [_whole(path, where, word) for word in words[8::2]]
        xyz.append(_numbers(path, where, words[1:4]))
        rgb.append(color)
    return ColmapPoints(
        np.array(xyz, np.float64).reshape(-1, 3),
        np.array(rgb, np.uint8).reshape(-1, 3),
        np.array(seen, np.int64),
        np.array(image, np.int64),
    )


def camera_text(cameras: Mapping[int, ColmapCamera]) -> str:
    """What ``cameras.txt`` holds."""
    lines = ["# number, model, width, height, parameters"]
    lines += [f"{number} {c.kind.name} {c.width} {c.height} {_joined(c.parameters)}" for number, c in cameras.items()]
    return "\n".join(lines) + "\n"


def image_text(images: Sequence[ColmapImage], features: Sequence[tuple[np.ndarray, np.ndarray]]) -> str:
    """What ``images.txt`` holds; ``features`` are the positions (f, 2) and points (f,) of each image."""
    lines = ["# number, qw qx qy qz, tx ty tz, camera, name; then x, y, point of each feature"]
    for image, (xy, point) in zip(images, features, strict=True):
        pose = _joined((*image.quaternion, *image.translation))
        lines.append(f"{image.number} {pose} {image.camera} {image.name}")
        rows = zip(xy.tolist(), point.tolist(), strict=True)
        lines.append(" ".join(f"{x!r} {y!r} {number}" for (x, y), number in rows))
    return "\n".join(lines) + "\n"


def point_text(points: ColmapPoints, feature: np.ndarray) -> str:
    """What ``points3D.txt`` holds; ``feature`` (t,) is each sight's row among its image's features."""
    lines = ["# number, x y z, r g b, error, then image and feature of each sight"]
    sights = [f"{image} {row}" for image, row in zip(points.image.tolist(), feature.tolist(), strict=True)]
    ends = np.cumsum(np.bincount(points.seen, minlength=len(points.xyz))).tolist()
    start = 0
    for i, (xyz, rgb, end) in enumerate(zip(points.xyz.tolist(), points.rgb.tolist(), ends, strict=True)):
        lines.append(" ".join([str(i + 1), _joined(xyz), *map(str, rgb), "-1", *sights[start:end]]))
        start = end
    return "\n".join(lines) + "\n"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1. Line ends are \\n and \\r\\n; a name may hold what Python takes for others."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorruptFile(path, f"byte {error.start}", "no text in UTF-8; expected a text file of COLMAP") from error
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return iter([(i, line.removesuffix("\r")) for i, line in enumerate(lines, start=1)])


def _records(path: Path) -> Iterator[tuple[str, str]]:
    return ((f"line {n}", line) for n, line in _lines(path) if line.strip() and not line.lstrip().startswith("#"))


def _whole(path: Path, where: str, word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 20 and int(word) <= _LARGEST_NUMBER):
        raise CorruptFile(path, where, f"found {shown(word)}, expected a whole number")
    return int(word)


def _numbers(path: Path, where: str, words: Sequence[str]) -> tuple[float, ...]:
    numbers = []
    for word in words:
        try:
            numbers.append(float(word))
        except ValueError as error:
            raise CorruptFile(path, where, f"found {shown(word)}, expected a number") from error
    return tuple(numbers)


def _joined(numbers: Sequence[float]) -> str:
    return " ".join(repr(float(number)) for number in numbers)
