"""Calibrations of event cameras: RPG's calib.txt, Robust e-NeRF's NPZ, TUM-VIE's JSON, YAML of Kalibr and ROS, ROS bags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from ...core.errors import CorruptFile, InvalidInput, MissingPart, UnknownFormat
from ..event_camera import ContrastThresholds, EventCamera
from ..quaternions import to_matrix
from .calibrated_camera import camera_of
from .decimal_text import read_decimal_table
from .json_files import entry, read_json
from .npz import ArrayFile
from .rosbag import read_rosbag_camera
from .rosbag_file import MAGIC as BAG_MAGIC
from .yaml_subset import read_yaml_subset

_RPG = "fx fy cx cy and up to 8 lens coefficients (k1 k2 p1 p2 k3 ...) in one line"
_ESIM_KEYS = ("intrinsics", "distortion_params", "distortion_model", "img_height", "img_width")


@dataclass(frozen=True, eq=False)
class RigCamera:
    """One of the cameras of a rig."""

    name: str
    camera: EventCamera
    rig_from_camera: Float64[Tensor, "4 4"]
    """TUM-VIE: the rig is the IMU; Kalibr: the first camera."""


def read_event_camera(
    path: str | PathLike[str], *, size: tuple[int, int] | None = None, camera: str | None = None
) -> EventCamera:
    """The calibration of an event camera, of whatever format, told by content.

    Args:
        path: The file.
        size: Width and height of the sensor: needed where the file does not hold it (RPG), and chooses among several cameras.
        camera: Which of several cameras: "cam1" (Kalibr), "2" (TUM-VIE; 2 is the left event camera), or a topic (bag).

    Raises:
        MissingPart: No such file, no such camera, or a size is needed.
        UnknownFormat: Another format, or a lens model that is not read here.
        CorruptFile: Damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected a calibration (calib.txt, NPZ, JSON, YAML or a ROS bag)")
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(BAG_MAGIC):
        return read_rosbag_camera(path, topic=camera)
    if head.startswith(b"PK"):
        return read_esim_camera(path)
    if b"\0" in head:
        raise UnknownFormat(f"{path}: begins with {head[:16]!r}, as no calibration does that is read here")
    if head.lstrip().startswith(b"{"):
        return _chosen(path, read_tumvie_rig(path), size, camera or "2")
    if b":" in head:
        return _yaml_camera(path, size, camera)
    return read_rpg_camera(path, size)


def read_rpg_camera(path: Path, size: tuple[int, int] | None) -> EventCamera:
    """``calib.txt`` of the RPG data sets: ``fx fy cx cy k1 k2 p1 p2 k3``.

    Raises:
        MissingPart: No size is given; the file does not hold it.
        CorruptFile: Other numbers.
    """
    table = read_decimal_table(path, _RPG)
    numbers = [float(table.floats(i)[0]) for i in range(table.mantissas.shape[1])]
    if len(table.lines) != 1 or not 4 <= len(numbers) <= 12:
        raise CorruptFile(
            path, f"line {int(table.lines[0])}", f"{len(numbers)} numbers, {len(table.lines)} lines; expected {_RPG}"
        )
    if size is None:
        raise MissingPart(f"{path}: does not hold the size of the sensor; give width and height")
    return camera_of(path, "line 1", _matrix(*numbers[:4]), size, "plumb_bob", numbers[4:])


def read_esim_camera(path: Path) -> EventCamera:
    """``camera_calibration.npz`` of Robust e-NeRF.

    Raises:
        MissingPart: An array is not there.
        CorruptFile: Arrays of other shapes, or values that are no camera.
    """
    arrays = ArrayFile(path)
    missing = [key for key in _ESIM_KEYS if key not in arrays.names]
    if missing:
        raise MissingPart(f"{path}: no {', '.join(missing)} (found {', '.join(arrays.names) or 'nothing'})")
    K = arrays.read("intrinsics")
    if K.shape != (3, 3) or K.dtype.kind not in "fiu":
        raise CorruptFile(path, "intrinsics", f"{K.dtype} of shape {K.shape}, expected numbers (3, 3)")
    coefficients = arrays.read("distortion_params").reshape(-1)
    if coefficients.dtype.kind not in "fiu":
        raise CorruptFile(path, "distortion_params", f"{coefficients.dtype}, expected numbers")
    size = int(_scalar(path, arrays, "img_width", 0.0)), int(_scalar(path, arrays, "img_height", 0.0))
    positive, negative = (_scalar(path, arrays, f"{sign}_contrast_threshold", 0.0) for sign in ("pos", "neg"))
    refractory = _scalar(path, arrays, "refractory_period", -1.0)
    try:
        thresholds = ContrastThresholds(positive, negative) if positive or negative else None
    except InvalidInput as error:
        raise CorruptFile(path, "contrast thresholds", str(error)) from error
    return camera_of(
        path,
        "arrays",
        torch.from_numpy(K.astype(np.float64)),
        size,
        str(arrays.read("distortion_model")),
        coefficients,
        bayer_pattern=str(arrays.read("bayer_pattern")) if "bayer_pattern" in arrays.names else "",
        thresholds=thresholds,
        refractory_period_ns=refractory if refractory >= 0 else None,
    )


def read_tumvie_rig(path: Path) -> tuple[RigCamera, ...]:
    """``camera-calibrationA.json`` or B of TUM-VIE: left and right colour camera, left and right event camera.

    Raises:
        MissingPart: No such file.
        CorruptFile: Another JSON.
    """
    root = entry(path, "root", read_json(path, "TUM-VIE's camera calibration"), "value0", dict)
    lists = [entry(path, "value0", root, key, list) for key in ("T_imu_cam", "intrinsics", "resolution")]
    if len({len(values) for values in lists}) > 1:
        raise CorruptFile(
            path, "value0", f"{[len(v) for v in lists]} poses, lenses and sizes; expected as many of each"
        )
    cameras = []
    for i, (pose, lens, size) in enumerate(zip(*lists, strict=True)):
        where = f"camera {i}"
        kind = entry(path, where, lens, "camera_type", str)
        if kind not in ("kb4", "pinhole"):
            raise UnknownFormat(
                f"{path}: {where}: a camera of type {kind!r:.40} is not read here; expected kb4 or pinhole"
            )
        numbers = entry(path, where, lens, "intrinsics", dict)
        matrix = _matrix(*(_number(path, where, numbers, key) for key in ("fx", "fy", "cx", "cy")))
        coefficients = [_number(path, where, numbers, key) for key in ("k1", "k2", "k3", "k4")] if kind == "kb4" else []
        if not (isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) for n in size)):
            raise CorruptFile(path, where, f"a resolution of {size!r:.40}, expected width and height")
        camera = camera_of(path, where, matrix, (size[0], size[1]), kind, coefficients)
        cameras.append(RigCamera(str(i), camera, tumvie_pose(path, where, pose)))
    return tuple(cameras)


def tumvie_pose(path: Path, where: str, pose: Any) -> Float64[Tensor, "4 4"]:
    """A pose ``px py pz qx qy qz qw`` of TUM-VIE's JSON as a matrix.

    Raises:
        CorruptFile: Another object.
    """
    numbers = [_number(path, where, pose, key) for key in ("px", "py", "pz", "qw", "qx", "qy", "qz")]
    quat = torch.tensor(numbers[3:], dtype=torch.float64)
    if not 0.9 < float(quat.norm()) < 1.1:
        raise CorruptFile(path, where, f"a quaternion of length {float(quat.norm()):g}, expected 1")
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = to_matrix(quat / quat.norm())
    matrix[:3, 3] = torch.tensor(numbers[:3], dtype=torch.float64)
    return matrix


def read_kalibr_rig(path: Path) -> tuple[RigCamera, ...]:
    """Kalibr's ``camchain.yaml``: ``cam0``, ``cam1``, ...

    Raises:
        MissingPart: No such file, or no cameras in it.
        CorruptFile: Damaged.
    """
    root = read_yaml_subset(path)
    names = sorted(key for key in root if key.startswith("cam") and isinstance(root[key], dict))
    cameras, rig_from_last = [], torch.eye(4, dtype=torch.float64)
    for name in names:
        record = root[name]
        fx, fy, cx, cy = _numbers(path, name, record, "intrinsics", 4)
        width, height = _numbers(path, name, record, "resolution", 2)
        if record.get("camera_model", "pinhole") != "pinhole":
            raise UnknownFormat(
                f"{path}: {name}: the camera model {record['camera_model']!r} is not read here; expected pinhole"
            )
        model = str(record.get("distortion_model", "none"))
        coefficients = _numbers(path, name, record, "distortion_coeffs") if model != "none" else []
        if "T_cn_cnm1" in record and cameras:
            step = torch.tensor(_numbers(path, name, record, "T_cn_cnm1", 16), dtype=torch.float64).reshape(4, 4)
            rig_from_last = rig_from_last @ _inverse(step)
        camera = camera_of(path, name, _matrix(fx, fy, cx, cy), (int(width), int(height)), model, coefficients)
        cameras.append(RigCamera(name, camera, rig_from_last))
    if not cameras:
        raise MissingPart(
            f"{path}: no cam0, cam1, ... (found {', '.join(root) or 'nothing'}); expected Kalibr's camchain"
        )
    return tuple(cameras)


def _yaml_camera(path: Path, size: tuple[int, int] | None, camera: str | None) -> EventCamera:
    root = read_yaml_subset(path)
    if "camera_matrix" not in root:
        return _chosen(path, read_kalibr_rig(path), size, camera)
    K = torch.tensor(_numbers(path, "camera_matrix", root["camera_matrix"], "data", 9), dtype=torch.float64).reshape(
        3, 3
    )
    model = str(root.get("distortion_model", root.get("camera_model", "plumb_bob")))
    coefficients = root.get("distortion_coefficients", {"data": []})
    width, height = root.get("image_width", 0), root.get("image_height", 0)
    if not (isinstance(width, int) and isinstance(height, int)):
        raise CorruptFile(path, "image_width", f"a size of {width!r} x {height!r}, expected two whole numbers")
    return camera_of(
        path, "camera_matrix", K, (width, height), model, _numbers(path, "distortion", coefficients, "data")
    )


def _chosen(path: Path, rig: tuple[RigCamera, ...], size: tuple[int, int] | None, camera: str | None) -> EventCamera:
    """The camera of a name, or the only one, or the only one of a size."""
    named = [entry for entry in rig if entry.name == camera]
    fitting = [entry for entry in rig if size in (None, (entry.camera.width, entry.camera.height))]
    for found in (named, rig, fitting):
        if len(found) == 1:
            return found[0].camera
    described = ", ".join(f"{entry.name} ({entry.camera.width} x {entry.camera.height})" for entry in rig)
    raise MissingPart(f"{path}: holds several cameras, {described}; say which is the event camera")


def _matrix(fx: float, fy: float, cx: float, cy: float) -> Float64[Tensor, "3 3"]:
    return torch.tensor([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]], dtype=torch.float64)


def _inverse(pose: Float64[Tensor, "4 4"]) -> Float64[Tensor, "4 4"]:
    back = torch.eye(4, dtype=torch.float64)
    back[:3, :3] = pose[:3, :3].T
    back[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return back


def _number(path: Path, where: str, record: Any, key: str) -> float:
    return float(entry(path, where, record, key, (int, float)))


def _numbers(path: Path, where: str, record: Any, key: str, count: int | None = None) -> list[float]:
    """A list of numbers, perhaps of lists."""
    values = record.get(key) if isinstance(record, Mapping) else None
    flat = (
        [n for row in values for n in (row if isinstance(row, list) else [row])] if isinstance(values, list) else None
    )
    if flat is None or not all(isinstance(n, int | float) for n in flat) or count not in (None, len(flat)):
        raise CorruptFile(path, where, f"{key} is {values!r:.60}, expected {count or 'a list of'} numbers")
    return [float(n) for n in flat]


def _scalar(path: Path, arrays: ArrayFile, name: str, default: float) -> float:
    if name not in arrays.names:
        return default
    value = arrays.read(name)
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise CorruptFile(path, name, f"{value.dtype} of shape {value.shape}, expected one number")
    return float(value.reshape(-1)[0])
