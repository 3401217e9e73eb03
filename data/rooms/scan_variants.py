"""The same room as other sensors and people would scan it, to measure what a network withstands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from numpy.random import Generator
from torch import Tensor

from ...core.random import derive_seed, numpy_rng
from ..point_cloud import PointCloud
from ..scene import Scene
from .generate import RoomConfig, generate_room

CONDITIONS = (
    "as made",
    "half the points",
    "a tenth of the points",
    "three times the noise",
    "no ceiling",
    "vertices 1.5 cm apart",
    "vertices 4 cm apart",
    "grey",
    "unknown yaw",
    "half the room",
    "6 views",
)
"""How a room can be scanned otherwise."""


def rescan(scene: Scene, seed: int, config: RoomConfig, condition: str) -> Scene:
    """The room under a condition; objects and boxes stay those of the usual scan.

    Args:
        scene: ``generate_room(seed, config)``, or the same read back.
        condition: One of :data:`CONDITIONS`. "half the room" keeps the points on one side of an upright plane through the
            middle, and the sentences whose target and anchors lie there; the others keep all sentences. "unknown yaw" turns
            the cloud (see :func:`turn_of`), but not the boxes.
    """
    rng = numpy_rng(seed, "rescan", condition)
    if condition in _OF_CLOUD:
        return replace(scene, cloud=_OF_CLOUD[condition](scene.cloud, rng))
    if condition == "unknown yaw":
        cloud = scene.cloud
        return replace(scene, cloud=PointCloud(cloud.points @ turn_of(seed).T.float(), cloud.colors, cloud.instances))
    if condition == "half the room":
        return _half(scene, rng)
    scan = config.scan
    changed = {
        "three times the noise": replace(scan, noise_m=3 * scan.noise_m),
        "vertices 1.5 cm apart": replace(scan, spacing_m=0.015, max_points=400_000),
        "vertices 4 cm apart": replace(scan, spacing_m=0.04),
        "6 views": replace(scan, n_views=6),
    }[condition]
    return replace(scene, cloud=generate_room(seed, replace(config, scan=changed)).cloud)


def turn_of(seed: int) -> Tensor:
    """The rotation (3, 3, float64) about z of "unknown yaw"."""
    angle = 2 * math.pi * (derive_seed(seed, "yaw") % 10_000) / 10_000
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)


def _some(share: float) -> Callable[[PointCloud, Generator], PointCloud]:
    def thin(cloud: PointCloud, rng: Generator) -> PointCloud:
        return cloud.select(torch.from_numpy(rng.random(len(cloud)) < share))

    return thin


def _no_ceiling(cloud: PointCloud, _: Generator) -> PointCloud:
    top = float(cloud.points[:, 2].sort().values[int(0.999 * len(cloud))])
    assert cloud.instances is not None
    return cloud.select(~((cloud.instances < 0) & (cloud.points[:, 2] > top - 0.1)))


def _grey(cloud: PointCloud, _: Generator) -> PointCloud:
    assert cloud.colors is not None
    return replace(cloud, colors=cloud.colors.mean(1, keepdim=True).expand(-1, 3).contiguous())


_OF_CLOUD: dict[str, Callable[[PointCloud, Generator], PointCloud]] = {
    "as made": lambda cloud, _: cloud,
    "half the points": _some(0.5),
    "a tenth of the points": _some(0.1),
    "no ceiling": _no_ceiling,
    "grey": _grey,
}


def _half(scene: Scene, rng: Generator) -> Scene:
    angle = rng.uniform(0, 2 * math.pi)
    normal = torch.tensor([math.cos(angle), math.sin(angle)])
    inside = {o.object_id for o in scene.objects if o.center[0] * math.cos(angle) + o.center[1] * math.sin(angle) > 0.2}
    kept = tuple(r for r in scene.referrals if {r.target_id, *r.anchor_ids} <= inside)
    return replace(scene, cloud=scene.cloud.select(scene.cloud.points[:, :2].float() @ normal > 0), referrals=kept)
