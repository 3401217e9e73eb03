"""Which part of the world a field has to fill, where nobody says."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from ...core.errors import InvalidInput
from ...data.camera_paths import focus_of
from ...data.cameras import Cameras, rigid
from ...data.event_recording import PosedRecording
from ...rendering.radiance.steps import MarchingSteps, automatic_step
from .config import SpaceConfig

_POSES = 256
"""Of a path, that its focus is taken from."""
_LEAST_TURN = 15.0
"""Degrees between two of its axes from which on their focus means something."""
_NEAR, _FAR = 0.1, 10.0
"""Times the distance to the focus, where a scene has no known bounds."""


def find_space(recording: PosedRecording, space: SpaceConfig) -> SpaceConfig:
    """Fill in what was left open: a box, and what is done with all that lies outside.

    The cameras' axes come nearest to each other in a point, the focus; the box is a cube around it as large as what the cameras
    see of it. With ``sphere`` (the choice where none is made) the outside is drawn together, and samples lie between a tenth
    and ten times the distance of the focus.

    Raises:
        InvalidInput: The path is too short to tell: give the box, or ``near`` and ``far``.
    """
    contraction = space.contraction or "sphere"
    if space.aabb is not None and (contraction == "aabb" or space.far is not None):
        return replace(space, contraction=contraction)
    cameras = cameras_on_path(recording, _POSES)
    focus = focus_of(cameras).double()
    distance = float((cameras.centers - focus).norm(dim=1).median())
    turned = float(torch.rad2deg(torch.acos((cameras.forwards @ cameras.forwards.mT).clamp(-1, 1)).max()))
    if space.aabb is None and space.far is None and turned < _LEAST_TURN:
        raise InvalidInput(
            f"the camera turns by {turned:.1f} degrees only, which does not tell how far away the scene is; give the nearest "
            "and the farthest distance of what it sees (near, far), or a box around it (bounds)"
        )
    near = _NEAR * distance if space.near is None else space.near
    far = _FAR * distance if space.far is None else space.far
    if contraction == "aabb":
        near, far = space.near, space.far
    if space.aabb is not None:
        return replace(space, contraction=contraction, near=near, far=far)
    if space.far is not None:  # what is seen lies between near and far
        distance = ((space.near or _NEAR * space.far) * space.far) ** 0.5
        focus = cameras.centers.mean(0) + distance * torch.nn.functional.normalize(cameras.forwards.sum(0), dim=0)
    half = distance * _half_view(recording)
    low, high = (focus - half).tolist(), (focus + half).tolist()
    return replace(space, aabb=(*low, *high), contraction=contraction, near=near, far=far)  # pyright: ignore[reportArgumentType]


def marching_steps(space: SpaceConfig) -> MarchingSteps:
    """Lengths of steps in a space that is known."""
    step = automatic_step(box_of(space)) * 1024 / space.steps_across if space.step is None else space.step
    return MarchingSteps(step, space.cone_angle, space.near, space.far)


def box_of(space: SpaceConfig) -> Float64[Tensor, "6"]:
    """The box of a space that is known."""
    if space.aabb is None or space.contraction is None:
        raise InvalidInput("a space without a box; find_space fills it in")
    return torch.tensor(space.aabb, dtype=torch.float64)


def cameras_on_path(recording: PosedRecording, n: int) -> Cameras:
    """The event camera at so many times, evenly from its first to its last event."""
    trajectory, stream = recording.trajectory, recording.stream
    first, last = (int(stream.t_ns[row]) - trajectory.t0_ns for row in (0, -1))
    poses = trajectory.pose_at(torch.linspace(first, last, n, dtype=torch.float64).clamp(0, trajectory.end))
    turn = poses.rotations.mT
    return recording.camera.cameras(rigid(turn, -(turn @ poses.centers[:, :, None])[:, :, 0]))


def _half_view(recording: PosedRecording) -> float:
    """Half of what the camera sees at a distance of 1."""
    camera = recording.camera
    return max(camera.width / float(camera.K[0, 0]), camera.height / float(camera.K[1, 1])) / 2
