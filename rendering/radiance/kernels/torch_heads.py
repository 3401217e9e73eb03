"""The small networks behind a hash grid in plain torch: the readable reference, differentiable to any order."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from ..activations import HiddenActivation, hidden
from ..tangents import Moving, carry

Layers = tuple[tuple[Tensor, Tensor], ...]
"""Matrices (out, in) and biases (out), first layer first."""


class Heads(NamedTuple):
    """Two networks: encoded positions to density and geometry features, these and encoded directions to colours."""

    base: Layers
    head: Layers
    activation: HiddenActivation


def why_unusable(device: torch.device) -> str | None:
    """Runs everywhere."""
    return None


def density_logits(features: Float[Tensor, "s e"], heads: Heads) -> Float[Tensor, "s"]:
    """The first number of the base network."""
    return run(features, heads.base, heads.activation)[:, 0]


def logits(
    features: Float[Tensor, "s e"], views: Float[Tensor, "r v"], rows: Int64[Tensor, "s"] | None, heads: Heads
) -> tuple[Float[Tensor, "s"], Float[Tensor, "s c"]]:
    """Of density and of colours.

    Args:
        features: Encoded positions.
        views: Encoded directions.
        rows: Which direction belongs to each position; None: one each. Sorted.
        heads: The networks.
    """
    geometry = run(features, heads.base, heads.activation)
    seen = views if rows is None else views.index_select(0, rows)
    return geometry[:, 0], run(torch.cat([seen, geometry[:, 1:]], 1), heads.head, heads.activation)


def logits_tangent(
    features: Moving, views: Moving, rows: Int64[Tensor, "s"] | None, heads: Heads
) -> tuple[Moving, Moving]:
    """The same with derivatives."""

    def columns(features: Tensor, views: Tensor) -> Tensor:
        sigma, rgb = logits(features, views, rows, heads)
        return torch.cat([sigma[:, None], rgb], 1)

    value, tangent = carry(columns, features, views)
    return Moving(value[:, 0], tangent[:, 0]), Moving(value[:, 1:], tangent[:, 1:])


def run(x: Tensor, layers: Layers, activation: HiddenActivation) -> Tensor:
    """One layer after the other, the activation between them but not at the end."""
    for number, (weight, bias) in enumerate(layers):
        x = functional.linear(x if number == 0 else hidden(x, activation), weight, bias)
    return x
