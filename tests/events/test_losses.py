"""Losses: the original's values and gradients, and laws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput
from trisparse.data.event_camera import ContrastThresholds
from trisparse.events.generation import log_brightness_change, log_brightness_slope, reference_times
from trisparse.events.losses import difference_loss, gradient_loss, total_variation_loss
from trisparse.events.sensor import EventSensor

WEIGHT_NAMES = {"w0": "none", "w1": "mean", "w2": "squared"}


@pytest.fixture(scope="module")
def known(shared: Path) -> dict[str, np.ndarray]:
    """What the original computes."""
    with np.load(shared / "oracles" / "enerf" / "losses.npz") as file:
        return dict(file)


@pytest.mark.parametrize("weight", ["w0", "w1", "w2"])
@pytest.mark.parametrize("error", ["l1", "mse", "mape"])
@pytest.mark.parametrize("term", ["diff", "grad"])
def test_values_and_gradients_are_the_original_s(
    term: str, error: str, weight: str, known: dict[str, np.ndarray]
) -> None:
    given = {name: torch.from_numpy(np.asarray(value)) for name, value in known.items()}
    largest = float(known["max_refractory_period"])
    thresholds = ContrastThresholds(float(known["pos_contrast_threshold"]), float(known["neg_contrast_threshold"]))
    sensor = EventSensor(
        thresholds, float(known["refractory_period"]), largest, learn_ratio=True, learn_refractory_period=True
    )
    predicted = given[f"pred_log_intensity_{term}"].requires_grad_()
    now = sensor.thresholds
    change = log_brightness_change(given["num_pos"], given["num_neg"], now)
    if term == "diff":
        loss = difference_loss(predicted, change, now.mean, given["is_valid"], error=error, weight=WEIGHT_NAMES[weight])
    else:
        start = reference_times(given["start_ts"].double(), sensor.refractory_period_ns)
        slope = log_brightness_slope(change, start, given["end_ts"].double())
        loss = gradient_loss(predicted, slope, now.mean, given["is_valid"], error=error, weight=WEIGHT_NAMES[weight])
    name = f"{term}_{error}_{weight}"
    assert loss.item() == pytest.approx(float(known[f"{name}_value"]), rel=1e-10)
    inputs = (predicted, sensor.raw_ratio, sensor.raw_period)
    by_prediction, by_ratio, by_period = torch.autograd.grad(loss, inputs, allow_unused=True)
    assert by_prediction is not None
    assert by_ratio is not None
    np.testing.assert_allclose(by_prediction, known[f"{name}_dpred"], rtol=1e-10, atol=0)
    assert by_ratio.item() == pytest.approx(float(known[f"{name}_draw_ratio"]), rel=1e-9)
    if term == "diff":
        assert by_period is None  # where the original has rounding noise
        assert abs(float(known[f"{name}_draw_tau"])) < 1e-23
    else:
        assert by_period is not None
        assert by_period.item() / largest == pytest.approx(float(known[f"{name}_draw_tau"]), rel=1e-9)


def example(n: int = 40) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Predictions, changes, the mean threshold, and which count."""
    generator = torch.Generator().manual_seed(3)
    change = torch.where(torch.rand(n, generator=generator) < 0.5, 0.3, -0.2).double()
    predicted = change + 0.4 * torch.randn(n, generator=generator, dtype=torch.float64)
    return predicted, change, torch.tensor(0.25, dtype=torch.float64), torch.rand(n, generator=generator) < 0.7


def test_scaling_scene_and_thresholds_alike_changes_no_published_loss() -> None:
    predicted, change, mean, is_valid = example()
    for loss in (
        lambda s: difference_loss(s * predicted, s * change, s * mean, is_valid),
        lambda s: difference_loss(s * predicted, s * change, s * mean, is_valid, error="huber", weight="none"),
        lambda s: gradient_loss(s * predicted, s * change, s * mean, is_valid),
        lambda s: total_variation_loss(s * predicted, s * mean, is_valid),
    ):
        assert loss(3.7).item() == pytest.approx(loss(1.0).item(), rel=1e-12)


def test_huber_is_half_the_square_up_to_one_threshold_and_linear_beyond() -> None:
    change, mean, is_valid = torch.zeros(1).double(), torch.tensor(0.5).double(), torch.ones(1, dtype=torch.bool)
    for miss, wanted in ((0.25, 0.125), (0.5, 0.5), (-1.5, 2.5)):
        found = difference_loss(torch.tensor([miss]).double(), change, mean, is_valid, error="huber", weight="none")
        assert found.item() == pytest.approx(wanted)


@pytest.mark.parametrize("n", [0, 5])
def test_where_nothing_counts_the_losses_and_their_gradients_are_zero(n: int) -> None:
    predicted = torch.full((n,), torch.nan, dtype=torch.float64, requires_grad=True)
    _, change, mean, _ = example(n)
    nothing = torch.zeros(n, dtype=torch.bool)
    for loss in (
        difference_loss(predicted, change, mean, nothing),
        gradient_loss(predicted, change, mean, nothing),
        total_variation_loss(predicted, mean, nothing),
    ):
        assert loss.item() == 0
        assert torch.autograd.grad(loss, predicted)[0].eq(0).all()


def test_importance_weighs_events_in_the_mean() -> None:
    predicted, change, mean, is_valid = example()
    twice = torch.where(torch.arange(40) < 10, 2.0, 1.0).double()
    repeated = torch.cat([torch.arange(40), torch.arange(10)])
    found = difference_loss(predicted, change, mean, is_valid, importance=twice)
    wanted = difference_loss(predicted[repeated], change[repeated], mean, is_valid[repeated])
    assert found.item() == pytest.approx(wanted.item(), rel=1e-12)
    same = difference_loss(predicted, change, mean, is_valid, importance=torch.ones(40).double() * 0.3)
    assert same.item() == pytest.approx(difference_loss(predicted, change, mean, is_valid).item(), rel=1e-12)


@pytest.mark.parametrize("error", ["mse", "mape", "huber", "l1"])
def test_gradients_are_those_of_finite_differences(error: str) -> None:
    predicted, change, mean, is_valid = example()
    inputs = (predicted.requires_grad_(), mean.requires_grad_())
    assert torch.autograd.gradcheck(
        lambda p, m: difference_loss(p, change, m, is_valid, error=error, weight="squared"), inputs
    )
    assert torch.autograd.gradcheck(lambda p, m: total_variation_loss(p, m, is_valid), inputs)


def test_single_precision_predictions_give_a_single_precision_loss() -> None:
    predicted, change, mean, is_valid = example()
    found = difference_loss(predicted.float(), change, mean, is_valid)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(difference_loss(predicted, change, mean, is_valid).item(), rel=1e-6)
    assert gradient_loss(predicted.float(), change, mean, is_valid).dtype == torch.float64


def test_unknown_errors_and_weights_are_refused() -> None:
    predicted, change, mean, is_valid = example()
    with pytest.raises(InvalidInput, match="no error 'l2'; choose from l1, mse"):
        difference_loss(predicted, change, mean, is_valid, error="l2")
    with pytest.raises(InvalidInput, match="no weight 'twice'; choose from none"):
        difference_loss(predicted, change, mean, is_valid, weight="twice")
    with pytest.raises(InvalidInput, match="no huber error of slopes"):
        gradient_loss(predicted, change, mean, is_valid, error="huber")
