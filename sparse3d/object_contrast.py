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
from .ragged import stack


def object_contrast(output: HeadOutput, targets: Sequence[SentenceTarget], config: GrounderConfig) -> Float[Tensor, ""]:
    """Cross entropy of the target over the objects of its scene; mean of the sentences that mean one object.

    An object's logit is the mean score logit of the voxels that would learn its box (see :func:`~.assign.assign_boxes`).
    Sentences whose target has no voxel left do not count.

    Args:
        output: Of the head, sentence b in batch entry b.
        targets: One a sentence; the target is the nearest of the scene's centres.
        config: Number of positives a box.
    """
    n_objects = [len(target.scene) if len(target.centers) == 1 else 0 for target in targets]
    if not any(n_objects):
        return output.score_logits.sum() * 0
    scenes = [target.scene[:count] for target, count in zip(targets, n_objects, strict=True)]
    batch, centers = output.grid.coords[:, 0].long(), stack(scenes, like=output.corners)
    owner = assign_boxes(output.corners, batch, scenes, positives_per_box=config.positives_per_box)
    owned, n_slots = owner >= 0, centers.shape[0] * centers.shape[1]
    slot = batch[owned] * centers.shape[1] + owner[owned]
    counts = torch.bincount(slot, minlength=n_slots).view(centers.shape[:2])
    sums = output.score_logits.new_zeros(n_slots).index_add(0, slot, output.score_logits[owned]).view_as(counts)
    meant = stack([t.centers[:1] for t in targets], like=centers)
    truth = (centers - meant).square().sum(-1).nan_to_num(nan=torch.inf).argmin(1)
    found = counts.gather(1, truth[:, None])[:, 0] > 0
    if not bool(found.any()):
        return output.score_logits.sum() * 0
    logits = (sums / counts.clamp(min=1)).masked_fill(counts == 0, -torch.inf)
    return F.cross_entropy(logits[found], truth[found])
