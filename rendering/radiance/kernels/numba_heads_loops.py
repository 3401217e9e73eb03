"""Both networks of a field, a block of samples at a time: everything between encoding and logits stays in the first caches.

A block has its values in the first rows and, for derivatives along a direction, their tangents in as many rows after them: the
linear layers treat both alike, only biases and activations do not. Samples are cut into chunks of a fixed size; the weights'
gradients are summed within each and then over the chunks in their order, so that bits do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple, no_type_check

import numba
import numpy as np

from .softplus import activate, activate_tangent
from .tiles import SIDE, add_outer_product, add_product

ROWS = 128
"""Samples of a block; a multiple of a tile's side."""
CHUNK = 4096
"""Samples whose weight gradients are summed together; a multiple of the rows."""
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


class Network(NamedTuple):
    """Linear layers one after the other; rows and columns of all matrices are filled up with zeros to whole tiles."""

    widths: np.ndarray
    """Inputs of each layer, then the outputs of the last."""
    weights: np.ndarray
    """Matrices (in, out)."""
    turned: np.ndarray
    """The same as (out, in)."""
    biases: np.ndarray
    is_softplus: bool


@no_type_check
@numba.njit(**_OPTIONS)
def _whole(columns):
    return (columns + SIDE - 1) // SIDE * SIDE


@no_type_check
@numba.njit(**_OPTIONS)
def _matrix(flat, rows, columns):
    """The first numbers of a buffer as a matrix."""
    return flat[: rows * columns].reshape((rows, columns))


@no_type_check
@numba.njit(**_OPTIONS)
def _forward(net, acts, slopes, curves, first, rows, keep):
    """One network, from buffer ``first`` on: each layer into the next buffer. ``keep``: what backward needs."""
    layers, at, at_bias = len(net.widths) - 1, 0, 0
    for layer in range(layers):
        here, there = _whole(net.widths[layer]), _whole(net.widths[layer + 1])
        place, size = first + layer + 1, ROWS * there
        x, y = _matrix(acts[place - 1], rows, here), _matrix(acts[place], rows, there)
        bias = net.biases[at_bias : at_bias + there]
        for row in range(ROWS):
            for k in range(there):
                y[row, k] = bias[k]
        y[ROWS:] = 0
        add_product(x, _matrix(net.weights[at:], here, there), net.widths[layer], y)
        at, at_bias = at + here * there, at_bias + there
        if layer + 1 < layers:
            slope = slopes[place, : size if keep or rows > ROWS else 0]
            activate(acts[place, :size], net.is_softplus, slope)
            if rows > ROWS:
                curve = curves[place, : size if keep else 0]
                activate_tangent(acts[place, size : 2 * size], slope, net.is_softplus, curve)


@no_type_check
@numba.njit(**_OPTIONS)
def _backward(net, acts, grads, slopes, curves, first, rows, sums, sums_bias):
    """From the gradient in the buffer behind a network to that before it; adds the weights' gradients to ``sums``."""
    at, at_bias = len(net.weights), len(net.biases)
    for layer in range(len(net.widths) - 2, -1, -1):
        here, there = _whole(net.widths[layer]), _whole(net.widths[layer + 1])
        at, at_bias, place, size = at - here * there, at_bias - there, first + layer, ROWS * here
        x, g = _matrix(acts[place], rows, here), _matrix(grads[place + 1], rows, there)
        add_outer_product(x, g, rows, _matrix(sums[at:], here, there))
        _add_columns(g, sums_bias[at_bias : at_bias + there])
        back = _matrix(grads[place], rows, here)
        back[:] = 0
        add_product(g, _matrix(net.turned[at:], there, here), net.widths[layer + 1], back)
        if layer > 0:
            values = grads[place, :size]
            _multiply(values, slopes[place])
            if rows > ROWS:
                tangents = grads[place, size : 2 * size]
                _add_products(values, tangents, curves[place])
                _multiply(tangents, slopes[place])


@no_type_check
@numba.njit(**_OPTIONS)
def _add_columns(values, sums):
    """Add the rows of values (not of tangents), four at a time, so that one need not wait for the other."""
    for row in range(0, ROWS, 4):
        a, b, c, d = values[row], values[row + 1], values[row + 2], values[row + 3]
        for k in range(len(sums)):
            sums[k] += (a[k] + b[k]) + (c[k] + d[k])


@no_type_check
@numba.njit(**_OPTIONS)
def _multiply(values, factors):
    for i in range(len(values)):
        values[i] *= factors[i]


@no_type_check
@numba.njit(**_OPTIONS)
def _add_products(values, others, factors):
    for i in range(len(values)):
        values[i] += others[i] * factors[i]


@no_type_check
@numba.njit(**_OPTIONS)
def _load(source, first, count, target):
    """Rows of ``source`` into the first columns of ``target``; what lies beyond is 0."""
    columns = source.shape[1]
    target[:] = 0
    for row in range(count):
        for k in range(columns):
            target[row, k] = source[first + row, k]


@no_type_check
@numba.njit(**_OPTIONS)
def _join(geometry, features, views, rays, first, count, target):
    """The head's input: the encoded direction, then the geometry features."""
    columns = views.shape[1]
    target[:] = 0
    for row in range(count):
        view = views[rays[first + row] if len(rays) else first + row]
        for k in range(columns):
            target[row, k] = view[k]
        for k in range(1, features):
            target[row, columns + k - 1] = geometry[row, k]


@no_type_check
@numba.njit(**_OPTIONS)
def _buffers(base, head, rows, dtype):
    """One a layer's input, and one behind each network."""
    widest = max(base.widths.max(), head.widths.max())
    return np.empty((len(base.widths) + len(head.widths), rows * _whole(widest)), dtype)


@no_type_check
@numba.njit(**_OPTIONS)
def _run(inputs, views, rays, base, head, first, count, acts, slopes, curves, keep):
    """Both networks on one block. ``inputs`` and ``views``: values, then perhaps tangents."""
    rows, middle = ROWS * len(inputs), len(base.widths) - 1
    x, geometry = (
        _matrix(acts[0], rows, _whole(base.widths[0])),
        _matrix(acts[middle], rows, _whole(base.widths[middle])),
    )
    seen = _matrix(acts[middle + 1], rows, _whole(head.widths[0]))
    for part in range(len(inputs)):
        _load(inputs[part], first, count, x[part * ROWS : (part + 1) * ROWS])
    _forward(base, acts, slopes, curves, 0, rows, keep)
    for part in range(len(inputs)):
        block = slice(part * ROWS, (part + 1) * ROWS)
        _join(geometry[block], base.widths[middle], views[part], rays, first, count, seen[block])
    _forward(head, acts, slopes, curves, middle + 1, rows, keep)


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def density_logits(inputs, base, out):
    """Fill ``out`` (s) with the base network's first number."""
    n, middle = len(inputs), len(base.widths) - 1
    for chunk in numba.prange((n + CHUNK - 1) // CHUNK):
        acts = _buffers(base, base, ROWS, inputs.dtype)
        spare = np.empty((len(acts), 0), inputs.dtype)
        for first in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n), ROWS):
            count = min(ROWS, n - first)
            _load(inputs, first, count, _matrix(acts[0], ROWS, _whole(base.widths[0])))
            _forward(base, acts, spare, spare, 0, ROWS, False)
            last = _matrix(acts[middle], ROWS, _whole(base.widths[middle]))
            for row in range(count):
                out[first + row] = last[row, 0]


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def logits(inputs, views, rays, base, head, sigma, rgb):
    """Fill density logits (p, s) and colour logits (p, s, c), p = 2 with tangents, else 1."""
    n, middle = inputs.shape[1], len(base.widths) - 1
    parts, last = len(inputs), len(base.widths) + len(head.widths) - 1
    for chunk in numba.prange((n + CHUNK - 1) // CHUNK):
        rows = ROWS * parts
        acts = _buffers(base, head, rows, inputs.dtype)
        slopes = _buffers(base, head, ROWS if parts > 1 else 0, inputs.dtype)
        curves = np.empty((len(acts), 0), inputs.dtype)
        geometry = _matrix(acts[middle], rows, _whole(base.widths[middle]))
        colours = _matrix(acts[last], rows, _whole(rgb.shape[2]))
        for first in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n), ROWS):
            count = min(ROWS, n - first)
            _run(inputs, views, rays, base, head, first, count, acts, slopes, curves, False)
            for part in range(parts):
                for row in range(count):
                    sigma[part, first + row] = geometry[part * ROWS + row, 0]
                    for k in range(rgb.shape[2]):
                        rgb[part, first + row, k] = colours[part * ROWS + row, k]


@no_type_check
@numba.njit(**_OPTIONS)
def _split(seen, views, features, sigma, first, count, geometry, grad_views):
    """The gradient of the head's input goes to the geometry features, whose first number is the density's, and to the views."""
    geometry[:] = 0
    for row in range(count):
        geometry[row, 0] = sigma[first + row]
        for k in range(1, features):
            geometry[row, k] = seen[row, views + k - 1]
    for row in range(count if len(grad_views) else 0):
        for k in range(views):
            grad_views[first + row, k] = seen[row, k]


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def logits_backward(inputs, views, rays, base, head, sigma, rgb, grad_inputs, grad_views, sums):
    """Fill gradients of the inputs (p, s, e) and of each sample's view (p, s, v; or without samples, if nobody asks).

    Args:
        inputs: And what follows: as forward.
        sigma: Gradient of the density logits.
        rgb: Gradient of the colour logits.
        grad_inputs: To fill.
        grad_views: To fill.
        sums: One row a chunk, zeros, to add gradients to: weights, then biases of the base, then those of the head.
    """
    n, parts, middle = inputs.shape[1], len(inputs), len(base.widths) - 1
    features, last = base.widths[middle], len(base.widths) + len(head.widths) - 1
    a, b = len(base.weights), len(base.weights) + len(base.biases)
    c = b + len(head.weights)
    for chunk in numba.prange((n + CHUNK - 1) // CHUNK):
        rows = ROWS * parts
        acts, grads = _buffers(base, head, rows, inputs.dtype), _buffers(base, head, rows, inputs.dtype)
        slopes, curves = _buffers(base, head, ROWS, inputs.dtype), _buffers(base, head, ROWS, inputs.dtype)
        behind = _matrix(grads[last], rows, _whole(rgb.shape[2]))
        seen = _matrix(grads[middle + 1], rows, _whole(head.widths[0]))
        geometry = _matrix(grads[middle], rows, _whole(features))
        before = _matrix(grads[0], rows, _whole(base.widths[0]))
        for first in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n), ROWS):
            count = min(ROWS, n - first)
            _run(inputs, views, rays, base, head, first, count, acts, slopes, curves, True)
            for part in range(parts):
                _load(rgb[part], first, count, behind[part * ROWS : (part + 1) * ROWS])
            _backward(head, acts, grads, slopes, curves, middle + 1, rows, sums[chunk, b:c], sums[chunk, c:])
            for part in range(parts):
                block = slice(part * ROWS, (part + 1) * ROWS)
                _split(
                    seen[block], views.shape[2], features, sigma[part], first, count, geometry[block], grad_views[part]
                )
            _backward(base, acts, grads, slopes, curves, 0, rows, sums[chunk, :a], sums[chunk, a:b])
            for part in range(parts):
                for row in range(count):
                    for k in range(inputs.shape[2]):
                        grad_inputs[part, first + row, k] = before[part * ROWS + row, k]


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def density_logits_backward(inputs, base, sigma, grad_inputs, sums):
    """The same of :func:`density_logits`."""
    n, middle = len(inputs), len(base.widths) - 1
    a = len(base.weights)
    for chunk in numba.prange((n + CHUNK - 1) // CHUNK):
        acts, grads = _buffers(base, base, ROWS, inputs.dtype), _buffers(base, base, ROWS, inputs.dtype)
        slopes, curves = _buffers(base, base, ROWS, inputs.dtype), np.empty((len(acts), 0), inputs.dtype)
        before = _matrix(grads[0], ROWS, _whole(base.widths[0]))
        behind = _matrix(grads[middle], ROWS, _whole(base.widths[middle]))
        for first in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n), ROWS):
            count = min(ROWS, n - first)
            _load(inputs, first, count, _matrix(acts[0], ROWS, _whole(base.widths[0])))
            _forward(base, acts, slopes, curves, 0, ROWS, True)
            behind[:] = 0
            for row in range(count):
                behind[row, 0] = sigma[first + row]
            _backward(base, acts, grads, slopes, curves, 0, ROWS, sums[chunk, :a], sums[chunk, a:])
            for row in range(count):
                for k in range(inputs.shape[1]):
                    grad_inputs[first + row, k] = before[row, k]


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def sum_chunks(sums, out):
    """Add the chunks' sums, first to last, in double precision."""
    for block in numba.prange((sums.shape[1] + 255) // 256):
        stop = min((block + 1) * 256, sums.shape[1])
        totals = np.zeros(256)
        for chunk in range(len(sums)):
            for k in range(block * 256, stop):
                totals[k - block * 256] += sums[chunk, k]
        for k in range(block * 256, stop):
            out[k] = totals[k - block * 256]


@no_type_check
@numba.njit(**_OPTIONS)
def add_rows(values, rays, out):
    """Add each sample's row (p, s, v) to that of its ray (p, r, v); without ``rays`` each is its own."""
    for part in range(len(values)):
        for row in range(values.shape[1]):
            ray = rays[row] if len(rays) else row
            for k in range(values.shape[2]):
                out[part, ray, k] += values[part, row, k]
