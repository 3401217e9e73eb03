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
    parts: tuple[Literal["sentences", "wordings", "absent", "scans", "ablation"], ...] = ("sentences",)
    """Besides the sentences: "wordings", the same in other words (paraphrases, unknown synonyms, typing errors ...); "absent",
    sentences about objects that are not there (does the score say so?); "scans", the same rooms scanned otherwise (noise, grey,
    unknown yaw ...); "ablation", the network without pruning, completion or both."""
    out: Path = Path("runs/evaluate-rooms")
    """Folder for results.jsonl (a line a sentence) and report.json."""
    data: Path = Path("runs/rooms-eval-v2")
    """Where the generated rooms are kept for the next time."""
    page: bool = False
    """Also write report.html, a page of the best and the worst answers with pictures."""
    json: bool = False
    """Print the report as JSON."""

    def run(self) -> None:
        from ...core.files import write_text
        from ..evaluation_records import write_results
        from ..rooms_evaluation import evaluate_rooms, print_report, write_rooms_page

        made = evaluate_rooms(self.weights, data=self.data, rooms=self.rooms, parts=self.parts)
        write_results(self.out / "results.jsonl", made.results)
        report = {
            "sentences": [asdict(row) for row in made.rows],
            "wordings": [asdict(row) for row in made.wordings],
            "scans": [asdict(row) for row in made.scans],
            "misses": dict(made.misses),
            "ablation": [asdict(row) for row in made.ablation],
            "calibration": None if made.calibration is None else asdict(made.calibration),
        }
        write_text(self.out / "report.json", json.dumps(report, indent=1))
        if self.page:
            print(f"page: {write_rooms_page(self.out / 'report.html', made, self.weights, data=self.data)}")
        if self.json:
            print(json.dumps(report))
        else:
            print_report(made)
            print(f"a line a sentence: {self.out / 'results.jsonl'}")
