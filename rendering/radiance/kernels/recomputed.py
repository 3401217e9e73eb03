"""Second derivatives of compiled operations: where a gradient is itself differentiated, the reference is run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def recomputed_gradients(
    reference: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """Gradients of a reference's results by its inputs, differentiable in all of them.

    Args:
        reference: Takes the inputs.
        inputs: As they came to the compiled operation; those that need no gradient get none.
        grads: Of the results; None: zero.
    """
    with torch.enable_grad():
        # Fresh names for the same values, so that gradients end at them and not at what other inputs were made of.
        named = [x.view_as(x) for x in inputs]
        results = reference(*named)
        pairs = [(result, grad) for result, grad in zip(results, grads, strict=True) if grad is not None]
        wanted = [x for x in named if x.requires_grad]
        outputs, weights = [result for result, _ in pairs], [grad for _, grad in pairs]
        found = iter(torch.autograd.grad(outputs, wanted, weights, create_graph=True, allow_unused=True))
    return [next(found) if x.requires_grad else None for x in named]
