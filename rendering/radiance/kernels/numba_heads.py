"""The small networks behind a hash grid on the CPU: fused loops with their own gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from ....core.errors import ShapeMismatch
from ....core.threads import parallel_code
from ..tangents import Moving
from . import numba_heads_loops as loops
from . import torch_heads
from .recomputed import recomputed_gradients
from .tiles import padded
from .torch_heads import Heads, Layers


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


def density_logits(features: Float[Tensor, "s e"], heads: Heads) -> Float[Tensor, "s"]:
    """See :func:`trisparse.rendering.radiance.kernels.torch_heads.density_logits`."""
    return _DensityLogits.apply(features, heads, *_flat(heads.base))


def logits(
    features: Float[Tensor, "s e"], views: Float[Tensor, "r v"], rows: Int64[Tensor, "s"] | None, heads: Heads
) -> tuple[Float[Tensor, "s"], Float[Tensor, "s c"]]:
    """See :func:`trisparse.rendering.radiance.kernels.torch_heads.logits`."""
    return _Logits.apply(_numbers(rows, features, views), heads, 1, features, views, *_flat(heads.base + heads.head))


def logits_tangent(
    features: Moving, views: Moving, rows: Int64[Tensor, "s"] | None, heads: Heads
) -> tuple[Moving, Moving]:
    """See :func:`trisparse.rendering.radiance.kernels.torch_heads.logits_tangent`."""
    numbers, layers = _numbers(rows, features.value, views.value), _flat(heads.base + heads.head)
    sigma, rgb, sigma_tangent, rgb_tangent = _Logits.apply(numbers, heads, 2, *features, *views, *layers)
    return Moving(sigma, sigma_tangent), Moving(rgb, rgb_tangent)


def _numbers(rows: Tensor | None, features: Tensor, views: Tensor) -> np.ndarray:
    """Rows of the views, checked, since compiled loops read wherever they point to."""
    least, most = (0, len(views) - 1) if rows is None or not len(rows) else map(int, rows.aminmax())
    if len(features) != len(views if rows is None else rows) or least < 0 or most >= len(views):
        raise ShapeMismatch(
            f"{len(features)} positions, {len(views)} directions, ray indices from {least} to {most}; expected one index a "
            "position, each the number of a direction, or without indices one direction a position"
        )
    return np.empty(0, np.int64) if rows is None else rows.contiguous().numpy()


def _flat(layers: Layers) -> list[Tensor]:
    return [value for layer in layers for value in layer]


def _unflat(values: Sequence[Tensor], heads: Heads) -> Heads:
    """The networks again, of these weights."""
    layers = tuple(zip(values[::2], values[1::2], strict=True))
    return Heads(layers[: len(heads.base)], layers[len(heads.base) :], heads.activation)


def _packed(layers: Layers, heads: Heads) -> loops.Network:
    widths = [weight.shape[1] for weight, _ in layers] + [layers[-1][0].shape[0]]
    turned = [_whole(weight.detach()) for weight, _ in layers]
    biases = [functional.pad(bias.detach(), (0, padded(len(bias)) - len(bias))) for _, bias in layers]
    return loops.Network(
        np.array(widths, np.int64),
        torch.cat([matrix.T.flatten() for matrix in turned]).numpy(),
        torch.cat([matrix.flatten() for matrix in turned]).numpy(),
        torch.cat(biases).numpy(),
        heads.activation == "softplus100",
    )


def _whole(matrix: Tensor) -> Tensor:
    rows, columns = matrix.shape
    return functional.pad(matrix, (0, padded(columns) - columns, 0, padded(rows) - rows))


def _gradients_of(net: loops.Network, weights: Tensor, biases: Tensor) -> list[Tensor]:
    """Matrices (out, in) and biases from the padded sums, in the order of :func:`_flat`."""
    found, at, at_bias = [], 0, 0
    for here, there in pairwise(net.widths.tolist()):
        size = padded(here) * padded(there)
        matrix = weights[at : at + size].view(padded(here), padded(there))
        found += [matrix[:here, :there].T, biases[at_bias : at_bias + there]]
        at, at_bias = at + size, at_bias + padded(there)
    return found


def _chunk_sums(n: int, nets: Sequence[loops.Network], like: Tensor) -> Tensor:
    size = sum(len(net.weights) + len(net.biases) for net in nets)
    return like.new_zeros(-(-n // loops.CHUNK), size)


def _layer_gradients(sums: Tensor, nets: Sequence[loops.Network]) -> list[Tensor]:
    total = sums.new_empty(sums.shape[1])
    loops.sum_chunks(sums.numpy(), total.numpy())
    found, at = [], 0
    for net in nets:
        middle, end = at + len(net.weights), at + len(net.weights) + len(net.biases)
        found += _gradients_of(net, total[at:middle], total[middle:end])
        at = end
    return found


class _DensityLogits(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, heads: Heads, *layers: Tensor) -> Tensor:
        ctx.save_for_backward(features, *layers)
        ctx.heads = heads
        out = features.new_empty(len(features))
        with parallel_code():
            loops.density_logits(features.detach().contiguous().numpy(), _packed(heads.base, heads), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        features, *layers = ctx.saved_tensors
        if torch.is_grad_enabled():

            def again(features: Tensor, *layers: Tensor) -> tuple[Tensor]:
                return (torch_heads.density_logits(features, _unflat(layers, ctx.heads)),)

            first, *rest = recomputed_gradients(again, (features, *layers), grads)
            return first, None, *rest
        net = _packed(_unflat(layers, ctx.heads).base, ctx.heads)
        found, sums = _like(features), _chunk_sums(len(features), [net], features)
        with parallel_code():
            loops.density_logits_backward(
                features.contiguous().numpy(), net, grads[0].contiguous().numpy(), found.numpy(), sums.numpy()
            )
            return found, None, *_layer_gradients(sums, [net])


class _Logits(torch.autograd.Function):
    """Inputs are features and views, or features, their tangents, views, their tangents; then the layers."""

    @staticmethod
    def forward(ctx: Any, rows: np.ndarray, heads: Heads, parts: int, *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(*inputs)
        ctx.rows, ctx.heads, ctx.parts = rows, heads, parts
        features = _stacked(inputs[:parts])
        sigma = features.new_empty(parts, features.shape[1])
        rgb = features.new_empty(parts, features.shape[1], len(heads.head[-1][1]))
        views, (base, head) = _stacked(inputs[parts : 2 * parts]), _both(heads)
        with parallel_code():
            loops.logits(features.numpy(), views.numpy(), rows, base, head, sigma.numpy(), rgb.numpy())
        return tuple(value for part in range(parts) for value in (sigma[part], rgb[part]))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        parts, rows, inputs = ctx.parts, ctx.rows, ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, None, None, *recomputed_gradients(_reference(rows, ctx.heads, parts), inputs, grads)
        features, views = _stacked(inputs[:parts]), _stacked(inputs[parts : 2 * parts])
        base, head = nets = _both(_unflat(inputs[2 * parts :], ctx.heads))
        sigma, rgb = _stacked(grads[::2]).numpy(), _stacked(grads[1::2]).numpy()
        found, sums = _like(features), _chunk_sums(features.shape[1], nets, features)
        asked = any(ctx.needs_input_grad[3 + parts : 3 + 2 * parts])
        seen = features.new_empty(parts, features.shape[1] if asked else 0, views.shape[2])
        x, v, slots = features.numpy(), views.numpy(), (found.numpy(), seen.numpy(), sums.numpy())
        with parallel_code():
            loops.logits_backward(x, v, rows, base, head, sigma, rgb, slots[0], slots[1], slots[2])
            by_layer = _layer_gradients(sums, nets)
        of_views: list[Tensor | None] = [None] * parts
        if asked:
            total = torch.zeros_like(views)
            loops.add_rows(seen.numpy(), rows, total.numpy())
            of_views = list(total)
        return None, None, None, *found, *of_views, *by_layer


def _reference(rows: np.ndarray, heads: Heads, parts: int) -> Callable[..., Sequence[Tensor]]:
    numbers = torch.from_numpy(rows) if len(rows) else None

    def again(*inputs: Tensor) -> Sequence[Tensor]:
        nets = _unflat(inputs[2 * parts :], heads)
        if parts == 1:
            return torch_heads.logits(inputs[0], inputs[1], numbers, nets)
        sigma, rgb = torch_heads.logits_tangent(Moving(*inputs[:2]), Moving(*inputs[2:4]), numbers, nets)
        return sigma.value, rgb.value, sigma.tangent, rgb.tangent

    return again


def _both(heads: Heads) -> tuple[loops.Network, loops.Network]:
    return _packed(heads.base, heads), _packed(heads.head, heads)


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack([part.detach() for part in parts]) if len(parts) > 1 else parts[0].detach().contiguous()[None]


def _like(values: Tensor) -> Tensor:
    return torch.empty(values.shape, dtype=values.dtype)
