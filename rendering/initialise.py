"""Where the first Gaussians of a scene are put, from a few photos and their cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.arrays import require_finite
from ..core.errors import InvalidInput, ShapeMismatch
from ..core.random import torch_rng
from ..data.camera_paths import focus_of
from ..data.cameras import Cameras
from ..data.posed_images import PosedImages, SparsePoints
from ..data.readers.triangulation import triangulate
from .depth_range import depth_ranges
from .gaussians import GaussianCloud
from .learned.depth import LEARNED_MODELS, LearnedDepth, learned_depth_maps
from .planesweep import MEASURED, DepthMaps, SweepConfig, depth_maps
from .stereo.fusion import merge, unproject

How = Literal["auto", "planesweep", "sfm", "random", "depth-anything-3", "mapanything", "vggt"]

_POINTS_PER_PIXEL = 80_000 / (504 * 378)
"""Of one photo; published methods end with 60,000 to 110,000 Gaussians at that size."""
_LEAST_POINTS = 1_000
_TOO_FEW = 100


@dataclass(frozen=True, eq=False)
class InitialPoints:
    """Points to begin with."""

    points: Float[Tensor, "n 3"]
    """Metres."""
    colors: Float[Tensor, "n 3"]
    """0..1."""
    confidence: Float[Tensor, "n"]
    """0..1; below :data:`.planesweep.MEASURED` a place is a guess: interpolated between places that were measured."""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.points) == len(self.colors) == len(self.confidence):
            raise ShapeMismatch(
                f"{len(self.points)} points, {len(self.colors)} colors, {len(self.confidence)} confidences; expected as many"
            )
        require_finite(self.points, "points")
        require_finite(self.colors, "colors")

    def __len__(self) -> int:
        return len(self.points)

    def gaussians(
        self, *, sh_degree: int = 0, opacity: float = 0.1, guess_opacity: float = 0.05, guess_scale: float = 1.5
    ) -> GaussianCloud:
        """Round Gaussians at the points; those at guessed places are fainter and larger."""
        cloud = GaussianCloud.from_points(self.points, self.colors, sh_degree=sh_degree, opacity=opacity)
        guessed = self.confidence < MEASURED
        faint = math.log(guess_opacity / (1 - guess_opacity))
        return replace(
            cloud,
            opacity_logits=torch.where(guessed, faint, cloud.opacity_logits),
            log_scales=cloud.log_scales + guessed[:, None].to(cloud.log_scales) * math.log(guess_scale),
        )


def initial_points(
    photos: PosedImages,
    how: How | LearnedDepth = "auto",
    *,
    n: int | None = None,
    cube: float | None = None,
    sweep: SweepConfig | None = None,
    maps: DepthMaps | None = None,
    seed: int = 0,
) -> InitialPoints:
    """Find points to put the first Gaussians at.

    Args:
        photos: To train on, undistorted; no others, as points that only test photos show would leak into the result.
        how: ``planesweep``: depth of all pixels by :func:`.planesweep.depth_maps`, merged. ``sfm``: the points of
            ``photos.points`` that at least two of the photos see; where the photos come without points, those that
            :func:`trisparse.data.readers.triangulation.triangulate` finds. ``random``:
            uniform in space that at least two cameras see. ``auto``: the plane sweep, or random points where it finds nothing.
            ``depth-anything-3``, ``mapanything``, ``vggt``, or a :class:`.learned.depth.LearnedDepth` that says where the
            weights are: depth by a learned model, aligned and merged.
        n: Points wanted, about; by default 80,000 for photos of 504 x 378, in proportion to their pixels. ``sfm`` gives what
            there is.
        cube: For ``random``: half the side of a cube around the origin to fill instead (Blender scenes: 1.3).
        sweep: Settings of the plane sweep.
        maps: What the plane sweep found, where it is known already; learned depth is aligned to it.
        seed: Of ``random``.

    Raises:
        InvalidInput: The photos do not allow it: none, a single one, no baseline, no overlap, no texture.
        BackendUnavailable: ``sfm`` without points and without pycolmap, or a learned model without its package.
        MissingPart: A learned model's weights are not on this machine.
    """
    if not len(photos):
        raise InvalidInput("no photos to take initial points from; give at least two")
    pixels = photos.cameras.width * photos.cameras.height
    wanted = max(round(_POINTS_PER_PIXEL * pixels), _LEAST_POINTS) if n is None else n
    if wanted < 1:
        raise InvalidInput(f"{wanted} initial points; give at least 1")
    if not isinstance(how, LearnedDepth) and how in LEARNED_MODELS:
        how = LearnedDepth(LEARNED_MODELS[how])
    if isinstance(how, LearnedDepth):
        return _learned_points(photos, learned_depth_maps(photos, how, maps, sweep), wanted)
    if how == "random":
        return _random_points(photos, wanted, cube, seed)
    if how == "sfm":
        return _sparse_points(photos, seed)
    if how not in ("auto", "planesweep"):
        raise InvalidInput(f"no initialiser {how!r}; choose from {', '.join(get_args(How))}")
    found = points_of_depth(photos, depth_maps(photos, config=sweep) if maps is None else maps, wanted)
    if len(found) >= min(_TOO_FEW, wanted):
        return found
    problem = f"the plane sweep found {len(found)} points: the photos show too little texture, or differ too much"
    if how == "planesweep":
        raise InvalidInput(f"{problem}; take other photos, or start from random points")
    other = _random_points(photos, wanted, cube, seed)
    return replace(other, warnings=(*found.warnings, f"{problem}; random points were taken instead", *other.warnings))


def _learned_points(photos: PosedImages, maps: DepthMaps, n: int) -> InitialPoints:
    found = points_of_depth(photos, maps, n)
    if len(found) < min(_TOO_FEW, n):
        raise InvalidInput(
            f"the learned model's depth gives {len(found)} points: its maps contradict each other from photo to photo; start "
            "from a plane sweep or from random points"
        )
    return found


def points_of_depth(photos: PosedImages, maps: DepthMaps, n: int) -> InitialPoints:
    """The surfaces that depth maps show, as about ``n`` points or fewer.

    Points are averaged in voxels that are about as large everywhere as the photos show them; guessed places get larger ones.

    Args:
        photos: Of the maps.
        maps: Depth and confidence; pixels of confidence 0 are left out.
        n: Points wanted.

    Raises:
        ShapeMismatch: Maps of another number or size of photos.
    """
    cameras = photos.cameras.to("cpu")
    if maps.depth_z.shape != (len(cameras), cameras.height, cameras.width):
        raise ShapeMismatch(
            f"depth maps of shape {tuple(maps.depth_z.shape)} for {len(cameras)} photos of {cameras.width} x {cameras.height}"
        )
    known = maps.confidence > 0
    points = unproject(cameras.to(torch.float64), maps.depth_z.double())[known]
    colors = photos.images().detach().cpu().float()[known]
    confidence = maps.confidence[known]
    coarseness = 1.0 + (confidence < MEASURED).to(confidence)
    found = merge(cameras.to(torch.float64), points, colors, confidence, coarseness, n)
    return InitialPoints(found.points.to(cameras.K), found.colors, found.confidence, maps.warnings)


def _sparse_points(photos: PosedImages, seed: int) -> InitialPoints:
    known = photos.points
    notes: tuple[str, ...] = ()
    if known is None:
        known = triangulate(photos, seed=seed)
        notes = (f"the photos come without points: {len(known.cloud)} were triangulated from their features",)
    cloud = known.seen_by(range(len(photos)))
    if not len(cloud):
        raise InvalidInput(
            f"none of the {len(known.visible)} sparse points is seen by two of the {len(photos)} photos; "
            "use the plane sweep or random points"
        )
    colors = torch.full_like(cloud.points, 0.5) if cloud.colors is None else cloud.colors
    return InitialPoints(cloud.points.to(photos.cameras.K), colors.float(), torch.ones(len(cloud)), notes)


def _random_points(photos: PosedImages, n: int, cube: float | None, seed: int) -> InitialPoints:
    generator = torch_rng(seed, "initial points")
    grey, half = torch.full((n, 3), 0.5), torch.full((n,), 0.5)
    if cube is not None:
        if not 0 < cube < math.inf:
            raise InvalidInput(f"a cube of half side {cube}; give a number above 0, in metres")
        return InitialPoints((2 * torch.rand(n, 3, generator=generator) - 1) * cube, grey, half)
    cameras = photos.cameras.to("cpu").to(torch.float64)
    ranges = depth_ranges(cameras, photos.points)
    least, found, total = min(2, len(cameras)), [], 0
    for _ in range(32):
        points = _in_view(cameras, ranges.near, ranges.far, n, generator)
        seen = cameras.project(points)
        near = (seen.depth_z > ranges.near[:, None]) & (seen.depth_z < ranges.far[:, None])
        found.append(points[(seen.inside & near).sum(0) >= least])
        total += len(found[-1])
        if total >= n:
            break
    points = torch.cat(found)[:n]
    if not len(points):
        raise InvalidInput(
            f"no two of the {len(cameras)} cameras see the same space: they look away from each other; check their poses"
        )
    return InitialPoints(points.to(photos.cameras.K), grey[: len(points)], half[: len(points)], ranges.warnings)


def _in_view(
    cameras: Cameras, near: Float[Tensor, "n"], far: Float[Tensor, "n"], count: int, generator: torch.Generator
) -> Float[Tensor, "p 3"]:
    """Points uniform over the images and in inverse depth."""
    share = -(-count // len(cameras))
    parts = []
    for view in range(len(cameras)):
        random = torch.rand(share, 3, generator=generator, dtype=torch.float64)
        rays, exists = cameras[view].rays(random[:, :2] * torch.tensor([cameras.width, cameras.height]))
        inverse = 1 / far[view] + random[:, 2] * (1 / near[view] - 1 / far[view])
        z = (rays.directions * cameras.forwards[view]).sum(-1)
        parts.append((rays.origins + rays.directions / (z * inverse)[:, None])[exists])
    return torch.cat(parts)


def normalise_scene(
    cameras: Cameras, points: Float[Tensor, "p 3"] | SparsePoints | None = None
) -> tuple[float, Float[Tensor, "4 4"]]:
    """The change of the world under which points are at a median distance of 1 from the camera nearest to them.

    Constants of training (learning rates, thresholds, near planes) assume a scene of about that size. The middle of the
    cameras' interest comes to the origin; directions stay, so that up stays up.

    Args:
        cameras: At least one.
        points: Of the scene. Without any, the distance of the cameras to what they look at counts instead.

    Returns:
        ``scale`` and ``new_from_old`` as :meth:`trisparse.data.cameras.Cameras.moved` takes them: x of the old world is
        ``new_from_old @ (scale * x)`` in the new one.

    Raises:
        InvalidInput: No camera.
        NotFinite: Points hold NaN or infinity.
    """
    known = points.cloud.points if isinstance(points, SparsePoints) else points
    centers = cameras.centers.double()
    focus = focus_of(cameras).double()
    middle = focus
    places = focus[None]
    if known is not None and len(known):
        require_finite(known, "points")
        places = known.double()
        middle = places.median(0).values
    distance = float(torch.cdist(places, centers).amin(1).median())
    scale = 1 / distance if distance > 0 else 1.0
    new_from_old = torch.eye(4, dtype=torch.float64)
    new_from_old[:3, 3] = -scale * middle
    return scale, new_from_old.to(cameras.K)
