"""What is known of an event camera beside its events: lens, size, colour filters, and how it turns brightness into events."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float64
from torch import Tensor

from ..core.arrays import require_finite
from ..core.errors import InvalidInput, ShapeMismatch
from .cameras import Cameras
from .distortion import PARAMETERS, Model
from .event_stream import LARGEST_SENSOR


@dataclass(frozen=True)
class ContrastThresholds:
    """By how much the natural logarithm of the intensity changes from one event to the next; both above 0."""

    positive: float
    negative: float

    def __post_init__(self) -> None:
        for name in ("positive", "negative"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidInput(f"a {name} contrast threshold of {getattr(self, name)}; expected one above 0")

    @property
    def mean(self) -> float:
        """Half their sum."""
        return (self.positive + self.negative) / 2

    @property
    def ratio(self) -> float:
        """Positive by negative."""
        return self.positive / self.negative


@dataclass(frozen=True, eq=False)
class EventCamera:
    """One event camera. Axes and pixel centres are those of :class:`trisparse.data.cameras.Cameras`."""

    K: Float64[Tensor, "3 3"]
    """For pixel centres at +0.5; files that count centres as whole numbers get 0.5 added to cx and cy by their reader."""
    width: int
    height: int
    model: Model = "pinhole"
    distortion: Float64[Tensor, "d"] = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))
    """Coefficients, see :data:`trisparse.data.distortion.PARAMETERS`."""
    bayer_pattern: str = ""
    """"": monochrome; else the colours R, G, B at (even x, even y), (odd, even), (even, odd), (odd, odd), as "RGGB"."""
    thresholds: ContrastThresholds | None = None
    """None where the file does not say."""
    refractory_period_ns: float | None = None
    """None where the file does not say."""

    def __post_init__(self) -> None:
        if self.K.shape != (3, 3) or self.K.dtype != torch.float64:
            raise ShapeMismatch(f"K is {self.K.dtype} of shape {tuple(self.K.shape)}; expected float64 (3, 3)")
        require_finite(self.K, "K")
        require_finite(self.distortion, "distortion")
        if not (1 <= self.width <= LARGEST_SENSOR and 1 <= self.height <= LARGEST_SENSOR):
            raise InvalidInput(f"a sensor of {self.width} x {self.height}; expected 1..{LARGEST_SENSOR} pixels a side")
        if self.model not in PARAMETERS or len(self.distortion) > PARAMETERS[self.model]:
            raise InvalidInput(
                f"{len(self.distortion)} coefficients of the lens model {self.model!r}; expected at most one of "
                f"{', '.join(f'{count} ({name})' for name, count in PARAMETERS.items())}"
            )
        if self.bayer_pattern and (len(self.bayer_pattern) != 4 or set(self.bayer_pattern) != set("RGB")):
            raise InvalidInput(
                f"a Bayer pattern of {self.bayer_pattern!r}; expected four of R, G, B as in 'RGGB', or ''"
            )
        if self.refractory_period_ns is not None and not 0 <= self.refractory_period_ns < math.inf:
            raise InvalidInput(f"a refractory period of {self.refractory_period_ns} ns; expected 0 or more")

    @property
    def is_color(self) -> bool:
        """Whether pixels lie behind colour filters."""
        return bool(self.bayer_pattern)

    def cameras(self, camera_from_world: Float64[Tensor, "n 4 4"]) -> Cameras:
        """This camera at some poses."""
        n = len(camera_from_world)
        return Cameras(
            camera_from_world,
            self.K.expand(n, 3, 3).to(camera_from_world),
            self.width,
            self.height,
            self.model,
            self.distortion.expand(n, -1).to(camera_from_world),
        )
