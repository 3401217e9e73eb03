"""One JSON line a training step, that survives a kill without gaps or repetitions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import CorruptFile
from ..core.files import write_text


@dataclass(frozen=True)
class StepLog:
    """A file of records, each with its ``step``; part of the artifact, so it must hold no times.

    A training that resumes at a checkpoint calls :meth:`rewind` first: the steps after it are run, and logged, again.
    """

    path: Path

    def append(self, step: int, **values: Any) -> None:
        """Add the record of a completed step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")

    def rewind(self, step: int) -> None:
        """Drop what was logged after a step, and a line that a kill cut off."""
        kept = [record for record in self.read() if record["step"] <= step]
        write_text(self.path, "".join(json.dumps(record) + "\n" for record in kept))

    def read(self) -> list[dict[str, Any]]:
        """All whole records.

        Raises:
            CorruptFile: A line that is not the last is no record.
        """
        if not self.path.is_file():
            return []
        *lines, rest = self.path.read_bytes().split(b"\n")
        records = []
        for number, line in enumerate([*lines, rest], start=1):
            try:
                record = json.loads(line)
                if not isinstance(record["step"], int):
                    raise TypeError
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                if number <= len(lines):
                    raise CorruptFile(
                        self.path, f"line {number}", f"not the record of a step: {line[:60]!r}"
                    ) from error
                continue
            if number <= len(lines):
                records.append(record)
        return records
