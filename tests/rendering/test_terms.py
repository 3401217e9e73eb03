"""Terms of a fit: when they count, what they do to it, and what they cannot do."""

from __future__ import annotations

import math

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.rendering.features import Views
from trisparse.rendering.fit import Fit, FitConfig, Term
from trisparse.rendering.planesweep import DepthMaps
from trisparse.rendering.rasterize import rasterization
from trisparse.rendering.terms import TermsConfig, terms_of

from .fit_scenes import photos_of, ring_of_cameras, some_gaussians

CONFIG = FitConfig(steps=40, densify=None)


def _views() -> Views:
    photos = photos_of(some_gaussians(seed=1), ring_of_cameras())
    return Views(photos.images(), photos.cameras)


def _exact_depth() -> DepthMaps:
    cloud, cameras = some_gaussians(seed=1), ring_of_cameras()
    rendered, alpha, _ = rasterization(
        *(cloud.means, cloud.quats, cloud.scales, cloud.opacities, cloud.sh),
        *(cameras.camera_from_world, cameras.K, cameras.width, cameras.height),
        sh_degree=0,
        render_mode="ED",
    )
    return DepthMaps(rendered[..., 0], (alpha[..., 0] > 0.5).float())


def _fit(terms: tuple[Term, ...], steps: int = 20) -> Fit:
    views = _views()
    photos = photos_of(some_gaussians(seed=1), ring_of_cameras())
    fit = Fit(photos, some_gaussians(), CONFIG, terms=terms)
    assert torch.equal(fit.images, views.photos)
    for _ in range(steps):
        fit.step()
    return fit


def test_without_weights_there_are_no_terms_and_the_fit_is_the_plain_one_bit_for_bit() -> None:
    assert terms_of(TermsConfig(), _views(), None, 40) == ()
    plain, late = _fit(()), _fit(terms_of(TermsConfig(binocular=1.0, binocular_from=0.5), _views(), None, 40))
    for name, value in plain.parameters.values.items():
        assert torch.equal(late.parameters.values[name], value), name


@pytest.mark.parametrize(
    "config",
    [
        TermsConfig(binocular=1.0, binocular_from=0.1),
        TermsConfig(depth=0.1),
        TermsConfig(smoothness=0.1),
        TermsConfig(consistency=0.1, consistency_from=0.1),
    ],
    ids=["binocular", "depth", "smoothness", "consistency"],
)
def test_each_term_moves_the_gaussians_and_nothing_becomes_nan(config: TermsConfig) -> None:
    with_term, plain = _fit(terms_of(config, _views(), _exact_depth(), 40)), _fit(())
    assert not torch.equal(with_term.parameters["means"], plain.parameters["means"])
    assert all(bool(value.isfinite().all()) for value in with_term.parameters.values.values())


def test_the_depth_term_brings_depth_nearer_to_the_maps() -> None:
    maps = _exact_depth()

    def error(fit: Fit) -> float:
        total = 0.0
        for row in range(4):
            with torch.no_grad():
                depth_z = fit.render(fit.cameras[row], depth=True).depth_z
            assert depth_z is not None
            sure = (maps.confidence[row] > 0) & (depth_z > 0)
            total += float((depth_z / maps.depth_z[row]).log().abs()[sure].mean())
        return total

    terms = terms_of(TermsConfig(depth=1.0), _views(), maps, 40)
    assert error(_fit(terms, 40)) < 0.8 * error(_fit((), 40))


def test_weights_fall_from_the_first_to_the_last_step() -> None:
    one = Term(lambda fit, photo, rendered: torch.ones(()), 0.1, 0.001)
    fit = _fit((), 0)
    rendered = fit.render(fit.cameras[0])
    weights = []
    for step in (0, 39):
        fit.done = step
        weights.append(float(one(fit, 0, rendered)))
    assert weights == pytest.approx([0.1, 0.001])
    fit.done = 13
    assert float(one(fit, 0, rendered)) == pytest.approx(math.exp(2 / 3 * math.log(0.1) + 1 / 3 * math.log(0.001)))


def test_terms_that_lack_what_they_need_say_so() -> None:
    with pytest.raises(InvalidInput, match="depth maps"):
        terms_of(TermsConfig(depth=0.1), _views(), None, 40)
    views = _views()
    with pytest.raises(InvalidInput, match="nearest other"):
        terms_of(TermsConfig(binocular=1.0), Views(views.photos[:1], views.cameras[[0]]), None, 40)
