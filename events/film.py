"""Events of a simulated camera that moves through a scene, rendered as often as its motion asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from ..core.errors import InvalidInput, ShapeMismatch
from ..data.cameras import Cameras, rigid
from ..data.event_camera import EventCamera
from ..data.event_stream import EventStream
from ..data.trajectory import Trajectory
from .simulate import SimulatedSensor, simulate_frames

_INSTANT_NS = 10_000.0
"""Over which velocities are measured."""


@dataclass(frozen=True, eq=False)
class Shot:
    """What a renderer says of one camera."""

    image: Float[np.ndarray, "..."]
    """Intensities [h w] or red green blue [h w 3], 0 or more."""
    depth_z: Float[np.ndarray, "h w"]
    """Metres along the optical axis: they tell how fast pixels move. Infinity where nothing is that could be seen to move; a
    sky with clouds is far, but not infinitely."""


Renderer = Callable[[Cameras], Shot]
"""Called with one camera at a time."""


@dataclass(frozen=True)
class Sampling:
    """How often a moving camera is rendered."""

    largest_flow_px: float = 0.5
    """No pixel moves by more from frame to frame, as far as its speed at the first of them tells."""
    least_rate_hz: float = 50.0
    """However slowly it moves."""
    greatest_rate_hz: float = 1e5
    """However fast it moves: a wall before the lens would ask for frames without end."""

    def __post_init__(self) -> None:
        if not (self.largest_flow_px > 0 and 0 < self.least_rate_hz <= self.greatest_rate_hz <= 1e9):
            raise InvalidInput(
                f"frames every {self.largest_flow_px} pixels, {self.least_rate_hz} to {self.greatest_rate_hz} Hz; expected "
                "numbers above 0, rates that rise, at most 1e9"
            )


def simulate_camera(
    render: Renderer,
    camera: EventCamera,
    trajectory: Trajectory,
    sensor: SimulatedSensor,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> EventStream:
    """The events that a camera on its way through a scene records.

    Args:
        render: The scene.
        camera: Lens and size; its own thresholds and the like are not looked at.
        trajectory: Where it is, from the first to the last pose.
        sensor: How it turns intensities into events.
        sampling: How often the scene is rendered.
        seed: See :class:`~.simulate.EventSimulator`.
        progress: Is told the share of the time that is done, after each frame.
    """
    frames = film(render, camera, trajectory, sampling or Sampling(), progress=progress)
    return simulate_frames(frames, sensor, seed=seed)


def film(
    render: Renderer,
    camera: EventCamera,
    trajectory: Trajectory,
    sampling: Sampling,
    *,
    progress: Callable[[float], None] | None = None,
) -> Iterator[tuple[int, Shaped[np.ndarray, "..."]]]:
    """Times (ns) and images from the first to the last pose, so densely that no pixel moves far in between.

    Raises:
        ShapeMismatch: The renderer gives images of another size than the camera's.
    """
    plane = _plane_points(camera)
    t, last = trajectory.t0_ns, int(trajectory.t_ns[-1])
    slowest, fastest = 1e9 / sampling.least_rate_hz, 1e9 / sampling.greatest_rate_hz
    while True:
        since = float(t - trajectory.t0_ns)
        shot = render(camera.cameras(_camera_from_world(trajectory, since)))
        size = (camera.height, camera.width)
        if shot.image.shape[:2] != size or shot.depth_z.shape != size:
            raise ShapeMismatch(
                f"the renderer gave an image {shot.image.shape} and depth {shot.depth_z.shape}; expected {size} pixels"
            )
        yield t, shot.image
        if progress is not None:
            progress(since / trajectory.end)
        if t == last:
            return
        speed = _largest_flow(camera, trajectory, plane, shot, since)
        step = min(max(sampling.largest_flow_px / max(speed, 1e-300), fastest), slowest)
        t = min(last, t + max(1, int(step)))


def _largest_flow(
    camera: EventCamera, trajectory: Trajectory, plane: Float64[Tensor, "p 3"], shot: Shot, since: float
) -> float:
    """The fastest motion of a pixel's content now, pixels per ns."""
    later = min(since + _INSTANT_NS, trajectory.end)
    depth = torch.from_numpy(shot.depth_z.astype(np.float64)).reshape(-1, 1)
    there = depth[:, 0].isfinite()
    world = _world_from_camera(trajectory, since)
    points = (plane * depth)[there] @ world[0, :3, :3].mT + world[0, :3, 3]
    both = torch.cat([_camera_from_world(trajectory, at) for at in (since, later)])
    seen = camera.cameras(both).project(points)
    moved = (seen.pixels[1] - seen.pixels[0]).norm(dim=-1)[seen.inside.all(0)]
    return float(moved.max()) / (later - since) if len(moved) else 0.0


def _plane_points(camera: EventCamera) -> Float64[Tensor, "p 3"]:
    """Points of the plane z = 1 that the pixels show; for pixels without a ray the middle."""
    rays, exists = camera.cameras(torch.eye(4, dtype=torch.float64)[None]).rays()
    points = rays.directions / rays.directions[:, 2:]
    return torch.where(exists[:, None], points, points.new_tensor([0.0, 0.0, 1.0]))


def _world_from_camera(trajectory: Trajectory, since: float) -> Float64[Tensor, "1 4 4"]:
    poses = trajectory.pose_at(torch.tensor([since], dtype=torch.float64))
    return rigid(poses.rotations, poses.centers)


def _camera_from_world(trajectory: Trajectory, since: float) -> Float64[Tensor, "1 4 4"]:
    poses = trajectory.pose_at(torch.tensor([since], dtype=torch.float64))
    rotation = poses.rotations.mT
    return rigid(rotation, -(rotation @ poses.centers[..., None])[..., 0])
