"""What a training step sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from trisparse.data.point_cloud import PointCloud
from trisparse.data.referral import Referral
from trisparse.data.scene import Scene, SceneObject
from trisparse.pipelines.grounding_data import TrainBatch, category_names, draw_batch, load_scenes

COLORS = {"red": (0.7, 0.1, 0.1), "blue": (0.15, 0.3, 0.68), "white": (0.9, 0.9, 0.9)}
OBJECTS = (("chair", "red"), ("chair", "blue"), ("trash_can", "red"), ("bed", "white"))


def _scene() -> Scene:
    """Four objects on a floor; every fourth point of an object is black."""
    rng = np.random.default_rng(0)
    points, colors, instances = [rng.uniform(-3, 3, (200, 3)) * [1, 1, 0]], [np.full((200, 3), 0.5)], [np.full(200, -1)]
    for number, (_, color) in enumerate(OBJECTS):
        points.append(rng.uniform(-0.3, 0.3, (80, 3)) + [2 * number - 3, 0, 0.3])
        own = np.tile(COLORS[color], (80, 1))
        own[::4] = 0.08
        colors.append(own)
        instances.append(np.full(80, number))
    cloud = PointCloud(
        torch.from_numpy(np.concatenate(points)).float(),
        torch.from_numpy(np.concatenate(colors)).float(),
        torch.from_numpy(np.concatenate(instances)),
    )
    objects = tuple(SceneObject(n, c, (2.0 * n - 3, 0.0, 0.3), (0.6, 0.6, 0.6)) for n, (c, _) in enumerate(OBJECTS))
    referrals = (Referral("s", "the red chair", 0, "chair", (3,)), Referral("s", "the bed", 3, "bed"))
    return Scene("s", cloud, objects, referrals)


def _batch(scene: Scene, **options: int) -> TrainBatch:
    names = category_names([scene])
    rng = np.random.default_rng(1)
    return draw_batch([scene], rng, names=names, sentences_per_scene=2, box_jitter=False, **options)


def test_points_know_their_objects_category_and_main_colour() -> None:
    scene = _scene()
    batch, names = _batch(scene), category_names([scene])
    assert names == ("bed", "chair", "trash_can")
    assert scene.cloud.instances is not None
    for number, (category, _) in enumerate(OBJECTS):
        own = scene.cloud.instances == number
        assert set(batch.categories[0][own].tolist()) == {names.index(category)}
        assert len(set(batch.colors[0][own].tolist())) == 1
    floor = scene.cloud.instances < 0
    assert set(batch.categories[0][floor].tolist()) == {-1}
    assert set(batch.colors[0][floor].tolist()) == {-1}


def test_a_colour_prompt_means_all_objects_that_fit() -> None:
    scene = _scene()
    meant = {}
    for prompt, target in zip(*_prompts(_batch(scene, color_prompts_per_scene=60)), strict=True):
        meant[prompt] = {round(float(x)) for x in (target.centers[:, 0] + 3) / 2}
    assert meant == {
        "red chair": {0},
        "blue chair": {1},
        "red trash can": {2},
        "white bed": {3},
        "red object": {0, 2},
        "blue object": {1},
        "white object": {3},
    }


def _prompts(batch: TrainBatch) -> tuple[list[str], list]:
    return list(batch.sentences[2:]), list(batch.targets[2:])


def test_a_detection_prompt_means_all_instances_of_its_categories() -> None:
    batch = _batch(_scene(), prompts_per_scene=40)
    for prompt, target in zip(*_prompts(batch), strict=True):
        named = prompt.split(" . ")
        assert len(target.centers) == sum(category.replace("_", " ") in named for category, _ in OBJECTS)


def test_objects_without_points_or_colours_are_asked_by_category_alone() -> None:
    scene = _scene()
    grey = replace(scene, cloud=PointCloud(scene.cloud.points, None, scene.cloud.instances))
    prompts, _ = _prompts(_batch(grey, color_prompts_per_scene=10))
    assert not any(color in prompt for prompt in prompts for color in COLORS)


def test_a_prompt_names_up_to_as_many_categories_as_asked_in_any_order() -> None:
    prompts, _ = _prompts(_batch(_scene(), prompts_per_scene=200, names_per_prompt=10))
    named = [prompt.split(" . ") for prompt in prompts]
    assert {len(names) for names in named} == {1, 2, 3}, "the scene has three categories"
    assert {names[0] for names in named if len(names) == 3} == {"bed", "chair", "trash can"}
    assert all(len(set(names)) == len(names) for names in named)
    prompts, _ = _prompts(_batch(_scene(), prompts_per_scene=50, names_per_prompt=1))
    assert set(prompts) == {"bed", "chair", "trash can"}


def test_a_share_of_scenes_is_asked_by_a_prompt_instead_of_sentences() -> None:
    scene, rng = _scene(), np.random.default_rng(0)
    said = {referral.sentence for referral in scene.referrals}
    batch = draw_batch(
        [scene] * 400, rng, sentences_per_scene=1, prompt_share=0.25, names_per_prompt=10, box_jitter=False
    )
    assert len(batch.sentences) == 400
    prompts = [sentence for sentence in batch.sentences if sentence not in said]
    assert 70 <= len(prompts) <= 130
    assert batch.scene_of_sentence.tolist() == list(range(400))
    for sentence, target in zip(batch.sentences, batch.targets, strict=True):
        assert len(target.centers) == (1 if sentence in said else sum(_named(sentence, c) for c, _ in OBJECTS))


def _named(prompt: str, category: str) -> bool:
    return category.replace("_", " ") in prompt.split(" . ")


def test_a_scene_without_sentences_is_asked_by_a_prompt() -> None:
    batch = _batch(replace(_scene(), referrals=()))
    assert len(batch.sentences) == 1
    assert set(batch.sentences[0].split(" . ")) <= {"bed", "chair", "trash can"}


def test_the_label_table_gives_instances_of_one_class_one_name(tmp_path: Path, tiny: ModuleType) -> None:
    root = tiny.write_tiny_scenes(tmp_path)
    assert {item.category for scene in load_scenes(root, "train", progress=False) for item in scene.objects} == {"box"}
    table = root / "meta_data" / "scannetv2-labels.combined.tsv"
    table.parent.mkdir()
    table.write_text("id\traw_category\tcategory\tcount\tnyu40id\tnyu40class\n7\tbox\tcardboard box\t1\t29\tbox\n")
    scenes = load_scenes(root, "train", progress=False)
    assert {item.category for scene in scenes for item in scene.objects} == {"cardboard box"}
    assert all(len(scene.referrals) == 3 for scene in scenes)
