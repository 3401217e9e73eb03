"""Volume rendering: the definition, the original, both derivatives, and all backends alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.rendering.radiance.samples import RaySamples
from trisparse.rendering.radiance.tangents import Moving
from trisparse.rendering.radiance.volume import RenderedRays, composite, composite_tangent, visible_samples

from tests.oracles.volume_loops import composite as composite_by_loops

from .radiance_scenes import BACKENDS, ragged_samples, random, recorded


def _emission(samples: RaySamples, channels: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Densities and intensities."""
    return random(len(samples), seed=seed).exp() * 3, random(len(samples), channels, seed=seed + 1).exp()


def _parts(rendered: RenderedRays) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return rendered.colors, rendered.opacity, rendered.distance_sum, rendered.weights


def _single(dtype: torch.dtype = torch.float64) -> RaySamples:
    return RaySamples(torch.tensor([1.0], dtype=dtype), torch.tensor([1.5], dtype=dtype), torch.tensor([0]), 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_sums_and_weights_are_those_of_the_definition(backend: str, channels: int) -> None:
    samples = ragged_samples()
    sigma, rgb = _emission(samples, channels)
    expected = composite_by_loops(
        sigma.numpy(),
        rgb.numpy(),
        samples.t_starts.numpy(),
        samples.t_ends.numpy(),
        samples.ray_indices.numpy(),
        samples.n_rays,
    )
    for found, known in zip(_parts(composite(sigma, rgb, samples, backend=backend)), expected, strict=True):
        torch.testing.assert_close(found, torch.from_numpy(known), rtol=0, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("channels", ["c1", "c3"])
@pytest.mark.parametrize("ground", ["bg", "nobg"])
def test_colours_and_gradients_are_the_originals(backend: str, channels: str, ground: str, shared: Path) -> None:
    known = recorded(shared, "volume_rendering")
    samples = RaySamples(known["t_start"][:, 0], known["t_end"][:, 0], known["ray_index"], int(known["n_rays"]))
    sigma, rgb = known["density"][:, 0].requires_grad_(), known[f"{channels}_radiance"].requires_grad_()
    background = known[f"{channels}_background"].requires_grad_()
    has_background = ground == "bg"
    found = composite(sigma, rgb, samples, background if has_background else None, backend=backend)
    case = f"{channels}_{ground}"
    for value, name in (
        (found.colors, f"{case}_colour"),
        (found.weights[:, None], "weights"),
        (found.opacity[:, None], "opacity"),
        (found.distance_sum[:, None], "depth_sum"),
        (found.distance[:, None], "depth_expected"),
    ):
        torch.testing.assert_close(value.detach(), known[name], rtol=0, atol=1e-6)
    leaves = {"density": sigma, "radiance": rgb} | ({"background": background} if has_background else {})
    grads = torch.autograd.grad((found.colors * known[f"{case}_grad_out"]).sum(), list(leaves.values()))
    for name, grad in zip(leaves, grads, strict=True):
        expected = known[f"{case}_d_{name}"].reshape(grad.shape)
        assert float((grad - expected).norm()) < 1e-4 * float(expected.norm())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("eps", [0.0001, 0.05])
def test_what_can_be_seen_is_the_originals(backend: str, eps: float, shared: Path) -> None:
    known = recorded(shared, "volume_rendering")
    samples = RaySamples(known["t_start"][:, 0], known["t_end"][:, 0], known["ray_index"], int(known["n_rays"]))
    found = visible_samples(known["density"][:, 0], samples, early_stop_eps=eps, backend=backend)
    assert torch.equal(found, known[f"visible_eps{eps}"])
    assert not bool(found.all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sample_must_hold_back_enough_light_to_be_seen(backend: str) -> None:
    samples = RaySamples(torch.tensor([0.0, 1, 2]), torch.tensor([1.0, 2, 3]), torch.tensor([0, 0, 0]), 1)
    sigma = torch.tensor([0.1, 3.0, 5.0])  # hold back 0.095, 0.95 and 0.993 of what arrives: 1, 0.905 and 0.045
    options: list[tuple[float, float, list[bool]]] = [
        (0.0, 0.0, [True, True, True]),
        (0.0, 0.2, [False, True, True]),
        (0.5, 0.0, [True, True, False]),
        (0.5, 0.2, [False, True, False]),
        (0.0, 1.0, [False, False, False]),
    ]
    for eps, threshold, expected in options:
        found = visible_samples(sigma, samples, early_stop_eps=eps, alpha_threshold=threshold, backend=backend)
        assert found.tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "samples",
    [
        ragged_samples(),
        ragged_samples(150, 3, 40),
        _single(),
        RaySamples.none(3, torch.zeros(0)),
        RaySamples.none(0, torch.zeros(0)),
    ],
)
def test_numba_gives_the_references_values_and_gradients(dtype: torch.dtype, samples: RaySamples) -> None:
    results = []
    for backend in BACKENDS:
        # The reference in double precision, since its own sums along rays lose more digits than ours.
        used = torch.float64 if backend == "torch" else dtype
        sigma, rgb = (x.to(dtype).to(used).requires_grad_() for x in _emission(samples))
        slopes = [random(*x.shape, seed=9).to(dtype).to(used).requires_grad_() for x in (sigma, rgb)]
        background = torch.tensor([0.3, 0.2, 0.9], dtype=used).requires_grad_()
        plain = _parts(composite(sigma, rgb, samples, background, backend=backend))
        value, rate = composite_tangent(
            Moving(sigma, slopes[0]), Moving(rgb, slopes[1]), samples, background, backend=backend
        )
        moved = (*_parts(value), *_parts(rate))
        leaves = (sigma, rgb, background, *slopes)
        sums = [
            torch.stack([(x * random(*x.shape, seed=k).to(x)).sum() for k, x in enumerate(outputs)]).sum()
            for outputs in (plain, moved)
        ]
        grads = [*torch.autograd.grad(sums[0], leaves[:3]), *torch.autograd.grad(sums[1], leaves)]
        results.append([*plain, *moved, *grads])
    for reference, found in zip(*results, strict=True):
        scale = max(1.0, float(reference.detach().abs().max())) if reference.numel() else 1.0
        assert found.dtype == dtype
        accuracy = 5e-6 if dtype == torch.float32 else 1e-13
        torch.testing.assert_close(found.double(), reference, rtol=0, atol=accuracy * scale)


@pytest.mark.parametrize("backend", BACKENDS)
def test_both_derivatives_are_those_of_finite_differences(backend: str) -> None:
    samples = ragged_samples(5, seed=2, longest=4)
    inputs = [x.requires_grad_() for x in (*_emission(samples, 2), random(2).exp())]

    def plain(sigma: Tensor, rgb: Tensor, background: Tensor) -> tuple[Tensor, ...]:
        return _parts(composite(sigma, rgb, samples, background, backend=backend))

    assert torch.autograd.gradcheck(plain, inputs)
    assert torch.autograd.gradgradcheck(plain, inputs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_both_derivatives_of_moving_rays_are_those_of_finite_differences(backend: str) -> None:
    samples = ragged_samples(5, seed=2, longest=4)
    sigma, rgb = _emission(samples, 2)
    slopes = [random(*x.shape, seed=9) for x in (sigma, rgb)]
    inputs = [x.requires_grad_() for x in (sigma, slopes[0], rgb, slopes[1], random(2).exp())]

    def moving(sigma: Tensor, by_sigma: Tensor, rgb: Tensor, by_rgb: Tensor, background: Tensor) -> tuple[Tensor, ...]:
        value, rate = composite_tangent(
            Moving(sigma, by_sigma), Moving(rgb, by_rgb), samples, background, backend=backend
        )
        return (*_parts(value), *_parts(rate))

    assert torch.autograd.gradcheck(moving, inputs)
    assert torch.autograd.gradgradcheck(moving, inputs)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # of torch's forward mode
@pytest.mark.parametrize("backend", BACKENDS)
def test_rates_are_the_forward_mode_derivative(backend: str) -> None:
    samples = ragged_samples()
    sigma, rgb = _emission(samples)
    slopes = [random(*x.shape, seed=9) for x in (sigma, rgb)]
    background = random(3).exp()

    def plain(sigma: Tensor, rgb: Tensor) -> tuple[Tensor, ...]:
        return _parts(composite(sigma, rgb, samples, background, backend="torch"))

    jvp = torch.func.jvp(plain, (sigma, rgb), tuple(slopes))
    values, rates = jvp[0], jvp[1]
    found = composite_tangent(Moving(sigma, slopes[0]), Moving(rgb, slopes[1]), samples, background, backend=backend)
    for reference, rendered in zip((values, rates), found, strict=True):
        for expected, value in zip(reference, _parts(rendered), strict=True):
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_wall_hides_what_is_behind_it_and_nothing_shows_the_background(backend: str) -> None:
    samples = RaySamples(torch.tensor([1.0, 2.0]), torch.tensor([1.1, 2.1]), torch.tensor([0, 0]), 2)
    rgb = torch.tensor([[0.2, 0.4, 0.6], [9.0, 9.0, 9.0]])
    background = torch.tensor([0.1, 0.2, 0.3])
    found = composite(torch.tensor([1e6, 1e6]), rgb, samples, background, backend=backend)
    torch.testing.assert_close(found.colors, torch.stack([rgb[0], background]))
    torch.testing.assert_close(found.distance, torch.tensor([1.05, 0.0]))
    assert found.opacity.tolist() == [1, 0]
    clear = composite(torch.zeros(2), rgb, samples, background, backend=backend)
    torch.testing.assert_close(clear.colors, background.expand(2, 3))


@pytest.mark.parametrize("backend", BACKENDS)
def test_cutting_an_interval_in_two_changes_nothing(backend: str) -> None:
    whole = RaySamples(torch.tensor([1.0]), torch.tensor([1.6]), torch.tensor([0]), 1)
    halves = RaySamples(torch.tensor([1.0, 1.2]), torch.tensor([1.2, 1.6]), torch.tensor([0, 0]), 1)
    colour = torch.tensor([[0.3, 0.5, 0.7]])
    one = composite(torch.tensor([2.0]), colour, whole, backend=backend)
    two = composite(torch.tensor([2.0, 2.0]), colour.expand(2, 3), halves, backend=backend)
    torch.testing.assert_close(two.colors, one.colors)
    torch.testing.assert_close(two.opacity, one.opacity)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    samples = ragged_samples(400, 1, 30)
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            sigma, rgb = (x.float().requires_grad_() for x in _emission(samples))
            value, rate = composite_tangent(Moving(sigma, sigma), Moving(rgb, rgb), samples, backend="numba")
            grads = torch.autograd.grad((value.colors + rate.colors).square().sum(), (sigma, rgb))
            found.append([*_parts(value), *_parts(rate), *grads])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_strided_input_is_taken_as_it_is() -> None:
    samples = ragged_samples()
    sigma, rgb = _emission(samples)
    wide = torch.cat([sigma[:, None], rgb], 1)
    found = composite(wide[:, 0], wide[:, 1:], samples, backend="numba")
    assert all(torch.equal(a, b) for a, b in zip(_parts(found), _parts(composite(sigma, rgb, samples)), strict=True))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"sigma": torch.ones(2)}, ShapeMismatch, "for 1 samples"),
        ({"rgb": torch.ones(1)}, ShapeMismatch, "expected"),
        ({"rgb": torch.ones(1, 3).double()}, InvalidInput, "convert one"),
        ({"background": torch.ones(4)}, ShapeMismatch, "for 3 channels"),
    ],
)
def test_sizes_that_do_not_agree_are_refused(change: dict[str, Any], error: type[Exception], words: str) -> None:
    arguments: dict[str, Any] = {"sigma": torch.ones(1), "rgb": torch.ones(1, 3), "samples": _single(torch.float32)}
    with pytest.raises(error, match=words):
        composite(**(arguments | change))


def test_samples_that_are_not_sorted_or_belong_to_no_ray_are_refused() -> None:
    one = torch.zeros(2)
    with pytest.raises(InvalidInput, match="not sorted"):
        RaySamples(one, one, torch.tensor([1, 0]), 2)
    for rays in ([0, 2], [-1, 0]):
        with pytest.raises(InvalidInput, match="there are 2"):
            RaySamples(one, one, torch.tensor(rays), 2)
    with pytest.raises(ShapeMismatch, match="give one each"):
        RaySamples(one[:1], one, torch.tensor([0, 1]), 2)
    with pytest.raises(InvalidInput, match="expected twice the same float"):
        RaySamples(one, one, torch.tensor([0, 1], dtype=torch.int32), 2)
