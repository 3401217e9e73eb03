"""Rasterisation of Gaussians in plain torch: the reference, on any device and in any precision.

Elliptical weighted averages (Zwicker et al., *EWA Splatting*, TVCG 2002) as Kerbl et al. (*3D Gaussian Splatting*,
SIGGRAPH 2023) blend them, with the constants of gsplat (Ye et al., JMLR 2025).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..gaussians import rotation_matrices
from ..harmonics import colors_from_harmonics
from .splatting import TILE, Blended, Projected, Request, Splats, Steps, View, rasterize_by

ALPHA_MIN, ALPHA_MAX, TRANSMITTANCE_MIN = 1 / 255, 0.99, 1e-4
RADIUS = 3.33
"""Standard deviations at which an opaque Gaussian falls below ALPHA_MIN."""


def why_unusable(device: torch.device) -> str | None:
    """Runs anywhere."""
    return None


def rasterize(request: Request) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Every step by the functions below."""
    return rasterize_by(Steps(covariances, project, colors, blend), request)


def covariances(quats: Float[Tensor, "g 4"], scales: Float[Tensor, "g 3"]) -> Float[Tensor, "g 6"]:
    """Of Gaussians with standard deviations ``scales`` along turned axes: xx xy xz yy yz zz."""
    axes = rotation_matrices(quats) * scales[:, None]
    full = axes @ axes.mT
    return full.reshape(-1, 9)[:, [0, 1, 2, 4, 5, 8]]


def project(means: Float[Tensor, "g 3"], covariances: Float[Tensor, "g 6"], view: View) -> Projected:
    """Means and covariances in each image by the local affine approximation of the projection.

    A Gaussian is invisible (radius 0) if its mean is not between the near and far planes, if it lies outside the image by more
    than its radius, if its radius is at most ``radius_clip``, or if numbers are not finite.
    """
    full = covariances[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    rotation, shift = view.viewmats[:, None, :3, :3], view.viewmats[:, None, :3, 3]
    local = (rotation @ means[:, :, None])[..., 0] + shift
    depths = local[..., 2]
    in_front = (depths > view.near) & (depths < view.far)
    z = torch.where(in_front, depths, torch.ones_like(depths))
    jacobian = _jacobian(local, z, view)
    turned = rotation @ full @ rotation.mT
    plain = jacobian @ turned @ jacobian.mT
    a, b, c = plain[..., 0, 0], plain[..., 0, 1], plain[..., 1, 1]
    determinant_plain = a * c - b * b
    a, c = a + view.eps2d, c + view.eps2d
    determinant = a * c - b * b
    usable = in_front & (determinant > 0)
    safe = torch.where(usable, determinant, torch.ones_like(determinant))
    compensations = (determinant_plain / safe).clamp_min(0.005**2).sqrt()
    conics = torch.stack([c / safe, -b / safe, a / safe], -1)
    focal, center = view.Ks[:, None, [0, 1], [0, 1]], view.Ks[:, None, :2, 2]
    means2d = focal * local[..., :2] / z[..., None] + center
    with torch.no_grad():
        size = (RADIUS * torch.stack([a, c], -1).clamp_min(0).sqrt()).ceil()
        edge = means.new_tensor([view.width, view.height])
        shown = usable & ((means2d + size > 0) & (means2d - size < edge)).all(-1) & (size > view.radius_clip).any(-1)
        radii = torch.where(shown[..., None] & size.isfinite(), size.clamp(max=2**30), torch.zeros_like(size))
        radii = (radii * (radii > 0).all(-1, keepdim=True)).to(torch.int32)
    return Projected(means2d, depths, conics, compensations, radii)


def _jacobian(local: Float[Tensor, "c g 3"], z: Float[Tensor, "c g"], view: View) -> Float[Tensor, "c g 2 3"]:
    """Of the projection; directions far outside the image are taken at its border, 0.3 of half its width further out."""
    fx, fy = view.Ks[:, None, 0, 0], view.Ks[:, None, 1, 1]
    cx, cy = view.Ks[:, None, 0, 2], view.Ks[:, None, 1, 2]
    margin_x, margin_y = 0.15 * view.width / fx, 0.15 * view.height / fy
    x = z * torch.clamp(local[..., 0] / z, -(cx / fx + margin_x), (view.width - cx) / fx + margin_x)
    y = z * torch.clamp(local[..., 1] / z, -(cy / fy + margin_y), (view.height - cy) / fy + margin_y)
    zero = torch.zeros_like(z)
    rows = [fx / z, zero, -fx * x / z**2, zero, fy / z, -fy * y / z**2]
    return torch.stack(rows, -1).reshape(*z.shape, 2, 3)


def colors(sh: Float[Tensor, "m k 3"], directions: Float[Tensor, "m 3"], degree: int) -> Float[Tensor, "m 3"]:
    """Colours of harmonics seen along directions of any length."""
    return colors_from_harmonics(sh, directions, degree)


def blend(splats: Splats, width: int, height: int, backgrounds: Float[Tensor, "c d"] | None, absgrad: bool) -> Blended:
    """Front to back, pixel by pixel, until less than ``TRANSMITTANCE_MIN`` of the light would come through.

    Args:
        splats: Of all images.
        width: Of the images, pixels.
        height: Likewise.
        backgrounds: What shows where light comes through; 0 by default.
        absgrad: Backward also leaves the sums of absolute gradients over the pixels in ``splats.means2d.absgrad``.
    """
    d = splats.features.shape[1]

    def tile(image: int, rows: Tensor, corner: tuple[int, int, int, int]) -> Tensor:
        rows, alpha = _tile_alphas(splats, rows, corner, absgrad)
        before = torch.cumprod(torch.cat([alpha.new_ones(1, alpha.shape[1]), 1 - alpha]), 0)
        render = (alpha * before[:-1]).mT @ splats.features[rows]
        through = before[-1][:, None]
        if backgrounds is not None:
            render = render + through * backgrounds[image]
        return torch.cat([render, 1 - through], 1)

    whole = _tile_by_tile(splats, width, height, tile)
    return Blended(whole[..., :d], whole[..., d:])


def count_blended(splats: Splats, width: int, height: int) -> Int64[Tensor, "c h w 1"]:
    """How many Gaussians each pixel blends."""

    def tile(image: int, rows: Tensor, corner: tuple[int, int, int, int]) -> Tensor:
        return (_tile_alphas(splats, rows, corner, False)[1] > 0).sum(0)[:, None]

    with torch.no_grad():
        return _tile_by_tile(splats, width, height, tile)


def _tile_by_tile(
    splats: Splats, width: int, height: int, tile: Callable[[int, Tensor, tuple[int, int, int, int]], Tensor]
) -> Float[Tensor, "c h w e"] | Int64[Tensor, "c h w e"]:
    """Images put together from what ``tile`` says of each tile's pixels, given the visible Gaussians, nearest first."""
    images = []
    for image, (start, stop) in enumerate(zip(splats.starts[:-1], splats.starts[1:], strict=True)):
        rows = torch.arange(start, stop, device=splats.depths.device)
        rows = rows[(splats.radii[start:stop] > 0).all(-1)]
        rows = rows[splats.depths[rows].argsort(stable=True)]
        bands = []
        for top in range(0, height, TILE):
            corners = [(left, top, min(left + TILE, width), min(top + TILE, height)) for left in range(0, width, TILE)]
            band = [tile(image, rows, c).reshape(c[3] - c[1], c[2] - c[0], -1) for c in corners]
            bands.append(torch.cat(band, 1))
        images.append(torch.cat(bands, 0))
    return torch.stack(images)


def _tile_alphas(
    splats: Splats, rows: Int64[Tensor, "v"], corner: tuple[int, int, int, int], absgrad: bool
) -> tuple[Int64[Tensor, "t"], Float[Tensor, "t p"]]:
    """The Gaussians that may touch a tile, and their alpha in each of its pixels, 0 where they do not count."""
    left, top, right, bottom = corner
    flat = splats.means2d.reshape(-1, 2)
    with torch.no_grad():
        at, size = flat[rows], splats.radii[rows]
        low, high = at - size, at + size
        rows = rows[(high[:, 0] > left) & (low[:, 0] < right) & (high[:, 1] > top) & (low[:, 1] < bottom)]
    x = torch.arange(left, right, device=flat.device, dtype=flat.dtype) + 0.5
    y = torch.arange(top, bottom, device=flat.device, dtype=flat.dtype) + 0.5
    pixels = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(1, -1, 2)
    means = flat[rows, None].expand(-1, pixels.shape[1], -1)
    if absgrad and flat.requires_grad:
        means = _NoteAbsolute.apply(means, splats.means2d, rows)
    offset = means - pixels
    a, b, c = splats.conics[rows, :, None].unbind(1)
    dx, dy = offset.unbind(-1)
    power = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    alpha = (splats.opacities[rows, None] * torch.exp(-power)).clamp_max(ALPHA_MAX)
    alpha = torch.where((alpha >= ALPHA_MIN) & (power >= 0), alpha, torch.zeros_like(alpha))
    with torch.no_grad():
        goes_on = torch.cumprod(1 - alpha, 0) > TRANSMITTANCE_MIN
    return rows, torch.where(goes_on, alpha, torch.zeros_like(alpha))


class _NoteAbsolute(torch.autograd.Function):
    """The means of Gaussians, pixel by pixel; backward adds up the absolute gradients."""

    @staticmethod
    def forward(ctx: Any, spread: Tensor, means2d: Tensor, rows: Tensor) -> Tensor:
        ctx.means2d, ctx.rows = means2d, rows
        return spread.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        if getattr(ctx.means2d, "absgrad", None) is None:
            ctx.means2d.absgrad = torch.zeros_like(ctx.means2d)
        ctx.means2d.absgrad.view(-1, 2).index_add_(0, ctx.rows, grad.detach().abs().sum(1))
        return grad, None, None
