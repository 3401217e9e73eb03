"""Points of photos with known cameras, against the surfaces of a generated scene."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from trisparse.core.errors import BackendUnavailable, InvalidInput
from trisparse.data.cameras import Cameras
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.data.readers.triangulation import triangulate
from trisparse.data.still_life.casting import nearest_hits
from trisparse.data.still_life.render import photograph
from trisparse.data.still_life.rigs import Lens, forward_facing
from trisparse.data.still_life.scene import StillLife, make_still_life


@cache
def _scene() -> StillLife:
    return make_still_life(0, kind="courtyard")


def _taken(cameras: Cameras) -> PosedImages:
    return PosedImages.from_tensors(cameras, photograph(_scene(), cameras, samples_per_pixel=4).images)


@cache
def _photos() -> PosedImages:
    pytest.importorskip("pycolmap")
    return _taken(forward_facing(_scene(), 3, Lens(200, 150)))


@cache
def _found() -> SparsePoints:
    return triangulate(_photos(), threads=1)


def _misses(photos: PosedImages, found: SparsePoints) -> Float[Tensor, "s"]:
    """Distance of each sighted point from the surface along its ray, as a share of the surface's."""
    cameras, shares = photos.cameras.to(torch.float64), []
    for view in range(len(cameras)):
        way = found.cloud.points[found.visible[:, view]].double() - cameras.centers[view]
        distance = way.norm(dim=1)
        start = cameras.centers[view][None].contiguous()
        hits = nearest_hits(_scene().arrays[0], start.numpy(), (way / distance[:, None]).numpy())
        surface = torch.from_numpy(hits.distance)
        shares.append((distance - surface).abs() / surface)
    return torch.cat(shares)


def test_points_lie_on_the_surfaces_that_at_least_two_photos_see() -> None:
    found = _found()
    assert len(found.cloud) > 100
    assert bool((found.visible.sum(1) >= 2).all())
    assert bool((found.visible.sum(1) == 3).any())
    misses = _misses(_photos(), found)
    assert float(misses.median()) < 0.006
    assert float(misses.quantile(0.9)) < 0.03
    seen = _photos().cameras.project(found.cloud.points.double())
    assert bool(seen.inside.T[found.visible].all())


def test_points_have_the_colours_of_the_photos() -> None:
    found, photos = _found(), _photos()
    assert found.cloud.colors is not None
    pixels = photos.cameras.project(found.cloud.points.double()).pixels.long()
    pixels = torch.minimum(pixels.clamp_min(0), torch.tensor([199, 149]))
    seen = torch.stack([photos.image(view)[pixels[view, :, 1], pixels[view, :, 0]] for view in range(3)], 1)
    nearest = (seen - found.cloud.colors[:, None]).abs().amax(-1).masked_fill(~found.visible, 1).amin(1)
    assert float(nearest.quantile(0.9)) < 0.15


def test_points_are_the_same_from_any_number_of_threads() -> None:
    again = triangulate(_photos(), threads=3)
    assert torch.equal(again.cloud.points, _found().cloud.points)
    assert torch.equal(again.visible, _found().visible)


def test_points_that_the_photos_come_with_and_other_photos_change_nothing() -> None:
    alone = triangulate(_photos().select([0, 1]))
    assert alone.visible.shape[1] == 2
    told = triangulate(replace(_photos(), points=_found()).select([0, 1]))
    assert torch.equal(alone.cloud.points, told.cloud.points)
    assert len(alone.cloud) < len(_found().cloud)


def test_points_of_a_far_away_large_world_are_those_of_a_small_one() -> None:
    move = torch.eye(4, dtype=torch.float64)
    move[:3, 3] = torch.tensor([4e5, -2e5, 1e4])
    photos = replace(_photos(), cameras=_photos().cameras.to(torch.float64).moved(1e3, move))
    found = triangulate(photos)
    assert len(found.cloud) == len(_found().cloud)
    back = (found.cloud.points.double() - move[:3, 3]) / 1e3
    assert float((back - _found().cloud.points).abs().max()) < 2e-3


def test_each_photo_has_its_own_lens() -> None:
    cameras = _photos().cameras
    K = cameras.K.clone()
    K[1, :2, :2] *= 1.3
    K[2, 0, 2] += 20
    bent = torch.tensor([[0.1, -0.05, 0.002, 0.001, 0, 0, 0.02, 0]]).expand(3, 8)
    photos = _taken(replace(cameras, K=K, model="opencv", distortion=bent))
    found = triangulate(photos)
    assert len(found.cloud) > 80
    assert float(_misses(photos, found).median()) < 0.006


def test_fisheye_lenses_are_understood() -> None:
    cameras = _photos().cameras
    photos = _taken(replace(cameras, model="fisheye", distortion=torch.tensor([[0.05, 0.01, 0, 0]]).expand(3, 4)))
    assert float(_misses(photos, triangulate(photos)).median()) < 0.006


def test_cameras_of_other_photos_are_told() -> None:
    photos = _photos()
    with pytest.raises(
        InvalidInput, match=r"\d+ matches, 0 of them agree .* not the photos' cameras: check their axes"
    ):
        triangulate(replace(photos, cameras=photos.cameras[[1, 2, 0]]))
    opengl = photos.cameras.camera_from_world.clone()
    opengl[:, 1:3] *= -1
    with pytest.raises(InvalidInput, match="rays meet behind the cameras"):
        triangulate(replace(photos, cameras=replace(photos.cameras, camera_from_world=opengl)))


def test_photos_in_which_nothing_matches_say_why() -> None:
    photos = _photos()
    blank = PosedImages.from_tensors(photos.cameras, torch.full((3, 150, 200, 3), 0.5))
    with pytest.raises(InvalidInput, match=r"0 to 0 features a photo.*without texture; what helps: .* plane sweep"):
        triangulate(blank)
    turned = photos.images().clone()
    turned[1:] = turned[1:].flip(2)  # mirrored things have other features
    with pytest.raises(InvalidInput, match="hardly show the same; what helps"):
        triangulate(PosedImages.from_tensors(photos.cameras, turned).select([0, 1]))


def test_photos_that_allow_no_triangulation_are_refused() -> None:
    photos = _photos()
    with pytest.raises(InvalidInput, match="1 photos to triangulate"):
        triangulate(photos.select([0]))
    with pytest.raises(InvalidInput, match="2 cameras stand at one place"):
        triangulate(photos.select([0, 0]))
    K = photos.cameras.K.clone()
    K[1, 0, 1] = 2
    with pytest.raises(InvalidInput, match="camera 1 has skew"):
        triangulate(replace(photos, cameras=replace(photos.cameras, K=K)))


def test_without_pycolmap_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    photos = PosedImages.from_tensors(forward_facing(_scene(), 2, Lens(16, 12)), torch.zeros(2, 12, 16, 3))
    with pytest.raises(BackendUnavailable, match=r"pip install 'trisparse\[sfm\]'.* plane sweep"):
        triangulate(photos)
