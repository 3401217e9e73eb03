"""Times of events that say little about themselves: their unit, counters that began again at 0, and disorder."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .event_file import NANOSECONDS, TimeUnit

_WORDS: dict[TimeUnit, str] = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_USUAL_RATE = 10**5.5
"""Events a second; recordings have 10^4 to 10^7."""
_USUAL_SECONDS = 10.0
_WEIGHT_OF_DURATION = 0.7
"""Beside that of the rate, each by its decades from what is usual."""
_EPOCH_S = (946_684_800, 4_102_444_800)
"""The years 2000 to 2100 as Unix times."""
_EPOCH_BONUS = 2.5
"""Decades of rate that a date of our time outweighs."""
_MICROSECOND_BONUS = 1.0
"""Decades; most files with whole numbers hold microseconds."""
_COUNTERS = (1 << 24, 1 << 31, 1 << 32)
"""Where counters begin again, where the format does not say."""
_NEAR_END = 0.1
"""Part of a counter's range before its end and after its start in which a jump back counts as one that began again."""


class UnitGuess(NamedTuple):
    """What unit times seem to have."""

    unit: TimeUnit
    note: str
    """Why, and what to do if it is wrong."""


def guess_unit(t: np.ndarray) -> UnitGuess:
    """The unit under which rate and duration of a recording are most usual.

    Args:
        t: Finite times, whole numbers or floats; fractions can only be seconds or milliseconds.
    """
    if not len(t):
        return UnitGuess("us", "no event tells the unit of the times; taken as microseconds")
    is_whole = t.dtype.kind in "iu" or bool((np.floor(t[: 1 << 16]) == t[: 1 << 16]).all())
    first, span = float(t.min()), float(t.max()) - float(t.min())
    unit = min(NANOSECONDS, key=lambda unit: _cost(unit, first, span, len(t), is_whole))
    seconds = span * NANOSECONDS[unit] / 1e9
    rate = f"{len(t) / seconds:.3g} events/s over {seconds:.3g} s" if seconds else "one instant"
    return UnitGuess(
        unit, f"the times were taken as {_WORDS[unit]}, which gives {rate}; if that is wrong, say which unit they have"
    )


def implausible_rate(t_ns: np.ndarray) -> str:
    """A note on times that are hardly in the unit that their format demands; empty where they may be."""
    if len(t_ns) < 1000:
        return ""
    seconds = max(int(t_ns.max()) - int(t_ns.min()), 1) / 1e9
    rate = len(t_ns) / seconds
    if 1e-1 < rate < 5e9:
        return ""
    return (
        f"{len(t_ns)} events in {seconds:.3g} s are {rate:.3g} events/s, which no sensor gives: the times are probably in "
        "another unit than their format demands; say which"
    )


def unwrapped(t: np.ndarray, period: int) -> tuple[np.ndarray, int]:
    """Times of a counter that began again at 0, and how many times it did.

    Each jump back by more than half of the period is taken as one.
    """
    restarts = np.zeros(len(t), np.int64)
    restarts[1:] = np.diff(t) < -(period // 2)
    count = int(restarts.sum())
    return (t + np.cumsum(restarts) * period, count) if count else (t, 0)


def find_counter(t: np.ndarray) -> int | None:
    """The period of a counter that began again, if jumps back look like that: from near its end to near 0."""
    back = np.flatnonzero(np.diff(t) < 0)
    if not len(back) or t.dtype.kind not in "iu" or t.min() < 0:
        return None
    for period in _COUNTERS:
        if t.max() < period:
            is_restart = (t[back] > (1 - _NEAR_END) * period) & (t[back + 1] < _NEAR_END * period)
            return period if is_restart.any() else None
    return None


def _cost(unit: TimeUnit, first: float, span: float, count: int, is_whole: bool) -> float:
    seconds = span * NANOSECONDS[unit] / 1e9
    cost = 0.0
    if seconds:
        cost = abs(math.log10(count / seconds / _USUAL_RATE))
        cost += _WEIGHT_OF_DURATION * abs(math.log10(seconds / _USUAL_SECONDS))
    if _EPOCH_S[0] <= first * NANOSECONDS[unit] / 1e9 <= _EPOCH_S[1]:
        cost -= _EPOCH_BONUS
    if not is_whole and unit in ("us", "ns"):
        return math.inf
    if is_whole and unit == "us":
        cost -= _MICROSECOND_BONUS
    return cost + (1.0 if unit == "ms" else 0.0)
