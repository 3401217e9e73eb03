"""Images of Gaussians from any camera, as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ..core.files import atomic_write
from ..data.cameras import Cameras
from ..rendering.gaussians import GaussianCloud
from ..rendering.rasterize import rasterization


@dataclass(frozen=True, eq=False)
class View:
    """What one camera sees of Gaussians."""

    image: Float[Tensor, "h w 3"]
    """0..1."""
    alpha: Float[Tensor, "h w"]
    depth_z: Float[Tensor, "h w"]
    """Expected depth along the optical axis in the world's unit; 0 where nothing is."""


def render_views(
    cloud: GaussianCloud,
    cameras: Cameras,
    *,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    antialiased: bool = False,
    backend: str = "auto",
) -> Iterator[View]:
    """One camera after the other; on the device of the Gaussians, in their precision."""
    cameras = cameras.to(cloud.means.device).to(cloud.means.dtype)
    for row in range(len(cameras)):
        camera = cameras[row]
        with torch.no_grad():
            render, alpha, _ = rasterization(
                cloud.means,
                cloud.quats,
                cloud.scales,
                cloud.opacities,
                cloud.sh,
                camera.camera_from_world,
                camera.K,
                camera.width,
                camera.height,
                sh_degree=cloud.sh_degree,
                packed=False,
                backgrounds=cloud.means.new_tensor([background]),
                render_mode="RGB+ED",
                rasterize_mode="antialiased" if antialiased else "classic",
                backend=backend,
            )
        yield View(render[0, ..., :3].clamp(0, 1), alpha[0, ..., 0], render[0, ..., 3])


def as_bytes(image: Float[Tensor, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """0..1 as whole numbers, rounded."""
    return (image.detach().cpu().clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()


def depth_picture(
    depth_z: Float[Tensor, "h w"], alpha: Float[Tensor, "h w"], limits: tuple[float, float] | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """Depth in colours, near bright; what is mostly empty is black.

    Args:
        depth_z: Along the optical axis.
        alpha: Of the image.
        limits: Nearest and farthest depth; the 2nd and 98th percentile of the picture by default.
    """
    import matplotlib

    seen = alpha > 0.5
    low, high = limits if limits is not None else depth_limits(depth_z, alpha)
    inverse = (1 / depth_z.clamp_min(1e-9) - 1 / high) / max(1 / low - 1 / high, 1e-12)
    colors = matplotlib.colormaps["turbo"](inverse.clamp(0, 1).cpu().numpy())[..., :3]
    picture = np.where(seen.cpu().numpy()[..., None], colors, 0.0)
    return (picture * 255 + 0.5).astype(np.uint8)


def depth_limits(depth_z: Float[Tensor, "h w"], alpha: Float[Tensor, "h w"]) -> tuple[float, float]:
    """2nd and 98th percentile of the depth where something is; 1 and 2 where nothing is."""
    values = depth_z[(alpha > 0.5) & (depth_z > 0)]
    if not len(values):
        return 1.0, 2.0
    low, high = torch.quantile(values[:: max(len(values) // 100_000, 1)].double(), torch.tensor([0.02, 0.98]).double())
    return float(low), max(float(high), float(low) * 1.001)


def write_picture(path: Path, pixels: UInt8[np.ndarray, "h w 3"]) -> None:
    """A PNG file."""
    from PIL import Image

    with atomic_write(path) as file:
        Image.fromarray(pixels).save(file, "PNG")
