"""The optimisation: batches whose size follows the samples, Adam, the occupancy grid, and the sensor's unknowns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ...core.errors import NotFinite
from ...core.random import torch_rng
from ...data.event_camera import ContrastThresholds
from ...data.event_recording import PosedRecording
from ...events.generation import truncated_normal
from ...events.sensor import EventSensor, allowed_refractory_period_ns, softplus_inverse
from ...rendering.radiance.nerf import NerfConfig, NerfField
from ...rendering.radiance.ngp import NgpField
from ...rendering.radiance.occupancy import OccupancyGrid, refresh
from ...rendering.radiance.render import Visibility
from .config import EventNerfConfig
from .model import Draws, EventLosses, EventModel
from .samples import EventBatch, PreparedEvents, prepare_events
from .space import box_of, find_space, marching_steps

UNKNOWN_THRESHOLDS = ContrastThresholds(0.25, 0.25)
"""Taken where a calibration does not say: the scale of log intensities stays unknown then, which it is anyway."""
_BAD_STEPS = 10


@dataclass(frozen=True)
class StepResult:
    """What a step did."""

    step: int
    """Counted from 1."""
    loss: float
    terms: Mapping[str, float]
    """Weighted."""
    events: int
    """In the batch."""
    samples: int
    """Along all rays."""
    samples_per_ray: float
    ratio: float
    """Of the thresholds, positive by negative."""
    refractory_period_ns: float


class EventNerf:
    """A radiance field on its way from a recording.

    Everything random is drawn anew for each step from the seed and the step's number, so that a training that goes on from
    :meth:`tree` takes the steps that it would have taken.
    """

    def __init__(
        self,
        recording: PosedRecording,
        config: EventNerfConfig,
        *,
        backend: str = "auto",
        device: str = "cpu",
    ) -> None:
        """Pair the events and start from a random field.

        Args:
            recording: Events, poses and calibration.
            config: All settings.
            backend: Of the field, marching and compositing.
            device: Of the field.

        Raises:
            InvalidInput: The recording does not allow it: no pixel fired twice; the scene's place is unknown.
        """
        camera = recording.camera
        channels = 3 if camera.is_color else 1
        self.config = config.with_channels(channels)
        self.recording = recording
        self.space = find_space(recording, config.space)
        period = camera.refractory_period_ns or 0.0
        loss = self.config.loss
        self.events: PreparedEvents = prepare_events(
            recording,
            refractory_period_ns=period,
            refractory_quantile=config.refractory_quantile,
            window_length=loss.window_length if loss.windows else None,
            share=config.events_share,
            seed=config.seed,
        )
        notes = list(self.events.notes)
        sensor, said = self._sensor(period)
        notes += said
        self.model = self._model(sensor, channels, backend, device)
        self.optimizer = self._optimizer(device)
        self.done = 0
        self._next_events = (config.optimiser.first_events, config.optimiser.first_events)
        self._bad_steps = 0
        self.notes = tuple(notes)

    @property
    def field(self) -> NgpField | NerfField:
        """The field as it is now."""
        assert isinstance(self.model.field, (NgpField, NerfField))
        return self.model.field

    def step(self) -> StepResult:
        """One step of the optimiser, and what the occupancy grid needs before it.

        Raises:
            NotFinite: Ten steps in a row had a loss that is not finite, or the field has a density that is not.
        """
        config, step = self.config, self.done
        generator = torch_rng(config.seed, "event nerf", step)
        self._refresh_grid(generator)
        batch = self.events.singles.draw(self._next_events[0], generator)
        windows = self._draw_windows(len(batch), generator)
        losses = self.model.losses(batch, self._draws(len(batch), generator), config.loss, windows)
        result = self._result(step, batch, losses)
        self.optimizer.zero_grad(set_to_none=True)
        if math.isfinite(result.loss):
            self._bad_steps = 0
            if losses.total.requires_grad:
                losses.total.backward()
            self._descend(step)
        else:
            self._count_bad_step(step)
        self._next_events = (self._next_events[1], self._events_for(result.samples_per_ray))
        self.done += 1
        return result

    def tree(self) -> dict[str, Any]:
        """Everything that is needed to go on, for a checkpoint."""
        grid, raw = self.model.grid, self.model.raw_background
        return {
            "step": self.done,
            "events": list(self._next_events),
            "field": dict(self.field.state_dict()),
            "sensor": dict(self.model.sensor.state_dict()),
            "background": None if raw is None else raw.detach(),
            "optimizer": self.optimizer.state_dict(),
            "occupancy": grid.occupancy,
            "occupied": grid.occupied,
        }

    def load(self, tree: Mapping[str, Any]) -> None:
        """Go on from what :meth:`tree` gave."""
        self.done = int(tree["step"])
        first, second = tree["events"]
        self._next_events = (int(first), int(second))
        self.field.load_state_dict(tree["field"])
        self.model.sensor.load_state_dict(tree["sensor"])
        if self.model.raw_background is not None:
            with torch.no_grad():
                self.model.raw_background.copy_(tree["background"])
        self.optimizer.load_state_dict(tree["optimizer"])
        grid, device = self.model.grid, self.model.grid.aabb.device
        occupancy, occupied = tree["occupancy"].to(device), tree["occupied"].to(device)
        self.model = self.model.with_grid(replace(grid, occupancy=occupancy, occupied=occupied))

    def _sensor(self, period: float) -> tuple[EventSensor, list[str]]:
        camera, config, notes = self.recording.camera, self.config, []
        largest = float(self.events.largest_refractory_period_ns)
        allowed, note = allowed_refractory_period_ns(period, largest)
        if note:
            notes.append(note)
        if camera.thresholds is None:
            notes.append("the calibration has no contrast thresholds: 0.25 was taken for both")
        sensor = EventSensor(
            camera.thresholds or UNKNOWN_THRESHOLDS,
            allowed,
            largest,
            learn_ratio=config.learn_ratio,
            learn_refractory_period=config.learn_refractory_period,
        )
        return sensor, notes

    def _model(self, sensor: EventSensor, channels: int, backend: str, device: str) -> EventModel:
        config, space = self.config, self.space
        contraction = space.contraction
        assert contraction is not None
        box = box_of(space).float().to(device)
        generator = torch_rng(config.seed, "field")
        if isinstance(config.network, NerfConfig):
            field: NgpField | NerfField = NerfField(config.network, box, contraction, generator)
        else:
            field = NgpField(config.network, box, contraction, generator, backend=backend)
        raw = None
        if config.has_background:
            one = softplus_inverse(torch.ones(channels, dtype=torch.float64))
            raw = nn.Parameter(one.float().to(device))
        return EventModel(
            field=field.to(device),
            sensor=sensor,
            trajectory=self.recording.trajectory,
            grid=OccupancyGrid.empty(box, contraction, space.occupancy_resolution),
            steps=marching_steps(space),
            raw_background=raw,
            min_intensity=config.min_intensity,
            visibility=Visibility(space.early_stop),
            backend=backend,
        )

    def _optimizer(self, device: str) -> torch.optim.Adam:
        config, field = self.config.optimiser, self.field
        table = [field.table] if isinstance(field, NgpField) else []
        layers = [value for value in field.parameters() if not any(value is other for other in table)]
        groups: list[dict[str, Any]] = [
            {"params": table, "lr": config.rate, "weight_decay": config.weight_decay if config.decays_table else 0.0},
            {"params": layers, "lr": config.rate, "weight_decay": config.weight_decay},
        ]
        if self.model.raw_background is not None:
            groups.append({"params": [self.model.raw_background], "lr": config.rate})
        sensor = self.model.sensor
        groups.append({"params": [sensor.raw_ratio], "lr": config.ratio_rate})
        groups.append({"params": [sensor.raw_period], "lr": config.refractory_rate})
        for group in groups:
            group["params"] = [value for value in group["params"] if value.requires_grad]
        self._rates = [group["lr"] for group in groups if group["params"]]
        return torch.optim.Adam([group for group in groups if group["params"]], fused=device == "cpu")

    def _refresh_grid(self, generator: torch.Generator) -> None:
        schedule, model = self.config.occupancy, self.model
        if schedule.is_due(self.done):
            centers = self.recording.trajectory.centers.to(model.grid.aabb)
            grid = refresh(model.grid, model.field.density, self.done, schedule, model.steps, generator, centers)
            if not bool(grid.occupancy.isfinite().all()):  # such a field would look empty, and its loss finite
                raise NotFinite(f"the field's density was not finite at step {self.done + 1}; lower the learning rate")
            self.model = model.with_grid(grid)

    def _draws(self, n: int, generator: torch.Generator) -> Draws:
        def jitter(count: int) -> Tensor:
            return torch.rand(count, generator=generator)

        slope = torch.rand(n, generator=generator, dtype=torch.float64)
        part = torch.rand(2, n, generator=generator, dtype=torch.float64)
        return Draws(jitter, truncated_normal(slope), part)

    def _draw_windows(self, n: int, generator: torch.Generator) -> EventBatch | None:
        return None if self.events.windows is None else self.events.windows.draw(max(1, n // 4), generator)

    def _descend(self, step: int) -> None:
        factor = self.config.optimiser.factor_at(step)
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self.optimizer.step()
        self.model.sensor.keep_in_range()

    def _events_for(self, samples_per_ray: float) -> int:
        """Events of the step after the next: the original reads one batch ahead."""
        config = self.config.optimiser
        if not samples_per_ray > 0:
            return self._next_events[1]  # the original ends with a division by zero
        return min(max(1, int(config.samples / samples_per_ray)), config.most_events)

    def _result(self, step: int, batch: EventBatch, losses: EventLosses) -> StepResult:
        sensor = self.model.sensor
        return StepResult(
            step=step + 1,
            loss=float(losses.total.detach()),
            terms={name: float(term.detach()) for name, term in losses.terms.items()},
            events=len(batch),
            samples=losses.samples,
            samples_per_ray=losses.samples / max(losses.rays, 1),
            ratio=float((sensor.thresholds.positive / sensor.thresholds.negative).detach()),
            refractory_period_ns=float(sensor.refractory_period_ns.detach()),
        )

    def _count_bad_step(self, step: int) -> None:
        self._bad_steps += 1
        if self._bad_steps >= _BAD_STEPS:
            raise NotFinite(
                f"the loss was not finite {_BAD_STEPS} times in a row, up to step {step + 1}; lower the learning rate, or look "
                "for poses, a calibration or thresholds that make no sense"
            )
