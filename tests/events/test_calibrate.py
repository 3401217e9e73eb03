"""Parameters of sensors, from what simulated sensors of known parameters record."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.data.event_camera import ContrastThresholds
from trisparse.data.event_stream import EventStream, concatenate
from trisparse.events.calibrate import Estimate, SensorEstimate, estimate_sensor
from trisparse.events.simulate import SimulatedSensor, simulate_frames

SIZE = 48
FRAMES = 2400


def film(turns: float = 1.0) -> Iterator[tuple[int, np.ndarray]]:
    """A soft texture that circles before the sensor for a second."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    noise = gaussian_filter(np.random.default_rng(3).standard_normal((160, 160)), 3, mode="wrap")
    texture = np.clip(0.3 * np.exp(noise / noise.std()), 0.06, 0.94)
    y, x = np.mgrid[:SIZE, :SIZE]
    for step in range(FRAMES + 1):
        angle = 2 * np.pi * turns * step / FRAMES
        at = [y + 50 + 12 * np.sin(angle), x + 50 + 12 * np.cos(angle)]
        yield step * 1_000_000_000 // FRAMES, map_coordinates(texture, at, order=1, mode="wrap")


def recorded(positive: float, negative: float, *, turns: float = 1.0, **traits: object) -> tuple[EventStream, list]:
    frames = list(film(turns))
    sensor = SimulatedSensor(ContrastThresholds(positive, negative), **traits)  # pyright: ignore[reportArgumentType]
    return simulate_frames(frames, sensor), frames[::60]


def known(estimate: Estimate | None) -> Estimate:
    assert estimate is not None
    assert estimate.low <= estimate.value <= estimate.high
    return estimate


@pytest.mark.parametrize(("positive", "negative"), [(0.2, 0.2), (0.15, 0.1), (0.12, 0.24)])
def test_thresholds_come_out_of_events_and_frames(positive: float, negative: float) -> None:
    found = estimate_sensor(*recorded(positive, negative))
    assert known(found.positive).value == pytest.approx(positive, rel=0.05)
    assert known(found.negative).value == pytest.approx(negative, rel=0.05)
    assert known(found.mean).value == pytest.approx((positive + negative) / 2, rel=0.05)
    assert known(found.ratio).value == pytest.approx(positive / negative, rel=0.05)


def test_a_known_refractory_period_is_counted_in() -> None:
    stream, frames = recorded(0.2, 0.3, refractory_period_ns=3_000_000)
    found = estimate_sensor(stream, frames, refractory_period_ns=3e6)
    assert known(found.positive).value == pytest.approx(0.2, rel=0.07)
    assert known(found.negative).value == pytest.approx(0.3, rel=0.07)


def test_a_short_recording_is_called_so() -> None:
    stream, _ = recorded(0.2, 0.2)
    assert any("less than 20 times" in note for note in estimate_sensor(stream[: len(stream) // 20]).notes)
    assert not any("less than 20 times" in note for note in estimate_sensor(stream).notes)


def test_events_alone_tell_the_ratio_and_say_that_they_do_not_tell_more() -> None:
    stream, _ = recorded(0.15, 0.1, threshold_stds=(0.01, 0.01))
    found = estimate_sensor(stream)
    assert known(found.ratio).value == pytest.approx(1.5, rel=0.05)
    assert found.positive is found.negative is found.mean is None
    assert any("no frames" in note for note in found.notes)


def test_a_refractory_period_shows_where_pixels_are_eager_to_fire() -> None:
    stream, _ = recorded(0.05, 0.05, turns=8, refractory_period_ns=4_000_000)
    found = estimate_sensor(stream)
    assert known(found.refractory_period_ns).value == pytest.approx(4e6, rel=0.1)
    assert not found.is_bound


def test_without_a_refractory_period_only_a_bound_is_claimed() -> None:
    found = estimate_sensor(recorded(0.2, 0.2)[0])
    assert found.is_bound
    assert any("may be shorter" in note for note in found.notes)


def test_a_few_hot_pixels_and_bursts_change_little() -> None:
    stream, frames = recorded(0.15, 0.1)
    clean = estimate_sensor(stream, frames)
    rng, n = np.random.default_rng(0), 4000
    times = np.sort(rng.integers(0, 1_000_000_000, n))
    where = rng.integers(0, 2, n)
    bad = EventStream(
        np.array([5, 30], np.int16)[where],
        np.array([7, 20], np.int16)[where],
        times,
        np.ones(n, np.int8),
        SIZE,
        SIZE,
    )
    order = np.argsort(np.concatenate([stream.t_ns, bad.t_ns]), kind="stable")
    names = ("x", "y", "t_ns", "polarity")
    x, y, t_ns, polarity = (np.concatenate([getattr(stream, n), getattr(bad, n)])[order] for n in names)
    mixed = EventStream(x, y, t_ns, polarity, SIZE, SIZE)
    found = estimate_sensor(mixed, frames)
    assert found.hot_pixels == 2
    for name in ("ratio", "positive", "negative", "refractory_period_ns"):
        assert known(getattr(found, name)).value == pytest.approx(known(getattr(clean, name)).value, rel=0.02)


def test_a_change_of_exposure_between_frames_changes_nothing() -> None:
    stream, frames = recorded(0.2, 0.2)
    dimmed = [(t, image * (0.9 if row % 2 else 1.0)) for row, (t, image) in enumerate(frames)]
    found, plain = estimate_sensor(stream, dimmed), estimate_sensor(stream, frames)
    assert known(found.mean).value == pytest.approx(known(plain.mean).value, rel=0.02)


def test_nothing_comes_of_nothing() -> None:
    none = np.zeros(0, np.int16)
    empty = EventStream(none, none, np.zeros(0, np.int64), np.zeros(0, np.int8), SIZE, SIZE)
    found = estimate_sensor(empty)
    assert found.refractory_period_ns is found.ratio is found.mean is None
    assert "hardly any pixel fired twice" in found.notes[0]
    one = EventStream(none[:0].astype(np.int16), none, np.zeros(0, np.int64), np.zeros(0, np.int8), SIZE, SIZE)
    assert isinstance(estimate_sensor(concatenate([empty, one])), SensorEstimate)


def test_frames_that_do_not_belong_to_the_sensor_are_refused() -> None:
    stream, frames = recorded(0.3, 0.3)
    with pytest.raises(ShapeMismatch, match=r"expected the sensor's \(48, 48\)"):
        estimate_sensor(stream, [(0, np.zeros((3, 3)))])
    with pytest.raises(InvalidInput, match="do not increase"):
        estimate_sensor(stream, frames[::-1])


def test_the_same_recording_gives_the_same_numbers() -> None:
    stream, frames = recorded(0.2, 0.3)
    assert estimate_sensor(stream, frames) == estimate_sensor(stream, frames)
