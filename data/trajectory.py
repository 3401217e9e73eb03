"""Where a camera was, at any time between the first and the last of its poses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from ..core.arrays import require_finite
from ..core.errors import InvalidInput, ShapeMismatch
from .event_stream import EventStream
from .quaternions import conjugate, from_rotation_vector, multiply, rotation_vector, to_matrix

Interpolation = Literal["linear", "cubic"]

_NEARLY_UNIT = 1e-3
"""By how much a quaternion's length may miss 1: what float32 and four printed decimals leave."""


class Poses(NamedTuple):
    """Where a camera was and how it was turned, in the world."""

    centers: Float64[Tensor, "n 3"]
    """Metres."""
    rotations: Float64[Tensor, "n 3 3"]
    """``world_from_camera``: the columns are the camera's axes x right, y down, z forward."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Camera poses in time, between which is interpolated; nothing is known before the first and after the last.

    Centres are interpolated linearly and rotations along the shorter great arc (LERP and SLERP, as Robust e-NeRF does), or both
    by cubic curves through the poses with continuous velocity. All of it is differentiable in time, by backward and by forward
    mode and to any order, and in the poses.
    """

    t_ns: Int64[Tensor, "n"]
    """Times of the poses as recorded, nanoseconds; strictly increase."""
    centers: Float64[Tensor, "n 3"]
    """Camera centres in the world, metres."""
    quats: Float64[Tensor, "n 4"]
    """Rotations of ``world_from_camera``, w x y z; normalised here where they miss length 1 by less than 1e-3."""
    interpolation: Interpolation = "linear"

    def __post_init__(self) -> None:
        n = len(self.t_ns)
        if self.centers.shape != (n, 3) or self.quats.shape != (n, 4):
            raise ShapeMismatch(
                f"{n} times, centers {tuple(self.centers.shape)} and quats {tuple(self.quats.shape)}; "
                "expected (n,), (n, 3) and (n, 4)"
            )
        found = (self.t_ns.dtype, self.centers.dtype, self.quats.dtype)
        if found != (torch.int64, torch.float64, torch.float64):
            raise InvalidInput(f"times, centers and quats are {found}; expected int64, float64, float64")
        if n < 2:
            raise InvalidInput(f"a trajectory of {n} poses; expected at least 2, between which is interpolated")
        if self.interpolation not in ("linear", "cubic"):
            raise InvalidInput(f"no interpolation {self.interpolation!r}; choose linear or cubic")
        require_finite(self.centers, "centers")
        require_finite(self.quats, "quats")
        self._check_times()
        object.__setattr__(self, "quats", self._unit_quats())

    def __len__(self) -> int:
        return len(self.t_ns)

    @property
    def t0_ns(self) -> int:
        """Time of the first pose, from which the times of :meth:`pose_at` count."""
        return int(self.t_ns[0])

    @property
    def end(self) -> float:
        """Nanoseconds from the first pose to the last: the largest time of :meth:`pose_at`."""
        return float(self.t_ns[-1] - self.t_ns[0])

    def since_start(self, t_ns: Int64[Tensor, "*m"]) -> Float64[Tensor, "*m"]:
        """Recorded times as float64 nanoseconds since :attr:`t0_ns`.

        The difference is taken in whole numbers: a float64 resolves only 256 ns of a Unix time.
        """
        return (t_ns - self.t0_ns).double()

    def pose_at(self, t: Float64[Tensor, "m"]) -> Poses:
        """Poses at any times between the first pose and the last.

        At a pose's own time the derivative by time is that of the interval before it; at the first it is 0 (linear).

        Args:
            t: Nanoseconds since :attr:`t0_ns` (see :meth:`since_start`).

        Raises:
            InvalidInput: A time before the first or after the last pose, or none at all (NaN). :func:`events_within` leaves
                out events that have no pose.
        """
        if t.dtype != torch.float64:
            raise InvalidInput(f"times are {t.dtype}, expected float64: float32 resolves 1 ns only up to 17 ms")
        left, right = self._interval(t)
        start, end = self._times[left], self._times[left + 1]
        weight = ((t - start) / (end - start))[..., None]
        if self.interpolation == "cubic":
            return self._cubic(left, weight, (end - start)[..., None])
        # At the first time left == right, so that the derivative is 0, as in the original.
        centers = torch.lerp(self.centers[left], self.centers[right], weight)
        turn = self._turns[left] * (right > left)[..., None]
        quats = multiply(self.quats[left], from_rotation_vector(weight * turn))
        return Poses(centers, to_matrix(quats))

    def between(self, start_ns: int, end_ns: int) -> Trajectory:
        """The poses of ``start_ns <= t < end_ns``."""
        chosen = (self.t_ns >= start_ns) & (self.t_ns < end_ns)
        return replace(self, t_ns=self.t_ns[chosen], centers=self.centers[chosen], quats=self.quats[chosen])

    def to(self, device: torch.device | str) -> Trajectory:
        """The same poses on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("t_ns", "centers", "quats")}
        return replace(self, **moved)

    def _check_times(self) -> None:
        back = self.t_ns[1:] <= self.t_ns[:-1]
        if bool(back.any()):
            i = int(back.nonzero()[0]) + 1
            raise InvalidInput(
                f"pose {i} is at {int(self.t_ns[i])} ns and the one before it at {int(self.t_ns[i - 1])} ns; expected times "
                "that strictly increase: sort the poses, and leave out duplicates"
            )

    def _unit_quats(self) -> Float64[Tensor, "n 4"]:
        length = self.quats.norm(dim=-1, keepdim=True)
        off = (length - 1).abs()[:, 0]
        if bool((off > _NEARLY_UNIT).any()):
            i = int(off.argmax())
            raise InvalidInput(
                f"quaternion {i} has the length {float(length[i]):g}, expected 1 (w x y z); normalise it, if it is a rotation"
            )
        return self.quats / length

    @cached_property
    def _times(self) -> Float64[Tensor, "n"]:
        return self.since_start(self.t_ns)

    def _interval(self, t: Float64[Tensor, "m"]) -> tuple[Int64[Tensor, "m"], Int64[Tensor, "m"]]:
        inside = (t.detach() >= 0) & (t.detach() <= self.end)
        if not bool(inside.all()):
            bad = t.detach()[~inside]
            raise InvalidInput(
                f"{len(bad)} of {t.numel()} times have no pose, the first at {float(bad[0]):.0f} ns; poses reach from 0 to "
                f"{self.end:.0f} ns after the first: leave such events out with `events_within`"
            )
        right = torch.searchsorted(self._times, t.detach().contiguous())
        return (right - 1).clamp_min(0), right

    @property
    def _turns(self) -> Float64[Tensor, "i 3"]:
        """Rotation vector of each interval, in the frame of its first pose."""
        if self.quats.requires_grad:
            return self._rotation_vectors()  # each call a graph of its own
        return self._kept_turns

    @cached_property
    def _kept_turns(self) -> Float64[Tensor, "i 3"]:
        return self._rotation_vectors()

    def _rotation_vectors(self) -> Float64[Tensor, "i 3"]:
        return rotation_vector(multiply(conjugate(self.quats[:-1]), self.quats[1:]))

    def _cubic(self, left: Int64[Tensor, "m"], w: Float[Tensor, "m 1"], duration: Float[Tensor, "m 1"]) -> Poses:
        gaps = (self._times[1:] - self._times[:-1])[:, None]
        velocities = _velocities((self.centers[1:] - self.centers[:-1]) / gaps, gaps)
        spins = _velocities(self._turns / gaps, gaps)
        right = left + 1
        # Cumulative Bernstein polynomials: both curves are Bezier curves with the control points of Hermite's (rotations
        # after Kim, Kim and Shin, SIGGRAPH 1995).
        basis = (1 - (1 - w) ** 3, w * w * (3 - 2 * w), w**3)
        third = duration / 3
        first, last = velocities[left] * third, velocities[right] * third
        middle = self.centers[right] - self.centers[left] - first - last
        centers = self.centers[left] + basis[0] * first + basis[1] * middle + basis[2] * last
        first, last = spins[left] * third, spins[right] * third
        around = multiply(from_rotation_vector(-first), from_rotation_vector(self._turns[left]))
        middle = rotation_vector(multiply(around, from_rotation_vector(-last)))
        quats = self.quats[left]
        for part, turn in zip(basis, (first, middle, last), strict=True):
            quats = multiply(quats, from_rotation_vector(part * turn))
        return Poses(centers, to_matrix(quats))


def _velocities(slopes: Float64[Tensor, "i 3"], gaps: Float64[Tensor, "i 1"]) -> Float64[Tensor, "n 3"]:
    """Velocity at each pose: that of the parabola through it and its neighbours."""
    if len(slopes) == 1:
        return slopes.expand(2, 3)
    before, after = gaps[:-1], gaps[1:]
    middle = (after * slopes[:-1] + before * slopes[1:]) / (before + after)
    first = slopes[:1] + (slopes[:1] - slopes[1:2]) * gaps[:1] / (gaps[:1] + gaps[1:2])
    last = slopes[-1:] + (slopes[-1:] - slopes[-2:-1]) * gaps[-1:] / (gaps[-1:] + gaps[-2:-1])
    return torch.cat([first, middle, last])


@dataclass(frozen=True, eq=False)
class EventsWithin:
    """Events that have a pose, and how many had none."""

    stream: EventStream
    before: int
    """Events before the first pose, left out."""
    after: int
    """Events after the last pose, left out."""

    @property
    def note(self) -> str:
        """What was left out, in words; empty if nothing was."""
        if not self.before + self.after:
            return ""
        total = len(self.stream) + self.before + self.after
        return f"of {total} events {self.before} before the first and {self.after} after the last pose were left out"


def events_within(stream: EventStream, trajectory: Trajectory) -> EventsWithin:
    """Leave out events before the first and after the last pose, and say how many.

    Raises:
        InvalidInput: Events there are, but none has a pose: the clocks of events and poses differ.
    """
    first, last = int(trajectory.t_ns[0]), int(trajectory.t_ns[-1])
    kept = stream.between(first, last + 1)
    before = len(stream.between(int(stream.t_ns[0]), first)) if len(stream) else 0
    if len(stream) and not len(kept):
        raise InvalidInput(
            f"no event has a pose: events lie in {int(stream.t_ns[0])}..{int(stream.t_ns[-1])} ns, poses in {first}..{last} "
            "ns; expected one clock and one unit for both: shift or convert one of them"
        )
    return EventsWithin(kept, before, len(stream) - len(kept) - before)
