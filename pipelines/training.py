"""The training loop of the grounding network: resumable, replayable, one log line a step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ..core.random import derive_seed, numpy_rng
from ..data.scene import Scene
from ..sparse3d.criterion import GroundingLoss, SentenceTarget, grounding_loss
from ..sparse3d.grounder import EncodedScene, Grounder
from ..sparse3d.head import TrainSampling
from .distributed import ProcessGroup
from .grounding_data import SentenceStates, TrainBatch, draw_batch


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the defaults are those of the published ScanRefer model."""

    steps: int = 65_000
    """Optimizer steps."""
    scenes_per_step: int = 28
    """Scenes in one step, all processes together."""
    sentences_per_scene: int = 1
    """Sentences about each of them; they share one run of the backbone."""
    prompts_per_scene: int = 0
    """Detection prompts beside them: names of one to three categories, all of whose instances are to be found. (The published
    training lists each scene ten times with a prompt of up to ten categories beside its sentences.)"""
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
    average_decay: float = 0.0
    """Decay of the running average of the weights that is evaluated and kept; 0 keeps the weights themselves."""
    seed: int = 0


RECIPES: dict[str, Recipe] = {
    "tsp3d": Recipe(),
    "small": Recipe(
        steps=900,
        scenes_per_step=2,
        sentences_per_scene=9,
        prompts_per_scene=3,
        learning_rate=1.5e-3,
        weight_decay=1e-2,
        schedule="cosine",
        warmup_steps=100,
        gradient_clip=1.0,
        box_jitter=False,
        average_decay=0.995,
    ),
}
"""One recipe a preset."""


def learning_rate(recipe: Recipe, step: int) -> float:
    """Rate of one step: linear warm-up, then milestones or half a cosine."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = step / recipe.steps
    if recipe.schedule == "cosine":
        return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    return recipe.learning_rate * 0.1 ** sum(done >= milestone for milestone in recipe.milestones)


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
        optimizer = torch.optim.AdamW(
            grounder.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, foreach=True
        )
        return cls(grounder, optimizer, WeightAverage(grounder, recipe.average_decay))


def scenes_of_step(scenes: Sequence[Scene], recipe: Recipe, step: int) -> list[Scene]:
    """Which scenes a step sees: epoch after epoch, each in its own order, the same however often training was resumed."""
    picked = []
    for position in range(step * recipe.scenes_per_step, (step + 1) * recipe.scenes_per_step):
        epoch, place = divmod(position, len(scenes))
        order = numpy_rng(recipe.seed, "epoch", epoch).permutation(len(scenes))
        picked.append(scenes[order[place]])
    return picked


def train_step(
    state: TrainState, scenes: Sequence[Scene], states: SentenceStates, recipe: Recipe, group: ProcessGroup
) -> dict[str, float]:
    """One step: draw, augment, forward, backward, update.

    Returns:
        Losses, gradient norm and seconds, for the log.
    """
    started = time.perf_counter()
    own = scenes_of_step(scenes, recipe, state.step)[group.rank :: group.size]
    rng = numpy_rng(recipe.seed, "step", state.step, group.rank)
    batch = draw_batch(
        own,
        rng,
        sentences_per_scene=recipe.sentences_per_scene,
        prompts_per_scene=recipe.prompts_per_scene,
        box_jitter=recipe.box_jitter,
    )
    for parameters in state.optimizer.param_groups:
        parameters["lr"] = learning_rate(recipe, state.step)
    state.optimizer.zero_grad(set_to_none=True)
    state.grounder.train()
    seed = derive_seed(recipe.seed, "sample", state.step, group.rank) >> 24
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(recipe.seed, "dropout", state.step, group.rank))
        loss = _loss(state.grounder, batch, states, seed)
        loss.total.backward()
    group.average_gradients(state.grounder)
    norm = nn.utils.clip_grad_norm_(state.grounder.parameters(), recipe.gradient_clip)
    state.optimizer.step()
    group.average_buffers(state.grounder)
    state.average.update(state.grounder, state.step)
    state.step += 1
    return {
        "step": state.step,
        **loss.values(),
        "gradient_norm": float(norm),
        "learning_rate": learning_rate(recipe, state.step - 1),
        "seconds": time.perf_counter() - started,
    }


def _loss(grounder: Grounder, batch: TrainBatch, states: SentenceStates, seed: int) -> GroundingLoss:
    device = next(grounder.parameters()).device
    points = [cloud.points.to(device) for cloud in batch.clouds]
    colors = [_colors(cloud.points, cloud.colors).to(device) for cloud in batch.clouds]
    encoded = grounder.encode_scenes(list(zip(points, colors, strict=True)))
    repeated: EncodedScene = encoded.for_sentences(batch.scene_of_sentence.to(device))
    targets = [
        SentenceTarget(*(part.to(device) for part in (t.centers, t.sizes, t.auxiliary, t.scene))) for t in batch.targets
    ]
    sampling = TrainSampling(seed, [target.scene for target in targets])
    output = grounder(repeated, states.batch(batch.sentences).to(device), sampling=sampling)
    return grounding_loss(output, targets, grounder.config)


def _colors(points: Tensor, colors: Tensor | None) -> Tensor:
    return torch.full_like(points, 0.5) if colors is None else colors


def run_steps(
    state: TrainState,
    scenes: Sequence[Scene],
    states: SentenceStates,
    recipe: Recipe,
    group: ProcessGroup,
    *,
    after_step: Callable[[TrainState, dict[str, float]], None],
) -> None:
    """Train from where ``state`` stands to the recipe's last step, calling ``after_step`` after each."""
    while state.step < recipe.steps:
        after_step(state, train_step(state, scenes, states, recipe, group))
