"""Rasterisation by gsplat's CUDA kernels (Ye et al., *gsplat*, JMLR 2025), where it is installed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from .splatting import TILE, Request


def why_unusable(device: torch.device) -> str | None:
    """Needs a CUDA device and the package."""
    if device.type != "cuda":
        return f"gsplat runs on CUDA, the tensors are on {device}"
    if find_spec("gsplat") is None:
        return 'gsplat is not installed: pip install "trisparse[gpu]"'
    return None


def rasterize(request: Request) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """One call of ``gsplat.rasterization``."""
    gsplat: Any = import_module("gsplat")
    view = request.view
    unit = torch.zeros(len(request.means), 4, device=request.means.device, dtype=request.means.dtype)
    return gsplat.rasterization(
        request.means,
        unit if request.quats is None else request.quats,
        unit[:, :3] if request.scales is None else request.scales,
        request.opacities,
        request.colors,
        view.viewmats,
        view.Ks,
        view.width,
        view.height,
        near_plane=view.near,
        far_plane=view.far,
        radius_clip=view.radius_clip,
        eps2d=view.eps2d,
        sh_degree=request.sh_degree,
        packed=request.packed,
        tile_size=TILE,
        backgrounds=request.backgrounds,
        render_mode=request.render_mode,
        absgrad=request.absgrad,
        rasterize_mode="antialiased" if request.antialiased else "classic",
        covars=request.covars,
    )
