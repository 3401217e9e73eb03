"""What went wrong where a box missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from ..data.boxes import iou_axis_aligned
from ..data.scene import Scene
from .evaluation import SentenceResult

KINDS = (
    "right at 0.5",
    "right at 0.25",
    "its object, box too far off",
    "another of its category",
    "an object of another category",
    "no object",
)
"""What an answer can be, from best to worst."""


def kind_of(result: SentenceResult, scene: Scene) -> str:
    """Which object the box lies on: the one with the greatest IoU, or one that holds the box's middle."""
    if result.iou > 0.5:
        return KINDS[0]
    if result.iou > 0.25:
        return KINDS[1]
    boxes = scene.boxes
    n = len(boxes)
    center, size = torch.tensor([result.center]).double(), torch.tensor([result.size]).double()
    iou = iou_axis_aligned(boxes.centers, boxes.sizes, center.expand(n, 3), size.expand(n, 3))
    holds = ((boxes.low <= center) & (center <= boxes.high)).all(1)
    fit = torch.where(holds, iou + 0.05, iou)
    if not n or float(fit.max()) < 0.05:
        return KINDS[5]
    met = scene.objects[int(fit.argmax())]
    if met.object_id == result.target_id:
        return KINDS[2]
    return KINDS[3] if met.category == scene.object(result.target_id).category else KINDS[4]


def count_kinds(results: Sequence[SentenceResult], scene: Scene) -> Counter[str]:
    """How many answers of a scene are of each kind."""
    return Counter(kind_of(result, scene) for result in results)
