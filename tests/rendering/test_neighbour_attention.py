"""Attention to given neighbours: both backends against loops, gradients, threads, and input that makes no sense."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.rendering.neighbour_attention import neighbour_attention

from .point_scenes import noise, rng

BACKENDS = ("torch", "numba")


def _arguments(g: int = 9, m: int = 12, k: int = 5, h: int = 2, e: int = 3, p: int = 4) -> list[Tensor]:
    indices = torch.randint(0, m, (g, k), generator=rng(1))
    shapes = ((g, h, e), (g, h, p), (m, 2, h, e), (g, k, 3), (p, 3), (p,))
    queries, position_queries, keys_values, offsets, weight, bias = (
        noise(*shape, seed=i) for i, shape in enumerate(shapes)
    )
    return [queries, position_queries, keys_values, indices, offsets, weight, bias]


def _loops(arguments: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """One point, one head, one neighbour after the other."""
    queries, position_queries, keys_values, indices, offsets, weight, bias = arguments
    values, encodings = torch.zeros_like(queries), torch.zeros_like(position_queries)
    for j in range(len(queries)):
        encoded = [(weight @ offset + bias).clamp_min(0) for offset in offsets[j]]
        for head in range(queries.shape[1]):
            rows = [keys_values[i, :, head] for i in indices[j].tolist()]
            scores = [
                math.exp(float(queries[j, head] @ row[0] + position_queries[j, head] @ code))
                for row, code in zip(rows, encoded, strict=True)
            ]
            for score, row, code in zip(scores, rows, encoded, strict=True):
                values[j, head] += score / sum(scores) * row[1]
                encodings[j, head] += score / sum(scores) * code
    return values, encodings


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("k", [1, 5, 8, 17])
def test_every_point_sees_the_weighted_sum_of_its_neighbours(backend: str, k: int) -> None:
    arguments = _arguments(k=k)
    seen = neighbour_attention(*arguments, backend=backend)
    expected = _loops(arguments)
    torch.testing.assert_close(seen.values, expected[0], atol=1e-13, rtol=1e-12)
    torch.testing.assert_close(seen.encodings, expected[1], atol=1e-13, rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_are_those_of_finite_differences(backend: str) -> None:
    arguments = _arguments(g=4, m=5, k=3, e=2, p=3)
    for place in (0, 1, 2, 5, 6):
        arguments[place].requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: tuple(neighbour_attention(*a, backend=backend)), arguments)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_backends_have_the_same_results_and_gradients_at_the_networks_own_sizes(dtype: torch.dtype) -> None:
    found = []
    for backend in BACKENDS:
        arguments = [x.to(dtype) if x.is_floating_point() else x for x in _arguments(300, 300, 16, 4, 16, 32)]
        leaves = [arguments[i].requires_grad_() for i in (0, 1, 2, 5, 6)]
        seen = neighbour_attention(*arguments, backend=backend)
        torch.autograd.backward([(x * noise(*x.shape).to(dtype)).sum() for x in seen])
        found.append([*(x.detach() for x in seen), *(x.grad for x in leaves)])
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance * float(other.abs().max()), rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_great_scores_do_not_overflow(backend: str) -> None:
    arguments = [x.float() if x.is_floating_point() else x for x in _arguments()]
    arguments[0] = 1e4 * arguments[0]
    assert all(bool(x.isfinite().all()) for x in neighbour_attention(*arguments, backend=backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_points_give_no_rows_and_no_gradient(backend: str) -> None:
    arguments = _arguments(g=0, k=0)
    arguments[2].requires_grad_()
    seen = neighbour_attention(*arguments, backend=backend)
    assert seen.values.shape == (0, 2, 3)
    assert seen.encodings.shape == (0, 2, 4)
    (seen.values.sum() + seen.encodings.sum()).backward()
    assert arguments[2].grad is not None
    assert bool((arguments[2].grad == 0).all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_tensors_may_lie_in_memory_in_any_order(backend: str) -> None:
    arguments = _arguments()
    turned = [x.transpose(0, 1).contiguous().transpose(0, 1) if x.ndim > 1 else x for x in arguments]
    for one, other in zip(
        neighbour_attention(*arguments, backend=backend), neighbour_attention(*turned, backend=backend), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-14, rtol=0)


_HASH = """
import hashlib, sys, torch
from trisparse.rendering.neighbour_attention import neighbour_attention
torch.set_num_threads(int(sys.argv[1]))
random = torch.Generator().manual_seed(0)
shapes = ((500, 4, 16), (500, 4, 32), (500, 2, 4, 16), (500, 16, 3), (32, 3), (32,))
q, p, kv, offsets, w, b = (torch.randn(*s, generator=random) for s in shapes)
leaves = [x.requires_grad_() for x in (q, p, kv, w, b)]
indices = torch.randint(0, 500, (500, 16), generator=random)
seen = neighbour_attention(q, p, kv, indices, offsets, w, b, backend="numba")
sum(x.square().sum() for x in seen).backward()
bits = b"".join(x.detach().numpy().tobytes() for x in [*seen, *(leaf.grad for leaf in leaves)])
print(hashlib.sha256(bits).hexdigest())
"""


def test_any_number_of_threads_gives_the_same_bits() -> None:
    hashes = {
        subprocess.run(
            [sys.executable, "-c", _HASH, threads], capture_output=True, text=True, check=True
        ).stdout.strip()
        for threads in ("1", "2")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("place", "name"), [(1, "position_queries"), (2, "keys_values"), (4, "offsets"), (5, "weight")]
)
def test_sizes_that_do_not_agree_are_refused_by_name(place: int, name: str) -> None:
    arguments = _arguments()
    arguments[place] = torch.cat([arguments[place], arguments[place][..., :1]], -1)
    with pytest.raises(Exception, match=name) as found:
        neighbour_attention(*arguments)
    assert isinstance(found.value, ShapeMismatch) or "jaxtyping" in type(found.value).__module__


@pytest.mark.parametrize("wrong", [-1, 12])
def test_a_neighbour_that_does_not_exist_is_refused(wrong: int) -> None:
    arguments = _arguments()
    arguments[3][2, 1] = wrong
    with pytest.raises(InvalidInput, match="of 12 points"):
        neighbour_attention(*arguments)


def test_points_without_neighbours_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        neighbour_attention(*_arguments(k=0))
