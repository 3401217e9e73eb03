"""How far a rendered change of brightness is from what an event says.

The difference loss compares the change over an event's whole interval with the threshold, the gradient loss the slope at one
time within it with the mean slope (Low and Lee, Robust e-NeRF, ICCV 2023). Both are normalised, so that neither the unknown
scale of the thresholds nor the speed of the camera weighs some events more than others.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.errors import InvalidInput

ERRORS = ("l1", "mse", "mape", "huber")
WEIGHTS = ("none", "mean", "squared")
_SMALLEST = torch.finfo(torch.float64).eps
"""Least size of a target by which an error is divided."""


def difference_loss(
    predicted: Float[Tensor, "e"],
    change: Float[Tensor, "e"],
    mean_threshold: Float[Tensor, ""],
    is_valid: Bool[Tensor, "e"],
    *,
    error: str = "mse",
    weight: str = "squared",
    importance: Float[Tensor, "e"] | None = None,
) -> Float[Tensor, ""]:
    """Mean error of the rendered change of log intensity between an event's reference and the event.

    The defaults are the published loss: squared errors over the squared mean threshold. ``error="huber", weight="none"`` is
    that of Deblur e-NeRF (Low and Lee, ECCV 2024). Gradients flow into the mean threshold too, as in the original.

    Args:
        predicted: Rendered change.
        change: What the events say, see :func:`~.generation.log_brightness_change`; taken to the type of ``predicted``.
        mean_threshold: Of positive and negative threshold.
        is_valid: Which count: on real data, where one of the two rays met anything.
        error: ``mse``, ``l1``, ``mape`` (share of the target's size), or ``huber``: of the error in mean thresholds, squared up
            to 1, linear beyond.
        weight: What the mean is divided by: ``none``, ``mean`` (the mean threshold), ``squared``.
        importance: Weight of each event in the mean, as for windows that were seen in part
            (:meth:`~.windows.EventWindows.seen_share`); all alike by default.

    Returns:
        0 if none counts (the original gives NaN).
    """
    change = change.to(predicted)
    scale = mean_threshold.to(predicted)
    return _mean_error(predicted, change, scale, is_valid, importance, error) / _divisor(scale, weight)


def gradient_loss(
    predicted: Float[Tensor, "e"],
    slope: Float[Tensor, "e"],
    mean_threshold: Float[Tensor, ""],
    is_valid: Bool[Tensor, "e"],
    *,
    error: str = "mape",
    weight: str = "none",
) -> Float[Tensor, ""]:
    """Mean error of the rendered slope of the log intensity at some time in an event's interval.

    The default is the published loss: the error as a share of the slope's size. Computed in the type of ``slope`` (float64:
    slopes per nanosecond are tiny).

    Args:
        predicted: Rendered slope (per ns).
        slope: Mean slope (per ns), see :func:`~.generation.log_brightness_slope`.
        mean_threshold: See :func:`difference_loss`.
        is_valid: Which count: where the ray met anything.
        error: See :func:`difference_loss`; ``huber`` has no meaning here.
        weight: See :func:`difference_loss`.

    Returns:
        0 if none counts.
    """
    if error == "huber":
        raise InvalidInput("no huber error of slopes: it needs a scale; choose l1, mse or mape")
    scale = mean_threshold.to(slope)
    return _mean_error(predicted.to(slope), slope, scale, is_valid, None, error) / _divisor(scale, weight)


def total_variation_loss(
    predicted: Float[Tensor, "e"], mean_threshold: Float[Tensor, ""], is_valid: Bool[Tensor, "e"]
) -> Float[Tensor, ""]:
    """Mean size of the rendered change over a random part of each interval, in mean thresholds (Deblur e-NeRF, ECCV 2024).

    Between two events of a pixel the brightness went from one to the other on some way; this asks for the straight one. Needs
    no derivative by time, unlike :func:`gradient_loss`, whose place it takes there with a weight of 1e-3 (generated scenes) or
    0.1 (recordings).

    Args:
        predicted: Rendered change over the parts, see :func:`~.generation.random_part`.
        mean_threshold: See :func:`difference_loss`.
        is_valid: Which count.

    Returns:
        0 if none counts.
    """
    scale = mean_threshold.to(predicted)
    return _mean_error(predicted, torch.zeros_like(predicted), scale, is_valid, None, "l1") / scale


def _mean_error(
    predicted: Tensor, target: Tensor, scale: Tensor, is_valid: Tensor, importance: Tensor | None, error: str
) -> Tensor:
    kept = is_valid.to(predicted.dtype) if importance is None else is_valid * importance.to(predicted.dtype)
    misses = torch.where(is_valid, predicted - target, torch.zeros_like(predicted))
    return (kept * _error(misses, target, scale, error)).sum() / kept.sum().clamp_min(torch.finfo(kept.dtype).tiny)


def _error(misses: Tensor, target: Tensor, scale: Tensor, error: str) -> Tensor:
    if error == "mse":
        return misses.square()
    if error == "l1":
        return misses.abs()
    if error == "mape":
        return misses.abs() / target.abs().clamp_min(_SMALLEST)
    if error == "huber":
        size = (misses / scale).abs()
        return torch.where(size < 1, 0.5 * size.square(), size - 0.5)
    raise InvalidInput(f"no error {error!r}; choose from {', '.join(ERRORS)}")


def _divisor(scale: Tensor, weight: str) -> Tensor:
    if weight not in WEIGHTS:
        raise InvalidInput(f"no weight {weight!r}; choose from {', '.join(WEIGHTS)}")
    return scale ** WEIGHTS.index(weight)
