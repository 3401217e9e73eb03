from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.rays import Rays
from trisparse.data.resample import sample_image
from trisparse.data.still_life.casting import is_inside
from trisparse.data.still_life.render import photograph, radiance, shown, trace
from trisparse.data.still_life.rigs import Lens, forward_facing
from trisparse.data.still_life.scene import make_still_life
from trisparse.data.still_life.solids import Kind, Solid, ball, box
from trisparse.data.still_life.surface import surface_points

from .test_render import matte
from .unit_solids import MATTE, scene_of


def test_points_of_a_ball_lie_on_it_all_over_and_evenly() -> None:
    scene = scene_of(ball((0, 0, 0), 1.0, MATTE))
    found = surface_points(scene, 4000)
    points = found.cloud.points
    torch.testing.assert_close(points.norm(dim=1), torch.ones(4000).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(found.normals, points, atol=1e-9, rtol=0)
    octants = torch.bincount((points > 0).long() @ torch.tensor([1, 2, 4]), minlength=8)
    assert (octants - 500).abs().max() < 100  # five standard deviations


def test_points_are_spread_in_proportion_to_area() -> None:
    """A box of 0.5 x 1 x 1, a ball of radius 0.5, and a leaf, which has two sides."""
    solids = (
        Solid(Kind.BOX, (0.9, 0.0, 0.0), (0.25, 0.5, 0.5), MATTE),
        ball((-0.7, 0, 0), 0.5, MATTE),
        Solid(Kind.LEAF, (0, 0, 1.2), (0.5, 0.5, 1.0), MATTE),
    )
    found = surface_points(scene_of(*solids), 20_000).cloud.points
    on_leaf, on_ball = found[:, 2] > 1.0, found[:, 0] < 0
    areas = torch.tensor([2 * (0.5 * 1.0 + 0.5 * 1.0 + 1.0 * 1.0), torch.pi, 2 * 0.25 * 8 / 3])
    counts = torch.stack([(~on_leaf & ~on_ball).sum(), (~on_leaf & on_ball).sum(), on_leaf.sum()])
    torch.testing.assert_close(counts / 20_000, areas / areas.sum(), atol=0.015, rtol=0)


def test_what_another_solid_covers_has_no_points() -> None:
    inner = ball((0, 0, 0), 0.5, MATTE)
    found = surface_points(scene_of(inner, box((-1, 1), (-1, 1), (-1, 0.2), MATTE)), 3000).cloud.points
    on_ball = found.norm(dim=1) < 0.5 + 1e-9
    assert found[on_ball, 2].min() > 0.2 - 1e-9
    on_top = (found[:, 2] - 0.2).abs() < 1e-9
    assert found[on_top].norm(dim=1).min() > 0.5 - 1e-5


@pytest.mark.parametrize("kind", ["table", "object", "courtyard"])
def test_a_camera_sees_points_at_their_depth_or_something_before_them(kind: str) -> None:
    scene = matte(make_still_life(5, kind))
    found = surface_points(scene, 3000)
    assert not is_inside(scene.arrays[0], (found.cloud.points + 1e-5 * found.normals).numpy()).any()
    camera = forward_facing(scene, 1, Lens(320, 240))
    place = camera.project(found.cloud.points)
    inside = place.inside[0]
    points, normals = found.cloud.points[inside], found.normals[inside]
    way = points - camera.centers[0]
    distance = way.norm(dim=1)
    way = way / distance[:, None]
    traced = trace(scene, Rays(camera.centers.expand(len(way), 3), way))
    assert (traced.distance < distance + 1e-6 * distance + 1e-6).all()
    seen = ((traced.distance - distance).abs() < 1e-6) & (-(way * normals).sum(1) > 0.2)
    assert seen.sum() > 60
    torch.testing.assert_close(traced.normals[seen], normals[seen], atol=1e-5, rtol=0)
    assert found.cloud.colors is not None
    there = shown(scene, radiance(scene, Rays(camera.centers.expand(len(way), 3)[seen], way[seen])))
    off = (there - found.cloud.colors[inside][seen]).abs().amax(1)
    assert (off < 1e-4).float().mean() > 0.99  # the others lie on the edges of shadows and patterns

    photo = photograph(scene, camera, samples_per_pixel=9)
    pixels = place.pixels[0][inside][seen]
    depth = photo.depth_z[0].double()
    near = sample_image(depth.clamp_max(1e3)[..., None], pixels)[:, 0]
    expected = place.depth_z[0][inside][seen]
    assert ((near - expected).abs() < 0.01 * expected).float().mean() > 0.8  # the others are at edges
    colors = sample_image(photo.images[0].double(), pixels)
    assert (colors - found.cloud.colors[inside][seen]).abs().mean() < 0.06


def test_the_seed_decides() -> None:
    scene = make_still_life(1, "object")
    first, again, other = (surface_points(scene, 200, seed) for seed in (1, 1, 2))
    assert torch.equal(first.cloud.points, again.cloud.points)
    assert first.cloud.colors is not None
    assert again.cloud.colors is not None
    assert torch.equal(first.cloud.colors, again.cloud.colors)
    assert not torch.equal(first.cloud.points, other.cloud.points)


def test_no_points_of_nothing() -> None:
    assert len(surface_points(scene_of(), 0).cloud) == 0
    with pytest.raises(InvalidInput, match="10 were asked for"):
        surface_points(scene_of(), 10)


def test_the_sky_and_what_is_far_has_no_points() -> None:
    scene = make_still_life(1, "courtyard")
    points = surface_points(scene, 2000).cloud.points.numpy()
    assert np.sqrt(((points - np.array(scene.center)) ** 2).sum(1)).max() < scene.radius + 1e-6
    far = replace(scene, center=(0.0, 0.0, 70.0), radius=1.0)
    with pytest.raises(InvalidInput, match="ask for fewer"):
        surface_points(far, 1)
