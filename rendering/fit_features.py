"""Features of points while Gaussians are fitted: decoded once for several steps, trained beside the Gaussians."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.errors import InvalidInput
from ..core.random import torch_rng
from .features import Views
from .gaussians import GaussianCloud
from .interaction import Neighbours, find_neighbours
from .parameters import SplatParameters
from .point_features import Decoded, PointFeatures, PointFeaturesConfig


@dataclass(frozen=True)
class FeaturesConfig:
    """Features of points after PointGS, and how they are trained; ours but for the networks' form (:mod:`.point_features`)."""

    network: PointFeaturesConfig = field(default_factory=PointFeaturesConfig)
    decode_every: int = 4
    """Steps that share one decoding; their gradients go through the networks together."""
    rate: float = 1e-3
    """Learning rate of the networks at the first step."""
    rate_last: float = 1e-4
    """At the last step; a cosine in between."""
    learned_rate: float = 2.5e-3
    """Learning rate of the learnable features."""
    neighbours_every: int = 500
    """Steps after which neighbours are looked for again, where no Gaussian came or went."""

    def __post_init__(self) -> None:
        if self.decode_every < 1 or self.neighbours_every < 1:
            raise InvalidInput(
                f"decode_every {self.decode_every}, neighbours_every {self.neighbours_every}; expected at least 1 each"
            )


class FeatureTraining:
    """Networks, their optimiser, and the decoding that the steps of now share.

    Args:
        config: How.
        views: The photos of the fit.
        steps: Of the fit.
        seed: Of the networks' weights.
    """

    def __init__(self, config: FeaturesConfig, views: Views, steps: int, seed: int) -> None:
        self.config, self.views, self.steps = config, views, steps
        self.network = PointFeatures(config.network, torch_rng(seed, "point features"))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.rate)
        self._decoded: Decoded | None = None
        self._decoded_at: Tensor | None = None
        self._neighbours: Neighbours | None = None
        self._neighbours_at: Tensor | None = None

    def first_residuals(self, cloud: GaussianCloud) -> Float[Tensor, "g d"]:
        """Learnable features to begin with."""
        return self.network.first_residuals(cloud.means)

    def added_to(self, base: GaussianCloud, learned: Float[Tensor, "g d"], step: int) -> GaussianCloud:
        """The Gaussians of a training step; gradients wait in here for :meth:`learn`."""
        means = base.means.detach()
        if self._neighbours is None or (step % self.config.neighbours_every == 0 and self._decoded is None):
            self._look_for_neighbours(means.clone())
        if self._decoded is None:
            self._decode(means.clone(), learned)
        assert self._decoded is not None
        return self._decoded.added_to(base)

    def is_due(self, step: int) -> bool:
        """Whether the networks learn after this step."""
        return (step + 1) % self.config.decode_every == 0

    def learn(self, step: int) -> None:
        """Send what the steps since the last decoding gave through the networks, and decode anew at the next step."""
        if self._decoded is None:
            return
        self._decoded.backward()
        self._decoded = self._decoded_at = None
        progress = step / max(self.steps - 1, 1)
        first, last = self.config.rate, self.config.rate_last
        self.optimizer.param_groups[0]["lr"] = last + (first - last) * (1 + math.cos(math.pi * progress)) / 2
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def forget_points(self) -> None:
        """Gaussians came, went or moved far: look for neighbours again."""
        self._decoded = self._decoded_at = self._neighbours = self._neighbours_at = None

    @torch.no_grad()
    def decoded(self, base: GaussianCloud, learned: Float[Tensor, "g d"]) -> GaussianCloud:
        """The Gaussians as they are by now, to look at or to keep."""
        neighbours = find_neighbours(base.means, self.config.network.neighbours)
        return self.network(base, self.views, neighbours, learned)

    def tree(self) -> dict[str, Any]:
        """Everything that is needed to go on, for a checkpoint."""
        moments = {str(i): dict(self.optimizer.state[p]) for i, p in enumerate(self._parameters()) if self._has(p)}
        tree: dict[str, Any] = {"network": dict(self.network.state_dict()), "moments": moments}
        if self._neighbours_at is not None:
            tree["neighbours_at"] = self._neighbours_at
        if self._decoded is not None and self._decoded_at is not None:
            leaves = self._decoded.residuals.tensors()
            grads = {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
            tree["decoded"] = {"at": self._decoded_at, "gradients": grads}
        return tree

    def load(self, tree: dict[str, Any], parameters: SplatParameters) -> None:
        """Go on from what :meth:`tree` gave."""
        self.network.load_state_dict(tree["network"])
        self.optimizer.state.clear()
        for i, parameter in enumerate(self._parameters()):
            if str(i) in tree["moments"]:
                moments = {key: value.clone() for key, value in tree["moments"][str(i)].items()}
                self.optimizer.state[parameter] = moments
        self.forget_points()
        if "neighbours_at" in tree:
            self._look_for_neighbours(tree["neighbours_at"].clone())
        if "decoded" in tree:
            self._decode(tree["decoded"]["at"].clone(), parameters["learned"])
            assert self._decoded is not None
            for name, leaf in self._decoded.residuals.tensors().items():
                if name in tree["decoded"]["gradients"]:
                    leaf.grad = tree["decoded"]["gradients"][name].clone()

    def _look_for_neighbours(self, means: Float[Tensor, "g 3"]) -> None:
        self._neighbours = find_neighbours(means, self.config.network.neighbours)
        self._neighbours_at = means

    def _decode(self, means: Float[Tensor, "g 3"], learned: Float[Tensor, "g d"]) -> None:
        assert self._neighbours is not None
        self._decoded = Decoded(self.network.residuals(means, self.views, self._neighbours, learned))
        self._decoded_at = means

    def _parameters(self) -> list[Tensor]:
        return list(self.network.parameters())

    def _has(self, parameter: Tensor) -> bool:
        return parameter in self.optimizer.state
