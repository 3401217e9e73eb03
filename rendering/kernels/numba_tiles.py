"""Sort Gaussians by depth and into the tiles that their ellipses touch."""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np

from .splatting import TILE

_CHUNK = 4096
"""Gaussians that one thread sorts into tiles at a time; the lists come out the same for any."""


@no_type_check
@numba.njit(cache=True, nogil=True)
def order_by_depth(depths: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Rows of the visible Gaussians, nearest first; among equals the earlier row. Depths are above 0.

    The bits of a float above 0 sort as an integer does: three passes over 11 bits (six for float64).
    """
    rows = np.empty(len(depths), np.int32)
    n = 0
    for row in range(len(depths)):
        if radii[row, 0] > 0 and radii[row, 1] > 0:
            rows[n] = row
            n += 1
    keys = np.empty(n, np.uint32)
    for i in range(n):
        keys[i] = np.float32(depths[rows[i]]).view(np.uint32)
    order, next_order, next_keys = rows[:n].copy(), np.empty(n, np.int32), np.empty(n, np.uint32)
    place = np.empty(2049, np.int64)
    for shift in (0, 11, 22):
        place[:] = 0
        for key in keys:
            place[((key >> np.uint32(shift)) & np.uint32(2047)) + np.uint32(1)] += 1
        for digit in range(2048):
            place[digit + 1] += place[digit]
        for i in range(n):
            digit = (keys[i] >> np.uint32(shift)) & np.uint32(2047)
            next_keys[place[digit]] = keys[i]
            next_order[place[digit]] = order[i]
            place[digit] += 1
        keys, next_keys = next_keys, keys
        order, next_order = next_order, order
    return order


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def gather(
    order: np.ndarray, means2d: np.ndarray, conics: np.ndarray, opacities: np.ndarray, ellipses: np.ndarray
) -> None:
    """For each Gaussian in order: x, y, conic, opacity, half height of the ellipse in which it counts, ln(255 opacity)."""
    for rank in numba.prange(len(order)):
        row = order[rank]
        a, b, c, opacity = conics[row, 0], conics[row, 1], conics[row, 2], opacities[row]
        determinant = a * c - b * b
        level = np.log(255.0 * opacity) if opacity > 0.0 else -1.0
        counts = level > 0.0 and determinant > 0.0 and a > 0.0
        ellipses[rank, 0] = means2d[row, 0]
        ellipses[rank, 1] = means2d[row, 1]
        ellipses[rank, 2] = a
        ellipses[rank, 3] = b
        ellipses[rank, 4] = c
        ellipses[rank, 5] = opacity
        ellipses[rank, 6] = np.sqrt(2.0 * level * a / determinant) if counts else -1.0
        ellipses[rank, 7] = level if counts else -1.0


@no_type_check
@numba.njit(cache=True, nogil=True, inline="always")
def _bands(ellipse, height):
    """First and last row of tiles that hold a pixel centre within the ellipse's height."""
    half, y = np.float64(ellipse[6]), np.float64(ellipse[1])
    if half < 0.0:
        return 0, -1
    low = max(np.ceil(y - half - 0.501), 0.0)
    high = min(np.floor(y + half - 0.499), height - 1.0)
    if not low <= high:
        return 0, -1
    return int(low) // TILE, int(high) // TILE


@no_type_check
@numba.njit(cache=True, nogil=True, inline="always")
def _span(ellipse, band, width, height):
    """First and last tile of a row of tiles that the ellipse touches: its extremes within the height of the row."""
    x, y = np.float64(ellipse[0]), np.float64(ellipse[1])
    a, b, c, level = np.float64(ellipse[2]), np.float64(ellipse[3]), np.float64(ellipse[4]), np.float64(ellipse[7])
    determinant = a * c - b * b
    top = band * TILE + 0.5 - y
    bottom = min((band + 1) * TILE, height) - 0.5 - y
    slope = b / c * np.sqrt(2.0 * level * c / determinant)
    at_right, at_left = min(max(-slope, top), bottom), min(max(slope, top), bottom)
    right = (np.sqrt(max(2.0 * a * level - determinant * at_right * at_right, 0.0)) - b * at_right) / a
    left = (-np.sqrt(max(2.0 * a * level - determinant * at_left * at_left, 0.0)) - b * at_left) / a
    first = max(np.ceil(x + left - 0.501), 0.0)
    last = min(np.floor(x + right - 0.499), width - 1.0)
    if not first <= last:
        return 0, -1
    return int(first) // TILE, int(last) // TILE


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def fill_tiles(ellipses: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Which Gaussians each tile blends, nearest first.

    Returns:
        Where each tile's list starts; the lists of ranks; where each Gaussian's places in the lists start; those places.
    """
    n = len(ellipses)
    columns, rows = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    n_chunks = max((n + _CHUNK - 1) // _CHUNK, 1)
    counts = np.zeros((n_chunks, columns * rows), np.int32)
    places_start = np.zeros(n + 1, np.int64)
    for chunk in numba.prange(n_chunks):
        for rank in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, n)):
            first_band, last_band = _bands(ellipses[rank], height)
            total = 0
            for band in range(first_band, last_band + 1):
                first, last = _span(ellipses[rank], band, width, height)
                for column in range(first, last + 1):
                    counts[chunk, band * columns + column] += 1
                    total += 1
            places_start[rank + 1] = total
    starts = np.zeros(columns * rows + 1, np.int64)
    for tile in range(columns * rows):
        total = starts[tile]
        for chunk in range(n_chunks):
            count = counts[chunk, tile]
            counts[chunk, tile] = total - starts[tile]
            total += count
        starts[tile + 1] = total
    for rank in range(n):
        places_start[rank + 1] += places_start[rank]
    members = np.empty(starts[columns * rows], np.int32)
    places = np.empty(starts[columns * rows], np.int64)
    for chunk in numba.prange(n_chunks):
        for rank in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, n)):
            first_band, last_band = _bands(ellipses[rank], height)
            at = places_start[rank]
            for band in range(first_band, last_band + 1):
                first, last = _span(ellipses[rank], band, width, height)
                for column in range(first, last + 1):
                    tile = band * columns + column
                    place = starts[tile] + counts[chunk, tile]
                    counts[chunk, tile] += 1
                    members[place] = rank
                    places[at] = place
                    at += 1
    return starts, members, places_start, places


@no_type_check
@numba.njit(cache=True, nogil=True)
def deal_tiles(starts: np.ndarray, n_threads: int) -> np.ndarray:
    """Tiles with the longest lists first, dealt to threads in turn: row t is thread t's, -1 where there are fewer."""
    n = len(starts) - 1
    order = np.argsort(starts[:-1] - starts[1:], kind="mergesort")
    hands = np.full((n_threads, (n + n_threads - 1) // n_threads), -1, np.int64)
    for i in range(n):
        hands[i % n_threads, i // n_threads] = order[i]
    return hands
