"""A moving camera before a scene that is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.cameras import Cameras
from trisparse.data.event_camera import ContrastThresholds, EventCamera
from trisparse.data.trajectory import Trajectory
from trisparse.events.film import Sampling, Shot, film, simulate_camera
from trisparse.events.pairing import pair_events
from trisparse.events.simulate import SimulatedSensor

MS = 1_000_000


def wall(x: Tensor, y: Tensor) -> Tensor:
    """Log intensity on the plane z = 2: waves of more than a pixel."""
    return 0.8 * torch.sin(9 * x + 1) * torch.cos(7 * y) - 0.5


def camera(width: int = 32, height: int = 24) -> EventCamera:
    """A lens of 53 degrees whose principal point is not in the middle."""
    K = torch.tensor([[32.0, 0, 14.5], [0, 32.0, 13.0], [0, 0, 1]]).double()
    return EventCamera(K, width, height)


def path(duration_ms: int = 60) -> Trajectory:
    """Sideways, upwards and a little turn about the optical axis, faster and faster."""
    t = torch.linspace(0, 1, 61, dtype=torch.float64)
    centers = torch.stack([0.4 * t * t, -0.2 * t, 0.1 * t], -1)
    half = 0.1 * t
    quats = torch.stack([half.cos(), torch.zeros_like(t), torch.zeros_like(t), half.sin()], -1)
    return Trajectory((t * duration_ms * MS).round().long() + 77, centers, quats)


def render_wall(cameras: Cameras) -> Shot:
    """One ray through each pixel's centre."""
    rays, _ = cameras.rays()
    distance = (2 - rays.origins[:, 2]) / rays.directions[:, 2]
    at = rays.at(distance)
    size = (cameras.height, cameras.width)
    depth = distance * (rays.directions @ cameras.forwards[0])
    return Shot(wall(at[:, 0], at[:, 1]).exp().reshape(size).numpy(), depth.reshape(size).numpy())


def frames_of(sampling: Sampling) -> list[tuple[int, np.ndarray]]:
    """The film of the wall."""
    return list(film(render_wall, camera(), path(), sampling))


def test_between_frames_no_pixel_moves_further_than_asked() -> None:
    trajectory, seen = path(), camera()
    times = torch.tensor([t for t, _ in frames_of(Sampling(0.25))])
    poses = trajectory.pose_at(trajectory.since_start(times))
    rotations = poses.rotations.mT
    pose = torch.eye(4).double().repeat(len(times), 1, 1)
    pose[:, :3, :3], pose[:, :3, 3] = rotations, -(rotations @ poses.centers[..., None])[..., 0]
    points = torch.cartesian_prod(torch.linspace(-1, 1, 20), torch.linspace(-1, 1, 20), torch.tensor([2.0])).double()
    projection = seen.cameras(pose).project(points)
    both = projection.inside[1:] & projection.inside[:-1]
    moved = (projection.pixels[1:] - projection.pixels[:-1]).norm(dim=-1) * both
    largest = moved.max(1).values
    assert largest.max() < 0.27  # it speeds up between a frame and the next
    assert largest[:-1].median() > 0.2


def test_a_film_begins_with_the_first_pose_and_ends_with_the_last() -> None:
    times = [t for t, _ in frames_of(Sampling())]
    assert (times[0], times[-1]) == (77, 60 * MS + 77)
    assert len(times) == len(set(times))


def test_a_camera_that_stands_still_or_races_is_rendered_at_the_limits() -> None:
    still = Trajectory(
        torch.tensor([0, 100 * MS]), torch.zeros(2, 3).double(), torch.tensor([[1.0, 0, 0, 0]]).double().repeat(2, 1)
    )
    times = [t for t, _ in film(render_wall, camera(), still, Sampling(least_rate_hz=40.0))]
    assert times == [0, 25 * MS, 50 * MS, 75 * MS, 100 * MS]
    times = [t for t, _ in frames_of(Sampling(1e-9, 50.0, 1000.0))]
    assert set(np.diff(times)) == {MS}


def test_events_lie_where_the_true_brightness_has_moved_by_a_threshold() -> None:
    trajectory, seen = path(), camera()
    sensor = SimulatedSensor(ContrastThresholds(0.08, 0.06), refractory_period_ns=2 * MS, log_offset=0.0)
    told: list[float] = []
    events = simulate_camera(
        render_wall, seen, trajectory, sensor, sampling=Sampling(0.1), seed=3, progress=told.append
    )
    assert told[-1] == 1.0
    pairs = pair_events(events)
    chosen = events[pairs.is_sample]
    assert len(chosen) > 1000

    def truth(t_ns: np.ndarray) -> Tensor:
        poses = trajectory.pose_at(trajectory.since_start(torch.from_numpy(t_ns)))
        pixels = torch.from_numpy(np.stack([chosen.x, chosen.y], 1) + 0.5)
        plane = torch.linalg.solve(seen.K[:2, :2], (pixels - seen.K[:2, 2]).mT).mT
        ways = (poses.rotations @ torch.nn.functional.pad(plane, (0, 1), value=1.0)[..., None])[..., 0]
        at = poses.centers + (2 - poses.centers[:, 2:]) / ways[:, 2:] * ways
        return wall(at[:, 0], at[:, 1])

    change = truth(chosen.t_ns) - truth(pairs.t_previous_ns[pairs.rows] + 2 * MS)
    wanted = np.where(chosen.polarity > 0, 0.08, -0.06)
    # Between frames a tenth of a pixel apart, lines miss the waves by little.
    np.testing.assert_allclose(change, wanted, rtol=0, atol=1e-3)


def test_where_nothing_is_nothing_moves() -> None:
    def nothing(cameras: Cameras) -> Shot:
        return Shot(np.ones((24, 32)), np.full((24, 32), math.inf))

    times = [t for t, _ in film(nothing, camera(), path(), Sampling(least_rate_hz=50.0))]
    assert times == [77, 20 * MS + 77, 40 * MS + 77, 60 * MS + 77]


def test_images_of_another_size_and_impossible_rates_are_refused() -> None:
    def small(cameras: Cameras) -> Shot:
        return Shot(np.ones((24, 31)), np.ones((24, 31)))

    with pytest.raises(ShapeMismatch, match=r"gave an image \(24, 31\) and depth \(24, 31\); expected \(24, 32\)"):
        list(film(small, camera(), path(), Sampling()))
    with pytest.raises(InvalidInput, match="expected numbers above 0"):
        Sampling(least_rate_hz=100.0, greatest_rate_hz=10.0)
