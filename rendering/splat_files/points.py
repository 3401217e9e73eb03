"""Gaussians as points, for what works on scans."""

from __future__ import annotations

from ...core.errors import InvalidInput
from ...data.point_cloud import PointCloud
from ..gaussians import GaussianCloud


def to_point_cloud(cloud: GaussianCloud, *, min_opacity: float = 0.1) -> PointCloud:
    """The centres of Gaussians with their colours, without the part of these that depends on the view.

    Args:
        cloud: In the frame that the points shall have.
        min_opacity: Gaussians less opaque than this are left out.

    Raises:
        NotFinite: A Gaussian that is kept holds NaN or infinity.
        InvalidInput: ``min_opacity`` is outside 0..1.
    """
    if not 0 <= min_opacity <= 1:
        raise InvalidInput(f"a least opacity of {min_opacity:g}; expected 0..1")
    kept = cloud.opacities >= min_opacity
    return PointCloud(cloud.means[kept].detach(), cloud.base_colors[kept].detach())
