"""The radiance field of instant-ngp (Müller et al., SIGGRAPH 2022): a hash grid and two small networks."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ...core.backend import Op
from ...core.errors import InvalidInput
from .activations import (
    DensityActivation,
    HiddenActivation,
    RadianceActivation,
    density_from_logits,
    radiance_from_logits,
)
from .contraction import Contraction, check_aabb, contract, inside_cube
from .dense_layers import linear_layers
from .encodings import encode_positions, encode_positions_tangent, spherical_harmonics
from .field import Emission, MovingEmission
from .hash_grid import HashGrid
from .kernels.torch_heads import Heads
from .tangents import Moving, carry

DENSITY_LOGITS = Op(
    "field_density_logits",
    {
        "numba": "trisparse.rendering.radiance.kernels.numba_heads:density_logits",
        "torch": "trisparse.rendering.radiance.kernels.torch_heads:density_logits",
    },
)
LOGITS = Op(
    "field_logits",
    {
        "numba": "trisparse.rendering.radiance.kernels.numba_heads:logits",
        "torch": "trisparse.rendering.radiance.kernels.torch_heads:logits",
    },
)
LOGITS_TANGENT = Op(
    "field_logits_tangent",
    {
        "numba": "trisparse.rendering.radiance.kernels.numba_heads:logits_tangent",
        "torch": "trisparse.rendering.radiance.kernels.torch_heads:logits_tangent",
    },
)


@dataclass(frozen=True)
class NgpConfig:
    """``arch: ngp`` of Robust e-NeRF; the defaults are its own. For a CPU see :meth:`cpu_small`."""

    grid: HashGrid = field(default_factory=HashGrid)
    channels: int = 3
    base_widths: tuple[int, ...] = (64,)
    """Hidden layers between the encoded position and density."""
    geometry_features: int = 15
    """Numbers that the base network passes on to the colours."""
    head_widths: tuple[int, ...] = (64, 64)
    """Hidden layers before the colours."""
    harmonics_degree: int = 4
    hidden_activation: HiddenActivation = "softplus100"
    density_activation: DensityActivation = "shifted_trunc_exp"
    radiance_activation: RadianceActivation = "softplus"

    def __post_init__(self) -> None:
        if self.channels < 1 or self.geometry_features < 1 or min((1, *self.base_widths, *self.head_widths)) < 1:
            raise InvalidInput(
                f"{self.channels} channels, {self.geometry_features} geometry features, layers {self.base_widths} and "
                f"{self.head_widths}; all must be at least 1"
            )

    @classmethod
    def cpu_small(cls, channels: int = 3) -> NgpConfig:
        """What two CPU cores can train: 8 levels from 16 to 512 with 2^17 entries, layers 32 wide, one in each network."""
        return cls(HashGrid.spanning(16, 512, levels=8, log2_entries=17), channels, (32,), 15, (32,))


class NgpField(nn.Module):
    """A radiance field on a hash grid. Outside the box (after contraction: the cube) its density is 0.

    Args:
        config: Sizes and activations.
        aabb: The box that the contraction maps into the unit cube; smallest x, y, z, then largest.
        contraction: How the outside is mapped.
        generator: Draws table and weights.
        backend: Of encoding and networks.
    """

    aabb: Float[Tensor, "6"]
    contraction: Contraction

    def __init__(
        self,
        config: NgpConfig,
        aabb: Float[Tensor, "6"],
        contraction: Contraction,
        generator: torch.Generator,
        *,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        check_aabb(aabb)
        self.config, self.contraction, self.backend = config, contraction, backend
        self.register_buffer("aabb", aabb)
        self.table = nn.Parameter(config.grid.initial_table(generator))
        geometry = 1 + config.geometry_features
        self.base = linear_layers((config.grid.width, *config.base_widths, geometry), generator)
        head = config.harmonics_degree**2 + config.geometry_features
        self.head = linear_layers((head, *config.head_widths, config.channels), generator)

    @property
    def channels(self) -> int:
        """Colours that it has."""
        return self.config.channels

    @property
    def heads(self) -> Heads:
        """Both networks as the kernels take them."""
        base, head = (
            tuple((layer.weight, layer.bias) for layer in layers if isinstance(layer, nn.Linear))
            for layers in (self.base, self.head)
        )
        return Heads(base, head, self.config.hidden_activation)

    def density(self, positions: Float[Tensor, "s 3"]) -> Float[Tensor, "s"]:
        """Densities, 1/m."""
        unit = contract(positions, self.aabb, self.contraction)
        features = encode_positions(unit, self.table, self.config.grid, backend=self.backend)
        logits = DENSITY_LOGITS.pick(positions.device, self.backend)(features, self.heads)
        return self._sigma(logits, inside_cube(unit))

    def forward(
        self,
        positions: Float[Tensor, "s 3"],
        directions: Float[Tensor, "r 3"],
        ray_indices: Int64[Tensor, "s"] | None = None,
    ) -> Emission:
        """See :class:`trisparse.rendering.radiance.field.RadianceField`."""
        unit = contract(positions, self.aabb, self.contraction)
        features = encode_positions(unit, self.table, self.config.grid, backend=self.backend)
        views = spherical_harmonics(directions, self.config.harmonics_degree)
        run = LOGITS.pick(positions.device, self.backend)
        sigma, rgb = run(features, views, ray_indices, self.heads)
        return Emission(
            self._sigma(sigma, inside_cube(unit)), radiance_from_logits(rgb, self.config.radiance_activation)
        )

    def moving(
        self, positions: Moving, directions: Moving, ray_indices: Int64[Tensor, "s"] | None = None
    ) -> MovingEmission:
        """See :class:`trisparse.rendering.radiance.field.RadianceField`."""
        unit = carry(lambda x: contract(x, self.aabb, self.contraction), positions)
        features = encode_positions_tangent(
            unit.value, unit.tangent, self.table, self.config.grid, backend=self.backend
        )
        views = carry(lambda d: spherical_harmonics(d, self.config.harmonics_degree), directions)
        run = LOGITS_TANGENT.pick(unit.value.device, self.backend)
        sigma, rgb = run(features, views, ray_indices, self.heads)
        selector = inside_cube(unit.value)
        return MovingEmission(
            carry(lambda logits: self._sigma(logits, selector), sigma),
            carry(lambda logits: radiance_from_logits(logits, self.config.radiance_activation), rgb),
        )

    def _sigma(self, logits: Tensor, selector: Tensor) -> Tensor:
        # Far outside the logits can overflow, and infinity times 0 is not 0: they are masked before the activation too.
        logits = logits.masked_fill(selector == 0, 0)
        return density_from_logits(logits, self.config.density_activation) * selector
