"""The four losses of the grounding network."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F


def focal_loss(
    logits: Float[Tensor, "v"], positive: Bool[Tensor, "v"], *, gamma: float = 2.0, alpha: float = 0.25
) -> Float[Tensor, "v"]:
    """Sigmoid focal loss of each row (Lin et al., ICCV 2017, equation 5).

    Positive rows weigh ``alpha``, the others ``1 - alpha``.
    """
    target = positive.to(logits.dtype)
    p = logits.sigmoid()
    miss = torch.where(positive, 1 - p, p)
    weight = torch.where(positive, alpha, 1 - alpha) * miss**gamma
    return weight * F.binary_cross_entropy_with_logits(logits, target, reduction="none")


def diou_loss(
    centers: Float[Tensor, "m 3"],
    sizes: Float[Tensor, "m 3"],
    true_centers: Float[Tensor, "m 3"],
    true_sizes: Float[Tensor, "m 3"],
) -> Float[Tensor, "m"]:
    """Distance-IoU loss of axis-aligned boxes, pair by pair (Zheng et al., AAAI 2020, equation 7): 1 - IoU + d^2 / c^2.

    d is the distance of the centres, c the diagonal of the smallest box around both; metres.
    """
    low, high = centers - sizes / 2, centers + sizes / 2
    true_low, true_high = true_centers - true_sizes / 2, true_centers + true_sizes / 2
    shared = (torch.minimum(high, true_high) - torch.maximum(low, true_low)).clamp(min=0).prod(-1)
    union = (sizes.prod(-1) + true_sizes.prod(-1) - shared).clamp(min=1e-6)
    diagonal = (torch.maximum(high, true_high) - torch.minimum(low, true_low)).square().sum(-1)
    distance = (centers - true_centers).square().sum(-1)
    return 1 - shared / union + distance / diagonal.clamp(min=1e-12)


def keep_loss(
    prune_logits: Float[Tensor, "v"], keep: Bool[Tensor, "v"], batch: Int64[Tensor, "v"], *, n_batch: int
) -> Float[Tensor, ""]:
    """Pruning loss of one level, summed over the sentences.

    The logit says "prune", so the voxels to prune are the positives of the focal loss. Each sentence's loss is divided by its
    number of voxels to keep, or by its number of voxels where none is.
    """
    n_keep, n_voxels = torch.bincount(batch[keep], minlength=n_batch), torch.bincount(batch, minlength=n_batch)
    divisor = torch.where(n_keep > 0, n_keep, n_voxels)
    return (focal_loss(prune_logits, ~keep) / divisor[batch]).sum()
