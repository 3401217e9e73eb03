"""Bring a user's own scan into the frame that the network knows, and answers back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ..core.errors import InvalidInput
from .boxes import Boxes3D
from .point_cloud import PointCloud
from .upright import AXES, Surface, find_up, floor_height, robust_range, surface_of, wall_angle

Up = Literal["auto", "x", "y", "z", "-x", "-y", "-z"]

_SNAP = np.radians(1.0)
"""A direction this close to a file axis is that axis: the scan was levelled before."""

# Unit, metres, and how often scans come in it. An extent is log-normal around 5 m, a factor 2.2 either way.
_UNITS = (("m", 1.0, 0.85), ("mm", 0.001, 0.1), ("cm", 0.01, 0.045), ("inch", 0.0254, 0.005))
_COMMON_EXTENT, _EXTENT_FACTOR = 5.0, 2.2


@dataclass(frozen=True, eq=False)
class FileBoxes:
    """Boxes in the frame and the units of the input file: ``rotations`` [m 3 3] are file_from_box."""

    centers: Float64[Tensor, "m 3"]
    sizes: Float64[Tensor, "m 3"]
    rotations: Float64[Tensor, "m 3 3"]


@dataclass(frozen=True, eq=False)
class Alignment:
    """A scan in the network's frame: metres, z up, floor at 0, xy centred on the middle, walls along x and y where clear.

    ``network_from_file`` is a similarity, float64. ``report`` is one line; ``warnings`` are sentences about doubts.
    """

    cloud: PointCloud
    network_from_file: Float64[Tensor, "4 4"]
    report: str
    warnings: tuple[str, ...] = ()

    @property
    def scale(self) -> float:
        """Metres per unit of the file."""
        return float(torch.linalg.det(self.network_from_file[:3, :3])) ** (1 / 3)

    @property
    def file_from_network(self) -> Float64[Tensor, "4 4"]:
        """The inverse of ``network_from_file``."""
        return torch.linalg.inv(self.network_from_file)

    def boxes_to_file(self, boxes: Boxes3D) -> FileBoxes:
        """Boxes of the network's frame in the file's frame and units; yaw becomes part of the rotation."""
        back = self.file_from_network
        turn = back[:3, :3] * self.scale
        cos, sin = boxes.yaw.double().cos(), boxes.yaw.double().sin()
        zero, one = torch.zeros_like(cos), torch.ones_like(cos)
        network_from_box = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], -1).reshape(-1, 3, 3)
        return FileBoxes(
            self.points_to_file(boxes.centers), boxes.sizes.double().cpu() / self.scale, turn @ network_from_box.cpu()
        )

    def points_to_file(self, points: Float[Tensor, "n 3"]) -> Float64[Tensor, "n 3"]:
        """Points of the network's frame in the file's frame and units."""
        back = self.file_from_network
        return points.double().cpu() @ back[:3, :3].T + back[:3, 3]


def align_scan(
    cloud: PointCloud,
    *,
    up: Up = "auto",
    scale: Literal["auto"] | float = "auto",
    align: bool = True,
    up_hint: str | None = None,
    network_from_file: Float64[Tensor, "4 4"] | None = None,
) -> Alignment:
    """Find units, up-axis, floor and walls of a scan, and move it into the network's frame.

    The same scan gives the same alignment; nothing is random.

    Args:
        cloud: In the frame and units of its file; at least one point.
        up: The file's axis that is up, exactly; "auto" finds it (the floor need not be level in the file).
        scale: Metres per unit of the file; "auto" chooses among metres, millimetres, centimetres and inches by the extent.
        align: Off to keep the file's frame as it is.
        up_hint: The axis that the format says is roughly up, for "auto" (`ScanFile.up`).
        network_from_file: A transform that the files give (`ScanFile.network_from_file`); used as it is where neither `up`
            nor `scale` is given.

    Raises:
        InvalidInput: No points, an unknown axis, or a scale that is not positive and finite.
    """
    if not len(cloud):
        raise InvalidInput("a scan of 0 points cannot be aligned; give at least one point")
    if up != "auto" and up not in AXES:
        raise InvalidInput(f"up is {up!r}; choose from auto, {', '.join(AXES)}")
    if scale != "auto" and not (np.isfinite(scale) and 1e-9 < scale < 1e9):
        raise InvalidInput(f"scale is {scale!r}; give 'auto' or metres per unit of the file, for example 0.001 for mm")
    if not align:
        return _moved(cloud, torch.eye(4, dtype=torch.float64), "kept in the file's frame, as asked", ())
    if network_from_file is not None and up == "auto" and scale == "auto":
        return _moved(cloud, network_from_file, "axis alignment taken from the scan's own files", ())
    points = cloud.points.detach().cpu().numpy().astype(np.float64)
    surface = surface_of(points)
    vertical, floor, up_words, warnings = _vertical(surface, up, up_hint)
    rotation, turned = _level(surface, vertical)
    unit, metres = _unit(surface.points) if scale == "auto" else ("given", float(scale))
    low, high = robust_range(surface.points @ rotation.T)
    matrix = np.eye(4)
    matrix[:3, :3] = metres * rotation
    matrix[:3, 3] = -metres * np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, floor])
    low, high = np.percentile(surface.points @ rotation.T, [0.1, 99.9], axis=0)
    size = (high - [low[0], low[1], min(floor, low[2])]) * metres
    report = f"up is {up_words}; {turned}; {_unit_words(unit, metres)}; {size[0]:.1f} x {size[1]:.1f} x {size[2]:.1f} m"
    return _moved(cloud, torch.from_numpy(matrix), report, (*warnings, *_size_warnings(size, scale == "auto", unit)))


def _moved(cloud: PointCloud, matrix: Float64[Tensor, "4 4"], report: str, warnings: tuple[str, ...]) -> Alignment:
    moved = PointCloud(cloud.points.double(), cloud.colors, cloud.instances).transformed(matrix.to(cloud.points.device))
    return Alignment(PointCloud(moved.points.float(), cloud.colors, cloud.instances), matrix.cpu(), report, warnings)


def _vertical(surface: Surface, up: str, hint: str | None) -> tuple[np.ndarray, float, str, list[str]]:
    """Unit vector up, height of the floor along it, words, and warnings."""
    if up != "auto":
        direction = np.array(AXES[up])
        return direction, floor_height(surface, direction), f"the file's {up}, as asked", []
    found = find_up(surface, hint)
    name = max(AXES, key=lambda axis: float(found.direction @ AXES[axis]))
    tilt = float(np.arccos(np.clip(found.direction @ AXES[name], -1, 1)))
    if tilt < _SNAP:
        direction = np.array(AXES[name])
        floor, words = floor_height(surface, direction), f"the file's {name}"
    else:
        direction, floor = found.direction, found.floor
        words = f"{np.degrees(tilt):.0f} degrees off the file's {name}"
    warnings = []
    if not surface.flat.any():
        warnings.append(
            f"the scan shows no surfaces ({len(surface.points)} points): {name} is taken for up; give up if not"
        )
    elif found.floor_share < 0.01:
        warnings.append(f"no floor was found: the lowest points are taken for it, and {words} for up; give up if not")
    elif found.confidence < 0.05:
        warnings.append(f"up is uncertain, another direction fits almost as well: {words} was taken; give up if not")
    return direction, floor, words, warnings


def _level(surface: Surface, vertical: np.ndarray) -> tuple[np.ndarray, str]:
    """Rotation (3, 3) that brings a direction to +z by the shortest way, then walls onto x and y; and words."""
    level = _shortest_turn(vertical)
    angle = wall_angle(surface, level)
    if angle is None:
        return level, "no walls to turn to"
    if abs(angle) < _SNAP:
        return level, "walls along the axes"
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return turn @ level, f"turned {np.degrees(-angle):.0f} degrees to the walls"


def _shortest_turn(vertical: np.ndarray) -> np.ndarray:
    """The rotation that brings a unit vector to +z about an axis at right angles to both."""
    x, y, z = vertical
    if z < -0.999999:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0.0, 0.0, -x], [0.0, 0.0, -y], [x, y, 0.0]])
    return np.eye(3) + cross + cross @ cross / (1 + z)


def _unit(points: np.ndarray) -> tuple[str, float]:
    low, high = robust_range(points)
    extent = float((high - low).max())
    if extent == 0:
        return "m", 1.0

    def log_odds(unit: tuple[str, float, float]) -> float:
        off = np.log(extent * unit[1] / _COMMON_EXTENT) / np.log(_EXTENT_FACTOR)
        return float(np.log(unit[2]) - off * off / 2)

    name, metres, _ = max(_UNITS, key=log_odds)
    return name, metres


def _unit_words(unit: str, metres: float) -> str:
    if unit == "given":
        return f"{metres:g} m a unit, as asked"
    return "units are metres" if unit == "m" else f"units look like {unit} ({metres:g} m)"


def _size_warnings(size: np.ndarray, guessed: bool, unit: str) -> tuple[str, ...]:
    extent = f"{size[0]:.2g} x {size[1]:.2g} x {size[2]:.2g} m"
    if not guessed:
        return ()
    if unit != "m":
        return (f"the file's units are guessed to be {unit}, which makes it {extent}; give scale if not",)
    if size.max() < 1 or size.max() > 30:
        return (f"{extent} is unusual for a room: the network knows things by their size in metres; give scale",)
    return ()
