"""A whole training step against the recorded original (oracles/enerf/training_step.npz)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from trisparse.data.event_camera import ContrastThresholds
from trisparse.data.trajectory import Trajectory
from trisparse.events.sensor import EventSensor
from trisparse.pipelines.event_nerf.config import LossConfig
from trisparse.pipelines.event_nerf.model import Draws, EventLosses, EventModel
from trisparse.pipelines.event_nerf.samples import EventBatch
from trisparse.rendering.radiance.nerf import NerfConfig, NerfField
from trisparse.rendering.radiance.occupancy import OccupancyGrid
from trisparse.rendering.radiance.render import Visibility
from trisparse.rendering.radiance.steps import MarchingSteps

LAYERS = {
    **{f"base.{n}": f"base.hidden_layers.{n}" for n in range(8)},
    "sigma_layer": "sigma_layer.output_layer",
    "bottleneck": "bottleneck_layer.output_layer",
    "head.0": "rgb_layer.hidden_layers.0",
    "head.1": "rgb_layer.output_layer",
}
NAMES = {f"{a}.{part}": f"w_{b}.{part}" for a, b in LAYERS.items() for part in ("weight", "bias")}


@dataclass(frozen=True, eq=False)
class Step:
    """The step's losses, and what they are differentiated by, under the recording's names."""

    losses: EventLosses
    leaves: dict[str, Tensor]


@pytest.fixture
def known(shared: Path) -> dict[str, Tensor]:
    path = shared / "oracles" / "enerf" / "training_step.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} beside the repository")
    with np.load(path) as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


def _model(known: dict[str, Tensor], has_background: bool, backend: str) -> EventModel:
    config = NerfConfig(width=16, view_width=8, position_octaves=3, direction_octaves=2)
    field = NerfField(config, known["aabb"], "aabb", torch.Generator()).double()
    field.load_state_dict({a: known[b].double() for a, b in NAMES.items()} | {"aabb": known["aabb"]})
    quats = functional.normalize(known["control_quat_xyzw"].double()[:, [3, 0, 1, 2]], dim=1)
    sensor = EventSensor(
        ContrastThresholds(float(known["pos_contrast_threshold"]), float(known["neg_contrast_threshold"])),
        float(known["refractory_period"]),
        float(known["max_refractory_period"]),
        learn_ratio=True,
        learn_refractory_period=True,
    )
    raw = torch.tensor([0.3, 0.6, 1.1], dtype=torch.float64)
    return EventModel(
        field=field,
        sensor=sensor,
        trajectory=Trajectory(known["control_timestamp"], known["control_position"].double(), quats),
        grid=OccupancyGrid(known["aabb"], "aabb", known["occupied"].double(), known["occupied"]),
        steps=MarchingSteps(float(known["step"])),
        raw_background=nn.Parameter(raw) if has_background else None,
        min_intensity=float(known["min_intensity"]),
        visibility=Visibility(1e-4),
        backend=backend,
    )


def _step(known: dict[str, Tensor], has_background: bool, backend: str, loss: LossConfig) -> Step:
    model = _model(known, has_background, backend)
    pixels = (
        functional.pad(known["position"].double(), (0, 1), value=1.0)
        @ torch.linalg.inv(known["intrinsics"].double()).mT
    )
    batch = EventBatch(
        pixels[:, :2] / pixels[:, 2:],
        known["channel_idx"].long(),
        model.trajectory.since_start(known["start_ts"]),
        model.trajectory.since_start(known["end_ts"]),
        known["num_pos"],
        known["num_neg"],
    )
    n = len(batch)
    draws = Draws(lambda _: None, known["grad_fraction"], torch.zeros(2, n, dtype=torch.float64))
    assert isinstance(model.field, NerfField)
    parameters = dict(model.field.named_parameters())
    leaves: dict[str, Tensor] = {b: parameters[a] for a, b in NAMES.items()}
    leaves |= {"raw_ratio": model.sensor.raw_ratio, "raw_tau": model.sensor.raw_period}
    if model.raw_background is not None:
        leaves["raw_background"] = model.raw_background
    return Step(model.losses(batch, draws, loss), leaves)


def _check_gradients(step: Step, term: str, known: dict[str, Tensor], prefix: str, allowed: float) -> None:
    asked = [key.removeprefix(prefix) for key in known if key.startswith(prefix)]
    assert len(asked) >= 7
    loss = step.losses.terms[term]
    grads = torch.autograd.grad(loss, [step.leaves[key] for key in asked], retain_graph=True)
    for key, grad in zip(asked, grads, strict=True):
        expected = known[prefix + key].double()
        if key == "raw_tau":  # the recorded one is by nanoseconds, and what float32 leaves of a difference
            expected = expected * float(known["max_refractory_period"])
        tolerance = 5 * allowed if key == "raw_tau" else allowed
        assert float((grad - expected).norm()) < tolerance * float(expected.norm()), key


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("case", ["bg", "nobg"])
def test_losses_and_complete_gradients_are_the_originals(case: str, backend: str, known: dict[str, Tensor]) -> None:
    step = _step(known, case == "bg", backend, LossConfig(gradient=1.0))
    for term, name in (("difference", "diff"), ("gradient", "grad_full")):
        value = float(step.losses.terms[term].detach())
        assert value == pytest.approx(float(known[f"{case}_{name}_value"]), rel=1e-4)
        _check_gradients(step, term, known, f"{case}_{name}_d", 0.01)
    mean = step.losses.samples / step.losses.rays
    assert mean == pytest.approx(float(known[f"{case}_mean_samples_per_ray"]), rel=1e-6)
    assert int((1 << 20) / mean) == int(known[f"{case}_next_batch_size"])


@pytest.mark.parametrize("case", ["bg", "nobg"])
def test_the_originals_incomplete_gradients_can_be_had(case: str, known: dict[str, Tensor]) -> None:
    step = _step(known, case == "bg", "torch", LossConfig(gradient=1.0, complete_gradient=False))
    assert float(step.losses.terms["gradient"].detach()) == pytest.approx(
        float(known[f"{case}_grad_orig_value"]), rel=1e-4
    )
    _check_gradients(step, "gradient", known, f"{case}_grad_orig_d", 0.01)


def test_the_weighted_terms_add_up_to_the_originals_loss(known: dict[str, Tensor]) -> None:
    step = _step(known, True, "torch", LossConfig(gradient=1e-3))
    assert float(step.losses.total.detach()) == pytest.approx(float(known["bg_total_loss"]), rel=1e-4)
