"""Ranges of depth: from points, borrowed, guessed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import SparsePoints
from trisparse.rendering.depth_range import DepthRanges, depth_ranges

from tests.rendering.sweep_scenes import shown, side_by_side

_K = torch.tensor([[40.0, 0, 20], [0, 40.0, 15], [0, 0, 1]], dtype=torch.float64)


def _points(depths: Tensor, visible: Tensor) -> SparsePoints:
    """Points on the optical axis of the first camera."""
    zeros = torch.zeros_like(depths)
    return SparsePoints(PointCloud(torch.stack([zeros, zeros, depths], 1)), visible)


def _from_one_place() -> Cameras:
    """Two cameras nearly at the origin that look along z."""
    return side_by_side(2, step=1e-3, dtype=torch.float32)


def test_ranges_are_percentiles_of_the_depths_with_a_margin() -> None:
    depths = torch.linspace(1, 101, 101)
    found = depth_ranges(_from_one_place(), _points(depths, torch.ones(101, 2, dtype=torch.bool)), margin=0.2)
    assert found.near.tolist() == pytest.approx([2 * 0.8] * 2)
    assert found.far.tolist() == pytest.approx([100 * 1.2] * 2)
    assert found.guessed == ()
    assert found.warnings == ()


def test_a_few_points_far_off_do_not_widen_the_range() -> None:
    depths = torch.cat([torch.linspace(2, 4, 300), torch.tensor([0.01, 1e4])])
    found = depth_ranges(_from_one_place(), _points(depths, torch.ones(302, 2, dtype=torch.bool)))
    assert float(found.near.min()) > 1.5
    assert float(found.far.max()) < 5


def test_points_behind_the_cameras_and_outside_their_images_do_not_count() -> None:
    good, behind = torch.linspace(2, 4, 50), -torch.linspace(1, 90, 50)
    aside = torch.stack([torch.full((50,), 500.0), torch.zeros(50), torch.full((50,), 60.0)], 1)
    axis = _points(torch.cat([good, behind]), torch.ones(100, 2, dtype=torch.bool)).cloud.points
    points = SparsePoints(PointCloud(torch.cat([axis, aside])), torch.ones(150, 2, dtype=torch.bool))
    found = depth_ranges(_from_one_place(), points, margin=0.0)
    assert float(found.near.min()) >= 2
    assert float(found.far.max()) <= 4


def test_a_view_with_too_few_points_takes_those_of_others_that_lie_in_its_image_and_two_of_them_see() -> None:
    cameras = side_by_side(3, step=1e-3, dtype=torch.float32)
    visible = torch.zeros(60, 3, dtype=torch.bool)
    visible[:, :2] = True
    depths = torch.linspace(3, 5, 60)
    visible[40:, 1] = False  # these are known from a single photo of ours: they come from others, which are not here
    depths[40:] = 80
    found = depth_ranges(cameras, _points(depths, visible), margin=0.0)
    assert found.guessed == ()
    assert float(found.near[2]) == pytest.approx(3, abs=0.1)
    assert float(found.far.max()) < 5


def test_cameras_that_look_at_one_point_get_a_range_around_it() -> None:
    turns = torch.tensor([-0.6, 0.0, 0.6], dtype=torch.float64)
    centers = 5 * torch.stack([turns.sin(), -turns.cos(), torch.zeros(3)], 1).double()
    cameras = Cameras.looking_at(centers, torch.zeros(3, dtype=torch.float64), _K.repeat(3, 1, 1), width=40, height=30)
    found = depth_ranges(cameras, None)
    assert found.guessed == (0, 1, 2)
    assert found.near.tolist() == pytest.approx([1.0] * 3)
    assert found.far.tolist() == pytest.approx([25.0] * 3)
    assert found.warnings == (
        "too few points with known depth in view 0, 1, 2: its range of depths was guessed from where the cameras stand",
    )


def test_parallel_cameras_get_from_a_third_of_the_image_to_half_a_pixel_of_disparity() -> None:
    found = depth_ranges(side_by_side(3, step=0.5, focal=40, width=40), None)
    assert found.near[0].item() == pytest.approx(3 * 1.0 * 40 / 40)
    assert found.far[0].item() == pytest.approx(2 * 1.0 * 40)
    assert found.near[1].item() == pytest.approx(3 * 0.5)  # the middle one is half as far from the others
    disparity = 40 * 1.0 / torch.stack([found.near[0], found.far[0]])
    assert disparity.tolist() == pytest.approx([40 / 3, 0.5])


@pytest.mark.parametrize(("kind", "seed"), [("table", 1), ("courtyard", 1)])
def test_ranges_hold_what_the_photos_of_a_still_life_show(kind: str, seed: int) -> None:
    scene = shown(kind, seed)
    for points in (scene.photos.points, None):
        found = depth_ranges(scene.photos.cameras, points, margin=0.4)
        inside = (scene.depth_z > found.near[:, None, None]) & (scene.depth_z < found.far[:, None, None])
        assert float(inside.float().mean()) > 0.95


def test_no_points_and_no_cameras_are_ordinary_and_other_numbers_of_views_are_refused() -> None:
    none = _points(torch.zeros(0), torch.zeros(0, 2, dtype=torch.bool))
    assert depth_ranges(_from_one_place(), none).guessed == (0, 1)
    assert len(depth_ranges(_from_one_place()[[]], None).near) == 0
    with pytest.raises(ShapeMismatch, match="visibility in 3 views for 2 cameras; select the same views"):
        depth_ranges(_from_one_place(), _points(torch.zeros(4), torch.ones(4, 3, dtype=torch.bool)))


@pytest.mark.parametrize(
    ("near", "far"), [(0.0, 1.0), (2.0, 1.0), (1.0, 1.0), (1.0, float("inf")), (float("nan"), 1.0)]
)
def test_ranges_are_positive_ordered_and_finite(near: float, far: float) -> None:
    with pytest.raises(InvalidInput, match="expected 0 < near < far"):
        DepthRanges(torch.tensor([0.5, near]), torch.tensor([1.5, far]))
