"""Events as files hold them, and what is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..event_stream import EventStream

TimeUnit = Literal["s", "ms", "us", "ns"]

NANOSECONDS: dict[TimeUnit, int] = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
"""Of each unit of time."""


@dataclass(frozen=True, eq=False)
class RawEvents:
    """Columns of a file before anything is checked or repaired (see :func:`trisparse.data.readers.event_tidy.tidy`)."""

    x: np.ndarray
    """Whole numbers, perhaps stored as floats."""
    y: np.ndarray
    t: np.ndarray
    """Whole numbers or floats, in ``unit``."""
    polarity: np.ndarray
    """Booleans, 0 / 1, or -1 / +1."""
    format: str
    """What the file is, for people: "Prophesee EVT3"."""
    unit: TimeUnit | None
    """None where the format does not say: then it is guessed."""
    size: tuple[int, int] | None = None
    """Width and height of the sensor, where the file says."""
    offset_ns: int = 0
    """Added to all times."""
    wraps_at: int | None = None
    """Where the counter of the format begins again at 0, in ``unit``."""
    notes: tuple[str, ...] = ()
    """What was repaired so far, a sentence each."""


@dataclass(frozen=True, eq=False)
class EventFile:
    """The events of a file. ``notes`` say what was guessed, left out or repaired, each one sentence."""

    stream: EventStream
    format: str
    notes: tuple[str, ...] = ()
