"""Every size of the grounding network, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..core.errors import InvalidInput
from .text_normalize import Rules


@dataclass(frozen=True)
class GrounderConfig:
    """Sizes, thresholds and sampling limits of the TSP3D network (Guo et al., CVPR 2025).

    The defaults are the published network. Voxel levels are named by their place: "scene" is the coarsest (64 cm with 1 cm
    voxels), then "target" (32 cm), then "fine" (16 cm), on which the answer is found.
    """

    voxel_size: float = 0.01
    """Edge of an input voxel (m)."""
    stem_channels: int = 64
    stem_pool: bool = True
    """Halve the resolution once more after the first convolution, as the published network does."""
    stage_blocks: tuple[int, ...] = (3, 4, 6, 3)
    """Residual blocks of each backbone stage; each stage halves the resolution, the last three feed the head."""
    stage_channels: tuple[int, ...] = (64, 128, 128, 128)
    shortcut_size: int = 1
    """Taps an axis of the convolutions beside the residual path where the resolution changes. The published 1 reads only the
    voxel that lies exactly at the coarse voxel's corner, often none; 2 reads all eight in it."""
    width: int = 128
    """Channels of the head; those of the last three stages must equal it."""
    heads: int = 8
    """Attention heads."""
    fusion_layers: int = 2
    """Layers of each text-voxel transformer."""
    aligned_attention: bool = False
    """Begin with voxels and words that attend to what resembles them: the query and key projections of the attention between
    the two start as the identity instead of at random. Changes nothing but the initial weights."""
    dropout: float = 0.1
    text_encoder: str = "roberta"
    """Name of the frozen text encoder: "roberta" or "minilm"."""
    text_width: int = 768
    """Channels of its token states."""
    text_rules: Rules = "scanrefer"
    """Text normalisation that the network was trained with."""
    center_input: bool = False
    """Move the middle of the scan's extents to x = y = 0 before the network sees it."""
    color_scale: float = 255 / 256
    """Colours in 0..1 are multiplied by this, then the mean is taken off."""
    color_mean: tuple[float, float, float] = (109.8 / 256, 97.2 / 256, 83.8 / 256)

    scene_keep_threshold: float = 0.7
    """Scene level: voxels with a greater keep probability survive (sigma_sce of the paper)."""
    target_keep_threshold: float = 0.3
    """Target level, likewise (sigma_tar)."""
    completion_threshold: float = 0.15
    """Completion adds voxels whose target probability is greater (tau)."""
    completion_cap: int | None = 2400
    """Candidates of the completion a scene; None takes all."""
    upsample_occupied_only: bool = False
    """Up-sample only onto voxels that the backbone has at the finer level. The published network generates all that the
    kernel reaches, of which two thirds are empty air."""
    fallback_voxels: int = 8
    """Voxels a scene that survive where the threshold would leave none."""

    train_scene_voxels: int = 320
    """Training: voxels a scene that the scene-level transformer sees."""
    train_target_voxels: int = 3200
    """Training: voxels a scene that the target-level transformer sees."""
    train_keep_scene: int = 4000
    """Training: voxels a scene kept after the first pruning."""
    train_keep_target: tuple[int, int] = (1200, 4000)
    """Training: voxels a scene kept after the second pruning, drawn anew from [low, high) in each step."""
    train_upsample_kept_only: bool = False
    """Training: compute up-sampled features only where voxels are kept. The published code computes all of them and drops
    most, which differs in the statistics of one batch norm and takes many times as long."""
    train_focus_reach: float | None = None
    """Training: voxels within this cube (half its edge, m) around any object's centre always stay in the samples, so that
    boxes and scores are learned before pruning is. (Around the target alone they would give it away.) None as published."""
    train_completion_voxels: int | None = None
    """Training: random completion candidates a scene; ``completion_cap`` where None."""
    scene_keep_reach: float = 1.04
    """Half the edge (m) of the cube around a box's centre in which scene-level voxels should be kept."""
    target_keep_reach: float = 0.52
    """Likewise at the target level."""
    positives_per_box: int = 32
    """Voxels that learn one box."""
    prior_probability: float | None = None
    """Initial probability of the score and completion classifiers; None leaves their biases as the published code does."""

    def __post_init__(self) -> None:
        if len(self.stage_blocks) != len(self.stage_channels) or len(self.stage_blocks) < 3:
            raise InvalidInput(
                f"stage_blocks {self.stage_blocks} and stage_channels {self.stage_channels} must have one length of 3 or more"
            )
        if set(self.stage_channels[-3:]) != {self.width}:
            raise InvalidInput(
                f"the last three stages feed the head: their channels {self.stage_channels[-3:]} must all be its width, "
                f"{self.width}"
            )
        if self.width % self.heads:
            raise InvalidInput(f"width {self.width} cannot be divided among {self.heads} attention heads")

    @property
    def fine_stride(self) -> int:
        """Stride of the fine level in input voxels."""
        return 2 ** (len(self.stage_blocks) - 1 + self.stem_pool)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GrounderConfig:
        """The inverse of :meth:`to_dict`.

        Raises:
            InvalidInput: Names that are no setting.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InvalidInput(f"unknown network settings {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        settings: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        return cls(**settings)


PRESETS: dict[str, GrounderConfig] = {
    "tsp3d": GrounderConfig(),
    "small": GrounderConfig(
        voxel_size=0.02,
        stem_channels=32,
        stem_pool=False,
        stage_blocks=(2, 2, 2, 2),
        stage_channels=(32, 64, 64, 64),
        shortcut_size=2,
        width=64,
        heads=4,
        aligned_attention=True,
        dropout=0.0,
        text_encoder="minilm",
        text_width=384,
        text_rules="free",
        center_input=True,
        color_scale=20.0,
        color_mean=(9.0, 9.0, 9.0),
        completion_cap=1000,
        upsample_occupied_only=True,
        train_scene_voxels=320,
        train_target_voxels=250,
        train_keep_scene=400,
        train_keep_target=(100, 200),
        train_completion_voxels=100,
        train_upsample_kept_only=True,
        train_focus_reach=0.25,
        positives_per_box=24,
        prior_probability=0.02,
    ),
}
"""Named sizes: "tsp3d" as published, "small" for a CPU."""


def preset(name: str) -> GrounderConfig:
    """A named configuration.

    Raises:
        InvalidInput: No preset of that name.
    """
    if name not in PRESETS:
        raise InvalidInput(f"no preset {name!r}; choose from {', '.join(PRESETS)}")
    return PRESETS[name]
