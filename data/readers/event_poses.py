"""Poses of event cameras in time: text as RPG, TUM-VIE and EDS write it, Robust e-NeRF's NPZ, ROS bags; told by "
"content."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from ..quaternions import from_rotation_vector
from ..trajectory import Interpolation
from .decimal_text import DecimalTable, read_decimal_table
from .event_file import NANOSECONDS, TimeUnit
from .npz import ArrayFile
from .pose_tidy import PoseFile, RawPoses, tidy_poses
from .rosbag import read_rosbag_poses
from .rosbag_file import MAGIC as BAG_MAGIC

_WHAT = "poses, a line each: t px py pz qx qy qz qw (or t px py pz rx ry rz, a rotation vector)"
_KEYS = ("T_wc_timestamp", "T_wc_position", "T_wc_orientation")
_USUAL_RATE = 100.0
"""Poses a second; motion capture has 100 to 200, simulators 1000, odometry 5 to 30."""
_W_FIRST = re.compile(r"q\w*w.*q\w*x", re.IGNORECASE)
_POWERS = {"s": 9, "ms": 6, "us": 3, "ns": 0}


def read_trajectory(
    path: str | PathLike[str],
    *,
    unit: TimeUnit | None = None,
    topic: str | None = None,
    interpolation: Interpolation = "linear",
) -> PoseFile:
    """Camera poses of a file: text, NPZ of Robust e-NeRF (``camera_poses.npz``), or a ROS 1 bag.

    Poses are ``world_from_camera`` of the event camera, quaternions x y z w (w first where a header line says so). Times out of
    order are sorted, poses of one time left out but the first, quaternions normalised; each such change is a note.

    Args:
        path: The file.
        unit: Unit of the times in a text file; guessed from their rate by default (fractions: seconds).
        topic: Topic of a bag.
        interpolation: Between poses.

    Raises:
        MissingPart: No such file, or fewer than two poses.
        UnknownFormat: Another format.
        CorruptFile: Damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected {_WHAT}, camera_poses.npz, or a ROS bag")
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(BAG_MAGIC):
        raw = read_rosbag_poses(path, topic=topic)
    elif head.startswith(b"PK"):
        raw = read_esim_poses(path)
    elif b"\0" in head:
        raise UnknownFormat(f"{path}: begins with {head[:16]!r}; expected {_WHAT}, camera_poses.npz, or a ROS bag")
    else:
        raw = read_pose_text(path, unit)
    return tidy_poses(path, raw, interpolation=interpolation)


def read_esim_poses(path: Path) -> RawPoses:
    """``camera_poses.npz`` of Robust e-NeRF.

    Raises:
        MissingPart: An array is not there.
        CorruptFile: Arrays of other shapes or types.
    """
    arrays = ArrayFile(path)
    missing = [key for key in _KEYS if key not in arrays.names]
    if missing:
        raise MissingPart(
            f"{path}: no {', '.join(missing)} (found {', '.join(arrays.names) or 'nothing'}); expected "
            f"{', '.join(_KEYS)}"
        )
    t, centers, quats = (arrays.read(key) for key in _KEYS)
    if t.ndim != 1 or t.dtype.kind not in "iu" or centers.shape != (len(t), 3) or quats.shape != (len(t), 4):
        raise CorruptFile(
            path,
            "arrays",
            f"times {t.dtype} {t.shape}, positions {centers.shape}, orientations {quats.shape}; expected whole "
            "nanoseconds (n,), (n, 3) and (n, 4)",
        )
    if not (np.issubdtype(centers.dtype, np.number) and np.issubdtype(quats.dtype, np.number)):
        raise CorruptFile(path, "arrays", f"positions {centers.dtype} and orientations {quats.dtype}; expected numbers")
    return RawPoses(
        t.astype(np.int64), centers.astype(np.float64), quats.astype(np.float64)[:, [3, 0, 1, 2]], "Robust e-NeRF poses"
    )


def read_pose_text(path: Path, unit: TimeUnit | None = None) -> RawPoses:
    """Poses as lines of text.

    Raises:
        MissingPart: No numbers.
        CorruptFile: Lines of other numbers.
    """
    content = path.read_bytes()
    first, _, rest = content.partition(b"\n")
    header = first.decode("utf-8", "replace")
    has_names = re.match(r"\s*#*\s*[A-Za-z_]", header) is not None
    if has_names and not header.lstrip().startswith("#"):
        table = read_decimal_table(path, _WHAT, content=rest, first_line=2)
    else:
        table = read_decimal_table(path, _WHAT, content=content)
    count = table.mantissas.shape[1]
    if count not in (7, 8):
        raise CorruptFile(path, f"line {int(table.lines[0])}", f"{count} numbers, expected {_WHAT}")
    t_ns, note = _times(table, unit)
    numbers = np.stack([table.floats(i) for i in range(1, count)], 1)
    if count == 7:
        quats = from_rotation_vector(torch.from_numpy(numbers[:, 3:].copy())).numpy()
    else:
        is_w_first = has_names and _W_FIRST.search(header) is not None
        quats = numbers[:, 3:] if is_w_first else numbers[:, [6, 3, 4, 5]]
    return RawPoses(t_ns, numbers[:, :3].copy(), quats, "poses as text", (note,) if note else ())


def _times(table: DecimalTable, unit: TimeUnit | None) -> tuple[np.ndarray, str]:
    if unit is not None:
        return table.scaled(0, _POWERS[unit]), ""
    if not table.is_whole(0):
        return table.scaled(0, 9), ""
    t = table.floats(0)
    steps = np.diff(np.sort(t))
    typical = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
    chosen = min(NANOSECONDS, key=lambda u: abs(np.log10(1e9 / (typical * NANOSECONDS[u]) / _USUAL_RATE)))
    rate = 1e9 / (typical * NANOSECONDS[chosen])
    note = f"times of poses were taken as {chosen}, which gives {rate:.3g} poses/s; if that is wrong, say their unit"
    return table.scaled(0, _POWERS[chosen]), note
