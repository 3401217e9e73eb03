"""Columns become a sorted stream: units are guessed and said, counters go on, and what is out of place is told."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trisparse.core.errors import CorruptFile, MissingPart
from trisparse.data.readers.event_file import NANOSECONDS, RawEvents, TimeUnit
from trisparse.data.readers.event_tidy import tidy
from trisparse.data.readers.event_times import guess_unit

PATH = Path("a.file")


def raw(t: Any, unit: TimeUnit | None = "us", **changed: Any) -> RawEvents:
    """Events on the diagonal of a sensor of 8 x 8 pixels."""
    t = np.asarray(t)
    i = np.arange(len(t)) % 8
    return replace(RawEvents(i, i, t, i % 2, "test", unit, (8, 8)), **changed)


@pytest.mark.parametrize(
    ("unit", "seconds", "rate", "start"),
    [
        ("s", 2.0, 1e5, 0.0),
        ("s", 60.0, 1e4, 1.6e9),
        ("us", 1.0, 1e6, 0.0),
        ("us", 0.05, 1e7, 1.3),
        ("us", 100.0, 5e3, 0.0),
        ("us", 10.0, 1e5, 1.6e9),
        ("us", 0.4, 1e3, 0.0),
        ("ns", 10.0, 1e5, 0.0),
        ("ns", 0.5, 2e6, 1.6e9),
        ("ns", 0.5, 2e5, 3.0),
        ("ms", 30.0, 1e4, 1.6e9),
    ],
)
def test_the_unit_of_usual_recordings_is_guessed_right_and_said(
    unit: TimeUnit, seconds: float, rate: float, start: float
) -> None:
    generator = np.random.default_rng(0)
    since = np.sort(generator.integers(0, int(seconds * 1e9), int(rate * seconds)))
    t = (since + int(start * 1e9)) // NANOSECONDS[unit]
    file = tidy(PATH, raw((since / 1e9 + start) if unit == "s" else t, None))
    resolution = 300 if unit == "s" else NANOSECONDS[unit]  # of a float64 of an epoch, or of the unit
    assert np.abs(file.stream.t_ns - since - int(start * 1e9)).max() <= resolution
    words = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
    assert f"the times were taken as {words[unit]}, which gives" in file.notes[0]
    assert "events/s over" in file.notes[0]


@pytest.mark.parametrize("unit", NANOSECONDS)
def test_a_unit_that_is_given_is_not_guessed(unit: TimeUnit) -> None:
    file = tidy(PATH, raw([1, 2, 3], None), unit=unit)
    assert file.stream.t_ns.tolist() == [NANOSECONDS[unit] * i for i in (1, 2, 3)]
    assert file.notes == ()
    assert tidy(PATH, raw([1, 2, 3], "s"), unit=unit).stream.t_ns.tolist() == file.stream.t_ns.tolist()


def test_events_at_one_time_or_none_have_a_unit_too() -> None:
    assert guess_unit(np.array([5, 5])).unit == "us"
    assert guess_unit(np.array([0.5])).unit == "s"
    assert guess_unit(np.empty(0)).unit == "us"


def test_times_that_are_hardly_in_the_unit_of_their_format_are_told() -> None:
    t = np.arange(2000) * 3  # nanoseconds, says the format: 3e8 events/s pass, 3e11 do not
    assert tidy(PATH, raw(t, "ns")).notes == ()
    file = tidy(PATH, raw(np.repeat(np.arange(20), 1000), "ns"))
    assert "in another unit than their format demands" in file.notes[0]
    slow = tidy(PATH, raw(np.arange(2000) * 10**5, "s"))
    assert "1e-05 events/s, which no sensor gives" in slow.notes[0]


@given(st.lists(st.integers(0, 1 << 30), min_size=2, max_size=60), st.sampled_from((1 << 24, 1 << 32)))
def test_a_counter_of_known_period_goes_on(steps: list[int], period: int) -> None:
    true = np.cumsum([0, *(step % (period // 2) for step in steps)])
    file = tidy(PATH, raw(true % period, "us", wraps_at=period))
    assert (file.stream.t_ns // 1000).tolist() == true.tolist()
    assert (len(file.notes) == 1) == (true[-1] >= period)


@pytest.mark.parametrize("period", [1 << 24, 1 << 31, 1 << 32])
@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint64])
def test_a_counter_of_unknown_period_is_recognised(period: int, dtype: type) -> None:
    true = np.arange(period - 500 * 40, period + 500 * 40, 40)
    file = tidy(PATH, raw((true % period).astype(dtype)))
    assert (file.stream.t_ns // 1000).tolist() == true.tolist()
    assert file.notes == (f"the counter of times began again at 0 1 times, after every {period} units; times go on",)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50))
def test_events_out_of_order_are_sorted_and_counted(times: list[int]) -> None:
    file = tidy(PATH, raw(times))
    order = np.argsort(times, kind="stable")
    assert (file.stream.t_ns // 1000).tolist() == sorted(times)
    assert file.stream.x.tolist() == (order % 8).tolist()
    back = sum(b < a for a, b in pairwise(times))
    assert [note.split(",")[0] for note in file.notes] == ([f"times ran back {back} times"] if back else [])


def test_the_largest_step_back_is_said() -> None:
    assert tidy(PATH, raw([5, 9, 3, 4, 10])).notes == (
        "times ran back 1 times, by up to 6 us; the events were sorted by time",
    )


def test_events_outside_the_sensor_are_left_out_if_they_are_few() -> None:
    x = np.arange(30) % 8
    x[[3, 7]] = (8, -1)
    file = tidy(PATH, raw(np.arange(30), x=x))
    assert len(file.stream) == 28
    assert file.notes == ("2 of 30 events lay outside the sensor of 8 x 8 pixels and were left out",)
    with pytest.raises(CorruptFile, match=r"a\.file: events: 30 of 30 lie outside the sensor of 8 x 8 pixels"):
        tidy(PATH, raw(np.arange(30), y=np.full(30, 1 << 40)))


@pytest.mark.parametrize(
    ("largest", "size"), [((100, 90), (128, 128)), ((345, 200), (346, 260)), ((2000, 10), (2001, 11))]
)
def test_a_sensor_of_unknown_size_is_the_smallest_usual_one(largest: tuple[int, int], size: tuple[int, int]) -> None:
    file = tidy(PATH, raw([0, 1], size=None, x=np.array([0, largest[0]]), y=np.array([0, largest[1]])))
    assert (file.stream.width, file.stream.height) == size
    assert f"taken as {size[0]} x {size[1]} pixels" in file.notes[0]
    assert tidy(PATH, raw([0, 1], size=None), size=(9, 9)).notes == ()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x": np.zeros(2)}, r"columns of \[2, 3\] entries; expected one length"),
        ({"x": np.array([0, 0.5, 1])}, "column x: holds fractions"),
        ({"y": np.array([0, np.nan, 1])}, "column y: holds fractions, or no numbers"),
        ({"x": np.array(["a", "b", "c"])}, "column x: is <U1"),
        ({"t": np.array([0, np.nan, 1])}, "event 1: its time is nan"),
        ({"t": np.array([0, np.inf, 1])}, "event 1: its time is inf"),
        ({"t": np.array(["a", "b", "c"])}, "times: are <U1"),
        ({"t": np.array([0, 1, 1 << 62])}, r"times: reach 4\.61e\+12 s, in us; expected at most 146 years"),
        ({"t": np.array([0, 1, 1 << 63], np.uint64)}, "times: reach 9223372036854775808"),
        ({"t": np.array([0, 1, 1e300])}, "times: reach"),
        ({"polarity": np.array([0, 1, 2])}, "event 2 has the polarity 2"),
        ({"polarity": np.array([0, 1, -1])}, "polarities -1 and 0 in one stream"),
        ({"size": (0, 5)}, r"sensor: 0 x 5 pixels; expected 1\.\.32767 a side"),
    ],
)
def test_columns_that_are_no_events_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(CorruptFile, match=message):
        tidy(PATH, replace(raw([0, 1, 2]), **changed))


def test_an_empty_recording_is_told() -> None:
    with pytest.raises(MissingPart, match=r"a\.file: test without any event; expected a recording with events"):
        tidy(PATH, raw([]))


def test_whole_numbers_stored_as_floats_are_whole() -> None:
    file = tidy(PATH, raw(np.array([3.0, 4.0]), "us", x=np.array([1.0, 2.0]), offset_ns=10**18 + 1))
    assert file.stream.t_ns.tolist() == [10**18 + 3001, 10**18 + 4001]
    assert file.stream.x.dtype == np.int16
