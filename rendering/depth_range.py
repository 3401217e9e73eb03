"""Between which depths each photo's contents lie."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.errors import InvalidInput, ShapeMismatch
from ..data.camera_paths import focus_of
from ..data.cameras import Cameras
from ..data.posed_images import SparsePoints

_ENOUGH = 20


@dataclass(frozen=True, eq=False)
class DepthRanges:
    """Near and far limits of each view, metres along its optical axis."""

    near: Float[Tensor, "n"]
    far: Float[Tensor, "n"]
    warnings: tuple[str, ...] = ()
    guessed: tuple[int, ...] = ()
    """Views whose range follows from where the cameras stand, not from points."""

    def __post_init__(self) -> None:
        if len(self.near) != len(self.far):
            raise ShapeMismatch(f"{len(self.near)} near and {len(self.far)} far limits; give one each a view")
        if not bool(((self.near > 0) & (self.near < self.far) & self.far.isfinite()).all()):
            raise InvalidInput(
                f"near limits {self.near.tolist()} and far limits {self.far.tolist()}; expected 0 < near < far, in metres"
            )


def depth_ranges(cameras: Cameras, points: SparsePoints | None, *, margin: float = 0.2) -> DepthRanges:
    """Ranges from points that the views see: from the 1st to the 99th percentile of their depths, and a margin.

    A view with too few points gets the range of the other views' points that lie in its image. Without those it is guessed:
    around the point that all cameras look at, or, for parallel cameras, from a third of the image's width to half a pixel of
    disparity.

    Args:
        cameras: Of the views, without lens distortion.
        points: Of structure from motion, or triangulated; visibility in exactly these views.
        margin: The share by which near comes nearer and far goes further away.

    Raises:
        ShapeMismatch: Visibility in another number of views.
    """
    if points is not None and points.visible.shape[1] != len(cameras):
        raise ShapeMismatch(
            f"visibility in {points.visible.shape[1]} views for {len(cameras)} cameras; select the same views"
        )
    limits, warnings, guessed = [], [], []
    for view in range(len(cameras)):
        depths = _seen_depths(cameras, points, view)
        if len(depths) < _ENOUGH:
            guessed.append(view)
            limits.append(_guess(cameras, view))
        else:
            low, high = float(depths.quantile(0.01)), float(depths.quantile(0.99))
            limits.append((low * (1 - margin), high * (1 + margin)))
    if guessed:
        shown = ", ".join(str(view) for view in guessed)
        warnings.append(
            f"too few points with known depth in view {shown}: its range of depths was guessed from where the cameras stand"
        )
    bounds = torch.tensor(limits, dtype=torch.float64).reshape(-1, 2)
    return DepthRanges(bounds[:, 0], bounds[:, 1], tuple(warnings), tuple(guessed))


def _seen_depths(cameras: Cameras, points: SparsePoints | None, view: int) -> Float[Tensor, "p"]:
    if points is None or not len(points.visible):
        return torch.zeros(0)
    seen = cameras[view].project(points.cloud.points.to(cameras.K))
    found = seen.inside[0] & (points.visible.sum(1) >= 2)  # a point of a single view comes from views that are not here
    own = found & points.visible[:, view]
    if int(own.sum()) < _ENOUGH:
        own = found
    return seen.depth_z[0][own]


def _guess(cameras: Cameras, view: int) -> tuple[float, float]:
    centers = cameras.centers.double()
    apart = (centers - centers[view]).norm(dim=1)
    baseline = float(apart.max()) if len(cameras) > 1 and float(apart.max()) > 0 else 1.0
    focus = focus_of(cameras).to(cameras.K)
    depth = float(cameras[view].project(focus[None]).depth_z)
    inwards = float((cameras.forwards @ cameras.forwards.mean(0)).min()) < 0.98
    if inwards and depth > 0:
        return 0.2 * depth, 5 * depth
    focal = float(cameras.K[view, 0, 0])
    return 3 * baseline * focal / cameras.width, 2 * baseline * focal
