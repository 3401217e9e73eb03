"""Gaussians decoded from features of their points, put together: what step 0 gives, what must not matter, what is learned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.rendering.features import Views
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.interaction import find_neighbours
from trisparse.rendering.point_features import PointFeatures, PointFeaturesConfig
from trisparse.rendering.rasterize import rasterization

from .fit_scenes import photos_of, ring_of_cameras, some_gaussians
from .point_scenes import cloud_of, gradients, noise, rng, shaken, views_of

VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"interaction": 2},
    {"interaction": 0},
    {"features": "rgb_only", "aggregation": "mean"},
    {"features": "off", "interaction": 1},
    {"decoder": "alpha_color"},
    {"residual_features": False},
)


def _small(**options: Any) -> PointFeaturesConfig:
    return PointFeaturesConfig(**{"width": 8, "heads": 2, "neighbours": 5, **options})


def _trained(**options: Any) -> PointFeatures:
    """With weights of which none is 0."""
    network = shaken(PointFeatures(_small(**options), rng()).double())
    assert isinstance(network, PointFeatures)
    return network


def _parts(cloud: GaussianCloud) -> Iterator[tuple[str, Tensor]]:
    for field in fields(cloud):
        yield field.name, getattr(cloud, field.name)


def _with_grad(cloud: GaussianCloud) -> GaussianCloud:
    return GaussianCloud(*(x.detach().clone().requires_grad_() for _, x in _parts(cloud)))


def _loss(cloud: GaussianCloud, seed: int) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for i, (_, x) in enumerate(_parts(cloud)):
        total = total + (x.square() * noise(*x.shape, seed=10 * seed + i)).sum()
    return total


# Step 0 and switches


@pytest.mark.parametrize("options", VARIANTS)
def test_with_fresh_weights_the_decoded_gaussians_are_the_base_ones_bit_for_bit(options: dict[str, Any]) -> None:
    base = cloud_of(300, sh_degree=2, dtype=torch.float32)
    views = views_of(dtype=torch.float32)
    views = replace(views, depth_z=torch.full((3, 18, 24), 2.0))
    decoded = PointFeatures(PointFeaturesConfig(**options), rng())(base, views, find_neighbours(base.means))
    for (name, one), (_, other) in zip(_parts(decoded), _parts(base), strict=True):
        assert torch.equal(one.detach().view(torch.int32), other.view(torch.int32)), name


def test_with_features_and_interaction_off_the_very_tensors_of_the_base_come_back() -> None:
    network = PointFeatures(PointFeaturesConfig(features="off", interaction=0), rng())
    base, views = cloud_of(), views_of()
    neighbours = find_neighbours(base.means)
    learned = network.first_residuals(base.means).requires_grad_()
    for decoded in (
        network(base, views, neighbours, learned),
        network.decode(base, views, neighbours, learned).added_to(base),
    ):
        assert all(one is other for (_, one), (_, other) in zip(_parts(decoded), _parts(base), strict=True))
    assert network.config.is_off
    assert not list(network.parameters())


def test_attention_without_any_features_is_refused() -> None:
    with pytest.raises(InvalidInput, match="attention without features"):
        PointFeaturesConfig(features="off", interaction=1, residual_features=False)
    with pytest.raises(InvalidInput, match="chunk 0"):
        PointFeaturesConfig(chunk=0)


@pytest.mark.parametrize("options", VARIANTS)
def test_every_weight_of_every_variant_gets_a_gradient(options: dict[str, Any]) -> None:
    base, network = cloud_of(), _trained(**options)
    learned = noise(40, 8, seed=3).requires_grad_()
    decoded = network(base, views_of(), find_neighbours(base.means, 5), learned)
    _loss(decoded, 1).backward()
    untouched = [name for name, p in network.named_parameters() if p.grad is None or not bool((p.grad != 0).any())]
    assert untouched == []
    assert (learned.grad is not None) == network.config.residual_features


def test_the_base_gets_the_gradients_of_plain_addition() -> None:
    base, network = _with_grad(cloud_of()), _trained()
    decoded = network(base, views_of(), find_neighbours(base.means, 5))
    _loss(decoded, 1).backward()
    alone = _with_grad(decoded)
    _loss(alone, 1).backward()
    for (name, one), (_, other) in zip(_parts(base), _parts(alone), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_gradients_of_the_learned_features_are_those_of_finite_differences() -> None:
    base, network, views = cloud_of(6), _trained(features="rgb_only"), views_of()
    neighbours = find_neighbours(base.means, 3)

    def decode(learned: Tensor) -> tuple[Tensor, ...]:
        return tuple(network.residuals(base.means, views, neighbours, learned).tensors().values())

    assert torch.autograd.gradcheck(decode, (noise(6, 8, seed=3).requires_grad_(),))


# What must not matter


@pytest.mark.parametrize("options", VARIANTS)
def test_permuted_points_have_permuted_gaussians(options: dict[str, Any]) -> None:
    base, network, order = cloud_of(), _trained(**options), torch.randperm(40, generator=rng())
    learned = noise(40, 8, seed=3)
    whole = network(base, views_of(), find_neighbours(base.means, 5), learned)
    shuffled = base[order]
    permuted = network(shuffled, views_of(), find_neighbours(shuffled.means, 5), learned[order])
    for (name, one), (_, other) in zip(_parts(permuted), _parts(whole[order]), strict=True):
        torch.testing.assert_close(one, other, atol=1e-11, rtol=0, msg=name)


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("chunk", [1, 13, 40])
def test_chunks_give_the_gaussians_and_gradients_of_the_whole(options: dict[str, Any], chunk: int) -> None:
    base, views, found = cloud_of(), views_of(), []
    for size in (chunk, 16_384):
        network, learned = _trained(**options, chunk=size), noise(40, 8, seed=3).requires_grad_()
        decoded = network(base, views, find_neighbours(base.means, 5), learned)
        _loss(decoded, 1).backward()
        found.append([*(x.detach() for _, x in _parts(decoded)), *gradients(network)])
    torch.testing.assert_close(found[0], found[1], atol=1e-10, rtol=1e-9)


def test_the_order_of_the_photos_does_not_matter_and_one_photo_is_enough() -> None:
    base, network, views = cloud_of(), _trained(), views_of(4)
    neighbours = find_neighbours(base.means, 5)
    order = [2, 0, 3, 1]
    one = network(base, views, neighbours)
    other = network(base, Views(views.photos[order], views.cameras[order]), neighbours)
    torch.testing.assert_close(one.sh, other.sh, atol=1e-11, rtol=0)
    alone = network(base, Views(views.photos[:1], views.cameras[:1]), neighbours)
    assert bool(alone.sh.isfinite().all())


def test_a_point_behind_all_cameras_decodes_to_finite_numbers() -> None:
    base = cloud_of()
    means = base.means.clone()
    means[3] = torch.tensor([0.0, -99.0, 0.4])
    base = _with_grad(replace(base, means=means))
    decoded = _trained()(base, views_of(), find_neighbours(base.means, 5))
    _loss(decoded, 1).backward()
    assert all(bool(x.isfinite().all()) for _, x in _parts(decoded))


@pytest.mark.parametrize("options", VARIANTS)
def test_an_empty_cloud_stays_empty(options: dict[str, Any]) -> None:
    base, network = cloud_of(40)[:0], _trained(**options)
    neighbours = find_neighbours(base.means, 5)
    assert len(network(base, views_of(), neighbours)) == 0
    decoded = network.decode(base, views_of(), neighbours, network.first_residuals(base.means).requires_grad_())
    _loss(decoded.added_to(_with_grad(base)), 1).backward()
    decoded.backward()


def test_the_same_seed_gives_the_same_bits_and_the_global_generator_is_not_used() -> None:
    before, hashes = torch.get_rng_state(), []
    for seed in (1, 1, 2):
        network = shaken(PointFeatures(_small(), rng(seed)), seed=9)
        assert isinstance(network, PointFeatures)
        base = cloud_of(dtype=torch.float32)
        decoded = network(base, views_of(dtype=torch.float32), find_neighbours(base.means, 5))
        decoded.sh.square().sum().backward()
        bits = b"".join(x.detach().numpy().tobytes() for x in [decoded.sh, decoded.quats, *gradients(network)])
        hashes.append(hashlib.sha256(bits).hexdigest())
    assert hashes[0] == hashes[1] != hashes[2]
    assert torch.equal(torch.get_rng_state(), before)


# Decoding once for several renders


@pytest.mark.parametrize("options", VARIANTS)
def test_gradients_of_several_renders_sent_through_once_are_the_sum_of_the_direct_ones(options: dict[str, Any]) -> None:
    views, found = views_of(), []
    neighbours = find_neighbours(cloud_of().means, 5)
    for decode_once in (True, False):
        network, base = _trained(**options, chunk=16), _with_grad(cloud_of())
        learned = noise(40, 8, seed=3).requires_grad_()
        decoded = network.decode(base, views, neighbours, learned)
        for render in range(3):
            cloud = decoded.added_to(base) if decode_once else network(base, views, neighbours, learned)
            _loss(cloud, render).backward()
        if decode_once:
            decoded.backward()
        of_learned = torch.zeros_like(learned) if learned.grad is None else learned.grad
        found.append([*gradients(network), of_learned, *(x.grad for _, x in _parts(base))])
    torch.testing.assert_close(found[0], found[1], atol=1e-10, rtol=1e-9)


def test_the_base_may_take_steps_between_renders() -> None:
    base, network = cloud_of(), _trained()
    decoded = network.decode(base, views_of(), find_neighbours(base.means, 5))
    moved = replace(base, opacity_logits=base.opacity_logits + 1)
    torch.testing.assert_close(
        decoded.added_to(moved).opacity_logits, decoded.added_to(base).opacity_logits + 1, atol=1e-15, rtol=0
    )


def test_renders_leave_the_networks_alone_until_backward_is_called() -> None:
    base, network = cloud_of(), _trained()
    decoded = network.decode(base, views_of(), find_neighbours(base.means, 5))
    _loss(decoded.added_to(base), 1).backward()
    assert all(p.grad is None for p in network.parameters())
    decoded.backward()
    assert all(p.grad is not None for p in network.parameters())
    assert all(leaf.grad is None for leaf in decoded.residuals.tensors().values())


def test_backward_without_renders_does_nothing_and_a_second_one_with_new_renders_is_refused() -> None:
    base, network = cloud_of(), _trained()
    decoded = network.decode(base, views_of(), find_neighbours(base.means, 5))
    decoded.backward()
    assert all(p.grad is None for p in network.parameters())
    _loss(decoded.added_to(base), 1).backward()
    decoded.backward()
    decoded.backward()
    _loss(decoded.added_to(base), 1).backward()
    with pytest.raises(InvalidInput, match="decode again"):
        decoded.backward()


def test_gaussians_that_came_since_decoding_are_refused() -> None:
    base, network = cloud_of(40), _trained()
    decoded = network.decode(base, views_of(), find_neighbours(base.means, 5))
    with pytest.raises(ShapeMismatch, match="decode again"):
        decoded.added_to(cloud_of(41))
    with pytest.raises(ShapeMismatch, match="neighbours again"):
        network(cloud_of(41), views_of(), find_neighbours(base.means, 5))
    with pytest.raises(ShapeMismatch, match="learned features"):
        network(base, views_of(), find_neighbours(base.means, 5), noise(41, 8))


# Learning


@pytest.mark.parametrize("options", [{}, {"features": "rgb_only", "decoder": "alpha_color"}, {"features": "off"}])
def test_networks_alone_learn_the_colours_of_the_photos_through_renders(options: dict[str, Any]) -> None:
    truth = some_gaussians(80)
    cameras = ring_of_cameras(3)
    views = Views(photos_of(truth, cameras).images(), cameras)
    base = replace(truth, sh=torch.zeros(80, 4, 3))
    network = PointFeatures(PointFeaturesConfig(**options), rng())
    learned = network.first_residuals(base.means).requires_grad_()
    optimizer = torch.optim.Adam([*network.parameters(), learned], 2e-3)
    neighbours, losses = find_neighbours(base.means), []
    for _ in range(14):
        decoded = network.decode(base, views, neighbours, learned)
        total = 0.0
        for view in range(3):
            cloud, camera = decoded.added_to(base), cameras[view]
            image = rasterization(
                cloud.means, cloud.quats, cloud.scales, cloud.opacities, cloud.sh, camera.camera_from_world, camera.K,
                camera.width, camera.height, sh_degree=1, backend="numba",
            )[0]  # fmt: skip
            loss = (image[0] - views.photos[view]).abs().mean()
            loss.backward()
            total += float(loss.detach())
        optimizer.zero_grad(set_to_none=True)
        decoded.backward()
        optimizer.step()
        losses.append(total)
    assert losses[-1] < 0.6 * losses[0]
