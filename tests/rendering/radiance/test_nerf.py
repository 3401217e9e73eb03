"""The field in one network is the original's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from trisparse.rendering.radiance.contraction import Contraction
from trisparse.rendering.radiance.nerf import NerfConfig, NerfField
from trisparse.rendering.radiance.tangents import Moving

from .radiance_scenes import random, recorded, small_nerf

NAMES = {
    **{f"base.{n}": f"mlp.base.hidden_layers.{n}" for n in range(8)},
    "sigma_layer": "mlp.sigma_layer.output_layer",
    "bottleneck": "mlp.bottleneck_layer.output_layer",
    "head.0": "mlp.rgb_layer.hidden_layers.0",
    "head.1": "mlp.rgb_layer.output_layer",
}
"""Our layers and the original's."""


def _original(known: dict[str, Tensor], contraction: Contraction) -> NerfField:
    field = NerfField(NerfConfig(width=24, view_width=12), known["aabb"], contraction, torch.Generator()).double()
    layers = {
        f"{ours}.{part}": known[f"w_{theirs}.{part}"] for ours, theirs in NAMES.items() for part in ("weight", "bias")
    }
    field.load_state_dict(layers | {"aabb": known["aabb"]})
    return field


@pytest.mark.parametrize(("contraction", "prefix"), [("aabb", ""), ("sphere", "sphere_")])
def test_density_and_radiance_are_the_originals(contraction: Contraction, prefix: str, shared: Path) -> None:
    known = recorded(shared, "field_mlp")
    found = _original(known, contraction)(known["points"], known["directions"])
    # Where its density overflows outside the box, the original multiplies infinity by 0; ours is 0.
    expected = known[f"{prefix}density"][:, 0].nan_to_num(0.0)
    torch.testing.assert_close(found.sigma, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.rgb, known[f"{prefix}radiance"], rtol=1e-10, atol=1e-10)


def test_derivatives_by_the_position_are_the_originals(shared: Path) -> None:
    known = recorded(shared, "field_mlp")
    points = known["points"].requires_grad_()
    found = _original(known, "aabb")(points, known["directions"])
    for value, name in ((found.sigma, "density"), (found.rgb, "radiance")):
        (grad,) = torch.autograd.grad(value.sum(), points, retain_graph=True)
        expected = known[f"d_{name}_d_point"]
        exists = torch.isfinite(expected).all(1)
        assert bool(torch.isfinite(grad).all())
        torch.testing.assert_close(grad[exists], expected[exists], rtol=1e-8, atol=1e-10)


def test_directions_of_rays_are_shared_by_their_samples() -> None:
    field, positions = small_nerf(), random(6, 3) * 0.3
    directions, rays = torch.nn.functional.normalize(random(2, 3, seed=1), dim=1), torch.tensor([0, 0, 0, 1, 1, 1])
    shared_views, own = field(positions, directions, rays), field(positions, directions[rays])
    torch.testing.assert_close(shared_views.rgb, own.rgb)
    assert torch.equal(field.density(positions), own.sigma)


def test_the_rate_is_how_fast_the_values_change_and_has_gradients() -> None:
    field, (x, v, d, w) = small_nerf(), (random(5, 3, seed=seed) * 0.3 for seed in range(4))
    moved = field.moving(Moving(x, v), Moving(d, w))
    step = 1e-6
    ends = [field(x + sign * step * v, d + sign * step * w) for sign in (-1, 1)]
    for name in ("sigma", "rgb"):
        numeric = (getattr(ends[1], name) - getattr(ends[0], name)) / (2 * step)
        torch.testing.assert_close(getattr(moved, name).tangent, numeric, rtol=1e-6, atol=1e-7)
    grads = torch.autograd.grad(moved.rgb.tangent.sum() + moved.sigma.tangent.sum(), list(field.parameters()))
    assert all(bool(torch.isfinite(grad).all()) and float(grad.abs().max()) > 0 for grad in grads[:16])
