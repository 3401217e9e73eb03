"""Interpolation that stops at edges of a photo: fast global smoothing (Min et al., IEEE TIP 2014)."""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float
from numba import njit
from torch import Tensor

from ...core.threads import parallel_code


def spread(
    values: Float[Tensor, "h w c"],
    guide: Float[Tensor, "h w 3"],
    *,
    reach_px: float = 30.0,
    edge: float = 0.03,
    rounds: int = 3,
) -> Float[Tensor, "h w c"]:
    """Smooth maps within regions of one colour. Sums are kept but for what edges hold up.

    Values times weights and the weights, spread alike, give an interpolation by division. Rows and columns are solved in turn,
    each as a tridiagonal system; the same bits from any number of threads.

    Args:
        values: Maps.
        guide: Photo, 0..1.
        reach_px: How far values spread where the photo is even.
        edge: Difference of colour that cuts the coupling of two pixels to 1 / e.
        rounds: Of rows and columns; more leave fewer streaks.
    """
    out = values.detach().cpu().double().contiguous().numpy().copy()
    colors = guide.detach().cpu().double().numpy()
    coupling = [np.exp(-np.abs(np.diff(colors, axis=axis)).max(-1) / edge) for axis in (1, 0)]
    down = np.ascontiguousarray(coupling[1].T)
    with parallel_code():
        for number in range(rounds):
            strength = reach_px**2 * 1.5 * 4.0 ** (rounds - 1 - number) / (4.0**rounds - 1)
            _solve_lines(out, coupling[0], strength)
            turned = np.ascontiguousarray(out.transpose(1, 0, 2))
            _solve_lines(turned, down, strength)
            out = np.ascontiguousarray(turned.transpose(1, 0, 2))
    return torch.from_numpy(out).to(values)


@no_type_check
@njit(cache=True, error_model="numpy", parallel=True)
def _solve_lines(values, coupling, strength):
    """(1 + L) x = values along each line, where L is the weighted Laplacian; by elimination, in place."""
    lines, n, channels = values.shape
    for line in numba.prange(lines):
        ratio = np.empty(n)
        before = 0.0
        for i in range(n):
            after = strength * coupling[line, i] if i < n - 1 else 0.0
            pivot = 1.0 + before + after + (before * ratio[i - 1] if i else 0.0)
            ratio[i] = -after / pivot
            for k in range(channels):
                carried = before * values[line, i - 1, k] if i else 0.0
                values[line, i, k] = (values[line, i, k] + carried) / pivot
            before = after
        for i in range(n - 2, -1, -1):
            for k in range(channels):
                values[line, i, k] -= ratio[i] * values[line, i + 1, k]
