"""Spirals of simulated cameras."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput
from trisparse.events.generated_scenes import SETTINGS
from trisparse.events.trajectories import Spiral, spiral_trajectory


def speeds(spiral: Spiral) -> Tensor:
    """Metres per second between the poses."""
    path = spiral_trajectory(spiral)
    return (path.centers[1:] - path.centers[:-1]).norm(dim=1) / (path.t_ns[1:] - path.t_ns[:-1]) * 1e9


def test_the_usual_spiral_has_4001_poses_from_the_equator_to_the_pole_in_four_turns() -> None:
    path = spiral_trajectory(Spiral())
    assert len(path) == 4001
    assert (path.t0_ns, path.end) == (0, 4e9)
    torch.testing.assert_close(path.centers.norm(dim=1), torch.full((4001,), 4.03112887, dtype=torch.float64))
    torch.testing.assert_close(path.centers[0], torch.tensor([4.03112887, 0, 0], dtype=torch.float64))
    torch.testing.assert_close(path.centers[-1], torch.tensor([0, 0, 4.03112887], dtype=torch.float64))
    azimuth = torch.atan2(path.centers[:-1, 1], path.centers[:-1, 0])
    turned = torch.remainder(azimuth[1:] - azimuth[:-1], 2 * math.pi).sum()
    assert turned.item() / (2 * math.pi) == pytest.approx(4, abs=0.02)  # the pole itself has no azimuth
    assert (path.centers[1:, 2] > path.centers[:-1, 2]).all()


def test_the_camera_looks_at_the_middle_with_up_upwards() -> None:
    path = spiral_trajectory(Spiral(center=(1.0, 2.0, 0.5), radius=2.0, elevations=(-math.pi / 2, math.pi / 2)))
    rotations = path.pose_at(path.since_start(path.t_ns)).rotations
    to_middle = torch.nn.functional.normalize(torch.tensor([1.0, 2.0, 0.5]).double() - path.centers, dim=1)
    torch.testing.assert_close(rotations[:, :, 2], to_middle)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(len(path)).double())
    assert (rotations[1:-1, 2, 1] < 0).all()  # y points down
    torch.testing.assert_close(rotations[:, 2, 0], torch.zeros(len(path)).double())


def test_an_even_speed_is_even_and_a_swinging_one_swings_by_its_factor() -> None:
    even = speeds(Spiral())
    assert (even.max() / even.min()).item() == pytest.approx(1, abs=1e-3)  # chords are shorter than arcs
    swinging = speeds(Spiral(speed_swing=4.0, pose_interval_ns=500_000))
    assert (swinging.max() / swinging.min()).item() == pytest.approx(16, rel=1e-3)
    middle = swinging[0]
    assert (swinging.max() / middle).item() == pytest.approx(4, rel=0.01)
    assert int(swinging.argmax()) == pytest.approx(500, abs=2)  # at a quarter of a second
    torch.testing.assert_close(swinging[:2000], swinging[2000:4000], rtol=1e-3, atol=0)  # every second


def test_settings_grow_harder_and_all_take_four_seconds() -> None:
    paths = {name: spiral_trajectory(setting.spiral) for name, setting in SETTINGS.items()}
    assert [len(path) for path in paths.values()] == [4001, 8001, 16001]
    assert {path.end for path in paths.values()} == {4e9}
    sensors = [setting.sensor for setting in SETTINGS.values()]
    assert [sensor.refractory_period_ns for sensor in sensors] == [0, 8_000_000, 25_000_000]
    assert [sensor.threshold_stds for sensor in sensors] == [(0.0, 0.0), (0.03, 0.03), (0.06, 0.06)]


@pytest.mark.parametrize(
    "wrong",
    [{"radius": 0.0}, {"elevations": (0.5, 0.5)}, {"elevations": (0.0, 1.6)}, {"speed_swing": 0.5}, {"duration_ns": 5}],
)
def test_impossible_spirals_are_refused(wrong: dict) -> None:
    with pytest.raises(InvalidInput, match="a spiral of"):
        Spiral(**wrong)
