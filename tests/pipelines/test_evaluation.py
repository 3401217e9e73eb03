"""The report of an evaluation, on results made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from trisparse.data.point_cloud import PointCloud
from trisparse.data.referral import Referral
from trisparse.data.scene import Scene, SceneObject
from trisparse.pipelines.evaluation import SentenceResult, evaluate_scene, report
from trisparse.pipelines.grounding_data import SentenceStates
from trisparse.sparse3d.grounder import Candidates, EncodedScene, Grounder
from trisparse.sparse3d.text import TokenStates
from trisparse.sparse3d.vocabulary import default_vocabulary


class _Pointer(Grounder):
    """Stands in for a network: answers with the box whose number is the first entry of the sentence's states."""

    def __init__(self, scene: Scene) -> None:
        nn.Module.__init__(self)
        self.boxes = scene.boxes

    def encode_scene(self, points: torch.Tensor, colors: torch.Tensor) -> EncodedScene | None:
        return None

    def answer(self, scene: EncodedScene | None, text: TokenStates, *, top_k: int = 1) -> list[Candidates]:
        rows = [int(row[0, 0]) for row in text.states]
        one = torch.ones(1, dtype=torch.float64)
        return [Candidates(self.boxes.centers[[n]], self.boxes.sizes[[n]], one, fell_back=False) for n in rows]


class _Words(SentenceStates):
    def __init__(self, said: dict[str, int]) -> None:
        self.said = said

    def batch(self, sentences: Sequence[str]) -> TokenStates:
        states = torch.tensor([self.said[sentence] for sentence in sentences]).float()[:, None, None]
        return TokenStates(states, torch.zeros(len(sentences), 1, dtype=torch.bool))


def _scene() -> Scene:
    objects = tuple(
        SceneObject(i, c, (2.0 * i, 0.0, 0.5), (1.0, 1.0, 1.0)) for i, c in enumerate(["chair", "chair", "bed"])
    )
    referrals = (
        Referral("s", "first chair", 0, "chair", tags=("multiple", "nearest")),
        Referral("s", "second chair", 1, "chair", tags=("multiple", "color")),
        Referral("s", "bed", 2, "bed", tags=("unique",)),
    )
    return Scene("s", PointCloud(torch.zeros(4, 3)), objects, referrals)


def test_a_network_that_points_at_the_truth_scores_one_and_with_others_words_zero() -> None:
    scene = _scene()
    words = _Words({"first chair": 0, "second chair": 1, "bed": 2})
    results = evaluate_scene(_Pointer(scene), words, scene)
    rows = {row.name: row for row in report(results)}
    assert rows["all"].accuracy[0].value == 1
    assert rows["all"].shuffled[0].value == 0
    assert rows["all"].random_object[0].value == pytest.approx(1 / 3)
    assert rows["multiple"].random_of_category[1].value == pytest.approx(1 / 2)
    assert rows["multiple"].gain[0].value == pytest.approx(1 / 2)
    assert rows["unique"].gain[0].value == 0
    assert rows["nearest"].count == 1


def test_a_box_that_misses_counts_for_nothing() -> None:
    miss = SentenceResult(
        "s", "a", "chair", (), 1, 0.25, 0.0, 0.5, (0.1, 0.1), (0.5, 0.5), (0.0,) * 3, (1.0,) * 3, False
    )
    assert report([miss])[0].accuracy[0].value == 0, "0.25 itself is not above 0.25"


class _Counted:
    """A text encoder that counts the sentences that it reads."""

    name, width = "counted", 3

    def __init__(self) -> None:
        self.read: list[str] = []

    def encode(self, sentences: Sequence[str]) -> TokenStates:
        self.read += sentences
        return TokenStates.padded([torch.full((len(s.split()), 3), float(len(s))) for s in sentences])


def test_states_are_computed_once_and_survive_a_file(tmp_path: Path) -> None:
    encoder = _Counted()
    states = SentenceStates(encoder, default_vocabulary(), "free")
    sentences = ["the chair", "a table near the chair", "the chair"]
    before = states.batch(sentences)
    states.batch(sentences)
    assert len(encoder.read) == 2
    states.save(tmp_path / "states.safetensors")
    later = SentenceStates(encoder, default_vocabulary(), "free")
    later.load(tmp_path / "states.safetensors")
    after = later.batch(sentences)
    assert len(encoder.read) == 2
    assert torch.equal(before.states, after.states)
    assert torch.equal(before.padding, after.padding)


def test_a_result_says_what_was_asked_and_how_long_each_part_took() -> None:
    scene = _scene()
    result = evaluate_scene(_Pointer(scene), _Words({"first chair": 1, "second chair": 1, "bed": 2}), scene)[0]
    assert (result.target_id, result.true_center, result.true_size) == (0, (0.0, 0.0, 0.5), (1.0, 1.0, 1.0))
    assert result.center == (2.0, 0.0, 0.5)
    assert set(result.milliseconds) == {"backbone", "text", "head"}
    assert all(value >= 0 for value in result.milliseconds.values())


def test_objects_alike_are_those_that_the_scan_calls_alike() -> None:
    """ScanRefer's names can differ from the scan's."""
    scene = _scene()
    renamed = replace(scene, referrals=tuple(replace(r, category="seat") for r in scene.referrals))
    words = _Words({"first chair": 0, "second chair": 1, "bed": 2})
    results = evaluate_scene(_Pointer(scene), words, renamed)
    assert [r.distractors for r in results] == [1, 1, 0]
    assert results[0].random_of_category == (0.5, 0.5)
