"""Parametrisations of the sensor's unknowns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput
from trisparse.data.event_camera import ContrastThresholds
from trisparse.events.sensor import EventSensor, allowed_refractory_period_ns, softplus_inverse


@pytest.fixture(scope="module")
def known(shared: Path) -> dict[str, np.ndarray]:
    """What the original computes."""
    with np.load(shared / "oracles" / "enerf" / "sensor_params.npz") as file:
        return dict(file)


def sensor(period: float = 300.0, largest: float = 1000.0, *, learn: bool = True) -> EventSensor:
    """Thresholds 0.3 and 0.2."""
    thresholds = ContrastThresholds(0.3, 0.2)
    return EventSensor(thresholds, period, largest, learn_ratio=learn, learn_refractory_period=learn)


def test_the_ratio_is_the_original_s_softplus_with_its_slope_and_inverse(known: dict[str, np.ndarray]) -> None:
    x = torch.from_numpy(known["softplus_x"]).requires_grad_()
    one = EventSensor(ContrastThresholds(1.0, 1.0), 0.0, 1.0, learn_ratio=True)
    for raw, ratio, slope in zip(x, known["softplus_y"], known["softplus_dydx"], strict=True):
        one.raw_ratio.data.copy_(raw.detach())
        found = one.thresholds.positive
        assert found.item() == pytest.approx(ratio, rel=1e-12)
        assert torch.autograd.grad(found, one.raw_ratio)[0].item() == pytest.approx(slope, rel=1e-12)
    inverse = softplus_inverse(torch.from_numpy(known["softplus_inverse_in"]))
    np.testing.assert_allclose(inverse, known["softplus_inverse_out"], rtol=1e-11)  # it loses digits


def test_the_refractory_period_is_the_original_s_with_its_slope(known: dict[str, np.ndarray]) -> None:
    largest = float(known["sigmoid_tau_max"])
    one = EventSensor(ContrastThresholds(1.0, 1.0), 1.0, largest, learn_refractory_period=True)
    for x, tau, slope in zip(known["sigmoid_x"], known["sigmoid_tau"], known["sigmoid_dtau_dx"], strict=True):
        one.raw_period.data.fill_(x / largest)
        found = one.refractory_period_ns
        assert found.item() == pytest.approx(tau, rel=1e-12)
        # The original's raw parameter is ours times the longest period.
        assert torch.autograd.grad(found, one.raw_period)[0].item() == pytest.approx(slope * largest, rel=1e-12)
    for tau, x in zip(known["sigmoid_inverse_in"], known["sigmoid_inverse_out"], strict=True):
        started = EventSensor(ContrastThresholds(1.0, 1.0), tau, largest)
        assert started.raw_period.item() * largest == pytest.approx(x, rel=1e-11)


def test_it_starts_where_the_original_starts(known: dict[str, np.ndarray]) -> None:
    largest = float(known["sigmoid_tau_max"])
    for calibrated, raw, effective, _ in known["refractory_init"]:
        allowed, note = allowed_refractory_period_ns(calibrated, largest)
        assert bool(note) == (calibrated >= largest)
        one = EventSensor(ContrastThresholds(1.0, 1.0), allowed, largest, learn_refractory_period=True)
        assert one.raw_period.item() * largest == pytest.approx(raw, rel=2e-6)
        assert one.refractory_period_ns.item() == pytest.approx(effective, rel=1e-7)
    for positive, negative, raw, ratio, effective, mean in known["threshold_init"]:
        one = EventSensor(ContrastThresholds(positive, negative), 0.0, 1.0)
        assert one.raw_ratio.item() == pytest.approx(raw, rel=1e-12)
        assert (one.thresholds.positive / negative).item() == pytest.approx(ratio, rel=1e-12)
        assert one.thresholds.positive.item() == pytest.approx(effective, rel=1e-12)
        assert one.thresholds.mean.item() == pytest.approx(mean, rel=1e-12)


def test_what_is_not_learnt_is_exactly_what_was_given() -> None:
    frozen = sensor(period=0.0, learn=False)
    assert frozen.refractory_period_ns.item() == 0
    assert not [p for p in frozen.parameters() if p.requires_grad]
    assert sensor(period=0.0).refractory_period_ns.item() == pytest.approx(0.1, rel=1e-9)
    torch.testing.assert_close(sensor().thresholds.positive.item(), 0.3)


def test_a_period_that_ran_to_an_end_is_set_back_and_can_return() -> None:
    one = sensor()
    for end, share in ((50.0, 1 - 1e-4), (-50.0, 1e-4)):
        one.raw_period.data.fill_(end)
        one.keep_in_range()
        assert one.refractory_period_ns.item() == pytest.approx(1000 * share)
        (slope,) = torch.autograd.grad(one.refractory_period_ns, one.raw_period)
        assert slope.item() > 0.09


def test_adam_finds_a_period_in_usual_steps_whatever_the_unit() -> None:
    for largest in (1e3, 1e9):
        one = EventSensor(ContrastThresholds(1.0, 1.0), 0.9 * largest, largest, learn_refractory_period=True)
        optimizer = torch.optim.Adam([one.raw_period], lr=0.05)

        def miss(largest: float = largest, one: EventSensor = one) -> Tensor:
            return 1e-3 * (one.refractory_period_ns / largest - 0.2).square()

        for _ in range(300):
            optimizer.zero_grad()
            miss().backward()
            optimizer.step()
            one.keep_in_range()
        assert one.refractory_period_ns.item() == pytest.approx(0.2 * largest, rel=0.02)


def test_its_state_comes_back_from_a_checkpoint() -> None:
    one, other = sensor(), sensor(period=10.0, largest=500.0)
    other.load_state_dict(one.state_dict())
    assert other.refractory_period_ns.item() == one.refractory_period_ns.item()


@pytest.mark.parametrize("period", [-1.0, 1000.0, float("nan")])
def test_a_period_that_the_events_do_not_allow_is_refused(period: float) -> None:
    with pytest.raises(InvalidInput, match="events allow less than 1000 ns"):
        sensor(period=period)
    used, note = allowed_refractory_period_ns(period, 1000.0)
    assert used == 999.0
    assert "lie 1000 ns apart: 999 ns are taken instead" in note
