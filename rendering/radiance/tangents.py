"""Derivatives along one direction, carried forwards through a computation beside its values."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
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
    _load_forward_mode()
    with forward_ad.dual_level():
        result = function(*(forward_ad.make_dual(x.value, x.tangent) for x in inputs))
        value, tangent = forward_ad.unpack_dual(result)
    return Moving(value, torch.zeros_like(value) if tangent is None else tangent)


@cache
def _load_forward_mode() -> None:
    """At its first use torch compiles some of its formulas in a way that it warns of itself."""
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.simplefilter("ignore", DeprecationWarning)
        forward_ad.make_dual(torch.zeros(1), torch.zeros(1))
