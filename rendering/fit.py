"""Fit Gaussians to photos, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from ..core.errors import InvalidInput, NotFinite
from ..core.random import numpy_rng, torch_rng
from ..data.cameras import Cameras
from ..data.posed_images import PosedImages
from .densify import (
    Densify,
    GradientDensify,
    MonteCarloDensify,
    PullStatistics,
    densify_by_gradient,
    densify_by_relocation,
    reset_opacities,
    shake,
)
from .fit_features import FeatureTraining
from .gaussians import GaussianCloud
from .parameters import SplatParameters, gradient_in_image
from .rasterize import rasterization
from .sparse_view import dropped_opacities, scaled_opacity_logits, without_dropout
from .ssim import ssim


@dataclass(frozen=True)
class Rates:
    """Learning rates of Adam (Kerbl et al., SIGGRAPH 2023, appendix)."""

    means: float = 1.6e-4
    """At the first step, times the scene's extent."""
    means_last: float = 1.6e-6
    """At the last step, times the scene's extent; exponential in between."""
    quats: float = 1e-3
    log_scales: float = 5e-3
    opacity_logits: float = 5e-2
    sh0: float = 2.5e-3
    sh_rest: float = 1.25e-4


@dataclass(frozen=True)
class FitConfig:
    """How Gaussians are fitted; the defaults are plain 3D Gaussian splatting (Kerbl et al., SIGGRAPH 2023)."""

    steps: int = 7_000
    """Optimiser steps, one photo each."""
    sh_degree: int = 3
    """Degree of the colour harmonics, 0 to 3."""
    sh_every: int = 1_000
    """Steps until the next degree of the harmonics is used."""
    ssim_weight: float = 0.2
    """Weight of 1 - SSIM beside the absolute difference."""
    rates: Rates = field(default_factory=Rates)
    """Learning rates."""
    densify: Densify | None = field(default_factory=GradientDensify)
    """How Gaussians are added and removed."""
    antialiased: bool = False
    """Lower opacities of Gaussians that are smaller than a pixel (Yu et al., Mip-Splatting, CVPR 2024)."""
    random_background: bool = False
    """Another background colour in each step, so that nothing transparent is left to look like it."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Colour behind everything, 0..1."""
    opacity_decay: float = 1.0
    """Every opacity times this after each step (Binocular3DGS, Han et al., NeurIPS 2024); 1 for none."""
    decay_start: int = 500
    """First step of the decay."""
    dropout: float = 0.0
    """Part of the Gaussians that is left out in each step; at the end opacities are multiplied by the rest."""
    dropout_start: int = 500
    """First step with dropout."""
    seed: int = 0
    """Of the order of the photos and all that is random."""


@dataclass(frozen=True)
class StepResult:
    """What a step did."""

    step: int
    """Steps done."""
    loss: float
    psnr: float
    """Of the photo of this step, dB, before the step."""
    gaussians: int


@dataclass(frozen=True, eq=False)
class Rendering:
    """One image of the Gaussians."""

    image: Float[Tensor, "h w 3"]
    alpha: Float[Tensor, "h w"]
    depth_z: Float[Tensor, "h w"] | None
    """Expected depth along the optical axis, where it was asked for."""
    means2d: Float[Tensor, "1 g 2"]
    radii: Int32[Tensor, "g 2"]


@dataclass(frozen=True, eq=False)
class Term:
    """A further term of the loss."""

    loss: Callable[[Fit, int, Rendering], Float[Tensor, ""]]
    """From the fit, the number of the photo and what was rendered, depth included."""
    weight: float
    """At the first step."""
    weight_last: float | None = None
    """At the last step, exponential in between; None for the same throughout."""
    start: int = 0
    """First step in which it counts."""

    def __call__(self, fit: Fit, photo: int, rendered: Rendering) -> Float[Tensor, ""]:
        """The term of the fit's present step."""
        weight = self.weight
        if self.weight_last is not None:
            progress = fit.done / max(fit.config.steps - 1, 1)
            weight = weight ** (1 - progress) * self.weight_last**progress
        return weight * self.loss(fit, photo, rendered)


class Fit:
    """Gaussians on their way to the photos. The world should be scaled so that cameras are about 1 apart.

    Args:
        photos: With pinhole cameras.
        start: Where to begin.
        config: How.
        terms: Further terms of the loss.
        features: Features of points that Gaussians are decoded from; plain Gaussians without.
        backend: Of the rasterisation.

    Raises:
        InvalidInput: No photo, or cameras with distortion.
    """

    def __init__(
        self,
        photos: PosedImages,
        start: GaussianCloud,
        config: FitConfig,
        *,
        terms: tuple[Term, ...] = (),
        features: FeatureTraining | None = None,
        backend: str = "auto",
    ) -> None:
        if not len(photos):
            raise InvalidInput("no photo to fit Gaussians to; give at least one")
        if photos.cameras.has_distortion:
            raise InvalidInput(
                "the cameras' lenses distort; undistort the photos first (data.resample.undistort_photos)"
            )
        self.config, self.terms, self.features, self.backend = config, terms, features, backend
        self.cameras: Cameras = photos.cameras
        self.images = photos.images()
        self.extent = scene_extent(photos.cameras)
        rates = config.rates
        self.parameters = SplatParameters(
            start.with_degree(config.sh_degree),
            {
                "means": rates.means * self.extent,
                "quats": rates.quats,
                "log_scales": rates.log_scales,
                "opacity_logits": rates.opacity_logits,
                "sh0": rates.sh0,
                "sh_rest": rates.sh_rest,
                "learned": 0.0 if features is None else features.config.learned_rate,
            },
            {} if features is None else {"learned": features.first_residuals(start)},
        )
        self.pull = PullStatistics(len(start))
        self.done = 0
        self._skipped = 0
        self._order: tuple[int, list[int]] = (-1, [])

    def step(self) -> StepResult:
        """One photo, one step of the optimiser, and what densification asks for.

        Raises:
            NotFinite: Ten steps in a row had a loss that is not finite.
        """
        photo = self._photo(self.done)
        terms = [term for term in self.terms if term.start <= self.done]
        rendered = self.render(self.cameras[photo], training=True, depth=bool(terms))
        image, target = rendered.image, self.images[photo]
        difference = image - target
        loss = self._photometric(image, target, difference)
        for term in terms:
            loss = loss + term(self, photo, rendered)
        if isinstance(self.config.densify, MonteCarloDensify):
            loss = loss + self.config.densify.opacity_weight * self.parameters["opacity_logits"].sigmoid().mean()
            loss = loss + self.config.densify.scale_weight * self.parameters["log_scales"].exp().mean()
        result = StepResult(
            self.done + 1,
            float(loss.detach()),
            -10 * math.log10(max(float(difference.detach().square().mean()), 1e-12)),
            len(self.parameters),
        )
        if not math.isfinite(result.loss):
            self._recover()
            self.done += 1
            return result
        self._skipped = 0
        rendered.means2d.retain_grad()
        loss.backward()
        self._after_backward(rendered)
        self.done += 1
        return result

    def render(self, camera: Cameras, *, training: bool = False, depth: bool = False) -> Rendering:
        """The image of one camera; ``training`` with dropout, a random background and the harmonics of the step."""
        config = self.config
        degree = min(self.done // config.sh_every, config.sh_degree) if training else config.sh_degree
        cloud = self._cloud(degree, training)
        image, alpha, meta = rasterization(
            cloud.means,
            cloud.quats,
            cloud.log_scales.exp(),
            self._opacities(cloud.opacity_logits.sigmoid(), training),
            cloud.sh,
            camera.camera_from_world,
            camera.K,
            camera.width,
            camera.height,
            sh_degree=degree,
            packed=False,
            backgrounds=self._background(training),
            render_mode="RGB+ED" if depth else "RGB",
            absgrad=isinstance(config.densify, GradientDensify) and config.densify.absolute,
            rasterize_mode="antialiased" if config.antialiased else "classic",
            backend=self.backend,
        )
        return Rendering(
            image[0, ..., :3], alpha[0, ..., 0], image[0, ..., 3] if depth else None, meta["means2d"], meta["radii"][0]
        )

    def result(self) -> GaussianCloud:
        """The Gaussians as they should be rendered: what dropout left out on average is in the opacities."""
        cloud = self.parameters.cloud()
        if self.features is not None:
            cloud = self.features.decoded(cloud, self.parameters["learned"].detach())
        return without_dropout(cloud, self.config.dropout)

    def tree(self) -> dict[str, Any]:
        """Everything that is needed to go on, for a checkpoint."""
        tree = {"done": self.done, "parameters": self.parameters.tree(), "pull": self.pull.tree()}
        return tree if self.features is None else {**tree, "features": self.features.tree()}

    def load(self, tree: dict[str, Any]) -> None:
        """Go on from what :meth:`tree` gave."""
        self.done = tree["done"]
        self.parameters.load(tree["parameters"])
        self.pull = PullStatistics(len(self.parameters))
        self.pull.total, self.pull.count = tree["pull"]["total"].clone(), tree["pull"]["count"].clone()
        if self.features is not None:
            self.features.load(tree["features"], self.parameters)

    def _photo(self, step: int) -> int:
        """Every photo once an epoch, in an order of the epoch's own."""
        n = len(self.images)
        epoch = step // n
        if self._order[0] != epoch:
            self._order = (epoch, numpy_rng(self.config.seed, "photos", epoch).permutation(n).tolist())
        return self._order[1][step % n]

    def _photometric(self, image: Tensor, target: Tensor, difference: Tensor) -> Tensor:
        weight = self.config.ssim_weight
        loss = (1 - weight) * difference.abs().mean()
        return loss + weight * (1 - ssim(image, target)) if weight else loss

    def _cloud(self, degree: int, training: bool) -> GaussianCloud:
        """The Gaussians of a render, with harmonics up to a degree."""
        p = self.parameters
        bands = (degree + 1) ** 2
        sh = torch.cat([p["sh0"], p["sh_rest"][:, : bands - 1]], 1) if degree else p["sh0"]
        if self.features is None:
            return GaussianCloud(p["means"], p["quats"], p["log_scales"], p["opacity_logits"], sh)
        base = GaussianCloud(
            p["means"], p["quats"], p["log_scales"], p["opacity_logits"], torch.cat([p["sh0"], p["sh_rest"]], 1)
        )
        features, learned = self.features, p["learned"]
        cloud = features.added_to(base, learned, self.done) if training else features.decoded(base, learned)
        return replace(cloud, sh=cloud.sh[:, :bands])

    def _opacities(self, opacities: Float[Tensor, "g"], training: bool) -> Float[Tensor, "g"]:
        part = self.config.dropout
        if not part:
            return opacities
        if not training:
            return opacities * (1 - part)
        if self.done < self.config.dropout_start:
            return opacities
        return dropped_opacities(opacities, part, torch_rng(self.config.seed, "dropout", self.done))

    def _background(self, training: bool) -> Float[Tensor, "1 3"]:
        like = self.parameters["means"]
        if training and self.config.random_background:
            return torch.rand(1, 3, generator=torch_rng(self.config.seed, "background", self.done)).to(like)
        return like.new_tensor([self.config.background])

    def _after_backward(self, rendered: Rendering) -> None:
        config, densify, p = self.config, self.config.densify, self.parameters
        progress = self.done / max(config.steps - 1, 1)
        rate = self.extent * config.rates.means ** (1 - progress) * config.rates.means_last**progress
        p.set_rate("means", rate)
        if isinstance(densify, GradientDensify) and self.done < densify.stop:
            absolute, camera = densify.absolute, self.cameras
            self.pull.add(
                gradient_in_image(rendered.means2d, camera.width, camera.height, absolute=absolute),
                rendered.radii,
            )
        changes = self._changes_gaussians(self.done)
        if self.features is not None and (changes or self.features.is_due(self.done)):
            self.features.learn(self.done)
        p.step()
        if config.opacity_decay < 1 and self.done >= config.decay_start:
            logits = p["opacity_logits"].detach()
            logits.copy_(scaled_opacity_logits(logits, config.opacity_decay))
        if isinstance(densify, GradientDensify):
            self._densify_by_gradient(densify)
        elif isinstance(densify, MonteCarloDensify):
            if changes:
                densify_by_relocation(p, densify, torch_rng(config.seed, "relocate", self.done))
            shake(p, densify, rate, torch_rng(config.seed, "shake", self.done))
        if self.features is not None and changes:
            self.features.forget_points()

    def _changes_gaussians(self, step: int) -> bool:
        """Whether some come or go after this step."""
        densify = self.config.densify
        return densify is not None and densify.start < step < densify.stop and step % densify.every == 0

    def _densify_by_gradient(self, densify: GradientDensify) -> None:
        step = self.done
        if self._changes_gaussians(step):
            was_reset = bool(densify.reset_every) and step > densify.reset_every
            generator = torch_rng(self.config.seed, "split", step)
            densify_by_gradient(
                self.parameters, self.pull.mean(), densify, self.extent, generator, prune_large=was_reset
            )
            self.pull = PullStatistics(len(self.parameters))
        if densify.reset_every and 0 < step < densify.stop and step % densify.reset_every == 0:
            reset_opacities(self.parameters, 2 * densify.prune_opacity)

    def _recover(self) -> None:
        """Leave out the step; remove Gaussians that are not finite."""
        self._skipped += 1
        self.parameters.optimizer.zero_grad(set_to_none=True)
        if self._skipped >= 10:
            raise NotFinite(
                f"the loss was not finite ten times in a row, up to step {self.done + 1}; lower the learning rates, or "
                "look for photos or cameras that hold NaN"
            )
        good = self.parameters.cloud().finite_rows()
        if len(good) < len(self.parameters):
            self.parameters.change(good)
            self.pull = PullStatistics(len(good))
        if self.features is not None:
            self.features.forget_points()


def scene_extent(cameras: Cameras) -> float:
    """1.1 times the largest distance of a camera from the mean of the cameras; 1 for a single place."""
    centers = cameras.centers
    radius = float((centers - centers.mean(0)).norm(dim=1).max()) if len(cameras) else 0.0
    return 1.1 * radius if radius > 1e-6 else 1.0
