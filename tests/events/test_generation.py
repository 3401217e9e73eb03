"""Formulas of event generation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.events.generation import (
    Thresholds,
    log_brightness_change,
    log_brightness_slope,
    random_part,
    reference_times,
    truncated_normal,
)


def numbers(*values: float) -> torch.Tensor:
    """float64."""
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("setting", [("mean05_std025", 0.5, 0.25), ("mean03_std04", 0.3, 0.4)])
def test_the_original_s_truncated_normal_numbers_come_out(setting: tuple[str, float, float], shared: Path) -> None:
    name, mean, std = setting
    with np.load(shared / "oracles" / "enerf" / "sensor_params.npz") as file:
        u, known = torch.from_numpy(file["truncnorm_u"]), file[f"truncnorm_{name}"]
    found = truncated_normal(u, mean=mean, std=std)
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-12)
    assert found[u == 0].eq(0).all()
    assert found[u == 1].eq(1).all()


def test_truncated_normal_numbers_have_the_moments_of_their_density() -> None:
    u = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    found = truncated_normal(u)
    t = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    density = torch.exp(-0.5 * ((t - 0.5) / 0.25) ** 2)
    variance = ((t - 0.5) ** 2 * density).sum() / density.sum()
    assert found.mean().item() == pytest.approx(0.5, abs=1e-9)
    assert found.var().item() == pytest.approx(variance.item(), rel=1e-3)


def test_changes_count_events_by_their_thresholds_and_slopes_begin_after_the_refractory_period() -> None:
    thresholds = Thresholds(numbers(0.3)[0], numbers(0.2)[0])
    change = log_brightness_change(torch.tensor([1, 0, 2]), torch.tensor([0, 1, 3]), thresholds)
    torch.testing.assert_close(change, numbers(0.3, -0.2, 0.0))
    reference = reference_times(numbers(0, 100, 200), numbers(10)[0])
    torch.testing.assert_close(log_brightness_slope(change, reference, numbers(20, 150, 300)), numbers(0.03, -0.005, 0))


def test_random_parts_lie_inside_and_their_lengths_fall_off_linearly() -> None:
    u = torch.rand(2, 50_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    start, end = torch.full((50_000,), 5.0).double(), torch.full((50_000,), 9.0).double()
    first, last = random_part(start, end, u)
    assert first.min() >= 5
    assert last.max() <= 9 + 1e-12
    shares = (last - first) / 4
    assert shares.mean().item() == pytest.approx(1 / 3, abs=5e-3)
    assert (shares < 0.5).double().mean().item() == pytest.approx(0.75, abs=1e-2)
    whole = random_part(numbers(5), numbers(9), numbers(1, 0.3)[:, None])
    torch.testing.assert_close(torch.cat(whole), numbers(5, 9))
