"""What a recording tells of the sensor that made it: refractory period, ratio of the contrast thresholds, thresholds.

Three laws, each over pixels that are no defects, so robustly that a few per cent of bad pixels change little:

- no pixel fires again before its refractory period is over, so that the pixels' shortest times between events begin there;
- what becomes brighter becomes darker again: over a long time at one pixel ``N+ C+ = N- C-`` but for a bounded rest, which
  gives the ratio of the thresholds (with ``N`` the events, each counted for what happened while its pixel slept too);
- between two frames of the same pixels ``ln I2 - ln I1 = N+ C+ - N- C-``, which gives both thresholds. Events alone do not tell
  them: a scene of twice the contrast before a sensor of twice the thresholds makes the same events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from ..core.errors import InvalidInput, ShapeMismatch
from ..data.event_stream import EventStream
from ..data.hot_pixels import event_counts, hot_pixels, without_pixels
from .pairing import EventPairs, pair_events, smallest_gaps

_EDGE = 0.01
"""Share of the pixels whose shortest times may be wrong."""
_SPREAD = 1.2
"""A refractory period shows where half of the pixels' shortest times are at most so many times as long."""
_LARGEST_WORTH, _USUAL_WORTH = 4.0, 1.3
"""An event counts for at most so many, however long its pixel slept; and the events of a pixel on average, where thresholds are
estimated: more would be guessed than seen."""
_BLOCK = 8
"""Pixels a side of the blocks that are drawn anew for intervals."""
_DRAWS = 200
_LEAST_EVENTS = 4
_EVENTS_BETWEEN = 6.0
"""Frames are taken so far apart that a pixel has so many events between them on average."""
_LEAST_CHANGES, _FEW_EVENTS = 50, 20
_DARK, _BRIGHT = 10 / 255, 245 / 255
"""Intensities of frames outside are noise or cut off."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval (bootstrap over blocks of 8 x 8 pixels), which is of chance alone."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SensorEstimate:
    """What is known of a sensor; None where the recording does not tell."""

    refractory_period_ns: Estimate | None
    is_bound: bool
    """Whether the refractory period may as well be shorter: hardly any pixel was about to fire sooner."""
    ratio: Estimate | None
    """Positive by negative threshold."""
    positive: Estimate | None
    negative: Estimate | None
    mean: Estimate | None
    """Of both thresholds; natural logarithm."""
    hot_pixels: int
    """Pixels that were left out."""
    notes: tuple[str, ...]


def estimate_sensor(
    stream: EventStream,
    frames: Sequence[tuple[int, Shaped[np.ndarray, "h w"]]] = (),
    *,
    refractory_period_ns: float | None = None,
    seed: int = 0,
) -> SensorEstimate:
    """Estimate a sensor's parameters from a recording.

    Args:
        stream: Events of a moving camera, or before a moving scene; the longer, the better.
        frames: Times (ns, increasing) and linear intensities (0..1) of the same pixels, without motion blur.
        refractory_period_ns: If it is known from elsewhere; thresholds are better then, as what happens while pixels sleep is
            counted in.
        seed: Of the bootstrap.

    Raises:
        ShapeMismatch: Frames of another size than the sensor's.
        InvalidInput: Frames out of order, a negative refractory period.
    """
    _check_frames(stream, frames)
    if refractory_period_ns is not None and not 0 <= refractory_period_ns < np.inf:
        raise InvalidInput(f"a refractory period of {refractory_period_ns} ns; expected 0 or more")
    hot = hot_pixels(stream) if len(stream) else np.zeros((stream.height, stream.width), bool)
    stream = without_pixels(stream, hot) if hot.any() else stream
    pairs, rng, notes = pair_events(stream), np.random.default_rng(seed), []
    period, is_bound = _refractory_period(pairs, rng)
    if period is None:
        notes.append("hardly any pixel fired twice: nothing can be said; give a longer recording")
    elif is_bound and refractory_period_ns is None:
        notes.append(
            "the refractory period may be shorter than this: hardly any pixel was about to fire sooner; thresholds are "
            "estimated as if there were none (too large by what happens while pixels sleep), unless a known period is given"
        )
    if refractory_period_ns is None:
        refractory_period_ns = 0.0 if period is None or is_bound else period.value
    worth = _worth(pairs, refractory_period_ns)
    ratio = _ratio(stream, worth, rng)
    thresholds = _thresholds(stream, worth, frames, rng) if len(frames) > 1 else None
    if ratio is not None and len(stream) < _FEW_EVENTS * np.count_nonzero(event_counts(stream)):
        notes.append(
            f"pixels fired less than {_FEW_EVENTS} times on average: the ratio of the thresholds, which assumes that "
            "brightness comes and goes, may be far off whatever its interval says; give a longer recording"
        )
    if thresholds is None:
        notes.append(
            "no frames tell how large the thresholds are, and events alone cannot: their ratio is enough to reconstruct, up to "
            "scale and offset of the logarithm"
            if len(frames) < 2
            else "the frames share too few bright pixels with events to tell the thresholds"
        )
    elif ratio is not None and not _overlap(thresholds[3], ratio):
        notes.append(
            f"frames and events disagree about the ratio of the thresholds: {thresholds[3].value:.3g} and {ratio.value:.3g}; "
            "events alone assume that the scene is as bright at the end as at the beginning, frames that they are linear and "
            "sharp"
        )
    positive, negative, mean, ratio = thresholds or (None, None, None, ratio)
    return SensorEstimate(period, is_bound, ratio, positive, negative, mean, int(hot.sum()), tuple(notes))


def _check_frames(stream: EventStream, frames: Sequence[tuple[int, np.ndarray]]) -> None:
    for t_ns, image in frames:
        if image.shape != (stream.height, stream.width):
            raise ShapeMismatch(
                f"a frame at {t_ns} ns of shape {image.shape}; expected the sensor's {(stream.height, stream.width)} (h w)"
            )
    times = [t for t, _ in frames]
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise InvalidInput("times of frames do not increase; give them in order")


def _refractory_period(pairs: EventPairs, rng: np.random.Generator) -> tuple[Estimate | None, bool]:
    gaps = smallest_gaps(pairs).reshape(-1)
    blocks = _blocks(pairs.stream)[gaps < np.iinfo(np.int64).max]
    gaps = gaps[gaps < np.iinfo(np.int64).max].astype(np.float64)
    if len(gaps) < 2 / _EDGE:
        return None, True
    order = np.argsort(gaps)
    gaps, blocks = gaps[order], blocks[order]
    drawn = [_edge(gaps, weights[blocks]) for weights in _draws(int(blocks.max()) + 1, rng)]
    value = _edge(gaps, np.ones(len(gaps)))
    return _estimate(value, drawn), bool(gaps[len(gaps) // 2] > _SPREAD * value)


def _edge(gaps: Float64[np.ndarray, "p"], weights: Float64[np.ndarray, "p"]) -> float:
    """Where sorted numbers begin, if a hundredth of them may be wrong.

    Two low quantiles are extended to the quantile 0, as for numbers that are evenly dense above the edge.
    """
    upto = np.cumsum(weights)
    first, second = np.searchsorted(upto, np.array([_EDGE, 2 * _EDGE]) * upto[-1])
    low, high = gaps[first], gaps[min(second, len(gaps) - 1)]
    return float(np.clip(2 * low - high, 0.0, low))


def _worth(pairs: EventPairs, period_ns: float) -> Float64[np.ndarray, "e"]:
    """For how many thresholds each event stands: more than one, as the brightness goes on changing while a pixel sleeps."""
    worth = np.ones(len(pairs.stream))
    gaps = (pairs.stream.t_ns[pairs.rows] - pairs.t_previous_ns[pairs.rows]).astype(np.float64)
    worth[pairs.rows] = gaps / np.maximum(gaps - period_ns, gaps / _LARGEST_WORTH)
    return worth


def _ratio(stream: EventStream, worth: Float64[np.ndarray, "e"], rng: np.random.Generator) -> Estimate | None:
    """From the sum and the difference of both kinds of events at each pixel, which treats both alike."""
    positive, negative = _sums(stream, worth)
    total, less = positive + negative, negative - positive
    busy = total >= 2 * _LEAST_EVENTS
    if busy.sum() < _BLOCK:
        return None
    fitted, drawn = _robust_fit(total[busy][:, None], less[busy], _blocks(stream)[busy], rng)
    value, drawn = ((1 + slope[..., 0]) / (1 - slope[..., 0]) for slope in (fitted, drawn))
    return _estimate(float(value), drawn) if value > 0 and (drawn > 0).all() else None


def _thresholds(
    stream: EventStream,
    worth: Float64[np.ndarray, "e"],
    frames: Sequence[tuple[int, np.ndarray]],
    rng: np.random.Generator,
) -> tuple[Estimate, Estimate, Estimate, Estimate] | None:
    """Positive, negative, mean and ratio, from the changes between frames."""
    rows, changes, where = [], [], []
    frames = _far_apart(stream, frames)
    for number, ((t_first, first), (t_second, second)) in enumerate(pairwise(frames)):
        begin, end = np.searchsorted(stream.t_ns, [t_first, t_second])
        part = stream[begin:end]
        positive, negative = _sums(part, worth[begin:end])
        n = sum(_sums(part, np.ones(end - begin)))
        images = np.stack([first, second]).reshape(2, -1).astype(np.float64)
        good = ((images > _DARK) & (images < _BRIGHT)).all(0) & (n >= _LEAST_EVENTS)
        good &= positive + negative <= _USUAL_WORTH * n
        brighter = np.zeros((int(good.sum()), len(frames) - 1))
        brighter[:, number] = 1.0  # exposure may differ from frame to frame
        # Since its last event a pixel went on in the same direction, by half a threshold or so: at both ends of the interval.
        rest = _last_polarities(stream[:end])[good] - _last_polarities(stream[:begin])[good]
        rows.append(np.column_stack([positive[good], -negative[good], rest, brighter]))
        changes.append(np.diff(np.log(np.maximum(images[:, good], _DARK)), axis=0)[0])
        where.append(_blocks(stream)[good])
    table, change = np.concatenate(rows), np.concatenate(changes)
    table = table[:, table.any(0)]
    if len(change) < _LEAST_CHANGES or table.shape[1] < 4:
        return None
    fitted, drawn = _robust_fit(table, change, np.concatenate(where), rng)
    if not (fitted[:2] > 0).all() or not (drawn[:, :2] > 0).all():
        return None
    up, down, ups, downs = fitted[0], fitted[1], drawn[:, 0], drawn[:, 1]
    return (
        _estimate(up, ups),
        _estimate(down, downs),
        _estimate((up + down) / 2, (ups + downs) / 2),
        _estimate(up / down, ups / downs),
    )


def _far_apart(stream: EventStream, frames: Sequence[tuple[int, np.ndarray]]) -> list[tuple[int, np.ndarray]]:
    """The first frame, and of the others those before which enough happened."""
    chosen, wanted = list(frames[:1]), _EVENTS_BETWEEN * stream.height * stream.width
    for number, frame in enumerate(frames[1:], 1):
        begin, end = np.searchsorted(stream.t_ns, [chosen[-1][0], frame[0]])
        if end - begin >= wanted or (number == len(frames) - 1 and len(chosen) == 1):
            chosen.append(frame)
    return chosen


def _robust_fit(
    x: Float64[np.ndarray, "n k"],
    y: Float64[np.ndarray, "n"],
    blocks: Int64[np.ndarray, "n"],
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "k"], Float64[np.ndarray, "draws k"]]:
    """Huber's fit by least squares with weights, and the same for blocks that are drawn anew, at the same weights."""
    weights = np.ones(len(y))
    fitted = np.zeros(x.shape[1])
    for _ in range(30):
        before = fitted
        fitted = np.linalg.lstsq(x * np.sqrt(weights)[:, None], y * np.sqrt(weights), rcond=None)[0]
        misses = y - x @ fitted
        scale = 1.4826 * np.median(np.abs(misses)) + 1e-12
        weights = np.minimum(1.0, 1.345 * scale / np.maximum(np.abs(misses), 1e-12))
        if np.allclose(fitted, before, rtol=1e-9, atol=1e-12):
            break
    n = int(blocks.max()) + 1
    products, targets = np.zeros((n, x.shape[1], x.shape[1])), np.zeros((n, x.shape[1]))
    np.add.at(products, blocks, weights[:, None, None] * x[:, :, None] * x[:, None, :])
    np.add.at(targets, blocks, (weights * y)[:, None] * x)
    drawn = []
    for counts in _draws(n, rng):
        left, right = np.tensordot(counts, products, 1), counts @ targets
        drawn.append(np.linalg.lstsq(left, right, rcond=None)[0])
    return fitted, np.array(drawn)


def _sums(stream: EventStream, worth: Float64[np.ndarray, "e"]) -> tuple[np.ndarray, np.ndarray]:
    """Positive and negative events of each pixel, each counted for its worth."""
    n = stream.height * stream.width
    pixel = stream.y.astype(np.int64) * stream.width + stream.x
    both = [
        np.bincount(pixel[kind], weights=worth[kind], minlength=n)
        for kind in (stream.polarity > 0, stream.polarity < 0)
    ]
    return both[0], both[1]


def _last_polarities(stream: EventStream) -> Float64[np.ndarray, "p"]:
    """Of the last event of each pixel; 0 without any."""
    last = np.zeros(stream.height * stream.width)
    last[stream.y.astype(np.int64) * stream.width + stream.x] = stream.polarity  # of several events the last one stays
    return last


def _blocks(stream: EventStream) -> Int64[np.ndarray, "p"]:
    across = -(-stream.width // _BLOCK)
    y, x = np.divmod(np.arange(stream.height * stream.width), stream.width)
    return (y // _BLOCK) * across + x // _BLOCK


def _draws(n: int, rng: np.random.Generator) -> Float64[np.ndarray, "draws n"]:
    """How often each block is drawn."""
    return rng.multinomial(n, np.full(n, 1 / n), size=_DRAWS).astype(np.float64)


def _estimate(value: float, drawn: Sequence[float] | np.ndarray) -> Estimate:
    low, high = np.quantile(np.asarray(drawn), [0.025, 0.975])
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))


def _overlap(a: Estimate, b: Estimate) -> bool:
    return a.low <= b.high and b.low <= a.high
