"""From photos to Gaussians by every method that has a name."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from trisparse.data.posed_images import PosedImages
from trisparse.data.still_life.capture import capture
from trisparse.data.still_life.rigs import Lens, arc
from trisparse.data.still_life.scene import make_still_life
from trisparse.pipelines.sparse_splats import METHODS, Prepared, SplatMethod, prepare_fit, run_fit
from trisparse.rendering.early_stop import EarlyStop
from trisparse.rendering.fit import Fit, FitConfig
from trisparse.rendering.fit_features import FeaturesConfig
from trisparse.rendering.point_features import PointFeaturesConfig

TINY = SplatMethod("random", FitConfig(steps=6, densify=None))


@pytest.fixture(scope="module")
def photos() -> PosedImages:
    scene = make_still_life(0, kind="table")
    return capture(scene, arc(scene, 3, Lens(width=48, height=36), angle=0.5))


def _error(fit: Fit) -> float:
    with torch.no_grad():
        renders = torch.stack([fit.render(fit.cameras[row]).image for row in range(len(fit.images))])
    return float((renders - fit.images).square().mean())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_brings_renders_nearer_to_the_photos(name: str, photos: PosedImages) -> None:
    prepared = prepare_fit(photos, METHODS[name].with_steps(9))
    before = _error(prepared.fit)
    cloud = run_fit(prepared)
    assert len(cloud) > 100
    assert all(bool(part.isfinite().all()) for part in vars(cloud).values())
    assert _error(prepared.fit) < before


def _run(method: SplatMethod, photos: PosedImages) -> Prepared:
    prepared = prepare_fit(photos, method)
    run_fit(prepared)
    return prepared


def test_with_everything_off_a_method_is_plain_splatting_bit_for_bit(photos: PosedImages) -> None:
    off = PointFeaturesConfig(features="off", interaction=0)
    plain, other = _run(TINY, photos), _run(replace(TINY, features=FeaturesConfig(off)), photos)
    assert other.fit.features is None
    for name, value in plain.fit.parameters.values.items():
        assert torch.equal(other.fit.parameters.values[name], value), name


def test_the_mean_of_the_photos_is_behind_everything_where_a_method_asks_for_it(photos: PosedImages) -> None:
    fit = prepare_fit(photos, replace(TINY, background="mean")).fit
    assert fit.config.background == pytest.approx(photos.images().mean((0, 1, 2)).tolist(), abs=1e-6)
    assert prepare_fit(photos, TINY).fit.config.background == (0, 0, 0)


def test_an_early_stop_ends_the_fit_with_the_best_it_saw(photos: PosedImages, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([0.2, 0.1, 0.3, 0.4])
    monkeypatch.setattr("trisparse.rendering.early_stop.Watch.disagreement", lambda self, fit: next(errors))
    method = replace(TINY, fit=replace(TINY.fit, steps=100), early_stop=EarlyStop(every=2, patience=2, start=2))
    prepared = prepare_fit(photos, method)
    cloud = run_fit(prepared)
    assert prepared.fit.done == 8
    four = prepare_fit(photos, replace(method, early_stop=None))
    for _ in range(4):
        four.fit.step()
    torch.testing.assert_close(cloud.means, four.frame.back(four.fit.result()).means, atol=0, rtol=0)


def test_another_number_of_steps_moves_the_end_of_the_densification_along() -> None:
    method = METHODS["ours"]
    assert method.fit.densify is not None
    longer = method.with_steps(2 * method.fit.steps).fit
    assert longer.densify is not None
    assert longer.densify.stop == 2 * method.fit.densify.stop
