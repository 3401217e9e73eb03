"""Layers whose first weights come from a generator; torch's own draw from its global one."""

from __future__ import annotations

import torch
from torch import nn


def linear(inputs: int, outputs: int, generator: torch.Generator, *, zero: bool = False) -> nn.Linear:
    """A linear layer; with ``zero`` its first output is 0, so that whatever it is added to stays what it is."""
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")  # "meta" draws nothing
    nn.init.zeros_(layer.bias)
    if zero:
        nn.init.zeros_(layer.weight)
    else:
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
    return layer


def conv(inputs: int, outputs: int, size: int, generator: torch.Generator, *, stride: int = 1) -> nn.Conv2d:
    """A convolution over images with zeros around them; at stride 1 the size stays, at stride 2 it is halved upwards."""
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, device="meta").to_empty(device="cpu")
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]: there is one
    return layer


def perceptron(widths: tuple[int, ...], generator: torch.Generator, *, zero_last: bool = False) -> nn.Sequential:
    """Linear layers with ReLU between them.

    Args:
        widths: Of the input, of each layer between, of the output.
        generator: Draws the weights.
        zero_last: The first output is 0.
    """
    layers: list[nn.Module] = []
    for i in range(1, len(widths)):
        is_last = i == len(widths) - 1
        layers.append(linear(widths[i - 1], widths[i], generator, zero=zero_last and is_last))
        if not is_last:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)
