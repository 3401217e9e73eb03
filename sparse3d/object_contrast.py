"""A loss of ours that is no part of the published method: the target must score higher than the other objects.

The published score loss judges every voxel alone. Among three chairs it is nearly content with a probability of a third for
each; what tells them apart is a small part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from .assign import assign_boxes
from .config import GrounderConfig
from .criterion import SentenceTarget
from .head import HeadOutput


def object_contrast(output: HeadOutput, targets: Sequence[SentenceTarget], config: GrounderConfig) -> Float[Tensor, ""]:
    """Cross entropy of the target over the objects of its scene; mean of the sentences that mean one object.

    An object's logit is the mean score logit of the voxels that would learn its box (see :func:`~.assign.assign_boxes`).
    Sentences whose target has no voxel left do not count.

    Args:
        output: Of the head, sentence b in batch entry b.
        targets: One a sentence; the target is the nearest of the scene's centres.
        config: Number of positives a box.
    """
    batch = output.grid.coords[:, 0].long()
    losses = []
    for number, target in enumerate(targets):
        if len(target.centers) != 1 or not len(target.scene):
            continue
        rows = (batch == number).nonzero().flatten()
        centers = target.scene.to(output.corners)
        owner = assign_boxes(output.corners[rows], centers, positives_per_box=config.positives_per_box)
        owned = owner >= 0
        counts = torch.bincount(owner[owned], minlength=len(centers))
        sums = output.score_logits.new_zeros(len(centers)).index_add(0, owner[owned], output.score_logits[rows][owned])
        truth = (centers - target.centers.to(centers)).square().sum(1).argmin()
        if not int(counts[truth]):
            continue
        logits = (sums / counts.clamp(min=1)).masked_fill(counts == 0, -torch.inf)
        losses.append(F.cross_entropy(logits[None], truth[None]))
    return torch.stack(losses).mean() if losses else output.score_logits.sum() * 0
