from __future__ import annotations

import pytest
import torch
from trisparse.rendering.learned.alignment import align_depth, scale_of_poses
from trisparse.rendering.planesweep import DepthMaps

from .stand_ins import photos


def _ramp() -> torch.Tensor:
    return torch.linspace(1, 6, 400).reshape(1, 20, 20)


def _known(depth: torch.Tensor) -> DepthMaps:
    return DepthMaps(depth, torch.full_like(depth, 0.9))


def test_scale_and_shift_are_found_through_outliers() -> None:
    depth = _ramp()
    measured = 3 * depth + 0.5
    measured[:, ::3] *= 2
    aligned = align_depth(1 / depth, _known(measured), None)
    torch.testing.assert_close(aligned.depth_z, 3 * depth + 0.5, rtol=2e-3, atol=0)
    assert aligned.warnings == ()


def test_a_shift_that_explains_nothing_is_not_taken() -> None:
    depth = _ramp()
    noise = 1 + 0.02 * torch.randn(depth.shape, generator=torch.Generator().manual_seed(0))
    aligned = align_depth(1 / depth, _known(2 * depth * noise), None)
    ratio = aligned.depth_z / depth
    assert float(ratio.max() - ratio.min()) < 1e-4
    assert float(ratio.mean()) == pytest.approx(2, rel=5e-3)


def test_a_shift_that_would_put_surfaces_behind_the_camera_is_not_taken() -> None:
    depth = _ramp()
    anchors = DepthMaps(4 * depth - 8, torch.where(depth > 3, 0.9, 0.0))
    aligned = align_depth(1 / depth, anchors, None)
    assert float(aligned.depth_z.min()) > 0


def test_views_with_too_few_anchors_take_the_scale_of_the_others_or_of_the_cameras() -> None:
    depth = _ramp().repeat(3, 1, 1)
    anchors = DepthMaps(2 * depth, torch.full_like(depth, 0.9))
    anchors.confidence[1] = 0.4  # interpolated, not measured
    aligned = align_depth(1 / depth, anchors, None)
    torch.testing.assert_close(aligned.depth_z, 2 * depth, rtol=1e-4, atol=0)
    assert "view 1" in aligned.warnings[0]
    assert "the scale of the other views was taken" in aligned.warnings[0]
    told = align_depth(1 / depth, anchors, 2.5)
    torch.testing.assert_close(told.depth_z[1], 2.5 * depth[1], rtol=1e-4, atol=0)
    torch.testing.assert_close(told.depth_z[0], 2 * depth[0], rtol=1e-4, atol=0)


def test_without_anchors_and_scale_there_is_no_depth() -> None:
    depth = _ramp()
    aligned = align_depth(1 / depth, DepthMaps(depth, torch.zeros_like(depth)), None)
    assert float(aligned.depth_z.max()) == 0
    assert "they have no depth" in aligned.warnings[0]


def test_unknown_depth_stays_unknown() -> None:
    inverse = 1 / _ramp()
    inverse[:, :5] = 0
    aligned = align_depth(inverse, _known(2 * _ramp()), 1.0)
    assert float(aligned.depth_z[:, :5].max()) == 0
    assert bool((aligned.depth_z[:, 5:] > 0).all())


def test_distances_of_cameras_give_the_scale_whatever_the_rotation() -> None:
    cameras = photos().cameras.to(torch.float64)
    turn = torch.eye(4, dtype=torch.float64)
    turn[:3, :3] = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    other = cameras.moved(0.2, turn).camera_from_world
    assert scale_of_poses(cameras, other) == pytest.approx(5, rel=1e-9)
    assert scale_of_poses(cameras, cameras.camera_from_world[:1].expand(3, 4, 4)) is None
