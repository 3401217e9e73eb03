"""From features of points to what is added to the raw parameters of their Gaussians.

After PointGS (arXiv 2506.10335). Stated in the paper: two lightweight networks decode the features into parameters of
Gaussians, and the features stand for colour attributes. Ours, since what could be read of the paper says no more: which
network gives what, that both give residuals on parameters that are optimised themselves, and that all residuals begin at 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.errors import InvalidInput, ShapeMismatch
from .gaussians import GaussianCloud
from .harmonics import harmonics
from .seeded_layers import perceptron

DecoderKind = Literal["sh", "alpha_color"]


@dataclass(frozen=True, eq=False)
class Residuals:
    """What is added to raw parameters of Gaussians; None: nothing."""

    sh: Float[Tensor, "g k 3"] | None = None
    opacity_logits: Float[Tensor, "g"] | None = None
    log_scales: Float[Tensor, "g 3"] | None = None
    quats: Float[Tensor, "g 4"] | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Those that are there, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def added_to(self, base: GaussianCloud) -> GaussianCloud:
        """The decoded cloud; its harmonics have the degree of ``base``.

        Raises:
            ShapeMismatch: Residuals of another number of Gaussians, or of a higher degree than ``base`` has.
        """
        changed = {}
        for name, residual in self.tensors().items():
            if len(residual) != len(base):
                raise ShapeMismatch(
                    f"residuals of {len(residual)} Gaussians for {len(base)}; decode again after Gaussians came or went"
                )
            changed[name] = getattr(base, name) + (_of_degree(residual, base) if name == "sh" else residual)
        return replace(base, **changed)


def _of_degree(residual: Float[Tensor, "g k 3"], base: GaussianCloud) -> Float[Tensor, "g l 3"]:
    missing = base.sh.shape[1] - residual.shape[1]
    if missing < 0:
        raise ShapeMismatch(
            f"{residual.shape[1]} harmonics are decoded, the cloud has {base.sh.shape[1]}; use base.with_degree(...)"
        )
    return residual if missing == 0 else torch.nn.functional.pad(residual, (0, 0, 0, missing))


class HarmonicsDecoder(nn.Module):
    """Appearance: harmonics of the colour. Geometry: opacity, scales and orientation, from the feature and log of the radius.

    Args:
        width: Channels of the features.
        sh_degree: Of the colours' residuals, 0 to 3; low degrees overfit few views less.
        generator: Draws the weights.
    """

    def __init__(self, width: int, sh_degree: int, generator: torch.Generator) -> None:
        super().__init__()
        self.bands = _bands(sh_degree)
        self.appearance = perceptron((width, width, width, 3 * self.bands), generator, zero_last=True)
        self.geometry = perceptron((width + 1, width, width, 8), generator, zero_last=True)

    def forward(self, feats: Float[Tensor, "c d"], radii: Float[Tensor, "c"]) -> Float[Tensor, "c x"]:
        """All residuals side by side; :meth:`residuals` tells them apart."""
        geometry = self.geometry(torch.cat([feats, radii.log()[:, None]], 1))
        return torch.cat([self.appearance(feats), geometry], 1)

    def residuals(self, columns: Float[Tensor, "g x"]) -> Residuals:
        """By name."""
        sh, opacity_logits, log_scales, quats = columns.split([3 * self.bands, 1, 3, 4], 1)
        return Residuals(sh.unflatten(1, (self.bands, 3)), opacity_logits[:, 0], log_scales, quats)


class AlphaColorDecoder(nn.Module):
    """The other reading of the paper: one network for opacity, one for the colour along a direction of view.

    As in Scaffold-GS (Lu et al., CVPR 2024), but on residuals, and the colour network is asked for some directions spread
    evenly over the sphere and its answers are written as harmonics (least squares): so they lie in a splat file like any
    others. Scales and orientations are only optimised directly.

    Args:
        width: Channels of the features.
        sh_degree: Of the harmonics, 0 to 3.
        generator: Draws the weights.
    """

    directions: Float[Tensor, "s 3"]
    fit: Float[Tensor, "k s"]

    def __init__(self, width: int, sh_degree: int, generator: torch.Generator) -> None:
        super().__init__()
        self.bands = _bands(sh_degree)
        self.opacity = perceptron((width, width, width, 1), generator, zero_last=True)
        self.color = perceptron((width + 3, width, width, 3), generator, zero_last=True)
        directions = _spread_directions(2 * self.bands)
        self.register_buffer("directions", directions.float(), persistent=False)
        self.register_buffer("fit", torch.linalg.pinv(harmonics(directions, sh_degree)).float(), persistent=False)

    def forward(self, feats: Float[Tensor, "c d"], radii: Float[Tensor, "c"]) -> Float[Tensor, "c x"]:
        """All residuals side by side; radii say nothing about colour or opacity and are not used."""
        c, s = len(feats), len(self.directions)
        asked = torch.cat(
            [feats[:, None].expand(c, s, -1), self.directions.to(feats)[None].expand(c, s, 3)],
            -1,
        )
        sh = torch.einsum("ks,csx->ckx", self.fit.to(feats), self.color(asked))
        return torch.cat([sh.flatten(1), self.opacity(feats)], 1)

    def residuals(self, columns: Float[Tensor, "g x"]) -> Residuals:
        """By name."""
        return Residuals(columns[:, :-1].unflatten(1, (self.bands, 3)), columns[:, -1])


def _bands(sh_degree: int) -> int:
    if not 0 <= sh_degree <= 3:
        raise InvalidInput(f"harmonics of degree {sh_degree}; choose 0, 1, 2 or 3")
    return (sh_degree + 1) ** 2


def _spread_directions(count: int) -> Float[Tensor, "s 3"]:
    """Unit vectors along a spiral from pole to pole that cover the sphere evenly."""
    i = torch.arange(count, dtype=torch.float64)
    z = 1 - (2 * i + 1) / count
    angle = i * math.pi * (3 - math.sqrt(5))
    ring = (1 - z * z).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], -1)
