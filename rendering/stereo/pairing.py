"""Which photos to compare with which: those that show the same place from somewhere else."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import InvalidInput
from ...data.cameras import Cameras, pixel_centers
from .warping import PairWarp

_GRID = 8
_GOOD_ANGLE = 0.2
"""Radians between rays (11 degrees) from which surfaces look alike and depth is still precise."""
_LEAST_OVERLAP = 0.03
_LEAST_MOTION_PX = 1.0


def motion_px(way: PairWarp, pixels: Float[Tensor, "p 2"], limits: tuple[float, float]) -> Float[Tensor, "p"]:
    """How far pixels travel through the other photo while their inverse depth goes from one limit to the other."""
    ends = [way.apply(pixels, pixels.new_full((len(pixels),), limit)) for limit in limits]
    seen = (ends[0][1] > 1e-3) & (ends[1][1] > 1e-3)
    return torch.where(seen, (ends[0][0] - ends[1][0]).norm(dim=-1), torch.zeros(()))


def sample_pixels(cameras: Cameras) -> Float[Tensor, "p 2"]:
    """A grid of pixels over an image."""
    size = cameras.K.new_tensor([cameras.width / _GRID, cameras.height / _GRID])
    return pixel_centers(_GRID, _GRID, cameras.K) * size


def choose_sources(
    cameras: Cameras, near: Float[Tensor, "n"], far: Float[Tensor, "n"], n_sources: int
) -> tuple[tuple[int, ...], ...]:
    """For each view the others to compare it with, best first; none where no other view overlaps.

    Overlap and angle decide: a view from nearly the same place tells little of depth, one from far away looks different.

    Raises:
        InvalidInput: Less than two views, all from one place, or no two that see the same space.
    """
    require_baseline(cameras)
    scores = torch.stack([_scores(cameras, i, float(near[i]), float(far[i])) for i in range(len(cameras))])
    if not bool((scores > 0).any()):
        moves = max(
            _motion(cameras, i, j, near, far) for i in range(len(cameras)) for j in range(len(cameras)) if i != j
        )
        if 0 < moves < _LEAST_MOTION_PX:
            raise InvalidInput(
                f"between the cameras nothing moves by more than {moves:.2f} pixels, too little for depth; give photos from "
                "places further apart"
            )
        raise InvalidInput(
            f"no two of the {len(cameras)} cameras see the same space at {float(near.min()):.3g} to {float(far.max()):.3g} m: "
            "they look away from each other; check the axes of the poses, or give photos that overlap"
        )
    ranked = scores.argsort(dim=1, descending=True, stable=True)
    return tuple(tuple(int(j) for j in ranked[i][:n_sources] if float(scores[i, j]) > 0) for i in range(len(cameras)))


def require_baseline(cameras: Cameras) -> None:
    """Refuse cameras that depth cannot come from.

    Raises:
        InvalidInput: Fewer than two, or all at one place.
    """
    if len(cameras) < 2:
        raise InvalidInput(
            f"depth from {len(cameras)} photo{'s' * (len(cameras) != 1)}: at least two from different places are needed; "
            "give more, or random initial points"
        )
    centers = cameras.centers.double()
    size = max(float(centers.abs().max()), 1e-12)
    if float((centers - centers[0]).norm(dim=1).max()) <= 1e-6 * size:
        raise InvalidInput(
            f"all {len(cameras)} cameras stand at one place: depth needs a baseline; give photos from different places"
        )


def _motion(cameras: Cameras, i: int, j: int, near: Float[Tensor, "n"], far: Float[Tensor, "n"]) -> float:
    limits = (1 / float(far[i]), 1 / float(near[i]))
    return float(motion_px(PairWarp.between(cameras, i, j), sample_pixels(cameras), limits).max())


def _scores(cameras: Cameras, i: int, near: float, far: float) -> Float[Tensor, "n"]:
    pixels = sample_pixels(cameras)
    inverse_depth = torch.linspace(1 / far, 1 / near, 5).to(pixels)
    rays, _ = cameras[i].rays(pixels)
    z = (rays.directions * cameras.forwards[i]).sum(-1)
    points = rays.origins + rays.directions / (z * inverse_depth[:, None])[..., None]
    scores = pixels.new_zeros(len(cameras))
    for j in range(len(cameras)):
        way = PairWarp.between(cameras, i, j)
        if j == i or float(motion_px(way, pixels, (1 / far, 1 / near)).max()) < _LEAST_MOTION_PX:
            continue
        at, ratio = way.apply(pixels, inverse_depth[:, None].expand(-1, len(pixels)))
        inside = (ratio > 1e-3) & (at >= 0).all(-1) & (at[..., 0] < cameras.width) & (at[..., 1] < cameras.height)
        to_other = torch.nn.functional.normalize(points - cameras.centers[j], dim=-1)
        angle = (to_other * rays.directions).sum(-1).clamp(-1, 1).acos()
        width = torch.where(angle < _GOOD_ANGLE, 0.1, 0.4)
        worth = (-((angle - _GOOD_ANGLE) ** 2) / (2 * width**2)).exp()
        if float(inside.float().mean()) >= _LEAST_OVERLAP:
            scores[j] = (worth * inside).mean()
    return scores
