"""Slanted windows: every pixel gets the plane in space under which its window looks most alike in the other photos.

After Bleyer et al. (BMVC 2011) and Schoenberger et al. (ECCV 2016): candidates are the planes of pixels nearby, and small
random changes. A plane is affine in inverse depth over the image, so it is kept as the inverse depth and its two differences
a pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Float
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from ...core.threads import parallel_code
from .similarity import box_mean
from .warping import PairWarp

f32 = np.float32
_NOISE = f32(1e-5)  # as in similarity.NOISE_VARIANCE; jitted code takes constants of its own module alone


@dataclass(frozen=True)
class SearchConfig:
    """How planes are searched."""

    radius: int = 4
    """Of windows, in pixels; every second pixel of them is looked at."""
    contrast: float = 8.0
    """How fast a window's pixels lose weight as they differ from its middle (grey values of 0..1)."""
    steps: tuple[tuple[int, ...], ...] = ((1, 3, 7), (1, 2, 5), (1, 3))
    """Distances of the pixels whose planes are tried, in each round; the last repeats."""
    n_random: int = 4
    """Random changes tried a pixel and round."""
    margin: float = 0.003
    """By so much a plane must be better than the one before it, so that flat surfaces do not become ragged for nothing."""


@dataclass(frozen=True, eq=False)
class PixelPlanes:
    """Planes in space, one a pixel."""

    planes: Float[Tensor, "h w 3"]
    """Inverse depth at the pixel's centre (1 / metres), and its change by one pixel to the right and downwards."""
    similarity: Float[Tensor, "h w"]
    """-1..1; -1 where no other photo shows the place."""

    @property
    def inverse_depth(self) -> Float[Tensor, "h w"]:
        """At the pixels' centres."""
        return self.planes[..., 0]

    @classmethod
    def through(cls, inverse_depth: Float[Tensor, "h w"], focal: float) -> PixelPlanes:
        """Planes that follow a map of inverse depth, no steeper than 63 degrees."""
        smooth = box_mean(inverse_depth, 2)
        right, down = torch.gradient(smooth, dim=(1, 0))
        steepest = 2 * inverse_depth / focal
        slopes = [torch.minimum(torch.maximum(slope, -steepest), steepest) for slope in (right, down)]
        planes = torch.stack([inverse_depth, *slopes], -1)
        return cls(planes, planes.new_zeros(planes.shape[:2]))

    def enlarged(self, height: int, width: int) -> PixelPlanes:
        """The same planes at the pixels of a larger image."""
        rows, row_shift = _coarse_rows(height, len(self.planes), self.planes)
        columns, column_shift = _coarse_rows(width, self.planes.shape[1], self.planes)
        w, right, down = self.planes[rows][:, columns].unbind(-1)
        w = w + right * column_shift + down * row_shift[:, None]
        finer = torch.stack([w, right * (self.planes.shape[1] / width), down * (len(self.planes) / height)], -1)
        return PixelPlanes(finer, self.similarity[rows][:, columns])


def _coarse_rows(n: int, n_coarse: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """For each fine row the coarse one that holds it, and how far it lies from its middle, in coarse rows."""
    at = (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) * (n_coarse / n)
    row = at.floor().clamp_max(n_coarse - 1)
    return row.long(), at - row - 0.5


@dataclass(frozen=True, eq=False)
class Photos:
    """A grey reference photo, and the others that it is compared with."""

    reference: Float[Tensor, "h w"]
    sources: list[Float[Tensor, "h w"]]
    ways: list[PairWarp]
    focal: float
    """Of the reference, in pixels."""


def search(
    photos: Photos,
    start: PixelPlanes,
    limits: tuple[float, float],
    *,
    reach: float,
    rounds: int,
    config: SearchConfig | None = None,
) -> PixelPlanes:
    """Improve planes.

    The same bits from any number of threads: the pixels of one colour of a chess board change at a time, and random numbers
    are a function of pixel and round.

    Args:
        photos: What is compared.
        start: Planes to begin with, at the photos' size.
        limits: Least and greatest inverse depth.
        reach: Of random changes of inverse depth in the first round; it halves with each.
        rounds: Passes over the image.
        config: Further settings.
    """
    c = config or SearchConfig()
    at = np.arange(-c.radius, c.radius + 1, 2, dtype=np.float32)
    dy, dx = (np.ascontiguousarray(a.ravel()) for a in np.meshgrid(at, at, indexing="ij"))
    image = _array(photos.reference) - f32(0.5)
    sources = np.stack([_array(source).ravel() for source in photos.sources]) - f32(0.5)
    ways = [torch.cat([way.at_infinity, way.epipole[:, None]], 1) for way in photos.ways]
    warps = torch.stack(ways).float().numpy()
    planes = _array(start.planes).copy()
    costs = np.empty(planes.shape[:2], np.float32)
    bounds = np.array(limits, np.float32)
    with parallel_code():
        for number in range(rounds):
            steps = np.array(c.steps[min(number, len(c.steps) - 1)])
            spans = f32(reach * 0.5**number), f32(0.5**number / photos.focal)
            for parity in (0, 1):
                _improve(
                    image, sources, warps, planes, costs, dx, dy, steps, bounds, *spans,
                    f32(c.contrast), f32(c.margin), c.n_random, number, parity,
                )  # fmt: skip
    return PixelPlanes(torch.from_numpy(planes), torch.from_numpy(1 - costs))


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.detach().cpu().float().contiguous().numpy()


@no_type_check
@njit(error_model="numpy")
def _uniform(a, b, c, d):
    """A number in -1..1 that depends on nothing but four integers."""
    low = np.uint64(0xFFFFFFFF)  # jitted code makes 64 bits of products of 32: they are cut off by hand
    h = np.uint64(a) * np.uint64(0x9E3779B1) ^ np.uint64(b) * np.uint64(0x85EBCA77)
    h = (h ^ np.uint64(c) * np.uint64(0xC2B2AE3D) ^ np.uint64(d) * np.uint64(0x27D4EB2F)) & low
    h ^= h >> np.uint64(15)
    h = h * np.uint64(0x2C1B3C6D) & low
    h ^= h >> np.uint64(12)
    h = h * np.uint64(0x297A2D39) & low
    h ^= h >> np.uint64(15)
    return f32(h) * f32(2.0 / 4294967296.0) - f32(1.0)


@no_type_check
@njit(error_model="numpy", fastmath=True, inline="always")
def _window_sums(flat, cols, top_u, top_v, u, v, ux, uy, vx, vy, dx, dy, weight, weighted):
    """Sums of weight * s, weight * s * s and weight * r * s over a window; written so that it becomes vector code."""
    s0, s1, s2 = f32(0), f32(0), f32(0)
    for k in range(len(weight)):
        x = min(max(u + dx[k] * ux + dy[k] * uy, f32(0)), top_u)
        y = min(max(v + dx[k] * vx + dy[k] * vy, f32(0)), top_v)
        j, i = np.int32(x), np.int32(y)
        fx, fy = x - f32(j), y - f32(i)
        at = np.uint32(i * cols + j)
        a, b = flat[at], flat[at + np.uint32(1)]
        c, d = flat[at + np.uint32(cols)], flat[at + np.uint32(cols) + np.uint32(1)]
        top = a + fx * (b - a)
        grey = top + fy * (c + fx * (d - c) - top)
        part = weight[k] * grey
        s0 += part
        s1 += part * grey
        s2 += weighted[k] * grey
    return s0, s1, s2


@no_type_check
@njit(error_model="numpy", fastmath=True)
def _plane_cost(sources, rows, cols, warps, x, y, w, gx, gy, dx, dy, weight, weighted, mean, variance, found):
    """1 - correlation, the mean of the better half of the sources that see the pixel; 2 where none does."""
    n_seen = 0
    top_u, top_v = f32(cols - 1.001), f32(rows - 1.001)
    for s in range(len(sources)):
        a, b, c, e = warps[s, 0, 0], warps[s, 0, 1], warps[s, 0, 2], warps[s, 0, 3]
        u, ux, uy = a * x + b * y + c + e * w, a + e * gx, b + e * gy
        a, b, c, e = warps[s, 1, 0], warps[s, 1, 1], warps[s, 1, 2], warps[s, 1, 3]
        v, vx, vy = a * x + b * y + c + e * w, a + e * gx, b + e * gy
        a, b, c, e = warps[s, 2, 0], warps[s, 2, 1], warps[s, 2, 2], warps[s, 2, 3]
        q, qx, qy = a * x + b * y + c + e * w, a + e * gx, b + e * gy
        if q <= f32(1e-3):
            continue
        inverse = f32(1) / q
        u, v = u * inverse, v * inverse
        if u <= f32(0) or v <= f32(0) or u >= f32(cols) or v >= f32(rows):
            continue
        s0, s1, s2 = _window_sums(  # the window's homography by its derivatives at the middle: off by 0.02 pixels at most
            sources[s], np.int32(cols), top_u, top_v, u - f32(0.5), v - f32(0.5),
            (ux - u * qx) * inverse, (uy - u * qy) * inverse, (vx - v * qx) * inverse, (vy - v * qy) * inverse,
            dx, dy, weight, weighted,
        )  # fmt: skip
        spread = max(s1 - s0 * s0, f32(0)) + _NOISE
        cost = f32(1) - (s2 - mean * s0) / math.sqrt(variance * spread)
        at = n_seen
        while at > 0 and found[at - 1] > cost:
            found[at] = found[at - 1]
            at -= 1
        found[at] = cost
        n_seen += 1
    if n_seen == 0:
        return f32(2)
    half = (n_seen + 1) // 2
    total = f32(0)
    for k in range(half):
        total += found[k]
    return total / f32(half)


@no_type_check
@njit(error_model="numpy")
def _measure_window(image, x, y, dx, dy, contrast, weight, weighted):
    """Weights of a window's pixels (those that look like the middle lie on its surface more likely), mean and variance."""
    rows, cols = image.shape
    middle = image[y, x]
    total, first, second = f32(0), f32(0), f32(0)
    for k in range(len(dx)):
        i = min(max(y + int(dy[k]), 0), rows - 1)
        j = min(max(x + int(dx[k]), 0), cols - 1)
        near = f32(1) + abs(image[i, j] - middle) * contrast
        weight[k], weighted[k] = f32(1) / (near * near), image[i, j]
        total += weight[k]
    for k in range(len(dx)):
        grey = weighted[k]
        weight[k] /= total
        weighted[k] = weight[k] * grey
        first += weighted[k]
        second += weighted[k] * grey
    return first, max(second - first * first, f32(0)) + _NOISE


@no_type_check
@njit(error_model="numpy")
def _candidate(planes, x, y, w, gx, gy, steps, turn, reach, slope, number):
    """The plane to try next: of a pixel nearby, extended to this one, or a random change of the best so far."""
    if turn < 4 * len(steps):
        step, side = steps[turn // 4], turn % 4
        right, down = step * ((side == 0) - (side == 1)), step * ((side == 2) - (side == 3))
        i, j = y + down, x + right
        if i < 0 or j < 0 or i >= planes.shape[0] or j >= planes.shape[1]:
            return f32(-1), gx, gy
        cx, cy = planes[i, j, 1], planes[i, j, 2]
        return planes[i, j, 0] - f32(right) * cx - f32(down) * cy, cx, cy
    k = turn - 4 * len(steps)
    shrink = f32(0.5) ** (k // 2)
    if k % 2 == 0:
        return w + reach * shrink * _uniform(x, y, number, 3 * k), gx, gy
    tilt = slope * w * shrink
    return (
        w + f32(0.3) * reach * shrink * _uniform(x, y, number, 3 * k),
        gx + tilt * _uniform(x, y, number, 3 * k + 1),
        gy + tilt * _uniform(x, y, number, 3 * k + 2),
    )


@no_type_check
@njit(cache=True, error_model="numpy", parallel=True)
def _improve(
    image,
    sources,
    warps,
    planes,
    costs,
    dx,
    dy,
    steps,
    bounds,
    reach,
    slope,
    contrast,
    margin,
    n_random,
    number,
    parity,
):
    """One pass over the pixels of one colour of a chess board."""
    rows, cols = image.shape
    for y in numba.prange(rows):
        weight, weighted = np.empty(len(dx), np.float32), np.empty(len(dx), np.float32)
        found = np.empty(len(sources), np.float32)
        for x in range((y + parity) % 2, cols, 2):
            mean, variance = _measure_window(image, x, y, dx, dy, contrast, weight, weighted)
            px, py = f32(x + 0.5), f32(y + 0.5)
            w, gx, gy = planes[y, x, 0], planes[y, x, 1], planes[y, x, 2]
            best = f32(3)
            for turn in range(-1, 4 * len(steps) + n_random):
                cw, cx, cy = w, gx, gy
                if turn >= 0:
                    cw, cx, cy = _candidate(planes, x, y, w, gx, gy, steps, turn, reach, slope, number)
                    if not bounds[0] <= cw <= bounds[1]:
                        continue
                cost = _plane_cost(
                    sources, rows, cols, warps, px, py, cw, cx, cy, dx, dy, weight, weighted, mean, variance, found
                )
                if cost < best - margin:
                    best, w, gx, gy = cost, cw, cx, cy
            planes[y, x, 0], planes[y, x, 1], planes[y, x, 2] = w, gx, gy
            costs[y, x] = best
