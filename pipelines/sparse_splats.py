"""From a few posed photos to Gaussians: world brought to scale, initial points, the fit, and back into the photos' world."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.errors import InvalidInput
from ..data.posed_images import PosedImages, SparsePoints
from ..data.resample import filled_intrinsics, resize_photos, undistort_photos
from ..rendering.densify import GradientDensify
from ..rendering.early_stop import EarlyStop, Watch
from ..rendering.features import Views
from ..rendering.fit import Fit, FitConfig, StepResult
from ..rendering.fit_features import FeaturesConfig, FeatureTraining
from ..rendering.gaussians import GaussianCloud
from ..rendering.initialise import How, initial_points, normalise_scene
from ..rendering.learned.depth import LearnedDepth
from ..rendering.planesweep import DepthMaps, depth_maps
from ..rendering.point_features import PointFeaturesConfig
from ..rendering.terms import TermsConfig, terms_of


@dataclass(frozen=True)
class SplatMethod:
    """How photos become Gaussians."""

    initialise: How | LearnedDepth = "auto"
    """Where the first Gaussians are: a plane sweep over the photos ("auto", "planesweep"), points of structure from motion that
    at least two of the photos see ("sfm"), anywhere the cameras look ("random"), or depth by a learned model (its name, or a
    :class:`trisparse.rendering.learned.depth.LearnedDepth` that says where its weights are)."""
    fit: FitConfig = field(default_factory=FitConfig)
    """The optimisation."""
    terms: TermsConfig = field(default_factory=TermsConfig)
    """Further terms of its loss."""
    features: FeaturesConfig | None = None
    """Features of points that Gaussians are decoded from, after PointGS; plain Gaussians without."""
    background: Literal["black", "mean"] = "black"
    """Colour behind everything, in the fit and afterwards: black, as published, or the mean of the photos (ours). Dark things
    are not made of holes then, and what no photo shows is less wrong."""

    early_stop: EarlyStop | None = None
    """When to end before the last step."""

    def with_steps(self, steps: int) -> SplatMethod:
        """The same with another number of steps; what is scheduled by their number moves along."""
        densify = self.fit.densify
        if densify is not None:
            densify = replace(densify, stop=max(round(densify.stop * steps / self.fit.steps), densify.start + 1))
        return replace(self, fit=replace(self.fit, steps=steps, densify=densify))


def plain(steps: int = 3_000) -> FitConfig:
    """Plain 3D Gaussian splatting with the published rates, for a number of steps: densified in the first half of them."""
    return FitConfig(steps=steps, densify=GradientDensify(stop=max(steps // 2, 501)))


_FEW = GradientDensify(start=500, stop=1_000, threshold=5e-4, reset_every=0)
"""Few photos leave much undetermined: fewer new Gaussians, and none forgotten by a reset."""


def sparse(*, decay: float = 1.0, dropout: float = 0.0, antialiased: bool = False) -> FitConfig:
    """For few photos: fewer steps, harmonics of degree 1, fewer new Gaussians; and what else is named."""
    return FitConfig(
        steps=2_000, sh_degree=1, densify=_FEW, opacity_decay=decay, dropout=dropout, antialiased=antialiased
    )


def _plane_sweep(fit: FitConfig | None = None, **more: Any) -> SplatMethod:
    return SplatMethod("planesweep", plain() if fit is None else fit, **more)


_DECAY, _DROPOUT = 0.999, 0.2
_BINOCULAR = TermsConfig(binocular=1.0, binocular_from=0.5)
_SMOOTH = TermsConfig(smoothness=1.0)
_ALL = TermsConfig(binocular=1.0, binocular_from=0.5, depth=0.1, smoothness=1.0, consistency=0.1)
_COLORS = PointFeaturesConfig(interaction=0)

METHODS: dict[str, SplatMethod] = {
    "3dgs": SplatMethod("sfm", plain()),
    "3dgs-random": SplatMethod("random", plain()),
    "3dgs-planesweep": _plane_sweep(),
    # One thing more than plain Gaussians from a plane sweep each:
    "sparse": _plane_sweep(sparse()),
    "decay": _plane_sweep(sparse(decay=_DECAY)),
    "dropout": _plane_sweep(sparse(dropout=_DROPOUT)),
    "background": _plane_sweep(sparse(), background="mean"),
    "binocular": _plane_sweep(sparse(), terms=_BINOCULAR),
    "depth": _plane_sweep(sparse(), terms=TermsConfig(depth=0.1)),
    "smoothness": _plane_sweep(sparse(), terms=_SMOOTH),
    "consistency": _plane_sweep(sparse(), terms=TermsConfig(consistency=0.1)),
    "antialiased": _plane_sweep(sparse(antialiased=True)),
    "features": _plane_sweep(sparse(), features=FeaturesConfig(_COLORS)),
    "attention": _plane_sweep(sparse(), features=FeaturesConfig()),
    # Several:
    "decay-dropout": _plane_sweep(sparse(decay=_DECAY, dropout=_DROPOUT)),
    "decay-dropout-background": _plane_sweep(sparse(decay=_DECAY, dropout=_DROPOUT), background="mean"),
    "all": _plane_sweep(sparse(decay=_DECAY, dropout=_DROPOUT), background="mean", terms=_ALL),
    "all-attention": _plane_sweep(
        sparse(decay=_DECAY, dropout=_DROPOUT), background="mean", terms=_ALL, features=FeaturesConfig()
    ),
    "ours-binocular": _plane_sweep(
        sparse(decay=_DECAY, dropout=_DROPOUT), background="mean", terms=replace(_BINOCULAR, smoothness=1.0)
    ),
    "ours-early-stop": _plane_sweep(
        sparse(decay=_DECAY, dropout=_DROPOUT), background="mean", terms=_SMOOTH, early_stop=EarlyStop()
    ),
    "ours": _plane_sweep(sparse(decay=_DECAY, dropout=_DROPOUT), background="mean", terms=_SMOOTH),
}
"""Methods by name, for commands and benchmarks."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The world in which Gaussians are fitted: x of the photos' world is ``new_from_old @ (scale * x)`` there."""

    scale: float
    new_from_old: Float[Tensor, "4 4"]

    def of_photos(self, photos: PosedImages) -> PosedImages:
        """The photos there, with cameras in single precision."""
        points = photos.points
        if points is not None:
            moved = self._points(points.cloud.points).float()
            points = SparsePoints(replace(points.cloud, points=moved), points.visible)
        cameras = photos.cameras.moved(self.scale, self.new_from_old)
        return replace(photos, cameras=cameras.to(torch.float32), points=points)

    def back(self, cloud: GaussianCloud) -> GaussianCloud:
        """Gaussians of that world in the photos' own."""
        rotation, shift = self.new_from_old[:3, :3].mT, self.new_from_old[:3, 3]
        return cloud.moved(1 / self.scale, rotation, -(rotation @ shift) / self.scale)

    def _points(self, points: Float[Tensor, "p 3"]) -> Float[Tensor, "p 3"]:
        turn = self.new_from_old.to(points)
        return (self.scale * points) @ turn[:3, :3].mT + turn[:3, 3]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A fit that has not begun."""

    fit: Fit
    frame: Frame
    warnings: tuple[str, ...]
    watch: Watch | None = None
    """Ends it early."""

    def tree(self) -> dict[str, Any]:
        """Everything that is needed to go on, for a checkpoint."""
        return {"fit": self.fit.tree(), **({} if self.watch is None else {"watch": self.watch.tree()})}

    def load(self, tree: dict[str, Any]) -> None:
        """Go on from what :meth:`tree` gave."""
        self.fit.load(tree["fit"])
        if self.watch is not None:
            self.watch.load(tree["watch"])


def prepare_photos(photos: PosedImages, longest: int | None) -> PosedImages:
    """Photos without distortion and without black margins, the longer side at most ``longest`` pixels."""
    width, height = photos.cameras.width, photos.cameras.height
    if longest is not None and max(width, height) > longest:
        factor = longest / max(width, height)
        photos = resize_photos(photos, max(round(width * factor), 1), max(round(height * factor), 1))
    if not photos.cameras.has_distortion:
        return photos
    return undistort_photos(photos, filled_intrinsics(photos.cameras))


def prepare_fit(photos: PosedImages, method: SplatMethod, *, backend: str = "auto") -> Prepared:
    """Bring the world to scale and place the first Gaussians.

    Args:
        photos: To train on, undistorted, at the size to train at.
        method: How.
        backend: Of the rasterisation.

    Raises:
        InvalidInput: The photos do not allow it (a single one, no baseline ...).
    """
    # What only other photos show must not leak into the fit, not even into its scale.
    known = None if photos.points is None else photos.points.seen_by(range(len(photos))).points
    scale, new_from_old = normalise_scene(photos.cameras, known)
    frame = Frame(scale, new_from_old)
    photos = frame.of_photos(photos)
    sweeps = method.initialise not in ("sfm", "random")
    has_features = method.features is not None and not method.features.network.is_off
    maps = depth_maps(photos) if sweeps or has_features or method.terms.needs_depth_maps else None
    start = initial_points(photos, method.initialise, maps=maps, seed=method.fit.seed)
    if not len(start.points):
        raise InvalidInput(
            "no initial point was found in the photos; try another initialiser, 'random' always finds some"
        )
    cloud, config = start.gaussians(), method.fit
    if method.background == "mean":
        red, green, blue = photos.images().double().mean((0, 1, 2)).tolist()
        config = replace(config, background=(red, green, blue))
    views = Views(photos.images(), photos.cameras, None if maps is None else _known_depth(maps))
    features = None
    if method.features is not None and has_features:
        features = FeatureTraining(method.features, views, config.steps, config.seed)
    terms = terms_of(method.terms, views, maps, config.steps)
    fit = Fit(photos, cloud, config, terms=terms, features=features, backend=backend)
    watch = None if method.early_stop is None else Watch(method.early_stop, views)
    return Prepared(fit, frame, (*photos.warnings, *start.warnings), watch)


def _known_depth(maps: DepthMaps) -> Float[Tensor, "n h w"]:
    return torch.where(maps.confidence > 0, maps.depth_z, torch.zeros_like(maps.depth_z))


def run_fit(prepared: Prepared, after_step: Callable[[StepResult], Any] | None = None) -> GaussianCloud:
    """All steps that are left, or until an early stop; the Gaussians in the photos' world."""
    fit, watch = prepared.fit, prepared.watch
    while fit.done < fit.config.steps and not (watch is not None and watch.is_over):
        result = fit.step()
        if watch is not None:
            watch.look(fit)
        if after_step is not None:
            after_step(result)
    best = None if watch is None else watch.best
    return prepared.frame.back(fit.result() if best is None else best)


def mean_camera_distance(photos: PosedImages, cloud: GaussianCloud) -> float:
    """Median distance from the cameras to what they see, for exports that viewers should not clip."""
    if not len(cloud):
        return 1.0
    projection = photos.cameras.to(cloud.means.dtype).project(cloud.means)
    values = projection.depth_z[projection.inside]
    distance = float(values.median()) if len(values) else 1.0
    return distance if math.isfinite(distance) and distance > 0 else 1.0
