"""Lists that programs printed as Python literals, ``[3, 14]`` and ``['coffee table', "it's"]``; nothing is evaluated."""

from __future__ import annotations

import re

from ...core.errors import InvalidInput

LONGEST = 100_000
"""Characters of such a list at most."""

_INTEGER = re.compile(r"-?[0-9]{1,9}(?![0-9])")
_TEXT = re.compile(r"""'((?:[^'\\\n]|\\[^\n])*)'|"((?:[^"\\\n]|\\[^\n])*)\"""")
_SPACE = re.compile(r"\s*")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)")
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t", "r": "\r"}


def parse_integers(text: str) -> tuple[int, ...]:
    """A list of whole numbers of at most nine digits.

    Raises:
        InvalidInput: Anything else; says what was found and where.
    """
    return tuple(int(item) for item in _items(text, _INTEGER, "whole numbers such as [3, 14]"))


def parse_texts(text: str) -> tuple[str, ...]:
    """A list of texts in single or double quotation marks.

    Raises:
        InvalidInput: Anything else; says what was found and where.
    """
    items = _items(text, _TEXT, "quoted words such as ['chair', 'table']")
    return tuple(_ESCAPE.sub(_unescaped, item[1:-1]) for item in items)


def _items(text: str, pattern: re.Pattern[str], expected: str) -> list[str]:
    if len(text) > LONGEST:
        raise InvalidInput(f"a list of {len(text)} characters, expected at most {LONGEST}")
    stripped = text.strip()
    if not (stripped.startswith("[") and stripped.endswith("]")):
        raise InvalidInput(f"found {_shown(text)}, expected a list of {expected}")
    items: list[str] = []
    place, end = _after_space(stripped, 1), len(stripped) - 1
    while place < end:
        match = pattern.match(stripped, place, end)
        if match is None:
            raise InvalidInput(f"found {_shown(stripped[place:end])} as item {len(items)}, expected {expected}")
        items.append(match.group())
        place = _after_space(stripped, match.end())
        if place < end:
            if stripped[place] != ",":
                raise InvalidInput(f"found {_shown(stripped[place:end])} after item {len(items) - 1}, expected a comma")
            place = _after_space(stripped, place + 1)
    return items


def _after_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    assert match is not None
    return match.end()


def _unescaped(match: re.Match[str]) -> str:
    code = match.group(1)
    if len(code) > 1:
        return chr(int(code[1:], 16))
    if code not in _ESCAPES:
        raise InvalidInput(
            f"found the escape {match.group()!r} in a text, expected one of \\\\ \\' \\\" \\n \\t \\r \\x \\u"
        )
    return _ESCAPES[code]


def _shown(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 60 else shown[:57] + "..."
