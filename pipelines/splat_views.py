"""Cameras for Gaussians of which nothing else is known."""

from __future__ import annotations

import math

import torch

from ..core.errors import InvalidInput
from ..data.cameras import Cameras
from ..rendering.gaussians import GaussianCloud

_FIELD_OF_VIEW = math.radians(50)


def cameras_around(cloud: GaussianCloud, n: int, width: int, height: int) -> Cameras:
    """A circle of cameras around the middle of the opaque Gaussians, z up, from which nine tenths of them are seen whole.

    Raises:
        InvalidInput: No Gaussian.
    """
    if not len(cloud):
        raise InvalidInput("no Gaussian to look at")
    opaque = cloud.means[cloud.opacities > 0.2].double()
    points = opaque if len(opaque) else cloud.means.double()
    middle = points.median(0).values
    away = (points - middle).norm(dim=1)
    reach = float(away.sort().values[int(0.9 * (len(away) - 1))])
    focal = width / 2 / math.tan(_FIELD_OF_VIEW / 2)
    distance = 1.2 * max(reach, 1e-6) * 2 * focal / min(width, height)
    angles = torch.arange(n, dtype=torch.float64) * (2 * math.pi / n)
    tilt = math.radians(20)
    ring = torch.stack(
        [angles.cos() * math.cos(tilt), angles.sin() * math.cos(tilt), torch.full_like(angles, math.sin(tilt))], 1
    )
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], dtype=torch.float64).repeat(n, 1, 1)
    cameras = Cameras.looking_at(middle + distance * ring, middle, K, width=width, height=height)
    return cameras.to(cloud.means.dtype)
