"""What is learned from a recording: where, between which times, and by how much the brightness changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int16, Int64, UInt8
from torch import Tensor

from ...core.errors import InvalidInput
from ...core.random import numpy_rng
from ...data.event_camera import EventCamera
from ...data.event_recording import PosedRecording
from ...data.event_stream import EventStream
from ...events.bayer import bayer_channels
from ...events.correct import undistort_events
from ...events.pairing import largest_refractory_period_ns, pair_events
from ...events.windows import EventWindows, event_windows


@dataclass(frozen=True, eq=False)
class EventBatch:
    """Events to learn from, or windows of several; times count from the first pose."""

    plane: Float64[Tensor, "e 2"]
    """Where the pixel sees: x and y on the plane z = 1 before the camera, without distortion."""
    channel: Int64[Tensor, "e"]
    """Colour that the pixel sees."""
    t_previous: Float64[Tensor, "e"]
    """Of the event before (ns), after which the pixel slept."""
    t_event: Float64[Tensor, "e"]
    """Of the event (ns)."""
    n_positive: Int64[Tensor, "e"]
    """Events that made it brighter since: for single events 1 or 0."""
    n_negative: Int64[Tensor, "e"]
    """Events that made it darker since."""

    def __len__(self) -> int:
        return len(self.t_event)


@dataclass(frozen=True, eq=False)
class EventSamples:
    """All that can be drawn; the events stay where they are, perhaps in a file."""

    stream: EventStream
    rows: Int64[np.ndarray, "p"]
    """Which events are samples."""
    t_previous_ns: Int64[np.ndarray, "e"]
    n_positive: Int16[np.ndarray, "e"]
    """Events in between that made the pixel brighter."""
    length: int
    """Events in between: 1, or those of a window."""
    plane: Float64[np.ndarray, "h w 2"]
    """Of each pixel; NaN where the lens has no ray."""
    channels: UInt8[np.ndarray, "h w"]
    t0_ns: int

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Int64[np.ndarray, "b"]) -> EventBatch:
        """Samples by number."""
        rows = self.rows[chosen]
        x, y, t = self.stream.x[rows], self.stream.y[rows], self.stream.t_ns[rows]
        brighter = self.n_positive[rows].astype(np.int64)
        return EventBatch(
            torch.from_numpy(self.plane[y, x]),
            torch.from_numpy(self.channels[y, x].astype(np.int64)),
            torch.from_numpy((self.t_previous_ns[rows] - self.t0_ns).astype(np.float64)),
            torch.from_numpy((t - self.t0_ns).astype(np.float64)),
            torch.from_numpy(brighter),
            torch.from_numpy(self.length - brighter),
        )

    def draw(self, count: int, generator: torch.Generator) -> EventBatch:
        """So many of them at random, each perhaps several times."""
        return self.take(torch.randint(len(self), (count,), generator=generator).numpy())


@dataclass(frozen=True, eq=False)
class PreparedEvents:
    """A recording, ready to be learned from."""

    singles: EventSamples
    windows: EventSamples | None
    largest_refractory_period_ns: int
    """No refractory period is longer, as far as the events tell."""
    notes: tuple[str, ...]


def prepare_events(
    recording: PosedRecording,
    *,
    refractory_period_ns: float = 0.0,
    refractory_quantile: float = 0.0,
    window_length: int | None = None,
    share: float = 1.0,
    seed: int = 0,
) -> PreparedEvents:
    """Pair the events and undistort their pixels.

    Args:
        recording: Events with poses and a calibration.
        refractory_period_ns: Events that contradict it are left out where it exceeds what all pixels allow.
        refractory_quantile: See :func:`trisparse.events.pairing.largest_refractory_period_ns`.
        window_length: Also windows of so many events; None: none.
        share: Part of the samples that is kept, drawn at random.
        seed: Of that draw.

    Raises:
        InvalidInput: No pixel fired twice.
        ShapeMismatch: The calibration is of another sensor.
    """
    stream, camera, trajectory = recording.stream, recording.camera, recording.trajectory
    plane = pixel_plane(camera)
    channels = bayer_channels(*_every_pixel(camera), camera.bayer_pattern).reshape(camera.height, camera.width)
    pairs = pair_events(stream)
    largest = largest_refractory_period_ns(pairs, quantile=refractory_quantile)
    notes = list(recording.notes)
    if refractory_quantile > 0:
        before, pairs = len(pairs), pairs.longer_than(min(refractory_period_ns, largest))
        if len(pairs) < before:
            notes.append(f"{before - len(pairs)} of {before} events came while their pixel should have slept: left out")
    is_seen = np.asarray(np.isfinite(plane).all(-1))
    rows = _kept(pairs.rows, stream, is_seen, share, seed)
    if not len(rows):
        raise InvalidInput(
            f"none of the {len(stream)} events can be learned from: the lens has no ray for their pixels"
        )
    brighter = (stream.polarity > 0).astype(np.int16)
    singles = EventSamples(stream, rows, pairs.t_previous_ns, brighter, 1, plane, channels, trajectory.t0_ns)
    windows = None
    if window_length is not None:
        windows = _windows(event_windows(stream, window_length), singles, is_seen, share, seed)
        if windows is None:
            notes.append(f"no pixel fired {window_length + 1} times: no window of events is learned from")
    return PreparedEvents(singles, windows, largest, tuple(notes))


def pixel_plane(camera: EventCamera) -> Float64[np.ndarray, "h w 2"]:
    """Where each pixel's centre sees: x and y on the plane z = 1, without distortion; NaN where the lens has no ray."""
    x, y = _every_pixel(camera)
    stream = EventStream(x, y, np.zeros(len(x), np.int64), np.ones(len(x), np.int8), camera.height, camera.width)
    pixels = undistort_events(stream, camera).astype(np.float64)
    inverse = np.linalg.inv(camera.K.numpy())
    homogeneous = np.concatenate([pixels, np.ones((len(pixels), 1))], 1) @ inverse.T
    return (homogeneous[:, :2] / homogeneous[:, 2:]).reshape(camera.height, camera.width, 2)


def _every_pixel(camera: EventCamera) -> tuple[Int16[np.ndarray, "p"], Int16[np.ndarray, "p"]]:
    y, x = np.divmod(np.arange(camera.height * camera.width), camera.width)
    return x.astype(np.int16), y.astype(np.int16)


def _kept(
    rows: Int64[np.ndarray, "_"], stream: EventStream, is_seen: Bool[np.ndarray, "h w"], share: float, seed: int
) -> Int64[np.ndarray, "_"]:
    if not is_seen.all():
        rows = rows[is_seen[stream.y[rows], stream.x[rows]]]
    if share < 1 and len(rows):
        rng = numpy_rng(seed, "share of the events")
        rows = np.sort(rng.permutation(rows)[: max(1, round(share * len(rows)))])
    return rows


def _windows(
    found: EventWindows, like: EventSamples, is_seen: Bool[np.ndarray, "h w"], share: float, seed: int
) -> EventSamples | None:
    rows = _kept(found.rows, found.stream, is_seen, share, seed)
    if not len(rows):
        return None
    counts = found.n_positive.astype(np.int16)
    return EventSamples(
        found.stream, rows, found.t_start_ns, counts, found.length, like.plane, like.channels, like.t0_ns
    )
