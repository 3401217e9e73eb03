"""The hash-grid field: the original's heads, derivatives, and all backends alike."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.rendering.radiance.activations import HiddenActivation, density_from_logits, radiance_from_logits
from trisparse.rendering.radiance.contraction import Contraction, contract, inside_cube
from trisparse.rendering.radiance.encodings import spherical_harmonics
from trisparse.rendering.radiance.kernels import numba_heads, torch_heads
from trisparse.rendering.radiance.kernels.torch_heads import Heads
from trisparse.rendering.radiance.ngp import NgpConfig, NgpField
from trisparse.rendering.radiance.tangents import Moving

from .radiance_scenes import AABB, BACKENDS, random, recorded, small_config, small_ngp

HEADS: dict[str, Any] = {"torch": torch_heads, "numba": numba_heads}


def _heads(activation: HiddenActivation, dtype: torch.dtype = torch.float64, seed: int = 0) -> Heads:
    """6 features, 4 harmonics, 3 colours, widths that fill no tile."""

    def layers(*widths: int) -> tuple[tuple[Tensor, Tensor], ...]:
        return tuple(
            (random(b, a, seed=seed + a).to(dtype) / a**0.5, random(b, seed=seed + b).to(dtype) * 0.1)
            for a, b in pairwise(widths)
        )

    return Heads(layers(6, 12, 6), layers(9, 10, 17, 3), activation)


def _rows(count: int, rays: int) -> Tensor:
    return torch.randint(rays, (count,), generator=torch.Generator().manual_seed(3)).sort()[0]


def _weights_of(heads: Heads) -> list[Tensor]:
    return [value.requires_grad_() for layer in heads.base + heads.head for value in layer]


def _weighed(values: list[Tensor]) -> Tensor:
    """A number that every output counts in, differently."""
    products = [(x * random(*x.shape, seed=k).to(x.dtype)).sum() for k, x in enumerate(values)]
    return torch.stack(products).sum()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("contraction", ["aabb", "sphere", "tanh"])
@pytest.mark.parametrize("channels", [1, 3])
def test_density_and_radiance_are_the_originals(
    backend: str, contraction: Contraction, channels: int, shared: Path
) -> None:
    known = recorded(shared, "field_ngp")

    def layer(name: str, prefix: str = "w_") -> tuple[Tensor, Tensor]:
        return known[f"{prefix}{name}.weight"], known[f"{prefix}{name}.bias"]

    head = ("mlp_head.hidden_layers.0", "mlp_head.hidden_layers.1")
    base = (layer("mlp_base.1.hidden_layers.0"), layer("mlp_base.1.output_layer"))
    last = layer("mlp_head.output_layer", "w_" if channels == 3 else "w1_")
    heads = Heads(base, (*map(layer, head), last), "softplus100")
    unit = contract(known["points"], known["aabb"], contraction)
    features = torch.sin(unit @ known["encoding_A"] + known["encoding_b"])  # stands in for the hash grid there
    views = spherical_harmonics(known["directions"], 4)
    sigma, rgb = HEADS[backend].logits(features, views, None, heads)
    density = density_from_logits(sigma, "shifted_trunc_exp") * inside_cube(unit)
    torch.testing.assert_close(density, known[f"ngp_{contraction}_density"][:, 0], rtol=1e-11, atol=1e-11)
    radiance = radiance_from_logits(rgb, "softplus")
    torch.testing.assert_close(radiance, known[f"ngp_{contraction}_radiance{channels}"], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ["softplus100", "relu"])
@pytest.mark.parametrize(("count", "rays"), [(0, 3), (1, 1), (64, 64), (65, 4), (5000, 9)])
def test_numba_gives_the_references_values_and_gradients(
    dtype: torch.dtype, activation: HiddenActivation, count: int, rays: int
) -> None:
    results = []
    for backend in HEADS.values():
        heads = _heads(activation, dtype)
        features, moved = (random(count, 6, seed=seed).to(dtype).requires_grad_() for seed in (1, 2))
        views, turned = (random(rays, 4, seed=seed).to(dtype).requires_grad_() for seed in (3, 4))
        weights, rows = _weights_of(heads), None if count == rays == 64 else _rows(count, rays)
        density = backend.density_logits(features, heads)
        plain = backend.logits(features, views, rows, heads)
        moving = backend.logits_tangent(Moving(features, moved), Moving(views, turned), rows, heads)
        flat = [*moving[0], *moving[1]]
        base = weights[: 2 * len(heads.base)]
        grads = [
            *torch.autograd.grad(_weighed([density]), (features, *base)),
            *torch.autograd.grad(_weighed([*plain]), (features, views, *weights)),
            *torch.autograd.grad(_weighed(flat), (features, moved, views, turned, *weights)),
        ]
        results.append([density, *plain, *flat, *grads])
    for reference, found in zip(*results, strict=True):
        assert found.dtype == dtype
        scale = max(1.0, float(reference.detach().abs().max())) if reference.numel() else 1.0
        torch.testing.assert_close(found, reference, rtol=0, atol=(1e-5 if dtype == torch.float32 else 1e-12) * scale)


@pytest.mark.parametrize("backend", BACKENDS)
def test_both_derivatives_of_the_heads_are_those_of_finite_differences(backend: str) -> None:
    heads = _heads("softplus100")
    features, moved = random(2, 6, seed=1).requires_grad_(), random(2, 6, seed=2).requires_grad_()
    views, turned = random(2, 4, seed=3).requires_grad_(), random(2, 4, seed=4).requires_grad_()
    first = heads.base[0][0].requires_grad_()
    rows = torch.tensor([0, 1])
    kernel = HEADS[backend]

    def run(features: Tensor, moved: Tensor, views: Tensor, turned: Tensor, first: Tensor) -> tuple[Tensor, ...]:
        changed = Heads(((first, heads.base[0][1]), *heads.base[1:]), heads.head, heads.activation)
        sigma, rgb = kernel.logits_tangent(Moving(features, moved), Moving(views, turned), rows, changed)
        return (
            kernel.density_logits(features, changed),
            *kernel.logits(features, views, rows, changed),
            *sigma,
            *rgb,
        )

    inputs = (features, moved, views, turned, first)
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


@pytest.mark.parametrize("contraction", ["aabb", "sphere", "tanh"])
def test_the_whole_field_is_the_same_from_both_backends(contraction: Contraction) -> None:
    positions, velocities = 1.2 * random(300, 3), random(300, 3, seed=1)
    directions = torch.nn.functional.normalize(random(7, 3, seed=2), dim=1)
    turning, rows = random(7, 3, seed=3), _rows(300, 7)
    results = []
    for backend in BACKENDS:
        field = small_ngp(backend=backend, contraction=contraction)
        x = positions.clone().requires_grad_()
        plain = field(x, directions, rows)
        moved = field.moving(Moving(x, velocities), Moving(directions, turning), rows)
        values = [field.density(x), *plain, *moved.sigma, *moved.rgb]
        leaves = [x, *field.parameters()]
        results.append([*values, *torch.autograd.grad(_weighed(values), leaves)])
    for reference, found in zip(*results, strict=True):
        torch.testing.assert_close(found, reference, rtol=1e-10, atol=1e-10)
    density, sigma = results[0][0], results[0][1]
    assert torch.equal(density, sigma)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_rate_is_how_fast_the_values_change(backend: str) -> None:
    field = small_ngp(backend=backend, contraction="sphere")
    positions, velocities = random(50, 3), random(50, 3, seed=1)
    directions, turning = random(50, 3, seed=2), random(50, 3, seed=3)
    moved = field.moving(Moving(positions, velocities), Moving(directions, turning))
    step, ends = 1e-7, []
    for sign in (-1, 1):
        sigma, rgb = field(positions + sign * step * velocities, directions + sign * step * turning)
        ends.append(torch.cat([sigma[:, None], rgb], 1))
    numeric = (ends[1] - ends[0]) / (2 * step)
    found = torch.cat([moved.sigma.tangent[:, None], moved.rgb.tangent], 1)
    # Where the face of a cell lies between the ends, there is no derivative.
    is_smooth = (found - numeric).abs().amax(1) < 1e-5 * found.abs().max()
    assert int(is_smooth.sum()) >= 48


def test_outside_the_box_there_is_nothing_and_no_gradient_goes_there() -> None:
    field = small_ngp()
    positions = (
        torch.tensor([[0.0, 0.0, 0.0], [1.5, 0.0, 0.0], [1.0, 0.0, 0.0], [1e30, 0, 0]]).double().requires_grad_()
    )
    sigma = field.density(positions)
    assert (sigma > 0).tolist() == [True, False, False, False]
    (grad,) = torch.autograd.grad(sigma.sum(), positions)
    assert bool(torch.isfinite(grad).all())
    assert grad[1:].abs().max() == 0


def test_numbers_of_rays_that_do_not_exist_are_refused() -> None:
    heads, features, views = _heads("relu"), random(4, 6), random(2, 4)
    for rows in ([0, 0, 1, 2], [-1, 0, 0, 1]):
        with pytest.raises(ShapeMismatch, match="expected one index a position"):
            numba_heads.logits(features, views, torch.tensor(rows), heads)
    with pytest.raises(ShapeMismatch, match="one direction a position"):
        numba_heads.logits(features, views, None, heads)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            field = small_ngp(backend="numba").float()
            positions = random(9000, 3).float().requires_grad_()
            moved = field.moving(Moving(positions, positions), Moving(positions, positions))
            value = moved.rgb.tangent.square().mean() + moved.sigma.value.mean()
            found.append([*moved.sigma, *moved.rgb, *torch.autograd.grad(value, list(field.parameters()))])
    finally:
        torch.set_num_threads(before)
    # What torch computes itself it may split otherwise; here these are sums over single samples only.
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_fields_are_drawn_from_their_generator_and_the_default_has_the_originals_size() -> None:
    fields = [NgpField(small_config(), AABB, "aabb", torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    pairs = [list(field.parameters()) for field in fields]
    assert all(torch.equal(a, b) for a, b in zip(pairs[0], pairs[1], strict=True))
    assert not torch.equal(pairs[0][-1], pairs[2][-1])
    original = NgpConfig()
    assert (original.grid.width, original.base_widths, original.head_widths) == (32, (64,), (64, 64))
    weight = fields[0].base[0].weight
    assert isinstance(weight, Tensor)
    assert 0.9 < float(weight.detach().abs().max()) * 6**0.5 <= 1  # uniform within one over the root of its 6 inputs


def test_the_cpu_preset_is_small_and_senseless_sizes_are_refused() -> None:
    config = NgpConfig.cpu_small(1)
    assert config.channels == 1
    assert config.grid.entries * config.grid.features == 1_528_656  # numbers: 6 MB
    with pytest.raises(InvalidInput, match="at least 1"):
        NgpConfig(channels=0)
