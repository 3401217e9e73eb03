"""``trisparse demo``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...data.scene import Scene
    from ..demo import DemoAnswer


@dataclass(frozen=True)
class Demo:
    """Generate a furnished room, ask three sentences, show the boxes and whether they are right."""

    seed: int = 20_001
    """Of the room. Training used seeds below 8,000, evaluation 9,000 to 9,059."""
    weights: str = "small"
    """Bundled weights by name, or a .safetensors file."""
    out: Path = Path("runs/demo")
    """Folder for the pictures, the room (room.ply) and answers.json."""
    json: bool = False
    """Print JSON and nothing else."""

    def run(self) -> None:
        from rich.console import Console

        from ..demo import run_demo

        say = Console(quiet=self.json)
        with say.status("generating, encoding, asking, drawing"):
            scene, answers = run_demo(self.seed, self.weights, self.out)
        if self.json:
            print(json.dumps([asdict(answer) for answer in answers]))
            return
        self._print(scene, answers)

    def _print(self, scene: Scene, answers: list[DemoAnswer]) -> None:
        from rich.console import Console
        from rich.table import Table

        console = Console()
        categories = ", ".join(sorted({item.category for item in scene.objects}))
        console.print(
            f"a room with {len(scene.cloud):,} points and {len(scene.objects)} objects: {categories}", highlight=False
        )
        table = Table()
        for name in ("sentence", "score", "IoU with the true box", "right?"):
            table.add_column(name, justify="left" if name == "sentence" else "right")
        for answer in answers:
            table.add_row(answer.sentence, f"{answer.score:.2f}", f"{answer.iou:.2f}", "yes" if answer.right else "no")
        console.print(table)
        console.print("right means an IoU above 0.25, as ScanRefer counts", highlight=False)
        console.print(f"pictures, the room as room.ply, answers.json: {self.out}", highlight=False, soft_wrap=True)
