"""Random rigid motions, scale, noise and colour changes of training scans (as TSP3D is trained)."""

from __future__ import annotations

import re

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.random import Generator
from torch import Tensor

from ..core.errors import InvalidInput
from .boxes import Boxes3D
from .point_cloud import PointCloud

VIEW_WORDS = frozenset(
    ["front", "behind", "back", "left", "right", "facing", "leftmost", "rightmost", "looking", "across"]
)
"""Words that make a sentence depend on where one stands."""


def is_view_dependent(sentence: str) -> bool:
    """Whether a sentence holds a word that changes its meaning when the room is mirrored or turned."""
    return not VIEW_WORDS.isdisjoint(re.findall(r"[a-z]+", sentence.lower()))


def augment(cloud: PointCloud, rng: Generator, *, mirror_and_turn: bool) -> PointCloud:
    """A random variant of a scan.

    Args:
        cloud: z up, metres.
        rng: Where the randomness comes from.
        mirror_and_turn: Also mirror x and y at even odds and turn by multiples of 90 degrees; off for sentences that
            depend on the view.

    Returns:
        Points turned (about z by up to 5 degrees beside the quarter turns, about x and y by up to 2.5), jittered by up to
        5 mm, shifted by up to 0.5 m an axis, scaled by 0.98 to 1.02; colours scaled a point and channel likewise.
    """
    points = cloud.points.numpy().astype(np.float64)
    angle = rng.uniform(-5, 5)
    if mirror_and_turn:
        angle += 90 * int(rng.integers(4))
        points[:, :2] *= np.where(rng.random(2) < 0.5, -1.0, 1.0)
    tilt_x, tilt_y = rng.uniform(-2.5, 2.5, 2)
    turn = _rotation(1, tilt_y) @ _rotation(0, tilt_x) @ _rotation(2, angle)
    points = points @ turn.T + rng.uniform(0, 0.005, points.shape)
    points = (points + rng.uniform(-0.5, 0.5, 3)) * rng.uniform(0.98, 1.02)
    colors = cloud.colors
    if colors is not None:
        factor = torch.from_numpy(rng.uniform(0.98, 1.02, colors.shape).astype(np.float32))
        colors = colors * factor
    return PointCloud(torch.from_numpy(points.astype(np.float32)), colors, cloud.instances)


def instance_boxes(cloud: PointCloud, object_ids: Int64[Tensor, "m"]) -> Boxes3D:
    """Axis-aligned boxes around the points of some instances; an instance without points gets size 0 at the origin.

    Raises:
        InvalidInput: The cloud has no instances.
    """
    if cloud.instances is None:
        raise InvalidInput("the cloud has no instance numbers, which the boxes of its objects need")
    n = int(torch.cat([cloud.instances, object_ids]).max()) + 1 if len(object_ids) else 0
    known = cloud.instances >= 0
    index = cloud.instances[known][:, None].expand(-1, 3)
    points = cloud.points[known]
    low: Float[Tensor, "i 3"] = points.new_full((n, 3), torch.inf).scatter_reduce(0, index, points, "amin")
    high: Float[Tensor, "i 3"] = points.new_full((n, 3), -torch.inf).scatter_reduce(0, index, points, "amax")
    seen = torch.isfinite(low[object_ids]).all(1, keepdim=True)
    return Boxes3D.from_corners(torch.where(seen, low[object_ids], 0.0), torch.where(seen, high[object_ids], 0.0))


def _rotation(axis: int, degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = cos
    matrix[a, b], matrix[b, a] = -sin, sin
    return matrix
