"""Events before events at the same pixel, the readable reference: sorted by pixel, neighbours are next in time."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int16, Int64

NO_EVENT = np.iinfo(np.int64).min
"""Stands where there is no time."""


def why_unusable(device: torch.device) -> str | None:
    """Only arrays on the CPU."""
    return None if device.type == "cpu" else f"numpy runs on the CPU, asked for {device}"


def previous_times(
    x: Int16[np.ndarray, "e"], y: Int16[np.ndarray, "e"], t_ns: Int64[np.ndarray, "e"], height: int, width: int
) -> Int64[np.ndarray, "e"]:
    """See :func:`trisparse.events.pairing.previous_times`."""
    return window_starts(x, y, t_ns, np.zeros(len(t_ns), np.bool_), (height, width), 1)[0]


def smallest_gaps(
    x: Int16[np.ndarray, "e"],
    y: Int16[np.ndarray, "e"],
    t_ns: Int64[np.ndarray, "e"],
    before: Int64[np.ndarray, "e"],
    height: int,
    width: int,
) -> Int64[np.ndarray, "h w"]:
    """See :func:`trisparse.events.pairing.smallest_gaps`."""
    gaps = np.full((height, width), np.iinfo(np.int64).max)
    there = before != NO_EVENT
    np.minimum.at(gaps, (y[there], x[there]), t_ns[there] - before[there])
    return gaps


def window_starts(
    x: Int16[np.ndarray, "e"],
    y: Int16[np.ndarray, "e"],
    t_ns: Int64[np.ndarray, "e"],
    is_on: np.ndarray,
    sensor: tuple[int, int],
    length: int,
) -> tuple[Int64[np.ndarray, "e"], np.ndarray]:
    """See :func:`trisparse.events.windows.event_windows`: start times, and how many of the events are brighter."""
    pixel = y.astype(np.int64) * sensor[1] + x
    order = np.argsort(pixel, kind="stable")
    sorted_pixel, sorted_t, sums = pixel[order], t_ns[order], np.cumsum(is_on[order], dtype=np.int64)
    starts, brighter = np.full(len(order), NO_EVENT), np.zeros(len(order), np.int32)
    later, earlier = slice(length, None), slice(None, max(0, len(order) - length))
    is_window = (sorted_pixel[later] == sorted_pixel[earlier]) & (sorted_t[later] != sorted_t[earlier])
    starts[order[later]] = np.where(is_window, sorted_t[earlier], NO_EVENT)
    brighter[order[later]] = (sums[later] - sums[earlier]) * is_window
    return starts, brighter
