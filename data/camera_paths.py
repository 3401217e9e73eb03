"""Paths along which a reconstructed place is looked at: around it, or to and fro before it."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.errors import InvalidInput
from .cameras import Cameras


def focus_of(cameras: Cameras) -> Float[Tensor, "3"]:
    """The point that the cameras look at: nearest to all their optical axes, before them.

    Where the axes are parallel, or meet behind the cameras, it lies before the mean camera, as far away as twice the largest
    distance between two cameras (1 for a single place).

    Raises:
        InvalidInput: No camera.
    """
    if not len(cameras):
        raise InvalidInput("no camera to take a focus from; give at least one")
    centers, forwards = cameras.centers.double(), cameras.forwards.double()
    across = torch.eye(3, dtype=torch.float64) - forwards[:, :, None] * forwards[:, None]
    total = across.sum(0)
    if float(torch.linalg.eigvalsh(total)[0]) > 1e-3 * len(cameras):
        found = torch.linalg.solve(total, (across @ centers[:, :, None]).sum(0))[:, 0]
        if bool((((found - centers) * forwards).sum(-1) > 0).all()):
            return found.to(cameras.K)
    apart = float(torch.cdist(centers, centers).max())
    forward = torch.nn.functional.normalize(forwards.sum(0), dim=0)
    return (centers.mean(0) + forward * (2 * apart if apart > 0 else 1.0)).to(cameras.K)


def up_of(cameras: Cameras) -> Float[Tensor, "3"]:
    """The mean of the images' upward directions, a unit vector of the world.

    Cameras that roll in all directions have none: then it is the direction in which their centres spread least, for cameras on
    a ring the axis of the ring.
    """
    ups = -cameras.camera_from_world[:, 1, :3]
    mean = ups.mean(0)
    if float(mean.norm()) > 0.2:
        return torch.nn.functional.normalize(mean, dim=0)
    centers = cameras.centers - cameras.centers.mean(0)
    return torch.linalg.eigh(centers.T @ centers).eigenvectors[:, 0]


def surrounds(cameras: Cameras) -> bool:
    """Whether the cameras look at their focus from around it, rather than all from one side (within 60 degrees)."""
    if len(cameras) < 2:
        return False
    return float((cameras.forwards @ cameras.forwards.T).min()) < 0.5


def orbit(cameras: Cameras, n: int) -> Cameras:
    """A closed path of ``n`` cameras through the places that the given cameras know.

    Around the focus at the cameras' mean height and distance, if they surround it; otherwise an ellipse before it, half as wide
    and high as the cameras are spread. Lens and size are those of the first camera, without distortion.
    """
    if n < 1:
        raise InvalidInput(f"a path of {n} cameras; give at least 1")
    focus, up = focus_of(cameras), up_of(cameras)
    angles = torch.arange(n, dtype=cameras.K.dtype) * (2 * math.pi / n)
    offsets = cameras.centers - focus
    if surrounds(cameras):
        height = float((offsets @ up).mean())
        level = offsets - (offsets @ up)[:, None] * up
        first = torch.nn.functional.normalize(level[int(level.norm(dim=1).argmax())], dim=0)
        second = torch.linalg.cross(up, first)
        radius = float(level.norm(dim=1).mean())
        centers = focus + height * up + radius * (angles.cos()[:, None] * first + angles.sin()[:, None] * second)
    else:
        forward = torch.nn.functional.normalize(-offsets.mean(0), dim=0)
        right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=0)
        above = torch.linalg.cross(right, forward)
        around = cameras.centers - cameras.centers.mean(0)
        reach = float(offsets.norm(dim=1).mean())
        wide = max(0.5 * float((around @ right).abs().max()), 0.03 * reach)
        high = max(0.5 * float((around @ above).abs().max()), 0.01 * reach)
        sway = wide * angles.cos()[:, None] * right + high * angles.sin()[:, None] * above
        centers = cameras.centers.mean(0) + sway
    model = cameras[0]
    path = Cameras.looking_at(centers, focus, model.K.repeat(n, 1, 1), width=model.width, height=model.height, up=up)
    return replace(path, model="pinhole")


def gravity_of(cameras: Cameras) -> Float[Tensor, "3"] | None:
    """Which way is up in the world, if photos were taken upright: no camera's horizontal axis leaves the horizon then.

    That holds for cameras that look down too, where the mean of the images' upward directions (:func:`up_of`) leans forward.
    The mean decides only what the horizontal axes do not, as for cameras that all look the same way.

    Returns:
        A unit vector; None where the photos disagree (cameras on their side or upside down).

    Raises:
        InvalidInput: No camera.
    """
    if not len(cameras):
        raise InvalidInput("no camera to take the vertical from; give at least one")
    axes = cameras.camera_from_world[:, :3, :3].double()
    right, mean = axes[:, 0], -axes[:, 1].mean(0)
    if float(mean.norm()) < 0.3:
        return None
    spread = (right[:, :, None] * right[:, None]).mean(0) + 1e-3 * torch.eye(3, dtype=torch.float64)
    up = torch.nn.functional.normalize(torch.linalg.solve(spread, mean), dim=0)
    tilted = (right @ up).abs().max()
    return None if float(tilted) > math.sin(math.radians(30)) else up.to(cameras.K)
