"""How far it is along a ray from one sample to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ...core.errors import InvalidInput


@dataclass(frozen=True)
class MarchingSteps:
    """Lengths of steps, and between which distances they are taken."""

    step: float
    """Least length, metres."""
    cone_angle: float = 0.0
    """Steps grow to this times the distance from the camera."""
    near: float | None = None
    """Samples begin there, metres."""
    far: float | None = None
    """And end there; needed where space is contracted."""

    def __post_init__(self) -> None:
        if not (0 < self.step < math.inf and 0 <= self.cone_angle < 1):
            raise InvalidInput(
                f"a step of {self.step} m and a cone angle of {self.cone_angle}; expected a step above 0, an angle from 0 to 1"
            )
        if not 0 <= (self.near or 0.0) < (math.inf if self.far is None else self.far):
            raise InvalidInput(f"samples from {self.near} to {self.far} m; expected 0 <= near < far")

    @property
    def depends_on_distance(self) -> bool:
        """Whether it matters how far away a point is."""
        return self.cone_angle > 0 or self.near is not None or self.far is not None

    def most_steps(self, length: float) -> float:
        """At most so many steps a ray of some length (metres) takes."""
        if self.cone_angle == 0 or length <= 0:
            return max(length, 0.0) / self.step
        even = min(length, self.step / self.cone_angle)
        return even / self.step + math.log(length / even) / math.log1p(self.cone_angle)


def automatic_step(aabb: Float[Tensor, "6"]) -> float:
    """A 1024th of the diagonal of a cube as large as the box's longest side, metres."""
    return math.sqrt(3) * float((aabb[3:] - aabb[:3]).max()) / 1024


def step_sizes(points: Float[Tensor, "m 3"], cameras: Float[Tensor, "m 3"], steps: MarchingSteps) -> Float[Tensor, "m"]:
    """Lengths of steps at some points as seen from one camera centre each, metres; 0 where no samples are taken."""
    distance = (points - cameras).norm(dim=1)
    is_sampled = (distance >= (steps.near or 0.0)) & (distance <= (math.inf if steps.far is None else steps.far))
    return (distance * steps.cone_angle).clamp_min(steps.step) * is_sampled
