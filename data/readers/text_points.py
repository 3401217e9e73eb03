"""Points as lines of numbers: XYZ, TXT, CSV, PTS."""

from __future__ import annotations

import re
import warnings
from os import PathLike
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, MissingPart, UnknownFormat

_SEPARATORS = bytes.maketrans(b",;\t", b"   ")
_NAMES = {"r": "red", "g": "green", "b": "blue"}


def parse_numbers(path: Path, text: bytes) -> np.ndarray:
    """All numbers of a text that white space separates.

    Raises:
        CorruptFile: A word is no number; names it.
    """
    if not text.strip():
        return np.empty(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, np.float64, sep=" ")  # pyright: ignore[reportArgumentType]
        except (DeprecationWarning, ValueError):
            raise CorruptFile(path, *_first_bad_word(text)) from None


def read_text_points(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    """Read points from lines of three or more numbers, between spaces, commas or semicolons.

    A first line of words names the columns (``x y z red green blue``, or ``r g b``); a first line of one number (PTS) is the
    number of points. Without names, columns 4 to 6 (or, with 7 columns, 5 to 7; with 9, 7 to 9) are colours where their
    numbers can be colours.

    Returns:
        Columns by name: at least x, y, z, perhaps red, green, blue.

    Raises:
        MissingPart: No such file, or columns are named but not x, y and z.
        UnknownFormat: The lines are not numbers.
        CorruptFile: A line has another number of columns than the first.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected lines of x y z [r g b]")
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").translate(_SEPARATORS)
    if b"\0" in text[:4096]:
        raise UnknownFormat(f"{path}: holds bytes that are no text; expected lines of x y z [r g b]")
    names, body = _split_header(path, text)
    numbers = parse_numbers(path, body)
    width = len(body.lstrip().split(b"\n", 1)[0].split())
    if width < 3:
        raise UnknownFormat(f"{path}: {width} numbers in the first line, expected x y z and perhaps r g b")
    if len(numbers) % width or len(numbers) // width != sum(1 for _ in re.finditer(rb"[^\s][^\n]*", body)):
        raise _uneven(path, text, body, width)
    table = numbers.reshape(-1, width)
    if names and len(names) != width:
        raise CorruptFile(path, "line 1", f"{len(names)} names for {width} columns")
    return _named(path, names or _guess(table), table)


def looks_like_points(head: bytes) -> bool:
    """Whether a file's first bytes are lines of numbers, perhaps after one line of names or a count."""
    lines = [line.split() for line in head.translate(_SEPARATORS).splitlines()[:4] if line.strip()]
    return any(len(words) >= 3 and all(map(_is_number, words[:3])) for words in lines[:3])


def _split_header(path: Path, text: bytes) -> tuple[tuple[str, ...], bytes]:
    """Column names, if the first line gives some, and the lines of numbers."""
    names: tuple[str, ...] = ()
    at = 0
    for match in re.finditer(rb"[^\s][^\n]*", text):
        line, at = match[0], match.start()
        words = line.lstrip(b"#/ ").split()
        if line[:1] not in b"#/" and len(words) > 1 and _is_number(words[0]):
            break
        if len(words) == 1 and not _is_number(words[0]) and line[:1] not in b"#/":
            raise UnknownFormat(f"{path}: {line[:40]!r} is no line of x y z [r g b]")
        if len(words) >= 3 and not any(map(_is_number, words)):
            found = tuple(w.decode("utf-8", "replace").strip("\"'").lower() for w in words)
            names = tuple(_NAMES.get(name, name) for name in found)
        at = match.end()
    return names, text[at:]


def _named(path: Path, names: tuple[str, ...], table: np.ndarray) -> dict[str, np.ndarray]:
    columns = {name: table[:, i] for i, name in enumerate(names)}
    if not {"x", "y", "z"} <= columns.keys():
        raise MissingPart(f"{path}: the columns are named {', '.join(names)}; expected x, y and z among them")
    return columns


def _guess(table: np.ndarray) -> tuple[str, ...]:
    width = table.shape[1]
    names = [f"column {i + 1}" for i in range(width)]
    names[:3] = "xyz"
    for first in {6: (3,), 7: (4, 3), 8: (3, 5), 9: (6, 3)}.get(width, (3,)):
        part = table[:, first : first + 3]
        if part.shape[1] == 3 and len(part) and (part >= 0).all() and (part <= 255).all():
            names[first : first + 3] = ("red", "green", "blue")
            break
    return tuple(names)


def _uneven(path: Path, text: bytes, body: bytes, width: int) -> CorruptFile:
    before = text[: len(text) - len(body)].count(b"\n")
    for number, line in enumerate(body.split(b"\n"), start=before + 1):
        if line.strip() and len(line.split()) != width:
            return CorruptFile(path, f"line {number}", f"{len(line.split())} numbers, expected {width} as in the first")
    return CorruptFile(path, "data", f"expected {width} numbers in every line")


def _first_bad_word(text: bytes) -> tuple[str, str]:
    for match in re.finditer(rb"\S+", text):
        if not _is_number(match[0]):
            number = text.count(b"\n", 0, match.start()) + 1
            return f"data line {number}", f"{match[0][:40].decode('utf-8', 'replace')!r} is not a number"
    return "data", "cannot be parsed as numbers"


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return b"_" not in word
