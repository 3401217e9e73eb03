"""Stacks of linear layers as the fields have them, drawn from a generator as torch draws its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from .activations import HiddenActivation, hidden


def linear_layers(widths: Sequence[int], generator: torch.Generator) -> nn.ModuleList:
    """Linear layers from each width to the next; weights and biases uniform within one over the root of the inputs."""
    return nn.ModuleList(linear_layer(a, b, generator) for a, b in pairwise(widths))


def linear_layer(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """One of them."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")  # "meta" draws nothing
    bound = 1 / math.sqrt(inputs)
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return layer


def run_layers(x: Tensor, layers: nn.ModuleList, activation: HiddenActivation) -> Tensor:
    """One layer after the other, the activation between them but not at the end."""
    for number, layer in enumerate(layers):
        x = layer(x if number == 0 else hidden(x, activation))
    return x
