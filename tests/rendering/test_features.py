"""What photos say about points: visibility, moments over the photos, and that order and number of photos do not matter."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.cameras import Cameras, Projection
from trisparse.rendering.features import ImageFeatures, Views, visibility
from trisparse.rendering.image_pyramid import color_levels

from .point_scenes import cloud_of, gradients, noise, rng, shaken, views_of


def _points(n: int = 30) -> Tensor:
    return 0.5 * noise(n, 3, seed=5)


def _chosen(views: Views, rows: list[int]) -> Views:
    depth = None if views.depth_z is None else views.depth_z[rows]
    return Views(views.photos[rows], views.cameras[rows], depth)


def _projection(pixels: list[list[float]], depth_z: list[float], size: int) -> Projection:
    """Points in one square photo."""
    at, z = torch.tensor([pixels], dtype=torch.float64), torch.tensor([depth_z], dtype=torch.float64)
    return Projection(at, z, torch.ones_like(z, dtype=torch.bool), size, size)


def _seen_at(depth_z: float, surface: float, **options: float) -> float:
    projection = _projection([[2.0, 2.0]], [depth_z], 4)
    return float(visibility(projection, torch.full((1, 4, 4), surface, dtype=torch.float64), **options)[0, 0])


# Visibility


def test_visibility_falls_off_behind_the_surface_as_written_in_the_formula() -> None:
    assert _seen_at(2.0, 2.0) == 1
    assert _seen_at(2.0, 5.0) == 1
    assert _seen_at(2.0, 1.985) == 1  # within one hundredth of the distance
    assert _seen_at(2.0, 1.9) == pytest.approx(math.exp(-(0.1 - 0.02) / 0.02))
    assert _seen_at(2.0, 1.9, tolerance=0.1) == 1


@pytest.mark.parametrize("unknown", [0.0, -1.0, math.nan, math.inf])
def test_a_point_is_seen_where_the_depth_is_not_known(unknown: float) -> None:
    assert _seen_at(2.0, unknown) == 1


def test_a_hole_in_the_depth_beside_a_known_pixel_counts_as_the_known_one() -> None:
    depth = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]).double()
    projection = _projection([[1.0, 1.0]], [1.0], 2)
    assert float(visibility(projection, depth)) == 1
    assert float(visibility(replace(projection, depth_z=torch.tensor([[2.0]]).double()), depth)) < 1e-20


def test_nothing_is_seen_outside_the_photo_behind_the_camera_or_too_near() -> None:
    pixels = [[4.1, 1.0], [1.0, -0.1], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    assert visibility(_projection(pixels, [1.0, 1.0, -1.0, 0.005, 1.0], 4)).tolist() == [[0, 0, 0, 0, 1]]


# Moments


def _moments(samples: Tensor, weights: Tensor) -> Tensor:
    """Mean, variance and sum of the weights, photo by photo: the slow way."""
    total = weights.sum(0)[:, None]
    mean = (weights[..., None] * samples).sum(0) / (total + 1e-6)
    variance = (weights[..., None] * (samples - mean) ** 2).sum(0) / (total + 1e-6)
    return torch.cat([mean, variance, total], 1)


def test_moments_are_those_of_all_samples() -> None:
    views, points = views_of(), _points()
    views = replace(views, depth_z=torch.full((3, 18, 24), 2.0).double())
    features = ImageFeatures(8, rng(), with_pyramid=False).double()
    projection = views.cameras.project(points)
    samples = torch.cat([level.at(projection.pixels) for level in color_levels(views.channels_first)], -1)
    expected = _moments(samples, visibility(projection, views.depth_z))
    torch.testing.assert_close(features.moments(points, views), expected, atol=1e-14, rtol=0)


def test_moments_and_gradients_of_the_pyramid_are_those_of_all_samples_at_once() -> None:
    views, points = views_of(), _points()
    features = shaken(ImageFeatures(8, rng())).double()
    assert isinstance(features, ImageFeatures)
    assert features.pyramid is not None
    seen = features.moments(points, views)
    (seen * noise(*seen.shape)).sum().backward()
    by_view = gradients(features)
    features.zero_grad()
    projection = views.cameras.project(points)
    levels = list(color_levels(views.channels_first))
    levels += [features.pyramid.level(x, i) for i, x in enumerate(features.pyramid(views.channels_first))]
    samples = torch.cat([level.at(projection.pixels) for level in levels], -1)
    expected = _moments(samples, visibility(projection))
    (expected * noise(*seen.shape)).sum().backward()
    torch.testing.assert_close(seen, expected, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(by_view, gradients(features), atol=1e-11, rtol=1e-9)


def test_the_variance_keeps_its_digits_where_photos_agree() -> None:
    views = views_of(dtype=torch.float32)
    same = replace(views, photos=torch.full_like(views.photos, 0.7))
    moments = ImageFeatures(8, rng(), with_pyramid=False).moments(_points().float(), same)
    assert float(moments[:, 9:18].abs().max()) < 1e-12


@pytest.mark.parametrize("aggregation", ["mean", "meanvar"])
def test_the_order_of_the_photos_does_not_matter(aggregation: str) -> None:
    views, points = views_of(5), _points()
    features = ImageFeatures(8, rng(), aggregation=aggregation).double()  # pyright: ignore[reportArgumentType]
    shuffled = _chosen(views, [3, 0, 4, 1, 2])
    torch.testing.assert_close(features(points, views), features(points, shuffled), atol=1e-12, rtol=1e-12)


def test_seeing_every_photo_twice_changes_the_count_alone() -> None:
    views, points = views_of(3), _points()
    features = ImageFeatures(8, rng()).double()
    once, twice = features.moments(points, views), features.moments(points, _chosen(views, [0, 1, 2] * 2))
    torch.testing.assert_close(twice[:, :-1], once[:, :-1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(twice[:, -1], 2 * once[:, -1])


@pytest.mark.parametrize("n", [1, 2, 24])
def test_any_number_of_photos_gives_features_of_the_same_width(n: int) -> None:
    out = ImageFeatures(8, rng()).double()(_points(), views_of(n))
    assert out.shape == (30, 8)
    assert bool(out.isfinite().all())


def test_one_photo_has_no_variance() -> None:
    moments = ImageFeatures(8, rng()).double().moments(_points(), views_of(1))
    assert float(moments[:, 65:130].detach().abs().max()) < 1e-9
    assert moments.shape[1] == 131


def test_a_hidden_photo_does_not_mix_into_a_points_colour() -> None:
    views = views_of(2)
    photos = torch.stack([torch.zeros_like(views.photos[0]), torch.ones_like(views.photos[0])])
    depth = torch.stack([torch.full((18, 24), 5.0), torch.full((18, 24), 0.5)]).double()
    seen = ImageFeatures(8, rng(), with_pyramid=False).double()
    moments = seen.moments(torch.zeros(1, 3).double(), Views(photos, views.cameras, depth))
    assert float(moments[0, :9].abs().max()) < 1e-10  # the white photo sees something else in front


def test_a_point_behind_all_cameras_has_no_evidence_and_no_gradient() -> None:
    features = ImageFeatures(8, rng()).double()
    behind = torch.tensor([[0.0, -50.0, 0.4]]).double()
    moments = features.moments(behind, views_of())
    assert bool((moments == 0).all())
    features(behind, views_of()).sum().backward()
    assert features.pyramid is not None
    assert all(bool((gradient == 0).all()) for gradient in gradients(features.pyramid))


def test_no_points_have_no_features() -> None:
    assert ImageFeatures(8, rng()).double()(torch.zeros(0, 3).double(), views_of()).shape == (0, 8)


def test_positions_get_no_gradient() -> None:
    points = _points().requires_grad_()
    ImageFeatures(8, rng()).double()(points, views_of()).sum().backward()
    assert points.grad is None


def test_features_of_permuted_points_are_the_permuted_features() -> None:
    points, order = _points(), torch.randperm(30, generator=rng())
    features = ImageFeatures(8, rng()).double()
    torch.testing.assert_close(features(points[order], views_of()), features(points, views_of())[order])


def test_photos_may_have_been_taken_through_a_distorting_lens() -> None:
    views, points = views_of(), _points()
    bent = Cameras(views.cameras.camera_from_world, views.cameras.K, 24, 18, "opencv", torch.full((3, 1), 0.1).double())
    features = ImageFeatures(8, rng(), with_pyramid=False).double()
    assert not torch.allclose(features(points, views), features(points, Views(views.photos, bent)))


# Views


@pytest.mark.parametrize(
    ("photos", "depth", "problem"),
    [((2, 18, 24, 3), None, "2 photos"), ((3, 9, 24, 3), None, "9 x 24"), ((3, 18, 24, 3), (3, 9, 24), "depth maps")],
)
def test_photos_and_depth_maps_that_do_not_fit_the_cameras_are_refused(
    photos: tuple[int, ...], depth: tuple[int, ...] | None, problem: str
) -> None:
    with pytest.raises(ShapeMismatch, match=problem):
        Views(torch.zeros(photos), views_of().cameras.to(torch.float32), None if depth is None else torch.zeros(depth))


def test_no_photo_at_all_is_refused() -> None:
    views = views_of()
    with pytest.raises(InvalidInput, match="at least one"):
        Views(views.photos[:0], views.cameras[torch.zeros(0, dtype=torch.long)])


def test_the_cloud_of_these_tests_lies_in_the_photos() -> None:
    inside = views_of().cameras.project(cloud_of().means).inside
    assert float(inside.double().mean()) > 0.6
