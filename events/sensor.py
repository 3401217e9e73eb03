"""The sensor's own unknowns, learnt together with the scene: the ratio of its thresholds, and its refractory period."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from ..core.errors import InvalidInput
from ..data.event_camera import ContrastThresholds
from .generation import Thresholds

SMALLEST_SHARE = 1e-4
"""A learnt refractory period keeps this far from 0 and from its maximum, in shares of the maximum."""
FALLBACK_SHARE = 0.999
"""Of the maximum, where a calibrated refractory period is longer than the events allow."""


class EventSensor(nn.Module):
    """Contrast thresholds and refractory period of one sensor, of which some may be learnt (Low and Lee, ICCV 2023).

    The negative threshold is held: multiplying all thresholds and the logarithm of the scene by one number changes no event, so
    that only the ratio can be learnt. It is the softplus of its raw parameter.

    The refractory period is a share of the longest that the events allow, and the share is the sigmoid of its raw parameter.
    The original's raw parameter is the period in nanoseconds, through the same curve: gradients by it are 1e-8 or far less, so
    that Adam's epsilon of 1e-8 outweighs them, its steps stop being normalised, and a learning rate of 50 times the longest
    period makes up for it. Here the raw parameter has no unit: its gradient is the original's times the longest period (in ns),
    and Adam takes its usual steps. Whoever wants the original's steps takes plain gradient descent with a rate of
    ``5e9 / largest_refractory_period_ns``.
    """

    raw_ratio: nn.Parameter
    raw_period: nn.Parameter
    negative: Tensor
    largest: Tensor

    def __init__(
        self,
        thresholds: ContrastThresholds,
        refractory_period_ns: float,
        largest_refractory_period_ns: float,
        *,
        learn_ratio: bool = False,
        learn_refractory_period: bool = False,
    ) -> None:
        """Start from a calibration.

        Args:
            refractory_period_ns: 0 up to, not including, the longest.
            largest_refractory_period_ns: The longest that the events allow, above 0; see
                :func:`trisparse.events.pairing.largest_refractory_period_ns`.
            learn_ratio: Whether the ratio of the thresholds is learnt.
            learn_refractory_period: Whether the refractory period is. One that is not is exactly what is given; the original
                moves 0 to 1e-4 of the longest then too.

        Raises:
            InvalidInput: A refractory period that the events do not allow; see :func:`allowed_refractory_period_ns`.
        """
        super().__init__()
        if not 0 <= refractory_period_ns < largest_refractory_period_ns < math.inf:
            raise InvalidInput(
                f"a refractory period of {refractory_period_ns:g} ns where the events allow less than "
                f"{largest_refractory_period_ns:g} ns; expected 0 or more and less than that: "
                "`allowed_refractory_period_ns` gives one"
            )
        ratio, largest = thresholds.ratio, torch.tensor(largest_refractory_period_ns, dtype=torch.float64)
        raw_period = torch.logit(torch.tensor(refractory_period_ns, dtype=torch.float64) / largest)
        self.raw_ratio = nn.Parameter(softplus_inverse(torch.tensor(ratio, dtype=torch.float64)), learn_ratio)
        self.raw_period = nn.Parameter(raw_period, learn_refractory_period)
        self.register_buffer("negative", torch.tensor(thresholds.negative, dtype=torch.float64))
        self.register_buffer("largest", largest)
        self.keep_in_range()

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds as they are now, float64."""
        return Thresholds(nn.functional.softplus(self.raw_ratio) * self.negative, self.negative)

    @property
    def refractory_period_ns(self) -> Float64[Tensor, ""]:
        """The refractory period as it is now."""
        return self.largest * torch.sigmoid(self.raw_period)

    def keep_in_range(self) -> None:
        """Set back a learnt period that went to an end, where its gradient vanishes. To be called after each step."""
        if self.raw_period.requires_grad:
            limit = math.log((1 - SMALLEST_SHARE) / SMALLEST_SHARE)
            with torch.no_grad():
                self.raw_period.clamp_(-limit, limit)


def softplus_inverse(y: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
    """What has the softplus ``y`` > 0; above 20 ``y`` itself, as torch computes the softplus."""
    return torch.where(y > 20, y, y + torch.log(-torch.expm1(-y)))


def allowed_refractory_period_ns(calibrated_ns: float, largest_ns: float) -> tuple[float, str]:
    """The calibrated refractory period if the events allow it, else 0.999 of the longest that they allow.

    Returns:
        The period, and a sentence about what was changed, or "".
    """
    if 0 <= calibrated_ns < largest_ns:
        return calibrated_ns, ""
    used = FALLBACK_SHARE * largest_ns
    return used, (
        f"a refractory period of {calibrated_ns:g} ns was given, but two events of one pixel lie {largest_ns:g} ns apart: "
        f"{used:g} ns are taken instead"
    )
