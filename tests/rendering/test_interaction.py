"""Attention among neighbours: who they are, the block against its formula, and what must not matter."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from trisparse.core.errors import InvalidInput, NotFinite, ShapeMismatch
from trisparse.rendering.interaction import Neighbours, PointAttention, find_neighbours

from .point_scenes import gradients, noise, rng, shaken


def _block(width: int = 8, heads: int = 2, backend: str = "auto") -> PointAttention:
    block = shaken(PointAttention(width, heads, rng(), backend=backend).double(), 0.3)
    assert isinstance(block, PointAttention)
    return block


def _formula(block: PointAttention, feats: Tensor, points: Tensor, neighbours: Neighbours) -> Tensor:
    """One point and one head after the other, encodings and all."""
    width = feats.shape[1] // block.heads
    normed = block.norm(feats)
    queries, (keys, values) = block.query(normed), block.key_value(normed).chunk(2, 1)
    rows = []
    for j, indices in enumerate(neighbours.indices):
        offsets = (points[indices] - points[j]) / neighbours.radii[j]
        delta = block.position_out(functional.relu(block.position_in(offsets)))
        heads = []
        for head in range(block.heads):
            part = slice(head * width, (head + 1) * width)
            scores = (keys[indices, part] + delta[:, part]) @ queries[j, part] / math.sqrt(width)
            heads.append(scores.softmax(0) @ (values[indices, part] + delta[:, part]))
        rows.append(torch.cat(heads))
    feats = feats + block.out(torch.stack(rows))
    return feats + block.feed_forward(block.forward_norm(feats))


# Neighbours


@pytest.mark.parametrize("k", [1, 2, 7])
def test_neighbours_are_the_nearest_of_all_pairs_the_point_itself_first(k: int) -> None:
    points = noise(50, 3)
    found = find_neighbours(points, k)
    distances, indices = torch.cdist(points, points).topk(k, largest=False)
    assert torch.equal(found.indices, indices)
    if k > 1:
        torch.testing.assert_close(found.radii, distances[:, -1])


def test_many_points_are_searched_in_chunks_with_the_same_result() -> None:
    points = noise(17_000, 3).float()
    found = find_neighbours(points, 4)
    assert torch.equal(found.indices[:, 0], torch.arange(17_000))
    last = points[found.indices[-1, -1]] - points[-1]
    torch.testing.assert_close(found.radii[-1], last.norm())
    assert bool((torch.cdist(points[-1:], points) < found.radii[-1] * 0.9999).sum() == 3)


def test_fewer_points_than_neighbours_are_all_neighbours() -> None:
    found = find_neighbours(noise(3, 3), 16)
    assert found.indices.sort(1).values.tolist() == [[0, 1, 2]] * 3


def test_among_many_points_at_one_place_each_is_its_own_first_neighbour() -> None:
    points = torch.cat([torch.zeros(30, 3), noise(5, 3).float() + 9])
    found = find_neighbours(points, 4)
    assert torch.equal(found.indices[:, 0], torch.arange(35))
    assert all(len(set(row)) == 4 for row in found.indices.tolist())
    assert bool((found.radii > 0).all())


def test_points_that_all_coincide_have_a_radius_of_one() -> None:
    assert find_neighbours(torch.ones(5, 3), 3).radii.tolist() == [1.0] * 5
    assert find_neighbours(torch.ones(1, 3)).radii.tolist() == [1.0]


def test_no_points_have_no_neighbours() -> None:
    found = find_neighbours(torch.zeros(0, 3))
    assert len(found) == 0
    assert found.radii.shape == (0,)


def test_positions_that_are_not_finite_and_no_neighbours_at_all_are_refused() -> None:
    with pytest.raises(NotFinite, match="points"):
        find_neighbours(torch.tensor([[0.0, torch.nan, 0.0]]))
    with pytest.raises(InvalidInput, match="at least 1"):
        find_neighbours(noise(4, 3), 0)


# The block


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_the_block_is_what_its_formula_says(backend: str) -> None:
    block, feats, points = _block(backend=backend), noise(25, 8), noise(25, 3, seed=1)
    neighbours = find_neighbours(points, 6)
    seen, expected = block(feats, points, neighbours), _formula(block, feats, points, neighbours)
    torch.testing.assert_close(seen, expected, atol=1e-12, rtol=0)
    (seen * noise(25, 8, seed=2)).sum().backward()
    found = gradients(block)
    block.zero_grad()
    (expected * noise(25, 8, seed=2)).sum().backward()
    torch.testing.assert_close(found, gradients(block), atol=1e-11, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_fresh_block_changes_no_bit(dtype: torch.dtype) -> None:
    feats, points = noise(40, 64).to(dtype), noise(40, 3, seed=1).to(dtype)
    out = PointAttention(64, 4, rng()).to(dtype)(feats, points, find_neighbours(points))
    assert torch.equal(out.view(torch.int64 if dtype == torch.float64 else torch.int32), feats.view_as(out).view(
        torch.int64 if dtype == torch.float64 else torch.int32
    ))  # fmt: skip


def test_a_fresh_block_learns() -> None:
    block, points = PointAttention(8, 2, rng()).double(), noise(20, 3, seed=1)
    block(noise(20, 8), points, find_neighbours(points, 5)).square().sum().backward()
    assert block.out.weight.grad is not None
    assert float(block.out.weight.grad.abs().max()) > 1e-3


@pytest.mark.parametrize("chunk", [1, 7, 24, 25])
def test_chunks_give_the_features_and_gradients_of_the_whole(chunk: int) -> None:
    block, points = _block(), noise(25, 3, seed=1)
    found = []
    for size in (chunk, 1000):
        feats = noise(25, 8).requires_grad_()
        out = block(feats, points, find_neighbours(points, 6), chunk=size)
        block.zero_grad()
        (out * noise(25, 8, seed=2)).sum().backward()
        found.append([out.detach(), feats.grad, *gradients(block)])
    torch.testing.assert_close(found[0], found[1], atol=1e-11, rtol=1e-10)


def test_permuted_points_have_permuted_features() -> None:
    block, feats, points = _block(), noise(30, 8), noise(30, 3, seed=1)
    order = torch.randperm(30, generator=rng())
    whole = block(feats, points, find_neighbours(points, 6))
    permuted = block(feats[order], points[order], find_neighbours(points[order], 6))
    torch.testing.assert_close(permuted, whole[order], atol=1e-12, rtol=0)


def test_the_scale_and_the_place_of_the_world_do_not_matter() -> None:
    block, feats, points = _block(), noise(30, 8), noise(30, 3, seed=1)
    moved = 1000 * points + 50
    torch.testing.assert_close(
        block(feats, moved, find_neighbours(moved, 6)),
        block(feats, points, find_neighbours(points, 6)),
        atol=1e-9,
        rtol=0,
    )


def test_a_far_point_is_not_heard_and_a_near_one_is() -> None:
    block, feats = _block(), noise(9, 8)
    points = torch.tensor([[float(i), 0, 0] for i in range(9)]).double()
    changed = feats.clone()
    changed[0, 0] += 1  # one channel: a change of all is taken off by the norm
    neighbours = find_neighbours(points, 3)
    difference = (block(changed, points, neighbours) - block(feats, points, neighbours)).abs().amax(1)
    assert (difference > 1e-9).tolist() == [True, True] + [False] * 7


def test_positions_get_no_gradient() -> None:
    points = noise(20, 3, seed=1).requires_grad_()
    _block()(noise(20, 8).requires_grad_(), points, find_neighbours(points, 5)).sum().backward()
    assert points.grad is None


def test_points_that_coincide_give_finite_features_and_gradients() -> None:
    block, points = _block(), torch.zeros(20, 3).double()
    feats = noise(20, 8).requires_grad_()
    block(feats, points, find_neighbours(points, 5)).sum().backward()
    assert feats.grad is not None
    assert bool(feats.grad.isfinite().all())


def test_no_points_stay_no_points() -> None:
    points = torch.zeros(0, 3).double()
    assert _block()(torch.zeros(0, 8).double(), points, find_neighbours(points)).shape == (0, 8)


def test_neighbours_of_other_points_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="look for neighbours again"):
        _block()(noise(9, 8), noise(9, 3), find_neighbours(noise(8, 3), 4))


def test_heads_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(InvalidInput, match="3 heads"):
        PointAttention(8, 3, rng())
