"""Poses in time: parity with the recorded original, derivatives in both modes, cubic curves, and times without a pose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch import Tensor
from trisparse.core.errors import InvalidInput, NotFinite
from trisparse.data.event_stream import EventStream
from trisparse.data.quaternions import from_matrix, rotation_vector, to_matrix
from trisparse.data.trajectory import Interpolation, Trajectory, events_within

forward_mode = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
"""torch's own first use of forward mode warns of its own code."""


@pytest.fixture(scope="module")
def oracle(shared: Path) -> dict[str, Tensor]:
    """Recorded inputs and outputs of the original."""
    with np.load(shared / "oracles" / "enerf" / "trajectory.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def original(oracle: dict[str, Tensor]) -> Trajectory:
    """The trajectory of the oracle; its quaternions are x y z w."""
    quats = oracle["control_quat_xyzw"][:, [3, 0, 1, 2]]
    return Trajectory(oracle["control_timestamp"], oracle["control_position"], quats)


def wobbling(n: int = 6, interpolation: Interpolation = "linear", seed: int = 3) -> Trajectory:
    """Some poses at uneven times."""
    generator = np.random.default_rng(seed)
    t = np.cumsum(generator.integers(500, 2000, n)) + 10**18
    turns = Rotation.from_rotvec(np.cumsum(generator.normal(0, 0.4, (n, 3)), 0)).as_quat()[:, [3, 0, 1, 2]]
    return Trajectory(
        torch.from_numpy(t),
        torch.from_numpy(generator.normal(size=(n, 3))),
        torch.from_numpy(turns.copy()),
        interpolation,
    )


def largest(a: Tensor, b: Tensor) -> float:
    """Largest difference."""
    return float((a - b).abs().max())


def test_poses_are_those_of_the_original(oracle: dict[str, Tensor]) -> None:
    trajectory = original(oracle)
    poses = trajectory.pose_at(trajectory.since_start(oracle["query_timestamp"]))
    assert largest(poses.centers, oracle["position"]) < 1e-12
    assert largest(poses.rotations, oracle["rotation"]) < 1e-12
    half = trajectory.pose_at(oracle["query_timestamp_frac"] - trajectory.t0_ns)
    assert largest(half.centers, oracle["position_frac"]) < 1e-12
    assert largest(half.rotations, oracle["rotation_frac"]) < 1e-12


def test_poses_of_float32_and_of_whole_times_are_within_the_original_s_rounding(oracle: dict[str, Tensor]) -> None:
    trajectory = original(oracle)
    poses = trajectory.pose_at(trajectory.since_start(oracle["query_timestamp"]))
    assert largest(poses.centers, oracle["position_f32"].double()) < 1e-5  # float32 of positions up to some metres
    assert largest(poses.rotations, oracle["rotation_f32"].double()) < 1e-5
    assert largest(poses.rotations, oracle["rotation_int64_query"]) < 1e-6


@forward_mode
def test_derivatives_by_time_are_those_of_the_original_in_both_modes(oracle: dict[str, Tensor]) -> None:
    trajectory = original(oracle)
    t = trajectory.since_start(oracle["query_timestamp"])
    expected = (oracle["d_position_dt"], oracle["d_rotation_dt"])
    _, forward, *_ = torch.func.jvp(lambda t: tuple(trajectory.pose_at(t)), (t,), (torch.ones_like(t),))
    t = t.clone().requires_grad_()
    assert isinstance(forward, tuple)
    for made, found, wanted in zip(trajectory.pose_at(t), forward, expected, strict=True):
        entries = made.reshape(len(t), -1).unbind(1)
        backward = torch.stack([torch.autograd.grad(e.sum(), t, retain_graph=True)[0] for e in entries], 1)
        scale = float(wanted.abs().max())
        assert largest(found, wanted) < 1e-9 * scale
        assert largest(backward.reshape(wanted.shape), wanted) < 1e-9 * scale


def test_the_derivative_at_a_pose_s_own_time_is_that_of_the_interval_before(oracle: dict[str, Tensor]) -> None:
    trajectory = wobbling()
    t = trajectory.since_start(trajectory.t_ns).requires_grad_()
    (slope,) = torch.autograd.grad(trajectory.pose_at(t).centers[:, 0].sum(), t)
    steps = (trajectory.centers[1:, 0] - trajectory.centers[:-1, 0]) / (t[1:] - t[:-1]).detach()
    assert slope[0] == 0
    torch.testing.assert_close(slope[1:], steps)


@forward_mode
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_time_and_poses_have_derivatives_to_second_order(interpolation: Interpolation) -> None:
    known = wobbling(3, interpolation)
    t = torch.tensor([10.0, known.end - 3], dtype=torch.float64)
    centers, quats = known.centers.clone().requires_grad_(), known.quats.clone().requires_grad_()

    def pose(us: Tensor, centers: Tensor, quats: Tensor) -> tuple[Tensor, ...]:
        return tuple(Trajectory(known.t_ns, centers, quats, interpolation).pose_at(us * 1000))

    us = (t / 1000).requires_grad_()  # so that finite differences are well above rounding
    assert torch.autograd.gradcheck(pose, (us, centers, quats), check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(pose, (us, centers, quats), fast_mode=True)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_a_camera_that_does_not_turn_has_finite_derivatives(interpolation: Interpolation) -> None:
    still = torch.tensor([[1.0, 0, 0, 0]] * 3, dtype=torch.float64, requires_grad=True)
    trajectory = Trajectory(torch.tensor([0, 10, 20]), torch.eye(3, dtype=torch.float64), still, interpolation)
    t = torch.tensor([0.0, 3.0, 10.0, 20.0], dtype=torch.float64, requires_grad=True)
    gradients = torch.autograd.grad(trajectory.pose_at(t).rotations.square().sum(), (t, still), create_graph=True)
    second = torch.autograd.grad(gradients[1].sum(), still)[0]
    assert all(bool(g.isfinite().all()) for g in (*gradients, second))


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_the_curve_goes_through_its_poses(interpolation: Interpolation) -> None:
    trajectory = wobbling(7, interpolation)
    poses = trajectory.pose_at(trajectory.since_start(trajectory.t_ns))
    torch.testing.assert_close(poses.centers, trajectory.centers)
    torch.testing.assert_close(poses.rotations, to_matrix(trajectory.quats))


def test_rotations_go_the_short_way_whatever_the_signs_of_the_quaternions() -> None:
    trajectory = wobbling(5)
    flipped = Trajectory(
        trajectory.t_ns, trajectory.centers, trajectory.quats * torch.tensor([[1.0], [-1], [1], [-1], [-1]]).double()
    )
    t = torch.linspace(0, trajectory.end, 40, dtype=torch.float64)
    torch.testing.assert_close(flipped.pose_at(t).rotations, trajectory.pose_at(t).rotations)


def test_a_cubic_curve_has_continuous_velocity_and_follows_a_parabola_exactly() -> None:
    t_ns = torch.tensor([0, 7, 10, 18, 30])
    s = t_ns.double()[:, None]
    centers = torch.cat([s * s, 3 - s, 0.5 * s * s + s], 1)
    axis = torch.tensor([[0.6, 0.0, 0.8]], dtype=torch.float64)
    angle = 0.002 * s * s
    quats = torch.cat([torch.cos(angle / 2), torch.sin(angle / 2) * axis], 1)
    trajectory = Trajectory(t_ns, centers, quats, "cubic")
    t = torch.linspace(0, 30, 61, dtype=torch.float64)
    poses = trajectory.pose_at(t)
    torch.testing.assert_close(poses.centers, torch.stack([t * t, 3 - t, 0.5 * t * t + t], 1), rtol=1e-10, atol=1e-10)
    found = rotation_vector(from_matrix(poses.rotations))
    torch.testing.assert_close(found, 0.002 * (t * t)[:, None] * axis, rtol=1e-9, atol=1e-10)


def test_a_cubic_curve_is_smooth_where_a_linear_one_has_a_corner() -> None:
    eps = 1e-3
    for interpolation, is_smooth in (("linear", False), ("cubic", True)):
        trajectory = wobbling(6, interpolation)  # pyright: ignore[reportArgumentType]
        inner = trajectory.since_start(trajectory.t_ns)[1:-1]
        before, after = trajectory.pose_at(inner - eps), trajectory.pose_at(inner + eps)
        at = trajectory.pose_at(inner)
        for a, b, c in zip(before, at, after, strict=True):
            jump = float(((c - b) - (b - a)).abs().max() / eps)
            assert (jump < 1e-7) == is_smooth


@settings(max_examples=25)
@given(st.integers(0, 200), st.integers(2, 9))
def test_rotations_stay_rotations(seed: int, n: int) -> None:
    for interpolation in ("linear", "cubic"):
        trajectory = wobbling(n, interpolation, seed)
        rotations = trajectory.pose_at(torch.linspace(0, trajectory.end, 17, dtype=torch.float64)).rotations
        torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).double().expand(17, 3, 3), atol=1e-12, rtol=0)
        assert bool((torch.linalg.det(rotations) > 0).all())


def test_times_of_an_epoch_keep_their_nanoseconds() -> None:
    trajectory = wobbling()
    assert trajectory.t0_ns > 10**18
    t = trajectory.since_start(torch.tensor([trajectory.t0_ns + 1]))
    assert float(t) == 1.0


@pytest.mark.parametrize("t", [-1e-3, 1e9, float("nan")])
def test_times_without_a_pose_are_refused(t: float) -> None:
    with pytest.raises(InvalidInput, match="1 of 2 times have no pose"):
        wobbling().pose_at(torch.tensor([0.0, t], dtype=torch.float64))


def test_no_times_give_no_poses() -> None:
    poses = wobbling().pose_at(torch.zeros(0, dtype=torch.float64))
    assert (poses.centers.shape, poses.rotations.shape) == ((0, 3), (0, 3, 3))


def test_times_of_float32_are_refused() -> None:
    with pytest.raises((InvalidInput, TypeError)):
        wobbling().pose_at(torch.zeros(1))


@pytest.mark.parametrize(
    ("changed", "error", "kind"),
    [
        ({"t_ns": torch.tensor([1, 1, 3])}, "pose 1 is at 1 ns and the one before it at 1 ns", InvalidInput),
        ({"t_ns": torch.tensor([1, 3, 2])}, "pose 2 is at 2 ns", InvalidInput),
        ({"quats": torch.ones(3, 4).double()}, "quaternion 0 has the length 2, expected 1", InvalidInput),
        ({"quats": torch.zeros(3, 4).double()}, "has the length 0", InvalidInput),
        ({"centers": torch.full((3, 3), torch.inf).double()}, "centers: 3 of 3 rows", NotFinite),
    ],
)
def test_what_is_no_trajectory_is_refused(changed: dict[str, Any], error: str, kind: type[Exception]) -> None:
    quats = torch.tensor([[1.0, 0, 0, 0]] * 3, dtype=torch.float64)
    good: dict[str, Any] = {"t_ns": torch.tensor([1, 2, 3]), "centers": torch.zeros(3, 3).double(), "quats": quats}
    with pytest.raises(kind, match=error):
        Trajectory(**(good | changed))


def test_other_shapes_are_refused() -> None:
    with pytest.raises((InvalidInput, TypeError)):  # TypeError: where annotations are checked, as in these tests
        Trajectory(torch.tensor([1, 2]), torch.zeros(3, 3).double(), torch.zeros(2, 4).double())


def test_one_pose_is_no_trajectory() -> None:
    with pytest.raises(InvalidInput, match="a trajectory of 1 poses; expected at least 2"):
        Trajectory(torch.tensor([1]), torch.zeros(1, 3).double(), torch.tensor([[1.0, 0, 0, 0]]).double())


def test_quaternions_rounded_to_four_decimals_are_normalised() -> None:
    quat = torch.tensor([[0.7071, 0.7071, 0, 0]] * 2).double()
    trajectory = Trajectory(torch.tensor([0, 1]), torch.zeros(2, 3).double(), quat)
    torch.testing.assert_close(trajectory.quats.norm(dim=1), torch.ones(2).double(), rtol=0, atol=1e-15)


def test_events_without_a_pose_are_left_out_and_counted() -> None:
    trajectory = Trajectory(
        torch.tensor([20, 40]), torch.zeros(2, 3).double(), torch.tensor([[1.0, 0, 0, 0]] * 2).double()
    )
    zeros = np.zeros(6, np.int16)
    stream = EventStream(zeros, zeros, np.array([10, 19, 20, 30, 40, 41]), np.ones(6, np.int8), 1, 1)
    within = events_within(stream, trajectory)
    assert within.stream.t_ns.tolist() == [20, 30, 40]
    assert (within.before, within.after) == (2, 1)
    assert within.note == "of 6 events 2 before the first and 1 after the last pose were left out"
    trajectory.pose_at(trajectory.since_start(torch.from_numpy(within.stream.t_ns.copy())))
    assert events_within(stream[2:5], trajectory).note == ""


def test_clocks_that_do_not_meet_are_refused() -> None:
    trajectory = Trajectory(
        torch.tensor([20, 40]), torch.zeros(2, 3).double(), torch.tensor([[1.0, 0, 0, 0]] * 2).double()
    )
    zeros = np.zeros(1, np.int16)
    for t in (10, 50):
        with pytest.raises(InvalidInput, match=r"no event has a pose: .* expected one clock"):
            events_within(EventStream(zeros, zeros, np.array([t]), np.ones(1, np.int8), 1, 1), trajectory)
    assert len(events_within(EventStream.empty(1, 1), trajectory).stream) == 0


def test_a_part_of_a_trajectory_has_the_poses_of_that_time() -> None:
    trajectory = wobbling(6)
    part = trajectory.between(int(trajectory.t_ns[1]), int(trajectory.t_ns[4]))
    assert part.t_ns.tolist() == trajectory.t_ns[1:4].tolist()
    moved = trajectory.to("cpu")
    assert torch.equal(moved.quats, trajectory.quats)
