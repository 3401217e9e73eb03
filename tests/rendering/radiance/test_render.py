"""Rays through fields: the original's rays and its whole training step, and worked examples."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from trisparse.core.errors import ShapeMismatch
from trisparse.data.cameras import Cameras
from trisparse.data.rays import Rays
from trisparse.data.trajectory import Trajectory
from trisparse.rendering.radiance.field import Emission, MovingEmission
from trisparse.rendering.radiance.nerf import NerfConfig, NerfField
from trisparse.rendering.radiance.occupancy import OccupancyGrid
from trisparse.rendering.radiance.render import MovingRays, Visibility, render, render_tangent, sample_rays
from trisparse.rendering.radiance.samples import RaySamples
from trisparse.rendering.radiance.steps import MarchingSteps
from trisparse.rendering.radiance.tangents import Moving, carry

from .radiance_scenes import AABB, BACKENDS, inward_rays, random, recorded, small_nerf, small_ngp

FULL = OccupancyGrid.full(AABB, "aabb")


class Fog:
    """The same everywhere."""

    channels = 1

    def density(self, positions: Tensor) -> Tensor:
        return torch.full_like(positions[:, 0], 2.0)

    def __call__(self, positions: Tensor, directions: Tensor, ray_indices: Tensor | None = None) -> Emission:
        return Emission(self.density(positions), torch.full_like(positions[:, :1], 0.5))

    def moving(self, positions: Moving, directions: Moving, ray_indices: Tensor | None = None) -> MovingEmission:
        raise NotImplementedError


def test_rays_of_pixels_are_the_originals_whose_pixel_centres_are_whole_numbers(shared: Path) -> None:
    known = recorded(shared, "rays")
    intrinsics, pixels = known["intrinsics"].clone(), known["pixel_position"] + 0.5
    intrinsics[:2, 2] += 0.5
    for row, pixel in enumerate(pixels):
        pose = torch.eye(4, dtype=torch.float64)
        pose[:3, :3] = known["T_wc_rotation"][row].T
        pose[:3, 3] = -pose[:3, :3] @ known["T_wc_position"][row]
        rays, exists = Cameras(pose[None], intrinsics[None], 64, 48).rays(pixel[None])
        torch.testing.assert_close(rays.origins[0], known["ray_origin"][row], rtol=0, atol=1e-12)
        torch.testing.assert_close(rays.directions[0], known["ray_direction"][row], rtol=0, atol=1e-12)
        assert bool(exists)


@pytest.mark.parametrize("backend", BACKENDS)
def test_fog_hides_as_much_as_the_length_of_the_way_through_it_says(backend: str) -> None:
    rays = Rays(torch.tensor([[-3.0, 0.0, 0.0]]).double(), torch.tensor([[1.0, 0.0, 0.0]]).double())
    samples = sample_rays(Fog(), rays, FULL, MarchingSteps(0.01), backend=backend)
    background = torch.tensor([0.1], dtype=torch.float64)
    found = render(Fog(), rays, samples, background, backend=backend)
    passed = math.exp(-2.0 * 2.0)  # 2 m of density 2
    assert float(found.opacity) == pytest.approx(1 - passed, abs=1e-12)
    assert float(found.colors) == pytest.approx(0.5 * (1 - passed) + 0.1 * passed, abs=1e-12)
    expected = 2 + (0.5 - 2.5 * passed) / (1 - passed)  # mean of an exponential with rate 2 cut at 2 m
    assert float(found.distance) == pytest.approx(expected, abs=1e-4)
    seen = sample_rays(Fog(), rays, FULL, MarchingSteps(0.01), visibility=Visibility(0.05), backend=backend)
    assert len(seen) == math.ceil(-math.log(0.05) / 2 / 0.01)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rays_without_samples_see_the_background_and_none_see_nothing(backend: str) -> None:
    field, background = small_ngp(backend=backend), torch.tensor([0.2, 0.4, 0.6]).double().requires_grad_()
    for rays in (Rays(AABB[None, :3] + 9, torch.tensor([[0.0, 0, 1]]).double()), inward_rays(4)[:0]):
        samples = sample_rays(field, rays, FULL, MarchingSteps(0.1), visibility=Visibility(), backend=backend)
        found = render(field, rays, samples, background, backend=backend)
        torch.testing.assert_close(found.colors, background.expand(len(rays), 3))
        moving = MovingRays(rays, rays.origins, rays.directions)
        value, rate = render_tangent(field, moving, samples, background, backend=backend)
        torch.testing.assert_close(value.colors, found.colors)
        assert not rate.colors.numel() or float(rate.colors.detach().abs().max()) == 0
        torch.autograd.grad(value.colors.sum() + rate.colors.sum(), [background, *field.parameters()])


def _along(moving: MovingRays, by: float) -> Rays:
    return Rays(moving.rays.origins + by * moving.origins_rate, moving.rays.directions + by * moving.directions_rate)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("make", [small_ngp, small_nerf])
def test_the_rate_of_what_moving_rays_see_is_that_of_finite_differences(backend: str, make: type) -> None:
    field, rays = make(), inward_rays(6)
    moving = MovingRays(rays, 0.3 * random(6, 3, seed=4), 0.2 * random(6, 3, seed=5))
    samples = sample_rays(field, rays, FULL, MarchingSteps(0.11), visibility=Visibility(), backend=backend)
    background = torch.tensor([0.2, 0.4, 0.6]).double()
    value, rate = render_tangent(field, moving, samples, background, backend=backend)
    plain = render(field, rays, samples, background, backend=backend)
    step = 1e-7
    ends = [render(field, _along(moving, sign * step), samples, background, backend=backend) for sign in (-1, 1)]
    for name in ("colors", "opacity", "distance_sum"):
        torch.testing.assert_close(getattr(value, name), getattr(plain, name))
        numeric = (getattr(ends[1], name) - getattr(ends[0], name)) / (2 * step)
        torch.testing.assert_close(getattr(rate, name), numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_rates_gradient_is_complete(backend: str) -> None:
    """By every weight, by rays and their rates: central differences of the rates along a random direction."""
    field, rays = small_ngp(backend=backend), inward_rays(5)
    samples = sample_rays(field, rays, FULL, MarchingSteps(0.2), backend=backend)
    leaves = [
        *field.parameters(),
        torch.tensor([0.2, 0.4, 0.6]).double().requires_grad_(),
        *(x.requires_grad_() for x in (rays.origins, rays.directions, random(5, 3, seed=4), random(5, 3, seed=5))),
    ]

    def total() -> Tensor:
        background, origins, directions, moved, turned = leaves[-5:]
        moving = MovingRays(Rays(origins, directions), moved, turned)
        value, rate = render_tangent(field, moving, samples, background, backend=backend)
        weights = [random(5, 3, seed=6), random(5, 3, seed=7)]
        return (value.colors * weights[0]).sum() + (rate.colors * weights[1]).sum()

    grads = torch.autograd.grad(total(), leaves)
    step = 1e-6
    for place, (leaf, grad) in enumerate(zip(leaves, grads, strict=True)):
        direction = random(*leaf.shape, seed=place)
        with torch.no_grad():
            ends = []
            for sign in (1, -2):
                leaf += sign * step * direction
                ends.append(total())
            leaf += step * direction
        numeric = float(ends[0] - ends[1]) / (2 * step)
        assert float((grad * direction).sum()) == pytest.approx(numeric, rel=1e-5, abs=1e-7), place


def test_rays_and_samples_must_belong_together() -> None:
    rays = inward_rays(3)
    with pytest.raises(ShapeMismatch, match="samples of 2 rays"):
        render(small_ngp(), rays, RaySamples.none(2, rays.origins))
    with pytest.raises(ShapeMismatch, match="give one each"):
        MovingRays(rays, rays.origins, rays.directions[:2])


class Step(NamedTuple):
    """One training step of the original, taken again."""

    diff: Tensor
    rate: Tensor
    losses: tuple[Tensor, Tensor]
    leaves: dict[str, Tensor]


LAYERS = {
    **{f"base.{n}": f"base.hidden_layers.{n}" for n in range(8)},
    "sigma_layer": "sigma_layer.output_layer",
    "bottleneck": "bottleneck_layer.output_layer",
    "head.0": "rgb_layer.hidden_layers.0",
    "head.1": "rgb_layer.output_layer",
}


def _take_step(known: dict[str, Tensor], has_background: bool, backend: str) -> Step:
    """From events and poses to both losses, in double precision; see sections 2 and 3 of the specification."""
    config = NerfConfig(width=16, view_width=8, position_octaves=3, direction_octaves=2)
    field = NerfField(config, known["aabb"], "aabb", torch.Generator()).double()
    names = {f"{a}.{part}": f"w_{b}.{part}" for a, b in LAYERS.items() for part in ("weight", "bias")}
    field.load_state_dict({a: known[b].double() for a, b in names.items()} | {"aabb": known["aabb"]})
    grid = OccupancyGrid(known["aabb"], "aabb", known["occupied"].double(), known["occupied"])
    quats = functional.normalize(known["control_quat_xyzw"].double()[:, [3, 0, 1, 2]], dim=1)
    path = Trajectory(known["control_timestamp"], known["control_position"].double(), quats)
    inverse = torch.linalg.inv(known["intrinsics"].double())
    pixels = functional.pad(known["position"].double(), (0, 1), value=1.0) @ inverse.T
    channel = known["channel_idx"].long()[:, None]

    negative, most = known["neg_contrast_threshold"], float(known["max_refractory_period"])
    part = float(known["refractory_period"]) / most
    leaves: dict[str, Tensor] = {
        a: dict(field.named_parameters())[b] for b, a in ((b, a.removeprefix("w_")) for b, a in names.items())
    }
    leaves["raw_ratio"] = torch.log(torch.expm1(known["pos_contrast_threshold"] / negative)).requires_grad_()
    leaves["raw_tau"] = torch.tensor(most * math.log(part / (1 - part)), dtype=torch.float64).requires_grad_()
    leaves["raw_background"] = torch.tensor([0.3, 0.6, 1.1], dtype=torch.float64).requires_grad_()
    background = functional.softplus(leaves["raw_background"]) if has_background else None
    positive = negative * functional.softplus(leaves["raw_ratio"])
    change = known["num_pos"] * positive - known["num_neg"] * negative
    start = path.since_start(known["start_ts"]) + most * torch.sigmoid(leaves["raw_tau"] / most)
    end = path.since_start(known["end_ts"])

    def rays_at(t: Tensor) -> Tensor:
        poses = path.pose_at(t)
        directions = functional.normalize((poses.rotations @ pixels[:, :, None])[:, :, 0], dim=1)
        return torch.cat([poses.centers, directions], 1)

    def samples_of(rays: Rays) -> RaySamples:
        steps = MarchingSteps(float(known["step"]))
        return sample_rays(field, rays, grid, steps, visibility=Visibility(1e-4), backend=backend)

    def log_at(t: Tensor) -> tuple[Tensor, Tensor]:
        rays = Rays(*rays_at(t).split(3, 1))
        seen = render(field, rays, samples_of(rays), background, backend=backend)
        return (seen.colors.gather(1, channel)[:, 0] + known["min_intensity"]).log(), seen.opacity

    (first, first_opacity), (last, last_opacity) = log_at(start), log_at(end)
    middle = torch.lerp(start, end, known["grad_fraction"])
    moved = carry(rays_at, Moving(middle, torch.ones_like(middle)))
    moving = MovingRays(Rays(*moved.value.split(3, 1)), *moved.tangent.split(3, 1))
    value, rates = render_tangent(field, moving, samples_of(moving.rays), background, backend=backend)
    brightness = value.colors.gather(1, channel)[:, 0] + known["min_intensity"]
    rate = rates.colors.gather(1, channel)[:, 0] / brightness

    is_seen = torch.ones(len(end), dtype=torch.bool)
    is_valid = is_seen if has_background else (first_opacity > 0) | (last_opacity > 0)
    wanted = change / (end - start)
    errors = (rate - wanted).abs() / wanted.abs().clamp_min(2.22e-16)
    return Step(
        last - first,
        rate,
        (
            ((last - first - change)[is_valid] ** 2).mean() / ((positive + negative) / 2) ** 2,
            errors[is_seen if has_background else value.opacity > 0].mean(),
        ),
        leaves,
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", ["bg", "nobg"])
def test_a_whole_training_step_has_the_originals_predictions_and_complete_gradients(
    case: str, backend: str, shared: Path
) -> None:
    known = recorded(shared, "training_step")
    step = _take_step(known, case == "bg", backend)
    torch.testing.assert_close(step.diff.detach(), known[f"{case}_pred_log_intensity_diff"].double(), rtol=0, atol=2e-5)
    rates = known[f"{case}_pred_log_intensity_grad"]
    torch.testing.assert_close(step.rate.detach(), rates, rtol=0, atol=3e-4 * float(rates.abs().max()))
    for loss, name in zip(step.losses, ("diff", "grad_full"), strict=True):
        assert float(loss.detach()) == pytest.approx(float(known[f"{case}_{name}_value"]), rel=1e-4)
        prefix = f"{case}_{name}_d"
        asked = [key.removeprefix(prefix) for key in known if key.startswith(prefix)]
        wanted = [step.leaves[key.removeprefix("w_")] for key in asked]
        grads = torch.autograd.grad(loss, wanted, retain_graph=True)
        assert len(asked) >= 8
        for key, grad in zip(asked, grads, strict=True):
            expected = known[prefix + key].double()
            allowed = (
                0.05 if key == "raw_tau" else 0.01
            )  # the refractory period's is what float32 leaves of a difference
            assert float((grad - expected).norm()) < allowed * float(expected.norm()), key
    assert bool((step.losses[0] + 1e-3 * step.losses[1] - known[f"{case}_total_loss"]).abs() < 1e-4)
