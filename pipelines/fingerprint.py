"""What a result depends on, as text that hashes the same on every machine."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ..core.errors import InvalidInput, MissingPart


def canonical_json(value: Any) -> str:
    """One text for one value: keys sorted, no spaces, ASCII only.

    Raises:
        InvalidInput: NaN, infinity or something that is not JSON.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"cannot be part of a key: {error}; got {value!r}") from error


def hash_value(value: Any) -> str:
    """SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def hash_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits.

    Raises:
        MissingPart: No such file.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise MissingPart(f"{path}: there is no such file") from error


def hash_files(folder: Path) -> dict[str, dict[str, str | int]]:
    """Size in bytes and SHA-256 of each file under a folder, by its name relative to the folder, sorted."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": hash_file(path)}
    return found


def hash_path(path: str | Path) -> str:
    """Fingerprint of a file's bytes, or of the names and bytes of all files under a folder; the place does not matter.

    Raises:
        MissingPart: Nothing is there.
    """
    place = Path(path)
    return hash_value(hash_files(place)) if place.is_dir() else hash_file(place)


def describe_config(config: Any) -> Any:
    """A config as JSON values, with what cannot change the result left out.

    Dataclasses become their class's name and their fields, without those that carry ``metadata={"key": False}``. A path
    stands for what lies there, so its fingerprint goes in, not its name.

    Args:
        config: Dataclasses, mappings with text keys, sequences, enums, paths, numbers, text, None; nested at will.

    Raises:
        InvalidInput: A value of another type, NaN or infinity.
        MissingPart: A path at which nothing lies.
    """
    if is_dataclass(config) and not isinstance(config, type):
        kept = {f.name: getattr(config, f.name) for f in fields(config) if f.metadata.get("key", True)}
        return {"class": type(config).__name__, **{name: describe_config(value) for name, value in kept.items()}}
    if isinstance(config, Path):
        return {"path": hash_path(config)}
    if isinstance(config, Enum):
        return config.name
    if isinstance(config, Mapping):
        if not all(isinstance(name, str) for name in config):
            raise InvalidInput(f"a mapping in a config needs text keys, got {list(config)!r}")
        return {name: describe_config(value) for name, value in config.items()}
    if isinstance(config, (tuple, list)):
        return [describe_config(value) for value in config]
    if config is None or isinstance(config, (bool, int, str)) or (isinstance(config, float) and math.isfinite(config)):
        return config
    raise InvalidInput(f"a config cannot hold {config!r} ({type(config).__name__}): its key would not be reproducible")
