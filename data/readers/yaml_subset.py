"""The part of YAML that calibration files use: nested keys, scalars, and lists in brackets; anything else is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...core.errors import CorruptFile, MissingPart

_LARGEST = 1 << 20
_KEY = re.compile(r"^(\s*)([A-Za-z_][\w .\-]*?)\s*:(?:\s+(.*))?$")


def read_yaml_subset(path: Path) -> dict[str, Any]:
    """Read a calibration file of Kalibr, of ROS or of OpenCV.

    Raises:
        MissingPart: No such file.
        CorruptFile: Not in this part of YAML; names the line.
    """
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected a calibration")
    if path.stat().st_size > _LARGEST:
        raise CorruptFile(path, "size", f"{path.stat().st_size} bytes, expected a calibration of a few lines")
    root: dict[str, Any] = {}
    open_maps: list[tuple[int, dict[str, Any]]] = [(-1, root)]
    for number, depth, key, text in _entries(path):
        while open_maps[-1][0] >= depth:
            open_maps.pop()
        parent = open_maps[-1][1]
        if text == "":
            parent[key] = {}
            open_maps.append((depth, parent[key]))
        else:
            parent[key] = _value(path, number, text)
    return root


def _entries(path: Path) -> list[tuple[int, int, str, str]]:
    """Line number, depth, key and the text of the value, which may go on over lines."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise CorruptFile(path, f"byte {error.start}", "no text in UTF-8; expected a calibration in YAML") from error
    entries: list[tuple[int, int, str, str]] = []
    for number, line in enumerate(lines, 1):
        line = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        if not line or line.startswith("%") or line in ("---", "..."):
            continue
        match = _KEY.match(line)
        if match:
            entries.append((number, len(match[1]), match[2], _untagged(match[3] or "")))
        elif entries and re.match(r"^\s*(-\s|\[|[\d\-.,\]])", line):
            place, depth, key, text = entries[-1]
            entries[-1] = (place, depth, key, f"{text}\n{line.strip()}")
        else:
            raise CorruptFile(
                path, f"line {number}", f"{line.strip()[:60]!r} is neither `key: value` nor the rest of a list"
            )
    return entries


def _untagged(text: str) -> str:
    """Without OpenCV's ``!!opencv-matrix``."""
    return re.sub(r"^!!?[\w\-]+\s*", "", text.strip())


def _value(path: Path, number: int, text: str) -> Any:
    """A scalar or a list; rows of ``- [...]`` make a list of lists."""
    lines = text.strip().split("\n")
    if all(line.startswith("- ") for line in lines):
        return _list(path, number, "[" + ",".join(line[2:] for line in lines) + "]")
    text = " ".join(lines)
    return _list(path, number, text) if text.startswith("[") else _scalar(text)


def _list(path: Path, number: int, text: str) -> list[Any]:
    root: list[Any] = []
    open_lists = [root]
    for token in re.findall(r"[\[\],]|[^\[\],]+", text):
        if token == "[":
            inner: list[Any] = []
            open_lists[-1].append(inner)
            open_lists.append(inner)
        elif token == "]":
            open_lists.pop()
        elif token != "," and token.strip():
            open_lists[-1].append(_scalar(token.strip()))
        if not open_lists:
            break
    if len(open_lists) != 1 or len(root) != 1 or not isinstance(root[0], list):
        raise CorruptFile(path, f"line {number}", f"{text[:60]!r} is no list in brackets that ends")
    return root[0]


def _scalar(text: str) -> Any:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text.strip("\"'")
