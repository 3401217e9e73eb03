"""From features to residuals of raw parameters."""

from __future__ import annotations

import math

import pytest
import torch
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.rendering.decoders import AlphaColorDecoder, HarmonicsDecoder, Residuals
from trisparse.rendering.harmonics import harmonics

from .point_scenes import cloud_of, noise, rng, shaken

DECODERS = (HarmonicsDecoder, AlphaColorDecoder)
Decoder = type[HarmonicsDecoder] | type[AlphaColorDecoder]


def _decoded(kind: Decoder, degree: int = 1, g: int = 12) -> Residuals:
    decoder = shaken(kind(8, degree, rng()).double())
    assert isinstance(decoder, HarmonicsDecoder | AlphaColorDecoder)
    return decoder.residuals(decoder(noise(g, 8), noise(g, seed=1).exp()))


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_harmonics_of_every_degree_are_decoded(kind: Decoder, degree: int) -> None:
    residuals = _decoded(kind, degree)
    shapes = {name: tuple(x.shape) for name, x in residuals.tensors().items()}
    expected = {"sh": (12, (degree + 1) ** 2, 3), "opacity_logits": (12,)}
    if kind is HarmonicsDecoder:
        expected |= {"log_scales": (12, 3), "quats": (12, 4)}
    assert shapes == expected
    assert all(bool((x != 0).all()) for x in residuals.tensors().values())


@pytest.mark.parametrize("kind", DECODERS)
def test_fresh_decoders_leave_every_bit_of_a_cloud(kind: Decoder) -> None:
    base, decoder = cloud_of(dtype=torch.float32), kind(8, 1, rng())
    residuals = decoder.residuals(decoder(noise(40, 8).float(), torch.full((40,), 0.1)))
    decoded = residuals.added_to(base)
    for name in ("means", "quats", "log_scales", "opacity_logits", "sh"):
        one, other = getattr(decoded, name), getattr(base, name)
        assert torch.equal(one.detach().view(torch.int32), other.view(torch.int32)), name


@pytest.mark.parametrize("kind", DECODERS)
def test_only_the_last_layers_of_fresh_decoders_get_a_gradient_and_they_do(kind: Decoder) -> None:
    decoder = kind(8, 1, rng())
    decoder(noise(9, 8).float(), torch.ones(9)).sum().backward()
    parts = (
        [decoder.appearance, decoder.geometry]
        if isinstance(decoder, HarmonicsDecoder)
        else [decoder.color, decoder.opacity]
    )
    for part in parts:
        grads = [p.grad for p in part.parameters()]
        assert [bool((grad != 0).any()) for grad in grads if grad is not None] == [False] * 4 + [True] * 2


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_colour_that_is_harmonics_of_the_view_is_written_as_these(degree: int) -> None:
    decoder = AlphaColorDecoder(8, degree, rng()).double()
    wanted = noise((degree + 1) ** 2)
    seen = harmonics(decoder.directions.double(), degree) @ wanted
    torch.testing.assert_close(decoder.fit.double() @ seen, wanted, atol=1e-6, rtol=0)


def test_the_directions_asked_for_are_unit_vectors_all_around() -> None:
    directions = AlphaColorDecoder(8, 1, rng()).directions
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(8))
    assert float(directions.mean(0).norm()) < 0.1


def test_the_opacity_of_the_alpha_decoder_does_not_depend_on_the_colour_network() -> None:
    decoder = shaken(AlphaColorDecoder(8, 1, rng()))
    assert isinstance(decoder, AlphaColorDecoder)
    feats = noise(5, 8).float()
    before = decoder.residuals(decoder(feats, torch.ones(5)))
    shaken(decoder.color, 1.0)
    after = decoder.residuals(decoder(feats, torch.ones(5)))
    assert before.opacity_logits is not None
    assert after.opacity_logits is not None
    assert torch.equal(before.opacity_logits, after.opacity_logits)
    assert not torch.equal(before.tensors()["sh"], after.tensors()["sh"])


def test_the_radius_enters_as_its_logarithm() -> None:
    decoder = shaken(HarmonicsDecoder(8, 1, rng()).double())
    assert isinstance(decoder, HarmonicsDecoder)
    feats = torch.zeros(3, 8).double()
    columns = decoder(feats, torch.tensor([1.0, math.e, math.e**2]).double())
    by_hand = decoder.geometry(torch.tensor([[0.0] * 8 + [i] for i in (0.0, 1.0, 2.0)]).double())
    torch.testing.assert_close(columns[:, 12:], by_hand, atol=1e-6, rtol=0)
    assert torch.equal(columns[0, :12], columns[2, :12])  # not into the colour


# Residuals


def test_residuals_of_a_low_degree_add_to_the_first_harmonics_of_a_high_one() -> None:
    base, residual = cloud_of(5, sh_degree=2), noise(5, 4, 3)
    decoded = Residuals(sh=residual).added_to(base)
    assert torch.equal(decoded.sh[:, :4], base.sh[:, :4] + residual)
    assert torch.equal(decoded.sh[:, 4:], base.sh[:, 4:])
    assert decoded.quats is base.quats


def test_residuals_of_a_degree_that_the_cloud_lacks_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="with_degree"):
        Residuals(sh=noise(5, 9, 3)).added_to(cloud_of(5, sh_degree=1))


def test_residuals_of_other_gaussians_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="decode again"):
        Residuals(opacity_logits=noise(4)).added_to(cloud_of(5))


def test_no_residuals_give_the_cloud_itself() -> None:
    base = cloud_of(5)
    decoded = Residuals().added_to(base)
    assert all(getattr(decoded, name) is getattr(base, name) for name in ("means", "quats", "opacity_logits", "sh"))


@pytest.mark.parametrize("kind", DECODERS)
def test_a_degree_that_does_not_exist_is_refused(kind: Decoder) -> None:
    with pytest.raises(InvalidInput, match="degree 4"):
        kind(8, 4, rng())
