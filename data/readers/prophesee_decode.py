"""The words of EVT2 and EVT3, Prophesee's encodings, one after another; what a word means depends on those before it.

EVT2: 32 bits, the kind in the upper four. 0 and 1 are an event (off, on) with the lower 6 bits of the time, x and y in 11 bits
each; 8 carries the upper 28 bits of the time.

EVT3: 16 bits, the kind in the upper four. 0 carries y; 2 is an event at x, with the polarity in bit 11; 3 carries x and
polarity of the first pixel of a vector, and 4 (12 bits) and 5 (8 bits) say which of the following pixels have an event; 6 and 8
carry the lower and the upper 12 bits of the time.

Both clocks begin again at 0. A jump back by at least half of the upper bits counts as that, as in Prophesee's own decoder;
where the upper bits of EVT3 change, the lower ones count from 0 until they are sent.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit


@no_type_check
@njit(cache=True)
def count_evt2(words):
    """Events, events before the first time, and words of unknown kind."""
    counts, has_time = np.zeros(3, np.int64), False
    for word in words:
        kind = word >> np.uint32(28)
        if kind <= 1:
            counts[0 if has_time else 1] += 1
        elif kind == 8:
            has_time = True
        elif kind != 10 and kind != 14 and kind != 15:
            counts[2] += 1
    return counts


@no_type_check
@njit(cache=True)
def decode_evt2(words, x, y, t, polarity):
    """Fill the columns, times in microseconds; how many times the clock began again."""
    n, high, wraps, has_time = 0, np.int64(0), 0, False
    for raw in words:
        word = np.int64(raw)
        kind = word >> 28
        if kind <= 1:
            if has_time:
                x[n], y[n] = (word >> 11) & 0x7FF, word & 0x7FF
                t[n] = (wraps << 34) | (high << 6) | ((word >> 22) & 0x3F)
                polarity[n] = 2 * kind - 1
                n += 1
        elif kind == 8:
            new = word & 0xFFFFFFF
            wraps += has_time and high - new >= 1 << 27
            high, has_time = new, True
    return wraps


@no_type_check
@njit(cache=True)
def _ones(bits):
    """How many bits of a word are set."""
    count = 0
    while bits:
        bits &= bits - 1
        count += 1
    return count


@no_type_check
@njit(cache=True)
def count_evt3(words):
    """Events, events before the first time or row, and words of unknown kind."""
    counts, has_time, has_row = np.zeros(3, np.int64), False, False
    for raw in words:
        word = np.int64(raw)
        kind = word >> 12
        if kind == 2:
            counts[0 if has_row and has_time else 1] += 1
        elif kind == 4 or kind == 5:
            counts[0 if has_row and has_time else 1] += _ones(word & (0xFFF if kind == 4 else 0xFF))
        elif kind <= 1:
            has_row = kind == 0  # 1 is a row of exposure measurements, of older sensors
        elif kind == 8:
            has_time = True
        elif kind == 9 or 11 <= kind <= 13:
            counts[2] += 1
    return counts


@no_type_check
@njit(cache=True)
def decode_evt3(words, x, y, t, polarity):
    """Fill the columns, times in microseconds; how many times the clock began again."""
    n, wraps, has_time, has_row = 0, 0, False, False
    high, low, row, base, sign, now = np.int64(0), np.int64(0), np.int64(0), np.int64(0), 1, np.int64(0)
    for raw in words:
        word = np.int64(raw)
        kind, content = word >> 12, word & 0xFFF
        if kind == 2:
            if has_row and has_time:
                x[n], y[n], t[n] = content & 0x7FF, row, now
                polarity[n] = 1 if content & 0x800 else -1
                n += 1
        elif kind == 0:
            row, has_row = content & 0x7FF, True
        elif kind == 6:
            low = content
            now = (wraps << 24) | (high << 12) | low
        elif kind == 3:
            base, sign = content & 0x7FF, 1 if content & 0x800 else -1
        elif kind == 4 or kind == 5:
            bits = content if kind == 4 else content & 0xFF
            column = base
            base += 12 if kind == 4 else 8
            if has_row and has_time:
                while bits:
                    if bits & 1:
                        x[n], y[n], t[n], polarity[n] = column, row, now, sign
                        n += 1
                    bits >>= 1
                    column += 1
        elif kind == 8:
            if has_time:
                wraps += high - content >= 1 << 11
                if content != high:
                    low = 0
            else:
                low = 0
            high, has_time = content, True
            now = (wraps << 24) | (high << 12) | low
        elif kind == 1:
            has_row = False
    return wraps
