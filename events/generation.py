"""When an event camera fires, as formulas (Low and Lee, Robust e-NeRF, ICCV 2023).

A pixel fires with polarity p at the time t when the natural logarithm of its intensity has changed by p C_p since its reference
time. The reference lies one refractory period after the pixel's event before: it is blind until then, and starts anew from what
it sees then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Contrast thresholds that a computation works with, natural logarithm, both above 0."""

    positive: Float[Tensor, ""]
    negative: Float[Tensor, ""]

    @property
    def mean(self) -> Float[Tensor, ""]:
        """Half their sum."""
        return (self.positive + self.negative) / 2


def log_brightness_change(
    n_positive: Shaped[Tensor, "e"], n_negative: Shaped[Tensor, "e"], thresholds: Thresholds
) -> Float[Tensor, "e"]:
    """Change of log intensity that some events stand for.

    Args:
        n_positive: Events that made it brighter: one or none for single events, more for windows.
        n_negative: Events that made it darker.
    """
    return n_positive * thresholds.positive - n_negative * thresholds.negative


def reference_times(
    t_previous: Float64[Tensor, "e"], refractory_period_ns: Float64[Tensor, ""]
) -> Float64[Tensor, "e"]:
    """From when on a pixel sees again: one refractory period after its event before (ns)."""
    return t_previous + refractory_period_ns


def log_brightness_slope(
    change: Float[Tensor, "e"], t_reference: Float64[Tensor, "e"], t_event: Float64[Tensor, "e"]
) -> Float64[Tensor, "e"]:
    """Mean slope of the log intensity from the reference to the event (per ns)."""
    return change / (t_event - t_reference)


def times_between(
    start: Float64[Tensor, "e"], end: Float64[Tensor, "e"], share: Float64[Tensor, "e"]
) -> Float64[Tensor, "e"]:
    """Times at some share (0..1) of the way from the start to the end."""
    return torch.lerp(start, end, share)


def truncated_normal(u: Float64[Tensor, "e"], *, mean: float = 0.5, std: float = 0.25) -> Float64[Tensor, "e"]:
    """Turn uniform numbers into normal ones that are cut off to 0..1; 0 and 1 stay what they are.

    The defaults are where in an event's interval Robust e-NeRF looks at the slope.
    """
    low, high = (math.erf((bound - mean) / (std * math.sqrt(2))) for bound in (0.0, 1.0))
    return (mean + std * math.sqrt(2) * torch.erfinv(low + u * (high - low))).clamp(0, 1)


def random_part(
    start: Float64[Tensor, "e"], end: Float64[Tensor, "e"], u: Float64[Tensor, "2 e"]
) -> tuple[Float64[Tensor, "e"], Float64[Tensor, "e"]]:
    """A random part of each interval, short ones more likely (Low and Lee, Deblur e-NeRF, ECCV 2024).

    Args:
        u: Uniform numbers in 0..1: the first row gives lengths, whose density falls linearly from 0 to the whole interval, the
            second where the part begins.

    Returns:
        Where the parts begin and end.
    """
    share = 1 - (1 - u[0]).sqrt()
    first = (1 - share) * u[1]
    return torch.lerp(start, end, first), torch.lerp(start, end, first + share)
