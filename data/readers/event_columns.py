"""Which column of a table of numbers is what of an event, where only the numbers tell."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...core.errors import CorruptFile

LAYOUTS: dict[str, tuple[int, int, int, int]] = {
    "t x y p": (0, 1, 2, 3),
    "x y t p": (2, 0, 1, 3),
    "x y p t": (3, 0, 1, 2),
    "t p x y": (0, 2, 3, 1),
}
"""Orders of columns that programs write -> where t, x, y and polarity are. RPG and v2e: t x y p; MVSEC: x y t p; Metavision:
x y p t; some exporters: t p x y."""


class EventColumns(NamedTuple):
    """Numbers of the columns."""

    t: int
    x: int
    y: int
    polarity: int


def event_columns(path: Path, table: np.ndarray) -> EventColumns:
    """Find t, x, y and polarity among four columns.

    The polarity is the last or third column with at most two values out of -1, 0, 1; the time is one that (nearly) never
    decreases, outside the range of pixels or with fractions where there is a choice.

    Args:
        path: The file, for messages.
        table: (n, 4), any numbers.

    Raises:
        CorruptFile: No order of columns fits.
    """
    sample = np.asarray(table[: 1 << 16], np.float64)
    fitting = [columns for columns in LAYOUTS.values() if _fits(sample, columns)]
    if not fitting:
        raise CorruptFile(
            path,
            "columns",
            f"the first row is {' '.join(f'{value:g}' for value in sample[0])}, and no order of time, x, y and "
            "polarity fits the numbers; expected one of: t x y p, x y t p, x y p t, t p x y",
        )
    return EventColumns(*max(fitting, key=lambda columns: _order(sample[:, columns[0]])))


def _fits(sample: np.ndarray, columns: tuple[int, int, int, int]) -> bool:
    t, x, y, polarity = (sample[:, i] for i in columns)
    if not (np.isin(polarity, (-1, 0, 1)).all() and np.isfinite(t).all()):
        return False
    pixels = np.stack([x, y])
    return bool((pixels == np.floor(pixels)).all() and (pixels >= -1).all() and (pixels < 1 << 15).all())


def _order(t: np.ndarray) -> float:
    """How much a column looks like time: the part of steps that do not go back, and whether it is no pixel."""
    forward = float((np.diff(t) >= 0).mean()) if len(t) > 1 else 1.0
    is_other = bool(t.max() >= 1 << 15) or not bool((t == np.floor(t)).all())
    return forward + (0.1 if is_other else 0.0)
