"""JSON files from strangers: what is wrong with them, and where."""

from __future__ import annotations

import json
import re
from os import PathLike
from pathlib import Path
from typing import Any

from ...core.errors import CorruptFile, MissingPart

_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""Escapes of UTF-16, which name half a character each; texts with one alone can be neither printed nor written."""


def read_json(path: str | PathLike[str], what: str) -> Any:
    """Parse a JSON file.

    Args:
        path: The file.
        what: What it is and who publishes it, for the message when it is not there.

    Raises:
        MissingPart: No such file.
        CorruptFile: It is not JSON, or holds half a character; names the place.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; it is {what}")
    content = path.read_bytes()
    try:
        text = content.decode(json.detect_encoding(content))  # strictly, unlike json.loads of bytes
        value = json.loads(text)
        if _HALF_CHARACTER.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CorruptFile(path, place, f"not JSON ({error.msg}); the file may be truncated: fetch it again") from error
    except UnicodeDecodeError as error:
        raise CorruptFile(path, f"byte {error.start}", "not JSON: no text in UTF-8, 16 or 32") from error
    except UnicodeEncodeError as error:
        raise CorruptFile(path, "data", f"a text holds half a character: {error.object[error.start]!r}") from error
    except ValueError as error:  # of Python's limit on digits
        raise CorruptFile(path, "data", "a whole number of thousands of digits, expected at most 20") from error
    except RecursionError:
        raise CorruptFile(path, "data", "lists or objects are nested too deeply to be read") from None


def entry(path: Path, where: str, record: Any, key: str, kind: type | tuple[type, ...]) -> Any:
    """One value of a JSON object.

    Args:
        path: The file, for messages.
        where: The object's place in it ("entry 12").
        record: What should be an object.
        key: The value's key.
        kind: Its type or types.

    Raises:
        CorruptFile: `record` is no object, or the value is missing or of another type.
    """
    names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
    if not isinstance(record, dict):
        raise CorruptFile(path, where, f"found {shown(record)}, expected an object with the key {key!r}")
    if key not in record:
        raise CorruptFile(path, where, f"no key {key!r} (found {', '.join(map(repr, list(record)[:8])) or 'no keys'})")
    value = record[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise CorruptFile(path, where, f"{key!r} is {shown(value)}, expected {names}")
    return value


def shown(value: Any) -> str:
    """A value for a message: at most 60 characters; of lists and objects, which may be deep, only what they are."""
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."
