"""Tables of decimal numbers as text, without loss: 1468939993.067416019 s keeps its nanoseconds, which a float64 would not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import no_type_check

import numpy as np
from jaxtyping import Float64, Int16, Int64
from numba import njit

from ...core.errors import CorruptFile, MissingPart

_DIGITS = 18
"""Of a number, at least; those after the point beyond are dropped."""
_FULL = 922337203685477580
"""A mantissa from which on another digit may not fit into 63 bits."""
_MOST_COLUMNS = 64

_OK, _NO_NUMBER, _TOO_LONG, _FEW, _MANY = range(5)
_PROBLEMS = {
    _NO_NUMBER: "holds something that is no number",
    _TOO_LONG: f"holds a number of more than {_DIGITS} digits before the point, or an exponent beyond 300",
    _FEW: "holds fewer numbers than the first line",
    _MANY: "holds more numbers than the first line",
}


@dataclass(frozen=True, eq=False)
class DecimalTable:
    """Numbers as ``mantissa * 10^-decimals``."""

    path: Path
    mantissas: Int64[np.ndarray, "n c"]
    decimals: Int16[np.ndarray, "n c"]
    lines: Int64[np.ndarray, "n"]
    """Which line of the file each row is, counted from 1."""

    def floats(self, column: int) -> Float64[np.ndarray, "n"]:
        """One column, rounded."""
        return self.mantissas[:, column] / 10.0 ** self.decimals[:, column].astype(np.float64)

    def is_whole(self, column: int) -> bool:
        """Whether a column holds whole numbers only."""
        decimals = self.decimals[:, column].astype(np.int64)
        is_whole = self.mantissas[:, column] % 10 ** np.clip(decimals, 0, _DIGITS) == 0
        return bool((is_whole & ((decimals <= _DIGITS) | (self.mantissas[:, column] == 0))).all())

    def scaled(self, column: int, power: int) -> Int64[np.ndarray, "n"]:
        """One column times ``10^power``, rounded to whole numbers (halves to even).

        Raises:
            CorruptFile: A result beyond 2^62.
        """
        mantissas, shift = self.mantissas[:, column], power - self.decimals[:, column].astype(np.int64)
        log = np.log10(np.maximum(np.abs(mantissas.astype(np.float64)), 1)) + shift
        if len(log) and log.max() > 18.6:
            line = int(self.lines[int(log.argmax())])
            raise CorruptFile(
                self.path, f"line {line}", f"a number of 10^{log.max() - power:.0f}, which is out of range"
            )
        up = mantissas * 10 ** np.clip(shift, 0, _DIGITS)
        divisor = 10 ** np.clip(-shift, 0, _DIGITS)
        quotient, rest = np.divmod(up, divisor)
        twice = 2 * rest
        rounded = quotient + ((twice > divisor) | ((twice == divisor) & (quotient % 2 == 1)))
        beyond = np.where(shift == -_DIGITS - 1, np.sign(mantissas) * (np.abs(mantissas) > 5 * 10**_DIGITS), 0)
        return np.where(shift < -_DIGITS, beyond, rounded)


def read_decimal_table(path: Path, what: str, *, content: bytes | None = None, first_line: int = 1) -> DecimalTable:
    """Parse rows of numbers between white space, commas or semicolons; empty lines and those of ``#`` are left out.

    Args:
        path: The file.
        what: What it should hold, for messages ("events: t x y polarity").
        content: Its bytes, or the rest of them, where they are read already.
        first_line: The number of the first line of ``content``.

    Raises:
        MissingPart: No numbers.
        CorruptFile: Something else than numbers, or rows of different lengths; names the line.
    """
    data = np.frombuffer(path.read_bytes() if content is None else content, np.uint8)
    columns = _first_row_length(data)
    if columns == 0:
        raise MissingPart(f"{path}: holds no numbers; expected {what}")
    if columns > _MOST_COLUMNS:
        raise CorruptFile(path, f"line {first_line}", f"{columns} numbers, expected {what}")
    rows = int(np.count_nonzero(data == ord("\n"))) + 1
    mantissas, decimals = np.zeros((rows, columns), np.int64), np.zeros((rows, columns), np.int16)
    lines = np.zeros(rows, np.int64)
    count, status, line = _parse(data, mantissas, decimals, lines)
    if status != _OK:
        raise CorruptFile(path, f"line {line + first_line - 1}", f"{_PROBLEMS[status]} ({columns}); expected {what}")
    return DecimalTable(path, mantissas[:count], decimals[:count], lines[:count] + (first_line - 1))


@no_type_check
@njit(cache=True)
def _is_gap(byte):
    return byte == 32 or byte == 9 or byte == 13 or byte == 44 or byte == 59


@no_type_check
@njit(cache=True)
def _first_row_length(data):
    """Numbers in the first line that has any."""
    count, inside, is_comment = 0, False, False
    for byte in data:
        if byte == 10:
            if count:
                return count
            inside, is_comment = False, False
        elif byte == 35:
            is_comment, inside = True, False
        elif not is_comment:
            gap = _is_gap(byte)
            if inside and gap:
                inside = False
            elif not inside and not gap:
                inside = True
                count += 1
    return count


@no_type_check
@njit(cache=True)
def _parse(data, mantissas, decimals, lines):
    """Fill the tables; the number of rows, a status, and the line where parsing stopped."""
    columns = mantissas.shape[1]
    row, column, line, i, size = 0, 0, 1, 0, len(data)
    while i <= size:
        byte = data[i] if i < size else 10
        if byte == 10:
            if 0 < column < columns:
                return row, _FEW, line
            if column:
                lines[row] = line
                row += 1
            column, line, i = 0, line + 1, i + 1
        elif byte == 35:
            while i < size and data[i] != 10:
                i += 1
        elif _is_gap(byte):
            i += 1
        else:
            if column == columns:
                return row, _MANY, line
            i, mantissa, places, status = _number(data, i)
            if status != _OK:
                return row, status, line
            mantissas[row, column], decimals[row, column] = mantissa, places
            column += 1
    return row, _OK, line


@no_type_check
@njit(cache=True)
def _number(data, i):
    """One number from byte ``i`` on: where it ends, mantissa, decimals, status."""
    size = len(data)
    is_negative = data[i] == 45
    if data[i] == 45 or data[i] == 43:
        i += 1
    mantissa, places, digits, has_point = 0, 0, 0, False
    while i < size:
        byte = data[i]
        if 48 <= byte <= 57:
            digits += 1
            if mantissa < _FULL:
                mantissa = mantissa * 10 + (byte - 48)
                places += has_point
            elif not has_point:
                return i, 0, 0, _TOO_LONG
        elif byte == 46 and not has_point:
            has_point = True
        else:
            break
        i += 1
    if digits == 0:
        return i, 0, 0, _NO_NUMBER
    if i < size and (data[i] == 101 or data[i] == 69):
        i += 1
        sign, exponent, has_exponent = 1, 0, False
        if i < size and (data[i] == 45 or data[i] == 43):
            sign = -1 if data[i] == 45 else 1
            i += 1
        while i < size and 48 <= data[i] <= 57:
            exponent, has_exponent = exponent * 10 + (data[i] - 48), True
            if exponent > 300:
                return i, 0, 0, _TOO_LONG
            i += 1
        if not has_exponent:
            return i, 0, 0, _NO_NUMBER
        places -= sign * exponent
    if i < size and data[i] != 10 and data[i] != 35 and not _is_gap(data[i]):
        return i, 0, 0, _NO_NUMBER
    return i, -mantissa if is_negative else mantissa, places, _OK
