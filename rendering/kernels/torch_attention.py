"""Attention to given neighbours, the readable reference: plain torch on any device, gradients by autograd."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional


def why_unusable(device: torch.device) -> str | None:
    """Always usable."""
    return None


def attend(
    queries: Float[Tensor, "g h e"],
    position_queries: Float[Tensor, "g h p"],
    keys_values: Float[Tensor, "m 2 h e"],
    indices: Int64[Tensor, "g k"],
    offsets: Float[Tensor, "g k 3"],
    weight: Float[Tensor, "p 3"],
    bias: Float[Tensor, "p"],
) -> tuple[Float[Tensor, "g h e"], Float[Tensor, "g h p"]]:
    """See :func:`trisparse.rendering.neighbour_attention.neighbour_attention`."""
    # Rows by embedding, not by index: on the CPU its gradient is summed in a fixed order, whatever the number of threads.
    gathered = functional.embedding(indices, keys_values.flatten(1)).unflatten(2, keys_values.shape[1:])
    keys, values = gathered.unbind(2)
    encodings = functional.relu(functional.linear(offsets, weight, bias))
    scores = torch.einsum("ghe,gkhe->gkh", queries, keys) + encodings @ position_queries.mT
    weights = scores.softmax(1)
    return torch.einsum("gkh,gkhe->ghe", weights, values), weights.mT @ encodings
