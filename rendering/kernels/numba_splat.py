"""Rasterisation of Gaussians on the CPU: compiled loops with their own gradients; the same bits for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...core.threads import parallel_code
from . import numba_blend, numba_harmonics, numba_project, numba_tiles
from .splatting import Blended, Projected, Request, Splats, Steps, View, rasterize_by


def why_unusable(device: torch.device) -> str | None:
    """Only tensors on the CPU."""
    return None if device.type == "cpu" else f"numba kernels run on the CPU, the tensors are on {device}"


def rasterize(request: Request) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Every step by the functions below."""
    return rasterize_by(Steps(covariances, project, colors, blend), request)


def covariances(quats: Float[Tensor, "g 4"], scales: Float[Tensor, "g 3"]) -> Float[Tensor, "g 6"]:
    """Of Gaussians with standard deviations ``scales`` along turned axes: xx xy xz yy yz zz."""
    return _Covariances.apply(quats, scales)


def project(means: Float[Tensor, "g 3"], covariances: Float[Tensor, "g 6"], view: View) -> Projected:
    """See :func:`trisparse.rendering.kernels.torch_splat.project`; invisible Gaussians have zeros."""
    return Projected(*_Project.apply(means, covariances, view.viewmats, view))


def colors(sh: Float[Tensor, "m k 3"], directions: Float[Tensor, "m 3"], degree: int) -> Float[Tensor, "m 3"]:
    """Colours of harmonics seen along directions of any length."""
    return _Colors.apply(sh, directions, degree)


def blend(splats: Splats, width: int, height: int, backgrounds: Float[Tensor, "c d"] | None, absgrad: bool) -> Blended:
    """See :func:`trisparse.rendering.kernels.torch_splat.blend`."""
    d, c = splats.features.shape[1], len(splats.starts) - 1
    if backgrounds is None:
        backgrounds = splats.features.new_zeros(c, d)
    return Blended(
        *_Blend.apply(
            splats.means2d,
            splats.conics,
            splats.opacities,
            splats.features,
            backgrounds,
            splats,
            width,
            height,
            absgrad,
        )
    )


class _Covariances(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, quats: Tensor, scales: Tensor) -> Tensor:
        ctx.save_for_backward(quats, scales)
        out = scales.new_empty(len(scales), 6)
        with parallel_code():
            numba_project.covariances_forward(_array(quats), _array(scales), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        quats, scales = ctx.saved_tensors
        grad_quats, grad_scales = torch.empty_like(quats), torch.empty_like(scales)
        grad_quats, grad_scales = grad_quats.contiguous(), grad_scales.contiguous()
        with parallel_code():
            numba_project.covariances_backward(
                _array(quats), _array(scales), _array(grad), grad_quats.numpy(), grad_scales.numpy()
            )
        return grad_quats, grad_scales


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, means: Tensor, covariances: Tensor, viewmats: Tensor, view: View) -> tuple[Tensor, ...]:
        c, g = len(viewmats), len(means)
        means2d, depths = means.new_empty(c, g, 2), means.new_empty(c, g)
        conics, compensations = means.new_empty(c, g, 3), means.new_empty(c, g)
        radii = torch.empty(c, g, 2, dtype=torch.int32)
        with parallel_code():
            numba_project.project_forward(
                _array(means),
                _array(covariances),
                _array(viewmats),
                _array(view.Ks),
                view.width,
                view.height,
                float(view.near),
                float(view.far),
                float(view.radius_clip),
                float(view.eps2d),
                means2d.numpy(),
                depths.numpy(),
                conics.numpy(),
                compensations.numpy(),
                radii.numpy(),
            )
        ctx.save_for_backward(means, covariances, viewmats, radii)
        ctx.view = view
        ctx.mark_non_differentiable(radii)
        return means2d, depths, conics, compensations, radii

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        means, covariances, viewmats, radii = ctx.saved_tensors
        view: View = ctx.view
        blocks = -(-len(means) // numba_project.BLOCK)
        grad_means = means.new_zeros(means.shape)
        grad_covariances = covariances.new_zeros(covariances.shape)
        poses = torch.zeros(len(viewmats), blocks, 3, 4, dtype=torch.float64)
        with parallel_code():
            numba_project.project_backward(
                _array(means),
                _array(covariances),
                _array(viewmats),
                _array(view.Ks),
                view.width,
                view.height,
                float(view.eps2d),
                radii.numpy(),
                _array(grads[0]),
                _array(grads[1]),
                _array(grads[2]),
                _array(grads[3]),
                grad_means.numpy(),
                grad_covariances.numpy(),
                poses.numpy(),
            )
        grad_views = torch.nn.functional.pad(poses.sum(1), (0, 0, 0, 1)).to(viewmats.dtype)
        return grad_means, grad_covariances, grad_views, None


class _Colors(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sh: Tensor, directions: Tensor, degree: int) -> Tensor:
        out = sh.new_empty(len(sh), sh.shape[2])
        with parallel_code():
            numba_harmonics.colors_forward(_array(sh), _array(directions), degree, out.numpy())
        ctx.save_for_backward(sh, directions, out)
        ctx.degree = degree
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        sh, directions, out = ctx.saved_tensors
        grad_sh, grad_directions = sh.new_empty(sh.shape), directions.new_empty(directions.shape)
        with parallel_code():
            numba_harmonics.colors_backward(
                _array(sh),
                _array(directions),
                ctx.degree,
                out.numpy(),
                _array(grad),
                grad_sh.numpy(),
                grad_directions.numpy(),
            )
        return grad_sh, grad_directions, None


class _Blend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means2d: Tensor,
        conics: Tensor,
        opacities: Tensor,
        features: Tensor,
        backgrounds: Tensor,
        splats: Splats,
        width: int,
        height: int,
        absgrad: bool,
    ) -> tuple[Tensor, Tensor]:
        c, d = len(splats.starts) - 1, features.shape[1]
        render, alphas = features.new_empty(c, height, width, d), features.new_empty(c, height, width, 1)
        images = []
        for image in range(c):
            rows = slice(splats.starts[image], splats.starts[image + 1])
            flat = (means2d.reshape(-1, 2)[rows], conics[rows], opacities[rows], features[rows])
            images.append(
                _blend_image(
                    tuple(_array(value) for value in flat),
                    splats.depths[rows].detach(),
                    splats.radii[rows].numpy(),
                    _array(backgrounds[image]),
                    render[image].numpy(),
                    alphas[image].numpy(),
                )
            )
        ctx.save_for_backward(means2d, opacities, features, backgrounds)
        ctx.images, ctx.absgrad, ctx.starts = images, absgrad, splats.starts
        return render, alphas

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_render: Tensor, grad_alphas: Tensor) -> tuple[Tensor | None, ...]:
        means2d, _, features, backgrounds = ctx.saved_tensors
        n, d = len(features), features.shape[1]
        grads = features.new_zeros(n, numba_blend.GRADIENTS + d)
        grad_backgrounds = torch.empty_like(backgrounds)
        for image, kept in enumerate(ctx.images):
            rows = slice(ctx.starts[image], ctx.starts[image + 1])
            light = torch.from_numpy(kept.through)
            grad_backgrounds[image] = (light[..., None] * grad_render[image]).sum((0, 1))
            _gradients_of_image(
                kept,
                _array(features[rows]),
                _array(backgrounds[image]),
                _array(grad_render[image]),
                _array(grad_alphas[image]),
                ctx.absgrad,
                grads[rows].numpy(),
            )
        if ctx.absgrad:
            means2d.absgrad = grads[:, 6:8].reshape(means2d.shape).clone()
        return (
            grads[:, :2].reshape(means2d.shape).clone(),
            grads[:, 2:5].clone(),
            grads[:, 5].clone(),
            grads[:, 8:].clone(),
            grad_backgrounds,
            None,
            None,
            None,
            None,
        )


class _Image:
    """What backward needs of one image."""

    __slots__ = ("ellipses", "hands", "last", "members", "order", "places", "places_start", "starts", "through")

    ellipses: np.ndarray
    hands: np.ndarray
    last: np.ndarray
    members: np.ndarray
    order: np.ndarray
    places: np.ndarray
    places_start: np.ndarray
    starts: np.ndarray
    through: np.ndarray


def _blend_image(
    arrays: tuple[np.ndarray, ...],
    depths: Tensor,
    radii: np.ndarray,
    background: np.ndarray,
    render: np.ndarray,
    alphas: np.ndarray,
) -> _Image:
    means2d, conics, opacities, features = arrays
    height, width = render.shape[:2]
    kept = _Image()
    kept.order = _nearest_first(depths, radii)
    kept.ellipses = np.empty((len(kept.order), 8), means2d.dtype)
    kept.through, kept.last = np.empty((height, width), means2d.dtype), np.empty((height, width), np.int32)
    with parallel_code():
        numba_tiles.gather(kept.order, means2d, conics, opacities, kept.ellipses)
        kept.starts, kept.members, kept.places_start, kept.places = numba_tiles.fill_tiles(kept.ellipses, width, height)
        kept.hands = numba_tiles.deal_tiles(kept.starts, _threads())
        numba_blend.blend_forward(
            kept.ellipses,
            features,
            kept.order,
            kept.starts,
            kept.members,
            kept.hands,
            background,
            render,
            alphas,
            kept.through,
            kept.last,
        )
    return kept


def _nearest_first(depths: Tensor, radii: np.ndarray) -> np.ndarray:
    if depths.dtype == torch.float32:
        return numba_tiles.order_by_depth(_array(depths), radii)
    visible = np.flatnonzero((radii > 0).all(1)).astype(np.int32)
    return visible[np.argsort(_array(depths)[visible], kind="stable")]


def _gradients_of_image(
    kept: _Image,
    features: np.ndarray,
    background: np.ndarray,
    grad_render: np.ndarray,
    grad_alphas: np.ndarray,
    absgrad: bool,
    grads: np.ndarray,
) -> None:
    pairs = np.empty((len(kept.members), grads.shape[1]), grads.dtype)
    with parallel_code():
        numba_blend.blend_backward(
            kept.ellipses,
            features,
            kept.order,
            kept.starts,
            kept.members,
            kept.hands,
            background,
            kept.through,
            kept.last,
            grad_render,
            grad_alphas,
            absgrad,
            pairs,
        )
        numba_blend.add_pairs(kept.order, kept.places_start, kept.places, pairs, grads)


def _threads() -> int:
    import numba

    return numba.get_num_threads()


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()
