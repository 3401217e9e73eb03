"""Gaussians that are decoded from features while they are fitted."""

from __future__ import annotations

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.rendering.densify import Densify, GradientDensify, MonteCarloDensify
from trisparse.rendering.features import Views
from trisparse.rendering.fit import Fit, FitConfig
from trisparse.rendering.fit_features import FeaturesConfig, FeatureTraining
from trisparse.rendering.point_features import PointFeaturesConfig

from .fit_scenes import photos_of, ring_of_cameras, some_gaussians

NETWORK = PointFeaturesConfig(features="rgb_only", width=8, heads=2, neighbours=4)
EARLY = GradientDensify(start=2, every=5, threshold=1e-5, stop=40, reset_every=0)


def _start(network: PointFeaturesConfig = NETWORK, densify: Densify | None = None, every: int = 4) -> Fit:
    photos = photos_of(some_gaussians(seed=1), ring_of_cameras())
    config = FitConfig(steps=60, sh_degree=1, sh_every=10, densify=densify)
    views = Views(photos.images(), photos.cameras)
    features = FeatureTraining(FeaturesConfig(network, decode_every=every), views, config.steps, config.seed)
    return Fit(photos, some_gaussians(), config, features=features)


def _run(fit: Fit, steps: int) -> Fit:
    while fit.done < steps:
        fit.step()
    return fit


def test_networks_and_learnable_features_are_trained() -> None:
    fit = _start()
    assert fit.features is not None
    before = [value.detach().clone() for value in fit.features.network.parameters()]
    # All last layers begin at 0: it takes two rounds until a gradient comes through to the first.
    _run(fit, 16)
    after = list(fit.features.network.parameters())
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert sum(changed) > 0.8 * len(changed)
    assert float(fit.parameters["learned"].detach().abs().sum()) > 0


def test_until_the_networks_first_learn_the_fit_is_the_plain_one() -> None:
    fit = _run(_start(), 4)
    photos = photos_of(some_gaussians(seed=1), ring_of_cameras())
    plain = Fit(photos, some_gaussians(), FitConfig(steps=60, sh_degree=1, sh_every=10, densify=None))
    _run(plain, 4)
    for name, value in plain.parameters.values.items():
        assert torch.equal(fit.parameters.values[name], value), name


def test_the_result_is_the_decoded_cloud_and_renders_as_the_fit_does() -> None:
    fit = _run(_start(), 20)
    assert fit.features is not None
    cloud = fit.result()
    base = fit.parameters.cloud()
    assert not torch.equal(cloud.sh, base.sh)
    with torch.no_grad():
        shown = fit.render(fit.cameras[1]).image
    torch.testing.assert_close(photos_of(cloud, fit.cameras[1]).image(0), shown.clamp(0, 1), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "densify", [None, EARLY, MonteCarloDensify(start=2, every=5)], ids=["fixed", "gradient", "mcmc"]
)
@pytest.mark.parametrize("stop", [12, 14])
def test_a_fit_that_is_stopped_and_goes_on_ends_with_the_same_bits(densify: Densify | None, stop: int) -> None:
    whole = _run(_start(densify=densify), 24)
    tree = _run(_start(densify=densify), stop).tree()
    second = _start(densify=densify)
    second.load(tree)
    _run(second, 24)
    for name, value in whole.parameters.values.items():
        assert torch.equal(second.parameters.values[name], value), name
    assert whole.features is not None
    assert second.features is not None
    for a, b in zip(whole.features.network.parameters(), second.features.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_more_gaussians_get_features_too() -> None:
    fit = _run(_start(densify=EARLY), 20)
    assert len(fit.parameters) > 60
    assert len(fit.parameters["learned"]) == len(fit.parameters)


def test_numbers_of_steps_below_1_are_refused() -> None:
    with pytest.raises(InvalidInput, match="decode_every 0"):
        FeaturesConfig(decode_every=0)
