"""Pieces of the training loop."""

import pytest
import torch
from torch import nn
from trisparse.data.point_cloud import PointCloud
from trisparse.data.scene import Scene
from trisparse.pipelines.training import RECIPES, Phase, Recipe, WeightAverage, learning_rate, scenes_of_step


def test_published_rate_drops_to_a_tenth_twice() -> None:
    recipe = RECIPES["tsp3d"]
    rates = [learning_rate(recipe, int(share * recipe.steps)) for share in (0, 0.5, 0.52, 0.75, 0.77)]
    assert rates == pytest.approx([5e-4, 5e-4, 5e-5, 5e-5, 5e-6])


def test_cosine_rate_warms_up_and_ends_near_zero() -> None:
    recipe = Recipe(steps=1000, learning_rate=1.0, schedule="cosine", warmup_steps=10)
    assert learning_rate(recipe, 0) == pytest.approx(0.1)
    assert learning_rate(recipe, 9) == pytest.approx(1.0, abs=1e-3)
    assert learning_rate(recipe, 999) < 1e-5


def test_phases_follow_one_another_and_the_rate_warms_up_in_each() -> None:
    phases = (Phase(until=100, head=False, category_words=1.0), Phase(until=200), Phase(object_contrast=1.0))
    recipe = Recipe(steps=1000, learning_rate=1.0, schedule="cosine", warmup_steps=10, phases=phases)
    assert [recipe.phase(step) for step in (0, 99, 100, 199, 200, 999)] == [
        phases[0],
        phases[0],
        phases[1],
        phases[1],
        phases[2],
        phases[2],
    ]
    assert [recipe.phase_start(step) for step in (0, 99, 100, 199, 200, 999)] == [0, 0, 100, 100, 200, 200]
    assert learning_rate(recipe, 99) > 0.9
    assert learning_rate(recipe, 100) < 0.11
    assert learning_rate(recipe, 110) > 0.9
    assert Recipe().phase_start(64_999) == 0
    assert Recipe().phase(64_999) == Phase()


def test_every_epoch_sees_every_scene_once_whatever_the_step_size() -> None:
    scenes = [Scene(str(i), PointCloud(torch.zeros(1, 3))) for i in range(7)]
    recipe = Recipe(scenes_per_step=3)
    seen = [scene.scene_id for step in range(7) for scene in scenes_of_step(scenes, recipe, step)]
    epochs = [seen[i : i + 7] for i in range(0, 21, 7)]
    assert all(sorted(epoch) == [str(i) for i in range(7)] for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_the_average_follows_the_weights_and_settles_on_constant_ones() -> None:
    net = nn.Linear(2, 2)
    average = WeightAverage(net, 0.9)
    with torch.no_grad():
        net.weight.fill_(1.0)
    for step in range(200):
        average.update(net, step)
    torch.testing.assert_close(average.tensors["weight"], torch.ones(2, 2))
    average.tensors["weight"].zero_()
    assert float(net.weight.detach().sum()) == 4, "the average shares no memory with the weights"
