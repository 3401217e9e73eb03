"""Attention to given neighbours on the CPU: rows of neighbours are read where they lie, never gathered into a copy.

Every point is worked on by one thread. The gradient of keys and values is made in a second pass, target by target, from the
list of all that attend to it in their order; other sums over points are made for each block, then over the blocks. So the bits
do not depend on the number of threads. Beside inputs, results and their gradients 2 k h numbers a point are in memory.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...core.threads import parallel_code

_BLOCK = 64
"""Points that a thread takes at once."""
_GROUP = 8
"""Neighbours whose rows are added up in one loop; the compiler has to know the number."""
# Sums may be reordered into vector registers when they are compiled; how they are does not depend on the input.
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz"},
}


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


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
    return _Attention.apply(queries, position_queries, keys_values, indices, offsets, weight, bias)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        arrays = _arrays(tensors)
        queries, position_queries, _, indices, _, _, _ = arrays
        g, k = indices.shape
        weights = np.empty((g, queries.shape[1], k), queries.dtype)
        values, encodings = np.empty_like(queries), np.empty_like(position_queries)
        with parallel_code():
            _forward(*arrays, weights, values, encodings)  # pyright: ignore[reportCallIssue]
        ctx.save_for_backward(*tensors)
        ctx.weights = weights
        return torch.from_numpy(values), torch.from_numpy(encodings)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_values: Tensor, grad_encodings: Tensor) -> tuple[Tensor | None, ...]:
        arrays = _arrays(ctx.saved_tensors)
        queries, position_queries, keys_values, indices, _, weight, _ = arrays
        given = (_array(grad_values), _array(grad_encodings))
        grad_scores = np.empty_like(ctx.weights)
        grad_queries, grad_position_queries = np.empty_like(queries), np.empty_like(position_queries)
        blocks = -(-len(queries) // _BLOCK)
        grad_encoder = np.zeros((blocks, 4, len(weight)), weight.dtype)
        grad_rows = np.empty((len(keys_values), 2, *queries.shape[1:]), queries.dtype)
        starts, order = _inverse(indices, len(keys_values))
        with parallel_code():
            made = (grad_scores, grad_queries, grad_position_queries, grad_encoder)
            _backward(*arrays, ctx.weights, *given, *made)  # pyright: ignore[reportCallIssue]
            _backward_rows(starts, order, queries, given[0], ctx.weights, grad_scores, grad_rows)
        encoder = torch.from_numpy(grad_encoder.sum(0))
        grads = [torch.from_numpy(x) for x in (grad_queries, grad_position_queries, grad_rows)]
        return *grads, None, None, encoder[:3].T, encoder[3]


def _arrays(tensors: tuple[Tensor, ...]) -> list[np.ndarray]:
    """The arguments of :func:`attend`, keys and values as rows of all heads."""
    arrays = [_array(tensor) for tensor in tensors]
    arrays[2] = arrays[2].reshape(len(arrays[2]), 2, -1)
    return arrays


def _array(tensor: Tensor) -> np.ndarray:
    """A view, or a copy where the tensor is not contiguous."""
    return tensor.detach().contiguous().numpy()


def _inverse(indices: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in ``indices`` by what stands there: those of row i are ``order[starts[i] : starts[i + 1]]``, ascending."""
    starts = np.zeros(m + 1, np.int64)
    starts[1:] = np.bincount(indices.ravel(), minlength=m).cumsum()
    order = np.empty(indices.size, np.int64)
    _fill(indices.ravel(), starts[:-1].copy(), order)
    return starts, order


@no_type_check
@numba.njit(cache=True, nogil=True)
def _fill(flat, next_place, order):
    for place in range(len(flat)):
        row = flat[place]
        order[next_place[row]] = place
        next_place[row] += 1


@no_type_check
@numba.njit(**_OPTIONS)
def _dot(a, b, first):
    """Of ``a`` with as many numbers of ``b``."""
    total = a[0] * b[first]
    for i in range(1, len(a)):
        total += a[i] * b[first + i]
    return total


@no_type_check
@numba.njit(**_OPTIONS)
def _add_rows(weights, rows, first, out):
    """Add the weighted sum of rows, whose number is a multiple of the group; a group's sum stays in registers."""
    for group in range(len(rows) // _GROUP):
        w, r = weights[group * _GROUP : (group + 1) * _GROUP], rows[group * _GROUP : (group + 1) * _GROUP]
        for i in range(len(out)):
            total = out[i]
            for n in range(_GROUP):
                total += w[n] * r[n, first + i]
            out[i] = total


@no_type_check
@numba.njit(**_OPTIONS)
def _gather(source, part, indices, out):
    for n in range(len(indices)):
        row, to = source[indices[n], part], out[n]
        for i in range(len(to)):
            to[i] = row[i]


@no_type_check
@numba.njit(**_OPTIONS)
def _encode(offsets, turned, bias, out):
    wx, wy, wz = turned[0], turned[1], turned[2]
    for n in range(len(offsets)):
        x, y, z, row = offsets[n, 0], offsets[n, 1], offsets[n, 2], out[n]
        for i in range(len(bias)):
            row[i] = max(wx[i] * x + wy[i] * y + wz[i] * z + bias[i], bias.dtype.type(0))


@no_type_check
@numba.njit(**_OPTIONS)
def _softmax(scores):
    most = scores[0]
    for n in range(1, len(scores)):
        most = max(most, scores[n])
    total = scores.dtype.type(0)
    for n in range(len(scores)):
        scores[n] = np.exp(scores[n] - most)
        total += scores[n]
    for n in range(len(scores)):
        scores[n] /= total


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def _forward(queries, position_queries, keys_values, indices, offsets, weight, bias, weights, values, encodings):
    g, k = indices.shape
    heads, e = queries.shape[1:]
    padded = (k + _GROUP - 1) // _GROUP * _GROUP
    turned = np.ascontiguousarray(weight.T)
    for block in numba.prange((g + _BLOCK - 1) // _BLOCK):
        rows, encoded = np.zeros((padded, heads * e), weight.dtype), np.zeros((padded, len(bias)), weight.dtype)
        padded_weights = np.zeros((heads, padded), weight.dtype)
        for j in range(block * _BLOCK, min(block * _BLOCK + _BLOCK, g)):
            _encode(offsets[j], turned, bias, encoded)
            _gather(keys_values, 0, indices[j], rows)
            for head in range(heads):
                q, p, scores = queries[j, head], position_queries[j, head], padded_weights[head]
                for n in range(k):
                    scores[n] = _dot(q, rows[n], head * e) + _dot(p, encoded[n], 0)
                _softmax(scores[:k])
                weights[j, head] = scores[:k]
            _gather(keys_values, 1, indices[j], rows)
            values[j] = 0
            encodings[j] = 0
            for head in range(heads):
                _add_rows(padded_weights[head], rows, head * e, values[j, head])
                _add_rows(padded_weights[head], encoded, 0, encodings[j, head])


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def _backward(
    queries, position_queries, keys_values, indices, offsets, weight, bias, weights, grad_values, grad_encodings,
    grad_scores, grad_queries, grad_position_queries, grad_encoder,
):  # fmt: skip
    g, k = indices.shape
    heads, e = queries.shape[1:]
    padded = (k + _GROUP - 1) // _GROUP * _GROUP
    turned = np.ascontiguousarray(weight.T)
    for block in numba.prange((g + _BLOCK - 1) // _BLOCK):
        rows, encoded = np.zeros((padded, heads * e), weight.dtype), np.zeros((padded, len(bias)), weight.dtype)
        slopes, by_position = np.zeros((heads, padded), weight.dtype), np.zeros((padded, len(bias)), weight.dtype)
        for j in range(block * _BLOCK, min(block * _BLOCK + _BLOCK, g)):
            _encode(offsets[j], turned, bias, encoded)
            _gather(keys_values, 1, indices[j], rows)
            for head in range(heads):
                by_value, by_encoding, of_head = grad_values[j, head], grad_encodings[j, head], slopes[head]
                for n in range(k):
                    of_head[n] = _dot(by_value, rows[n], head * e) + _dot(by_encoding, encoded[n], 0)
                _softmax_slopes(weights[j, head], of_head)
                grad_scores[j, head] = of_head[:k]
            _gather(keys_values, 0, indices[j], rows)
            grad_queries[j] = 0
            grad_position_queries[j] = 0
            for head in range(heads):
                _add_rows(slopes[head], rows, head * e, grad_queries[j, head])
                _add_rows(slopes[head], encoded, 0, grad_position_queries[j, head])
            _position_slopes(slopes, position_queries[j], weights[j], grad_encodings[j], encoded, by_position)
            _add_encoder_slopes(by_position, offsets[j], grad_encoder[block])


@no_type_check
@numba.njit(**_OPTIONS)
def _softmax_slopes(weights, slopes):
    """From slopes by the weights to slopes by the scores, in place."""
    mean = weights.dtype.type(0)
    for n in range(len(weights)):
        mean += weights[n] * slopes[n]
    for n in range(len(weights)):
        slopes[n] = weights[n] * (slopes[n] - mean)


@no_type_check
@numba.njit(**_OPTIONS)
def _position_slopes(slopes, position_queries, weights, grad_encodings, encoded, out):
    """Slopes by what the encoding's rectifier takes."""
    zero = out.dtype.type(0)
    for n in range(weights.shape[1]):
        row, through = out[n], encoded[n]
        row[:] = zero
        for head in range(len(weights)):
            a, b, of_score, w = position_queries[head], grad_encodings[head], slopes[head, n], weights[head, n]
            for i in range(len(row)):
                row[i] += of_score * a[i] + w * b[i]
        for i in range(len(row)):
            row[i] = row[i] if through[i] > zero else zero


@no_type_check
@numba.njit(**_OPTIONS)
def _add_encoder_slopes(slopes, offsets, out):
    for n in range(len(offsets)):
        row, x, y, z = slopes[n], offsets[n, 0], offsets[n, 1], offsets[n, 2]
        of_x, of_y, of_z, of_bias = out[0], out[1], out[2], out[3]
        for i in range(len(row)):
            of_x[i] += row[i] * x
            of_y[i] += row[i] * y
            of_z[i] += row[i] * z
            of_bias[i] += row[i]


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def _backward_rows(starts, order, queries, grad_values, weights, grad_scores, out):
    heads, k = weights.shape[1:]
    e = queries.shape[2]
    m = len(out)
    for block in numba.prange((m + _BLOCK - 1) // _BLOCK):
        of_keys, of_values = np.zeros((_GROUP, heads * e), out.dtype), np.zeros((_GROUP, heads * e), out.dtype)
        factors = np.zeros((2, heads, _GROUP), out.dtype)
        for row in range(block * _BLOCK, min(block * _BLOCK + _BLOCK, m)):
            out[row] = 0
            for first in range(starts[row], starts[row + 1], _GROUP):
                factors[:] = 0
                for at in range(first, min(first + _GROUP, starts[row + 1])):
                    j, n, to = order[at] // k, order[at] % k, at - first
                    from_queries, from_values = queries[j].ravel(), grad_values[j].ravel()
                    to_keys, to_values = of_keys[to], of_values[to]
                    for i in range(heads * e):
                        to_keys[i] = from_queries[i]
                    for i in range(heads * e):
                        to_values[i] = from_values[i]
                    for head in range(heads):
                        factors[0, head, to], factors[1, head, to] = grad_scores[j, head, n], weights[j, head, n]
                for head in range(heads):
                    _add_rows(factors[0, head], of_keys, head * e, out[row, 0, head])
                    _add_rows(factors[1, head], of_values, head * e, out[row, 1, head])
