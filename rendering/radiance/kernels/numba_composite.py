"""Volume rendering on the CPU: one ray after the other, front to back, and back to front for gradients.

A ray belongs to one thread and its sums are double precision, so that bits do not depend on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ....core.threads import parallel_code
from ..samples import RaySamples
from . import numba_composite_loops as loops
from . import torch_composite
from .recomputed import recomputed_gradients
from .torch_composite import Composite


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


def composite(sigma: Float[Tensor, "s"], rgb: Float[Tensor, "s c"], samples: RaySamples) -> Composite:
    """See :func:`trisparse.rendering.radiance.volume.composite`."""
    return Composite(*_Composite.apply(samples, sigma, rgb))


def composite_tangent(
    sigma: Float[Tensor, "s"],
    sigma_tangent: Float[Tensor, "s"],
    rgb: Float[Tensor, "s c"],
    rgb_tangent: Float[Tensor, "s c"],
    samples: RaySamples,
) -> tuple[Composite, Composite]:
    """See :func:`trisparse.rendering.radiance.volume.composite_tangent`."""
    found = _CompositeTangent.apply(samples, sigma, sigma_tangent, rgb, rgb_tangent)
    return Composite(*found[:4]), Composite(*found[4:])


def visible(sigma: Float[Tensor, "s"], samples: RaySamples, eps: float, alpha_threshold: float) -> Bool[Tensor, "s"]:
    """See :func:`trisparse.rendering.radiance.volume.visible_samples`."""
    out = torch.empty(len(samples), dtype=torch.bool)
    with parallel_code():
        # exp(-x) >= eps, written for x
        most_before = math.inf if eps <= 0 else -math.log(eps)
        least_held = math.inf if alpha_threshold >= 1 else -math.log1p(-alpha_threshold)
        loops.visible(_array(sigma), *_intervals(samples, sigma), most_before, least_held, out.numpy())
    return out


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, samples: RaySamples, sigma: Tensor, rgb: Tensor) -> tuple[Tensor, ...]:
        sums, weights = rgb.new_empty(samples.n_rays, rgb.shape[1] + 2), sigma.new_empty(len(sigma))
        left = np.empty_like(weights.numpy())
        with parallel_code():
            loops.composite(
                _array(sigma), _array(rgb), *_intervals(samples, sigma), sums.numpy(), weights.numpy(), left
            )
        ctx.save_for_backward(sigma, rgb)
        ctx.samples, ctx.weights, ctx.left = samples, weights.numpy(), left
        return sums[:, :-2], sums[:, -2], sums[:, -1], weights

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        samples: RaySamples = ctx.samples
        if torch.is_grad_enabled():

            def again(sigma: Tensor, rgb: Tensor) -> Sequence[Tensor]:
                return torch_composite.composite(sigma, rgb, samples)

            return None, *recomputed_gradients(again, ctx.saved_tensors, grads)
        sigma, rgb = ctx.saved_tensors
        of_sigma, of_rgb = _like(sigma), _like(rgb)
        t_starts, t_ends, starts = _intervals(samples, sigma)
        sums, weights = _side_by_side(grads).numpy(), _array(grads[3])
        slots = (of_sigma.numpy(), of_rgb.numpy())
        with parallel_code():
            loops.composite_backward(
                _array(rgb), t_starts, t_ends, starts, ctx.weights, ctx.left, sums, weights, slots[0], slots[1]
            )
        return None, of_sigma, of_rgb


class _CompositeTangent(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, samples: RaySamples, sigma: Tensor, sigma_tangent: Tensor, rgb: Tensor, rgb_tangent: Tensor
    ) -> tuple[Tensor, ...]:
        inputs = (sigma, sigma_tangent, rgb, rgb_tangent)
        sums, weights = rgb.new_empty(2, samples.n_rays, rgb.shape[1] + 2), sigma.new_empty(2, len(sigma))
        left = np.empty_like(weights[0].numpy())
        t_starts, t_ends, starts = _intervals(samples, sigma)
        slots = (sums.numpy(), weights.numpy(), left)
        with parallel_code():
            loops.composite_tangent(
                _array(sigma), _array(sigma_tangent), _array(rgb), _array(rgb_tangent), t_starts, t_ends, starts, *slots
            )
        ctx.save_for_backward(*inputs)
        ctx.samples, ctx.weights, ctx.left = samples, weights.numpy(), left
        return tuple(x for k in range(2) for x in (sums[k, :, :-2], sums[k, :, -2], sums[k, :, -1], weights[k]))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        samples: RaySamples = ctx.samples
        if torch.is_grad_enabled():

            def again(sigma: Tensor, by_sigma: Tensor, rgb: Tensor, by_rgb: Tensor) -> Sequence[Tensor]:
                value, rate = torch_composite.composite_tangent(sigma, by_sigma, rgb, by_rgb, samples)
                return *value, *rate

            return None, *recomputed_gradients(again, ctx.saved_tensors, grads)
        sigma, sigma_tangent, rgb, rgb_tangent = ctx.saved_tensors
        found = [_like(value) for value in ctx.saved_tensors]
        sums = torch.stack([_side_by_side(grads[:4]), _side_by_side(grads[4:])]).numpy()
        weights = torch.stack([grads[3], grads[7]]).numpy()
        inputs = (*map(_array, (sigma_tangent, rgb, rgb_tangent)), *_intervals(samples, sigma))
        arguments = (*inputs, ctx.weights, ctx.left, sums, weights, *(value.numpy() for value in found))
        with parallel_code():
            loops.composite_tangent_backward(*arguments)
        return None, *found


def _intervals(samples: RaySamples, like: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _array(samples.t_starts.to(like)), _array(samples.t_ends.to(like)), samples.starts.numpy()


def _side_by_side(grads: Sequence[Tensor]) -> Tensor:
    """Gradients of colours, opacity and sum of distances."""
    return torch.cat([grads[0], grads[1][:, None], grads[2][:, None]], 1)


def _array(values: Tensor) -> np.ndarray:
    return values.detach().contiguous().numpy()


def _like(values: Tensor) -> Tensor:
    return torch.empty(values.shape, dtype=values.dtype)
