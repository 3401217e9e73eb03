"""From columns of a file to a sorted stream inside its sensor; whatever is guessed, left out or repaired is said."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...core.errors import CorruptFile, InvalidInput, MissingPart
from ..event_stream import LARGEST_SENSOR, EventStream, signs
from .event_file import NANOSECONDS, EventFile, RawEvents, TimeUnit
from .event_times import find_counter, guess_unit, implausible_rate, unwrapped

SENSORS = ((128, 128), (240, 180), (304, 240), (320, 320), (346, 260), (640, 480), (1280, 720))
"""Sizes of sensors that are sold: DVS128, DAVIS240, ATIS, GenX320, DAVIS346, Gen3 and DVXplorer, Gen4 and IMX636."""
_MOST_OUTSIDE = 0.1
"""Part of the events outside the sensor beyond which its size is not believed."""


def tidy(path: Path, raw: RawEvents, *, size: tuple[int, int] | None = None, unit: TimeUnit | None = None) -> EventFile:
    """Check and repair what a file held.

    Times become whole nanoseconds: the unit is guessed where nobody says it, counters that began again at 0 go on, and what is
    out of order is sorted. Events outside the sensor are left out, if they are few.

    Args:
        path: The file, for messages.
        raw: Its columns.
        size: Width and height of the sensor, where the file does not say or is wrong.
        unit: Unit of the times, likewise.

    Raises:
        MissingPart: No events.
        CorruptFile: Columns of different lengths, numbers that are no pixels, times or polarities, or more than a tenth of the
            events outside the sensor.
    """
    lengths = {len(column) for column in (raw.x, raw.y, raw.t, raw.polarity)}
    if len(lengths) > 1:
        raise CorruptFile(path, "events", f"columns of {sorted(lengths)} entries; expected one length")
    if lengths == {0}:
        raise MissingPart(f"{path}: {raw.format} without any event; expected a recording with events")
    notes = list(raw.notes)
    t_ns = _nanoseconds(path, raw, unit, notes)
    x, y = _pixels(path, "x", raw.x), _pixels(path, "y", raw.y)
    try:
        polarity = signs(raw.polarity)
    except InvalidInput as error:
        raise CorruptFile(path, "events", str(error)) from error
    columns = _inside(path, raw.format, (x, y, t_ns, polarity), size or raw.size, notes)
    x, y, t_ns, polarity = _sorted(columns.arrays, notes)
    stream = EventStream(x.astype(np.int16), y.astype(np.int16), t_ns, polarity, columns.height, columns.width)
    return EventFile(stream, raw.format, tuple(notes))


def _nanoseconds(path: Path, raw: RawEvents, unit: TimeUnit | None, notes: list[str]) -> np.ndarray:
    t = raw.t
    if t.dtype.kind not in "iuf":
        raise CorruptFile(path, "times", f"are {t.dtype}, expected numbers")
    if t.dtype.kind == "f" and not np.isfinite(t).all():
        i = int(np.flatnonzero(~np.isfinite(t))[0])
        raise CorruptFile(path, f"event {i}", f"its time is {t[i]}; expected a number: leave such events out first")
    if t.dtype.kind != "f":
        if t.dtype == np.uint64 and int(t.max()) >= 1 << 63:
            raise CorruptFile(path, "times", f"reach {int(t.max())}, expected at most 2^63: damaged")
        t = _continued(raw, t.astype(np.int64, copy=False), notes)
    if (chosen := unit or raw.unit) is None:
        guess = guess_unit(t)
        chosen = guess.unit
        notes.append(guess.note)
    factor = NANOSECONDS[chosen]
    largest = max(abs(float(t.min())), abs(float(t.max()))) * factor + abs(raw.offset_ns)
    if largest > 2**62:
        raise CorruptFile(
            path,
            "times",
            f"reach {largest / 1e9:.3g} s, in {chosen}; expected at most 146 years: damaged, or another unit",
        )
    t_ns = np.rint(t.astype(np.float64) * factor).astype(np.int64) if t.dtype.kind == "f" else t * factor
    t_ns = t_ns + raw.offset_ns if raw.offset_ns else t_ns
    if unit is None and raw.unit is not None and (note := implausible_rate(t_ns)):
        notes.append(note)
    return t_ns


def _continued(raw: RawEvents, t: np.ndarray, notes: list[str]) -> np.ndarray:
    period = raw.wraps_at or find_counter(t)
    if period is None:
        return t
    t, restarts = unwrapped(t, period)
    if restarts:
        notes.append(f"the counter of times began again at 0 {restarts} times, after every {period} units; times go on")
    return t


def _pixels(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        whole = np.rint(values[np.isfinite(values)])
        if len(whole) < len(values) or not np.array_equal(whole, values):
            raise CorruptFile(
                path, f"column {name}", "holds fractions, or no numbers; expected whole pixels as the sensor sent them"
            )
        return np.clip(whole, -1, LARGEST_SENSOR + 1).astype(np.int32)
    if values.dtype.kind not in "iu":
        raise CorruptFile(path, f"column {name}", f"is {values.dtype}, expected whole numbers")
    return values if values.dtype.itemsize <= 2 else np.clip(values, -1, LARGEST_SENSOR + 1).astype(np.int32)


class _Columns(NamedTuple):
    """Events inside their sensor."""

    arrays: tuple[np.ndarray, ...]
    width: int
    height: int


def _inside(
    path: Path, kind: str, columns: tuple[np.ndarray, ...], size: tuple[int, int] | None, notes: list[str]
) -> _Columns:
    x, y = columns[:2]
    if size is None:
        size = _guess_size(x, y)
        notes.append(
            f"the file does not say how large the sensor is; taken as {size[0]} x {size[1]} pixels, the smallest "
            "usual one that holds all events"
        )
    width, height = size
    if not (1 <= width <= LARGEST_SENSOR and 1 <= height <= LARGEST_SENSOR):
        raise CorruptFile(path, "sensor", f"{width} x {height} pixels; expected 1..{LARGEST_SENSOR} a side")
    outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    count = int(np.count_nonzero(outside))
    if count > _MOST_OUTSIDE * len(x):
        raise CorruptFile(
            path,
            "events",
            f"{count} of {len(x)} lie outside the sensor of {width} x {height} pixels (x up to {x.max()}, y up to "
            f"{y.max()}): another sensor, or no {kind}; give its size",
        )
    if count:
        notes.append(
            f"{count} of {len(x)} events lay outside the sensor of {width} x {height} pixels and were left out"
        )
        columns = tuple(column[~outside] for column in columns)
    return _Columns(columns, width, height)


def _guess_size(x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    width, height = max(int(x.max()), 0) + 1, max(int(y.max()), 0) + 1
    for size in SENSORS:
        if width <= size[0] and height <= size[1]:
            return size
    return min(width, LARGEST_SENSOR), min(height, LARGEST_SENSOR)


def _sorted(columns: tuple[np.ndarray, ...], notes: list[str]) -> tuple[np.ndarray, ...]:
    t_ns = columns[2]
    back = t_ns[1:] < t_ns[:-1]
    count = int(np.count_nonzero(back))
    if not count:
        return columns
    furthest = int((np.maximum.accumulate(t_ns) - t_ns).max())
    notes.append(f"times ran back {count} times, by up to {furthest / 1e3:g} us; the events were sorted by time")
    order = np.argsort(t_ns, kind="stable")
    return tuple(column[order] for column in columns)
