"""Events where a lens without distortion would have put them."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32

from ..core.backend import Op
from ..core.errors import InvalidInput, ShapeMismatch
from ..data.cameras import pixel_centers
from ..data.distortion import PARAMETERS, undistort
from ..data.event_camera import EventCamera
from ..data.event_stream import EventStream

UNDISTORT = Op(
    "undistort_events",
    {
        "numba": "trisparse.events.kernels.numba_undistort:undistort",
        "numpy": "trisparse.events.kernels.numpy_undistort:undistort",
    },
)


def undistort_events(
    stream: EventStream, camera: EventCamera, *, method: str = "opencv", backend: str = "auto"
) -> Float32[np.ndarray, "e 2"]:
    """Where each event's pixel centre would lie in an image of the same K without lens distortion.

    Args:
        camera: The camera that saw the events.
        method: ``opencv`` gives the numbers that Robust e-NeRF works with: for lenses of OpenCV's model five steps of a fixed
            point iteration, which misses by up to 0.1 pixels in the corners of a moderate lens and by many in those of a strong
            one. ``exact`` inverts the lens.
        backend: ``"numba"`` or ``"numpy"``, for ``opencv``.

    Returns:
        Pixels (x, y), centres at +0.5, perhaps outside the image. NaN where the lens has no ray: leave such events out.

    Raises:
        ShapeMismatch: The sensor of the events has another size than the camera.
        InvalidInput: Another method.
    """
    if (stream.width, stream.height) != (camera.width, camera.height):
        raise ShapeMismatch(
            f"events of a sensor of {stream.width} x {stream.height} pixels and a camera of {camera.width} x {camera.height}; "
            "expected the same size: give the calibration of this sensor"
        )
    if method == "exact":
        return _exact_table(camera)[stream.y, stream.x]
    if method != "opencv":
        raise InvalidInput(f"no way {method!r} to undistort; choose opencv or exact")
    if not camera.distortion.any() and camera.model != "fisheye":
        return np.stack([stream.x, stream.y], -1).astype(np.float32) + np.float32(0.5)
    find = UNDISTORT.pick(torch.device("cpu"), backend)
    coefficients = np.zeros(PARAMETERS[camera.model])
    coefficients[: len(camera.distortion)] = camera.distortion.numpy()
    return find(stream.x, stream.y, (stream.height, stream.width), camera.K.numpy(), coefficients)


def _exact_table(camera: EventCamera) -> Float32[np.ndarray, "h w 2"]:
    K = camera.K[:2, :2]
    plane = torch.linalg.solve(K, (pixel_centers(camera.width, camera.height, K) - camera.K[:2, 2]).mT).mT
    coefficients = torch.zeros(PARAMETERS[camera.model], dtype=torch.float64)
    coefficients[: len(camera.distortion)] = camera.distortion
    rays, exists = undistort(plane, camera.model, coefficients)
    pixels = torch.where(exists[:, None], rays @ K.mT + camera.K[:2, 2], torch.nan)
    return pixels.reshape(camera.height, camera.width, 2).float().numpy()
