"""Which photos are compared with which."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput
from trisparse.data.cameras import Cameras
from trisparse.rendering.stereo.pairing import choose_sources, motion_px, require_baseline, sample_pixels
from trisparse.rendering.stereo.warping import PairWarp

from tests.rendering.sweep_scenes import side_by_side


def _around(*degrees: float, radius: float = 4.0) -> Cameras:
    """Cameras on a circle that look at its middle."""
    turns = torch.tensor([math.radians(d) for d in degrees], dtype=torch.float64)
    centers = radius * torch.stack([turns.sin(), -turns.cos(), torch.zeros_like(turns)], 1)
    K = torch.tensor([[60.0, 0, 30], [0, 60.0, 20], [0, 0, 1]], dtype=torch.float64).repeat(len(turns), 1, 1)
    return Cameras.looking_at(centers, torch.zeros(3, dtype=torch.float64), K, width=60, height=40)


def _all(cameras: Cameras, value: float) -> Tensor:
    return torch.full((len(cameras),), value, dtype=torch.float64)


def _sources(cameras: Cameras, n: int = 4, near: float = 2.0, far: float = 8.0) -> tuple[tuple[int, ...], ...]:
    return choose_sources(cameras, _all(cameras, near), _all(cameras, far), n)


def test_pixels_move_by_focal_length_times_baseline_times_the_range_of_inverse_depth() -> None:
    cameras = side_by_side(2, step=0.5, focal=40)
    moved = motion_px(PairWarp.between(cameras, 0, 1), sample_pixels(cameras), (1 / 10, 1 / 2))
    assert moved.tolist() == pytest.approx([40 * 0.5 * (1 / 2 - 1 / 10)] * 64)
    pixels = sample_pixels(cameras)
    assert pixels[0].tolist() == [2.5, 1.875]
    assert pixels[-1].tolist() == [37.5, 28.125]


def test_views_about_eleven_degrees_away_come_first_and_no_more_than_are_wanted() -> None:
    cameras = _around(0, 1, 12, 45, 150)
    assert _sources(cameras)[0][:3] == (2, 3, 1) or _sources(cameras)[0][:3] == (2, 1, 3)
    assert 4 not in _sources(cameras)[0][:1]
    assert all(len(others) <= 2 for others in _sources(cameras, 2))
    assert all(view not in others for view, others in enumerate(_sources(cameras)))


def test_a_view_that_looks_elsewhere_has_no_others_and_is_none_of_them() -> None:
    cameras = _around(0, 12, 24)
    poses = cameras.camera_from_world.clone()
    poses[2] = torch.diag(torch.tensor([-1.0, 1, -1, 1], dtype=torch.float64)) @ poses[2]
    sources = _sources(replace(cameras, camera_from_world=poses))
    assert sources == ((1,), (0,), ())


def test_cameras_that_look_away_from_each_other_are_refused() -> None:
    cameras = _around(0, 120, 240, radius=1.0)
    back = torch.diag(torch.tensor([-1.0, 1, -1, 1], dtype=torch.float64))
    with pytest.raises(InvalidInput, match=r"no two of the 3 cameras see the same space at 2 to 8 m: they look away"):
        _sources(replace(cameras, camera_from_world=back @ cameras.camera_from_world))


def test_a_baseline_of_less_than_a_pixel_is_refused_with_what_it_is() -> None:
    with pytest.raises(InvalidInput, match=r"nothing moves by more than 0\.1\d* pixels, too little for depth"):
        _sources(side_by_side(2, step=0.01))


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_photos_have_no_depth(n: int) -> None:
    with pytest.raises(InvalidInput, match=rf"depth from {n} photos?: at least two"):
        require_baseline(side_by_side(2)[list(range(n))])


@pytest.mark.parametrize("far", [0.0, 1e6])
def test_photos_from_one_place_have_no_depth_wherever_it_is(far: float) -> None:
    cameras = side_by_side(1)[[0, 0, 0]].moved(1.0, torch.eye(4, dtype=torch.float64))
    shifted = cameras.camera_from_world.clone()
    shifted[:, 0, 3] -= far
    with pytest.raises(InvalidInput, match="all 3 cameras stand at one place"):
        require_baseline(replace(cameras, camera_from_world=shifted))
