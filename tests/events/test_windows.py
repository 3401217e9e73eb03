"""Windows of several events."""

from __future__ import annotations

import numpy as np
import pytest
from trisparse.core.errors import InvalidInput
from trisparse.events.pairing import NO_EVENT, pair_events
from trisparse.events.windows import event_windows

from tests.events.test_pairing import BACKENDS, random_stream, stream


@pytest.mark.parametrize("backend", BACKENDS)
def test_windows_of_one_event_are_the_pairs(backend: str) -> None:
    events = random_stream(3000)
    windows = event_windows(events, 1, backend=backend)
    np.testing.assert_array_equal(windows.t_start_ns, pair_events(events).t_previous_ns)
    rows = windows.rows
    np.testing.assert_array_equal(windows.n_positive[rows], events.polarity[rows] > 0)
    np.testing.assert_array_equal(windows.n_negative[rows], events.polarity[rows] < 0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_window_counts_the_events_after_its_first(backend: str) -> None:
    events = stream((0, 0, 0, -1), (0, 0, 4, 1), (1, 1, 5, -1), (0, 0, 9, -1), (0, 0, 16, 1), (0, 0, 16, 1))
    windows = event_windows(events, 3, backend=backend)
    np.testing.assert_array_equal(windows.rows, [4, 5])
    np.testing.assert_array_equal(windows.t_start_ns[windows.rows], [0, 4])
    np.testing.assert_array_equal(windows.n_positive, [0, 0, 0, 0, 2, 2])
    np.testing.assert_array_equal(windows.n_negative, [0, 0, 0, 0, 1, 1])


@pytest.mark.parametrize("length", [2, 3, 10])
@pytest.mark.parametrize("n", [0, 1, 4000])
def test_both_backends_find_the_same(length: int, n: int) -> None:
    events = random_stream(n, duration=300)
    fast, plain = (event_windows(events, length, backend=backend) for backend in BACKENDS)
    np.testing.assert_array_equal(fast.t_start_ns, plain.t_start_ns)
    np.testing.assert_array_equal(fast.n_positive, plain.n_positive)


def test_windows_that_end_when_they_begin_are_none() -> None:
    windows = event_windows(stream((0, 0, 7, 1), (0, 0, 7, 1), (0, 0, 7, 1)), 2)
    np.testing.assert_array_equal(windows.t_start_ns, [NO_EVENT] * 3)
    assert len(windows) == 0


def test_the_share_that_was_seen_falls_as_the_pixel_sleeps_more() -> None:
    windows = event_windows(stream((0, 0, 0, 1), (0, 0, 40, 1), (0, 0, 100, 1)), 2)
    np.testing.assert_allclose(windows.seen_share(0.0), [1.0])
    np.testing.assert_allclose(windows.seen_share(10.0), [1 - 10 / 90])
    np.testing.assert_allclose(windows.seen_share(50.0), [0.0])
    np.testing.assert_allclose(event_windows(windows.stream, 1).seen_share(10.0), [1.0, 1.0])


def test_windows_without_events_are_refused() -> None:
    with pytest.raises(InvalidInput, match="windows of 0 events; expected 1 or more"):
        event_windows(random_stream(3), 0)
