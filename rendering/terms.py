"""Further terms of the loss of a fit, each with its weight and the steps in which it counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.errors import InvalidInput
from ..core.random import torch_rng
from .features import Views
from .fit import Fit, Rendering, Term
from .planesweep import DepthMaps
from .sparse_view import (
    binocular_consistency,
    binocular_range,
    disparity_smoothness,
    draw_shift,
    log_depth_error,
    multi_view_consistency,
)
from .view_warp import shifted_right


@dataclass(frozen=True)
class TermsConfig:
    """Weights of the terms; 0 leaves one out, and all of them are left out by default."""

    binocular: float = 0.0
    """Of :func:`.sparse_view.binocular_consistency` (Han et al., NeurIPS 2024)."""
    binocular_from: float = 0.66
    """Part of the steps after which it counts: the depth has to be about right by then."""
    binocular_part: float = 0.5
    """Largest shift by the median distance to the nearest other camera."""
    depth: float = 0.0
    """Of :func:`.sparse_view.log_depth_error` against the plane sweep, at the first step."""
    depth_last: float = 0.0
    """The same at the last step; exponential in between, constant where it is 0."""
    smoothness: float = 0.0
    """Of :func:`.sparse_view.disparity_smoothness` (Godard et al., CVPR 2017) of the inverse depth."""
    consistency: float = 0.0
    """Of :func:`.sparse_view.multi_view_consistency` (ours, after Godard et al., ICCV 2019)."""
    consistency_from: float = 0.33
    """Part of the steps after which it counts."""

    @property
    def needs_depth_maps(self) -> bool:
        """Whether a plane sweep has to come first."""
        return self.depth > 0


def terms_of(config: TermsConfig, views: Views, maps: DepthMaps | None, steps: int) -> tuple[Term, ...]:
    """The terms of a fit.

    Args:
        config: Weights.
        views: The photos of the fit.
        maps: Depth of the photos, wanted by the depth term.
        steps: Of the fit.

    Raises:
        InvalidInput: The depth term without maps, or the binocular one with a single photo.
    """
    terms = []
    if config.binocular:
        largest = binocular_range(views.cameras, config.binocular_part)
        terms.append(Term(_binocular(largest), config.binocular, start=round(config.binocular_from * steps)))
    if config.depth:
        if maps is None:
            raise InvalidInput("the depth term wants depth maps of the photos; give those of a plane sweep")
        terms.append(Term(_depth(maps), config.depth, config.depth_last or None))
    if config.smoothness:
        terms.append(Term(_smoothness, config.smoothness))
    if config.consistency:
        terms.append(Term(_consistency(views), config.consistency, start=round(config.consistency_from * steps)))
    return tuple(terms)


_Loss = Callable[[Fit, int, Rendering], Float[Tensor, ""]]


def _binocular(largest: float) -> _Loss:
    def loss(fit: Fit, photo: int, rendered: Rendering) -> Float[Tensor, ""]:
        shift = draw_shift(largest, torch_rng(fit.config.seed, "binocular", fit.done))
        camera = fit.cameras[photo]
        beside = fit.render(shifted_right(camera, shift), training=True)
        return binocular_consistency(
            beside.image, _depth_of(rendered), fit.images[photo], float(camera.K[0, 0, 0]), shift
        )

    return loss


def _depth(maps: DepthMaps) -> _Loss:
    def loss(fit: Fit, photo: int, rendered: Rendering) -> Float[Tensor, ""]:
        depth_z = _depth_of(rendered)
        return log_depth_error(depth_z, maps.depth_z[photo].to(depth_z), maps.confidence[photo].to(depth_z))

    return loss


def _smoothness(fit: Fit, photo: int, rendered: Rendering) -> Float[Tensor, ""]:
    depth_z = _depth_of(rendered)
    known = depth_z > 1e-5
    inverse = torch.where(known, 1 / torch.where(known, depth_z, torch.ones_like(depth_z)), torch.zeros_like(depth_z))
    return disparity_smoothness(inverse, fit.images[photo], known)


def _consistency(views: Views) -> _Loss:
    return lambda fit, photo, rendered: multi_view_consistency(views, photo, _depth_of(rendered))


def _depth_of(rendered: Rendering) -> Float[Tensor, "h w"]:
    assert rendered.depth_z is not None
    return rendered.depth_z
