"""JSON files from strangers: what is wrong with them, and where."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

from ...core.errors import CorruptFile, MissingPart


def read_json(path: str | PathLike[str], what: str) -> Any:
    """Parse a JSON file.

    Args:
        path: The file.
        what: What it is and who publishes it, for the message when it is not there.

    Raises:
        MissingPart: No such file.
        CorruptFile: It is not JSON; names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; it is {what}")
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CorruptFile(path, place, f"not JSON ({error.msg}); the file may be truncated: fetch it again") from error
    except UnicodeDecodeError as error:
        raise CorruptFile(path, f"byte {error.start}", "not JSON: no text in UTF-8, 16 or 32") from error
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
        raise CorruptFile(path, where, f"found {_shown(record)}, expected an object with the key {key!r}")
    if key not in record:
        raise CorruptFile(path, where, f"no key {key!r} (found {', '.join(map(repr, list(record)[:8])) or 'no keys'})")
    value = record[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise CorruptFile(path, where, f"{key!r} is {_shown(value)}, expected {names}")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
