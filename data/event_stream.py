"""What an event camera records: where, when and in which direction the brightness of a pixel changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Int8, Int16, Int64

from ..core.errors import InvalidInput, ShapeMismatch

LARGEST_SENSOR = 32767
"""Pixels along a side, so that coordinates fit into int16."""

_DTYPES = {"x": np.int16, "y": np.int16, "t_ns": np.int64, "polarity": np.int8}
_CHUNK = 1 << 20
"""Events that are checked at a time, so that checks of a memory-mapped recording take little memory."""


@dataclass(frozen=True, eq=False)
class EventStream:
    """Events of one sensor, sorted by time, inside the sensor.

    The arrays may be memory-mapped (:func:`trisparse.data.readers.event_folder.read_event_folder`); a slice by time or by index
    is a view of them and costs nothing. Nobody may write to them. All of them are checked when a stream is made, in one pass.
    Events of equal time keep the order in which the sensor sent them.
    """

    x: Int16[np.ndarray, "e"]
    """Column, 0 at the left; whole pixels (add 0.5 for the ray through the centre)."""
    y: Int16[np.ndarray, "e"]
    """Row, 0 at the top."""
    t_ns: Int64[np.ndarray, "e"]
    """Time as recorded, in nanoseconds; never decreases."""
    polarity: Int8[np.ndarray, "e"]
    """+1 where it became brighter, -1 where darker."""
    height: int
    width: int

    def __post_init__(self) -> None:
        for name, dtype in _DTYPES.items():
            _check_array(name, getattr(self, name), dtype)
        lengths = {name: len(getattr(self, name)) for name in _DTYPES}
        if len(set(lengths.values())) > 1:
            raise ShapeMismatch(f"one x, y, t_ns and polarity an event are expected, got {lengths}")
        for name in ("width", "height"):
            if not 1 <= getattr(self, name) <= LARGEST_SENSOR:
                raise InvalidInput(f"{name} {getattr(self, name)}; expected 1..{LARGEST_SENSOR} pixels")
        for start in range(0, len(self), _CHUNK):
            self._check(slice(start, start + _CHUNK))

    @classmethod
    def empty(cls, height: int, width: int) -> EventStream:
        """A stream without events."""
        return cls(**{name: np.empty(0, dtype) for name, dtype in _DTYPES.items()}, height=height, width=width)

    @classmethod
    def from_arrays(cls, x: Any, y: Any, t_ns: Any, polarity: Any, *, height: int, width: int) -> EventStream:
        """A stream from numbers of other types.

        Args:
            x, y: Whole pixels.
            t_ns: Whole nanoseconds.
            polarity: Booleans, 0 / 1, or -1 / +1.

        Raises:
            InvalidInput: Not whole numbers, unsorted, outside the sensor, or no polarity.
        """
        given = {"x": x, "y": y, "t_ns": t_ns, "polarity": signs(np.asarray(polarity))}
        arrays = {name: _whole(name, np.asarray(values), _DTYPES[name]) for name, values in given.items()}
        return cls(**arrays, height=height, width=width)

    def __len__(self) -> int:
        return len(self.t_ns)

    def __getitem__(self, chosen: slice | Bool[np.ndarray, "e"]) -> EventStream:
        """Some of the events, in order: a slice (a view), or a mask (a copy)."""
        if isinstance(chosen, slice):
            if (chosen.step or 1) < 1:
                raise InvalidInput(f"a step of {chosen.step} would turn time around; expected 1 or more")
        elif not (isinstance(chosen, np.ndarray) and chosen.dtype == np.bool_ and chosen.shape == self.t_ns.shape):
            raise InvalidInput(f"events are chosen by a slice or by a mask of {len(self)} booleans, got {chosen!r:.80}")
        return _unchecked([getattr(self, name)[chosen] for name in _DTYPES], self.height, self.width)

    def between(self, start_ns: int, end_ns: int) -> EventStream:
        """The events of ``start_ns <= t < end_ns``, as a view."""
        limits = np.iinfo(np.int64)
        bounds = np.array([min(max(t, limits.min), limits.max) for t in (start_ns, end_ns)], np.int64)
        first, last = np.searchsorted(self.t_ns, bounds)
        return self[int(first) : max(int(first), int(last))]

    @property
    def duration_ns(self) -> int:
        """From the first event to the last; 0 without events."""
        return int(self.t_ns[-1]) - int(self.t_ns[0]) if len(self) else 0

    def _check(self, part: slice) -> None:
        x, y, polarity = self.x[part], self.y[part], self.polarity[part]
        before = self.t_ns[max(part.start - 1, 0) : part.stop]
        outside = (x < 0) | (x >= self.width) | (y < 0) | (y >= self.height)
        if outside.any():
            i = int(outside.argmax())
            raise InvalidInput(
                f"event {part.start + i} lies at x {x[i]}, y {y[i]}, outside the sensor of {self.width} x {self.height} "
                "pixels; give the right size, or leave such events out"
            )
        back = before[1:] < before[:-1]
        if back.any():
            i = int(back.argmax())
            raise InvalidInput(
                f"event {max(part.start - 1, 0) + i + 1} is {int(before[i]) - int(before[i + 1])} ns earlier than the event "
                "before it; expected events sorted by time: sort them first"
            )
        wrong = (polarity != 1) & (polarity != -1)
        if wrong.any():
            i = int(wrong.argmax())
            raise InvalidInput(f"event {part.start + i} has the polarity {polarity[i]}; expected -1 or +1")


def concatenate(streams: Sequence[EventStream]) -> EventStream:
    """Streams of one sensor, one after another in time.

    Raises:
        ShapeMismatch: Sensors of different sizes.
        InvalidInput: No stream, or one begins before the one before it ends.
    """
    if not streams:
        raise InvalidInput("no streams to put together; give at least one")
    sizes = {(stream.width, stream.height) for stream in streams}
    if len(sizes) > 1:
        raise ShapeMismatch(f"streams of sensors of different sizes, {sorted(sizes)}; expected one size")
    arrays = {name: np.concatenate([getattr(stream, name) for stream in streams]) for name in _DTYPES}
    return EventStream(**arrays, height=streams[0].height, width=streams[0].width)


def signs(polarity: np.ndarray) -> Int8[np.ndarray, "e"]:
    """Polarities -1 / +1 from booleans, 0 / 1 or -1 / +1.

    Raises:
        InvalidInput: Other values.
    """
    if polarity.dtype == np.bool_:
        return np.where(polarity, np.int8(1), np.int8(-1))
    is_off = (polarity == 0) | (polarity == -1)
    strange = ~(is_off | (polarity == 1))
    if strange.any():
        i = int(strange.argmax())
        raise InvalidInput(f"event {i} has the polarity {polarity[i]}; expected booleans, 0 and 1, or -1 and +1")
    if (polarity == 0).any() and (polarity == -1).any():
        raise InvalidInput("polarities -1 and 0 in one stream; expected booleans, 0 and 1, or -1 and +1")
    return np.where(is_off, np.int8(-1), np.int8(1))


def _check_array(name: str, values: Any, dtype: type) -> None:
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.ndim != 1:
        found = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise InvalidInput(
            f"{name} is {found}, expected a numpy array (e,) of {np.dtype(dtype)}; `EventStream.from_arrays` converts"
        )


def _whole(name: str, values: np.ndarray, dtype: type) -> np.ndarray:
    limits = np.iinfo(dtype)
    if values.dtype.kind not in "iub":
        raise InvalidInput(f"{name} is {values.dtype}, expected whole numbers; round them first")
    if values.size and (int(values.min()) < limits.min or int(values.max()) > limits.max):
        found = f"{int(values.min())}..{int(values.max())}"
        raise InvalidInput(f"{name} lies in {found}, expected {limits.min}..{limits.max} ({np.dtype(dtype)})")
    return np.ascontiguousarray(values, dtype)


def _unchecked(arrays: Sequence[np.ndarray], height: int, width: int) -> EventStream:
    """A stream out of a part of another: what held for the whole holds for it."""
    stream = object.__new__(EventStream)
    for field, value in zip(fields(EventStream), (*arrays, height, width), strict=True):
        object.__setattr__(stream, field.name, value)
    return stream
