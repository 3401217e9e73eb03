"""Accuracy of grounding, beside the baselines that show whether the network reads and sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool
from torch import Tensor

from ..core.random import numpy_rng
from ..data.boxes import iou_axis_aligned
from ..data.referral import Referral
from ..data.scene import Scene, SceneObject
from ..sparse3d.grounder import Candidates, Grounder
from ..sparse3d.metrics import Rate, clustered_mean
from ..sparse3d.text import TokenStates
from .grounding_data import SentenceStates
from .part_times import PartClock

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
    target_id: int = -1
    true_center: tuple[float, ...] = ()
    true_size: tuple[float, ...] = ()
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    """Time by part: "backbone" (voxels and backbone; once for all the scene's sentences), "text" (this sentence's share of the
    scene's) and "head" (this sentence alone)."""

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
    answers, times = _ask(grounder, states, scene)
    other = _other_target(referrals, seed, scene.scene_id)
    results = []
    for number, (referral, answer) in enumerate(zip(referrals, answers, strict=True)):
        swapped, target = answers[other[number]], scene.object(referral.target_id)
        own = torch.tensor([item.category == target.category for item in scene.objects])
        passes = _passes(scene, target)
        results.append(
            SentenceResult(
                scene_id=scene.scene_id,
                sentence=referral.sentence,
                category=referral.category,
                tags=referral.tags,
                distractors=int(own.sum()) - 1,
                iou=_iou(target, answer),
                shuffled_iou=_iou(target, swapped),
                score=float(answer.scores[0]),
                random_object=tuple(passes.double().mean(1).tolist()),
                random_of_category=tuple(passes[:, own].double().mean(1).tolist()),
                center=tuple(answer.centers[0].tolist()),
                size=tuple(answer.sizes[0].tolist()),
                fell_back=answer.fell_back,
                target_id=referral.target_id,
                true_center=target.center,
                true_size=target.size,
                milliseconds={name: round(value, 3) for name, value in times[number].items()},
            )
        )
    return results


def _ask(
    grounder: Grounder, states: SentenceStates, scene: Scene
) -> tuple[list[Candidates], list[Mapping[str, float]]]:
    """The answer to each sentence of a scene, and its milliseconds by part."""
    device = next((value.device for value in grounder.parameters()), torch.device("cpu"))
    colors = torch.full_like(scene.cloud.points, 0.5) if scene.cloud.colors is None else scene.cloud.colors
    points, colors = scene.cloud.points.float().to(device), colors.float().to(device)
    clock, answers, times = PartClock(device), [], []
    with torch.no_grad(), clock.part("backbone"):
        encoded = grounder.encode_scene(points, colors)
    with clock.part("text"):
        text = states.batch([referral.sentence for referral in scene.referrals]).to(device)
    clock.milliseconds["text"] /= len(scene.referrals)
    for row in range(len(scene.referrals)):
        head = PartClock(device)
        with head.part("head"):
            answers += grounder.answer(encoded, TokenStates(text.states[[row]], text.padding[[row]]))
        times.append(clock.milliseconds | head.milliseconds)
    return answers, times


def _other_target(referrals: Sequence[Referral], seed: int, scene_id: str) -> list[int]:
    """For each sentence another of the scene, at random; the same sentence's own only where the scene has one alone."""
    order = numpy_rng(seed, "shuffle", scene_id).permutation(len(referrals))
    other = [0] * len(referrals)
    for position, row in enumerate(order):
        other[row] = int(order[(position + 1) % len(order)])
    return other


def _iou(target: SceneObject, answer: Candidates) -> float:
    center, size = torch.tensor([target.center]).double(), torch.tensor([target.size]).double()
    found = (answer.centers[:1].double().cpu(), answer.sizes[:1].double().cpu())
    return float(iou_axis_aligned(*found, center, size)[0])


def _passes(scene: Scene, target: SceneObject) -> Bool[Tensor, "t m"]:
    """For each threshold, which objects of the scene would count as the answer."""
    boxes = scene.boxes
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


Group = tuple[str, Callable[[SentenceResult], bool]]
"""A line's name and which sentences belong to it."""


def report(results: Sequence[SentenceResult], groups: Sequence[Group] | None = None) -> list[ReportRow]:
    """Rates for groups of sentences; groups that none belongs to are left out.

    Args:
        results: Of any number of scenes.
        groups: By default all sentences, by unique / multiple / number of distractors, and by tag (relations, held-out parts).
    """
    chosen = _groups(results) if groups is None else groups
    rows = [_row(name, [result for result in results if belongs(result)]) for name, belongs in chosen]
    return [row for row in rows if row.count]


def other_tags(results: Sequence[SentenceResult], skipped: tuple[str, ...] = ()) -> list[Group]:
    """A group for each tag, sorted, without those that start with some words or say what the distractors say."""
    never = ("unique", "multiple", "template:", "distractors-")
    counts = Counter(tag for result in results for tag in result.tags)
    tags = [tag for tag in sorted(counts) if not tag.startswith((*never, *skipped))]
    return [(tag, lambda r, tag=tag: tag in r.tags) for tag in tags]


def _groups(results: Sequence[SentenceResult]) -> list[Group]:
    groups: list[Group] = [
        ("all", lambda r: True),
        ("unique", lambda r: r.distractors == 0),
        ("multiple", lambda r: r.distractors > 0),
        ("two or more distractors", lambda r: r.distractors > 1),
    ]
    return [*groups, *other_tags(results)]


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
