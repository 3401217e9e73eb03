"""An event camera, simulated from frames: the improved rule of ESIM that Robust e-NeRF's data were made with.

Between two frames the logarithm of each pixel's intensity goes in a straight line. A pixel fires when it has moved by a
threshold from its reference (plus what leaks), at that time rounded up to nanoseconds; then it sleeps for the refractory
period, and what it sees at its end is the new reference (Low and Lee, ICCV 2023, version 1.0 of their simulator after Rebecq et
al., ESIM, CoRL 2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float64, Shaped

from ..core.backend import Op
from ..core.errors import InvalidInput, NotFinite, ShapeMismatch
from ..core.random import numpy_rng
from ..data.event_camera import ContrastThresholds
from ..data.event_stream import EventStream, concatenate
from .bayer import mosaic
from .intensities import grey
from .kernels.numpy_simulate import PixelState, PixelTraits

ADVANCE = Op(
    "simulate_events",
    {
        "numba": "trisparse.events.kernels.numba_simulate:advance",
        "numpy": "trisparse.events.kernels.numpy_simulate:advance",
    },
)
_LEAST_THRESHOLD = 0.01
"""Of a pixel, whatever its variation."""
_AT_ONCE = 1 << 22
"""Pixels of frames that are in memory as logarithms at a time."""


@dataclass(frozen=True)
class SimulatedSensor:
    """How a simulated sensor turns intensities into events."""

    thresholds: ContrastThresholds = field(default_factory=lambda: ContrastThresholds(0.25, 0.25))
    threshold_stds: tuple[float, float] = (0.0, 0.0)
    """Standard deviations of the positive and the negative threshold from pixel to pixel; none is below 0.01 then."""
    refractory_period_ns: int = 0
    leak_rate_hz: float = 0.0
    """How often a pixel fires, brighter, before which nothing changes."""
    log_offset: float = 0.5 / 255
    """Added to the intensity before its logarithm is taken; half a step of 8 bits, as the data of Robust e-NeRF."""
    bayer_pattern: str = ""
    """Colour filters, see :func:`~.bayer.bayer_channels`; "" makes colours grey."""

    def __post_init__(self) -> None:
        for name, value in (
            ("standard deviation of thresholds", min(self.threshold_stds)),
            ("refractory period", self.refractory_period_ns),
            ("leak rate", self.leak_rate_hz),
            ("offset of intensities", self.log_offset),
        ):
            if not 0 <= value < np.inf:
                raise InvalidInput(f"a {name} of {value}; expected 0 or more")


class EventSimulator:
    """Takes frames in the order of time and gives the events between them.

    The same seed and frames give the same events, however the frames are portioned, from any number of threads and from both
    backends.
    """

    def __init__(self, sensor: SimulatedSensor, *, seed: int = 0, backend: str = "auto") -> None:
        """Start without a frame.

        Args:
            sensor: Its traits.
            seed: Of the pixels' thresholds, and of when each wakes up first.
            backend: ``"numba"`` or ``"numpy"``, which is slow.
        """
        self.sensor = sensor
        self._seed = seed
        self._advance = ADVANCE.pick(torch.device("cpu"), backend)
        self._state: PixelState | None = None
        self._traits: PixelTraits | None = None
        self._size = (0, 0)

    def feed(self, t_ns: Sequence[int], frames: Sequence[Shaped[np.ndarray, "..."]]) -> EventStream:
        """The events after the frame before, up to the last of these frames. The very first frame gives none.

        Args:
            t_ns: Times of the frames, strictly increasing, later than those of earlier calls.
            frames: Intensities (h, w), or red green blue (h, w, 3), 0 or more, as floats; a picture's 0..1 is usual.

        Raises:
            InvalidInput: Times that do not increase; no frame at all; intensities without a logarithm.
            ShapeMismatch: Frames of different sizes, or without colours where the sensor has filters.
            NotFinite: NaN or infinite intensities.
        """
        if len(t_ns) != len(frames) or not len(frames):
            raise InvalidInput(f"{len(frames)} frames and {len(t_ns)} times; give one each, at least one")
        levels = self._log_intensities(frames)
        times = np.array([int(t) for t in t_ns], np.int64)
        if self._state is None or self._traits is None:
            self._state, self._traits = self._start(int(times[0]), levels[0])
            times, levels = times[1:], levels[1:]
        latest = np.concatenate([[self._state.t_ns], times])
        if (np.diff(latest) <= 0).any():
            i = int((np.diff(latest) <= 0).argmax())
            raise InvalidInput(
                f"a frame at {latest[i + 1]} ns after one at {latest[i]} ns; expected frames in order, each at its own time"
            )
        self._state, found = self._advance(self._state, self._traits, times, levels)
        return EventStream(found.x, found.y, found.t_ns, found.polarity, *self._size)

    def _log_intensities(self, frames: Sequence[np.ndarray]) -> Float64[np.ndarray, "f p"]:
        size = frames[0].shape[:2] if self._state is None else self._size
        levels = np.empty((len(frames), *size))
        for frame, level in zip(frames, levels, strict=True):
            if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] != 3) or frame.dtype.kind != "f":
                raise ShapeMismatch(f"a frame of {frame.dtype} {frame.shape}; expected floats of (h, w) or (h, w, 3)")
            if frame.shape[:2] != size:
                raise ShapeMismatch(f"a frame of {frame.shape[:2]} after frames of {size}; expected one size")
            if self.sensor.bayer_pattern:
                frame = mosaic(frame, self.sensor.bayer_pattern)
            elif frame.ndim == 3:
                frame = grey(frame)
            np.add(frame, self.sensor.log_offset, out=level, dtype=np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                np.log(level, out=level)
            if not np.isfinite(level.sum()):
                raise _no_logarithm(frame, self.sensor.log_offset)
        self._size = size
        return levels.reshape(len(frames), -1)

    def _start(self, t: int, level: np.ndarray) -> tuple[PixelState, PixelTraits]:
        n, sensor = len(level), self.sensor
        rng = numpy_rng(self._seed, "simulated sensor")
        nominal = (sensor.thresholds.positive, sensor.thresholds.negative)
        positive, negative = (
            np.maximum(_LEAST_THRESHOLD, value + std * rng.standard_normal(n)) if std else np.full(n, value)
            for value, std in zip(nominal, sensor.threshold_stds, strict=True)
        )
        # Pixels wake up at different times, or all of them would fire together for ever.
        period = sensor.refractory_period_ns
        wake = t + (rng.integers(0, period, n) if period else np.zeros(n, np.int64))
        leak = sensor.leak_rate_hz * 1e-9 * positive
        traits = PixelTraits(positive, negative, leak, period, self._size[1])
        return PixelState(wake, level.copy(), level.copy(), t), traits


def simulate_frames(
    frames: Iterable[tuple[int, Shaped[np.ndarray, "..."]]],
    sensor: SimulatedSensor,
    *,
    seed: int = 0,
    backend: str = "auto",
) -> EventStream:
    """The events of a sensor that sees some frames: a film, or rendered images.

    Args:
        frames: Times (ns) and intensities, see :meth:`EventSimulator.feed`. They are taken a few at a time, so that a generator
            may read or render them. Between frames the logarithm is interpolated: take frames so densely that nothing moves by
            much more than half a pixel.
        sensor: Its traits.
        seed: See :class:`EventSimulator`.
        backend: See :class:`EventSimulator`.

    Raises:
        InvalidInput: No frame, or see :meth:`EventSimulator.feed`.
    """
    simulator = EventSimulator(sensor, seed=seed, backend=backend)
    parts = [simulator.feed(*portion) for portion in portions(frames)]
    if not parts:
        raise InvalidInput("no frames to simulate events from; give at least two")
    return concatenate(parts)


def portions(
    frames: Iterable[tuple[int, Shaped[np.ndarray, "..."]]],
) -> Iterator[tuple[list[int], list[Shaped[np.ndarray, "..."]]]]:
    """Times and frames in portions that are worth a call and fit into memory."""
    times: list[int] = []
    images: list[np.ndarray] = []
    for t, image in frames:
        times.append(t)
        images.append(image)
        if len(images) * image.shape[0] * image.shape[1] >= _AT_ONCE:
            yield times, images
            times, images = [], []
    if images:
        yield times, images


def _no_logarithm(frame: np.ndarray, offset: float) -> InvalidInput:
    if not np.isfinite(frame).all():
        return NotFinite("a frame has NaN or infinite intensities; repair it first")
    return InvalidInput(
        f"an intensity of {frame.min():g} has no logarithm with a log_offset of {offset:g}; expected 0 or more, and an offset "
        "above 0 where a pixel is black"
    )
