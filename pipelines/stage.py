"""A stage: one step of a pipeline, described by its configuration.

A stage reads artifacts and writes files into its folder; it knows nothing of keys, caching or locks. To write one, derive a
frozen dataclass from :class:`AbstractStage`: its fields are the configuration. Give a field ``metadata={"key": False}`` when it
cannot change the result. A field that holds a ``Path`` stands for the bytes that lie there. Raise ``version`` when the same
configuration would now mean something else.

What a stage writes must not depend on when it ran, or a run that was killed and resumed ends with other bytes than one that
was not: seconds and dates belong into ``ctx.log``.
"""

from __future__ import annotations

import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch

from .artifact import Artifact
from .fingerprint import describe_config, hash_value


@dataclass(frozen=True)
class ProgressLog:
    """Lines for people and monitors: what happened, when. Not part of the artifact."""

    path: Path

    def write(self, event: str, **values: Any) -> None:
        """Append one JSON line with the event, the time (seconds since 1970) and the values."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "time": time.time(), **values}) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """All whole lines so far; one that a kill cut off is left out, and the one that was appended to it."""
        if not self.path.is_file():
            return []
        lines = self.path.read_bytes().splitlines()
        return [record for line in lines if isinstance(record := _parsed(line), dict)]


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, eq=False)
class StageContext:
    """What a stage gets: a folder to write into, its inputs, and where to compute.

    ``folder`` may hold what an earlier, killed run of the same stage completed: long stages go on from there.
    """

    folder: Path
    log: ProgressLog
    inputs: Mapping[str, Artifact] = field(default_factory=dict)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32


@dataclass(frozen=True)
class AbstractStage(ABC):
    """One step of a pipeline; see the module's text for how to write one."""

    version: ClassVar[int]

    @abstractmethod
    def run(self, ctx: StageContext) -> None:
        """Write the result into ``ctx.folder``."""

    @classmethod
    def stage_name(cls) -> str:
        """The class's name in lower case with hyphens: ``FitSplats`` is ``fit-splats``."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()


def describe_stage(
    stage: AbstractStage, inputs: Mapping[str, Artifact], device: torch.device, dtype: torch.dtype
) -> dict[str, Any]:
    """All that a stage's result depends on, as JSON values.

    Raises:
        InvalidInput: The configuration holds what cannot be part of a key.
        MissingPart: The configuration names a file that is not there.
    """
    return {
        "stage": stage.stage_name(),
        "version": stage.version,
        "config": describe_config(stage),
        "inputs": {name: artifact.key for name, artifact in inputs.items()},
        "device": device.type,
        "dtype": str(dtype).removeprefix("torch."),
    }


def stage_key(description: Mapping[str, Any]) -> str:
    """The key of an artifact: SHA-256 of :func:`describe_stage`, 64 hexadecimal digits."""
    return hash_value(dict(description))
