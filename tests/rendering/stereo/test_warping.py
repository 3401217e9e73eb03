"""Pixels of one photo in another: by hand, against projection, there and back, and what the other photo shows."""

from __future__ import annotations

from dataclasses import replace

import torch
from trisparse.data.cameras import pixel_centers
from trisparse.rendering.stereo.fusion import unproject
from trisparse.rendering.stereo.warping import PairWarp, warp

from tests.rendering.sweep_scenes import shown, side_by_side, texture


def test_a_point_two_metres_away_moves_by_focal_length_times_baseline_by_depth() -> None:
    cameras = side_by_side(2, step=0.5, focal=40)
    at, ratio = PairWarp.between(cameras, 0, 1).apply(torch.tensor([[12.5, 7.5]]), torch.tensor([1 / 2]))
    torch.testing.assert_close(at, torch.tensor([[12.5 - 40 * 0.5 / 2, 7.5]]))
    assert ratio.tolist() == [1]
    at, _ = PairWarp.between(cameras, 0, 1).apply(torch.tensor([[12.5, 7.5]]), torch.tensor([0.0]))
    torch.testing.assert_close(at, torch.tensor([[12.5, 7.5]]))  # infinitely far away


def test_pixels_go_where_their_points_project_to_and_come_back() -> None:
    scene = shown("table", 1)
    cameras = scene.photos.cameras.to(torch.float64)
    depth_z = scene.depth_z.double()
    points = unproject(cameras, depth_z)
    pixels = pixel_centers(cameras.width, cameras.height, cameras.K).reshape(cameras.height, cameras.width, 2)
    for i, j in ((0, 1), (2, 0)):
        seen = cameras[j].project(points[i].reshape(-1, 3))
        at, ratio = PairWarp.between(cameras, i, j).apply(pixels, 1 / depth_z[i])
        torch.testing.assert_close(at.reshape(-1, 2), seen.pixels[0], atol=1e-6, rtol=0)
        torch.testing.assert_close((ratio * depth_z[i]).reshape(-1), seen.depth_z[0], atol=1e-9, rtol=0)
        back, inverse = PairWarp.between(cameras, j, i).apply(at, 1 / (ratio * depth_z[i]))
        torch.testing.assert_close(back, pixels, atol=1e-6, rtol=0)
        torch.testing.assert_close(ratio * inverse, torch.ones_like(ratio))


def test_points_behind_the_other_camera_have_no_positive_ratio() -> None:
    cameras = side_by_side(2)
    poses = cameras.camera_from_world.clone()
    poses[1] = torch.diag(torch.tensor([-1.0, 1, -1, 1], dtype=torch.float64)) @ poses[1]
    away = replace(cameras, camera_from_world=poses)
    at, ratio = PairWarp.between(away, 0, 1).apply(torch.tensor([[20.0, 15.0]]), torch.tensor([0.5]))
    assert float(ratio) <= 0
    assert bool(at.isfinite().all())
    seen = warp(texture(30, 40), PairWarp.between(away, 0, 1), torch.full((1, 1, 1), 0.5))
    assert not bool(seen.valid.any())


def test_through_a_plane_a_photo_is_moved_and_what_comes_from_outside_is_not_valid() -> None:
    cameras, source = side_by_side(2, step=0.5, focal=40), texture(30, 40)
    moved = warp(source, PairWarp.between(cameras, 0, 1), torch.tensor([1 / 2, 1 / 4])[:, None, None])
    for plane, shift in enumerate((10, 5)):
        torch.testing.assert_close(moved.image[plane][:, shift:], source[:, :-shift], atol=1e-5, rtol=0)
        assert moved.valid[plane].all(0).tolist() == [column >= shift for column in range(40)]


def test_the_photo_through_its_exact_depth_is_the_other_photo_where_both_see_the_surface() -> None:
    scene = shown("courtyard", 1)
    grey = scene.photos.images().mean(-1)
    way = PairWarp.between(scene.photos.cameras, 0, 1)

    def difference(factor: float) -> float:
        seen = warp(grey[1], way, factor / scene.depth_z[:1])
        return float((seen.image[0] - grey[0])[seen.valid[0]].abs().median())

    assert difference(1.0) < 0.04
    assert difference(1.0) < 0.6 * min(difference(0.95), difference(1.05))
