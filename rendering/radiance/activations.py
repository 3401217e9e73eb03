"""What turns a network's numbers into densities and colours."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

DensityActivation = Literal["shifted_trunc_exp", "softplus", "shifted_softplus"]
RadianceActivation = Literal["softplus", "sigmoid"]
HiddenActivation = Literal["softplus100", "relu"]

SHARPNESS = 100.0
"""Of the softplus between layers: nearly a ReLU, but with a second derivative."""
_LARGEST_SLOPE = 15.0


def density_from_logits(logits: Float[Tensor, "*n"], activation: DensityActivation) -> Float[Tensor, "*n"]:
    """Densities (1/m) from the network's output.

    The truncated exponential is exp(x - 1); its slope stops growing at x = 16 (Müller et al., SIGGRAPH 2022, code), which keeps
    one bad sample from ending a training. Differentiable to any order, by backward and by forward mode.
    """
    if activation == "softplus":
        return functional.softplus(logits)
    shifted = logits - 1
    if activation == "shifted_softplus":
        return functional.softplus(shifted)
    bounded = shifted.clamp(max=_LARGEST_SLOPE)
    # A straight line beyond the bound gives the derivatives; the value is put right without any.
    line = bounded.exp() * (1 + shifted - bounded)
    return line + (shifted.exp() - line).detach()


def radiance_from_logits(logits: Float[Tensor, "*n"], activation: RadianceActivation) -> Float[Tensor, "*n"]:
    """Intensities from the network's output: positive without bound (softplus) or in 0..1 (sigmoid)."""
    return functional.softplus(logits) if activation == "softplus" else torch.sigmoid(logits)


def hidden(x: Float[Tensor, "*n"], activation: HiddenActivation) -> Float[Tensor, "*n"]:
    """The activation between layers."""
    return functional.softplus(x, beta=SHARPNESS) if activation == "softplus100" else functional.relu(x)
