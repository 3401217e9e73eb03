"""Hot pixels stand out from their neighbours; busy places do not. The numbers of a summary are right."""

from __future__ import annotations

import numpy as np
import pytest
from trisparse.core.errors import InvalidInput
from trisparse.data.event_stream import EventStream
from trisparse.data.event_summary import summarize
from trisparse.data.hot_pixels import event_counts, hot_pixels, without_pixels

WIDTH, HEIGHT = 30, 20


def counted(counts: np.ndarray) -> EventStream:
    """A stream with so many events a pixel, in an order at random."""
    y, x = np.nonzero(counts)
    order = np.random.default_rng(0).permutation(int(counts.sum()))
    y, x = (np.repeat(values, counts[y, x])[order] for values in (y, x))
    return EventStream.from_arrays(
        x, y, np.arange(len(x)) * 1000, np.arange(len(x)) % 4 > 0, height=counts.shape[0], width=counts.shape[1]
    )


def test_events_of_each_pixel_are_counted() -> None:
    counts = np.random.default_rng(1).integers(0, 4, (HEIGHT, WIDTH))
    assert np.array_equal(event_counts(counted(counts)), counts)


def test_defects_are_found_alone_in_pairs_at_the_edge_and_within_a_busy_place() -> None:
    counts = np.random.default_rng(2).poisson(3, (HEIGHT, WIDTH))
    counts[5:9, 10:25] += 400  # a lamp
    defects = [(0, 0), (12, 3), (12, 4), (19, 29), (7, 17)]
    for y, x in defects:
        counts[y, x] = 9000
    assert np.argwhere(hot_pixels(counted(counts))).tolist() == sorted(map(list, defects))


def test_few_events_make_no_pixel_hot() -> None:
    counts = np.zeros((HEIGHT, WIDTH), np.int64)
    counts[4, 4], counts[9, 9] = 10, 11
    assert np.argwhere(hot_pixels(counted(counts))).tolist() == [[9, 9]]


def test_events_of_some_pixels_are_left_out() -> None:
    counts = np.full((HEIGHT, WIDTH), 2)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[3, 5] = True
    kept = event_counts(without_pixels(counted(counts), mask))
    assert kept[3, 5] == 0
    assert kept.sum() == counts.sum() - 2
    with pytest.raises(InvalidInput, match=r"a mask of shape \(30, 20\) for a sensor of 20 x 30"):
        without_pixels(counted(counts), mask.T)


def test_a_summary_has_the_numbers_of_its_stream() -> None:
    t = np.array([0, 1, 2, 3, 12, 40]) * 1_000_000 + 7
    zeros = np.zeros(6, np.int16)
    stream = EventStream(zeros, zeros, t, np.array([1, 1, 1, -1, -1, 1], np.int8), HEIGHT, WIDTH)
    found = summarize(stream)
    assert (found.events, found.first_ns, found.last_ns, found.duration_s) == (6, 7, 40_000_007, 0.04)
    assert (found.rate, found.peak_rate) == (150.0, 400.0)  # four of them in the first 10 ms
    assert (found.positive_share, found.active_pixels, found.most_events_of_a_pixel) == (4 / 6, 1, 6)
    assert (found.hot_pixels, found.hot_pixel_share) == (0, 0.0)


def test_a_summary_of_nothing_is_zero() -> None:
    found = summarize(EventStream.empty(HEIGHT, WIDTH))
    assert (found.events, found.rate, found.width) == (0, 0.0, WIDTH)
    assert summarize(counted(np.eye(1, dtype=np.int64))).rate == 0.0  # one event has no rate


def test_the_hot_pixels_of_a_real_sensor_are_few(shared: object) -> None:
    from trisparse.data.readers.events import read_events

    found = summarize(read_events(shared / "data" / "ev_prophesee_evt2" / "evt2_sample.raw").stream)  # pyright: ignore[reportOperatorIssue]
    assert found.most_events_of_a_pixel == 3323
    assert 1 <= found.hot_pixels <= 20
    assert 0.005 < found.hot_pixel_share < 0.05
