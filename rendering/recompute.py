"""Memory for time: rows in chunks, and what lies between is computed again for the gradient instead of kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def recomputed(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result; what it computes on the way is not kept but computed again for the gradient."""
    if not torch.is_grad_enabled():
        return function(*arguments)
    return checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=False)


def in_chunks(
    function: Callable[..., Tensor], rows: tuple[Tensor, ...], shared: tuple[Tensor, ...] = (), *, size: int
) -> Tensor:
    """A function of rows, a chunk of them after the other.

    Args:
        function: Takes ``rows`` and ``shared``, gives one row for each; draws no random numbers.
        rows: Tensors of one length.
        shared: What every chunk gets whole.
        size: Rows of a chunk; with so few at all, everything is kept and nothing computed again.
    """
    if len(rows[0]) <= size:
        return function(*rows, *shared)
    chunks = zip(*(tensor.split(size) for tensor in rows), strict=True)
    return torch.cat([recomputed(function, *chunk, *shared) for chunk in chunks])
