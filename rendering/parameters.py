"""What is optimised when Gaussians are fitted to photos: tensors of one row a Gaussian, and Adam's moments beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .gaussians import GaussianCloud

LearningRates = Mapping[str, float]
"""By name: means quats log_scales opacity_logits sh0 sh_rest, and whatever else has one row a Gaussian."""


class SplatParameters:
    """Leaf tensors by name, all with one row a Gaussian, in one Adam with a rate for each.

    Args:
        cloud: Where to start.
        rates: Learning rates by name; names that are not Gaussians' belong to ``extra``.
        extra: Further tensors of one row a Gaussian, which densification copies along.
    """

    def __init__(self, cloud: GaussianCloud, rates: LearningRates, extra: Mapping[str, Tensor] | None = None) -> None:
        start = {
            "means": cloud.means,
            "quats": cloud.quats,
            "log_scales": cloud.log_scales,
            "opacity_logits": cloud.opacity_logits,
            "sh0": cloud.sh[:, :1],
            "sh_rest": cloud.sh[:, 1:],
            **(extra or {}),
        }
        self.values = {name: value.detach().clone().requires_grad_() for name, value in start.items()}
        groups = [{"params": [value], "lr": rates[name], "name": name} for name, value in self.values.items()]
        self.optimizer = torch.optim.Adam(groups, eps=1e-15, fused=True)

    def __len__(self) -> int:
        return len(self.values["means"])

    def __getitem__(self, name: str) -> Tensor:
        return self.values[name]

    def cloud(self) -> GaussianCloud:
        """The Gaussians as they are, cut off from the graph."""
        v = {name: value.detach() for name, value in self.values.items()}
        sh = torch.cat([v["sh0"], v["sh_rest"]], 1)
        return GaussianCloud(v["means"], v["quats"], v["log_scales"], v["opacity_logits"], sh)

    def set_rate(self, name: str, rate: float) -> None:
        """Another learning rate for one tensor."""
        self._group(name)["lr"] = rate

    @torch.no_grad()
    def change(self, kept: Int64[Tensor, "k"], added: Mapping[str, Tensor] | None = None) -> None:
        """Keep some rows and put others behind them; the new ones start without momentum."""
        for name in self.values:
            old = self.values[name]
            rows = [old.detach()[kept]] + ([added[name]] if added else [])
            moments = self.optimizer.state.pop(old, None)
            new = torch.cat(rows).requires_grad_()
            self.values[name] = self._group(name)["params"][0] = new
            if moments:
                more = len(new) - len(kept)
                for key in ("exp_avg", "exp_avg_sq"):
                    moments[key] = torch.cat([moments[key][kept], moments[key].new_zeros(more, *new.shape[1:])])
                self.optimizer.state[new] = moments

    @torch.no_grad()
    def forget_momentum(self, name: str, rows: Int64[Tensor, "k"] | slice = slice(None)) -> None:
        """Set a tensor's moments to 0."""
        moments = self.optimizer.state.get(self.values[name])
        if moments:
            moments["exp_avg"][rows] = 0
            moments["exp_avg_sq"][rows] = 0

    def step(self) -> None:
        """One step of Adam, then no gradients are left."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def tree(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        moments = {
            name: dict(self.optimizer.state[value])
            for name, value in self.values.items()
            if value in self.optimizer.state
        }
        return {"values": {name: value.detach() for name, value in self.values.items()}, "moments": moments}

    def load(self, tree: Mapping[str, Any]) -> None:
        """Take over what :meth:`tree` gave."""
        self.optimizer.state.clear()
        for name, value in tree["values"].items():
            new = value.clone().requires_grad_()
            self.values[name] = self._group(name)["params"][0] = new
            if name in tree["moments"]:
                self.optimizer.state[new] = {key: part.clone() for key, part in tree["moments"][name].items()}

    def _group(self, name: str) -> dict[str, Any]:
        return next(group for group in self.optimizer.param_groups if group["name"] == name)


def gradient_in_image(means2d: Tensor, width: int, height: int, *, absolute: bool) -> Float[Tensor, "g"]:
    """Length of the loss's gradient with respect to a mean in the image, in half images: what densification looks at."""
    grad: Any = means2d.absgrad if absolute else means2d.grad  # type: ignore[attr-defined]
    return (grad[0] * grad.new_tensor([width / 2, height / 2])).norm(dim=-1)
