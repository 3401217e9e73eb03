"""A point cloud out of a field: surfaces that the camera could see, in colours that the grounding network knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import InvalidInput
from ...data.cameras import Cameras
from ...data.point_cloud import PointCloud
from ...rendering.stereo.fusion import merge, unproject
from .model import EventModel
from .views import EventView, render_event_views

USUAL_COLOR = (0.555, 0.538, 0.487)
"""Mean colour of the scans that the grounding network learned from (generated rooms, 0..1) ..."""
USUAL_DEVIATION = 0.22
"""... and their standard deviation, of all channels."""
_SOLID = 0.5
"""Opacity from which on a pixel shows a surface."""


@dataclass(frozen=True, eq=False)
class FieldPoints:
    """Points, and what is to be known about their colours."""

    cloud: PointCloud
    warnings: tuple[str, ...]


def field_points(
    model: EventModel,
    cameras: Cameras,
    n: int = 100_000,
    *,
    after_view: Callable[[], object] | None = None,
) -> FieldPoints:
    """Render depth from some cameras and merge the pixels' points.

    Args:
        model: Trained.
        cameras: Which surfaces are seen from.
        n: Points wanted, about.
        after_view: Is called after each camera.

    Raises:
        InvalidInput: Nothing in the field is solid from these cameras.
    """
    views: list[EventView] = []
    for view in render_event_views(model, cameras):
        views.append(view)
        if after_view is not None:
            after_view()
    depth_z = torch.stack([view.depth_z for view in views]).double()
    solid = (torch.stack([view.opacity for view in views]) >= _SOLID) & (depth_z > 0)
    if not bool(solid.any()):
        raise InvalidInput(
            "the field holds nothing solid that its cameras see: no point cloud; train longer, or give the right bounds"
        )
    cameras = cameras.to(torch.float64)
    points = unproject(cameras, depth_z)[solid]
    colors = usual_colors(torch.stack([view.intensity for view in views])[solid])
    sure = torch.ones(len(points))
    found = merge(cameras, points, colors, sure, sure, n)
    what = "grey" if views[0].intensity.shape[2] == 1 else "colours"
    note = (
        f"events tell brightness only up to scale and offset of its logarithm: the points' {what} were brought to the mean and "
        "deviation of the scans that the grounding network learned from; they are a guess"
    )
    return FieldPoints(PointCloud(found.points.float(), found.colors.float()), (note,))


def usual_colors(intensity: Float[Tensor, "p c"]) -> Float[Tensor, "p 3"]:
    """Intensities of unknown gain as colours 0..1 with the usual mean and deviation, channel by channel."""
    log = intensity.double().log()
    deviation = log.std(0, correction=0).clamp_min(1e-6)
    usual = torch.tensor(USUAL_COLOR, dtype=torch.float64)
    return ((log - log.mean(0)) / deviation * USUAL_DEVIATION + usual).clamp(0, 1).float()
