"""More Gaussians where the images ask for them, fewer where they do nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from .gaussians import rotation_matrices
from .parameters import SplatParameters


@dataclass(frozen=True)
class GradientDensify:
    """Clone and split where the means pull, prune what is transparent or too large (Kerbl et al., 2023, section 5.2)."""

    start: int = 500
    """First step."""
    stop: int = 15_000
    """Last step, not included."""
    every: int = 100
    """Steps between changes."""
    threshold: float = 2e-4
    """Mean gradient in the image, in half images, above which a Gaussian is cloned or split."""
    absolute: bool = False
    """Sum absolute gradients over the pixels instead (Ye et al., AbsGS, 2024); wants a threshold of about 8e-4."""
    clone_size: float = 0.01
    """Gaussians up to this part of the scene's extent are cloned, larger ones split."""
    prune_opacity: float = 0.005
    """Below this a Gaussian is removed."""
    prune_size: float = 0.1
    """Above this part of the scene's extent, once opacities were reset, it is removed too."""
    reset_every: int = 3_000
    """Steps between resets of all opacities to at most twice ``prune_opacity``; 0 for none."""
    most: int = 1_000_000
    """No more Gaussians than this."""


@dataclass(frozen=True)
class MonteCarloDensify:
    """Move dead Gaussians to where live ones are, add a few, shake them (Kheradmand et al., *3DGS as MCMC*, NeurIPS 2024)."""

    start: int = 500
    """First step."""
    stop: int = 25_000
    """Last step, not included."""
    every: int = 100
    """Steps between changes."""
    growth: float = 1.05
    """New number by old."""
    most: int = 1_000_000
    """No more Gaussians than this."""
    dead_opacity: float = 0.005
    """Up to this a Gaussian is dead."""
    noise: float = 5e5
    """Random motion, times the learning rate of the means."""
    opacity_weight: float = 0.01
    """Weight in the loss of the mean opacity."""
    scale_weight: float = 0.01
    """Weight in the loss of the mean scale."""


Densify = GradientDensify | MonteCarloDensify


class PullStatistics:
    """Gradients of the means in the images since the last change."""

    def __init__(self, g: int) -> None:
        self.total = torch.zeros(g)
        self.count = torch.zeros(g)

    def add(self, gradient: Float[Tensor, "g"], radii: Int32[Tensor, "g 2"]) -> None:
        """Note one image."""
        visible = (radii > 0).all(-1)
        self.total += torch.where(visible, gradient, 0.0)
        self.count += visible

    def mean(self) -> Float[Tensor, "g"]:
        """By the images that showed the Gaussian."""
        return self.total / self.count.clamp_min(1)

    def tree(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return {"total": self.total, "count": self.count}


@torch.no_grad()
def densify_by_gradient(
    parameters: SplatParameters,
    pull: Float[Tensor, "g"],
    config: GradientDensify,
    extent: float,
    generator: torch.Generator,
    *,
    prune_large: bool,
) -> None:
    """Clone, split and prune.

    Args:
        parameters: Changed in place.
        pull: Mean gradient of each Gaussian, see :class:`PullStatistics`.
        config: Thresholds.
        extent: Of the scene, in the parameters' unit.
        generator: For the places of the parts of a split.
        prune_large: Also remove what is larger than ``config.prune_size``.
    """
    scales = parameters["log_scales"].exp()
    pulled = _strongest(pull, pull > config.threshold, config.most - len(parameters))
    small = scales.max(-1).values <= config.clone_size * extent
    clone, split = (pulled & small).nonzero().flatten(), (pulled & ~small).nonzero().flatten()
    added = {name: value.detach()[torch.cat([clone, split, split])] for name, value in parameters.values.items()}
    parts = slice(len(clone), None)
    both = torch.cat([split, split])
    draws = torch.randn(len(both), 3, generator=generator).to(scales) * scales[both]
    turned = rotation_matrices(parameters["quats"].detach()[both]) @ draws[:, :, None]
    added["means"][parts] += turned[..., 0]
    added["log_scales"][parts] -= math.log(1.6)
    kept = torch.ones(len(parameters), dtype=torch.bool)
    kept[split] = False
    parameters.change(kept.nonzero().flatten(), added)
    gone = parameters["opacity_logits"].sigmoid() < config.prune_opacity
    if prune_large:
        gone |= parameters["log_scales"].exp().max(-1).values > config.prune_size * extent
    if bool(gone.any()):
        parameters.change((~gone).nonzero().flatten())


def _strongest(pull: Float[Tensor, "g"], wanted: Bool[Tensor, "g"], room: int) -> Bool[Tensor, "g"]:
    """As many of the wanted as there is room for, the strongest first."""
    if int(wanted.sum()) <= room:
        return wanted
    chosen = torch.zeros_like(wanted)
    order = torch.where(wanted, pull, -1.0).argsort(descending=True, stable=True)
    chosen[order[: max(room, 0)]] = True
    return chosen


@torch.no_grad()
def reset_opacities(parameters: SplatParameters, ceiling: float) -> None:
    """Opacities at most ``ceiling``, without momentum."""
    parameters["opacity_logits"].clamp_(max=math.log(ceiling / (1 - ceiling)))
    parameters.forget_momentum("opacity_logits")


@torch.no_grad()
def densify_by_relocation(parameters: SplatParameters, config: MonteCarloDensify, generator: torch.Generator) -> None:
    """Move the dead to live ones, which share their opacity then, and add some in the same way."""
    opacities = parameters["opacity_logits"].sigmoid()
    dead = opacities <= config.dead_opacity
    moved, alive = dead.nonzero().flatten(), (~dead).nonzero().flatten()
    if len(moved) and len(alive):
        chosen = alive[torch.multinomial(opacities[alive], len(moved), replacement=True, generator=generator)]
        _share(parameters, chosen)
        for name, value in parameters.values.items():
            value[moved] = value[chosen]
            parameters.forget_momentum(name, chosen)
            parameters.forget_momentum(name, moved)
    more = min(config.most, int(config.growth * len(parameters))) - len(parameters)
    if more > 0 and len(alive):
        opacities = parameters["opacity_logits"].sigmoid()
        chosen = torch.multinomial(opacities, more, replacement=True, generator=generator)
        _share(parameters, chosen)
        added = {name: value.detach()[chosen] for name, value in parameters.values.items()}
        parameters.change(torch.arange(len(parameters)), added)


def _share(parameters: SplatParameters, chosen: Tensor) -> None:
    """New opacities and scales for Gaussians of which there will be n instead of one, so that the image stays (equation 9)."""
    copies = torch.bincount(chosen, minlength=len(parameters)) + 1
    rows = (copies > 1).nonzero().flatten()
    n, old = copies[rows].clamp_max(51), parameters["opacity_logits"].detach()[rows].sigmoid().double()
    new = 1 - (1 - old) ** (1 / n.double())
    shrink = torch.ones_like(old)
    for count in n.unique().tolist():
        same = n == count
        total = torch.zeros_like(new[same])
        for i in range(1, count + 1):
            for k in range(i):
                total += math.comb(i - 1, k) * (-1) ** k / math.sqrt(k + 1) * new[same] ** (k + 1)
        shrink[same] = old[same] / total
    value = parameters["opacity_logits"].detach()
    value[rows] = new.clamp(0.005, 1 - 1e-6).logit().to(value)
    parameters["log_scales"].detach()[rows] += shrink.log().to(value)[:, None]


@torch.no_grad()
def shake(parameters: SplatParameters, config: MonteCarloDensify, rate: float, generator: torch.Generator) -> None:
    """Random steps of the means along their own axes, large for transparent Gaussians."""
    opacities = parameters["opacity_logits"].detach().sigmoid()
    strength = torch.sigmoid(100 * (0.005 - opacities)) * config.noise * rate
    axes = rotation_matrices(parameters["quats"].detach()) * parameters["log_scales"].detach().exp()[:, None]
    draws = torch.randn(len(parameters), 3, generator=generator).to(axes)
    parameters["means"].detach().add_((axes @ axes.mT @ draws[:, :, None])[..., 0] * strength[:, None])
