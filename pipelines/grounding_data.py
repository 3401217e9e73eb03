"""Scenes and sentences to train and evaluate grounding on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float, Int64
from numpy.random import Generator
from torch import Tensor

from ..core.errors import MissingPart
from ..core.files import write_bytes
from ..data.augment import augment, instance_boxes, is_view_dependent
from ..data.point_cloud import PointCloud
from ..data.readers.scannet import LabelRow, read_label_table, read_scannet_scene
from ..data.readers.scanrefer import read_scanrefer
from ..data.referral import Referral
from ..data.rooms.colors import PALETTE, nearest_names
from ..data.scene import Scene
from ..sparse3d.criterion import SentenceTarget
from ..sparse3d.text import TextEncoder, TokenStates, prepare_sentence
from ..sparse3d.text_normalize import Rules
from ..sparse3d.vocabulary import ObjectVocabulary
from .datasets import LABELS, META


def load_scenes(root: Path, split: str, *, progress: bool = True) -> tuple[Scene, ...]:
    """Scenes in ScanNet's layout with their ScanRefer sentences.

    Where ScanNet's label table lies in ``meta_data``, objects have its cleaned names, so that prompts and words for categories
    mean all instances, however the annotators spelled them.

    Args:
        root: Holds ``scans/<scene>/`` and ``ScanRefer/ScanRefer_filtered_<split>.json``.
        split: "train" or "val".
        progress: Show a bar.

    Raises:
        MissingPart: A folder or file is not there.
    """
    from rich.progress import track

    by_scene: dict[str, list[Referral]] = defaultdict(list)
    for referral in read_scanrefer(root / "ScanRefer" / f"ScanRefer_filtered_{split}.json"):
        by_scene[referral.scene_id].append(referral)
    if not by_scene:
        raise MissingPart(f"{root}: no sentence of split {split!r}; training needs some")
    table = root / META / LABELS
    labels = read_label_table(table) if table.is_file() else {}
    scenes = [
        with_known_targets(
            with_cleaned_names(read_scannet_scene(root / "scans" / scene_id), labels), by_scene[scene_id]
        )
        for scene_id in track(sorted(by_scene), "reading scenes", disable=not progress)
    ]
    return tuple(scene for scene in scenes if scene.referrals)


def with_cleaned_names(scene: Scene, labels: Mapping[str, LabelRow]) -> Scene:
    """The scene with its objects' raw categories replaced by those of ScanNet's label table, where it has them."""
    names = {raw: row.category for raw, row in labels.items() if row.category}
    objects = tuple(replace(item, category=names.get(item.category, item.category)) for item in scene.objects)
    return replace(scene, objects=objects)


def with_known_targets(scene: Scene, referrals: Iterable[Referral]) -> Scene:
    """The scene with those sentences whose target it has: an object can lose all its points to the subsample."""
    known = {item.object_id for item in scene.objects}
    return replace(scene, referrals=tuple(referral for referral in referrals if referral.target_id in known))


class SentenceStates:
    """Token states of sentences, each computed once by the frozen text encoder."""

    def __init__(self, encoder: TextEncoder, vocabulary: ObjectVocabulary, rules: Rules) -> None:
        self._encoder, self._vocabulary = encoder, vocabulary
        self._rules: Rules = rules
        self._states: dict[str, Float[Tensor, "l d"]] = {}

    def fill(self, sentences: Iterable[str], *, batch: int = 64, progress: bool = True) -> None:
        """Encode sentences ahead of time."""
        from rich.progress import track

        missing = sorted({s for s in sentences if s not in self._states}, key=lambda s: (len(s), s))
        starts = range(0, len(missing), batch)
        for start in track(starts, "encoding sentences", disable=not progress or len(missing) < 4 * batch):
            chunk = missing[start : start + batch]
            prepared = [prepare_sentence(s, self._vocabulary, dataset=self._rules) for s in chunk]
            encoded = self._encoder.encode(prepared)
            for sentence, states, padding in zip(chunk, encoded.states, encoded.padding, strict=True):
                self._states[sentence] = states[~padding].clone()

    def save(self, path: Path) -> None:
        """Write all states, for another process or a later start."""
        sentences = list(self._states)
        rows = [self._states[sentence] for sentence in sentences]
        tensors = {"states": torch.cat(rows), "lengths": torch.tensor([len(row) for row in rows])}
        write_bytes(path, safetensors.torch.save(tensors, metadata={"sentences": json.dumps(sentences)}))

    def load(self, path: Path) -> None:
        """Take over what :meth:`save` wrote."""
        with safetensors.safe_open(path, "pt") as file:
            sentences = json.loads(file.metadata()["sentences"])
            rows = file.get_tensor("states").split(file.get_tensor("lengths").tolist())
        self._states.update(zip(sentences, rows, strict=True))

    def batch(self, sentences: Sequence[str]) -> TokenStates:
        """Padded states of some sentences."""
        self.fill(sentences, progress=False)
        return TokenStates.padded([self._states[sentence] for sentence in sentences])


@dataclass(frozen=True, eq=False)
class TrainBatch:
    """What one step learns from."""

    clouds: tuple[PointCloud, ...]
    categories: tuple[Int64[Tensor, "_"], ...]
    """Category of each point of each cloud, by its place in the list of names; -1 for none."""
    colors: tuple[Int64[Tensor, "_"], ...]
    """Colour name of the object of each point, by its place in the palette; -1 for points of no object."""
    scene_of_sentence: Int64[Tensor, "s"]
    sentences: tuple[str, ...]
    targets: tuple[SentenceTarget, ...]


def category_names(scenes: Iterable[Scene]) -> tuple[str, ...]:
    """The categories of all objects, sorted."""
    return tuple(sorted({item.category for scene in scenes for item in scene.objects}))


def draw_batch(
    scenes: Sequence[Scene],
    rng: Generator,
    *,
    names: Sequence[str] = (),
    sentences_per_scene: int,
    prompts_per_scene: int = 0,
    prompt_share: float = 0.0,
    names_per_prompt: int = 3,
    color_prompts_per_scene: int = 0,
    box_jitter: bool,
) -> TrainBatch:
    """Augment scenes and draw sentences about them.

    Sentences of one scene either all depend on the view or none does, because only then may the scene be mirrored and
    turned. A scene without sentences gets a detection prompt.

    Args:
        scenes: The scenes of this step.
        rng: Where the randomness comes from.
        names: Names of the categories, see :func:`category_names`; objects of others count as none.
        sentences_per_scene: At most; fewer where a scene has fewer.
        prompts_per_scene: Detection prompts beside them: names of categories, all of whose instances are meant.
        prompt_share: Chance that a scene gets one detection prompt instead of sentences.
        names_per_prompt: Categories in a prompt, at most.
        color_prompts_per_scene: Prompts that name a colour and perhaps a category.
        box_jitter: Multiply the six numbers of each target box by 0.95 to 1.05, as the published recipe does.
    """
    clouds, categories, colors, index, sentences, targets = [], [], [], [], [], []
    for number, scene in enumerate(scenes):
        prompted = not scene.referrals or (prompt_share > 0 and rng.random() < prompt_share)
        referrals = [] if prompted else _draw_referrals(scene.referrals, rng, sentences_per_scene)
        depends = bool(referrals) and is_view_dependent(referrals[0].sentence)
        cloud = augment(scene.cloud, rng, mirror_and_turn=not depends)
        clouds.append(cloud)
        categories.append(_point_categories(cloud, scene, names))
        colors.append(_object_colors(scene))
        ids = torch.tensor([item.object_id for item in scene.objects])
        boxes = instance_boxes(cloud, ids)
        row_of = {int(object_id): row for row, object_id in enumerate(ids)}
        drawn = [
            (r.sentence, [row_of[r.target_id]], [row_of[a] for a in r.anchor_ids[:1] if a in row_of]) for r in referrals
        ]
        drawn += [(*_draw_prompt(scene, rng, names_per_prompt), []) for _ in range(prompts_per_scene + prompted)]
        drawn += [(*_draw_color_prompt(scene, colors[-1], rng), []) for _ in range(color_prompts_per_scene)]
        for sentence, rows, anchors in drawn:
            jitter = torch.ones(2, len(rows), 3)
            if box_jitter:
                jitter = torch.from_numpy(rng.uniform(0.95, 1.05, jitter.shape).astype(np.float32))
            targets.append(
                SentenceTarget(
                    centers=boxes.centers[rows] * jitter[0],
                    sizes=boxes.sizes[rows] * jitter[1],
                    auxiliary=boxes.centers[anchors],
                    scene=boxes.centers,
                )
            )
            index.append(number)
            sentences.append(sentence)
    return TrainBatch(
        tuple(clouds), tuple(categories), tuple(colors), torch.tensor(index), tuple(sentences), tuple(targets)
    )


def _point_categories(cloud: PointCloud, scene: Scene, names: Sequence[str]) -> Int64[Tensor, "n"]:
    place = {name: number for number, name in enumerate(names)}
    of_instance = torch.full((max([-1, *(item.object_id for item in scene.objects)]) + 2,), -1)
    for item in scene.objects:
        of_instance[item.object_id] = place.get(item.category, -1)
    if cloud.instances is None:
        return torch.full((len(cloud.points),), -1)
    inside = (cloud.instances >= 0) & (cloud.instances < len(of_instance))
    return of_instance[torch.where(inside, cloud.instances, len(of_instance) - 1)]


def _object_colors(scene: Scene) -> Int64[Tensor, "n"]:
    """For each point the colour name of its object: the one that is told, else the one that most of its points have."""
    cloud = scene.cloud
    names = torch.full((len(cloud.points),), -1)
    if cloud.instances is None or cloud.colors is None:
        return names
    known = cloud.instances >= 0
    instances, n = cloud.instances[known], len(PALETTE)
    own = torch.from_numpy(nearest_names(cloud.colors[known].numpy()))
    votes = torch.bincount(instances * n + own, minlength=n * (int(instances.max()) + 1 if len(instances) else 0))
    of_instance = votes.view(-1, n).argmax(1)
    for item in scene.objects:
        if item.color in PALETTE and item.object_id < len(of_instance):
            of_instance[item.object_id] = list(PALETTE).index(item.color)
    names[known] = of_instance[instances]
    return names


def _draw_prompt(scene: Scene, rng: Generator, most: int) -> tuple[str, list[int]]:
    """Names of one to ``most`` of the scene's categories in any order, and the rows of all their instances."""
    categories = sorted({item.category for item in scene.objects})
    chosen = [categories[i] for i in rng.permutation(len(categories))[: int(rng.integers(1, most + 1))]]
    rows = [row for row, item in enumerate(scene.objects) if item.category in chosen]
    return " . ".join(chosen).replace("_", " "), rows


def _draw_color_prompt(scene: Scene, colors: Int64[Tensor, "n"], rng: Generator) -> tuple[str, list[int]]:
    """The colour of an object, alone or with its category, and the rows of all objects that fit."""
    assert scene.cloud.instances is not None
    known = scene.cloud.instances >= 0
    of_instance = torch.full(
        (max([-1, int(scene.cloud.instances.max()), *(o.object_id for o in scene.objects)]) + 1,), -1
    )
    of_instance[scene.cloud.instances[known]] = colors[known]
    names, color_of = list(PALETTE), [int(of_instance[item.object_id]) for item in scene.objects]
    seen = [row for row, color in enumerate(color_of) if color >= 0]
    if not seen:
        return _draw_prompt(scene, rng, 3)
    shown = seen[int(rng.integers(len(seen)))]
    category = scene.objects[shown].category
    any_category = rng.random() < 0.3
    rows = [
        r for r in seen if color_of[r] == color_of[shown] and (any_category or scene.objects[r].category == category)
    ]
    return f"{names[color_of[shown]]} {'object' if any_category else category}".replace("_", " "), rows


def _draw_referrals(referrals: Sequence[Referral], rng: Generator, count: int) -> list[Referral]:
    first = referrals[int(rng.integers(len(referrals)))]
    kind = is_view_dependent(first.sentence)
    others = [r for r in referrals if r is not first and is_view_dependent(r.sentence) == kind]
    order = rng.permutation(len(others))[: count - 1]
    return [first, *(others[i] for i in order)]
