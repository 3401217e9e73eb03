"""Still lifes before a simulated event camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.data.event_camera import ContrastThresholds, EventCamera
from trisparse.data.still_life.render import photograph, shown
from trisparse.data.still_life.scene import make_still_life
from trisparse.events.film import Sampling, simulate_camera
from trisparse.events.generated_scenes import SETTINGS, still_life_renderer
from trisparse.events.simulate import SimulatedSensor
from trisparse.events.trajectories import spiral_trajectory

K = torch.tensor([[30.0, 0, 12], [0, 30.0, 12], [0, 0, 1]]).double()
SCENE = make_still_life(3, "object")


def test_shots_are_photos_or_the_light_behind_them() -> None:
    path = spiral_trajectory(SETTINGS["easy"].around(SCENE).spiral)
    poses = path.pose_at(torch.tensor([0.3e9], dtype=torch.float64))
    pose = torch.eye(4, dtype=torch.float64)[None]
    pose[:, :3, :3], pose[:, :3, 3] = poses.rotations.mT, -(poses.rotations.mT @ poses.centers[..., None])[..., 0]
    cameras = EventCamera(K, 24, 24).cameras(pose)
    photo = photograph(SCENE, cameras, samples_per_pixel=1)
    shot = still_life_renderer(SCENE, samples_per_pixel=1)(cameras)
    np.testing.assert_array_equal(shot.image, photo.images[0].numpy())
    np.testing.assert_array_equal(shot.depth_z, photo.depth_z[0].numpy())
    assert 0.05 < np.isfinite(shot.depth_z).mean() < 0.95
    linear = still_life_renderer(SCENE, space="linear")(cameras).image
    through_display = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).clip(0, 1)
    np.testing.assert_allclose(through_display, shot.image, atol=2e-6)
    assert shown(SCENE, torch.zeros(1, 3)).eq(0).all()


def test_a_setting_moves_around_a_still_life() -> None:
    setting = SETTINGS["medium"].around(SCENE)
    path = spiral_trajectory(setting.spiral)
    away = (path.centers - torch.tensor(SCENE.center).double()).norm(dim=1)
    torch.testing.assert_close(away, torch.full_like(away, SCENE.distance))
    assert setting.sensor == SETTINGS["medium"].sensor


def test_a_still_life_gives_events_of_all_colours_where_it_stands() -> None:
    setting = SETTINGS["easy"].around(SCENE)
    path = spiral_trajectory(replace(setting.spiral, duration_ns=40_000_000, revolutions=0.05, elevations=(0.4, 0.5)))
    sensor = SimulatedSensor(ContrastThresholds(0.25, 0.25), bayer_pattern="RGGB")
    events = simulate_camera(
        still_life_renderer(SCENE, samples_per_pixel=1), EventCamera(K, 24, 24), path, sensor, sampling=Sampling(1.0)
    )
    assert len(events) > 100
    assert {(int(x) % 2, int(y) % 2) for x, y in zip(events.x, events.y, strict=True)} == {
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    }


def test_another_space_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no space 'log' of intensities"):
        still_life_renderer(SCENE, space="log")
