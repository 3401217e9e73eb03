"""Draws examples of what grounding gets wrong, by kind of miss, on one sheet.

Usage: python docs/draw_misses.py RESULTS.jsonl OUT.png   (after `trisparse evaluate rooms`)
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import tyro
from trisparse.data.boxes import Boxes3D
from trisparse.data.rooms.evaluation import load_eval_v2
from trisparse.data.rooms.generate import scene_id_of
from trisparse.data.scene import Scene
from trisparse.pipelines.evaluation import SentenceResult
from trisparse.pipelines.evaluation_records import read_results
from trisparse.pipelines.miss_kinds import KINDS, kind_of
from trisparse.pipelines.pictures import draw_answers
from trisparse.pipelines.rooms_evaluation import cached_room


@dataclass(frozen=True)
class Arguments:
    """What to draw."""

    results: tyro.conf.Positional[Path]
    """results.jsonl of an evaluation."""
    out: tyro.conf.Positional[Path]
    """The PNG file to write."""
    data: Path = Path("runs/rooms-eval-v2")
    """Where the rooms are kept."""
    per_kind: int = 2
    """Examples of each kind: those that the network was surest of, from different rooms."""


def main(arguments: Arguments) -> None:
    """Choose and draw."""
    from PIL import Image

    chosen = load_eval_v2()
    seed_of = {scene_id_of(seed): seed for seed in chosen.seeds}

    @cache
    def scene_of(name: str) -> Scene:
        return cached_room(chosen, seed_of[name], arguments.data).scene

    found: dict[str, list[SentenceResult]] = defaultdict(list)
    for result in sorted(read_results(arguments.results), key=lambda r: -r.score):
        kind = kind_of(result, scene_of(result.scene_id))
        others = {r.scene_id for r in found[kind]}
        if len(found[kind]) < arguments.per_kind and result.scene_id not in others:
            found[kind].append(result)
        if all(len(found[k]) == arguments.per_kind for k in KINDS[2:]):
            break
    tiles = [_tile(kind, r, scene_of(r.scene_id)) for kind in KINDS[2:] for r in found[kind]]
    width, height = tiles[0].size
    columns = arguments.per_kind
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height), "white")
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % columns * width, number // columns * height))
    sheet.quantize(160, method=Image.Quantize.FASTOCTREE).save(arguments.out, optimize=True)
    print(arguments.out)


def _tile(kind: str, result: SentenceResult, scene: Scene):
    from PIL import Image

    answer = Boxes3D.axis_aligned(torch.tensor([result.center]), torch.tensor([result.size]))
    truth = Boxes3D.axis_aligned(torch.tensor([result.true_center]), torch.tensor([result.true_size]))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tile.png"
        title = f"{kind}: {result.sentence}"
        draw_answers(scene.cloud, answer, title, file, labels=[f"{result.score:.2f}"], truth=truth)
        with Image.open(file) as large:
            return large.convert("RGB").resize((760, 400), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
