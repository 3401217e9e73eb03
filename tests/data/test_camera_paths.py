from __future__ import annotations

import math

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.camera_paths import focus_of, orbit, surrounds, up_of
from trisparse.data.cameras import Cameras

FOCUS = torch.tensor([1.0, -2.0, 0.5])


def _cameras(angles: list[float], height: float = 0.7) -> Cameras:
    """On a circle of radius 3 around the focus, which all look at."""
    turn = torch.tensor(angles)
    centers = FOCUS + torch.stack([3 * turn.cos(), 3 * turn.sin(), torch.full_like(turn, height)], 1)
    K = torch.tensor([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]).repeat(len(angles), 1, 1)
    return Cameras.looking_at(centers, FOCUS, K, width=64, height=48)


def test_the_focus_is_where_the_axes_meet() -> None:
    torch.testing.assert_close(focus_of(_cameras([0.0, 0.5, 1.2])), FOCUS, atol=1e-4, rtol=0)


def test_parallel_axes_have_a_focus_before_the_cameras() -> None:
    poses = torch.eye(4).repeat(3, 1, 1)
    poses[:, 0, 3] = torch.tensor([-1.0, 0, 1])
    cameras = Cameras(poses, _cameras([0.0, 1, 2]).K, 64, 48)
    torch.testing.assert_close(focus_of(cameras), torch.tensor([0.0, 0, 4]))
    torch.testing.assert_close(focus_of(cameras[0]), torch.tensor([1.0, 0, 1]))


def test_up_is_up_in_the_images_and_for_rolling_cameras_the_axis_of_their_ring() -> None:
    cameras = _cameras([0.0, 0.5, 1.2], height=0.0)
    torch.testing.assert_close(up_of(cameras), torch.tensor([0.0, 0, 1]), atol=1e-5, rtol=0)
    ring = _cameras([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], height=0.0)
    flip = torch.diag(torch.tensor([-1.0, -1, 1, 1]))
    poses = ring.camera_from_world.clone()
    poses[::2] = flip @ poses[::2]
    rolled = Cameras(poses, ring.K, 64, 48)
    assert abs(float(up_of(rolled)[2])) > 0.999


def test_cameras_all_around_are_orbited_and_those_of_one_side_swayed_before() -> None:
    around = _cameras([0.0, 2.0, 4.0])
    assert surrounds(around)
    path = orbit(around, 12)
    offsets = path.centers - FOCUS
    torch.testing.assert_close(offsets[:, :2].norm(dim=1), torch.full((12,), 3.0), atol=0.03, rtol=0)
    torch.testing.assert_close(offsets[:, 2], torch.full((12,), 0.7), atol=0.1, rtol=0)
    side = _cameras([-0.2, 0.0, 0.2])
    assert not surrounds(side)
    sway = orbit(side, 12)
    assert float((sway.centers - side.centers.mean(0)).norm(dim=1).max()) < 0.5
    for cameras in (path, sway):
        seen = cameras.project(FOCUS[None])
        torch.testing.assert_close(seen.pixels, torch.tensor([32.0, 24.0]).expand(12, 1, 2), atol=2e-2, rtol=0)
        steps = (cameras.centers.roll(-1, 0) - cameras.centers).norm(dim=1)
        assert float(steps.max()) < 4 * float(steps.mean())  # closed, without a jump


def test_one_camera_gives_a_path_too_and_none_an_error() -> None:
    one = _cameras([0.3])
    path = orbit(one, 8)
    assert len(path) == 8
    assert float((path.centers - one.centers).norm(dim=1).max()) < 0.2 * math.hypot(3, 0.7)
    with pytest.raises(InvalidInput, match="at least one"):
        orbit(one[[]], 8)
    with pytest.raises(InvalidInput, match="at least 1"):
        orbit(one, 0)
