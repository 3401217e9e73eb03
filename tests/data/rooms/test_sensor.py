"""Sensors lose pixels, rooms have ceilings or none, one place sees less than a walk, and seeds decide all of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from trisparse.data.rooms.camera_path import path_from_one_place
from trisparse.data.rooms.furnishing import furnish_room, shell
from trisparse.data.rooms.layout import Room
from trisparse.data.rooms.scan_variety import vary_scan
from trisparse.data.rooms.scanning import RoomScan, ScanConfig, scan_room
from trisparse.data.rooms.sensor import SensorConfig, measured_pixels

_FEW = ScanConfig(n_views=6)


@pytest.fixture(scope="module")
def room() -> Room:
    return furnish_room(np.random.default_rng(4), use_held_out=False)


def _scan(room: Room, config: ScanConfig, sensor: SensorConfig | None, seed: int = 0) -> RoomScan:
    return scan_room(room, shell(room, np.random.default_rng(1)), np.random.default_rng(seed), config, sensor)


def test_pixels_and_patches_are_lost_in_the_shares_asked_for() -> None:
    size, rng = (160, 120), np.random.default_rng(0)
    assert bool(measured_pixels(SensorConfig(), size, rng).all())
    assert measured_pixels(SensorConfig(dropout=0.3), size, rng).mean() == pytest.approx(0.7, abs=0.02)
    kept = np.concatenate([measured_pixels(SensorConfig(holes=0.2), size, rng).reshape(120, 160) for _ in range(20)])
    assert kept.mean() == pytest.approx(0.8, abs=0.02)
    # Within a patch of 6 x 6 all or none are lost.
    patches = kept[:, :156].reshape(-1, 6, 26, 6)
    assert set(np.unique(patches.mean((1, 3)))) == {0.0, 1.0}


def test_a_view_that_is_no_multiple_of_the_patches_has_its_size() -> None:
    assert measured_pixels(SensorConfig(holes=0.5), (13, 7), np.random.default_rng(0)).shape == (91,)


def test_lost_pixels_leave_fewer_points(room: Room) -> None:
    whole, lossy = _scan(room, _FEW, SensorConfig()), _scan(room, _FEW, SensorConfig(holes=0.6, dropout=0.6))
    assert len(lossy.points) < 0.6 * len(whole.points)


@pytest.mark.parametrize("seed", range(3))
def test_a_ceiling_is_in_or_out_as_told_whatever_the_room_has(room: Room, seed: int) -> None:
    walls = shell(room, np.random.default_rng(seed))
    looking_up = replace(_FEW, n_views=12, field_of_view=1.8)

    def has_ceiling(present: bool) -> bool:
        scan = scan_room(room, walls, np.random.default_rng(0), looking_up, SensorConfig(ceiling=present))
        inside = (np.abs(scan.points[:, :2]) < np.array([room.width, room.depth]) / 2 - 0.3).all(1)
        return bool((inside & (scan.points[:, 2] > room.height - 0.05) & (scan.items < 0)).any())

    assert has_ceiling(True)
    assert not has_ceiling(False)


def test_one_place_is_one_place_and_sees_less_than_a_walk(room: Room) -> None:
    poses = path_from_one_place(room, np.random.default_rng(0), 3)
    centers = np.stack([center for _, center in poses])
    assert np.ptp(centers, axis=0).max() < 0.3
    for rotation, _ in poses:
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    one = _scan(room, ScanConfig(n_views=1), SensorConfig(from_one_place=True))
    walk = _scan(room, ScanConfig(), None)
    assert 0 < len(np.unique(one.items)) - 1 < len(np.unique(walk.items)) - 1


def test_the_same_seed_gives_the_same_bytes_and_scans_vary(room: Room) -> None:
    def draw(seed: int) -> ScanConfig:
        return vary_scan(np.random.default_rng(seed), ScanConfig())

    assert draw(3) == draw(3)
    drawn = [draw(s) for s in range(60)]
    assert len({config.n_views for config in drawn}) > 10
    assert min(config.n_views for config in drawn) < 9
    sensor = SensorConfig(0.2, 0.1, True, True)
    one, two = _scan(room, _FEW, sensor), _scan(room, _FEW, sensor)
    assert one.points.tobytes() == two.points.tobytes()
    assert one.colors.tobytes() == two.colors.tobytes()
