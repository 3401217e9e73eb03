"""Derivatives along one direction, carried forwards through a computation beside its values."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad


class Moving(NamedTuple):
    """A value and its derivative by one parameter (its tangent), both of which gradients pass through."""

    value: Tensor
    tangent: Tensor


def carry(function: Callable[..., Tensor], *inputs: Moving) -> Moving:
    """A function's value, and its derivative along the inputs' tangents.

    For functions made of torch's own operations. Both results are differentiable in values, tangents and whatever else the
    function reads.
    """
    with forward_ad.dual_level():
        result = function(*(forward_ad.make_dual(x.value, x.tangent) for x in inputs))
        value, tangent = forward_ad.unpack_dual(result)
    return Moving(value, torch.zeros_like(value) if tangent is None else tangent)
