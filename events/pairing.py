"""Each event and the one before it at the same pixel: between them the brightness changed by one threshold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int64

from ..core.backend import Op
from ..core.errors import InvalidInput, ShapeMismatch
from ..data.event_stream import EventStream
from .kernels.numpy_pairing import NO_EVENT

PREVIOUS_TIMES = Op(
    "previous_times",
    {
        "numba": "trisparse.events.kernels.numba_pairing:previous_times",
        "numpy": "trisparse.events.kernels.numpy_pairing:previous_times",
    },
)
SMALLEST_GAPS = Op(
    "smallest_gaps",
    {
        "numba": "trisparse.events.kernels.numba_pairing:smallest_gaps",
        "numpy": "trisparse.events.kernels.numpy_pairing:smallest_gaps",
    },
)
_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class EventPairs:
    """The events of a stream, each with the time of the event before it at its pixel, of either polarity.

    Events that have one are samples: they say by how much the brightness changed since then (Low and Lee, ICCV 2023). The
    others are the first at their pixel, or have the very time of the one before, so that nothing lies in between.
    """

    stream: EventStream
    t_previous_ns: Int64[np.ndarray, "e"]
    """:data:`NO_EVENT` where an event is no sample."""

    def __post_init__(self) -> None:
        if self.t_previous_ns.shape != self.stream.t_ns.shape:
            raise ShapeMismatch(
                f"{len(self.stream)} events and {len(self.t_previous_ns)} times before; expected one an event"
            )

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self.rows)

    @property
    def is_sample(self) -> Bool[np.ndarray, "e"]:
        """Which events are samples."""
        return self.t_previous_ns != NO_EVENT

    @cached_property
    def rows(self) -> Int64[np.ndarray, "p"]:
        """Which events are samples, by number, in the order of the stream."""
        return np.flatnonzero(self.is_sample)

    def longer_than(self, refractory_period_ns: float) -> EventPairs:
        """Without the samples that leave nothing to see: their pixel would still have been asleep when it fired."""
        before = self.t_previous_ns
        gone = self.is_sample & (self.stream.t_ns - before <= refractory_period_ns)
        return EventPairs(self.stream, np.where(gone, NO_EVENT, before))


def pair_events(stream: EventStream, *, backend: str = "auto") -> EventPairs:
    """Find the event before each event at the same pixel.

    Events of one time at one pixel: the first is a sample, the later ones are not, and the next event is paired with the last.

    Args:
        backend: ``"numba"`` or ``"numpy"``.
    """
    find = PREVIOUS_TIMES.pick(_CPU, backend)
    return EventPairs(stream, find(stream.x, stream.y, stream.t_ns, stream.height, stream.width))


def smallest_gaps(pairs: EventPairs, *, backend: str = "auto") -> Int64[np.ndarray, "h w"]:
    """The shortest time between two events, for each pixel (ns); the largest int64 where no event is a sample."""
    stream = pairs.stream
    find = SMALLEST_GAPS.pick(_CPU, backend)
    return find(stream.x, stream.y, stream.t_ns, pairs.t_previous_ns, stream.height, stream.width)


def largest_refractory_period_ns(pairs: EventPairs, *, quantile: float = 0.0, backend: str = "auto") -> int:
    """The longest refractory period that the events allow.

    A pixel cannot fire while it sleeps, so that no refractory period is longer than the shortest time between two events at
    one pixel. One pixel that misbehaves makes that time tiny for the whole sensor: a quantile passes such pixels over. Then
    leave out the samples that contradict it (:meth:`EventPairs.longer_than`).

    Args:
        quantile: 0 takes the shortest time of all, as Robust e-NeRF does; else which quantile of the pixels' shortest times,
            a pixel's own time, not a mean of two.

    Raises:
        InvalidInput: No event is a sample, or a quantile outside 0..1.
    """
    if not 0 <= quantile <= 1:
        raise InvalidInput(f"a quantile of {quantile}; expected 0 (the minimum) to 1, as 0.01")
    gaps = smallest_gaps(pairs, backend=backend)
    known = np.sort(gaps[gaps < np.iinfo(np.int64).max])
    if not len(known):
        raise InvalidInput(
            f"no pixel fired twice among {len(pairs.stream)} events: nothing can be learned from them; give more events"
        )
    return int(known[int(quantile * (len(known) - 1))])
