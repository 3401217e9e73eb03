"""Activations: as the original's, and their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from trisparse.rendering.radiance.activations import density_from_logits, hidden, radiance_from_logits
from trisparse.rendering.radiance.kernels import softplus
from trisparse.rendering.radiance.tangents import Moving, carry

from .radiance_scenes import recorded

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "density_shifted_trunc_exp": lambda x: density_from_logits(x, "shifted_trunc_exp"),
    "density_softplus": lambda x: density_from_logits(x, "softplus"),
    "density_shifted_softplus": lambda x: density_from_logits(x, "shifted_softplus"),
    "radiance_softplus": lambda x: radiance_from_logits(x, "softplus"),
    "radiance_sigmoid": lambda x: radiance_from_logits(x, "sigmoid"),
    "hidden_softplus_beta100": lambda x: hidden(x, "softplus100"),
    "hidden_relu": lambda x: hidden(x, "relu"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_both_derivatives_are_the_originals(name: str, shared: Path) -> None:
    known = recorded(shared, "activations")
    x = known["x"].requires_grad_()
    value = FUNCTIONS[name](x)
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    curve = torch.autograd.grad(slope.sum(), x)[0] if slope.requires_grad else torch.zeros_like(x)
    for found, suffix in ((value, ""), (slope, "_grad"), (curve, "_grad2")):
        torch.testing.assert_close(found.detach(), known[name + suffix], rtol=1e-12, atol=1e-12)


def test_the_truncated_exponential_is_exact_and_its_slope_stops_growing_at_sixteen() -> None:
    x = torch.tensor([-3.0, 1.0, 15.9, 16.5, 40.0], dtype=torch.float64, requires_grad=True)
    y = density_from_logits(x, "shifted_trunc_exp")
    torch.testing.assert_close(y.detach(), torch.exp(x.detach() - 1), rtol=1e-15, atol=0)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope, torch.exp((x.detach() - 1).clamp(max=15)), rtol=1e-15, atol=0)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_forward_mode_has_the_slope_of_backward_mode(name: str) -> None:
    x = torch.linspace(-5, 20, 57, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(FUNCTIONS[name](x).sum(), x)
    moved = carry(FUNCTIONS[name], Moving(x, torch.full_like(x, 2.0)))
    torch.testing.assert_close(moved.tangent, 2 * slope)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("is_softplus", [True, False])
def test_the_compiled_activation_and_its_derivatives_are_torchs(
    dtype: type, tolerance: float, is_softplus: bool
) -> None:
    numbers = np.concatenate([np.linspace(-0.5, 0.5, 1001), [-90.0, -3.0, 0.0, 0.199, 0.201, 5.0]]).astype(dtype)
    x = torch.from_numpy(numbers.copy()).double().requires_grad_()
    value = FUNCTIONS["hidden_softplus_beta100" if is_softplus else "hidden_relu"](x)
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    curve = torch.autograd.grad(slope.sum(), x)[0] if slope.requires_grad else torch.zeros_like(x)
    slopes, curves, tangent = np.empty_like(numbers), np.empty_like(numbers), np.full_like(numbers, 3)
    softplus.activate(numbers, is_softplus, slopes)
    softplus.activate_tangent(tangent, slopes, is_softplus, curves)
    for found, expected, scale in (
        (numbers, value, 1),
        (slopes, slope, 1),
        (tangent / 3, slope, 1),
        (curves / 3, curve, 50),
    ):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=tolerance, atol=tolerance * scale)
