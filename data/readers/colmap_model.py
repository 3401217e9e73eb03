"""What a COLMAP model holds, and its camera models among ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, UnknownFormat
from ..distortion import PARAMETERS, Model
from .lens_and_pose import Lens, check_lens, check_pose


@dataclass(frozen=True)
class CameraKind:
    """One of COLMAP's camera models: parameters are focal lengths, cx, cy, coefficients."""

    name: str
    number: int
    focals: int
    model: Model
    coefficients: int

    @property
    def parameters(self) -> int:
        """How many numbers a camera of this kind has."""
        return self.focals + 2 + self.coefficients


KINDS = (
    CameraKind("SIMPLE_PINHOLE", 0, 1, "pinhole", 0),
    CameraKind("PINHOLE", 1, 2, "pinhole", 0),
    CameraKind("SIMPLE_RADIAL", 2, 1, "opencv", 1),
    CameraKind("RADIAL", 3, 1, "opencv", 2),
    CameraKind("OPENCV", 4, 2, "opencv", 4),
    CameraKind("OPENCV_FISHEYE", 5, 2, "fisheye", 4),
    CameraKind("FULL_OPENCV", 6, 2, "opencv", 8),
    CameraKind("SIMPLE_RADIAL_FISHEYE", 8, 1, "fisheye", 1),
    CameraKind("RADIAL_FISHEYE", 9, 1, "fisheye", 2),
    CameraKind("SIMPLE_FISHEYE", 14, 1, "fisheye", 0),
    CameraKind("FISHEYE", 15, 2, "fisheye", 0),
)
"""The models that are read; COLMAP's coefficients are in the order of ours."""
KIND_BY_NAME = {kind.name: kind for kind in KINDS}
KIND_BY_NUMBER = {kind.number: kind for kind in KINDS}
_OTHERS = {
    7: "FOV",
    10: "THIN_PRISM_FISHEYE",
    11: "RAD_TAN_THIN_PRISM_FISHEYE",
    12: "SIMPLE_DIVISION",
    13: "DIVISION",
    16: "EUCM",
    17: "EQUIRECTANGULAR",
}
assert all(kind.coefficients <= PARAMETERS[kind.model] for kind in KINDS)


@dataclass(frozen=True)
class ColmapCamera:
    """Intrinsics that any number of images share."""

    kind: CameraKind
    width: int
    height: int
    parameters: tuple[float, ...]

    def lens(self, path: Path, where: str) -> Lens:
        """The same as a lens of ours. COLMAP's first pixel centre is at (0.5, 0.5) as ours is.

        Raises:
            CorruptFile: Numbers with which no image can be made; ``path`` and ``where`` are for its message.
        """
        focals, rest = self.parameters[: self.kind.focals], self.parameters[self.kind.focals :]
        lens = Lens(
            *(self.width, self.height, focals[0], focals[-1], rest[0], rest[1]),
            model=self.kind.model,
            coefficients=tuple(rest[2:]),
        )
        return check_lens(path, where, lens)


@dataclass(frozen=True)
class ColmapImage:
    """One photo: its pose as a quaternion w x y z and a translation of camera-from-world."""

    number: int
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    camera: int
    name: str

    def camera_from_world(self, path: Path, where: str) -> np.ndarray:
        """The pose, (4, 4).

        Raises:
            CorruptFile: The quaternion is no rotation, or a number is not finite.
        """
        q = np.array(self.quaternion)
        length = np.linalg.norm(q) if np.abs(q).max() < 1e6 else np.inf
        if not 0.5 < length < 2:  # COLMAP writes unit quaternions; rounding is forgiven, other things are not
            raise CorruptFile(path, where, f"its rotation is the quaternion {list(self.quaternion)}; expected length 1")
        w, x, y, z = q / length
        pose = np.eye(4)
        pose[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
        pose[:3, 3] = self.translation
        return check_pose(path, where, pose)


@dataclass(frozen=True, eq=False)
class ColmapPoints:
    """Triangulated points, and which images see them: seeing ``i`` is point ``seen[i]`` in image number ``image[i]``."""

    xyz: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    """(p, 3) float64."""
    rgb: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.uint8))
    """(p, 3) uint8."""
    seen: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(t,) int64, rows of ``xyz``."""
    image: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(t,) int64, numbers of images."""


@dataclass(frozen=True, eq=False)
class ColmapModel:
    """The three files of a model."""

    cameras: Mapping[int, ColmapCamera]
    images: tuple[ColmapImage, ...]
    points: ColmapPoints


def kind_of(path: Path, where: str, name: str | int) -> CameraKind:
    """A camera model by its name or number.

    Raises:
        UnknownFormat: COLMAP has it, but it is not read here.
        CorruptFile: COLMAP has none of that name.
    """
    kind = KIND_BY_NUMBER.get(name) if isinstance(name, int) else KIND_BY_NAME.get(name)
    if kind is not None:
        return kind
    shown = _OTHERS.get(name) if isinstance(name, int) else next((n for n in _OTHERS.values() if n == name), None)
    if shown is not None:
        raise UnknownFormat(
            f"{path}: {where}: the camera model {shown} is not read here; expected one of {', '.join(KIND_BY_NAME)}: undistort "
            "the photos with `colmap image_undistorter` first"
        )
    raise CorruptFile(
        path, where, f"COLMAP has no camera model {name!r:.40}; expected one of {', '.join(KIND_BY_NAME)}"
    )
