"""Pictures of events: frames over the time of a recording, red where it became brighter, blue where darker."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ..core.errors import InvalidInput
from ..core.files import atomic_write
from ..data.event_stream import EventStream

_COLUMNS = 3
_LEAST_WIDTH = 320
"""Of a frame in pixels; small sensors are enlarged by whole factors."""
_CAPTION, _GAP = 18, 6
_EVENTS_A_PIXEL = 0.12
"""How full a frame should be, where nobody says how long it lasts."""
_SATURATED = 3
"""Events of one sign at a pixel that give its full colour."""
_BRIGHTER, _DARKER, _BOTH = np.array([200, 30, 20]), np.array([20, 60, 190]), np.array([150, 150, 150])


@dataclass(frozen=True, eq=False)
class EventFrame:
    """Events of some time as an image."""

    start_ns: int
    end_ns: int
    image: UInt8[np.ndarray, "h w 3"]


def event_image(stream: EventStream) -> UInt8[np.ndarray, "h w 3"]:
    """All events on white: the more of one sign at a pixel, the stronger its colour; grey where both balance."""
    place = stream.y.astype(np.int64) * stream.width + stream.x
    size = stream.width * stream.height
    total = np.bincount(place, minlength=size)
    balance = np.bincount(place, weights=stream.polarity.astype(np.float64), minlength=size)
    strength = (
        np.where(balance == 0, 1 / 3, np.minimum(np.abs(balance) / _SATURATED, 1))[:, None] * (total > 0)[:, None]
    )
    color = np.where(balance[:, None] > 0, _BRIGHTER, np.where(balance[:, None] < 0, _DARKER, _BOTH))
    shown = 255 + (color - 255) * (0.35 * (total > 0)[:, None] + 0.65 * strength)
    return np.rint(shown).astype(np.uint8).reshape(stream.height, stream.width, 3)


def event_frames(stream: EventStream, count: int, seconds: float | None = None) -> tuple[EventFrame, ...]:
    """Frames at even distances from the first event to the last.

    Args:
        stream: Not empty.
        count: Frames.
        seconds: How long each lasts; by default so long that about every eighth pixel has an event.

    Raises:
        InvalidInput: No events, no frames, or no duration.
    """
    if not len(stream) or count < 1 or (seconds is not None and not seconds > 0):
        raise InvalidInput(
            f"{count} frames of {seconds} s from {len(stream)} events; expected at least one of each, and time"
        )
    if seconds is None:
        share = min(1.0, _EVENTS_A_PIXEL * stream.width * stream.height / len(stream))
        length = max(1, round(stream.duration_ns * min(share, 1 / count)))
    else:
        length = max(1, round(seconds * 1e9))
    first, last = int(stream.t_ns[0]), int(stream.t_ns[-1]) + 1
    starts = [first + (max(last - first - length, 0) * i) // max(count - 1, 1) for i in range(count)]
    return tuple(
        EventFrame(start, start + length, event_image(stream.between(start, start + length))) for start in starts
    )


def draw_event_frames(stream: EventStream, path: Path, *, count: int = 6, seconds: float | None = None) -> Path:
    """Write a sheet of frames as PNG, each with its time since the first event; atomically.

    Raises:
        InvalidInput: As :func:`event_frames`.
    """
    from PIL import Image, ImageDraw

    frames = event_frames(stream, count, seconds)
    zoom = math.ceil(_LEAST_WIDTH / stream.width)
    width, height = zoom * stream.width, zoom * stream.height
    columns = min(count, _COLUMNS)
    rows = math.ceil(count / columns)
    sheet = Image.new(
        "RGB", (columns * (width + _GAP) + _GAP, rows * (height + _CAPTION + _GAP) + _GAP), (225, 225, 225)
    )
    draw = ImageDraw.Draw(sheet)
    for i, frame in enumerate(frames):
        left, top = _GAP + i % columns * (width + _GAP), _GAP + i // columns * (height + _CAPTION + _GAP)
        since, length = (frame.start_ns - int(stream.t_ns[0])) / 1e9, (frame.end_ns - frame.start_ns) / 1e6
        draw.text((left + 2, top + 2), f"{since:.4f} s, {length:.3g} ms", fill=(0, 0, 0))
        image = Image.fromarray(frame.image).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(image, (left, top + _CAPTION))
    with atomic_write(path) as file:
        sheet.save(file, "PNG")
    return path
