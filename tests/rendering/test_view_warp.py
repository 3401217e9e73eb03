"""Warps between cameras, on planes whose depth is known exactly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import ShapeMismatch
from trisparse.data.cameras import Cameras, pixel_centers
from trisparse.rendering.view_warp import look_up, shifted_right, warp_along_rows, warp_between

from .point_scenes import noise
from .warp_scenes import WIDTH, plane_depth, ramp, ramp_at, tilted_pair


def _interior(valid: Tensor) -> float:
    return float(valid.double().mean())


def test_looking_up_every_pixels_own_centre_gives_the_image() -> None:
    image = noise(4, 6, 3)
    seen = look_up(image, pixel_centers(6, 4, image).reshape(4, 6, 2))
    torch.testing.assert_close(seen.image, image, atol=1e-14, rtol=0)
    assert bool(seen.valid.all())


def test_outside_the_outermost_centres_and_at_nan_nothing_is_seen() -> None:
    pixels = torch.tensor([[[0.4, 1.0], [5.6, 1.0], [1.0, 0.4], [torch.nan, 1.0], [1.0, 1.0]]]).double()
    seen = look_up(torch.ones(4, 6, 1).double(), pixels)
    assert seen.valid.tolist() == [[False, False, False, False, True]]
    assert seen.image[..., 0].tolist() == [[0, 0, 0, 0, 1]]


@pytest.mark.parametrize("disparity", [-2, 0, 3])
def test_a_disparity_of_whole_pixels_moves_the_image_by_them(disparity: int) -> None:
    image = noise(3, 8, 2)
    warped = warp_along_rows(image, torch.full((3, 8), float(disparity)).double())
    for x in range(8):
        if 0 <= x + disparity < 8:
            torch.testing.assert_close(warped.image[:, x], image[:, x + disparity], atol=1e-14, rtol=0)
        assert bool(warped.valid[:, x].all()) == (0 <= x + disparity < 8)


def test_a_tilted_plane_warps_exactly_between_turned_cameras() -> None:
    camera, other = tilted_pair()
    depth = plane_depth(camera)
    warped = warp_between(ramp(other), other, camera, depth)
    assert _interior(warped.valid) > 0.4
    expected = ramp_at(camera, other, depth)
    difference = (warped.image - expected)[warped.valid]
    assert float(difference.abs().max()) < 1e-12


def test_the_wrong_depth_is_seen_at_once() -> None:
    camera, other = tilted_pair()
    depth = plane_depth(camera)
    warped = warp_between(ramp(other), other, camera, 1.1 * depth)
    difference = (warped.image - ramp_at(camera, other, depth))[warped.valid]
    assert float(difference.abs().mean()) > 1e-3


def test_a_camera_warped_to_itself_sees_its_own_image_at_any_depth() -> None:
    camera, _ = tilted_pair()
    image = noise(camera.height, camera.width, 3)
    warped = warp_between(image, camera, camera, 1 + noise(camera.height, camera.width, seed=1).square())
    assert _interior(warped.valid) > 0.9
    torch.testing.assert_close(warped.image[warped.valid], image[warped.valid], atol=1e-9, rtol=0)


@pytest.mark.parametrize("bad", [0.0, -1.0, torch.nan, torch.inf])
def test_pixels_without_depth_are_not_valid_and_get_no_gradient(bad: float) -> None:
    camera, other = tilted_pair()
    depth = plane_depth(camera)
    depth[8, 10] = bad
    depth.requires_grad_()
    warped = warp_between(noise(other.height, other.width, 1), other, camera, depth)
    warped.image.sum().backward()
    assert not bool(warped.valid[8, 10])
    assert depth.grad is not None
    assert bool(depth.grad.isfinite().all())
    assert float(depth.grad[8, 10]) == 0


def test_points_behind_the_source_camera_are_not_valid() -> None:
    camera, _ = tilted_pair()
    turned = camera.camera_from_world.clone()
    turned[:, [0, 2]] *= -1  # looks the other way
    behind = Cameras(turned, camera.K, camera.width, camera.height)
    warped = warp_between(noise(camera.height, camera.width, 1), behind, camera, plane_depth(camera))
    assert not bool(warped.valid.any())


def test_warps_have_the_gradients_of_finite_differences_in_image_and_depth() -> None:
    camera, other = tilted_pair(width=7, height=5)
    depth = (plane_depth(camera) * (1 + 0.01 * noise(5, 7))).requires_grad_()
    image = noise(5, 7, 2, seed=1).requires_grad_()
    assert bool(warp_between(image, other, camera, depth).valid.any())
    assert torch.autograd.gradcheck(lambda i, d: warp_between(i, other, camera, d).image, (image, depth))
    disparity = (0.3 + 0.2 * noise(5, 7, seed=2)).requires_grad_()
    assert torch.autograd.gradcheck(lambda i, d: warp_along_rows(i, d).image, (image, disparity))


def test_a_camera_shifted_to_the_right_sees_things_further_left_by_the_disparity() -> None:
    camera, _ = tilted_pair()
    points = noise(20, 3) * 0.2
    before, after = camera.project(points), shifted_right(camera, 0.3).project(points)
    disparity = -camera.K[0, 0, 0] * 0.3 / before.depth_z
    torch.testing.assert_close(after.pixels[..., 0] - before.pixels[..., 0], disparity)
    torch.testing.assert_close(after.pixels[..., 1], before.pixels[..., 1])
    torch.testing.assert_close((shifted_right(camera, 0.3).centers - camera.centers).norm(), torch.tensor(0.3).double())


def test_more_than_one_camera_and_images_of_other_sizes_are_refused() -> None:
    camera, other = tilted_pair()
    both = Cameras(torch.cat([camera.camera_from_world] * 2), torch.cat([camera.K] * 2), camera.width, camera.height)
    depth, image = plane_depth(camera), ramp(other)
    with pytest.raises(ShapeMismatch, match="2 cameras"):
        warp_between(image, other, both, depth)
    with pytest.raises(ShapeMismatch, match="source of"):
        warp_between(image[:, : WIDTH - 1], other, camera, depth)
    with pytest.raises(ShapeMismatch, match="depth_z of"):
        warp_between(image, other, camera, depth[1:])
