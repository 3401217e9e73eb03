"""Paths of simulated event cameras: spirals over a sphere, at an even or a swinging speed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from ..core.errors import InvalidInput
from ..data.quaternions import from_matrix
from ..data.trajectory import Trajectory

_STEPS = 1 << 16
"""Of the sums that turn times into lengths and lengths into angles."""


@dataclass(frozen=True)
class Spiral:
    """A camera that looks at a point and circles around it while it climbs, as those of Robust e-NeRF's generated data."""

    radius: float = 4.03112887
    """Metres from the point."""
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The point, metres."""
    revolutions: float = 4.0
    elevations: tuple[float, float] = (0.0, math.pi / 2)
    """At the start and at the end, radians above the horizontal; from -pi/2 on it is a whole sphere."""
    duration_ns: int = 4_000_000_000
    speed_swing: float = 1.0
    """The speed swings between its middle divided and multiplied by this; 1 keeps it even."""
    swing_period_ns: int = 1_000_000_000
    pose_interval_ns: int = 1_000_000
    """Between poses, which are interpolated linearly."""

    def __post_init__(self) -> None:
        low, high = self.elevations
        if not (self.radius > 0 and -math.pi / 2 <= low < high <= math.pi / 2 and math.isfinite(self.revolutions)):
            raise InvalidInput(
                f"a spiral of radius {self.radius} m from {low} to {high} rad in {self.revolutions} turns; expected a radius "
                "above 0, and elevations that rise within -pi/2..pi/2"
            )
        if not (0 < self.pose_interval_ns <= self.duration_ns and self.swing_period_ns > 0 and self.speed_swing >= 1):
            raise InvalidInput(
                f"a spiral of {self.duration_ns} ns with poses every {self.pose_interval_ns} ns and a speed that swings by "
                f"{self.speed_swing} every {self.swing_period_ns} ns; expected times above 0 and a swing of 1 or more"
            )


def spiral_trajectory(spiral: Spiral) -> Trajectory:
    """Poses along a spiral, from time 0 on; the image's upper side is where the world's z points."""
    n = max(1, round(spiral.duration_ns / spiral.pose_interval_ns))
    t_ns = torch.linspace(0, spiral.duration_ns, n + 1, dtype=torch.float64).round().long()
    elevation = _elevations(spiral, _way(spiral, t_ns.double()))
    low, high = spiral.elevations
    azimuth = 2 * math.pi * spiral.revolutions * (elevation - low) / (high - low)
    outward = torch.stack([azimuth.cos() * elevation.cos(), azimuth.sin() * elevation.cos(), elevation.sin()], -1)
    # To the right lies where the azimuth grows, which stays defined at the pole.
    right = torch.stack([-azimuth.sin(), azimuth.cos(), torch.zeros_like(azimuth)], -1)
    down = torch.linalg.cross(-outward, right)
    centers = outward.new_tensor(spiral.center) + spiral.radius * outward
    return Trajectory(t_ns, centers, from_matrix(torch.stack([right, down, -outward], -1)))


def _way(spiral: Spiral, t: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
    """Share of the path's length that lies behind at some times."""
    times = torch.linspace(0, spiral.duration_ns, _STEPS + 1, dtype=torch.float64)
    speed = spiral.speed_swing ** torch.sin(2 * math.pi * times / spiral.swing_period_ns)
    done = _running_integral(speed)
    return _interpolate(t, times, done / done[-1])


def _elevations(spiral: Spiral, way: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
    """Elevations at some shares of the path's length."""
    low, high = spiral.elevations
    angles = torch.linspace(low, high, _STEPS + 1, dtype=torch.float64)
    turn = 2 * math.pi * spiral.revolutions / (high - low)  # radians of azimuth a radian of elevation
    length = _running_integral(torch.sqrt(1 + (turn * angles.cos()).square()))
    return _interpolate(way, length / length[-1], angles)


def _running_integral(values: Float64[Tensor, "k"]) -> Float64[Tensor, "k"]:
    return torch.nn.functional.pad((values[1:] + values[:-1]).cumsum(0), (1, 0))


def _interpolate(at: Float64[Tensor, "n"], x: Float64[Tensor, "k"], y: Float64[Tensor, "k"]) -> Float64[Tensor, "n"]:
    right = torch.searchsorted(x, at).clamp(1, len(x) - 1)
    left = right - 1
    return torch.lerp(y[left], y[right], ((at - x[left]) / (x[right] - x[left])).clamp(0, 1))
