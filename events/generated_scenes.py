"""Generated scenes before a simulated event camera: still lifes as renderers, and the settings of Robust e-NeRF's data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..core.errors import InvalidInput
from ..data.cameras import Cameras, pixel_centers
from ..data.event_camera import ContrastThresholds
from ..data.still_life.lighting import exposure_of
from ..data.still_life.render import photograph, radiance
from ..data.still_life.scene import StillLife
from .film import Renderer, Shot
from .simulate import SimulatedSensor
from .trajectories import Spiral

_COLORS = SimulatedSensor(ContrastThresholds(0.25, 0.25), bayer_pattern="RGGB")


@dataclass(frozen=True)
class Setting:
    """How a camera moves and what its sensor is like."""

    spiral: Spiral
    sensor: SimulatedSensor

    def around(self, scene: StillLife) -> Setting:
        """The same about a still life: around its centre, at its usual distance."""
        return replace(self, spiral=replace(self.spiral, center=tuple(scene.center), radius=scene.distance))


SETTINGS: dict[str, Setting] = {
    "easy": Setting(Spiral(), _COLORS),
    "medium": Setting(
        Spiral(speed_swing=4.0, pose_interval_ns=500_000),
        replace(_COLORS, threshold_stds=(0.03, 0.03), refractory_period_ns=8_000_000),
    ),
    "hard": Setting(
        Spiral(speed_swing=8.0, pose_interval_ns=250_000),
        replace(_COLORS, threshold_stds=(0.06, 0.06), refractory_period_ns=25_000_000),
    ),
}
"""Robust e-NeRF's three difficulties: even speed and an ideal sensor; then a speed that swings every second, thresholds that
vary from pixel to pixel, and pixels that sleep 8 or 25 ms after each event. That the speed swings as a power of a sine is our
reading of the names of its files."""


def still_life_renderer(scene: StillLife, *, samples_per_pixel: int = 4, space: str = "display") -> Renderer:
    """A renderer of a still life.

    Args:
        samples_per_pixel: Rays a pixel, a square number. With few, edges jump from pixel to pixel instead of gliding.
        space: ``display``: colours as photos have them, sRGB and cut off at 1, so that reconstructions can be compared with
            photos, as Robust e-NeRF's data do it. ``linear``: exposed light, which may be above 1, through pixel centres.

    Raises:
        InvalidInput: Another space.
    """
    if space not in ("display", "linear"):
        raise InvalidInput(f"no space {space!r} of intensities; choose display or linear")

    def render(cameras: Cameras) -> Shot:
        photos = photograph(scene, cameras, samples_per_pixel=samples_per_pixel if space == "display" else 1)
        depth_z = photos.depth_z[0].numpy()
        return Shot(photos.images[0].numpy() if space == "display" else _linear(scene, cameras), depth_z)

    return render


def _linear(scene: StillLife, cameras: Cameras) -> np.ndarray:
    rays, exists = cameras.rays(pixel_centers(cameras.width, cameras.height, cameras.K))
    light = torch.where(exists[:, None], radiance(scene, rays) * exposure_of(scene.light), 1.0)
    return light.reshape(cameras.height, cameras.width, 3).numpy()
