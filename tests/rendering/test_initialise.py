from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.posed_images import PosedImages
from trisparse.data.still_life.capture import capture
from trisparse.data.still_life.render import photograph
from trisparse.data.still_life.rigs import Lens, forward_facing
from trisparse.data.still_life.scene import make_still_life
from trisparse.rendering.initialise import initial_points, normalise_scene
from trisparse.rendering.planesweep import MEASURED, depth_maps


@cache
def _photos() -> PosedImages:
    scene = make_still_life(0, kind="table")
    return capture(scene, forward_facing(scene, 3, Lens(160, 120)))


def test_swept_depth_is_that_of_the_scene() -> None:
    photos = _photos()
    maps = depth_maps(photos)
    truth = photograph(make_still_life(0, kind="table"), photos.cameras, samples_per_pixel=1).depth_z
    sure = (maps.confidence >= MEASURED) & truth.isfinite()
    assert float(sure.float().mean()) > 0.3
    error = ((maps.depth_z - truth).abs() / truth)[sure]
    assert float(error.median()) < 0.02
    assert float(error.quantile(0.8)) < 0.1


def test_points_of_the_sweep_lie_where_the_photos_show_their_colours() -> None:
    photos = _photos()
    found = initial_points(photos)
    assert len(found) > 1_000
    again = initial_points(photos)
    assert torch.equal(found.points, again.points)
    inside = photos.cameras.project(found.points).inside
    assert float(inside.any(0).float().mean()) > 0.99
    assert float(found.colors.min()) >= 0
    assert float(found.colors.max()) <= 1


def test_sparse_points_are_those_that_two_of_the_photos_see() -> None:
    photos = _photos()
    assert photos.points is not None
    found = initial_points(photos, "sfm")
    assert len(found) == int((photos.points.visible.sum(1) >= 2).sum())


def test_photos_without_points_are_triangulated() -> None:
    pytest.importorskip("pycolmap")
    scene = make_still_life(0, kind="courtyard")
    photos = replace(capture(scene, forward_facing(scene, 3, Lens(160, 120))), points=None)
    found = initial_points(photos, "sfm")
    assert len(found) > 40
    assert found.warnings == (f"the photos come without points: {len(found)} were triangulated from their features",)
    inside = photos.cameras.project(found.points.to(photos.cameras.K)).inside
    assert bool((inside.sum(0) >= 2).all())
    blank = PosedImages.from_tensors(photos.cameras, torch.full((3, 120, 160, 3), 0.5))
    with pytest.raises(InvalidInput, match="without texture; what helps"):
        initial_points(blank, "sfm")


def test_random_points_lie_before_the_cameras_or_in_the_cube() -> None:
    photos = _photos()
    found = initial_points(photos, "random", n=500, seed=3)
    assert len(found) == 500
    assert bool((photos.cameras.project(found.points).inside.sum(0) >= 2).all())
    cube = initial_points(photos, "random", n=500, cube=1.3)
    assert float(cube.points.abs().max()) <= 1.3


def test_photos_that_allow_no_sweep_are_refused() -> None:
    photos = _photos()
    with pytest.raises(InvalidInput):
        initial_points(photos.select([]))
    with pytest.raises(InvalidInput):
        initial_points(photos.select([0]))
    with pytest.raises(InvalidInput):
        initial_points(photos.select([0, 0]), "planesweep")


def test_a_normalised_scene_is_one_away_from_its_cameras() -> None:
    photos = _photos()
    assert photos.points is not None
    scale, new_from_old = normalise_scene(photos.cameras, photos.points)
    moved = photos.cameras.moved(scale, new_from_old)
    points = scale * photos.points.cloud.points.to(new_from_old) @ new_from_old[:3, :3].mT + new_from_old[:3, 3]
    assert float(torch.cdist(points, moved.centers).amin(1).median()) == pytest.approx(1, rel=1e-4)
