"""What an event camera at some pose is predicted to see, and how far that is from what it reported.

Low and Lee, *Robust e-NeRF*, ICCV 2023. Rays go from where the camera was at the end of the refractory period after a pixel's
event before, and from where it was at the event; what they see must differ by one threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from ...data.rays import Rays
from ...data.trajectory import Trajectory
from ...events.generation import log_brightness_change, log_brightness_slope, random_part, reference_times
from ...events.losses import difference_loss, gradient_loss, total_variation_loss
from ...events.sensor import EventSensor
from ...rendering.radiance.field import RadianceField
from ...rendering.radiance.occupancy import OccupancyGrid
from ...rendering.radiance.render import MovingRays, Visibility, render, render_tangent, sample_rays
from ...rendering.radiance.samples import RaySamples
from ...rendering.radiance.steps import MarchingSteps
from ...rendering.radiance.tangents import Moving, carry
from ...rendering.radiance.volume import RenderedRays, composite
from .config import LossConfig
from .samples import EventBatch


@dataclass(frozen=True, eq=False)
class Draws:
    """Everything random about a batch."""

    jitter: Callable[[int], Float[Tensor, "_"] | None]
    """By which part of a step each of so many rays begins later; None: none does."""
    slope_share: Float64[Tensor, "e"]
    """Where in each interval the slope is looked at, 0..1."""
    part: Float64[Tensor, "2 e"]
    """Uniform numbers from which parts of intervals follow, see :func:`trisparse.events.generation.random_part`."""


@dataclass(frozen=True, eq=False)
class Brightness:
    """What some rays see."""

    log_intensity: Float[Tensor, "e"]
    """Of the pixel's own colour, the smallest intensity added."""
    opacity: Float[Tensor, "e"]


@dataclass(frozen=True, eq=False)
class EventLosses:
    """Terms of the loss, each times its weight, and what they cost."""

    terms: dict[str, Float[Tensor, ""]]
    samples: int
    """Along all rays."""
    rays: int

    @property
    def total(self) -> Float[Tensor, ""]:
        """Their sum."""
        return torch.stack([term.double() for term in self.terms.values()]).sum()


@dataclass(frozen=True, eq=False)
class EventModel:
    """A scene, the sensor that saw it, and where the sensor was."""

    field: RadianceField
    sensor: EventSensor
    trajectory: Trajectory
    grid: OccupancyGrid
    steps: MarchingSteps
    raw_background: nn.Parameter | None
    """Softplus of it is seen where nothing is; None: nothing is black, and rays that meet nothing do not count."""
    min_intensity: float
    visibility: Visibility
    backend: str = "auto"

    @property
    def background(self) -> Float[Tensor, "c"] | None:
        """Intensity that is seen where nothing is."""
        return None if self.raw_background is None else nn.functional.softplus(self.raw_background)

    def with_grid(self, grid: OccupancyGrid) -> EventModel:
        """The same with another grid."""
        return replace(self, grid=grid)

    def rays_at(self, t: Float64[Tensor, "e"], plane: Float64[Tensor, "e 2"]) -> Float64[Tensor, "e 6"]:
        """Origins and unit directions, side by side, of pixels at some times (ns since the first pose)."""
        poses = self.trajectory.pose_at(t)
        through = nn.functional.pad(plane, (0, 1), value=1.0)
        directions = (poses.rotations @ through[:, :, None])[:, :, 0]
        return torch.cat([poses.centers, nn.functional.normalize(directions, dim=1)], 1)

    def sampled(self, rays: Rays, jitter: Float[Tensor, "_"] | None = None) -> RaySamples:
        """Where rays are sampled."""
        fixed = Rays(rays.origins.detach(), rays.directions.detach())
        return sample_rays(
            self.field, fixed, self.grid, self.steps, jitter, visibility=self.visibility, backend=self.backend
        )

    def see(self, rays: Rays, samples: RaySamples) -> RenderedRays:
        """Intensities that rays see, the smallest intensity not added."""
        return render(self.field, rays, samples, self.background, backend=self.backend)

    def losses(
        self, batch: EventBatch, draws: Draws, config: LossConfig, windows: EventBatch | None = None
    ) -> EventLosses:
        """Compare what is rendered with events.

        Args:
            batch: Single events.
            draws: Of the batch.
            config: Which terms count how much.
            windows: Windows of events, for their term.
        """
        terms: dict[str, Tensor] = {}
        renderings: list[RaySamples] = []
        thresholds = self.sensor.thresholds
        start = reference_times(batch.t_previous, self.sensor.refractory_period_ns)
        change = log_brightness_change(batch.n_positive, batch.n_negative, thresholds)
        is_awake = start.detach() < batch.t_event
        start = torch.minimum(start, batch.t_event)
        if config.difference:
            predicted, is_valid = self._change(batch, start, batch.t_event, draws, renderings)
            terms["difference"] = config.difference * difference_loss(
                predicted,
                change,
                thresholds.mean,
                is_valid & is_awake,
                error=config.difference_error,
                weight=config.difference_weight,
            )
        if config.gradient:
            slope = log_brightness_slope(change, start, torch.where(is_awake, batch.t_event, batch.t_event + 1))
            t = torch.lerp(start, batch.t_event, draws.slope_share)
            predicted, is_valid = self._slope(batch, t, draws, renderings, is_complete=config.complete_gradient)
            terms["gradient"] = config.gradient * gradient_loss(
                predicted, slope, thresholds.mean, is_valid & is_awake, error=config.gradient_error
            )
        if config.total_variation:
            first, last = random_part(start, batch.t_event, draws.part)
            predicted, is_valid = self._change(batch, first, last, draws, renderings)
            loss = total_variation_loss(predicted, thresholds.mean, is_valid & is_awake)
            terms["total_variation"] = config.total_variation * loss
        if config.windows and windows is not None:
            terms["windows"] = config.windows * self._window_loss(windows, draws, config, renderings)
        return EventLosses(terms, sum(map(len, renderings)), sum(samples.n_rays for samples in renderings))

    def _window_loss(
        self, windows: EventBatch, draws: Draws, config: LossConfig, renderings: list[RaySamples]
    ) -> Float[Tensor, ""]:
        period = self.sensor.refractory_period_ns
        start = torch.minimum(reference_times(windows.t_previous, period), windows.t_event)
        whole = (windows.t_event - start).detach()
        asleep = (config.window_length - 1) * period.detach()
        seen_share = (1 - asleep / whole.clamp_min(1e-9)).clamp(0, 1)
        change = log_brightness_change(windows.n_positive, windows.n_negative, self.sensor.thresholds)
        predicted, is_valid = self._change(windows, start, windows.t_event, draws, renderings)
        return difference_loss(
            predicted,
            change,
            self.sensor.thresholds.mean,
            is_valid & (whole > 0),
            error=config.difference_error,
            weight=config.difference_weight,
            importance=seen_share,
        )

    def _change(
        self,
        batch: EventBatch,
        first: Float64[Tensor, "e"],
        last: Float64[Tensor, "e"],
        draws: Draws,
        renderings: list[RaySamples],
    ) -> tuple[Float[Tensor, "e"], Bool[Tensor, "e"]]:
        """Rendered change of log intensity between two times each, and which of them count."""
        n = len(batch)
        both = torch.cat([batch.plane, batch.plane])
        rays = self._typed(self.rays_at(torch.cat([first, last]), both))
        samples = self.sampled(rays, draws.jitter(2 * n))
        renderings.append(samples)
        seen = self._brightness(self.see(rays, samples), torch.cat([batch.channel, batch.channel]))
        change = seen.log_intensity[n:] - seen.log_intensity[:n]
        return change, self._counts((seen.opacity[:n] > 0) | (seen.opacity[n:] > 0))

    def _slope(
        self,
        batch: EventBatch,
        t: Float64[Tensor, "e"],
        draws: Draws,
        renderings: list[RaySamples],
        *,
        is_complete: bool,
    ) -> tuple[Float64[Tensor, "e"], Bool[Tensor, "e"]]:
        """Rendered slope of the log intensity (per ns) at fixed distances of the samples, and which of them count."""
        moved = carry(lambda at: self.rays_at(at, batch.plane), Moving(t, torch.ones_like(t)))
        rays, rates = self._typed(moved.value), self._typed(moved.tangent)
        moving = MovingRays(rays, rates.origins, rates.directions)
        samples = self.sampled(rays, draws.jitter(len(batch)))
        renderings.append(samples)
        if is_complete:
            value, rate = render_tangent(self.field, moving, samples, self.background, backend=self.backend)
            seen = self._brightness(value, batch.channel)
            slope = rate.colors.gather(1, batch.channel[:, None])[:, 0] / seen.log_intensity.exp()
        else:
            seen, slope = self._slope_as_original(moving, samples, batch)
        return slope.double(), self._counts(seen.opacity > 0)

    def _slope_as_original(
        self, moving: MovingRays, samples: RaySamples, batch: EventBatch
    ) -> tuple[Brightness, Float[Tensor, "e"]]:
        """The same with the original's gradients: what its rendering weights hand back is a constant to them."""
        rays, channel = moving.rays, batch.channel
        positions = Moving(
            samples.positions(rays.origins, rays.directions),
            samples.positions(moving.origins_rate, moving.directions_rate),
        )
        emission = self.field.moving(positions, Moving(rays.directions, moving.directions_rate), samples.ray_indices)
        sigma, rgb = emission.sigma, emission.rgb
        density = sigma.value.detach().requires_grad_()
        fixed = composite(density, rgb.value.detach(), samples, _detached(self.background), backend="torch")
        log = self._brightness(fixed, channel).log_intensity
        (by_density,) = torch.autograd.grad(log.sum(), density)
        rendered = composite(sigma.value, rgb.value, samples, self.background, backend="torch")
        seen = self._brightness(rendered, channel)
        own_rate = rgb.tangent.gather(1, channel[samples.ray_indices][:, None])[:, 0]
        intensity = seen.log_intensity.exp()
        parts = by_density * sigma.tangent + rendered.weights * own_rate / intensity[samples.ray_indices]
        return seen, torch.zeros_like(intensity).index_add(0, samples.ray_indices, parts)

    def _brightness(self, rendered: RenderedRays, channel: Tensor) -> Brightness:
        own = rendered.colors.gather(1, channel[:, None])[:, 0]
        return Brightness((own + self.min_intensity).log(), rendered.opacity)

    def _counts(self, met: Bool[Tensor, "e"]) -> Bool[Tensor, "e"]:
        return met if self.raw_background is None else torch.ones_like(met)

    def _typed(self, rays: Float64[Tensor, "e 6"]) -> Rays:
        return Rays(*rays.to(self.grid.aabb).split(3, 1))


def _detached(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.detach()
