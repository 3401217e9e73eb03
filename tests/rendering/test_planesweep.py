"""The plane sweep on generated still lifes, held against their exact depth, and on photos that tell nothing of depth."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numba
import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.cameras import Cameras
from trisparse.data.posed_images import PosedImages
from trisparse.rendering.depth_range import depth_ranges
from trisparse.rendering.planesweep import MEASURED, DepthMaps, SweepConfig, depth_maps

from tests.rendering.sweep_scenes import shown, side_by_side, texture

SCENES = [("table", 0), ("object", 0), ("courtyard", 1)]
_EACH = pytest.mark.parametrize(("kind", "seed"), SCENES)


@cache
def _maps(kind: str, seed: int, n: int = 3) -> DepthMaps:
    return depth_maps(shown(kind, seed, n).photos)


def _errors(maps: DepthMaps, depth_z: Tensor, *, sure: bool = True) -> Tensor:
    """Relative errors of the pixels that were measured, or of those that were interpolated."""
    measured = maps.confidence >= MEASURED
    chosen = (measured if sure else ~measured & (maps.confidence > 0)) & depth_z.isfinite()
    return ((maps.depth_z - depth_z).abs() / depth_z)[chosen]


@_EACH
@pytest.mark.parametrize("n", [3, 2])
def test_measured_depth_is_that_of_the_scene(kind: str, seed: int, n: int) -> None:
    scene, maps = shown(kind, seed, n), _maps(kind, seed, n)
    errors = _errors(maps, scene.depth_z)
    assert len(errors) > (0.6 if kind == "object" else 0.35) * int(scene.depth_z.isfinite().sum())
    assert float(errors.median()) < 0.012  # wanted: 2 %
    assert float(errors.quantile(0.8)) < 0.04  # wanted: 10 %


@_EACH
def test_without_points_the_cameras_alone_tell_where_to_look(kind: str, seed: int) -> None:
    scene = shown(kind, seed, 2)
    maps = depth_maps(scene.bare)
    errors = _errors(maps, scene.depth_z)
    assert len(errors) > 0.9 * len(_errors(_maps(kind, seed, 2), scene.depth_z))
    assert float(errors.median()) < 0.012
    assert float(errors.quantile(0.8)) < 0.04
    assert "guessed from where the cameras stand" in maps.warnings[0]


@_EACH
def test_interpolated_depth_is_worth_less_and_so_is_its_confidence(kind: str, seed: int) -> None:
    scene, maps = shown(kind, seed), _maps(kind, seed)
    assert 0 <= float(maps.confidence.min()) <= float(maps.confidence.max()) <= 1
    assert bool((maps.depth_z > 0).all() & maps.depth_z.isfinite().all())
    guessed = _errors(maps, scene.depth_z, sure=False)
    assert float(guessed.median()) > float(_errors(maps, scene.depth_z).median())
    assert float(guessed.median()) < 0.15


def test_without_interpolation_the_rest_is_unknown() -> None:
    maps = _maps("object", 0, 2)
    bare = depth_maps(shown("object", 0, 2).photos, config=SweepConfig(fill=False)).confidence
    assert torch.equal(bare, torch.where(maps.confidence >= MEASURED, maps.confidence, torch.zeros(())))


def test_greater_confidence_means_smaller_errors() -> None:
    scene, maps = shown("table", 0), _maps("table", 0)
    sure = maps.confidence[(maps.confidence >= MEASURED) & scene.depth_z.isfinite()]
    errors = _errors(maps, scene.depth_z)
    high = sure > sure.median()
    assert float((errors[high] > 0.05).float().mean()) < 0.6 * float((errors[~high] > 0.05).float().mean())


def test_a_world_ten_times_as_large_has_ten_times_the_depth() -> None:
    scene, maps = shown("courtyard", 1, 2), _maps("courtyard", 1, 2)
    photos = scene.photos
    assert photos.points is not None
    cloud = replace(photos.points.cloud, points=10 * photos.points.cloud.points)
    larger = replace(
        photos, cameras=photos.cameras.moved(10.0, torch.eye(4)), points=replace(photos.points, cloud=cloud)
    )
    found = depth_maps(larger)
    both = (found.confidence >= MEASURED) & (maps.confidence >= MEASURED)
    assert float(both.float().mean()) > 0.9 * float((maps.confidence >= MEASURED).float().mean())
    assert float((found.depth_z / maps.depth_z / 10 - 1).abs()[both].median()) < 2e-3


def test_any_number_of_threads_and_every_run_give_the_same_bits() -> None:
    most = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        again = depth_maps(shown("object", 0, 2).photos)
    finally:
        numba.set_num_threads(most)
    assert torch.equal(again.depth_z, _maps("object", 0, 2).depth_z)
    assert torch.equal(again.confidence, _maps("object", 0, 2).confidence)


def test_fine_photos_are_searched_from_coarse_to_fine() -> None:
    scene = shown("courtyard", 1, 2)
    maps = depth_maps(scene.photos, config=SweepConfig(coarse_px=60))
    errors = _errors(maps, scene.depth_z)
    assert len(errors) > 0.3 * scene.depth_z.numel()
    assert float(errors.median()) < 0.02


# Photos that tell little


def _photos(images: Tensor, cameras: Cameras) -> PosedImages:
    return PosedImages.from_tensors(cameras.to(torch.float32), images)


@pytest.mark.parametrize("level", [0.0, 0.6])
def test_even_photos_have_no_sure_pixel_and_that_is_said(level: float) -> None:
    maps = depth_maps(_photos(torch.full((3, 30, 40, 3), level), side_by_side(3)))
    assert not bool((maps.confidence >= MEASURED).any())
    assert bool((maps.depth_z > 0).all() & maps.depth_z.isfinite().all())
    assert (
        "less than 1 % of view 0, 1, 2 could be confirmed: little texture, or views too different" in maps.warnings[-1]
    )


def test_photos_of_different_things_are_hardly_ever_sure() -> None:
    images = torch.stack([texture(30, 40, seed) for seed in range(3)])[..., None].expand(3, 30, 40, 3)
    maps = depth_maps(_photos(images, side_by_side(3)))
    assert float((maps.confidence >= MEASURED).float().mean()) < 0.05


def test_a_view_that_looks_elsewhere_has_no_depth_and_the_others_keep_theirs() -> None:
    scene = shown("object", 0)
    poses = scene.photos.cameras.camera_from_world.clone()
    poses[1, [0, 2]] *= -1
    maps = depth_maps(replace(scene.bare, cameras=replace(scene.photos.cameras, camera_from_world=poses)))
    assert "no other photo overlaps with view 1: it has no depth" in maps.warnings
    assert not bool((maps.confidence[1] >= MEASURED).any())
    errors = _errors(DepthMaps(maps.depth_z[[0, 2]], maps.confidence[[0, 2]]), scene.depth_z[[0, 2]])
    assert len(errors) > 1000
    assert float(errors.median()) < 0.02


# Photos that cannot be used


@pytest.mark.parametrize(("rows", "message"), [((), "depth from 0 photos"), ((0,), "depth from 1 photo: at least two")])
def test_fewer_than_two_photos_are_refused(rows: tuple[int, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        depth_maps(shown("object", 0).photos.select(rows))


def test_photos_from_one_place_are_refused() -> None:
    with pytest.raises(InvalidInput, match="all 2 cameras stand at one place"):
        depth_maps(shown("object", 0).photos.select([1, 1]))


def test_cameras_that_look_away_from_each_other_are_refused() -> None:
    scene = shown("object", 0, 2)
    poses = scene.photos.cameras.camera_from_world.clone()
    poses[1, [0, 2]] *= -1
    apart = replace(scene.bare, cameras=replace(scene.photos.cameras, camera_from_world=poses))
    with pytest.raises(InvalidInput, match=r"no two of the 2 cameras see the same space .* look away from each other"):
        depth_maps(apart)


def test_distorted_photos_are_refused_and_so_are_ranges_of_other_views() -> None:
    photos = shown("object", 0, 2).photos
    bent = replace(photos.cameras, model="opencv", distortion=torch.full((2, 2), 0.1))
    with pytest.raises(InvalidInput, match="lenses distort; undistort them first"):
        depth_maps(replace(photos, cameras=bent))
    with pytest.raises(ShapeMismatch, match="depth ranges of 1 views for 2 photos"):
        depth_maps(photos, depth_ranges(photos.cameras[0], None))


@pytest.mark.parametrize("change", [{"planes": 2}, {"radius": 0}, {"coarse_px": 8}, {"n_sources": 0}])
def test_settings_that_make_no_sense_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match=r"expected at least|give at least"):
        replace(SweepConfig(), **change)
