"""Terms against wrong fits of few photos: formulas by hand, exact planes, gradients, and what must not be touched."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput
from trisparse.data.cameras import Cameras
from trisparse.rendering.features import Views
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.rasterize import rasterization
from trisparse.rendering.sparse_view import (
    background_alpha,
    binocular_consistency,
    binocular_range,
    dark_background,
    disparity_smoothness,
    draw_shift,
    dropped_opacities,
    log_depth_error,
    multi_view_consistency,
    noisy_opacities,
    pearson_depth_error,
    progressive_rate,
    scaled_opacity_logits,
    sh_degree_at,
    without_dropout,
)
from trisparse.rendering.view_warp import shifted_right

from .fit_scenes import ring_of_cameras, some_gaussians
from .point_scenes import cloud_of, noise, rng, views_of
from .warp_scenes import plane_depth, ramp, ramp_at, tilted_pair

# Opacities


@pytest.mark.parametrize("factor", [0.5, 0.995, 0.999])
def test_scaled_logits_are_those_of_scaled_opacities(factor: float) -> None:
    logits = torch.linspace(-9, 9, 50, dtype=torch.float64)
    torch.testing.assert_close(scaled_opacity_logits(logits, factor).sigmoid(), factor * logits.sigmoid())


def test_the_most_extreme_opacities_still_decay() -> None:
    logits = torch.tensor([-80.0, -30.0, 30.0, 80.0])
    scaled = scaled_opacity_logits(logits, 0.999)
    assert bool(scaled.isfinite().all())
    torch.testing.assert_close(scaled[:2], logits[:2] + math.log(0.999), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled[2:], torch.full((2,), math.log(999.0)), atol=1e-2, rtol=0)


def test_ten_thousand_steps_of_decay_are_one_of_the_same_strength() -> None:
    logits = torch.tensor([3.0, 0.0, -2.0], dtype=torch.float64)
    stepwise = logits
    for _ in range(1000):
        stepwise = scaled_opacity_logits(stepwise, 0.999)
    torch.testing.assert_close(stepwise, scaled_opacity_logits(logits, 0.999**1000), atol=1e-9, rtol=0)


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.01, math.nan])
def test_factors_that_make_no_opacity_are_refused(factor: float) -> None:
    with pytest.raises(InvalidInput, match="factor"):
        scaled_opacity_logits(torch.zeros(2), factor)


def test_a_factor_of_one_and_a_rate_of_zero_leave_the_very_tensor() -> None:
    values = torch.rand(5, generator=rng())
    assert scaled_opacity_logits(values, 1.0) is values
    assert dropped_opacities(values, 0.0, rng()) is values


def test_dropout_leaves_out_its_part_and_the_rest_as_it_is() -> None:
    opacities = torch.rand(20_000, generator=rng()) * 0.9 + 0.05
    dropped = dropped_opacities(opacities, 0.2, rng(1))
    kept = dropped != 0
    assert float((~kept).double().mean()) == pytest.approx(0.2, abs=0.01)
    assert torch.equal(dropped[kept], opacities[kept])
    compensated = dropped_opacities(opacities, 0.2, rng(1), compensate=True)
    torch.testing.assert_close(compensated, dropped / 0.8)
    assert float(compensated.mean()) == pytest.approx(float(opacities.mean()), abs=0.01)


def test_dropout_and_noise_come_from_the_generator_alone() -> None:
    before, opacities = torch.get_rng_state(), torch.rand(100, generator=rng())
    for function in (lambda g: dropped_opacities(opacities, 0.3, g), lambda g: noisy_opacities(opacities, g)):
        assert torch.equal(function(rng(1)), function(rng(1)))
        assert not torch.equal(function(rng(1)), function(rng(2)))
    assert draw_shift(1.0, rng(1)) == draw_shift(1.0, rng(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_dropped_gets_no_gradient_and_the_rest_its_own() -> None:
    opacities = torch.rand(50, generator=rng()).requires_grad_()
    dropped = dropped_opacities(opacities, 0.5, rng(1))
    dropped.sum().backward()
    assert opacities.grad is not None
    assert torch.equal(opacities.grad, (dropped != 0).float())


@pytest.mark.parametrize("rate", [-0.1, 1.0, math.nan])
def test_rates_outside_zero_to_one_are_refused(rate: float) -> None:
    with pytest.raises(InvalidInput, match="rate"):
        dropped_opacities(torch.ones(3), rate, rng())


def test_the_progressive_rate_grows_evenly_to_its_most_at_the_last_step() -> None:
    assert [progressive_rate(step, 1000) for step in (0, 500, 1000, 2000)] == [0, 0.1, 0.2, 0.2]


def test_a_cloud_without_dropout_has_scaled_opacities_and_nothing_else_changed() -> None:
    cloud = cloud_of()
    baked = without_dropout(cloud, 0.2)
    torch.testing.assert_close(baked.opacities, 0.8 * cloud.opacities)
    assert all(getattr(baked, name) is getattr(cloud, name) for name in ("means", "quats", "log_scales", "sh"))


def test_the_baked_cloud_renders_as_dropout_does_on_average() -> None:
    cloud, camera = some_gaussians(40), ring_of_cameras(1)
    thin = replace(cloud, opacity_logits=torch.full((40,), -3.0))  # thin enough to add up
    baked = _image(without_dropout(thin, 0.3), camera)
    generator, total = rng(), torch.zeros_like(baked)
    for _ in range(60):
        total += _image(thin, camera, dropped_opacities(thin.opacities, 0.3, generator)) / 60
    assert float((total - baked).abs().mean()) < 0.1 * float(baked.mean())


def test_noise_is_in_proportion_and_stays_within_zero_and_one() -> None:
    opacities = torch.tensor([0.2, 0.9]).repeat(5000, 1).T.reshape(-1)
    noisy = noisy_opacities(opacities, rng(), 0.1)
    assert float(noisy[:5000].std()) == pytest.approx(0.02, rel=0.05)
    assert float(noisy[:5000].mean()) == pytest.approx(0.2, rel=0.01)
    strong = noisy_opacities(opacities, rng(), 0.8)
    assert float(strong.min()) == 0
    assert float(strong.max()) == 1


def test_the_degree_of_the_harmonics_grows_to_its_limit() -> None:
    assert [sh_degree_at(step) for step in (0, 999, 1000, 5000)] == [0, 0, 1, 1]
    assert [sh_degree_at(step, 500, 3) for step in (499, 500, 1499, 99_999)] == [0, 1, 2, 3]


def _image(cloud: GaussianCloud, camera: Cameras, opacities: Tensor | None = None, mode: str = "RGB") -> Tensor:
    opacities = cloud.opacities if opacities is None else opacities
    return rasterization(
        cloud.means, cloud.quats, cloud.scales, opacities, cloud.sh, camera.camera_from_world, camera.K, camera.width,
        camera.height, sh_degree=cloud.sh_degree, render_mode=mode, backend="numba",
    )[0][0]  # fmt: skip


# The second camera


def _binocular_case(shift: float = 0.2) -> dict[str, Any]:
    """A tilted plane: the shifted camera sees a ramp, and the photo shows what this implies."""
    camera, _ = tilted_pair()
    shifted, depth = shifted_right(camera, shift), plane_depth(camera)
    photo = ramp_at(camera, shifted, depth)
    focal = float(camera.K[0, 0, 0])
    return {
        "shifted": ramp(shifted),
        "depth_z": depth,
        "photo": photo,
        "focal": focal,
        "shift": shift,
        "smoothness": 0.0,
    }


@pytest.mark.parametrize("shift", [0.2, -0.15, 0.0])
def test_binocular_consistency_is_zero_at_the_true_depth_and_not_at_others(shift: float) -> None:
    case = _binocular_case(shift)
    assert float(binocular_consistency(**case)) < 1e-12
    if shift:
        for factor in (0.9, 1.1):
            assert float(binocular_consistency(**{**case, "depth_z": factor * case["depth_z"]})) > 1e-3


def test_binocular_consistency_pulls_the_depth_towards_the_truth() -> None:
    case = _binocular_case()
    for factor, sign in ((0.95, -1), (1.05, 1)):
        depth = (factor * case["depth_z"]).requires_grad_()
        binocular_consistency(**{**case, "depth_z": depth}).backward()
        assert depth.grad is not None
        moving = depth.grad != 0
        assert float(moving.double().mean()) > 0.5
        assert bool((depth.grad[moving].sign() == sign).all())


def test_gradients_of_binocular_consistency_are_those_of_finite_differences_in_both() -> None:
    shifted, photo = noise(4, 6, 3).requires_grad_(), noise(4, 6, 3, seed=1)
    depth = (2 + 0.1 * noise(4, 6, seed=2)).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s, d: binocular_consistency(s, d, photo, 5.0, 0.13, smoothness=0.05), (shifted, depth)
    )


def test_pixels_without_depth_do_not_count_and_none_at_all_give_zero() -> None:
    case = _binocular_case()
    depth = case["depth_z"].clone()
    depth[5:9, 8:12] = 0
    photo = case["photo"].clone()
    photo[5:9, 8:12] = 77
    assert float(binocular_consistency(**{**case, "depth_z": depth, "photo": photo})) < 1e-12
    nothing = torch.zeros_like(depth).requires_grad_()
    loss = binocular_consistency(**{**case, "depth_z": nothing, "smoothness": 1.0})
    loss.backward()
    assert float(loss.detach()) == 0
    assert nothing.grad is not None
    assert bool((nothing.grad == 0).all())


def test_rendered_gaussians_on_a_wall_agree_with_themselves() -> None:
    camera, random = ring_of_cameras(1), rng()
    across = torch.rand(3000, 2, generator=random) * 4 - 2
    wall = torch.stack([across[:, 0], torch.zeros(3000), across[:, 1]], 1)
    colors = 0.5 + 0.4 * torch.sin(3 * wall)
    cloud = GaussianCloud.from_points(wall, colors, opacity=0.9)
    rendered, beside = _image(cloud, camera, mode="RGB+ED"), _image(cloud, shifted_right(camera, 0.2))
    focal, depth = float(camera.K[0, 0, 0]), rendered[..., 3]
    right = binocular_consistency(beside, depth, rendered[..., :3], focal, 0.2, smoothness=0.0)
    wrong = binocular_consistency(beside, 1.2 * depth, rendered[..., :3], focal, 0.2, smoothness=0.0)
    assert float(right) < 0.01
    assert float(right) < 0.3 * float(wrong)


def test_the_range_is_half_the_median_distance_to_the_nearest_other_camera() -> None:
    centers = torch.tensor([[0.0, -5, 0], [1, -5, 0], [3, -5, 0], [7, -5, 0]])
    K = torch.eye(3).repeat(4, 1, 1)
    cameras = Cameras.looking_at(centers, torch.zeros(3), K, width=4, height=4)
    assert binocular_range(cameras) == pytest.approx(0.5)  # nearest: 1, 1, 2, 4; the lower median is 1
    with pytest.raises(InvalidInput, match="give the range"):
        binocular_range(cameras[0])


def test_shifts_go_evenly_both_ways() -> None:
    generator = rng()
    shifts = torch.tensor([draw_shift(0.4, generator) for _ in range(400)])
    assert float(shifts.min()) > -0.4
    assert float(shifts.max()) < 0.4
    assert float(shifts.mean()) == pytest.approx(0, abs=0.04)
    assert float(shifts.abs().mean()) == pytest.approx(0.2, abs=0.02)


# Depth


def test_an_even_slope_costs_its_steepness_and_an_edge_of_the_photo_makes_it_cheaper() -> None:
    x = torch.arange(6).double().expand(5, 6)
    flat = torch.full((5, 6, 3), 0.5).double()
    assert float(disparity_smoothness(2 * x, flat)) == pytest.approx(2.0)
    assert float(disparity_smoothness(2 * x.T.contiguous(), flat.transpose(0, 1))) == pytest.approx(2.0)
    step = (x[..., None] * torch.tensor([1.0, 1.0, 1.0])).double()
    assert float(disparity_smoothness(2 * x, step)) == pytest.approx(2.0 * math.exp(-0.33 * 3))
    assert float(disparity_smoothness(torch.ones(5, 6).double(), step)) == 0


def test_slopes_to_unknown_pixels_do_not_count() -> None:
    disparity, known = torch.ones(5, 6).double(), torch.ones(5, 6, dtype=torch.bool)
    disparity[2, 3], known[2, 3] = 1e7, False
    assert float(disparity_smoothness(disparity, noise(5, 6, 3), known)) == 0


def test_images_too_small_for_slopes_have_none() -> None:
    assert float(disparity_smoothness(noise(2, 2), noise(2, 2, 3))) == 0


def test_smoothness_and_depth_terms_have_the_gradients_of_finite_differences() -> None:
    depth, prior, photo = 1 + noise(5, 6).square(), 1 + noise(5, 6, seed=1).square(), noise(5, 6, 3, seed=2)
    depth.requires_grad_()
    confidence = noise(5, 6, seed=3).sigmoid()
    assert torch.autograd.gradcheck(lambda d: disparity_smoothness(d, photo), (depth,))
    assert torch.autograd.gradcheck(lambda d: log_depth_error(d, prior, confidence), (depth,))
    assert torch.autograd.gradcheck(lambda d: pearson_depth_error(d, prior), (depth,))


def test_the_log_error_of_a_depth_that_is_too_far_by_a_factor_is_its_logarithm() -> None:
    prior = 1 + noise(5, 6).square()
    assert float(log_depth_error(prior, prior)) == 0
    assert float(log_depth_error(1.5 * prior, prior)) == pytest.approx(math.log(1.5))
    assert float(log_depth_error(prior / 1.5, prior)) == pytest.approx(math.log(1.5))


def test_pixels_without_confidence_or_depth_or_prior_do_not_count() -> None:
    depth, prior, confidence = torch.ones(1, 5), torch.ones(1, 5), torch.ones(1, 5)
    depth[0, 0], prior[0, 1], prior[0, 2] = 0, 0, torch.nan
    depth[0, 3], confidence[0, 3] = 9, 0
    depth.requires_grad_()
    loss = log_depth_error(depth, prior, confidence)
    loss.backward()
    assert float(loss.detach()) == 0
    assert depth.grad is not None
    assert bool(depth.grad.isfinite().all())
    assert float(log_depth_error(torch.zeros(2, 2), torch.ones(2, 2))) == 0


def test_pearson_ignores_scale_and_shift_and_knows_the_wrong_way_round() -> None:
    depth = 1 + noise(9, 9).square()
    assert float(pearson_depth_error(depth, 7 * depth + 3)) == pytest.approx(0, abs=1e-9)
    assert float(pearson_depth_error(depth, -depth)) == pytest.approx(2)
    assert float(pearson_depth_error(depth, noise(9, 9, seed=5))) == pytest.approx(1, abs=0.3)


def test_pearson_without_pixels_or_without_variation_is_finite() -> None:
    depth = torch.full((3, 3), 2.0).requires_grad_()
    for prior, mask in ((noise(3, 3).float(), None), (noise(3, 3).float(), torch.zeros(3, 3, dtype=torch.bool))):
        loss = pearson_depth_error(depth, prior, mask)
        loss.backward()
        assert bool(loss.isfinite())
    assert depth.grad is not None
    assert bool(depth.grad.isfinite().all())


# Other photos


def _plane_views() -> tuple[Views, Tensor]:
    camera, other = tilted_pair()
    depth = plane_depth(camera)
    photos = torch.stack([ramp_at(camera, other, depth), ramp(other)])
    poses = torch.cat([camera.camera_from_world, other.camera_from_world])
    cameras = Cameras(poses, torch.cat([camera.K, other.K]), camera.width, camera.height)
    return Views(photos, cameras), depth


def test_other_photos_of_a_plane_agree_at_its_depth_and_not_at_others() -> None:
    views, depth = _plane_views()
    assert float(multi_view_consistency(views, 0, depth)) < 1e-9
    for factor in (0.9, 1.1):
        assert float(multi_view_consistency(views, 0, factor * depth)) > 1e-3


def test_of_several_photos_the_best_counts() -> None:
    views, depth = _plane_views()
    spoilt = Views(
        torch.cat([views.photos, noise(1, *views.photos.shape[1:]).sigmoid()]),
        Cameras(
            torch.cat([views.cameras.camera_from_world, views.cameras.camera_from_world[1:]]),
            torch.cat([views.cameras.K, views.cameras.K[1:]]),
            views.cameras.width,
            views.cameras.height,
        ),
    )
    assert float(multi_view_consistency(spoilt, 0, depth)) < 1e-9


def test_multi_view_consistency_moves_the_depth_towards_the_truth() -> None:
    views, depth = _plane_views()
    factor = torch.tensor(1.1, dtype=torch.float64, requires_grad=True)
    multi_view_consistency(views, 0, factor * depth).backward()
    assert factor.grad is not None
    assert float(factor.grad) > 1e-3


def test_gradients_of_multi_view_consistency_are_those_of_finite_differences() -> None:
    views, depth = _plane_views()
    factor = torch.tensor(1.07, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: multi_view_consistency(views, 0, f * depth), (factor,))


def test_without_another_photo_or_common_pixels_the_term_is_zero() -> None:
    views, depth = _plane_views()
    leaf = depth.clone().requires_grad_()
    alone = Views(views.photos[:1], views.cameras[0])
    for case, z in ((alone, leaf), (views, 1e-9 * leaf), (views, 0 * leaf)):
        loss = multi_view_consistency(case, 0, z)
        loss.backward()
        assert float(loss.detach()) == 0
    assert leaf.grad is not None
    assert bool((leaf.grad == 0).all())


def test_photos_are_not_changed_by_any_term() -> None:
    views = views_of(3)
    before = views.photos.clone()
    depth = torch.full((18, 24), 2.0).double().requires_grad_()
    multi_view_consistency(views, 1, depth).backward()
    binocular_consistency(views.photos[0], depth, views.photos[1], 20.0, 0.1).backward()
    assert torch.equal(views.photos, before)
    assert depth.grad is not None
    assert bool((depth.grad != 0).any())


# Masks


def test_a_dark_run_from_above_is_background_and_a_dark_spot_is_not() -> None:
    photo = torch.full((12, 4, 3), 0.02)
    photo[:, 1] = 0.5
    photo[3, 2, 1] = 0.5  # one bright channel
    background = dark_background(photo, run=5)
    assert background[:, 0].tolist() == [True] * 12
    assert background[:, 1].tolist() == [False] * 12
    assert background[:, 2].tolist() == [True] * 3 + [False] * 5 + [True] * 4
    assert not bool(dark_background(photo, threshold=0.01).any())


def test_background_alpha_is_its_mean_over_the_mask() -> None:
    alpha = torch.tensor([[0.2, 0.4], [0.6, 1.0]]).requires_grad_()
    mask = torch.tensor([[True, False], [True, False]])
    loss = background_alpha(alpha, mask)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.4)
    assert alpha.grad is not None
    assert alpha.grad.tolist() == [[0.5, 0], [0.5, 0]]
    assert float(background_alpha(alpha.detach(), torch.zeros(2, 2, dtype=torch.bool))) == 0
