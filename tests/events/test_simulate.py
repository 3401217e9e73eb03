"""The simulated event camera: its law, by hand and by invariants that every stream of it must have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from trisparse.core.errors import InvalidInput, NotFinite, ShapeMismatch
from trisparse.data.event_camera import ContrastThresholds
from trisparse.data.event_stream import EventStream
from trisparse.events.bayer import bayer_channels
from trisparse.events.pairing import largest_refractory_period_ns, pair_events
from trisparse.events.simulate import EventSimulator, SimulatedSensor, simulate_frames

from tests.events.thread_counts import threads

MS = 1_000_000
BACKENDS = ["numba", "numpy"]


def sensor(positive: float = 0.3, negative: float = 0.2, *, period: int = 0, **traits: object) -> SimulatedSensor:
    """Without offset, so that logarithms are what a test says."""
    settings: dict[str, object] = {"log_offset": 0.0, "refractory_period_ns": period, **traits}
    return SimulatedSensor(ContrastThresholds(positive, negative), **settings)  # type: ignore[arg-type]


def from_logs(*frames: tuple[int, float]) -> list[tuple[int, np.ndarray]]:
    """Frames of one pixel from times and logarithms."""
    return [(t, np.array([[math.exp(level)]])) for t, level in frames]


def flicker(n: int = 40, *, height: int = 6, width: int = 9, seed: int = 0) -> list[tuple[int, np.ndarray]]:
    """Frames at uneven times whose pixels brighten and darken at speeds of their own."""
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.integers(1 * MS, 9 * MS, n))
    phase, speed = rng.uniform(0, 6.3, (height, width)), rng.uniform(5, 120, (height, width))
    return [(int(s), np.exp(0.9 * np.sin(phase + speed * s * 1e-9) - 0.7)) for s in t]


def level_at(frames: list[tuple[int, np.ndarray]], events: EventStream, t: np.ndarray) -> np.ndarray:
    """Log intensity at the pixels of events at some times, by the line between the frames around."""
    times = np.array([s for s, _ in frames])
    levels = np.log(np.stack([image for _, image in frames]))
    found = np.empty(len(events))
    for i in range(len(events)):
        found[i] = np.interp(t[i], times, levels[:, events.y[i], events.x[i]])
    return found


def parts(stream: EventStream) -> tuple[np.ndarray, ...]:
    """Its arrays."""
    return stream.x, stream.y, stream.t_ns, stream.polarity


def assert_same(a: EventStream, b: EventStream) -> None:
    """To the bit."""
    for one, other in zip(parts(a), parts(b), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_pixel_fires_at_each_threshold_and_starts_anew_from_there(backend: str) -> None:
    frames = from_logs((0, 0.0), (10 * MS, 1.0), (20 * MS, 0.0))
    events = simulate_frames(frames, sensor(0.3, 0.2), backend=backend)
    # Up by 0.3 each 3 ms; then down from 0.9: the turn at 10 ms, 0.2 below the reference of 0.9 at 13 ms, 15 ms, ...
    rising, falling = [3, 6, 9], [13, 15, 17, 19]
    np.testing.assert_allclose(events.t_ns, np.array(rising + falling) * MS, rtol=0, atol=3)
    np.testing.assert_array_equal(events.polarity, [1] * 3 + [-1] * 4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_reference_is_what_the_pixel_sees_when_it_wakes_up(backend: str) -> None:
    frames = from_logs((0, 0.0), (10 * MS, 1.0), (30 * MS, 1.0), (40 * MS, 2.0))
    simulator = EventSimulator(sensor(0.3, 0.2, period=4 * MS), seed=5, backend=backend)
    simulator.feed([0], [frames[0][1]])
    assert simulator._state is not None
    wake = int(simulator._state.t_reference[0])
    assert 0 <= wake < 4 * MS
    events = simulator.feed([t for t, _ in frames[1:]], [image for _, image in frames[1:]])
    # It sees from `wake` on, fires 3 ms later, sleeps 4 ms; what was left at 10 ms stays until the light rises again.
    first = wake + 3 * MS
    missing = 0.3 - (10 * MS - first - 4 * MS) * 1e-7
    assert missing > 0
    second = 30 * MS + missing * 1e7
    np.testing.assert_allclose(events.t_ns, [first, second, second + 7 * MS][: len(events)], rtol=0, atol=3)
    assert len(events) >= 2


def test_a_crossing_exactly_at_a_frame_is_an_event_then() -> None:
    frames = from_logs((0, 0.0), (7, 0.5), (9, 0.5), (14, 0.75))
    events = simulate_frames(frames, sensor(0.5, 0.25))
    np.testing.assert_array_equal(events.t_ns, [7])
    frames = from_logs((0, 0.0), (8, -0.25), (16, -0.75))
    np.testing.assert_array_equal(simulate_frames(frames, sensor(0.5, 0.25)).t_ns, [8, 12, 16])


def test_between_frames_of_one_nanosecond_at_most_one_event_fits() -> None:
    frames = from_logs(*[(t, 5.0 * (t % 2)) for t in range(6)])
    events = simulate_frames(frames, sensor(0.1, 0.1))
    np.testing.assert_array_equal(events.t_ns, [1, 2, 3, 4, 5])


def test_both_backends_give_the_same_bits() -> None:
    traits = sensor(0.17, 0.12, period=3 * MS, threshold_stds=(0.03, 0.02), leak_rate_hz=4.0)
    fast, plain = (simulate_frames(flicker(), traits, seed=3, backend=backend) for backend in BACKENDS)
    assert len(fast) > 500
    assert_same(fast, plain)


def test_the_bits_depend_neither_on_threads_nor_on_portions_but_on_the_seed() -> None:
    traits = sensor(0.1, 0.08, period=2 * MS, threshold_stds=(0.03, 0.02))
    frames = flicker(60, height=40, width=33)
    whole = simulate_frames(frames, traits, seed=1)
    for n in (1, 2):
        with threads(n):
            assert_same(simulate_frames(frames, traits, seed=1), whole)
    simulator = EventSimulator(traits, seed=1)
    one_by_one = [simulator.feed([t], [image]) for t, image in frames]
    assert len(one_by_one[0]) == 0
    for place, name in enumerate(("x", "y", "t_ns", "polarity")):
        np.testing.assert_array_equal(np.concatenate([parts(p)[place] for p in one_by_one]), getattr(whole, name))
    other = simulate_frames(frames, traits, seed=2)
    assert len(other) != len(whole) or (other.t_ns != whole.t_ns).any()


@pytest.mark.parametrize("period", [0, 2 * MS, 30 * MS])
def test_between_a_pixel_s_reference_and_its_event_lies_one_threshold(period: int) -> None:
    frames = flicker(80)
    events = simulate_frames(frames, sensor(0.21, 0.16, period=period), seed=4)
    pairs = pair_events(events)
    rows = pairs.rows
    samples = events[pairs.is_sample]
    assert len(rows) > 300
    change = level_at(frames, samples, samples.t_ns) - level_at(frames, samples, pairs.t_previous_ns[rows] + period)
    wanted = np.where(samples.polarity > 0, 0.21, -0.16)
    steepest = 0.9 * 120 * 1e-9  # per nanosecond, by which an event may come late
    assert np.abs(change - wanted).max() <= 1.5 * steepest + 1e-12


@pytest.mark.parametrize("period", [0, 7 * MS])
def test_samples_are_all_events_but_each_pixel_s_first_and_gaps_exceed_the_refractory_period(period: int) -> None:
    events = simulate_frames(flicker(60), sensor(period=period), seed=2)
    pairs = pair_events(events)
    fired = len(np.unique(events.y.astype(int) * events.width + events.x))
    assert len(pairs) == len(events) - fired
    assert largest_refractory_period_ns(pairs) > period
    climb = 0.2 / (0.9 * 120) * 1e9  # no pixel moves by the smaller threshold any faster
    assert largest_refractory_period_ns(pairs) >= period + 0.9 * climb


def test_brightness_and_contrast_of_the_scene_change_nothing_when_thresholds_follow() -> None:
    frames = flicker(60)
    usual = simulate_frames(frames, sensor(0.25, 0.125, period=MS), seed=6)
    brighter = simulate_frames([(t, 37.0 * image) for t, image in frames], sensor(0.25, 0.125, period=MS), seed=6)
    steeper = simulate_frames([(t, image**2.5) for t, image in frames], sensor(0.625, 0.3125, period=MS), seed=6)
    for other in (brighter, steeper):
        assert len(other) == len(usual)
        for one, two in zip(parts(other), parts(usual), strict=True):
            np.testing.assert_allclose(np.sort(one), np.sort(two), rtol=0, atol=1)


def test_a_pixel_s_log_brightness_is_known_to_within_one_threshold_without_refractory_period() -> None:
    frames = flicker(50)
    events = simulate_frames(frames, sensor(0.3, 0.2))
    sums = np.zeros((events.height, events.width))
    np.add.at(sums, (events.y, events.x), np.where(events.polarity > 0, 0.3, -0.2))
    moved = np.log(frames[-1][1]) - np.log(frames[0][1])
    assert (moved - sums).max() < 0.3 + 1e-6
    assert (moved - sums).min() > -0.2 - 1e-6


def test_before_a_still_scene_only_leaks_make_events_at_their_rate() -> None:
    still = np.full((30, 20), 0.4)
    frames = [(t * 50 * MS, still) for t in range(42)]
    assert len(simulate_frames(frames, sensor(0.3, 0.2, period=5 * MS))) == 0
    leaky = simulate_frames(frames, sensor(0.3, 0.2, leak_rate_hz=3.0))
    assert (leaky.polarity == 1).all()
    np.testing.assert_array_equal(np.bincount(leaky.y.astype(int) * 20 + leaky.x), np.full(600, 6))
    np.testing.assert_allclose(np.diff(leaky.t_ns[::600]), 1e9 / 3, rtol=0, atol=3)


def test_leaks_add_to_what_brightens_and_take_from_what_darkens() -> None:
    down = from_logs((0, 0.0), (1000 * MS, -1.0))
    # -1 a second and a leak of 2 x 0.3: -0.4 a second, so that two thresholds of 0.2 make one second.
    events = simulate_frames(down, sensor(0.3, 0.2, leak_rate_hz=2.0))
    np.testing.assert_allclose(events.t_ns, [500 * MS, 1000 * MS], rtol=0, atol=3)
    np.testing.assert_array_equal(events.polarity, [-1, -1])


def test_thresholds_vary_from_pixel_to_pixel_as_told_and_stay_above_a_hundredth() -> None:
    simulator = EventSimulator(sensor(0.25, 0.05, threshold_stds=(0.06, 0.04)), seed=8)
    simulator.feed([0], [np.full((200, 250), 0.5)])
    assert simulator._traits is not None
    positive, negative = simulator._traits.positive, simulator._traits.negative
    assert positive.mean() == pytest.approx(0.25, abs=1e-3)
    assert positive.std() == pytest.approx(0.06, rel=0.02)
    assert negative.min() == 0.01
    assert (negative == 0.01).mean() == pytest.approx(0.1587, abs=0.01)
    assert abs(np.corrcoef(positive, negative)[0, 1]) < 0.02


def test_pixels_wake_up_at_times_spread_evenly_over_the_refractory_period() -> None:
    simulator = EventSimulator(sensor(period=8 * MS), seed=8)
    simulator.feed([123], [np.full((100, 100), 0.5)])
    assert simulator._state is not None
    share = (simulator._state.t_reference - 123) / (8 * MS)
    assert share.min() >= 0
    assert share.max() < 1
    np.testing.assert_allclose(np.histogram(share, 10, (0, 1))[0], 1000, atol=150)


def test_behind_colour_filters_each_pixel_sees_its_own_channel() -> None:
    films = [flicker(30, height=8, width=7, seed=seed) for seed in (1, 2, 3)]
    times = [t for t, _ in films[0]]
    colors = [np.stack([film[i][1] for film in films], -1) for i in range(30)]
    events = simulate_frames(zip(times, colors, strict=True), sensor(bayer_pattern="GRBG"))
    channels = bayer_channels(events.x, events.y, "GRBG")
    for channel, film in enumerate(films):
        alone = simulate_frames([(t, image) for t, (_, image) in zip(times, film, strict=True)], sensor())
        seen = bayer_channels(alone.x, alone.y, "GRBG") == channel
        assert_same(events[channels == channel], alone[seen])


def test_without_filters_colours_become_grey() -> None:
    rng = np.random.default_rng(0)
    colors = [(i * MS, rng.uniform(0.1, 1, (4, 5, 3)).astype(np.float32)) for i in range(5)]
    greys = [(t, image.astype(np.float64) @ [0.299, 0.587, 0.114]) for t, image in colors]
    assert_same(simulate_frames(colors, sensor()), simulate_frames(greys, sensor()))


def test_single_precision_frames_are_computed_with_in_double_precision() -> None:
    frames = [(t, image.astype(np.float32)) for t, image in flicker()]
    doubled = [(t, image.astype(np.float64)) for t, image in frames]
    assert_same(simulate_frames(frames, sensor(log_offset=0.002)), simulate_frames(doubled, sensor(log_offset=0.002)))


def test_a_flash_of_many_events_in_one_interval_is_sorted_and_complete() -> None:
    dark, light = np.full((60, 50), 0.01), np.full((60, 50), 1.0)
    light[0] = 0.5
    events = simulate_frames([(0, dark), (MS, dark), (2 * MS, light)], sensor(0.02, 0.02))
    per_pixel = int(math.log(100) / 0.02)
    counts = np.bincount(events.y.astype(int) * 50 + events.x)
    np.testing.assert_array_equal(counts[50:], per_pixel)
    assert (np.diff(events.t_ns) >= 0).all()
    same = np.diff(events.t_ns) == 0
    pixels = events.y.astype(int) * 50 + events.x
    assert (np.diff(pixels)[same] > 0).all()


def test_one_frame_or_no_pixels_give_no_events() -> None:
    assert len(simulate_frames([(0, np.ones((3, 4)))], sensor())) == 0
    assert len(simulate_frames([(t, np.ones((1, 1)) * 0.5) for t in (0, 5)], sensor())) == 0


def test_frames_that_make_no_sense_are_refused() -> None:
    image = np.full((2, 3), 0.5)
    with pytest.raises(InvalidInput, match="a frame at 5 ns after one at 5 ns"):
        simulate_frames([(5, image), (5, image)], sensor())
    simulator = EventSimulator(sensor())
    simulator.feed([0], [image])
    with pytest.raises(ShapeMismatch, match=r"a frame of \(3, 2\) after frames of \(2, 3\)"):
        simulator.feed([1], [image.T])
    with pytest.raises(NotFinite, match="NaN or infinite intensities"):
        simulate_frames([(0, image), (1, image * np.nan)], sensor())
    with pytest.raises(InvalidInput, match="an intensity of 0 has no logarithm with a log_offset of 0"):
        simulate_frames([(0, image), (1, image * 0)], sensor())
    with pytest.raises(ShapeMismatch, match="expected floats"):
        simulate_frames([(0, (255 * image).astype(np.uint8))], sensor())
    with pytest.raises(InvalidInput, match="no frames to simulate"):
        simulate_frames([], sensor())
    with pytest.raises(InvalidInput, match="a leak rate of -1"):
        sensor(leak_rate_hz=-1.0)
