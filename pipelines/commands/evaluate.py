"""``trisparse evaluate rooms``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class EvaluateRooms:
    """Measure grounding weights on ``rooms-eval-v2``, the fixed set of generated rooms.

    Prints Acc@0.25 and Acc@0.5 with 95 % intervals (bootstrap over rooms) by unique / multiple and by relation, beside a random
    object, a random object of the named category, and the same weights asked with another sentence of the room.
    """

    weights: str = "small"
    """Bundled weights by name, or a .safetensors file."""
    rooms: int | None = None
    """Only the first rooms of the set (for a quick look; figures to report come from the whole set)."""
    parts: tuple[Literal["sentences", "wordings", "absent", "scans"], ...] = ("sentences",)
    """Besides the sentences: the same in other words (paraphrases, unknown synonyms, typing errors), sentences about objects
    that are not there (does the score say so?), the same rooms scanned otherwise (noise, density, grey, unknown yaw, ...)."""
    out: Path = Path("runs/evaluate-rooms")
    """Folder for results.jsonl (a line a sentence) and report.json."""
    data: Path = Path("runs/rooms-eval-v2")
    """Where the generated rooms are kept for the next time."""
    json: bool = False
    """Print the report as JSON."""

    def run(self) -> None:
        from ...core.files import write_text
        from ..rooms_evaluation import evaluate_rooms, print_report

        made = evaluate_rooms(self.weights, data=self.data, rooms=self.rooms, parts=self.parts)
        write_text(self.out / "results.jsonl", "".join(json.dumps(asdict(result)) + "\n" for result in made.results))
        report = {
            "sentences": [asdict(row) for row in made.rows],
            "wordings": [asdict(row) for row in made.wordings],
            "scans": [asdict(row) for row in made.scans],
            "calibration": None if made.calibration is None else asdict(made.calibration),
        }
        write_text(self.out / "report.json", json.dumps(report, indent=1))
        if self.json:
            print(json.dumps(report))
        else:
            print_report(made)
            print(f"a line a sentence: {self.out / 'results.jsonl'}")
