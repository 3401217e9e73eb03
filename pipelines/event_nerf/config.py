"""How events become a radiance field: settings, and the published ones by name."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from ...core.errors import InvalidInput
from ...rendering.radiance.contraction import Contraction
from ...rendering.radiance.nerf import NerfConfig
from ...rendering.radiance.ngp import NgpConfig
from ...rendering.radiance.occupancy import OccupancySchedule

ErrorName = Literal["mse", "l1", "mape", "huber"]
WeightName = Literal["none", "mean", "squared"]


@dataclass(frozen=True)
class SpaceConfig:
    """Where the scene is, and how rays go through it."""

    aabb: tuple[float, float, float, float, float, float] | None = None
    """Box around the scene (metres): smallest x, y, z, then largest. None: around what the cameras look at, as far as their
    poses tell (see :func:`trisparse.pipelines.event_nerf.space.find_space`)."""
    contraction: Contraction | None = "aabb"
    """``aabb``: nothing lies outside the box. ``sphere``: the box is in the middle, and what is outside is drawn together.
    None: ``sphere``."""
    occupancy_resolution: int = 128
    """Cells a side of the grid that tells rays what is empty."""
    step: float | None = None
    """Least distance between samples (metres); None: as ``steps_across`` says."""
    steps_across: int = 1024
    """So many steps cross the diagonal of a cube with the box's longest side."""
    cone_angle: float = 0.0
    """Steps grow to this times the distance from the camera."""
    near: float | None = None
    """Samples begin there (metres from the camera) ..."""
    far: float | None = None
    """... and end there; needed with ``sphere``."""
    early_stop: float = 1e-4
    """Samples that less than this part of the light reaches are left out."""


@dataclass(frozen=True)
class LossConfig:
    """Terms of the loss and their weights; a weight of 0 leaves a term out."""

    difference: float = 1.0
    """Of the change of log intensity between an event's reference and the event."""
    difference_error: ErrorName = "mse"
    """``huber`` with a weight of "none" is that of Deblur e-NeRF (Low and Lee, ECCV 2024)."""
    difference_weight: WeightName = "squared"
    """What it is divided by: nothing, the mean threshold, or its square as published."""
    gradient: float = 0.0
    """Of the slope of the log intensity at one time in an event's interval; 1e-3 for the published real sequences."""
    gradient_error: Literal["mape", "mse", "l1"] = "mape"
    """Published is ``mape``, normalised by the slope itself."""
    complete_gradient: bool = True
    """Differentiate that term completely. The original loses the second derivatives through the rendering weights; False does
    as it does."""
    total_variation: float = 0.0
    """Of the change over a random part of each interval; Deblur e-NeRF takes 1e-3 for generated scenes, 0.1 for recordings."""
    windows: float = 0.0
    """Of the change over several events at a pixel, against slow drifts of brightness (after E-NeRF and EventNeRF)."""
    window_length: int = 10
    """Events in such a window."""

    def __post_init__(self) -> None:
        weights = (self.difference, self.gradient, self.total_variation, self.windows)
        if not all(0 <= weight < math.inf for weight in weights) or not any(weights):
            raise InvalidInput(f"weights of the loss {weights}; expected 0 or more each, and one above 0")


@dataclass(frozen=True)
class OptimiserConfig:
    """Adam, with the rate lowered in three steps."""

    steps: int = 40_000
    rate: float = 1e-2
    """Of the field and the background."""
    ratio_rate: float = 0.1
    """Of the ratio of the thresholds (raw, before its softplus)."""
    refractory_rate: float = 0.02
    """Of the refractory period's share of the longest (raw, before its sigmoid). The original's raw number is in nanoseconds,
    see :class:`trisparse.events.sensor.EventSensor`."""
    milestones: tuple[float, ...] = (0.5, 0.75, 0.9)
    """Shares of the steps at which all rates are lowered ..."""
    factor: float = 0.33
    """... to this part of what they were."""
    weight_decay: float = 1e-6
    """Added to the gradient (L2, inside Adam) of the field's weights ..."""
    decays_table: bool = True
    """... the hash table's among them, as in the original, where a name has it so."""
    samples: int = 1 << 20
    """Samples along the rays of one end of all events of a step: the number of events follows."""
    first_events: int = 1024
    """Events of the first two steps, after which the number of samples a ray is known."""
    most_events: int = 1 << 18
    """However few samples a ray has."""

    def __post_init__(self) -> None:
        if min(self.steps, self.samples, self.first_events, self.most_events) < 1:
            raise InvalidInput(
                f"{self.steps} steps, {self.samples} samples, {self.first_events} and at most {self.most_events} events; "
                "expected at least 1 each"
            )

    def factor_at(self, step: int) -> float:
        """Part of the rates that is left at a step, counted from 0."""
        return self.factor ** sum(step >= share * self.steps for share in self.milestones)


@dataclass(frozen=True)
class EventNerfConfig:
    """All settings; the defaults are those of Robust e-NeRF's generated data."""

    network: NgpConfig | NerfConfig = field(default_factory=NgpConfig)
    """Its channels follow from the camera: three with colour filters, else one."""
    space: SpaceConfig = field(default_factory=SpaceConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    occupancy: OccupancySchedule = field(default_factory=OccupancySchedule)
    has_background: bool = True
    """Learn a colour that is seen where nothing is; else nothing is black, and rays that meet nothing do not count."""
    learn_ratio: bool = False
    """Learn the ratio of the thresholds with the scene."""
    learn_refractory_period: bool = False
    """Learn the refractory period with the scene."""
    refractory_quantile: float = 0.0
    """Which quantile of the pixels' shortest times between events bounds the refractory period. 0, the shortest of all, is
    published, and lets one noisy pixel bound it for all; events that contradict a larger bound are left out."""
    events_share: float = 1.0
    """Part of the events that is used, drawn at random."""
    min_intensity: float = 1e-3
    """Added to rendered intensities before their logarithm is taken."""
    seed: int = 0
    """Of everything random."""

    def __post_init__(self) -> None:
        if not (0 < self.events_share <= 1 and 0 < self.min_intensity < math.inf):
            raise InvalidInput(
                f"{self.events_share} of the events and a smallest intensity of {self.min_intensity}; expected a share above 0 "
                "up to 1, and an intensity above 0"
            )

    def with_steps(self, steps: int) -> EventNerfConfig:
        """The same with another number of steps; the milestones of the rates move along."""
        return replace(self, optimiser=replace(self.optimiser, steps=steps))

    def with_channels(self, channels: int) -> EventNerfConfig:
        """The same for a field of so many colours."""
        return replace(self, network=replace(self.network, channels=channels))


def _recorded(aabb: tuple[float, float, float, float, float, float], near: float, far: float) -> EventNerfConfig:
    """Robust e-NeRF's settings of a TUM-VIE sequence."""
    return EventNerfConfig(
        space=SpaceConfig(aabb, "sphere", 256, cone_angle=0.004, near=near, far=far),
        loss=LossConfig(gradient=1e-3),
        has_background=False,
        learn_ratio=True,
        learn_refractory_period=True,
    )


PRESETS: dict[str, EventNerfConfig] = {
    "synthetic": EventNerfConfig(space=SpaceConfig((-1.5, -1.5, -1.5, 1.5, 1.5, 1.5))),
    "mocap-1d-trans": _recorded((-0.5, -0.5, 0.6, 0.5, 0.5, 1.6), 0.05, 3.0),
    "mocap-desk2": _recorded((0.5, -2.1, 0.6, 2.0, -0.6, 1.6), 0.05, 3.0),
    "office-maze": _recorded((-2.3, -3.2, 0.0, 1.7, 2.8, 3.0), 0.01, 4.0),
    "cpu-small": EventNerfConfig(
        network=NgpConfig.cpu_small(),
        space=SpaceConfig(contraction=None, occupancy_resolution=64, steps_across=384),
        optimiser=OptimiserConfig(steps=6_000, samples=1 << 16, decays_table=False),
        occupancy=OccupancySchedule(warmup=128),
    ),
}
"""By name: Robust e-NeRF's own for its generated data and for three sequences of TUM-VIE, meant for a GPU; and ``cpu-small``
(ours), which two CPU cores train in minutes."""
