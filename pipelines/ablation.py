"""The same weights without pruning, without completion, without both (table 4 of TSP3D asks the same of trained variants).

The published ablation trains each variant; here one network is asked with a part switched off, so the figures say what the part
does in it, not what another training could make up for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, median

import torch

from ..data.boxes import iou_axis_aligned
from ..data.scene import Scene
from ..sparse3d.config import GrounderConfig
from ..sparse3d.grounder import Grounder
from ..sparse3d.metrics import Rate, clustered_mean
from ..sparse3d.text import TokenStates
from .grounding_data import SentenceStates

_NO_PRUNING = {"scene_keep_threshold": -1.0, "target_keep_threshold": -1.0}
_NO_COMPLETION = {"completion_threshold": 2.0, "completion_cap": 1}
VARIANTS: Mapping[str, Mapping[str, float]] = {
    "pruning and completion": {},
    "no completion": _NO_COMPLETION,
    "no pruning": _NO_PRUNING,
    "neither": {**_NO_PRUNING, **_NO_COMPLETION},
}
"""Settings of the network that differ."""


@dataclass(frozen=True)
class Asked:
    """One sentence's IoU, the voxels that gave a box, and the milliseconds after the backbone."""

    scene_id: str
    iou: float
    voxels: int
    milliseconds: float


@dataclass(frozen=True)
class AblationRow:
    """One variant."""

    name: str
    accuracy: tuple[Rate, Rate]
    """IoU over 0.25 and 0.5."""
    voxels: float
    """Mean number of voxels that gave a box."""
    milliseconds: float
    """Median time of a sentence after the backbone."""


def variant_of(grounder: Grounder, name: str) -> Grounder:
    """The same weights under other settings."""
    config: GrounderConfig = replace(grounder.config, **VARIANTS[name])
    with torch.random.fork_rng():
        other = Grounder(config)
    other.load_state_dict(grounder.state_dict())
    return other.to(next(grounder.parameters()).device).eval()


def ask_variant(grounder: Grounder, states: SentenceStates, scene: Scene) -> list[Asked]:
    """All sentences of a scene."""
    colors = torch.full_like(scene.cloud.points, 0.5) if scene.cloud.colors is None else scene.cloud.colors
    asked = []
    with torch.no_grad():
        encoded = grounder.encode_scene(scene.cloud.points.float(), colors.float())
        for referral in scene.referrals:
            text = states.batch([referral.sentence])
            started = time.perf_counter()
            output = grounder(encoded, TokenStates(text.states, text.padding))
            best = int(output.score_logits.argmax())
            spent = 1000 * (time.perf_counter() - started)
            target = scene.object(referral.target_id)
            iou = iou_axis_aligned(
                (output.centers[[best]] + encoded.origin[0]).double(),
                output.sizes[[best]].double(),
                torch.tensor([target.center]).double(),
                torch.tensor([target.size]).double(),
            )
            asked.append(Asked(scene.scene_id, float(iou[0]), len(output.grid), spent))
    return asked


def ablation_row(name: str, asked: Sequence[Asked]) -> AblationRow:
    """A variant's figures."""
    scenes = [a.scene_id for a in asked]
    at = [clustered_mean([float(a.iou > threshold) for a in asked], scenes) for threshold in (0.25, 0.5)]
    return AblationRow(
        name, (at[0], at[1]), float(mean(a.voxels for a in asked)), median(a.milliseconds for a in asked)
    )
