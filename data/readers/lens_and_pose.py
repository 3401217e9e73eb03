"""One camera as a file tells it: its lens, and where it stands; checked, and named when something is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile
from ..distortion import Model

OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""Camera axes x right, y up, z back (OpenGL, Blender, nerfstudio) to x right, y down, z forward; its own inverse."""

_LARGEST = 1e12
"""Of any number of a camera: what follows is computed in single precision."""
_NOT_RIGID = 0.01
"""By how much a rotation's axes may differ from unit length; files are written with few digits."""


@dataclass(frozen=True)
class Lens:
    """Intrinsics in pixels of an image of some size, pixel centres at +0.5; the size None where the file tells none."""

    width: int | None
    height: int | None
    fx: float
    fy: float
    cx: float
    cy: float
    skew: float = 0.0
    model: Model = "pinhole"
    coefficients: tuple[float, ...] = ()

    def resized(self, width: int, height: int) -> Lens:
        """The lens for the same image at another size."""
        if self.width is None or self.height is None:
            return replace(self, width=width, height=height)
        x, y = width / self.width, height / self.height
        scaled = {"fx": self.fx * x, "fy": self.fy * y, "cx": self.cx * x, "cy": self.cy * y, "skew": self.skew * x}
        return replace(self, width=width, height=height, **scaled)

    def matrix(self) -> np.ndarray:
        """K, (3, 3)."""
        return np.array([[self.fx, self.skew, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)


def check_lens(path: Path, where: str, lens: Lens) -> Lens:
    """The lens, if images can be made with it.

    Raises:
        CorruptFile: NaN, a focal length that is not above 0, or numbers beyond any camera.
    """
    numbers = (lens.fx, lens.fy, lens.cx, lens.cy, lens.skew, *lens.coefficients)
    if not np.isfinite(numbers).all() or np.abs(numbers).max() > _LARGEST:
        raise CorruptFile(path, where, f"the lens has the numbers {_shown(numbers)}; expected finite ones below 1e12")
    if min(lens.fx, lens.fy) < 1e-3:
        raise CorruptFile(
            path,
            where,
            f"the focal lengths are {lens.fx:g} and {lens.fy:g} pixels: no image can be made with them; expected both "
            "above 0",
        )
    if (lens.width is not None and lens.width < 1) or (lens.height is not None and lens.height < 1):
        raise CorruptFile(path, where, f"an image of {lens.width} x {lens.height} pixels; expected both above 0")
    return lens


def check_pose(path: Path, where: str, matrix: np.ndarray) -> np.ndarray:
    """The rigid motion that a matrix is, but for rounding.

    Args:
        path: The file, for messages.
        where: The camera's place in it.
        matrix: (3, 4) or (4, 4).

    Returns:
        (4, 4), its rotation made exactly one.

    Raises:
        CorruptFile: NaN, a mirrored or scaled pose, or no rotation at all.
    """
    if matrix.shape not in ((3, 4), (4, 4)):
        raise CorruptFile(path, where, f"the pose is a table of shape {matrix.shape}, expected 4 x 4 or 3 x 4 numbers")
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > _LARGEST:
        raise CorruptFile(path, where, f"the pose is {_shown(matrix.ravel())}; expected finite numbers below 1e12")
    if len(matrix) == 4 and not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise CorruptFile(path, where, f"the pose's last row is {_shown(matrix[3])}, expected 0 0 0 1; transposed?")
    u, scales, v = np.linalg.svd(matrix[:3, :3])
    if np.abs(scales - 1).max() > _NOT_RIGID:
        raise CorruptFile(
            path,
            where,
            f"the pose's axes have lengths {_shown(scales)}, expected 1: no rotation; divide a scale out of it first",
        )
    if np.linalg.det(u @ v) < 0:
        raise CorruptFile(
            path, where, "the pose is mirrored (determinant below 0); one of its axes points the wrong way"
        )
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = u @ v, matrix[:3, 3]
    return pose


def inverse(pose: np.ndarray) -> np.ndarray:
    """The inverse of a rigid motion, (4, 4)."""
    back = np.eye(4)
    back[:3, :3] = pose[:3, :3].T
    back[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return back


def _shown(numbers: Sequence[float] | np.ndarray) -> str:
    text = ", ".join(f"{number + 0.0:.4g}" for number in list(numbers)[:16])  # without the sign of -0
    return f"[{text}]"
