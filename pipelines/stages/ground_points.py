"""The stage that finds in points what sentences describe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ...core.errors import InvalidInput
from ...core.files import write_text
from ...data.alignment import Up
from ...data.answers import write_answers
from ...data.readers.ply import write_ply
from ...data.readers.scannet import cloud_columns
from ..grounding import SceneGrounder, inside
from ..pictures import draw_answers
from ..stage import AbstractStage, StageContext


@dataclass(frozen=True)
class GroundPoints(AbstractStage):
    """Find what sentences describe in a scan, or in the artifact ``points`` (of FuseSplats or FuseField).

    Writes ``answers.json`` (boxes in the frame of the scan or the points), ``answer-N.png`` and ``answer-N.ply`` for the
    Nth sentence, and ``about.json`` (the alignment in words, notes).
    """

    version: ClassVar[int] = 1
    sentences: tuple[str, ...]
    weights: Path
    """File of the network."""
    scan: Path | None = None
    """Scan file; None: the artifact."""
    up: Up = "auto"
    """Axis of the scan that points up; of an artifact what its cameras told, where they did."""
    scale: float | None = None
    """Metres per unit; None: of an artifact what is known, else guessed."""
    align: bool = True
    """Look for up, floor and walls."""
    top_k: int = 5
    """Boxes a sentence at most."""

    def run(self, ctx: StageContext) -> None:
        if not self.sentences:
            raise InvalidInput("no sentence; give at least one")
        grounder = SceneGrounder.load(self.weights, device=ctx.device)
        source, up, scale, notes = self._source(ctx)
        scene = grounder.encode(source, up=up, scale="auto" if scale is None else scale, align=self.align)
        grounded = grounder.ask(scene, self.sentences, top_k=self.top_k)
        write_answers(ctx.folder / "answers.json", grounded.sheet)
        for number, (sentence, boxes) in enumerate(zip(self.sentences, grounded.boxes, strict=True), 1):
            stem = ctx.folder / f"answer-{number}"
            scores = [a.score for a in grounded.sheet.answers if a.sentence == sentence][: len(boxes)]
            labels = [f"{score:.2f}" for score in scores]
            draw_answers(scene.alignment.cloud, boxes, sentence, stem.with_suffix(".png"), labels=labels)
            part = scene.source.select(inside(scene.alignment.cloud, boxes))
            write_ply(stem.with_suffix(".ply"), {"vertex": cloud_columns(part)})
            ctx.log.write("answered", sentence=sentence)
        about = {
            "sentences": list(self.sentences),
            "alignment": scene.alignment.report,
            "notes": [*notes, *grounded.sheet.warnings],
        }
        write_text(ctx.folder / "about.json", json.dumps(about, indent=1) + "\n")

    def _source(self, ctx: StageContext) -> tuple[Path, Up, float | None, list[str]]:
        made = ctx.inputs.get("points")
        if made is None:
            if self.scan is None:
                raise InvalidInput("neither a scan nor an artifact with points; give one")
            return self.scan, self.up, self.scale, []
        frame = json.loads(made.file("frame.json").read_text(encoding="utf-8"))
        up: Up = "z" if self.up == "auto" and frame["is_upright"] else self.up
        scale = 1.0 if self.scale is None and frame["is_metric"] else self.scale
        return made.file("points.ply"), up, scale, list(frame["notes"])
