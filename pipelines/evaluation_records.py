"""Results of an evaluation as JSON, one line a sentence, in a file that survives a kill."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..core.errors import CorruptFile, InvalidInput
from ..core.files import write_text
from .evaluation import SentenceResult

_OF_SCENE = "sentences_of_scene"
_LISTS = frozenset(["tags", "random_object", "random_of_category", "center", "size", "true_center", "true_size"])
_NAMES = frozenset(field.name for field in fields(SentenceResult))


@dataclass(frozen=True)
class ResultLog:
    """``results.jsonl`` of a folder, and beside it ``settings.json``: what the results depend on.

    Scenes are written whole: an evaluation that was stopped goes on with the first scene that is not there.
    """

    folder: Path
    settings: Mapping[str, Any]
    """JSON values: fingerprints of weights and sentences."""

    @property
    def path(self) -> Path:
        """The file of results."""
        return self.folder / "results.jsonl"

    def start(self) -> dict[str, list[SentenceResult]]:
        """Results that are there, by scene; those of a scene that was cut off are dropped from the file.

        Raises:
            InvalidInput: They were made with other settings.
            CorruptFile: A line is no result, or the settings are no JSON.
        """
        self._check_settings()
        lines = _lines(self.path)
        by_scene: dict[str, list[tuple[SentenceResult, int, str]]] = defaultdict(list)
        for number, line in enumerate(lines, start=1):
            result, count = _parse(self.path, number, line)
            by_scene[result.scene_id].append((result, count, line))
        whole = {scene: rows for scene, rows in by_scene.items() if len(rows) == rows[0][1]}
        write_text(self.path, "".join(f"{line}\n" for rows in whole.values() for _, _, line in rows))
        return {scene: [result for result, _, _ in rows] for scene, rows in whole.items()}

    def append(self, results: Sequence[SentenceResult]) -> None:
        """Add all results of one scene."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_text(results))

    def _check_settings(self) -> None:
        path = self.folder / "settings.json"
        if path.is_file():
            try:
                before = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise CorruptFile(path, "whole file", f"no JSON ({error}); remove the folder and start anew") from error
            now = json.loads(json.dumps(self.settings))
            if before != now:
                names = (
                    [n for n in {**before, **now} if before.get(n) != now.get(n)] if isinstance(before, dict) else []
                )
                raise InvalidInput(
                    f"{self.folder}: the results here were made with another choice of {', '.join(names) or 'settings'}; "
                    "choose another folder with --out, or remove this one"
                )
        write_text(path, json.dumps(self.settings, indent=1) + "\n")


def write_results(path: Path, results: Sequence[SentenceResult]) -> None:
    """Write the results of whole scenes as :func:`read_results` reads them, atomically."""
    by_scene: dict[str, list[SentenceResult]] = defaultdict(list)
    for result in results:
        by_scene[result.scene_id].append(result)
    write_text(path, "".join(_text(rows) for rows in by_scene.values()))


def _text(results: Sequence[SentenceResult]) -> str:
    """Lines of one scene."""
    return "".join(json.dumps({**asdict(result), _OF_SCENE: len(results)}) + "\n" for result in results)


def read_results(path: Path) -> list[SentenceResult]:
    """The results of an evaluation, as :class:`ResultLog` writes them.

    Raises:
        CorruptFile: A line is no result.
    """
    return [_parse(path, number, line)[0] for number, line in enumerate(_lines(path), start=1)]


def _lines(path: Path) -> list[str]:
    """All whole lines; what a kill cut off is left out."""
    if not path.is_file():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    try:
        return whole.decode().split("\n") if whole else []
    except UnicodeDecodeError as error:
        raise CorruptFile(path, f"byte {error.start}", "no text in UTF-8; remove the file and start anew") from error


def _parse(path: Path, number: int, line: str) -> tuple[SentenceResult, int]:
    try:
        record = json.loads(line)
        count = record.pop(_OF_SCENE)
        if not isinstance(count, int) or not record.keys() <= _NAMES:
            raise ValueError(f"found {_OF_SCENE} {count!r:.20} and the keys {sorted(record)}")
        if not all(isinstance(record[name], (int, float)) for name in ("iou", "shuffled_iou", "score")):
            raise ValueError("iou, shuffled_iou and score must be numbers")
        values: dict[str, Any] = {n: tuple(value) if n in _LISTS else value for n, value in record.items()}
        return SentenceResult(**values), count
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"no result of an evaluation: {error!r:.160}"
        raise CorruptFile(path, f"line {number}", f"{reason}; remove the file and start anew") from error
