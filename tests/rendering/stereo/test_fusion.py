"""Depth maps as points: unprojected, merged, no more than are wanted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from trisparse.data.cameras import pixel_centers
from trisparse.rendering.stereo.fusion import FusedPoints, footprint, merge, unproject

from tests.rendering.sweep_scenes import shown, side_by_side


def test_unprojected_pixels_project_back_to_their_centres_at_their_depth() -> None:
    scene = shown("table", 1)
    cameras = scene.photos.cameras.to(torch.float64)
    points = unproject(cameras, scene.depth_z.double())
    assert points.shape == (3, 90, 120, 3)
    for i in range(3):
        seen = cameras[i].project(points[i].reshape(-1, 3))
        torch.testing.assert_close(seen.pixels[0], pixel_centers(120, 90, cameras.K), atol=1e-6, rtol=0)
        torch.testing.assert_close(seen.depth_z[0].reshape(90, 120), scene.depth_z[i].double())


def test_a_pixel_is_as_large_as_distance_by_focal_length() -> None:
    cameras = side_by_side(2, step=3.0, focal=40)
    points = torch.tensor([[0.0, 0, 2], [3, 0, 4], [1.5, 0, 0]], dtype=torch.float64)
    assert footprint(cameras, points).tolist() == pytest.approx([2 / 40, 4 / 40, 1.5 / 40])


def _merge(points: Tensor, confidence: Tensor, target: int, coarseness: float = 1.0) -> FusedPoints:
    colors = points.new_tensor([0.25, 0.5, 0.75]) * torch.linspace(0, 1, len(points), dtype=points.dtype)[:, None]
    weights = torch.full_like(confidence, coarseness)
    return merge(side_by_side(2), points, colors, confidence, weights, target)


def test_points_that_coincide_are_averaged_by_the_square_of_their_confidence() -> None:
    points = torch.tensor([[0.0, 0, 5], [1, 0, 5], [0.001, 0, 5]], dtype=torch.float64)
    found = _merge(points, torch.tensor([0.3, 0.6, 0.9], dtype=torch.float64), 100)
    assert len(found.points) == 2
    share = 0.9**2 / (0.3**2 + 0.9**2)
    torch.testing.assert_close(found.points[0], points[2] * share + points[0] * (1 - share))
    torch.testing.assert_close(found.points[1], points[1])
    assert found.confidence.tolist() == pytest.approx([0.9, 0.6])
    assert found.colors[0].tolist() == pytest.approx([0.25 * share, 0.5 * share, 0.75 * share])


def test_about_as_many_points_result_as_are_wanted_and_none_of_none() -> None:
    scene = shown("courtyard", 1)
    cameras = scene.photos.cameras.to(torch.float64)
    points = unproject(cameras, scene.depth_z.double()).reshape(-1, 3)
    ones = torch.ones(len(points), dtype=torch.float64)
    for target in (200, 3000):
        found = merge(cameras, points, points * 0 + 0.5, ones, ones, target)
        assert 0.85 * target < len(found.points) <= target
    nothing = merge(cameras, points[:0], points[:0], ones[:0], ones[:0], 100)
    assert len(nothing.points) == 0


def test_near_surfaces_get_as_many_points_a_pixel_as_far_ones() -> None:
    cameras = side_by_side(1, focal=40, width=80, height=60)
    depth_z = torch.full((1, 60, 80), 2.0, dtype=torch.float64)
    depth_z[:, :, 40:] = 8.0
    points = unproject(cameras, depth_z).reshape(-1, 3)
    ones = torch.ones(len(points), dtype=torch.float64)
    found = merge(cameras, points, points * 0, ones, ones, 600).points
    near = int((found[:, 2] < 5).sum())
    assert 0.7 < near / (len(found) - near) < 1.4


def test_guessed_points_are_kept_coarser() -> None:
    scene = shown("courtyard", 1)
    points = unproject(scene.photos.cameras.to(torch.float64), scene.depth_z.double())[0].reshape(-1, 3)
    half = torch.arange(len(points)) % 120 < 60
    coarseness = torch.where(half, 3.0, 1.0).double()
    ones = torch.ones(len(points), dtype=torch.float64)
    found = merge(
        scene.photos.cameras.to(torch.float64), points, half[:, None].double().expand(-1, 3), ones, coarseness, 2000
    )
    coarse = int((found.colors[:, 0] > 0.5).sum())
    assert 2.5 * coarse < len(found.points) - coarse
