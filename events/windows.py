"""Longer windows: an event and one several events earlier at the same pixel.

A single event constrains what happens within milliseconds; errors of many of them add up to slow drifts of brightness that no
sample contradicts. Windows of accumulated events are how E-NeRF (Klenk et al., RA-L 2023) and EventNeRF (Rudnev et al., CVPR
2023) supervise. Unlike there a window begins and ends with an event, so that both ends are exact; what happens while the pixel
sleeps after each event inside is not seen, see :meth:`EventWindows.seen_share`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float64, Int32, Int64

from ..core.backend import Op
from ..core.errors import InvalidInput
from ..data.event_stream import EventStream
from .kernels.numpy_pairing import NO_EVENT

WINDOW_STARTS = Op(
    "window_starts",
    {
        "numba": "trisparse.events.kernels.numba_pairing:window_starts",
        "numpy": "trisparse.events.kernels.numpy_pairing:window_starts",
    },
)


@dataclass(frozen=True, eq=False)
class EventWindows:
    """The events of a stream, each with one ``length`` events earlier at its pixel; in between the changes add up."""

    stream: EventStream
    length: int
    t_start_ns: Int64[np.ndarray, "e"]
    """Time of the earlier event; :data:`~.kernels.numpy_pairing.NO_EVENT` where there is none, or none of another time."""
    n_positive: Int32[np.ndarray, "e"]
    """How many of the ``length`` events after the earlier one, this one included, made it brighter; 0 without a window."""

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self.rows)

    @cached_property
    def rows(self) -> Int64[np.ndarray, "p"]:
        """Events that end a window, by number, in the order of the stream."""
        return np.flatnonzero(self.t_start_ns != NO_EVENT)

    @property
    def n_negative(self) -> Int32[np.ndarray, "e"]:
        """How many made it darker; 0 without a window."""
        return np.where(self.t_start_ns != NO_EVENT, self.length - self.n_positive, 0).astype(np.int32)

    def seen_share(self, refractory_period_ns: float) -> Float64[np.ndarray, "p"]:
        """For each window of :attr:`rows`, the share of its time in which the pixel was awake: a weight for its loss.

        The period after the earlier event counts for nothing: the window's reference lies behind it.
        """
        whole = self.stream.t_ns[self.rows] - self.t_start_ns[self.rows] - refractory_period_ns
        asleep = (self.length - 1) * refractory_period_ns
        return np.clip(1 - asleep / np.maximum(whole, 1e-9), 0, 1)


def event_windows(stream: EventStream, length: int, *, backend: str = "auto") -> EventWindows:
    """Find the event ``length`` events earlier at each event's pixel; a length of 1 gives the pairs of neighbours.

    Args:
        length: Events in a window, 1 or more. Memory grows with it: 12 bytes a pixel and event.
        backend: ``"numba"`` or ``"numpy"``.

    Raises:
        InvalidInput: A length below 1.
    """
    if length < 1:
        raise InvalidInput(f"windows of {length} events; expected 1 or more")
    find = WINDOW_STARTS.pick(torch.device("cpu"), backend)
    is_on = stream.polarity > 0
    starts, brighter = find(stream.x, stream.y, stream.t_ns, is_on, (stream.height, stream.width), length)
    return EventWindows(stream, length, starts, brighter)
