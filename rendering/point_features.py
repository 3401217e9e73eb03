"""Gaussians decoded from what the photos say about their points: image features, attention among neighbours, two decoders.

After PointGS (arXiv 2506.10335), re-derived: of the paper only its abstract, an overview and a review of the first stages
could be read. Stated in the paper: a pyramid of image features sampled at the projected points and gathered over the photos,
learnable features of points, self-attention to the nearest neighbours, two lightweight networks that decode parameters of
Gaussians. Ours: everything that :mod:`.features`, :mod:`.interaction` and :mod:`.decoders` say is ours, the form of the
learnable features (one residual a point, first 0, added to the sampled feature), and decoding once for several renders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.errors import InvalidInput, ShapeMismatch
from .decoders import AlphaColorDecoder, DecoderKind, HarmonicsDecoder, Residuals
from .features import Aggregation, ImageFeatures, Views
from .gaussians import GaussianCloud
from .interaction import CHUNK, Neighbours, PointAttention
from .recompute import in_chunks


@dataclass(frozen=True)
class PointFeaturesConfig:
    """Which parts there are, and how large."""

    features: Literal["off", "fpn", "rgb_only"] = "fpn"
    """What is sampled from the photos: nothing, a trained pyramid with colours, or colours alone."""
    aggregation: Aggregation = "meanvar"
    """What is kept of the photos' samples: their mean, or their variance too."""
    interaction: Literal[0, 1, 2] = 1
    """Attention blocks."""
    decoder: DecoderKind = "sh"
    """Harmonics, opacity and shape; or opacity and a colour that depends on the view."""
    residual_features: bool = True
    """A feature of its own for each Gaussian, learned."""
    sh_degree: int = 1
    """Of the decoded colours."""
    width: int = 64
    """Channels of a point's feature."""
    heads: int = 4
    """Attention heads."""
    neighbours: int = 16
    """Points that a point attends to, itself included."""
    chunk: int = field(default=CHUNK, metadata={"key": False})
    """Points worked on at once; bounds memory."""

    def __post_init__(self) -> None:
        if self.chunk < 1 or self.neighbours < 1:
            raise InvalidInput(f"chunk {self.chunk} and neighbours {self.neighbours}; expected at least 1 each")
        if self.features == "off" and self.interaction and not self.residual_features:
            raise InvalidInput(
                "attention without features: features is 'off' and residual_features is False; turn one on, "
                "or set interaction=0 for plain Gaussians"
            )

    @property
    def is_off(self) -> bool:
        """Whether nothing is decoded, so that the Gaussians are those of plain splatting."""
        return self.features == "off" and self.interaction == 0


class PointFeatures(nn.Module):
    """Gaussians decoded from features of their points. With fresh weights the decoded Gaussians are the base ones, exactly.

    Args:
        config: Which parts there are.
        generator: On the CPU; draws all weights. The global one is not used.
    """

    def __init__(self, config: PointFeaturesConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.image_features = None
        if config.features != "off":
            self.image_features = ImageFeatures(
                width, generator, with_pyramid=config.features == "fpn", aggregation=config.aggregation
            )
        self.attention = nn.ModuleList(
            [PointAttention(width, config.heads, generator) for _ in range(config.interaction)]
        )
        self.decoder = None
        if not config.is_off:
            make = HarmonicsDecoder if config.decoder == "sh" else AlphaColorDecoder
            self.decoder = make(width, config.sh_degree, generator)

    def first_residuals(self, like: Float[Tensor, "g 3"]) -> Float[Tensor, "g d"]:
        """Learnable features to begin with, one row for each of some points: zeros."""
        return like.new_zeros(len(like), self.config.width)

    def forward(
        self, base: GaussianCloud, views: Views, neighbours: Neighbours, learned: Float[Tensor, "_ d"] | None = None
    ) -> GaussianCloud:
        """The decoded Gaussians.

        Gradients reach the weights, ``learned`` and, as decoding only adds, every parameter of ``base``; none reaches the
        positions through the features.

        Args:
            base: The Gaussians that are optimised directly.
            views: The training photos.
            neighbours: Of ``base.means``, ``config.neighbours`` each.
            learned: The features of :meth:`first_residuals` as they are by now; None, or with ``residual_features`` off: 0.

        Raises:
            ShapeMismatch: Numbers of Gaussians, neighbours and learned features differ, or ``base`` has fewer harmonics than
                are decoded.
        """
        return self.residuals(base.means, views, neighbours, learned).added_to(base)

    def decode(
        self, base: GaussianCloud, views: Views, neighbours: Neighbours, learned: Float[Tensor, "_ d"] | None = None
    ) -> Decoded:
        """Decode once for several renders; arguments as of :meth:`forward`."""
        return Decoded(self.residuals(base.means, views, neighbours, learned))

    def residuals(
        self,
        means: Float[Tensor, "g 3"],
        views: Views,
        neighbours: Neighbours,
        learned: Float[Tensor, "_ d"] | None = None,
    ) -> Residuals:
        """What is added to the base Gaussians."""
        if self.decoder is None:
            return Residuals()
        if len(neighbours) != len(means):
            raise ShapeMismatch(
                f"neighbours of {len(neighbours)} points for {len(means)} Gaussians; look for neighbours again after "
                "Gaussians came or went"
            )
        points = means.detach()
        feats = self._features(points, views, learned)
        for block in self.attention:
            feats = block(feats, points, neighbours, chunk=self.config.chunk)
        columns = in_chunks(self.decoder, (feats, neighbours.radii), size=self.config.chunk)
        return self.decoder.residuals(columns)

    def _features(self, points: Tensor, views: Views, learned: Tensor | None) -> Float[Tensor, "g d"]:
        zeros = self.first_residuals(points)
        feats = zeros if self.image_features is None else self.image_features(points, views)
        if learned is None or not self.config.residual_features:
            return feats
        if learned.shape != zeros.shape:
            raise ShapeMismatch(
                f"learned features of shape {tuple(learned.shape)} for {len(points)} points; expected {tuple(zeros.shape)}"
            )
        return feats + learned


class Decoded:
    """Residuals that several renders share, cut off from the networks that made them.

    Gradients of the renders add up in ``residuals``; :meth:`backward` sends their sum through the networks, once. As the
    residuals are added to ``base``, its own gradients need no networks: it may take a step after every render.
    """

    def __init__(self, made: Residuals) -> None:
        self._made: Residuals | None = made
        self.residuals = Residuals(**{k: x.detach().requires_grad_() for k, x in made.tensors().items()})
        """Leaves; their ``.grad`` is the sum of what the renders gave so far."""

    def added_to(self, base: GaussianCloud) -> GaussianCloud:
        """The decoded cloud for one render; see :meth:`.decoders.Residuals.added_to`."""
        return self.residuals.added_to(base)

    def backward(self) -> None:
        """Send what the renders gave through the networks, to their weights and the learned features, and forget it.

        Without gradients nothing happens.

        Raises:
            InvalidInput: Called again with new gradients: the graph is gone after the first time.
        """
        leaves = {name: leaf for name, leaf in self.residuals.tensors().items() if leaf.grad is not None}
        if not leaves:
            return
        if self._made is None:
            raise InvalidInput("backward() of these residuals was called before; decode again for further renders")
        made, self._made = self._made.tensors(), None
        wanted = [name for name in leaves if made[name].requires_grad]
        torch.autograd.backward([made[name] for name in wanted], [leaves[name].grad for name in wanted])
        for leaf in leaves.values():
            leaf.grad = None
