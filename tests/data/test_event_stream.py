"""Event streams hold what they promise: sorted by time, inside the sensor, polarities -1 and +1; slices are views."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.event_stream import EventStream, concatenate, signs


def stream(t_ns: Any, *, width: int = 4, height: int = 3) -> EventStream:
    """Events at given times, going through the pixels in order, every third one negative."""
    i = np.arange(len(t_ns))
    polarity = np.where(i % 3 == 0, -1, 1)
    return EventStream.from_arrays(
        i % width, i // width % height, np.asarray(t_ns, np.int64), polarity, height=height, width=width
    )


def columns(**changed: np.ndarray) -> dict[str, Any]:
    """Three good events, perhaps with one column changed."""
    good: dict[str, Any] = {
        "x": np.array([0, 3, 1], np.int16),
        "y": np.array([2, 0, 1], np.int16),
        "t_ns": np.array([5, 5, 9], np.int64),
        "polarity": np.array([1, -1, 1], np.int8),
    }
    return good | changed | {"height": 3, "width": 4}


def test_a_part_between_two_times_includes_the_first_and_not_the_last() -> None:
    events = stream([10, 20, 20, 30, 40])
    part = events.between(20, 40)
    assert part.t_ns.tolist() == [20, 20, 30]
    assert part.x.tolist() == [1, 2, 3]
    assert (part.width, part.height) == (4, 3)


@pytest.mark.parametrize(("start", "end"), [(41, 100), (-5, 10), (30, 20), (-(10**30), 0), (10**30, 10**31)])
def test_a_part_without_events_is_empty(start: int, end: int) -> None:
    assert len(stream([10, 20, 20, 30, 40]).between(start, end)) == 0


@given(st.lists(st.integers(-50, 50), max_size=40), st.integers(-60, 60), st.integers(-60, 60))
def test_parts_before_within_and_after_make_the_whole(times: list[int], a: int, b: int) -> None:
    events, (start, end) = stream(sorted(times)), sorted((a, b))
    parts = [events.between(-(1 << 62), start), events.between(start, end), events.between(end, 1 << 62)]
    whole = concatenate(parts)
    assert whole.t_ns.tolist() == events.t_ns.tolist()
    assert whole.polarity.tolist() == events.polarity.tolist()


def test_a_slice_is_a_view_and_a_mask_is_not() -> None:
    events = stream([1, 2, 3, 4])
    assert np.shares_memory(events[1:3].t_ns, events.t_ns)
    assert events[::2].t_ns.tolist() == [1, 3]
    chosen = events[events.polarity > 0]
    assert chosen.t_ns.tolist() == [2, 3]
    assert not np.shares_memory(chosen.t_ns, events.t_ns)


@pytest.mark.parametrize("chosen", [slice(None, None, -1), np.array([True]), np.array([0, 1, 2, 3]), [True] * 4])
def test_choices_that_could_disorder_time_are_refused(chosen: Any) -> None:
    with pytest.raises((InvalidInput, TypeError)):  # TypeError: where annotations are checked, as in these tests
        stream([1, 2, 3, 4])[chosen]


def test_an_empty_stream_is_one() -> None:
    events = EventStream.empty(3, 4)
    assert len(events) == len(events.between(0, 10)) == events.duration_ns == 0


def test_a_memory_mapped_stream_is_checked_without_being_read_at_once(tmp_path: Any) -> None:
    np.save(tmp_path / "t.npy", np.arange(3_000_000, dtype=np.int64))
    t = np.load(tmp_path / "t.npy", mmap_mode="r")
    zeros = np.zeros(len(t), np.int16)
    events = EventStream(zeros, zeros, t, np.ones(len(t), np.int8), 3, 4)
    assert isinstance(events[5:].t_ns, np.memmap)
    assert events.duration_ns == 2_999_999


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"x": np.array([0, 4, 1], np.int16)}, "event 1 lies at x 4, y 0, outside the sensor of 4 x 3"),
        ({"y": np.array([2, 0, -1], np.int16)}, "event 2 lies at x 1, y -1, outside"),
        ({"t_ns": np.array([5, 9, 7], np.int64)}, "event 2 is 2 ns earlier than the event before"),
        ({"polarity": np.array([1, 0, 1], np.int8)}, "event 1 has the polarity 0"),
    ],
)
def test_what_is_no_stream_is_refused(changed: dict[str, np.ndarray], error: str) -> None:
    with pytest.raises(InvalidInput, match=error):
        EventStream(**columns(**changed))


def test_the_fault_is_found_at_the_seam_of_two_chunks() -> None:
    t = np.arange(1 << 21, dtype=np.int64)
    t[1 << 20] = 0
    zeros = np.zeros(len(t), np.int16)
    with pytest.raises(InvalidInput, match=f"event {1 << 20} is {(1 << 20) - 1} ns earlier"):
        EventStream(zeros, zeros, t, np.ones(len(t), np.int8), 1, 1)


@pytest.mark.parametrize(
    "changed", [{"x": np.array([0, 3, 1])}, {"t_ns": np.array([5.0, 5, 9])}, {"y": np.zeros(2, np.int16)}]
)
def test_columns_of_other_types_or_lengths_are_refused(changed: dict[str, np.ndarray]) -> None:
    with pytest.raises((InvalidInput, TypeError)):  # TypeError: where annotations are checked, as in these tests
        EventStream(**columns(**changed))
    stream = object.__new__(EventStream)  # what is said where they are not
    for name, value in columns(**changed).items():
        object.__setattr__(stream, name, value)
    with pytest.raises(InvalidInput, match=r"x is int64 of shape \(3,\)|t_ns is float64|'x': 3, 'y': 2"):
        stream.__post_init__()


@pytest.mark.parametrize(("width", "height"), [(0, 3), (4, 40_000)])
def test_a_sensor_of_no_size_is_refused(width: int, height: int) -> None:
    with pytest.raises(InvalidInput, match=r"expected 1\.\.32767 pixels"):
        EventStream.empty(height, width)


@pytest.mark.parametrize("values", [[True, False], [1, 0], [1, -1], [1.0, 0.0]])
def test_polarities_of_any_kind_become_signs(values: list[Any]) -> None:
    found = signs(np.array(values))
    assert found.tolist() == [1, -1]
    assert found.dtype == np.int8


@pytest.mark.parametrize("values", [[2, 0], [-1, 0, 1], [np.nan], [0.5]])
def test_what_is_no_polarity_is_refused(values: list[Any]) -> None:
    with pytest.raises(InvalidInput):
        signs(np.array(values))


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"x lies in 0..40000, expected -32768..32767"):
        EventStream.from_arrays([0, 40_000], [0, 0], [1, 2], [True, False], height=3, width=4)
    with pytest.raises(InvalidInput, match="t_ns is float64, expected whole numbers"):
        EventStream.from_arrays([0], [0], [0.5], [1], height=3, width=4)


def test_streams_of_different_sensors_or_out_of_order_do_not_join() -> None:
    with pytest.raises(ShapeMismatch, match="different sizes"):
        concatenate([stream([1]), stream([2], width=5)])
    with pytest.raises(InvalidInput, match="earlier"):
        concatenate([stream([2]), stream([1])])
    with pytest.raises(InvalidInput, match="no streams"):
        concatenate([])
