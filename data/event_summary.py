"""A recording in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .event_stream import EventStream
from .hot_pixels import event_counts, hot_pixels

_WINDOW_NS = 10_000_000


@dataclass(frozen=True)
class EventSummary:
    """What is in a stream."""

    events: int
    width: int
    height: int
    first_ns: int
    last_ns: int
    duration_s: float
    rate: float
    """Events a second, over the whole recording."""
    peak_rate: float
    """Events a second in the busiest 10 ms."""
    positive_share: float
    """Of the events, 0..1."""
    active_pixels: int
    """Pixels with at least one event."""
    most_events_of_a_pixel: int
    hot_pixels: int
    hot_pixel_share: float
    """Of the events, 0..1."""


def summarize(stream: EventStream) -> EventSummary:
    """Numbers about a stream; all 0 without events."""
    if not len(stream):
        return EventSummary(0, stream.width, stream.height, 0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0.0)
    counts, hot = event_counts(stream), hot_pixels(stream)
    seconds = stream.duration_ns / 1e9
    return EventSummary(
        events=len(stream),
        width=stream.width,
        height=stream.height,
        first_ns=int(stream.t_ns[0]),
        last_ns=int(stream.t_ns[-1]),
        duration_s=seconds,
        rate=len(stream) / seconds if seconds else 0.0,
        peak_rate=_busiest(stream) * 1e9 / _WINDOW_NS,
        positive_share=float(np.count_nonzero(stream.polarity > 0)) / len(stream),
        active_pixels=int(np.count_nonzero(counts)),
        most_events_of_a_pixel=int(counts.max()),
        hot_pixels=int(hot.sum()),
        hot_pixel_share=float(counts[hot].sum()) / len(stream),
    )


def _busiest(stream: EventStream) -> int:
    """Most events within a window that begins at a whole number of windows after the first event."""
    edges = np.arange(stream.t_ns[0], stream.t_ns[-1] + 2 * _WINDOW_NS, _WINDOW_NS)
    return int(np.diff(np.searchsorted(stream.t_ns, edges)).max())
