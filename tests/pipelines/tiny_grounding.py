"""A whole training of a very small network on made-up scenes, for tests that kill it or run it twice.

Usage: tiny_grounding.py FOLDER STEPS [SECONDS_A_STEP]
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.scannet import write_scannet_scene
from trisparse.data.readers.scanrefer import write_scanrefer
from trisparse.data.referral import Referral
from trisparse.data.scene import Scene
from trisparse.pipelines.distributed import run_stage_together
from trisparse.pipelines.runner import Machine
from trisparse.pipelines.stages import train_grounding
from trisparse.pipelines.store import Store
from trisparse.pipelines.training import RECIPES, Phase
from trisparse.sparse3d.config import preset
from trisparse.sparse3d.text import TokenStates

NETWORK = replace(
    preset("small"),
    stem_channels=8,
    stage_blocks=(1, 1, 1, 1),
    stage_channels=(8, 16, 16, 16),
    width=16,
    heads=2,
    dropout=0.1,
    text_width=12,
    completion_cap=60,
    train_completion_voxels=60,
    train_target_voxels=60,
    train_keep_scene=80,
    train_keep_target=(30, 60),
)


PHASES = (
    Phase(until=2, head=False, category_words=0.5),
    Phase(until=3, category_words=0.5),
    Phase(category_words=0.25, color_words=0.5, object_contrast=0.5, color_prompts_per_scene=2),
)


class HashedWords:
    """A text encoder without weights: every word is a fixed random vector."""

    name = "hashed"
    width = 12

    def encode(self, sentences: Sequence[str]) -> TokenStates:
        rows = [["<s>", *sentence.lower().split()] for sentence in sentences]
        longest = max(len(row) for row in rows)
        states = torch.zeros(len(rows), longest, self.width)
        padding = torch.ones(len(rows), longest, dtype=torch.bool)
        for number, row in enumerate(rows):
            for place, word in enumerate(row):
                seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
                states[number, place] = torch.from_numpy(np.random.default_rng(seed).normal(size=self.width)).float()
                padding[number, place] = False
        return TokenStates(states, padding)


def tiny_scene(number: int) -> Scene:
    """A floor with three boxes of different colours."""
    rng = np.random.default_rng(number)
    parts = [(rng.uniform(-1.5, 1.5, (600, 3)) * [1, 1, 0], (0.5, 0.5, 0.5), -1)]
    for i in range(3):
        center = np.array([i - 1.0, rng.uniform(-1, 1), 0.3])
        parts.append((center + rng.uniform(-0.3, 0.3, (200, 3)), tuple(np.eye(3)[i]), i))
    points = torch.from_numpy(np.concatenate([p for p, _, _ in parts])).float()
    colors = torch.from_numpy(np.concatenate([np.tile(c, (len(p), 1)) for p, c, _ in parts])).float()
    instances = torch.from_numpy(np.concatenate([np.full(len(p), i) for p, _, i in parts]))
    scene_id = f"scene{number:04d}_00"
    words = ("red", "green", "blue")
    referrals = tuple(
        Referral(scene_id, f"the {word} box", i, "box", (), ("multiple",)) for i, word in enumerate(words)
    )
    return Scene(scene_id, PointCloud(points, colors, instances), (), referrals)


def write_tiny_scenes(folder: Path) -> Path:
    """Three training scenes and one to validate on, in ScanNet's layout, once."""
    root = folder / "data"
    if not (root / "ScanRefer").is_dir():
        from trisparse.data.scene import SceneObject

        for split, numbers in (("train", range(3)), ("val", range(3, 4))):
            referrals: list[Referral] = []
            for number in numbers:
                scene = tiny_scene(number)
                objects = tuple(SceneObject(i, "box", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)) for i in range(3))
                write_scannet_scene(root / "scans", replace(scene, objects=objects))
                referrals += scene.referrals
            write_scanrefer(root / "ScanRefer" / f"ScanRefer_filtered_{split}.json", referrals)
    return root


def train(folder: Path, steps: int, pause: float = 0.0) -> Path:
    """Train and return the artifact's folder."""
    root = write_tiny_scenes(folder)
    train_grounding.load_text_encoder = lambda *_, **__: HashedWords()  # type: ignore[assignment]
    recipe = replace(
        RECIPES["small"], steps=steps, phases=PHASES, scenes_per_step=2, sentences_per_scene=2, warmup_steps=2
    )
    stage = train_grounding.TrainGrounding(
        data=root, network=NETWORK, recipe=recipe, validation=root, validate_every=5, checkpoint_every=2
    )
    if pause:
        run_steps = train_grounding.run_steps

        def slowly(*args, after_step, **kwargs):  # type: ignore[no-untyped-def]
            def pausing(state, values):  # type: ignore[no-untyped-def]
                after_step(state, values)
                time.sleep(pause)

            run_steps(*args, after_step=pausing, **kwargs)

        train_grounding.run_steps = slowly
    return run_stage_together(stage, Store(folder / "runs"), Machine())


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    print(train(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.0))
