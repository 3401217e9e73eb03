"""Depth of unknown scale, brought to that of cameras which are known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...data.cameras import Cameras
from ..planesweep import MEASURED, DepthMaps

_ENOUGH = 200
"""Pixels of a view with known depth from which its own scale follows."""
_ROUNDS = 30
_LOOSE = 0.02
"""Relative error of depth from which an anchor counts less."""
_GAIN = 0.9
"""A shift is taken where it brings the median error below this share of what it is without."""
_MISFIT = 0.1


@dataclass(frozen=True, eq=False)
class Aligned:
    """Depth in the cameras' scale."""

    depth_z: Float[Tensor, "n h w"]
    """Metres; 0 where it is unknown."""
    warnings: tuple[str, ...]


def scale_of_poses(cameras: Cameras, camera_from_world: Float[Tensor, "n 4 4"]) -> float | None:
    """What lengths of predicted cameras are to be multiplied with, by the distances between them; None where they coincide.

    Distances know nothing of rotations, which cameras on a line leave open.
    """
    given = torch.pdist(cameras.centers.detach().cpu().double())
    rotation, shift = camera_from_world[:, :3, :3], camera_from_world[:, :3, 3:]
    predicted = torch.pdist(-(rotation.mT @ shift)[..., 0].double())
    strength = float(predicted.square().sum())
    product = float((given * predicted).sum())
    return product / strength if strength > 1e-12 and product > 0 else None


def align_depth(inverse_depth: Float[Tensor, "n h w"], anchors: DepthMaps, scale: float | None) -> Aligned:
    """Fit ``scale * depth + shift`` of each view to measured depth, robustly, in relative error.

    Args:
        inverse_depth: Of the model; 0 is unknown.
        anchors: Depth that was measured, of the same pixels: from a confidence of :data:`.planesweep.MEASURED` on.
        scale: For views in which too little was measured, as :func:`scale_of_poses` has it; else the median of the others'.

    Returns:
        Depth 0 everywhere in views for which no scale follows, with a warning.
    """
    known = inverse_depth > 0
    depth = torch.where(known, 1 / inverse_depth.clamp_min(1e-12), torch.zeros_like(inverse_depth)).double()
    both = known & (anchors.confidence >= MEASURED)
    fits = [_fit(depth[view], anchors.depth_z[view].double(), both[view]) for view in range(len(depth))]
    scales = [fit[0] for fit in fits if fit is not None]
    shared = scale if scale is not None or not scales else float(torch.tensor(scales).median())
    out, warnings = torch.zeros_like(depth), []
    alone = [str(view) for view, fit in enumerate(fits) if fit is None]
    for view, fit in enumerate(fits):
        factor, shift = fit if fit is not None else (shared or 0.0, 0.0)
        out[view] = (factor * depth[view] + shift) * known[view]
    if alone:
        source = "of the cameras' distances" if scale is not None else "of the other views"
        taken = f"the scale {source} was taken" if shared else "they have no depth"
        warnings.append(f"too little was measured in view {', '.join(alone)} to align its learned depth: {taken}")
    error = ((out - anchors.depth_z).abs() / anchors.depth_z)[both]
    if len(error) and float(error.median()) > _MISFIT:
        warnings.append(
            f"learned depth differs by {float(error.median()):.0%} (median) from measured depth after alignment: one of the "
            "two is wrong"
        )
    return Aligned(out.to(inverse_depth), tuple(warnings))


def _fit(
    depth: Float[Tensor, "h w"], target: Float[Tensor, "h w"], both: Bool[Tensor, "h w"]
) -> tuple[float, float] | None:
    """Scale and shift; a shift only where it explains the anchors better and leaves all depth above 0."""
    if int(both.sum()) < _ENOUGH:
        return None
    x, y, lowest = depth[both], target[both], float(depth[depth > 0].min())
    factor = float((y / x).median())
    slope, shift = _robust_line(x, y, factor)
    plain, shifted = _error(x, y, factor, 0.0), _error(x, y, slope, shift)
    if slope > 0 and slope * lowest + shift > 0.1 * factor * lowest and shifted < _GAIN * plain:
        return slope, shift
    return factor, 0.0


def _error(x: Float[Tensor, "p"], y: Float[Tensor, "p"], factor: float, shift: float) -> float:
    return float(((factor * x + shift - y).abs() / y).median())


def _robust_line(x: Float[Tensor, "p"], y: Float[Tensor, "p"], factor: float) -> tuple[float, float]:
    """Reweighted least squares of the relative error: Huber's weights, then Geman and McClure's, which forget outliers."""
    slope, shift = factor, 0.0
    columns = torch.stack([x / y, 1 / y], 1)
    size = columns.square().mean(0).sqrt()
    for step in range(_ROUNDS):
        residual = (columns @ torch.tensor([slope, shift], dtype=x.dtype) - 1).abs()
        if step < _ROUNDS // 2:
            weight = (_LOOSE / residual.clamp_min(1e-9)).clamp_max(1.0)
        else:
            weight = (1 + (residual / _LOOSE).square()).reciprocal().square()
        scaled = columns / size
        normal = (scaled * weight[:, None]).mT @ scaled / weight.sum()
        right = (scaled * weight[:, None]).mT @ torch.ones_like(x) / weight.sum()
        solution = torch.linalg.solve(normal + 1e-9 * torch.eye(2, dtype=x.dtype), right) / size
        slope, shift = float(solution[0]), float(solution[1])
    return slope, shift
