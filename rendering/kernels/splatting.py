"""The steps of rasterising Gaussians in their order, whoever computes each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

TILE = 16
"""Side of a tile in pixels."""


@dataclass(frozen=True, eq=False)
class View:
    """How images are made: all that does not belong to a Gaussian."""

    viewmats: Float[Tensor, "c 4 4"]
    Ks: Float[Tensor, "c 3 3"]
    width: int
    height: int
    near: float
    far: float
    radius_clip: float
    eps2d: float


class Projected(NamedTuple):
    """Gaussians in the images; invisible ones have radius 0 and arbitrary other numbers."""

    means2d: Float[Tensor, "c g 2"]
    depths: Float[Tensor, "c g"]
    conics: Float[Tensor, "c g 3"]
    compensations: Float[Tensor, "c g"]
    radii: Int32[Tensor, "c g 2"]


class Blended(NamedTuple):
    """Images."""

    render: Float[Tensor, "c h w d"]
    alphas: Float[Tensor, "c h w 1"]


@dataclass(frozen=True, eq=False)
class Splats:
    """Gaussians of all images in one list, those of image i at ``starts[i]`` to ``starts[i + 1]``."""

    means2d: Float[Tensor, "*m 2"]
    conics: Float[Tensor, "m 3"]
    opacities: Float[Tensor, "m"]
    features: Float[Tensor, "m d"]
    depths: Float[Tensor, "m"]
    radii: Int32[Tensor, "m 2"]
    starts: tuple[int, ...]


class Steps(NamedTuple):
    """What a backend implements; ``torch_splat`` says what each does."""

    covariances: Callable[[Tensor, Tensor], Tensor]
    project: Callable[[Tensor, Tensor, View], Projected]
    colors: Callable[[Tensor, Tensor, int], Tensor]
    blend: Callable[[Splats, int, int, Tensor | None, bool], Blended]


@dataclass(frozen=True, eq=False)
class Request:
    """One call of :func:`trisparse.rendering.rasterize.rasterization`, checked."""

    means: Float[Tensor, "g 3"]
    quats: Float[Tensor, "g 4"] | None
    scales: Float[Tensor, "g 3"] | None
    covars: Float[Tensor, "g 3 3"] | None
    opacities: Float[Tensor, "g"]
    colors: Tensor
    """[g d] or [c g d]; with ``sh_degree`` [g k 3] or [c g k 3]."""
    sh_degree: int | None
    view: View
    backgrounds: Float[Tensor, "c d"] | None
    render_mode: str
    antialiased: bool
    packed: bool
    absgrad: bool


@dataclass(frozen=True, eq=False)
class _Visible:
    """Which Gaussian of which image stands where in the lists."""

    cameras: Int64[Tensor, "m"]
    gaussians: Int64[Tensor, "m"]
    starts: tuple[int, ...]


def rasterize_by(steps: Steps, request: Request) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Project, colour, sort and blend."""
    view, g, c = request.view, len(request.means), len(request.view.viewmats)
    projected = steps.project(request.means, _covariances(steps, request), view)
    opacities = request.opacities.expand(c, g)
    if request.antialiased:
        opacities = opacities * projected.compensations
    visible = _visible(projected.radii, request.packed)
    means2d, depths, conics, radii = projected.means2d, projected.depths, projected.conics, projected.radii
    if request.packed:
        chosen = visible.cameras, visible.gaussians
        means2d, depths, conics = means2d[chosen], depths[chosen], conics[chosen]
        radii, opacities = radii[chosen], opacities[chosen]
    features = _features(steps, request, visible, depths.reshape(-1, 1))
    # The blending takes the very tensor that the caller sees as means2d: gradients are read from it.
    splats = Splats(
        means2d,
        conics.reshape(-1, 3),
        opacities.reshape(-1),
        features,
        depths.reshape(-1),
        radii.reshape(-1, 2),
        visible.starts,
    )
    backgrounds = _backgrounds(request, features.shape[1])
    render, alphas = steps.blend(splats, view.width, view.height, backgrounds, request.absgrad)
    if request.render_mode in ("ED", "RGB+ED"):
        render = torch.cat([render[..., :-1], render[..., -1:] / alphas.clamp_min(1e-10)], -1)
    meta = {
        "batch_ids": torch.zeros_like(visible.cameras) if request.packed else None,
        "camera_ids": visible.cameras if request.packed else None,
        "gaussian_ids": visible.gaussians if request.packed else None,
        "radii": radii,
        "means2d": means2d,
        "depths": depths,
        "conics": conics,
        "opacities": opacities,
        "tile_width": -(-view.width // TILE),
        "tile_height": -(-view.height // TILE),
        "tile_size": TILE,
        "width": view.width,
        "height": view.height,
        "n_batches": 1,
        "n_cameras": c,
    }
    return render, alphas, meta


def _covariances(steps: Steps, request: Request) -> Float[Tensor, "g 6"]:
    if request.covars is not None:
        return request.covars.reshape(-1, 9)[:, [0, 1, 2, 4, 5, 8]]
    assert request.quats is not None
    assert request.scales is not None
    return steps.covariances(request.quats, request.scales)


def _visible(radii: Int32[Tensor, "c g 2"], packed: bool) -> _Visible:
    c, g = radii.shape[:2]
    if packed:
        cameras, gaussians = (radii > 0).all(-1).nonzero(as_tuple=True)
        counts = torch.bincount(cameras, minlength=c)
        return _Visible(cameras, gaussians, (0, *counts.cumsum(0).tolist()))
    everyone = torch.arange(c * g, device=radii.device)
    return _Visible(everyone // max(g, 1), everyone % max(g, 1), tuple(i * g for i in range(c + 1)))


def _features(steps: Steps, request: Request, visible: _Visible, depths: Float[Tensor, "m 1"]) -> Float[Tensor, "m d"]:
    """What is blended: colours or other features, depth after them."""
    parts = []
    if request.render_mode not in ("D", "ED"):
        parts.append(_colors(steps, request, visible))
    if request.render_mode != "RGB":
        parts.append(depths)
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _colors(steps: Steps, request: Request, visible: _Visible) -> Float[Tensor, "m d"]:
    colors, per_camera = request.colors, request.colors.ndim == (3 if request.sh_degree is None else 4)
    if per_camera:
        rows = colors[visible.cameras, visible.gaussians] if request.packed else colors.flatten(0, 1)
    else:
        c = len(request.view.viewmats)
        rows = colors[visible.gaussians] if request.packed else colors.repeat(c, *[1] * (colors.ndim - 1))
    if request.sh_degree is None:
        return rows
    rotation, shift = request.view.viewmats[:, :3, :3], request.view.viewmats[:, :3, 3:]
    centers = -(rotation.mT @ shift)[..., 0]
    if request.packed:
        directions = request.means[visible.gaussians] - centers[visible.cameras]
    else:
        directions = (request.means - centers[:, None]).flatten(0, 1)
    return steps.colors(rows, directions, request.sh_degree)


def _backgrounds(request: Request, d: int) -> Float[Tensor, "c d"] | None:
    """Depth has no background."""
    given = request.backgrounds
    if given is None or request.render_mode in ("D", "ED"):
        return None
    return torch.nn.functional.pad(given, (0, d - given.shape[1]))
