"""Photos seen from another camera, by the depth of what that camera sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.errors import ShapeMismatch
from ..data.cameras import Cameras
from .bilinear import has_whole_footprint, sample_bilinear


@dataclass(frozen=True, eq=False)
class Warped:
    """An image whose pixels were looked up in another."""

    image: Float[Tensor, "h w c"]
    """0 where not valid."""
    valid: Bool[Tensor, "h w"]
    """Whether all four pixels that a value was interpolated from exist, and its depth is known."""


def look_up(source: Float[Tensor, "y x c"], pixels: Float[Tensor, "h w 2"]) -> Warped:
    """The image at some points, by bilinear interpolation; differentiable in both.

    Args:
        source: The image.
        pixels: x y in its pixels, centres at +0.5; NaN is nowhere.
    """
    height, width = source.shape[:2]
    valid = has_whole_footprint(pixels, width, height)
    safe = torch.where(valid[..., None], pixels, torch.full_like(pixels, 0.5))
    values = sample_bilinear(source.permute(2, 0, 1)[None], safe.reshape(1, -1, 2))[0].reshape(*valid.shape, -1)
    return Warped(torch.where(valid[..., None], values, torch.zeros_like(values)), valid)


def warp_along_rows(source: Float[Tensor, "h w c"], disparity: Float[Tensor, "h w"]) -> Warped:
    """The image at x + ``disparity`` (pixels) for every pixel x; differentiable in both."""
    height, width = disparity.shape
    x = torch.arange(width, device=disparity.device, dtype=disparity.dtype) + 0.5
    y = torch.arange(height, device=disparity.device, dtype=disparity.dtype) + 0.5
    return look_up(source, torch.stack([x + disparity, y[:, None].expand(height, width)], -1))


def warp_between(
    source: Float[Tensor, "y x c"], source_camera: Cameras, camera: Cameras, depth_z: Float[Tensor, "h w"]
) -> Warped:
    """What ``camera`` would see if all it sees looked as in the source; differentiable in ``source`` and ``depth_z``.

    Args:
        source: The image of ``source_camera``.
        source_camera: One camera, lens distortion included.
        camera: One other camera.
        depth_z: What it sees, metres along its optical axis; not valid where it is not above 0 or not finite.

    Raises:
        ShapeMismatch: More or fewer than one camera, or images that are not of the cameras' sizes.
    """
    if len(source_camera) != 1 or len(camera) != 1:
        raise ShapeMismatch(f"{len(source_camera)} source cameras and {len(camera)} cameras; give one each")
    for what, size, of in (("source", source.shape[:2], source_camera), ("depth_z", depth_z.shape, camera)):
        if tuple(size) != (of.height, of.width):
            raise ShapeMismatch(f"{what} of {tuple(size)} pixels, its camera has {(of.height, of.width)}")
    known = depth_z.isfinite() & (depth_z > 0)
    safe = torch.where(known, depth_z, torch.ones_like(depth_z))
    rays, exists = camera.rays()
    along_axis = rays.directions @ camera.forwards[0]
    points = rays.origins + rays.directions * (safe.flatten() / along_axis)[:, None]
    projection = source_camera.project(points)
    seen = (projection.inside[0] & exists).reshape(depth_z.shape) & known
    nowhere = torch.full_like(projection.pixels[0], -1.0)
    pixels = torch.where(seen.reshape(-1, 1), projection.pixels[0], nowhere)
    return look_up(source, pixels.reshape(*depth_z.shape, 2))


def shifted_right(camera: Cameras, shift: float) -> Cameras:
    """The cameras moved along their own x axes, to the right if ``shift`` (metres) is above 0; they look the same way."""
    moved = camera.camera_from_world.clone()
    moved[:, 0, 3] -= shift
    return replace(camera, camera_from_world=moved)
