"""A tilted plane before two cameras, and images in which bilinear interpolation makes no error."""

from __future__ import annotations

import torch
from torch import Tensor
from trisparse.data.cameras import Cameras, pixel_centers

WIDTH, HEIGHT = 24, 18
_NORMAL = torch.tensor([0.2, -1.0, 0.1], dtype=torch.float64)
_DISTANCE = 0.1
"""Of the plane: normal . x = distance."""


def tilted_pair(width: int = WIDTH, height: int = HEIGHT) -> tuple[Cameras, Cameras]:
    """Two cameras that look at the plane from different sides, turned against each other."""
    K = torch.tensor([[20.0, 0, width / 2 + 0.7], [0, 21.0, height / 2 - 0.4], [0, 0, 1]], dtype=torch.float64)[None]
    places = torch.tensor([[0.0, -2.0, 0.1], [0.35, -1.9, 0.2]], dtype=torch.float64)
    first, second = (
        Cameras.looking_at(place[None], torch.zeros(3, dtype=torch.float64), K, width=width, height=height)
        for place in places
    )
    return first, second


def plane_depth(camera: Cameras) -> Tensor:
    """``depth_z`` of the plane in every pixel, from the plane's equation in the camera's frame."""
    rotation, shift = camera.camera_from_world[0, :3, :3], camera.camera_from_world[0, :3, 3]
    normal = rotation @ _NORMAL
    distance = _DISTANCE + normal @ shift
    pixels = pixel_centers(camera.width, camera.height, rotation)
    plane = (pixels - camera.K[0, :2, 2]) / camera.K[0, :2, :2].diagonal()
    directions = torch.cat([plane, torch.ones_like(plane[:, :1])], 1)
    return (distance / (directions @ normal)).reshape(camera.height, camera.width)


def _colors(pixels: Tensor) -> Tensor:
    x, y = pixels.unbind(-1)
    return torch.stack([x / WIDTH, y / HEIGHT, (x + 2 * y) / (WIDTH + 2 * HEIGHT)], -1)


def ramp(camera: Cameras) -> Tensor:
    """An image of a camera whose colours are linear in x and y."""
    pixels = pixel_centers(camera.width, camera.height, camera.K)
    return _colors(pixels).reshape(camera.height, camera.width, 3)


def ramp_at(camera: Cameras, other: Cameras, depth_z: Tensor) -> Tensor:
    """What ``camera`` sees of a plane that ``other`` sees as its ramp: by the matrix that leads from pixels to pixels."""
    pixels = pixel_centers(camera.width, camera.height, camera.K)
    homogeneous = torch.cat([pixels, torch.ones_like(pixels[:, :1])], 1) * depth_z.reshape(-1, 1)
    local = homogeneous @ camera.K[0].inverse().T
    relative = other.camera_from_world[0] @ camera.camera_from_world[0].inverse()
    there = (local @ relative[:3, :3].T + relative[:3, 3]) @ other.K[0].T
    return _colors(there[:, :2] / there[:, 2:]).reshape(camera.height, camera.width, 3)
