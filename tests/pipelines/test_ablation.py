"""Switching parts of a network off."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from trisparse.data.referral import Referral
from trisparse.data.scene import Scene, SceneObject
from trisparse.pipelines.ablation import VARIANTS, Asked, ablation_row, ask_variant, variant_of
from trisparse.pipelines.grounding_data import SentenceStates
from trisparse.sparse3d.grounder import Grounder
from trisparse.sparse3d.vocabulary import default_vocabulary


@pytest.fixture
def scene(tiny: ModuleType) -> Scene:
    made = tiny.tiny_scene(0)
    objects = tuple(SceneObject(i, "box", (i - 1.0, 0.0, 0.3), (0.6, 0.6, 0.6)) for i in range(3))
    referrals = tuple(Referral(made.scene_id, r.sentence, r.target_id, "box") for r in made.referrals)
    return Scene(made.scene_id, made.cloud, objects, referrals)


def test_without_pruning_more_voxels_give_boxes_and_without_completion_fewer(tiny: ModuleType, scene: Scene) -> None:
    torch.manual_seed(0)
    grounder = Grounder(tiny.NETWORK).eval()
    states = SentenceStates(tiny.HashedWords(), default_vocabulary(), "free")
    kept = {name: [a.voxels for a in ask_variant(variant_of(grounder, name), states, scene)] for name in VARIANTS}
    assert all(a <= b for a, b in zip(kept["pruning and completion"], kept["no pruning"], strict=True))
    assert all(a <= b for a, b in zip(kept["no completion"], kept["pruning and completion"], strict=True))
    assert sum(kept["no completion"]) < sum(kept["neither"])


def test_a_variant_has_the_same_weights_and_leaves_the_network_as_it_was(tiny: ModuleType) -> None:
    grounder = Grounder(tiny.NETWORK).eval()
    other = variant_of(grounder, "neither")
    assert grounder.config == tiny.NETWORK
    assert other.config != grounder.config
    for name, value in grounder.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


def test_a_row_has_rates_and_means() -> None:
    row = ablation_row("x", [Asked("a", 0.6, 10, 1.0), Asked("a", 0.3, 20, 3.0), Asked("b", 0.0, 30, 8.0)])
    assert row.accuracy[0].value == pytest.approx(2 / 3)
    assert row.accuracy[1].value == pytest.approx(1 / 3)
    assert (row.voxels, row.milliseconds) == (20, 3.0)
