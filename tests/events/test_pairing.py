"""Events and those before them at the same pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from trisparse.core.errors import InvalidInput
from trisparse.data.event_stream import EventStream
from trisparse.events.pairing import NO_EVENT, EventPairs, largest_refractory_period_ns, pair_events, smallest_gaps

from tests.events.thread_counts import threads

BACKENDS = ["numba", "numpy"]


def stream(*events: tuple[int, int, int, int], height: int = 4, width: int = 5) -> EventStream:
    """A stream of events (x, y, t_ns, polarity)."""
    x, y, t, p = np.array(events, np.int64).reshape(-1, 4).T
    return EventStream.from_arrays(x, y, t, p, height=height, width=width)


def random_stream(n: int, *, seed: int = 0, height: int = 7, width: int = 9, duration: int = 2000) -> EventStream:
    """Events anywhere; many share a time, some at one pixel."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, width, n), rng.integers(0, height, n)
    return EventStream.from_arrays(
        x, y, np.sort(rng.integers(0, duration, n)), rng.choice([-1, 1], n), height=height, width=width
    )


def pairs_one_by_one(events: EventStream) -> np.ndarray:
    """The rule, event by event."""
    last: dict[tuple[int, int], int] = {}
    before = []
    for x, y, t in zip(events.x.tolist(), events.y.tolist(), events.t_ns.tolist(), strict=True):
        known = last.get((x, y), NO_EVENT)
        before.append(NO_EVENT if known == t else known)
        last[x, y] = t
    return np.array(before, np.int64)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_original_s_samples_are_found_in_its_order(backend: str, shared: Path) -> None:
    with np.load(shared / "oracles" / "enerf" / "pairing.npz") as file:
        known = dict(file)
    x, y = known["raw_position"].T
    height, width = known["img_size_hw"].tolist()
    events = EventStream.from_arrays(x, y, known["raw_timestamp"], known["raw_polarity"], height=height, width=width)
    pairs = pair_events(events, backend=backend)
    rows = pairs.rows
    assert len(pairs) == len(known["start_ts"])
    np.testing.assert_array_equal(np.stack([events.x[rows], events.y[rows]], 1), known["position"])
    np.testing.assert_array_equal(pairs.t_previous_ns[rows], known["start_ts"])
    np.testing.assert_array_equal(events.t_ns[rows], known["end_ts"])
    np.testing.assert_array_equal(events.polarity[rows] > 0, known["num_pos"])
    np.testing.assert_array_equal(events.polarity[rows] < 0, known["num_neg"])
    assert largest_refractory_period_ns(pairs, backend=backend) == known["max_refractory_period"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_of_events_of_one_time_at_one_pixel_the_first_is_a_sample_and_the_last_the_predecessor(backend: str) -> None:
    events = stream((1, 2, 10, 1), (3, 0, 10, -1), (1, 2, 25, 1), (1, 2, 25, -1), (3, 0, 25, 1), (1, 2, 26, 1))
    pairs = pair_events(events, backend=backend)
    np.testing.assert_array_equal(pairs.rows, [2, 4, 5])
    np.testing.assert_array_equal(pairs.t_previous_ns[pairs.rows], [10, 10, 25])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n", [0, 1, 2, 5000])
def test_samples_are_what_going_through_the_events_one_by_one_gives(backend: str, n: int) -> None:
    events = random_stream(n)
    pairs = pair_events(events, backend=backend)
    np.testing.assert_array_equal(pairs.t_previous_ns, pairs_one_by_one(events))
    pixels = len(np.unique(events.y.astype(int) * events.width + events.x))
    repeated = pairs_one_by_one(events) == NO_EVENT
    assert len(pairs) == n - repeated.sum()
    assert pixels <= repeated.sum()


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_other_event_of_a_stream_is_paired_as_a_copy_of_them_is(backend: str) -> None:
    view = random_stream(3000)[::2]
    assert not view.x.flags.c_contiguous
    copy = EventStream(view.x.copy(), view.y.copy(), view.t_ns.copy(), view.polarity.copy(), 7, 9)
    np.testing.assert_array_equal(
        pair_events(view, backend=backend).t_previous_ns, pair_events(copy, backend=backend).t_previous_ns
    )


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("height", [1, 2, 7])
def test_the_number_of_threads_changes_nothing(n: int, height: int) -> None:
    events = random_stream(4000, height=height)
    with threads(n):
        found = pair_events(events, backend="numba").t_previous_ns
    np.testing.assert_array_equal(found, pairs_one_by_one(events))


def test_samples_whose_pixel_would_still_sleep_are_left_out() -> None:
    pairs = pair_events(stream((0, 0, 0, 1), (0, 0, 5, 1), (0, 0, 15, 1), (0, 0, 26, 1)))
    np.testing.assert_array_equal(pairs.longer_than(0.0).rows, [1, 2, 3])
    np.testing.assert_array_equal(pairs.longer_than(9.5).rows, [2, 3])
    np.testing.assert_array_equal(pairs.longer_than(10.0).rows, [3])
    np.testing.assert_array_equal(pairs.longer_than(10.0).longer_than(99.0).rows, [])


@pytest.mark.parametrize("backend", BACKENDS)
def test_gaps_are_the_shortest_of_each_pixel_and_quantiles_pass_over_a_pixel_that_misbehaves(backend: str) -> None:
    noisy = [(4, 3, t, 1) for t in (0, 1, 50)]
    sound = [(x, 0, t * (100 + x), 1) for t in range(4) for x in range(4)]
    pairs = pair_events(stream(*sorted([*noisy, *sound], key=lambda event: event[2])), backend=backend)
    gaps = smallest_gaps(pairs, backend=backend)
    assert gaps[3, 4] == 1
    np.testing.assert_array_equal(gaps[0], [100, 101, 102, 103, np.iinfo(np.int64).max])
    assert largest_refractory_period_ns(pairs, backend=backend) == 1
    assert largest_refractory_period_ns(pairs, quantile=0.25, backend=backend) == 100
    assert largest_refractory_period_ns(pairs, quantile=1.0, backend=backend) == 103


def test_events_that_say_nothing_of_the_refractory_period_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no pixel fired twice among 2 events"):
        largest_refractory_period_ns(pair_events(stream((0, 0, 0, 1), (1, 0, 5, 1))))
    with pytest.raises(InvalidInput, match=r"a quantile of 1\.5; expected 0"):
        largest_refractory_period_ns(pair_events(random_stream(100)), quantile=1.5)


def test_times_of_another_stream_are_refused() -> None:
    with pytest.raises(InvalidInput, match="3 events and 2 times before"):
        EventPairs(random_stream(3), np.zeros(2, np.int64))
