"""Accuracy of grounding, beside the baselines that show whether the network reads and sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.random import numpy_rng
from ..data.boxes import iou_axis_aligned
from ..data.referral import Referral
from ..data.scene import Scene
from ..sparse3d.grounder import Grounder
from ..sparse3d.metrics import Rate, clustered_mean
from .grounding_data import SentenceStates

THRESHOLDS = (0.25, 0.5)
"""IoU that a box must exceed to count."""


@dataclass(frozen=True)
class SentenceResult:
    """What came out for one sentence."""

    scene_id: str
    sentence: str
    category: str
    tags: tuple[str, ...]
    distractors: int
    """Other objects of the target's category in the scene."""
    iou: float
    shuffled_iou: float
    """The same network, asked with another sentence of the scene."""
    score: float
    random_object: tuple[float, ...]
    """Chance that a random object of the scene passes each threshold."""
    random_of_category: tuple[float, ...]
    """Chance that a random object of the target's category does."""
    center: tuple[float, ...]
    size: tuple[float, ...]
    fell_back: bool

    def hit(self, threshold: float) -> float:
        """1 where the box passes an IoU threshold, else 0."""
        return float(self.iou > threshold)


def evaluate_scene(grounder: Grounder, states: SentenceStates, scene: Scene, *, seed: int = 0) -> list[SentenceResult]:
    """Ask every sentence of a scene, and each once more with another's words.

    Args:
        grounder: In evaluation mode.
        states: Token states of the sentences.
        scene: Points with colours, objects, referrals.
        seed: Of the exchange of sentences.
    """
    referrals = scene.referrals
    if not referrals:
        return []
    colors = torch.full_like(scene.cloud.points, 0.5) if scene.cloud.colors is None else scene.cloud.colors
    with torch.no_grad():
        encoded = grounder.encode_scene(scene.cloud.points.float(), colors.float())
    answers = grounder.answer(encoded, states.batch([referral.sentence for referral in referrals]))
    other = _other_target(referrals, seed, scene.scene_id)
    results = []
    for number, (referral, answer) in enumerate(zip(referrals, answers, strict=True)):
        swapped = answers[other[number]]
        own = torch.tensor([item.category == referral.category for item in scene.objects])
        passes = _passes(scene, referral)
        results.append(
            SentenceResult(
                scene_id=scene.scene_id,
                sentence=referral.sentence,
                category=referral.category,
                tags=referral.tags,
                distractors=int(own.sum()) - 1,
                iou=_iou(scene, referral, answer.centers, answer.sizes),
                shuffled_iou=_iou(scene, referral, swapped.centers, swapped.sizes),
                score=float(answer.scores[0]),
                random_object=tuple(passes.double().mean(1).tolist()),
                random_of_category=tuple(passes[:, own].double().mean(1).tolist()),
                center=tuple(answer.centers[0].tolist()),
                size=tuple(answer.sizes[0].tolist()),
                fell_back=answer.fell_back,
            )
        )
    return results


def _other_target(referrals: Sequence[Referral], seed: int, scene_id: str) -> list[int]:
    """For each sentence another of the scene, at random; the same sentence's own only where the scene has one alone."""
    order = numpy_rng(seed, "shuffle", scene_id).permutation(len(referrals))
    other = [0] * len(referrals)
    for position, row in enumerate(order):
        other[row] = int(order[(position + 1) % len(order)])
    return other


def _iou(scene: Scene, referral: Referral, centers: Float[Tensor, "k 3"], sizes: Float[Tensor, "k 3"]) -> float:
    target = scene.object(referral.target_id)
    center, size = torch.tensor([target.center]).double(), torch.tensor([target.size]).double()
    return float(iou_axis_aligned(centers[:1].double(), sizes[:1].double(), center, size)[0])


def _passes(scene: Scene, referral: Referral) -> Bool[Tensor, "t m"]:
    """For each threshold, which objects of the scene would count as the answer."""
    target, boxes = scene.object(referral.target_id), scene.boxes
    n = len(boxes)
    center, size = torch.tensor(target.center).double().expand(n, 3), torch.tensor(target.size).double().expand(n, 3)
    iou = iou_axis_aligned(boxes.centers, boxes.sizes, center, size)
    return torch.stack([iou > threshold for threshold in THRESHOLDS])


@dataclass(frozen=True)
class ReportRow:
    """One line of the report: sentences of a kind, in percent with 95 % intervals."""

    name: str
    count: int
    accuracy: tuple[Rate, ...]
    shuffled: tuple[Rate, ...]
    random_of_category: tuple[Rate, ...]
    random_object: tuple[Rate, ...]
    gain: tuple[Rate, ...]
    """Accuracy minus that of a random object of the category, sentence by sentence."""


def report(results: Sequence[SentenceResult]) -> list[ReportRow]:
    """Rates for all sentences, by unique / multiple / number of distractors, and by tag (relations, held-out parts)."""
    groups: list[tuple[str, Callable[[SentenceResult], bool]]] = [
        ("all", lambda r: True),
        ("unique", lambda r: r.distractors == 0),
        ("multiple", lambda r: r.distractors > 0),
        ("two or more distractors", lambda r: r.distractors > 1),
    ]
    counts = Counter(tag for result in results for tag in result.tags)
    skipped = ("unique", "multiple", "template:", "distractors-")
    tags = [tag for tag in sorted(counts) if not tag.startswith(skipped)]
    groups.extend((tag, lambda r, tag=tag: tag in r.tags) for tag in tags)
    rows = [_row(name, [result for result in results if belongs(result)]) for name, belongs in groups]
    return [row for row in rows if row.count]


def _row(name: str, results: list[SentenceResult]) -> ReportRow:
    scenes = [result.scene_id for result in results]

    def rates(value: Callable[[SentenceResult, int], float]) -> tuple[Rate, ...]:
        return tuple(clustered_mean([value(result, t) for result in results], scenes) for t in range(len(THRESHOLDS)))

    return ReportRow(
        name=name,
        count=len(results),
        accuracy=rates(lambda r, t: r.hit(THRESHOLDS[t])),
        shuffled=rates(lambda r, t: float(r.shuffled_iou > THRESHOLDS[t])),
        random_of_category=rates(lambda r, t: r.random_of_category[t]),
        random_object=rates(lambda r, t: r.random_object[t]),
        gain=rates(lambda r, t: r.hit(THRESHOLDS[t]) - r.random_of_category[t]),
    )
