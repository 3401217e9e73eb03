"""The radiance field of NeRF (Mildenhall et al., ECCV 2020): one deep network on octaves of the position."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from .activations import (
    DensityActivation,
    HiddenActivation,
    RadianceActivation,
    density_from_logits,
    hidden,
    radiance_from_logits,
)
from .contraction import Contraction, check_aabb, contract, inside_cube
from .dense_layers import linear_layer, linear_layers, run_layers
from .encodings import octaves
from .field import Emission, MovingEmission
from .tangents import Moving, carry


@dataclass(frozen=True)
class NerfConfig:
    """``arch: mlp`` of Robust e-NeRF; the defaults are its own."""

    channels: int = 3
    width: int = 256
    depth: int = 8
    """Layers before the density."""
    skip: int = 4
    """The encoded position is given once more behind this layer (counted from 0)."""
    view_width: int = 128
    position_octaves: int = 10
    direction_octaves: int = 4
    hidden_activation: HiddenActivation = "softplus100"
    density_activation: DensityActivation = "shifted_trunc_exp"
    radiance_activation: RadianceActivation = "softplus"


class NerfField(nn.Module):
    """A radiance field in one network. Outside the box (after contraction: the cube) its density is 0.

    Args:
        config: Sizes and activations.
        aabb: The box that the contraction maps into the unit cube; smallest x, y, z, then largest.
        contraction: How the outside is mapped.
        generator: Draws the weights.
    """

    aabb: Float[Tensor, "6"]
    contraction: Contraction

    def __init__(
        self, config: NerfConfig, aabb: Float[Tensor, "6"], contraction: Contraction, generator: torch.Generator
    ) -> None:
        super().__init__()
        check_aabb(aabb)
        self.config, self.contraction = config, contraction
        self.register_buffer("aabb", aabb)
        place, view = 3 * (1 + 2 * config.position_octaves), 3 * (1 + 2 * config.direction_octaves)
        width = config.width
        self.base = nn.ModuleList(
            linear_layer(place if n == 0 else width + place * (n == config.skip + 1), width, generator)
            for n in range(config.depth)
        )
        self.sigma_layer = linear_layer(width, 1, generator)
        self.bottleneck = linear_layer(width, width, generator)
        self.head = linear_layers((width + view, config.view_width, config.channels), generator)

    @property
    def channels(self) -> int:
        """Colours that it has."""
        return self.config.channels

    def density(self, positions: Float[Tensor, "s 3"]) -> Float[Tensor, "s"]:
        """Densities, 1/m."""
        return self._density(*self._base(positions))

    def forward(
        self,
        positions: Float[Tensor, "s 3"],
        directions: Float[Tensor, "r 3"],
        ray_indices: Int64[Tensor, "s"] | None = None,
    ) -> Emission:
        """See :class:`trisparse.rendering.radiance.field.RadianceField`."""
        features, selector = self._base(positions)
        views = octaves(directions * math.pi, self.config.direction_octaves)
        if ray_indices is not None:
            views = views.index_select(0, ray_indices)
        logits = run_layers(torch.cat([self.bottleneck(features), views], 1), self.head, self.config.hidden_activation)
        return Emission(
            self._density(features, selector), radiance_from_logits(logits, self.config.radiance_activation)
        )

    def moving(
        self, positions: Moving, directions: Moving, ray_indices: Int64[Tensor, "s"] | None = None
    ) -> MovingEmission:
        """See :class:`trisparse.rendering.radiance.field.RadianceField`."""

        def columns(positions: Tensor, directions: Tensor) -> Tensor:
            sigma, rgb = self(positions, directions, ray_indices)
            return torch.cat([sigma[:, None], rgb], 1)

        value, tangent = carry(columns, positions, directions)
        return MovingEmission(Moving(value[:, 0], tangent[:, 0]), Moving(value[:, 1:], tangent[:, 1:]))

    def _base(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        unit = contract(positions, self.aabb, self.contraction)
        encoded = x = octaves((unit * 2 - 1) * math.pi, self.config.position_octaves)
        for number, layer in enumerate(self.base):
            x = hidden(layer(x), self.config.hidden_activation)
            if number == self.config.skip and number + 1 < len(self.base):
                x = torch.cat([x, encoded], 1)
        return x, inside_cube(unit)

    def _density(self, features: Tensor, selector: Tensor) -> Tensor:
        # Far outside the logits can overflow, and infinity times 0 is not 0: they are masked before the activation too.
        logits = self.sigma_layer(features)[:, 0].masked_fill(selector == 0, 0)
        return density_from_logits(logits, self.config.density_activation) * selector
