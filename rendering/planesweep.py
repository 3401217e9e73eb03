"""Depth of a few posed photos, without learned weights: plane sweep, semi-global aggregation, slanted windows, cross-check."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.errors import InvalidInput, ShapeMismatch
from ..data.cameras import Cameras
from ..data.posed_images import PosedImages
from .depth_range import DepthRanges, depth_ranges
from .stereo.agreement import AgreementConfig, compare_depths
from .stereo.edge_aware import spread
from .stereo.pairing import choose_sources, motion_px, require_baseline, sample_pixels
from .stereo.patchmatch import Photos, PixelPlanes, SearchConfig, search
from .stereo.semiglobal import Smoothness, aggregate, winners
from .stereo.similarity import Windows, sweep
from .stereo.warping import PairWarp

MEASURED = 0.5
"""Depth of at least this confidence was measured and confirmed by another view; below it, it was interpolated."""
_GREY = (0.299, 0.587, 0.114)
_INTERPOLATED = 0.25
_LEAST_SUPPORT = 0.02


@dataclass(frozen=True)
class SweepConfig:
    """Settings of :func:`depth_maps`."""

    planes: int | None = None
    """Uniform in inverse depth; by default as many as keep the steps to about a pixel, 48 to 256."""
    radius: int = 3
    """Of the windows of the sweep, in pixels of the coarse photos."""
    coarse_px: int = 320
    """The sweep runs on photos halved until their longer side is no longer than this."""
    n_sources: int = 4
    """Other photos that each is compared with, at most."""
    rounds: tuple[int, int] = (3, 2)
    """Of the search for slanted planes, on the coarsest photos and on each finer size."""
    least_similarity: float = 0.5
    """Correlation below which a match is not believed."""
    fill: bool = True
    """Whether to interpolate where nothing was measured."""
    smoothness: Smoothness = field(default_factory=Smoothness)
    search: SearchConfig = field(default_factory=SearchConfig)
    agreement: AgreementConfig = field(default_factory=AgreementConfig)

    def __post_init__(self) -> None:
        if self.planes is not None and self.planes < 3:
            raise InvalidInput(f"a sweep over {self.planes} planes; give at least 3")
        if self.radius < 1 or self.coarse_px < 16 or self.n_sources < 1:
            raise InvalidInput(
                f"radius {self.radius}, coarse_px {self.coarse_px}, n_sources {self.n_sources}; expected at least 1, 16 and 1"
            )


@dataclass(frozen=True, eq=False)
class DepthMaps:
    """Depth of each pixel of some photos."""

    depth_z: Float[Tensor, "n h w"]
    """Metres along the optical axis, above 0 everywhere; it means something where the confidence is above 0."""
    confidence: Float[Tensor, "n h w"]
    """0..1; from :data:`MEASURED` on it was measured and confirmed by another view, below it was interpolated, 0 is unknown."""
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.depth_z.shape != self.confidence.shape:
            raise ShapeMismatch(
                f"depth of shape {tuple(self.depth_z.shape)} with confidence of {tuple(self.confidence.shape)}"
            )


def depth_maps(photos: PosedImages, ranges: DepthRanges | None = None, config: SweepConfig | None = None) -> DepthMaps:
    """Measure depth by comparing each photo with those that overlap with it.

    On the CPU; deterministic, and independent of the number of threads.

    Args:
        photos: At least two, undistorted, from different places.
        ranges: Where to look; by default from ``photos.points``, or guessed from the cameras and narrowed by a first, coarse
            sweep.
        config: Settings.

    Raises:
        InvalidInput: A single photo, no baseline, no overlap, or lenses with distortion.
        ShapeMismatch: Not a range for each photo.
    """
    config = config or SweepConfig()
    cameras = photos.cameras.to("cpu")
    require_baseline(cameras)
    if cameras.has_distortion:
        raise InvalidInput(
            "the photos' lenses distort; undistort them first (trisparse.data.resample.undistort_photos)"
        )
    grey = [_grey(photos.image(row)) for row in range(len(photos))]
    if ranges is None:
        ranges = depth_ranges(cameras, photos.points, margin=0.4)
        if ranges.guessed:
            ranges = _narrowed(cameras, grey, ranges, config)
    if len(ranges.near) != len(photos):
        raise ShapeMismatch(f"depth ranges of {len(ranges.near)} views for {len(photos)} photos")
    found = _measure(cameras, grey, ranges, config)
    if config.fill:
        colors = [photos.image(row).cpu() for row in range(len(photos))]
        found = _filled(found, colors)
        seen_through = compare_depths(cameras, found.depth_z, (found.confidence - MEASURED + 1e-6).clamp_min(0))
        wrong = (found.confidence < MEASURED) & (seen_through.contradicting > 0)
        found = replace(found, confidence=torch.where(wrong, torch.zeros(()), found.confidence))
    return replace(found, warnings=(*ranges.warnings, *found.warnings))


def _grey(image: Float[Tensor, "h w 3"]) -> Float[Tensor, "h w"]:
    red, green, blue = image.detach().cpu().float().unbind(-1)
    return _GREY[0] * red + _GREY[1] * green + _GREY[2] * blue


def _measure(cameras: Cameras, grey: list[Float[Tensor, "h w"]], ranges: DepthRanges, config: SweepConfig) -> DepthMaps:
    """Depth of all views, with confidence where another view confirms it."""
    sources = choose_sources(cameras, ranges.near, ranges.far, config.n_sources)
    depth, similarity = [], []
    for view, others in enumerate(sources):
        limits = 1 / float(ranges.far[view]), 1 / float(ranges.near[view])
        if others:
            planes = _view_planes(cameras, grey, view, others, limits, config)
            depth.append(1 / planes.inverse_depth)
            similarity.append(planes.similarity)
        else:
            depth.append(torch.full_like(grey[view], 2 / sum(limits)))
            similarity.append(torch.full_like(grey[view], -1.0))
    alike = torch.stack(similarity)
    depth_z = torch.stack(depth)
    agreement = compare_depths(cameras, depth_z, (alike + 1).clamp_min(0), config.agreement)
    sure = (agreement.confirming > agreement.contradicting) & (alike > config.least_similarity)
    share = ((alike - config.least_similarity) / (1 - config.least_similarity)).clamp(0, 1)
    votes = 1 - 0.5 ** agreement.confirming.to(share)
    confidence = torch.where(sure, MEASURED + (1 - MEASURED) * share * votes, torch.zeros_like(share))
    return DepthMaps(depth_z, confidence, _complaints(sources, confidence))


def _complaints(sources: tuple[tuple[int, ...], ...], confidence: Float[Tensor, "n h w"]) -> tuple[str, ...]:
    alone = [str(view) for view, others in enumerate(sources) if not others]
    share = (confidence > 0).float().mean((1, 2))
    blind = [str(view) for view, others in enumerate(sources) if others and float(share[view]) < 0.01]
    complaints = []
    if alone:
        complaints.append(f"no other photo overlaps with view {', '.join(alone)}: it has no depth")
    if blind:
        complaints.append(
            f"depth of less than 1 % of view {', '.join(blind)} could be confirmed: little texture, or views too different"
        )
    return tuple(complaints)


def _view_planes(
    cameras: Cameras,
    grey: list[Float[Tensor, "h w"]],
    view: int,
    others: tuple[int, ...],
    limits: tuple[float, float],
    config: SweepConfig,
) -> PixelPlanes:
    """Coarse to fine: planes through the space first, then slanted planes at every size."""
    found, reach = None, 0.0
    for height, width in _sizes(cameras.height, cameras.width, config.coarse_px):
        sized = cameras.resized(width, height)
        ways = [PairWarp.between(sized, view, other) for other in others]
        images = [_shrunk(grey[i], height, width) for i in (view, *others)]
        photos = Photos(images[0], images[1:], ways, float(sized.K[view, 0, 0]))
        if found is None:
            n = config.planes or _plane_count(sized, ways, limits)
            values = torch.linspace(*limits, n, dtype=torch.float64).float()
            alike = sweep(Windows.of(images[0], config.radius), images[1:], ways, values)
            cost = aggregate((1 - alike.clamp_min(0)).permute(1, 2, 0).contiguous(), images[0], config.smoothness)
            step = (limits[1] - limits[0]) / (n - 1)
            found = PixelPlanes.through(limits[0] + step * winners(cost), photos.focal)
            found = search(photos, found, limits, reach=2 * step, rounds=config.rounds[0], config=config.search)
            reach = 2 * step
        else:
            reach /= 2
            larger = found.enlarged(height, width)
            found = search(photos, larger, limits, reach=reach, rounds=config.rounds[1], config=config.search)
    assert found is not None
    return found


def _sizes(height: int, width: int, coarse_px: int) -> list[tuple[int, int]]:
    sizes = [(height, width)]
    while max(sizes[0]) > coarse_px:
        sizes.insert(0, (math.ceil(sizes[0][0] / 2), math.ceil(sizes[0][1] / 2)))
    return sizes


def _shrunk(image: Float[Tensor, "h w"], height: int, width: int) -> Float[Tensor, "h2 w2"]:
    if image.shape == (height, width):
        return image
    return torch.nn.functional.interpolate(image[None, None], size=(height, width), mode="area")[0, 0]


def _plane_count(cameras: Cameras, ways: list[PairWarp], limits: tuple[float, float]) -> int:
    pixels = sample_pixels(cameras).float()
    longest = max(float(motion_px(way, pixels, limits).quantile(0.9)) for way in ways)
    return min(max(math.ceil(longest) + 1, 48), 256)


def _narrowed(
    cameras: Cameras, grey: list[Float[Tensor, "h w"]], wide: DepthRanges, config: SweepConfig
) -> DepthRanges:
    """Guessed ranges, brought to what a sweep at a quarter of the size confirms."""
    height, width = _sizes(cameras.height, cameras.width, max(config.coarse_px // 2, 16))[0]
    small = [_shrunk(image, height, width) for image in grey]
    found = _measure(cameras.resized(width, height), small, wide, config)
    near, far = wide.near.clone(), wide.far.clone()
    for view in wide.guessed:
        depths = found.depth_z[view][found.confidence[view] > 0].double()
        if len(depths) >= 0.02 * height * width:
            near[view] = max(float(near[view]), 0.7 * float(depths.quantile(0.01)))
            far[view] = min(float(far[view]), 1.4 * float(depths.quantile(0.99)))
    return DepthRanges(near, far, wide.warnings, wide.guessed)


def _filled(maps: DepthMaps, colors: list[Float[Tensor, "h w 3"]]) -> DepthMaps:
    """Unknown depth by edge-aware interpolation of inverse depth, where something known is near enough."""
    depth_z, confidence = maps.depth_z.clone(), maps.confidence.clone()
    for view, color in enumerate(colors):
        known = maps.confidence[view]
        inverse = known / maps.depth_z[view]
        total, weight = spread(torch.stack([inverse, known], -1), color).unbind(-1)
        blank = (color == 0).all(-1)  # what undistortion leaves, or a mask
        found = (known == 0) & (weight > _LEAST_SUPPORT) & ~blank
        depth_z[view][found] = (weight / total.clamp_min(1e-12))[found]
        confidence[view][found] = _INTERPOLATED * weight[found].clamp(0.2, 1)
    return DepthMaps(depth_z, confidence, maps.warnings)
