"""Answers of grounding, as JSON (docs/conventions.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from ..core.errors import CorruptFile, InvalidInput
from ..core.files import write_text
from .readers.json_files import read_json

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Answer:
    """A box that a sentence may mean.

    ``center`` and ``size`` are metres along the axes and from the origin of the input file; ``rotation`` is file_from_box,
    row by row. ``rank`` starts at 1. ``score`` is in 0..1 and not calibrated.
    """

    sentence: str
    rank: int
    score: float
    center: Vector
    size: Vector
    rotation: tuple[Vector, Vector, Vector]

    def __post_init__(self) -> None:
        numbers = [self.score, *self.center, *self.size, *(value for row in self.rotation for value in row)]
        if not all(math.isfinite(number) for number in numbers):
            raise InvalidInput(f"an answer needs finite numbers, got {self}")
        if self.rank < 1 or min(self.size) < 0:
            raise InvalidInput(f"an answer needs a rank of at least 1 and sizes of at least 0, got {self}")
        if not _is_rotation(self.rotation):
            raise InvalidInput(f"the rotation of an answer must be orthonormal and right-handed, got {self.rotation}")


@dataclass(frozen=True)
class AnswerSheet:
    """All answers about one scan, best first for each sentence, with what the user should know."""

    scan: str
    answers: tuple[Answer, ...]
    warnings: tuple[str, ...] = ()
    metres_per_unit: float = 1.0
    """Length of the file's own unit: ``center / metres_per_unit`` are its coordinates."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.metres_per_unit) and self.metres_per_unit > 0):
            raise InvalidInput(f"metres_per_unit must be positive and finite, got {self.metres_per_unit}")

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the conventions, with ``metres_per_unit`` beside it."""
        return {
            "scan": self.scan,
            "frame": "input",
            "metres_per_unit": self.metres_per_unit,
            "answers": [asdict(answer) for answer in self.answers],
            "warnings": list(self.warnings),
        }

    def best(self, sentence: str) -> Answer | None:
        """The first answer to a sentence, or None."""
        return next((answer for answer in self.answers if answer.sentence == sentence), None)


def write_answers(path: str | PathLike[str], sheet: AnswerSheet) -> None:
    """Write a sheet as JSON, atomically."""
    write_text(path, json.dumps(sheet.to_dict(), indent=1, ensure_ascii=False) + "\n")


def read_answers(path: str | PathLike[str]) -> AnswerSheet:
    """Read what :func:`write_answers` wrote.

    Raises:
        MissingPart: No such file.
        CorruptFile: No JSON, or not the fields of the conventions; names the entry.
    """
    file = Path(path)
    values = read_json(file, "answers as JSON")
    try:
        entries, warnings, frame = values["answers"], values["warnings"], values.get("frame", "input")
        if frame != "input" or not isinstance(entries, list) or not isinstance(warnings, list):
            raise TypeError(f"frame is {frame!r}, answers {type(entries).__name__}, warnings {type(warnings).__name__}")
        scan, unit = str(values["scan"]), float(values.get("metres_per_unit", 1.0))
        sheet = AnswerSheet(scan, (), tuple(str(warning) for warning in warnings), unit)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CorruptFile(file, "top level", f"expected scan, answers and warnings: {error!r}") from error
    return replace(sheet, answers=tuple(_answer(file, number, entry) for number, entry in enumerate(entries)))


def _answer(file: Path, number: int, entry: Any) -> Answer:
    try:
        rows = [_vector(row) for row in entry["rotation"]]
        return Answer(
            str(entry["sentence"]),
            int(entry["rank"]),
            float(entry["score"]),
            _vector(entry["center"]),
            _vector(entry["size"]),
            (rows[0], rows[1], rows[2]),
        )
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise CorruptFile(file, f"answer {number}", f"not as the conventions have it: {error!r}") from error


def _is_rotation(rows: tuple[Vector, Vector, Vector]) -> bool:
    (a, b, c), (d, e, f), (g, h, i) = rows
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    lengths = [math.hypot(*row) for row in rows]  # by Hadamard, unit rows with determinant 1 are orthogonal
    return abs(determinant - 1) < 1e-4 and all(abs(length - 1) < 1e-4 for length in lengths)


def _vector(values: Sequence[float]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
