"""``trisparse train grounding``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class TrainGrounding:
    """Train the grounding network on scenes in ScanNet's layout (real ones, or those of ``trisparse rooms``).

    The run can be stopped at any time: the same command goes on from its last checkpoint. Several processes share the work
    under ``torchrun --nproc-per-node N -m trisparse train grounding ...``.
    """

    data: Path
    """Folder with scans/<scene>/ and ScanRefer/ScanRefer_filtered_train.json."""
    preset: Literal["tsp3d", "small"] = "small"
    """Network and recipe: "tsp3d" as published (needs a GPU and the RoBERTa text encoder), "small" for a CPU."""
    validation: Path | None = None
    """Folder of the same layout with ScanRefer_filtered_val.json; watched while training, never learned from."""
    start_from: str | None = None
    """Bundled weights by name, or a .safetensors file, to begin with instead of random ones; the network must be the preset's.
    Phases of the recipe without sentences (words only) are then left out."""
    steps: int | None = None
    """Optimizer steps; the preset's by default."""
    scenes_per_step: int | None = None
    """Scenes in one step, all processes together; the preset's by default."""
    sentences_per_scene: int | None = None
    """Sentences about each scene of a step; the preset's by default."""
    learning_rate: float | None = None
    """Highest learning rate; the preset's by default."""
    seed: int = 0
    """Of everything random: weights, order, augmentation, sampling."""
    runs: Path = Path("runs")
    """Folder of results; this run's own is named at the end."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for the GPU where there is one."""
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    validate_every: int = 500
    """Steps between validations."""

    def run(self) -> None:
        from ...sparse3d.config import preset
        from ..distributed import run_stage_together
        from ..grounding import find_weights
        from ..runner import Machine
        from ..stages import train_grounding
        from ..store import Store
        from ..training import RECIPES
        from . import devices

        options = {
            "steps": self.steps,
            "scenes_per_step": self.scenes_per_step,
            "sentences_per_scene": self.sentences_per_scene,
            "learning_rate": self.learning_rate,
            "seed": self.seed,
        }
        recipe = replace(RECIPES[self.preset], **{name: value for name, value in options.items() if value is not None})
        if self.start_from is not None:
            recipe = recipe.continued()
        stage = train_grounding.TrainGrounding(
            data=self.data,
            network=preset(self.preset),
            recipe=recipe,
            start_from=None if self.start_from is None else find_weights(self.start_from),
            validation=self.validation,
            validate_every=self.validate_every,
            checkpoint_every=self.checkpoint_every,
        )
        folder = run_stage_together(stage, Store(self.runs), Machine(device=devices.choose(self.device)))
        print(f"weights, log and curves: {folder}")
