"""What a field looks like: images, distances, points, and how near images come to photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...data.cameras import Cameras, pixel_centers
from ...data.posed_images import PosedImages
from ...data.rays import Rays
from ...events.evaluation import Evaluation, LogAffine, Lpips, evaluate
from ...events.intensities import displayed_intensity
from .model import EventModel

_RAYS = 16_384
"""That are rendered at once."""


@dataclass(frozen=True, eq=False)
class EventView:
    """A rendered view."""

    intensity: Float[Tensor, "h w c"]
    """The smallest modelled intensity added; known up to an affine map of its logarithm."""
    opacity: Float[Tensor, "h w"]
    distance: Float[Tensor, "h w"]
    """Along the ray, metres; 0 where nothing is."""
    depth_z: Float[Tensor, "h w"]
    """Along the optical axis, metres; 0 where nothing is."""


def render_event_views(model: EventModel, cameras: Cameras) -> Iterator[EventView]:
    """Views one by one, without jitter. Pixels for which the lens has no ray show the background."""
    for row in range(len(cameras)):
        yield _render(model, cameras[row])


def evaluate_views(
    model: EventModel, photos: PosedImages, *, lpips: Lpips | None = None
) -> tuple[Evaluation, list[EventView]]:
    """Render where photos were taken, and compare as section 6 of Robust e-NeRF's protocol has it.

    Args:
        model: Trained.
        photos: Views to compare with, 8 bits a channel; grey where the field is.
        lpips: The network, where it is there.

    Returns:
        Metrics with the alignment, and the views before it.
    """
    views = list(render_event_views(model, photos.cameras))
    channels = views[0].intensity.shape[2] if views else 1
    targets = [photo_intensity(photos, row, is_color=channels == 3) for row in range(len(photos))]
    return evaluate([view.intensity for view in views], targets, lpips=lpips), views


def photo_intensity(photos: PosedImages, row: int, *, is_color: bool) -> Float[Tensor, "h w c"]:
    """Intensities of a photo, as :func:`trisparse.events.intensities.displayed_intensity` defines them."""
    stored = (photos.image(row).double() * 255).round().clamp(0, 255).numpy().astype(np.uint8)
    return torch.from_numpy(displayed_intensity(stored, is_color=is_color))


def aligned_image(view: EventView, alignment: LogAffine) -> Float[Tensor, "h w 3"]:
    """The view as a picture, 0..1."""
    return alignment(view.intensity).clamp(0, 1).float().expand(-1, -1, 3)


def plain_images(views: Sequence[EventView]) -> list[Float[Tensor, "h w 3"]]:
    """Pictures where no photo says how bright things are: stretched from the darkest to the brightest hundredth of all."""
    logs = torch.stack([view.intensity for view in views]).log()
    some = logs.flatten()[:: max(1, logs.numel() // 1_000_000)]
    low, high = torch.quantile(some, torch.tensor([0.01, 0.99]))
    stretched = ((logs - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)
    return list(stretched.expand(-1, -1, -1, 3))


def _render(model: EventModel, camera: Cameras) -> EventView:
    pixels = pixel_centers(camera.width, camera.height, camera.K)
    rays, exists = camera.rays(pixels)
    forward = camera.forwards[0]
    along = (rays.directions * forward).sum(-1)
    parts = []
    like = model.grid.aabb
    with torch.no_grad():
        for start in range(0, len(rays), _RAYS):
            some = rays[slice(start, start + _RAYS)]
            some = Rays(some.origins.to(like), some.directions.to(like))
            seen = model.see(some, model.sampled(some))
            parts.append(torch.cat([seen.colors, seen.opacity[:, None], seen.distance[:, None]], 1).cpu())
    found = torch.cat(parts)
    colors, opacity, distance = found[:, :-2], found[:, -2], found[:, -1]
    size = (camera.height, camera.width)
    is_there = exists.to(distance)
    return EventView(
        (colors + model.min_intensity).reshape(*size, -1),
        (opacity * is_there).reshape(size),
        (distance * is_there).reshape(size),
        (distance * is_there * along.to(distance)).reshape(size),
    )
