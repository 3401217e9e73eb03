"""Scanning: measured points lie on the solids, hidden things are not measured, noise grows with depth."""

from __future__ import annotations

import numpy as np
import pytest
from trisparse.data.rooms.layout import Item, Room
from trisparse.data.rooms.scanning import RoomScan, ScanConfig, scan_room
from trisparse.data.rooms.shapes import Part, Shape, assemble, blob, block, post

_QUIET = ScanConfig(noise_m=0.0, n_views=60, spacing_m=0.02)


def _scan(parts: list[Part], config: ScanConfig = _QUIET) -> RoomScan:
    room = Room(5.0, 5.0, 2.5, [Item("thing", 0, False, None, assemble(parts))])
    floor = Shape((block((-2.5, 2.5), (-2.5, 2.5), (-0.1, 0.0), (0.5, 0.5, 0.5)),), (5.0, 5.0, 0.1))
    return scan_room(room, floor, np.random.default_rng(0), config)


def test_points_of_a_ball_lie_on_it() -> None:
    scan = _scan([blob((0, 0, 0), (0.8, 0.8, 0.8), (1, 0, 0))])
    own = scan.points[scan.items == 0]
    assert len(own) > 500
    # The mean of points in a voxel of 2 cm lies a little inside a curved surface.
    np.testing.assert_allclose(np.linalg.norm(own - [0, 0, 0.4], axis=1), 0.4, atol=0.004)


def test_points_of_a_cylinder_lie_on_its_side_or_lid() -> None:
    scan = _scan([post(0, 0, (0, 0.8), 0.3, (1, 0, 0))])
    own = scan.points[scan.items == 0]
    on_side = np.abs(np.hypot(own[:, 0], own[:, 1]) - 0.3) < 0.004
    on_lid = np.abs(own[:, 2] - 0.8) < 0.004
    # A voxel at the rim holds points of both.
    at_rim = (np.hypot(own[:, 0], own[:, 1]) > 0.28) & (own[:, 2] > 0.78)
    assert bool((on_side | on_lid | at_rim).all())
    assert on_side.sum() > 500
    assert on_lid.sum() > 300


def test_the_inside_of_an_open_tube_is_seen_and_a_closed_box_hides_what_it_holds() -> None:
    tube = _scan([post(0, 0, (0, 0.5), 0.3, (1, 0, 0), open=True)])
    inside = (tube.items == -1) & (np.hypot(tube.points[:, 0], tube.points[:, 1]) < 0.25)
    assert inside.sum() > 20
    box = _scan([block((-0.3, 0.3), (-0.3, 0.3), (0, 0.5), (1, 0, 0)), blob((0, 0, 0.25), (0.3, 0.3, 0.3), (0, 0, 1))])
    own = box.points[box.items == 0]
    assert np.abs(own[:, :2]).max(1).min() > 0.28 or bool((own[np.abs(own[:, :2]).max(1) < 0.28][:, 2] > 0.48).all())


def test_colors_follow_the_parts() -> None:
    scan = _scan([block((-0.3, 0.3), (-0.3, 0.3), (0, 0.5), (0.8, 0.1, 0.1))])
    mean = scan.colors[scan.items == 0].mean(0)
    assert mean[0] > 3 * mean[1]


def test_noise_grows_with_depth() -> None:
    ball = [blob((0, 0, 0), (0.8, 0.8, 0.8), (1, 0, 0))]
    near = _scan(ball, ScanConfig(noise_m=0.002, spacing_m=0.004))
    far = _scan(ball, ScanConfig(noise_m=0.008, spacing_m=0.004))

    def error(scan: RoomScan) -> float:
        return float(np.std(np.linalg.norm(scan.points[scan.items == 0] - [0, 0, 0.4], axis=1)))

    assert 2 < error(far) / error(near) < 6


def test_fusion_leaves_one_point_a_voxel_and_object() -> None:
    scan = _scan([block((-0.3, 0.3), (-0.3, 0.3), (0, 0.5), (1, 0, 0))])
    keys = np.concatenate([np.floor(scan.points / _QUIET.spacing_m), scan.items[:, None]], 1)
    # Rounding may carry the mean of a voxel's points over its border, rarely.
    assert len(np.unique(keys, axis=0)) > 0.995 * len(keys)
    assert len(scan.points) <= _QUIET.max_points


@pytest.mark.parametrize("n_views", [1, 2])
def test_few_views_give_few_points_and_no_error(n_views: int) -> None:
    assert len(_scan([blob((0, 0, 0), (0.8, 0.8, 0.8), (1, 0, 0))], ScanConfig(n_views=n_views)).points) > 0
