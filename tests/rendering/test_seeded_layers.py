"""Layers that draw from a generator and from nothing else, and images between their pixels."""

from __future__ import annotations

import torch
from trisparse.rendering.bilinear import has_whole_footprint, sample_bilinear
from trisparse.rendering.recompute import in_chunks
from trisparse.rendering.seeded_layers import conv, linear, perceptron

from .point_scenes import noise, rng


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    perceptron((3, 8, 2), rng())
    conv(3, 4, 5, rng(), stride=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_seed_gives_the_same_weights_and_another_gives_others() -> None:
    first, again, other = (linear(5, 4, rng(seed)).weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_perceptron_that_ends_in_zero_gives_zero_and_still_learns() -> None:
    network = perceptron((5, 8, 3), rng(), zero_last=True).double()
    out = network(noise(4, 5))
    out.sum().backward()
    assert bool((out == 0).all())
    last = list(network.parameters())[-2]
    assert last.grad is not None
    assert bool((last.grad != 0).any())


def test_at_a_pixels_centre_is_the_pixel_and_beyond_the_edge_goes_on_the_edge() -> None:
    maps = torch.tensor([[[[1.0, 3.0], [5.0, 9.0]]]])
    pixels = torch.tensor([[[0.5, 0.5], [1.5, 1.5], [1.0, 0.5], [1.0, 1.0], [-9.0, 0.5], [9.0, 9.0]]])
    assert sample_bilinear(maps, pixels)[0, :, 0].tolist() == [1.0, 9.0, 2.0, 4.5, 1.0, 9.0]


def test_a_whole_footprint_lies_between_the_outermost_centres() -> None:
    pixels = torch.tensor([[0.5, 0.5], [0.49, 0.5], [3.5, 1.5], [3.51, 1.5], [2.0, 1.51]])
    assert has_whole_footprint(pixels, 4, 2).tolist() == [True, False, True, False, False]


def test_sampling_has_the_gradients_of_finite_differences() -> None:
    maps = noise(2, 3, 4, 5).requires_grad_()
    pixels = (1 + 2.5 * noise(2, 6, 2, seed=1).sigmoid()).requires_grad_()
    assert torch.autograd.gradcheck(sample_bilinear, (maps, pixels))


def test_chunks_give_the_rows_and_the_gradients_of_the_whole() -> None:
    rows, shared = noise(10, 3).requires_grad_(), noise(3, 3, seed=1).requires_grad_()

    def function(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ y).tanh()

    whole = function(rows, shared)
    parts = in_chunks(function, (rows,), (shared,), size=4)
    torch.testing.assert_close(parts, whole, atol=1e-15, rtol=0)
    seen = torch.autograd.grad((parts * noise(10, 3, seed=2)).sum(), (rows, shared))
    expected = torch.autograd.grad((whole * noise(10, 3, seed=2)).sum(), (rows, shared))
    torch.testing.assert_close(seen, expected, atol=1e-14, rtol=0)


def test_what_lies_between_is_not_kept_for_the_gradient() -> None:
    calls = []

    def function(x: torch.Tensor) -> torch.Tensor:
        calls.append(len(x))
        return x * x

    rows = noise(6, 2).requires_grad_()
    in_chunks(function, (rows,), size=3).sum().backward()
    assert sorted(calls) == [3, 3, 3, 3]  # each chunk twice
    with torch.no_grad():
        in_chunks(function, (rows,), size=3)
    assert len(calls) == 6
