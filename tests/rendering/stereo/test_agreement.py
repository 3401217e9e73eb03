"""Whether depth maps agree: exact ones, wrong ones, and those without a voice."""

from __future__ import annotations

import torch
from trisparse.rendering.stereo.agreement import AgreementConfig, compare_depths
from trisparse.rendering.stereo.fusion import unproject

from tests.rendering.sweep_scenes import shown, side_by_side


def test_exact_depth_is_confirmed_where_another_view_sees_the_surface_and_hardly_contradicted() -> None:
    scene = shown("table", 1)
    cameras, depth_z = scene.photos.cameras, scene.depth_z
    found = compare_depths(cameras, depth_z, torch.ones_like(depth_z))
    points = unproject(cameras, depth_z).reshape(3, -1, 3)
    in_both = [[cameras[j].project(points[i]).inside[0] for j in range(3) if j != i] for i in range(3)]
    inside = torch.stack([torch.stack(others).any(0) for others in in_both]).reshape(depth_z.shape)
    assert float((found.confirming > 0)[inside].float().mean()) > 0.88
    assert not bool((found.confirming > 0)[~inside].any())
    assert float((found.contradicting > found.confirming).float().mean()) < 0.01
    assert int(found.confirming.max()) == 2


def test_what_floats_before_a_wall_is_contradicted_and_what_lies_behind_it_is_only_not_confirmed() -> None:
    cameras = side_by_side(3, step=0.1, dtype=torch.float32)
    depth_z = torch.full((3, 30, 40), 4.0)
    depth_z[0, 10:20, 15:25] = 2.0
    depth_z[0, 0:5, 15:25] = 8.0
    found = compare_depths(cameras, depth_z, torch.ones_like(depth_z))
    assert found.contradicting[0, 15, 20] == 2
    assert found.confirming[0, 15, 20] == 0
    assert found.contradicting[0, 2, 20] == 0
    assert found.confirming[0, 2, 20] == 0
    assert found.confirming[0, 25, 20] == 2
    assert bool((found.confirming[1, 22:] >= 1).all())


def test_tolerance_is_a_share_of_depth() -> None:
    cameras = side_by_side(2, step=0.5, dtype=torch.float32)
    depth_z = torch.full((2, 30, 40), 4.0)
    for factor, is_same in ((1.005, True), (1.02, False)):
        depth_z[0] = 4.0 * factor
        config = AgreementConfig(loosest=0.01)
        assert bool(compare_depths(cameras, depth_z, torch.ones(2, 30, 40), config).confirming[0, 15, 20]) is is_same


def test_a_map_without_trust_has_no_voice_and_a_single_one_hears_none() -> None:
    cameras = side_by_side(3, step=0.1, dtype=torch.float32)
    depth_z = torch.full((3, 30, 40), 4.0)
    trust = torch.ones_like(depth_z)
    trust[1:] = 0
    found = compare_depths(cameras, depth_z, trust)
    assert not bool(found.confirming[0].any())
    assert bool(found.confirming[1, :, 5:35].all())
    alone = compare_depths(cameras[0], depth_z[:1], trust[:1])
    assert not bool((alone.confirming + alone.contradicting).any())
