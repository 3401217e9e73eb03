"""Structural similarity and its gradients on the CPU, all steps in one pass over the rows.

A row of the result needs eleven rows of the images: these are multiplied and added up first, then the sums are filtered along
the row, while all of it lies in the first-level cache. Each row is made by one thread from the images alone, so the bits do not
depend on the number of threads. Rows keep their channels interleaved: a neighbour lies ``c`` numbers away.

Of the moments only four are needed, E[x], E[y], E[x^2 + y^2] and E[xy], since the variances come as a sum. The filter is
symmetric and the images are 0 outside, so it is its own adjoint, and the gradient is again three filtered maps.
"""

from __future__ import annotations

import math
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...core.threads import parallel_code
from .torch_ssim import C1, C2, WINDOW, window_weights

_HALF = WINDOW // 2
_BLOCK = 8
"""Rows that a thread takes at once."""
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


def ssim(image: Float[Tensor, "n h w c"], target: Float[Tensor, "n h w c"]) -> Float[Tensor, "n"]:
    """Mean of the similarity over pixels and channels; beyond its borders an image is 0. Half precisions become single."""
    if image.dtype in (torch.float32, torch.float64):
        return _Ssim.apply(image, target)
    return _Ssim.apply(image.float(), target.float()).to(image.dtype)


class _Ssim(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, target: Tensor) -> Tensor:
        x, y = _rows(image), _rows(target)
        n, h, m = x.shape
        wanted = 4 if ctx.needs_input_grad[1] else 3 if ctx.needs_input_grad[0] else 0
        slopes, sums = np.empty((wanted, n, h, m), x.dtype), np.empty((n, h))
        with parallel_code():
            _similarity(x, y, image.shape[3], _weights(x.dtype), _constants(x.dtype), sums, slopes)
        ctx.save_for_backward(image, target)
        ctx.slopes = slopes
        return torch.from_numpy(sums.sum(1) / (h * m)).to(image.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        image, target = ctx.saved_tensors
        grads: list[Tensor | None] = [None, None]
        for place, (one, other) in enumerate(((image, target), (target, image))):
            if ctx.needs_input_grad[place]:
                grads[place] = _gradient_of(one, other, grad, ctx.slopes[[3 * place, 1, 2]] if place else ctx.slopes)
        return grads[0], grads[1]


def _gradient_of(one: Tensor, other: Tensor, grad: Tensor, slopes: np.ndarray) -> Tensor:
    out = torch.empty(one.shape, dtype=one.dtype)
    scales = (grad.double() / math.prod(one.shape[1:])).to(one.dtype).numpy()
    with parallel_code():
        _gradient(slopes, _rows(one), _rows(other), one.shape[3], _weights(slopes.dtype), scales, _rows(out))
    return out


def _rows(images: Tensor) -> np.ndarray:
    """A view, or a copy where the images are not contiguous."""
    n, h, w, c = images.shape
    return images.detach().contiguous().view(n, h, w * c).numpy()


def _weights(dtype: np.dtype) -> np.ndarray:
    """From the window's edge to its centre, whose weight is halved since the loops take pairs of equal weight."""
    weights = window_weights()[: _HALF + 1].clone()
    weights[_HALF] /= 2
    return weights.numpy().astype(dtype)


def _constants(dtype: np.dtype) -> tuple[Any, Any, Any]:
    return dtype.type(C1), dtype.type(C2), dtype.type(1)


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def _similarity(
    x: np.ndarray, y: np.ndarray, c: int, weights: np.ndarray, constants: tuple, sums: np.ndarray, slopes: np.ndarray
) -> None:
    n, h, m = x.shape
    edge = _HALF * c
    blocks = (h + _BLOCK - 1) // _BLOCK
    for task in numba.prange(n * blocks):
        i, first = task // blocks, task % blocks * _BLOCK
        nothing = np.zeros(m, x.dtype)
        wide = np.zeros((4, m + 2 * edge), x.dtype)
        means, spare = np.empty((4, m), x.dtype), np.empty((5, m), x.dtype)
        for row in range(first, min(first + _BLOCK, h)):
            wide[:, edge : edge + m] = 0
            for tap in range(_HALF + 1):
                above, below = row - _HALF + tap, row + _HALF - tap
                x0, y0 = (x[i, above], y[i, above]) if above >= 0 else (nothing, nothing)
                x1, y1 = (x[i, below], y[i, below]) if below < h else (nothing, nothing)
                of_x, of_y = wide[0, edge : edge + m], wide[1, edge : edge + m]
                of_squares, of_products = wide[2, edge : edge + m], wide[3, edge : edge + m]
                _add_moments(x0, x1, y0, y1, weights[tap], of_x, of_y, of_squares, of_products)
            for k in range(4):
                _filter_row(wide[k], weights, c, means[k])
            _compare(means, constants, spare)
            sums[i, row] = _sum(spare[0])
            for k in range(len(slopes)):
                slopes[k, i, row] = spare[k + 1]


@no_type_check
@numba.njit(parallel=True, **_OPTIONS)
def _gradient(
    slopes: np.ndarray, x: np.ndarray, y: np.ndarray, c: int, weights: np.ndarray, scales: np.ndarray, out: np.ndarray
) -> None:
    n, h, m = x.shape
    edge = _HALF * c
    blocks = (h + _BLOCK - 1) // _BLOCK
    for task in numba.prange(n * blocks):
        i, first = task // blocks, task % blocks * _BLOCK
        nothing = np.zeros(m, x.dtype)
        wide = np.zeros((3, m + 2 * edge), x.dtype)
        means = np.empty((3, m), x.dtype)
        for row in range(first, min(first + _BLOCK, h)):
            for k in range(3):
                middle = wide[k, edge : edge + m]
                middle[:] = 0
                for tap in range(_HALF + 1):
                    above, below = row - _HALF + tap, row + _HALF - tap
                    a = slopes[k, i, above] if above >= 0 else nothing
                    b = slopes[k, i, below] if below < h else nothing
                    _add_pair(a, b, weights[tap], middle)
                _filter_row(wide[k], weights, c, means[k])
            _collect(means, x[i, row], y[i, row], scales[i], out[i, row])


@no_type_check
@numba.njit(**_OPTIONS)
def _add_moments(x0, x1, y0, y1, weight, of_x, of_y, of_squares, of_products) -> None:
    """Add the moments of two rows of equal weight. Sums come one by one: of a block's part numba makes slower code."""
    for i in range(len(x0)):
        of_x[i] += weight * (x0[i] + x1[i])
        of_y[i] += weight * (y0[i] + y1[i])
        of_squares[i] += weight * (x0[i] * x0[i] + y0[i] * y0[i] + x1[i] * x1[i] + y1[i] * y1[i])
        of_products[i] += weight * (x0[i] * y0[i] + x1[i] * y1[i])


@no_type_check
@numba.njit(**_OPTIONS)
def _add_pair(a: np.ndarray, b: np.ndarray, weight: float, out: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] += weight * (a[i] + b[i])


@no_type_check
@numba.njit(**_OPTIONS)
def _filter_row(wide: np.ndarray, weights: np.ndarray, c: int, out: np.ndarray) -> None:
    """Filter along a row that has five pixels of zeros on both sides. Written out, so that it becomes vector code."""
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    a, b, d, e, f, g = wide, wide[c:], wide[2 * c :], wide[3 * c :], wide[4 * c :], wide[5 * c :]
    z, y, x, w, v = wide[10 * c :], wide[9 * c :], wide[8 * c :], wide[7 * c :], wide[6 * c :]
    for i in range(len(out)):
        outer = w0 * (a[i] + z[i]) + w1 * (b[i] + y[i]) + w2 * (d[i] + x[i])
        out[i] = outer + w3 * (e[i] + w[i]) + w4 * (f[i] + v[i]) + w5 * (g[i] + g[i])


@no_type_check
@numba.njit(**_OPTIONS)
def _compare(means: np.ndarray, constants: tuple, out: np.ndarray) -> None:
    """The similarity, then its slopes by E[x], half E[x^2], E[xy] and E[y]."""
    c1, c2, one = constants
    of_x, of_y, of_squares, of_products = means[0], means[1], means[2], means[3]
    similarity, slope_x, slope_squares, slope_products, slope_y = out[0], out[1], out[2], out[3], out[4]
    for i in range(len(of_x)):
        a, b = of_x[i], of_y[i]
        product, squares = a * b, a * a + b * b
        covariance = of_products[i] - product
        light, light_over = product + product + c1, squares + c1
        texture, texture_over = covariance + covariance + c2, of_squares[i] - squares + c2
        inverse = one / (light_over * texture_over)
        s = light * texture * inverse
        mixed, own = (texture - light) * inverse, s * (light_over - texture_over) * inverse
        similarity[i] = s
        slope_x[i] = b * mixed + b * mixed + a * own + a * own
        slope_y[i] = a * mixed + a * mixed + b * own + b * own
        slope_squares[i] = -(s + s) * light_over * inverse
        slope_products[i] = (light + light) * inverse


@no_type_check
@numba.njit(**_OPTIONS)
def _collect(means: np.ndarray, x: np.ndarray, y: np.ndarray, scale: float, out: np.ndarray) -> None:
    first, second, third = means[0], means[1], means[2]
    for i in range(len(out)):
        out[i] = scale * (first[i] + x[i] * second[i] + y[i] * third[i])


@no_type_check
@numba.njit(cache=True, nogil=True)
def _sum(values: np.ndarray) -> float:
    """In double precision, eight sums side by side, so that one need not wait for the other."""
    lanes = np.zeros(8)
    whole = len(values) // 8 * 8
    for start in range(0, whole, 8):
        for k in range(8):
            lanes[k] += values[start + k]
    for i in range(whole, len(values)):
        lanes[i - whole] += values[i]
    return lanes.sum()
