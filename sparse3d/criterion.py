"""What the network should have said, and how far off it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .assign import assign_boxes, keep_target
from .config import GrounderConfig
from .head import HeadOutput, LevelLogits
from .losses import diou_loss, focal_loss, keep_loss
from .ragged import stack


@dataclass(frozen=True, eq=False)
class SentenceTarget:
    """Boxes that matter for one sentence, in the network's frame (m)."""

    centers: Float[Tensor, "m 3"]
    """Centres of the boxes that the sentence means (one in grounding, several for a detection prompt)."""
    sizes: Float[Tensor, "m 3"]
    auxiliary: Float[Tensor, "a 3"]
    """Centre of an object that the sentence mentions beside the target, if known."""
    scene: Float[Tensor, "o 3"]
    """Centres of all objects of the scene."""


@dataclass(frozen=True, eq=False)
class GroundingLoss:
    """The four parts of the loss; their sum is minimised."""

    box: Float[Tensor, ""]
    score: Float[Tensor, ""]
    keep: Float[Tensor, ""]
    completion: Float[Tensor, ""]

    @property
    def total(self) -> Float[Tensor, ""]:
        return self.box + self.score + self.keep + self.completion

    def parts(self) -> dict[str, Float[Tensor, ""]]:
        """The four by name."""
        return {"box": self.box, "score": self.score, "keep": self.keep, "completion": self.completion}


def grounding_loss(output: HeadOutput, targets: Sequence[SentenceTarget], config: GrounderConfig) -> GroundingLoss:
    """Box, score, keep and completion loss of a batch of sentences.

    Args:
        output: Of the head, sentence b in batch entry b.
        targets: One a sentence.
        config: Voxel size, reaches and number of positives.
    """
    positive, true_centers, true_sizes = _assign(output.grid.coords, output.corners, targets, config)
    completion_corners = _corners(output.completion, config)
    completion_positive, _, _ = _assign(output.completion.grid.coords, completion_corners, targets, config)
    box = diou_loss(output.centers[positive], output.sizes[positive], true_centers, true_sizes)
    return GroundingLoss(
        box=box.sum() / max(len(box), 1),
        score=_classification_loss(output.score_logits, positive),
        keep=_pruning_loss(output, targets, config),
        completion=_classification_loss(output.completion.logits, completion_positive),
    )


def _classification_loss(logits: Float[Tensor, "v"], positive: Bool[Tensor, "v"]) -> Float[Tensor, ""]:
    return focal_loss(logits, positive).sum() / max(int(positive.sum()), 1)


def _assign(
    coords: Tensor, corners: Float[Tensor, "v 3"], targets: Sequence[SentenceTarget], config: GrounderConfig
) -> tuple[Bool[Tensor, "v"], Float[Tensor, "p 3"], Float[Tensor, "p 3"]]:
    """Positive voxels, and the box that each of them learns (rows in the voxels' order)."""
    batch, centers = coords[:, 0].long(), [target.centers for target in targets]
    box = assign_boxes(corners, batch, centers, positives_per_box=config.positives_per_box)
    positive = box >= 0
    place = batch[positive], box[positive]
    sizes = stack([target.sizes for target in targets], like=corners)
    return positive, stack(centers, like=corners)[place], sizes[place]


def _pruning_loss(output: HeadOutput, targets: Sequence[SentenceTarget], config: GrounderConfig) -> Float[Tensor, ""]:
    """Mean over sentences of a third of the two levels' losses (the published divisor, though two levels exist)."""
    wanted = [torch.cat([target.centers, target.auxiliary]) for target in targets]
    around = [torch.cat([centers, target.scene]) for centers, target in zip(wanted, targets, strict=True)]
    total = output.score_logits.new_zeros(())
    for level, centers, reach in (
        (output.scene_prune, around, config.scene_keep_reach),
        (output.target_prune, wanted, config.target_keep_reach),
    ):
        batch = level.grid.coords[:, 0].long()
        keep = keep_target(_corners(level, config), batch, centers, reach=reach)
        total = total + keep_loss(level.logits, keep, batch, n_batch=len(targets)) / 3
    return total / max(len(targets), 1)


def _corners(level: LevelLogits, config: GrounderConfig) -> Float[Tensor, "v 3"]:
    return level.grid.coords[:, 1:].to(level.logits.dtype) * config.voxel_size
