"""The built-in example: a generated room, three sentences, their boxes beside the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ..core.errors import InvalidInput
from ..data.alignment import align_scan
from ..data.answers import write_answers
from ..data.boxes import Boxes3D, iou_axis_aligned
from ..data.readers.ply import write_ply
from ..data.readers.scannet import cloud_columns
from ..data.referral import Referral
from ..data.rooms.generate import RoomConfig, generate_room
from ..data.scene import Scene
from .grounding import SceneGrounder
from .pictures import draw_answers


@dataclass(frozen=True)
class DemoAnswer:
    """The best box for a sentence, and how well it lies on the true one."""

    sentence: str
    score: float
    iou: float
    right: bool
    picture: str


def run_demo(seed: int, weights: str | Path, out: Path) -> tuple[Scene, list[DemoAnswer]]:
    """Generate the room of a seed, ask three of its sentences, draw the answers.

    Raises:
        MissingPart: The weights or the text model are not there.
    """
    grounder = SceneGrounder.load(weights)
    scene = generate_room(seed, RoomConfig(split="eval"))
    write_ply(out / "room.ply", {"vertex": cloud_columns(scene.cloud)})
    encoded = grounder.encode_aligned(
        str(out / "room.ply"), scene.cloud, align_scan(scene.cloud, up="z", scale=1.0, align=False)
    )
    referrals = three_sentences(scene)
    grounded = grounder.ask(encoded, [referral.sentence for referral in referrals], top_k=3)
    write_answers(out / "answers.json", grounded.sheet)
    answers = []
    for number, (referral, boxes) in enumerate(zip(referrals, grounded.boxes, strict=True), 1):
        best = grounded.sheet.best(referral.sentence)
        assert best is not None
        target = scene.object(referral.target_id)
        truth = Boxes3D.axis_aligned(torch.tensor([target.center]), torch.tensor([target.size]))
        iou = float(iou_axis_aligned(boxes.centers[:1], boxes.sizes[:1], truth.centers, truth.sizes)[0])
        picture = out / f"answer-{number}.png"
        draw_answers(scene.cloud, boxes[:1], referral.sentence, picture, labels=[f"{best.score:.2f}"], truth=truth)
        answers.append(DemoAnswer(referral.sentence, best.score, round(iou, 4), iou > 0.25, str(picture)))
    return scene, answers


def three_sentences(scene: Scene) -> list[Referral]:
    """One that a category decides, one that a colour or size does, one that a relation does; different targets.

    Raises:
        InvalidInput: The room has fewer than three sentences.
    """
    kinds = (
        lambda tags: "unique" in tags,
        lambda tags: "multiple" in tags and {"color", "largest", "smallest", "tallest", "shortest"} & set(tags[2:3]),
        lambda tags: "multiple" in tags and {"nearest", "farthest", "next-to", "between"} & set(tags[2:3]),
        lambda tags: True,
    )
    chosen: list[Referral] = []
    for wanted in (*kinds, kinds[-1], kinds[-1]):
        targets = {referral.target_id for referral in chosen}
        fitting = [r for r in scene.referrals if wanted(r.tags) and r.target_id not in targets]
        if fitting and len(chosen) < 3:
            chosen.append(fitting[0])
    if len(chosen) < 3:
        raise InvalidInput(f"room {scene.scene_id} has sentences about {len(chosen)} objects only; take another --seed")
    return chosen
