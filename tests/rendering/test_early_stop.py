"""The end of a fit that nobody else can judge."""

from __future__ import annotations

import pytest
import torch
from trisparse.core.errors import InvalidInput
from trisparse.rendering.early_stop import EarlyStop, Watch
from trisparse.rendering.features import Views
from trisparse.rendering.fit import Fit, FitConfig

from .fit_scenes import photos_of, ring_of_cameras, some_gaussians


def _fit() -> tuple[Fit, Views]:
    photos = photos_of(some_gaussians(seed=1), ring_of_cameras())
    return Fit(photos, some_gaussians(), FitConfig(steps=40, densify=None)), Views(photos.images(), photos.cameras)


def test_right_depth_disagrees_less_than_wrong_depth() -> None:
    photos = photos_of(some_gaussians(400, seed=1), ring_of_cameras())
    views = Views(photos.images(), photos.cameras)
    right = some_gaussians(400, seed=1)
    shifted = right.moved(1.0, torch.eye(3), torch.tensor([0.0, 0.5, 0.0]))
    errors = [
        Watch(EarlyStop(), views).disagreement(Fit(photos, cloud, FitConfig(sh_degree=0))) for cloud in (right, shifted)
    ]
    assert errors[0] < 0.8 * errors[1]


def test_the_best_look_is_kept_and_the_end_comes_after_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, views = _fit()
    watch = Watch(EarlyStop(every=2, patience=2, start=4), views)
    errors = iter([0.5, 0.4, 0.6, 0.3, 0.3, 0.31])
    monkeypatch.setattr(Watch, "disagreement", lambda self, fit: next(errors))
    best, steps = [], 0
    while not watch.is_over:
        fit.step()
        steps += 1
        watch.look(fit)
        if fit.done == 10:
            best.append(fit.result().means.clone())
    assert steps == 14
    assert watch.best is not None
    assert torch.equal(watch.best.means, best[0])
    assert watch.best_error == 0.3


def test_a_watch_that_is_stopped_and_goes_on_is_the_same() -> None:
    fit, views = _fit()
    watch, again = (Watch(EarlyStop(every=2, patience=9, start=2), views) for _ in range(2))
    for _ in range(7):
        fit.step()
        watch.look(fit)
    again.load(watch.tree())
    assert (again.best_error, again.since) == (watch.best_error, watch.since)
    assert again.best is not None
    assert watch.best is not None
    assert torch.equal(again.best.sh, watch.best.sh)
    empty = Watch(EarlyStop(), views)
    empty.load(Watch(EarlyStop(), views).tree())
    assert empty.best is None


def test_looks_that_never_come_are_refused() -> None:
    with pytest.raises(InvalidInput, match="patience 0"):
        EarlyStop(patience=0)
