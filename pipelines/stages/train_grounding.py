"""The stage that trains the grounding network: resumable, one log line a step, validated on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch

from ...core.errors import InvalidInput
from ...core.random import derive_seed, numpy_rng
from ...core.threads import deterministic
from ...data.scene import Scene
from ...sparse3d.checkpoint import load_grounder_network, save_weights
from ...sparse3d.config import GrounderConfig
from ...sparse3d.grounder import Grounder
from ...sparse3d.metrics import clustered_mean
from ...sparse3d.text import load_text_encoder
from ...sparse3d.vocabulary import default_vocabulary
from ..checkpoint import load_checkpoint, remove_checkpoints, save_checkpoint
from ..distributed import ProcessGroup, process_group
from ..evaluation import evaluate_scene
from ..grounding_data import SentenceStates, category_names, load_scenes
from ..stage import AbstractStage, StageContext
from ..step_bar import StepBar
from ..step_log import StepLog
from ..training import Recipe, TrainState, run_steps
from ..training_plot import plot_training

CHECKPOINTS = "checkpoints"
SENTENCE_STATES = "sentence_states.safetensors"


@dataclass(frozen=True)
class TrainGrounding(AbstractStage):
    """Train the grounding network on scenes in ScanNet's layout with ScanRefer sentences.

    Writes ``weights.safetensors`` (the averaged weights in float16, with the network's settings), ``log.jsonl`` (losses of each
    step), ``validation.jsonl`` and ``curves.png``. Seconds go to the run's own log.
    """

    version: ClassVar[int] = 1
    data: Path
    """Folder with scans/ and ScanRefer/."""
    network: GrounderConfig
    recipe: Recipe
    validation: Path | None = None
    """Folder of the same layout with the scenes to validate on (its split "val"); none by default."""
    start_from: Path | None = None
    """Weights of the same network to begin with; random ones by default."""
    validate_every: int = 500
    """Steps between validations."""
    validation_sentences: int = 96
    """Sentences in each of them."""
    checkpoint_every: int = field(default=100, metadata={"key": False})
    """Steps between checkpoints; does not change the result."""

    def run(self, ctx: StageContext) -> None:
        with process_group() as group, deterministic():
            self._train(ctx, group)

    def _train(self, ctx: StageContext, group: ProcessGroup) -> None:
        scenes = load_scenes(self.data, "train", progress=group.is_first)
        held_back = self._validation_scenes(group)
        encoder = load_text_encoder(self.network.text_encoder, device=str(ctx.device))
        states = SentenceStates(encoder, default_vocabulary(), self.network.text_rules)
        sentences = {r.sentence for scene in (*scenes, *held_back) for r in scene.referrals}
        self._fill_once(ctx.folder / SENTENCE_STATES, states, sentences, group)
        names = category_names(scenes)

        state = self._start(ctx)
        log, validation_log = StepLog(ctx.folder / "log.jsonl"), StepLog(ctx.folder / "validation.jsonl")
        if group.is_first:
            log.rewind(state.step)
            validation_log.rewind(state.step)
        group.wait()
        with StepBar("training", self.recipe.steps, state.step, enabled=group.is_first) as bar:

            def after_step(state: TrainState, values: dict[str, float]) -> None:
                bar.advance(state.step, f"loss {values['loss']:.3f}")
                if not group.is_first:
                    return
                seconds = values.pop("seconds")
                log.append(int(values.pop("step")), **{name: round(v, 6) for name, v in values.items()})
                last = state.step == self.recipe.steps
                head_learns = self.recipe.phase(state.step - 1).head
                if held_back and head_learns and (state.step % self.validate_every == 0 or last):
                    validation_log.append(state.step, **self._validate(state, held_back, states))
                if state.step % self.checkpoint_every == 0 or last:
                    save_checkpoint(ctx.folder / CHECKPOINTS, state.step, _tree(state))
                    ctx.log.write("checkpoint", step=state.step, seconds_per_step=seconds)

            run_steps(state, scenes, names, states, self.recipe, group, after_step=after_step)
        if group.is_first:
            self._finish(ctx, state)
        group.wait()

    def _validation_scenes(self, group: ProcessGroup) -> tuple[Scene, ...]:
        if self.validation is None:
            return ()
        return load_scenes(self.validation, "val", progress=group.is_first)

    @staticmethod
    def _fill_once(path: Path, states: SentenceStates, sentences: set[str], group: ProcessGroup) -> None:
        """The first process runs the text encoder, and only at the first start."""
        if group.is_first:
            if path.is_file():
                states.load(path)
            states.fill(sentences)
            states.save(path)
        group.wait()
        if not group.is_first:
            states.load(path)

    def _start(self, ctx: StageContext) -> TrainState:
        """A new network, or the one of the last checkpoint."""
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(self.recipe.seed, "weights"))
            grounder = Grounder(self.network)
        if self.start_from is not None:
            known = load_grounder_network(self.start_from)
            if known.config != self.network:
                raise InvalidInput(
                    f"{self.start_from} holds a network with other settings than the one to train; start from weights of the "
                    "same preset, or from none"
                )
            grounder.load_state_dict(known.state_dict())
        state = TrainState.start(grounder.to(ctx.device), self.recipe)
        checkpoint = load_checkpoint(ctx.folder / CHECKPOINTS)
        if checkpoint is not None:
            saved: dict[str, Any] = checkpoint.state
            state.grounder.load_state_dict(saved["network"])
            state.optimizer.load_state_dict(saved["optimizer"])
            state.average.tensors = {name: tensor.to(ctx.device) for name, tensor in saved["average"].items()}
            state.step = checkpoint.step
        return state

    def _validate(self, state: TrainState, scenes: Sequence[Scene], states: SentenceStates) -> dict[str, float]:
        """Accuracy of the averaged weights on a fixed choice of sentences."""
        grounder = averaged(state)
        results = []
        for scene in scenes:
            order = numpy_rng(self.recipe.seed, "validation", scene.scene_id).permutation(len(scene.referrals))
            count = max(1, self.validation_sentences // len(scenes))
            chosen = tuple(scene.referrals[i] for i in order[:count])
            results += evaluate_scene(grounder, states, Scene(scene.scene_id, scene.cloud, scene.objects, chosen))
        rows: dict[str, float] = {"sentences": len(results)}
        for name, kept in (("unique", True), ("multiple", False)):
            part = [r for r in results if (r.distractors == 0) == kept]
            for threshold in (0.25, 0.5):
                rate = clustered_mean([r.hit(threshold) for r in part], [r.scene_id for r in part])
                rows[f"{name}@{threshold}"] = round(rate.value, 4) if part else 0.0
        return rows

    def _finish(self, ctx: StageContext, state: TrainState) -> None:
        about = {"network": self.network.to_dict(), "recipe": asdict(self.recipe)}
        save_weights(ctx.folder / "weights.safetensors", state.average.tensors, about, dtype=torch.float16)
        plot_training(ctx.folder)
        remove_checkpoints(ctx.folder / CHECKPOINTS)
        (ctx.folder / SENTENCE_STATES).unlink()


def averaged(state: TrainState) -> Grounder:
    """A copy of the network with the averaged weights, in evaluation mode."""
    with torch.random.fork_rng():
        grounder = Grounder(state.grounder.config)
    grounder.load_state_dict(state.average.tensors)
    return grounder.to(next(state.grounder.parameters()).device).eval()


def _tree(state: TrainState) -> dict[str, Any]:
    return {
        "network": state.grounder.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "average": state.average.tensors,
    }
