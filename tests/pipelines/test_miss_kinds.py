"""Kinds of answers on a scene made by hand."""

from __future__ import annotations

import pytest
import torch
from trisparse.data.boxes import iou_axis_aligned
from trisparse.data.point_cloud import PointCloud
from trisparse.data.scene import Scene, SceneObject
from trisparse.pipelines.evaluation import SentenceResult
from trisparse.pipelines.miss_kinds import KINDS, count_kinds, kind_of

SCENE = Scene(
    "s",
    PointCloud(torch.zeros(1, 3)),
    tuple(
        SceneObject(k, c, (3.0 * k, 0.0, 0.5), (1.0, 1.0, 1.0))
        for k, c in enumerate(["chair", "chair", "bed", "chair"])
    ),
)


def _answer(x: float, size: float = 1.0) -> SentenceResult:
    """An answer to a sentence about object 0."""
    center, extent = torch.tensor([[x, 0.0, 0.5]]).double(), torch.full((1, 3), size).double()
    iou = float(iou_axis_aligned(center, extent, SCENE.boxes.centers[:1], SCENE.boxes.sizes[:1])[0])
    return SentenceResult(
        "s", "a", "chair", (), 2, iou, 0.0, 0.5, (0.1,) * 2, (0.5,) * 2, (x, 0.0, 0.5), (size,) * 3, False, target_id=0
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (_answer(0.0), "right at 0.5"),
        (_answer(0.4), "right at 0.25"),
        (_answer(0.7), "its object, box too far off"),
        (_answer(0.0, 0.3), "its object, box too far off"),
        (_answer(3.0), "another of its category"),
        (_answer(6.1), "an object of another category"),
        (_answer(1.5, 0.5), "no object"),
    ],
)
def test_an_answer_is_judged_by_the_object_that_it_lies_on(answer: SentenceResult, kind: str) -> None:
    assert kind_of(answer, SCENE) == kind


def test_kinds_are_counted() -> None:
    counts = count_kinds([_answer(0.0), _answer(3.0), _answer(3.1)], SCENE)
    assert counts == {"right at 0.5": 1, "another of its category": 2}
    assert set(counts) <= set(KINDS)
