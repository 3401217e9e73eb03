"""The training loop of the grounding network: resumable, replayable, one log line a step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from ..core.random import derive_seed, numpy_rng
from ..data.rooms.colors import PALETTE
from ..data.scene import Scene
from ..sparse3d.criterion import SentenceTarget, grounding_loss
from ..sparse3d.grounder import EncodedScene, Grounder
from ..sparse3d.head import HeadOutput, TrainSampling
from ..sparse3d.object_contrast import object_contrast
from ..sparse3d.word_alignment import alignment_loss, rows_of_points, voxel_labels
from .distributed import ProcessGroup
from .grounding_data import SentenceStates, TrainBatch, draw_batch


@dataclass(frozen=True)
class Phase:
    """A stretch of a training in which the same losses count. The published training is one phase without extra losses.

    The optimizer's moments begin anew with each phase: those of a phase with large gradients would choke the next.
    """

    until: int | None = None
    """Step at which the phase ends; None for the last one."""
    prompts_per_scene: int = 0
    """Detection prompts beside the sentences: names of some categories, all of whose instances are to be found."""
    prompt_share: float = 0.0
    """Chance that a scene is asked by one such prompt instead of sentences. (The published training lists each of 1,201 scenes
    ten times with a prompt among its 36,665 sentences: a quarter.)"""
    names_per_prompt: int = 3
    """Categories in a prompt, at most; 10 as published."""
    head: bool = True
    """Ask sentences. Without, only backbone and text projection learn, by the word alignment."""
    color_prompts_per_scene: int = 0
    """Prompts that name a colour, or a colour and a category ("black chair"); all objects that fit are to be found (ours)."""
    rate: float = 1.0
    """Multiplies the learning rate."""
    category_words: float = 0.0
    """Weight of the loss by which backbone features resemble the words for what is there (ours)."""
    color_words: float = 0.0
    """Likewise for the words for the objects' colours (ours)."""
    object_contrast: float = 0.0
    """Weight of the loss by which the target scores higher than the scene's other objects (ours)."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the defaults are those of the published ScanRefer model."""

    steps: int = 65_000
    """Optimizer steps."""
    scenes_per_step: int = 28
    """Scenes in one step, all processes together."""
    sentences_per_scene: int = 1
    """Sentences about each of them; they share one run of the backbone."""
    learning_rate: float = 5e-4
    weight_decay: float = 5e-4
    schedule: Literal["milestones", "cosine"] = "milestones"
    milestones: tuple[float, ...] = (0.51, 0.76)
    """Shares of the steps after which the rate drops to a tenth."""
    warmup_steps: int = 0
    gradient_clip: float = 0.1
    """Largest norm of the whole gradient."""
    box_jitter: bool = True
    """Multiply the six numbers of each target box by 0.95 to 1.05, as published (the centre too, which is label noise)."""
    phases: tuple[Phase, ...] = (Phase(),)
    """One after the other."""
    average_decay: float = 0.0
    """Decay of the running average of the weights that is evaluated and kept; 0 keeps the weights themselves."""
    seed: int = 0

    def continued(self) -> Recipe:
        """For a network that has learned before: without the phases that ask no sentences."""
        return replace(self, phases=tuple(replace(p, until=None) for p in self.phases if p.head)[-1:])

    def phase(self, step: int) -> Phase:
        """The phase that a step belongs to."""
        return next(phase for phase in self.phases if phase.until is None or step < phase.until)

    def phase_start(self, step: int) -> int:
        """The first step of that phase."""
        return max((phase.until for phase in self.phases if phase.until is not None and phase.until <= step), default=0)


RECIPES: dict[str, Recipe] = {
    "tsp3d": Recipe(phases=(Phase(prompt_share=0.25, names_per_prompt=10),)),
    "small": Recipe(
        steps=3600,
        scenes_per_step=4,
        sentences_per_scene=6,
        learning_rate=1.2e-3,
        weight_decay=1e-2,
        schedule="cosine",
        warmup_steps=50,
        gradient_clip=1.0,
        box_jitter=False,
        phases=(
            Phase(until=700, rate=3.3, head=False, category_words=0.5, color_words=0.5),
            Phase(
                rate=1.7,
                prompts_per_scene=1,
                color_prompts_per_scene=3,
                category_words=0.25,
                color_words=0.5,
                object_contrast=1.0,
            ),
        ),
        average_decay=0.998,
    ),
}
"""One recipe a preset."""


def learning_rate(recipe: Recipe, step: int) -> float:
    """Rate of one step: milestones or half a cosine, with a linear warm-up at the start of each phase."""
    done = step / recipe.steps
    warm = min(1.0, (step - recipe.phase_start(step) + 1) / max(recipe.warmup_steps, 1))
    rate = recipe.learning_rate * recipe.phase(step).rate * warm
    if recipe.schedule == "cosine":
        return rate * 0.5 * (1 + math.cos(math.pi * done))
    return rate * 0.1 ** sum(done >= milestone for milestone in recipe.milestones)


class WeightAverage:
    """Running average of a network's parameters and statistics (Polyak and Juditsky, 1992)."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors: dict[str, Tensor] = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards the network; faster in the first steps, in which it still knows nothing."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.tensors[name].lerp_(value, 1 - decay)
            else:
                self.tensors[name].copy_(value)


@dataclass(eq=False)
class TrainState:
    """All that training changes; a checkpoint of it and the step number is enough to go on."""

    grounder: Grounder
    optimizer: torch.optim.Optimizer
    average: WeightAverage
    step: int = 0

    @classmethod
    def start(cls, grounder: Grounder, recipe: Recipe) -> TrainState:
        """Before the first step."""
        return cls(grounder, _optimizer(grounder, recipe), WeightAverage(grounder, recipe.average_decay))


def _optimizer(grounder: Grounder, recipe: Recipe) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        grounder.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, foreach=True
    )


def scenes_of_step(scenes: Sequence[Scene], recipe: Recipe, step: int) -> list[Scene]:
    """Which scenes a step sees: epoch after epoch, each in its own order, the same however often training was resumed."""
    picked = []
    for position in range(step * recipe.scenes_per_step, (step + 1) * recipe.scenes_per_step):
        epoch, place = divmod(position, len(scenes))
        order = numpy_rng(recipe.seed, "epoch", epoch).permutation(len(scenes))
        picked.append(scenes[order[place]])
    return picked


def train_step(
    state: TrainState,
    scenes: Sequence[Scene],
    names: Sequence[str],
    states: SentenceStates,
    recipe: Recipe,
    group: ProcessGroup,
) -> dict[str, float]:
    """One step: draw, augment, forward, backward, update.

    Returns:
        Losses, gradient norm and seconds, for the log.
    """
    started = time.perf_counter()
    phase = recipe.phase(state.step)
    if state.step and state.step == recipe.phase_start(state.step):
        state.optimizer = _optimizer(state.grounder, recipe)
    own = scenes_of_step(scenes, recipe, state.step)[group.rank :: group.size]
    rng = numpy_rng(recipe.seed, "step", state.step, group.rank)
    batch = draw_batch(
        own,
        rng,
        names=names,
        sentences_per_scene=recipe.sentences_per_scene,
        prompts_per_scene=phase.prompts_per_scene,
        prompt_share=phase.prompt_share,
        names_per_prompt=phase.names_per_prompt,
        color_prompts_per_scene=phase.color_prompts_per_scene,
        box_jitter=recipe.box_jitter,
    )
    for parameters in state.optimizer.param_groups:
        parameters["lr"] = learning_rate(recipe, state.step)
    state.optimizer.zero_grad(set_to_none=True)
    state.grounder.train()
    seed = derive_seed(recipe.seed, "sample", state.step, group.rank) >> 24
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(recipe.seed, "dropout", state.step, group.rank))
        scans = _scans(state.grounder, batch)
        encoded = state.grounder.encode_scenes(scans)
        words = _Words(state.grounder, encoded, scans, batch, states)
        parts: dict[str, tuple[float, Tensor]] = {}
        if phase.category_words:
            parts["category_words"] = (phase.category_words, words.categories(names))
        if phase.color_words:
            parts["color_words"] = (phase.color_words, words.colors())
        if phase.head:
            output, targets = _answers(state.grounder, encoded, batch, states, seed)
            grounding = grounding_loss(output, targets, state.grounder.config)
            parts |= {name: (1.0, value) for name, value in grounding.parts().items()}
            if phase.object_contrast:
                contrast = object_contrast(output, targets, state.grounder.config)
                parts["object_contrast"] = (phase.object_contrast, contrast)
        loss = torch.stack([weight * value for weight, value in parts.values()]).sum()
        loss.backward()
    group.average_gradients(state.grounder)
    norm = nn.utils.clip_grad_norm_(state.grounder.parameters(), recipe.gradient_clip)
    state.optimizer.step()
    group.average_buffers(state.grounder)
    state.average.update(state.grounder, state.step)
    state.step += 1
    return {
        "step": state.step,
        "loss": float(loss.detach()),
        **{name: float(value.detach()) for name, (_, value) in parts.items()},
        "gradient_norm": float(norm),
        "learning_rate": learning_rate(recipe, state.step - 1),
        "seconds": time.perf_counter() - started,
    }


def _scans(grounder: Grounder, batch: TrainBatch) -> list[tuple[Tensor, Tensor]]:
    device = next(grounder.parameters()).device
    return [(cloud.points.to(device), _colors(cloud.points, cloud.colors).to(device)) for cloud in batch.clouds]


def _answers(
    grounder: Grounder, encoded: EncodedScene, batch: TrainBatch, states: SentenceStates, seed: int
) -> tuple[HeadOutput, list[SentenceTarget]]:
    device = encoded.origin.device
    repeated = encoded.for_sentences(batch.scene_of_sentence.to(device))
    targets = [
        SentenceTarget(*(part.to(device) for part in (t.centers, t.sizes, t.auxiliary, t.scene))) for t in batch.targets
    ]
    sampling = TrainSampling(seed, [target.scene for target in targets])
    return grounder(repeated, states.batch(batch.sentences).to(device), sampling=sampling), targets


@dataclass(frozen=True, eq=False)
class _Words:
    """How little the backbone's features resemble the words for what is there."""

    grounder: Grounder
    encoded: EncodedScene
    scans: Sequence[tuple[Tensor, Tensor]]
    batch: TrainBatch
    states: SentenceStates

    def categories(self, names: Sequence[str]) -> Tensor:
        phrases = [name.replace("_", " ") for name in names]
        return self._loss(phrases, slice(1, None), self.batch.categories, with_nothing=True)

    def colors(self) -> Tensor:
        phrases = [f"{name} object" for name in PALETTE]
        return self._loss(phrases, slice(1, 2), self.batch.colors, with_nothing=False)

    def _loss(self, phrases: Sequence[str], tokens: slice, labels: Sequence[Tensor], *, with_nothing: bool) -> Tensor:
        """Of all phrases the mean of the given tokens; the first one stands for the whole phrase and is left out."""
        device = self.encoded.origin.device
        if not phrases:
            return self.encoded.origin.new_zeros(())
        words = self.states.batch(phrases).to(device)
        present = (~words.padding[:, tokens, None]).to(words.states.dtype)
        projected = (self.grounder.text_projector(words.states[:, tokens]) * present).sum(1) / present.sum(1)
        of_points = torch.cat(list(labels)).to(device)
        of_voxels = [
            voxel_labels(rows, of_points, n_voxels=len(level.grid), n_labels=len(phrases))
            for rows, level in zip(self._rows, self.encoded.levels, strict=True)
        ]
        return alignment_loss(self.encoded.levels, of_voxels, projected, with_nothing=with_nothing)

    @cached_property
    def _rows(self) -> list[Int64[Tensor, "n"]]:
        """For each level the voxel of each point."""
        points = torch.cat([points for points, _ in self.scans])
        scene = torch.repeat_interleave(torch.tensor([len(points) for points, _ in self.scans], device=points.device))
        size = self.grounder.config.voxel_size
        return [rows_of_points(level.grid, points, scene, voxel_size=size) for level in self.encoded.levels]


def _colors(points: Tensor, colors: Tensor | None) -> Tensor:
    return torch.full_like(points, 0.5) if colors is None else colors


def run_steps(
    state: TrainState,
    scenes: Sequence[Scene],
    names: Sequence[str],
    states: SentenceStates,
    recipe: Recipe,
    group: ProcessGroup,
    *,
    after_step: Callable[[TrainState, dict[str, float]], None],
) -> None:
    """Train from where ``state`` stands to the recipe's last step, calling ``after_step`` after each."""
    while state.step < recipe.steps:
        after_step(state, train_step(state, scenes, names, states, recipe, group))
