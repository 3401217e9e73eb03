"""A calibrated event camera out of the numbers of a file whose pixel centres are whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from ...core.errors import CorruptFile, InvalidInput, UnknownFormat
from ..distortion import Model
from ..event_camera import ContrastThresholds, EventCamera

MODELS: dict[str, Model] = {
    "": "pinhole",
    "none": "pinhole",
    "pinhole": "pinhole",
    "plumb_bob": "opencv",
    "radtan": "opencv",
    "rational_polynomial": "opencv",
    "equidistant": "fisheye",
    "equi": "fisheye",
    "kb4": "fisheye",
    "fisheye": "fisheye",
}
"""Names of lens models in ROS, Kalibr, TUM-VIE and Robust e-NeRF -> ours."""


def camera_of(
    path: Path,
    where: str,
    K: Float64[Tensor, "3 3"],
    size: tuple[int, int],
    model: str,
    coefficients: Sequence[float] | np.ndarray,
    *,
    bayer_pattern: str = "",
    thresholds: ContrastThresholds | None = None,
    refractory_period_ns: float | None = None,
) -> EventCamera:
    """A camera of a calibration file; 0.5 is added to its principal point.

    Args:
        path: The file, for messages.
        where: The place in it.
        K: As the file has it: the centre of the first pixel is (0, 0).
        size: Width and height.
        model: A name out of :data:`MODELS`.
        coefficients: In OpenCV's order; with none, or zeros only, the lens is a pinhole.

    Raises:
        UnknownFormat: Another lens model.
        CorruptFile: Numbers that are no camera.
    """
    values = [float(value) for value in coefficients]
    if not values or (not any(values) and MODELS.get(model) != "fisheye"):  # a fisheye of zeros still bends
        model, values = "none", []
    if model not in MODELS:
        raise UnknownFormat(
            f"{path}: {where}: the lens model {model!r} is not read here; expected one of {', '.join(filter(None, MODELS))}: "
            "calibrate with one of them"
        )
    shifted = K + K.new_tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
    try:
        camera = EventCamera(
            shifted,
            *size,
            MODELS[model],
            torch.tensor(values, dtype=torch.float64),
            bayer_pattern,
            thresholds,
            refractory_period_ns,
        )
        camera.cameras(torch.eye(4, dtype=torch.float64)[None])  # which checks K
        return camera
    except InvalidInput as error:
        raise CorruptFile(path, where, str(error)) from error
