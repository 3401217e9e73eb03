"""When to stop a fit that no photo is left to judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ..core.errors import InvalidInput
from .features import Views
from .fit import Fit
from .gaussians import GaussianCloud
from .sparse_view import multi_view_consistency


@dataclass(frozen=True)
class EarlyStop:
    """Stop once the photos, warped into each other by the rendered depth, have not agreed better for a while (ours).

    The photos' agreement is in no term of a plain fit, so it tells when the fit begins to explain each photo by itself.
    """

    every: int = 100
    """Steps between looks."""
    patience: int = 5
    """Looks without a better one after which the fit ends."""
    start: int = 300
    """Step of the first look."""

    def __post_init__(self) -> None:
        if self.every < 1 or self.patience < 1:
            raise InvalidInput(f"every {self.every}, patience {self.patience}; expected at least 1 each")


class Watch:
    """Looks at a fit now and then, and keeps the Gaussians of the best look.

    Args:
        config: When to look.
        views: The photos of the fit, at least two.
    """

    def __init__(self, config: EarlyStop, views: Views) -> None:
        self.config, self.views = config, views
        self.best: GaussianCloud | None = None
        self.best_error = float("inf")
        self.since = 0

    @property
    def is_over(self) -> bool:
        """Whether the fit should end."""
        return self.since >= self.config.patience

    def look(self, fit: Fit) -> None:
        """To be called after every step; looks where it is time to."""
        if fit.done < self.config.start or fit.done % self.config.every:
            return
        error = self.disagreement(fit)
        if error < self.best_error:
            parts = {name: part.clone() for name, part in vars(fit.result()).items()}
            self.best, self.best_error, self.since = GaussianCloud(**parts), error, 0
        else:
            self.since += 1

    @torch.no_grad()
    def disagreement(self, fit: Fit) -> float:
        """Mean over the photos of :func:`.sparse_view.multi_view_consistency`."""
        total = 0.0
        for row in range(len(self.views.photos)):
            depth_z = fit.render(fit.cameras[row], depth=True).depth_z
            assert depth_z is not None
            total += float(multi_view_consistency(self.views, row, depth_z))
        return total / len(self.views.photos)

    def tree(self) -> dict[str, Any]:
        """For a checkpoint."""
        if self.best is None:
            return {"since": self.since}
        return {"since": self.since, "error": self.best_error, "best": vars(self.best)}

    def load(self, tree: dict[str, Any]) -> None:
        """Go on from what :meth:`tree` gave."""
        self.since = tree["since"]
        if "best" in tree:
            self.best, self.best_error = GaussianCloud(**tree["best"]), tree["error"]
