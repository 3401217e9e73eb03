"""Studies of new views: each fit once, whatever happens in between."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from trisparse.core.errors import BackendUnavailable, InvalidInput
from trisparse.data.posed_images import PosedImages
from trisparse.data.still_life.capture import capture
from trisparse.data.still_life.rigs import Lens, arc
from trisparse.data.still_life.scene import make_still_life
from trisparse.pipelines import views_fits, views_study
from trisparse.pipelines.views_evaluation import Reconstruction, score_views
from trisparse.pipelines.views_fits import choose_methods, splats_from_file
from trisparse.pipelines.views_report import gain_table, make_report, scene_table, view_table
from trisparse.pipelines.views_study import Study, StudyResults, run_study
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.lpips import Lpips

STEPS = 4


@pytest.fixture(scope="module")
def photos() -> PosedImages:
    scene = make_still_life(0, kind="table")
    return capture(scene, arc(scene, 5, Lens(width=48, height=36), angle=0.5))


def _study(photos: PosedImages, **more: Any) -> Study:
    methods = choose_methods(more.pop("names", ("3dgs-random", "3dgs")), steps=more.pop("steps", STEPS))
    given: dict[str, Any] = {"seeds": (0, 1), **more}
    return Study("heap", photos.select((0, 4)), photos.select((1, 2, 3)), methods, **given)


def _run(study: Study, out: Path, **more: Any) -> StudyResults:
    return run_study(study, out, progress=False, say=lambda line: None, **more)


@pytest.fixture(scope="module")
def done(photos: PosedImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study; to be copied, not changed."""
    out = tmp_path_factory.mktemp("study") / "out"
    _run(_study(photos, curve_every=3), out)
    return out


@pytest.fixture
def out(done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done, tmp_path / "out"))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Titles of the fits that were really run."""
    titles: list[str] = []
    run = views_fits.make_fit

    def counted(job: Any, title: str, **more: Any) -> Any:
        titles.append(title)
        return run(job, title, **more)

    monkeypatch.setattr(views_study, "make_fit", counted)
    return titles


def test_results_are_those_of_the_kept_gaussians_on_the_test_photos(photos: PosedImages, out: Path) -> None:
    study = _study(photos)
    results = _run(study, out)
    assert [(r.method, r.seed) for r in results.results[::3]] == [
        (name, seed) for name in ("3dgs-random", "3dgs") for seed in (0, 1)
    ]
    assert [r.view for r in results.results[:3]] == ["001", "002", "003"]
    fit = results.fits[-1]
    again = score_views(fit.open("heap"), study.test)
    assert [r.metrics for r in again] == [r.metrics for r in results.results[-3:]]
    assert {r.gaussians for r in results.results[-3:]} == {fit.gaussians}
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [line["view"] for line in lines] == ["001", "002", "003"] * 4


def test_a_finished_study_is_read_not_run(photos: PosedImages, out: Path, made: list[str]) -> None:
    before = (out / "results.jsonl").read_bytes()
    first, second = _run(_study(photos), out), _run(_study(photos), out)
    assert made == []
    assert first.results == second.results
    assert (out / "results.jsonl").read_bytes() == before


def test_a_killed_study_goes_on_with_what_is_missing(photos: PosedImages, out: Path, made: list[str]) -> None:
    whole = _run(_study(photos), out).results
    # As a kill would leave it: a line cut off, one fit's results not written, another fit not finished.
    lines = (out / "results.jsonl").read_bytes().splitlines(keepends=True)
    (out / "results.jsonl").write_bytes(b"".join(lines[:7]) + lines[7][:40])
    (last,) = (out / "fits").glob("3dgs-seed1-*")
    (last / "about.json").unlink()
    again = _run(_study(photos), out).results
    assert made == ["3dgs, seed 1 (4 of 4)"]
    assert [r.metrics for r in again] == [r.metrics for r in whole]
    assert len((out / "results.jsonl").read_text().splitlines()) == 12


def test_other_settings_are_other_fits_and_other_photos_only_other_scores(
    photos: PosedImages, out: Path, made: list[str]
) -> None:
    fewer = replace(_study(photos), test=photos.select((2,)))
    assert len(_run(fewer, out).results) == 4
    assert made == []
    darker = PosedImages.from_tensors(photos.cameras, photos.images() / 2, photos.names)
    _run(replace(_study(photos), test=darker.select((1, 2, 3))), out)
    assert made == []
    _run(_study(photos, steps=STEPS + 1, seeds=(0,), names=("3dgs",)), out)
    _run(_study(photos, seeds=(2,), names=("3dgs",)), out)
    _run(_study(photos, seeds=(0,), names=("3dgs",), backend="torch"), out)
    _run(replace(_study(photos, seeds=(0,), names=("3dgs-random",)), train=darker.select((0, 4))), out)
    assert len(made) == 4
    _run(_study(photos), out)  # the first ones are still there
    assert len(made) == 4


def test_gaussians_that_were_removed_are_made_again_only_where_they_are_needed(
    photos: PosedImages, out: Path, made: list[str]
) -> None:
    whole = _run(_study(photos), out)
    (removed,) = (out / "fits").glob("3dgs-seed0-*")
    content = (removed / "splats.ply").read_bytes()
    shutil.rmtree(removed)
    kept = _run(_study(photos), out, keep_all=False)
    assert made == []
    assert kept.results == whole.results
    _run(_study(photos), out)
    assert made == ["3dgs, seed 0 (3 of 4)"]
    assert (removed / "splats.ply").read_bytes() == content


def test_a_curve_is_what_it_says_and_changes_nothing(photos: PosedImages, out: Path, made: list[str]) -> None:
    results = _run(_study(photos, curve_every=3), out)
    assert made == []
    assert list(results.curves) == [(name, seed) for name in ("3dgs-random", "3dgs") for seed in (0, 1)]
    points = results.curves["3dgs", 1]
    assert [point.step for point in points] == [0, 3, 4]
    last = {r.view: r.metrics.psnr for r in results.results[-3:]}
    # Rendered where the world was brought to scale, so not to the last digit.
    assert points[-1].views == pytest.approx(last, abs=1e-3)
    assert points[-1].psnr == pytest.approx(sum(last.values()) / 3, abs=1e-3)
    assert points[0].psnr < points[-1].psnr
    plain = out.with_name("plain")
    _run(_study(photos, names=("3dgs",), seeds=(1,)), plain)
    (one,), (other,) = ((place / "fits").glob("3dgs-seed1-*/splats.ply") for place in (out, plain))
    assert one.read_bytes() == other.read_bytes()


def test_a_curve_of_another_spacing_is_another_fit(photos: PosedImages, out: Path, made: list[str]) -> None:
    results = _run(_study(photos, curve_every=2, names=("3dgs",), seeds=(0,)), out)
    assert len(made) == 1
    assert [point.step for point in results.curves["3dgs", 0]] == [0, 2, 4]
    assert _run(_study(photos, curve_every=3), out).curves["3dgs", 0]
    assert len(made) == 1


def test_a_fit_that_fails_is_named_and_the_others_go_on(photos: PosedImages, tmp_path: Path) -> None:
    bare = replace(photos, points=None)
    said: list[str] = []
    results = run_study(_study(bare, seeds=(0,)), tmp_path, progress=False, say=said.append)
    assert [r.method for r in results.results] == ["3dgs-random"] * 3
    (failure,) = results.failures
    assert (failure.method, failure.seed) == ("3dgs", 0)
    assert said == [f"3dgs, seed 0: {failure.error}"]
    assert not list(tmp_path.glob("fits/3dgs-seed*"))
    report = make_report(results, "by number")
    assert report.gains == ()
    assert report.failures == tuple(said)


def test_only_masked_pixels_count_for_psnr_and_all_else_is_white(photos: PosedImages) -> None:
    test = photos.select((1, 2))
    cloud = GaussianCloud.from_points(
        0.1 * torch.randn(30, 3, generator=torch.Generator().manual_seed(0)), torch.rand(30, 3)
    )
    masks = torch.zeros(2, 36, 48, dtype=torch.bool)
    masks[:, 10:20, 10:30] = True
    spoilt = test.images()
    spoilt[~masks] = 0.3
    other = PosedImages.from_tensors(test.cameras, spoilt, test.names)
    made = Reconstruction("heap", "any", 0, cloud, 0.0)
    assert score_views(made, test, masks=masks) == score_views(made, other, masks=masks)
    plain = score_views(made, test)
    assert score_views(made, test, masks=torch.ones_like(masks)) == plain
    view = score_views(made, test, masks=masks)[0]
    assert view.metrics.psnr != plain[0].metrics.psnr
    assert view.metrics.ssim_3dgs > plain[0].metrics.ssim_3dgs  # most of both is white now


def _lpips() -> Lpips:
    """Of AlexNet's shape, with weights out of nothing."""
    random = torch.Generator().manual_seed(0)
    shapes = ((64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3))
    convolutions = tuple(
        (torch.randn(into, of, side, side, generator=random) / (of * side * side) ** 0.5, torch.zeros(into))
        for into, of, side in shapes
    )
    return Lpips("alex", convolutions, tuple(torch.full((1, into, 1, 1), 1 / into) for into, _, _ in shapes))


def test_lpips_is_added_to_old_results_once_its_weights_are_there(
    photos: PosedImages, out: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_study, "why_no_lpips", lambda net: "no weights")
    before = _run(_study(photos), out)
    assert before.lpips == "n/a: no weights"
    monkeypatch.setattr(views_study, "why_no_lpips", lambda net: None)
    monkeypatch.setattr(views_study.Lpips, "load", lambda net: _lpips())
    after = _run(_study(photos), out)
    assert made == []
    assert all(0 < (r.metrics.lpips or 0) < 10 for r in after.results)
    assert [replace(r.metrics, lpips=None, avge=None) for r in after.results] == [r.metrics for r in before.results]
    monkeypatch.setattr(views_study, "why_no_lpips", lambda net: "no weights")
    assert _run(_study(photos), out).results == after.results  # what was measured stays


def test_a_file_of_splats_is_scored_beside_the_methods(photos: PosedImages, out: Path) -> None:
    (kept,) = (out / "fits").glob("3dgs-seed1-*/splats.ply")
    file = splats_from_file(kept)
    results = _run(_study(photos, files=(file,), names=("3dgs",)), out)
    assert [r.method for r in results.results] == ["splats.ply"] * 3 + ["3dgs"] * 6
    assert [r.metrics for r in results.results[:3]] == [r.metrics for r in results.results[-3:]]
    (gain,) = make_report(results, "by number").gains
    assert (gain.method, gain.against, gain.seeds) == ("3dgs", "splats.ply", 1)


def test_tables_hold_means_deviations_and_paired_gains(photos: PosedImages, out: Path) -> None:
    results = _run(_study(photos), out)
    report = make_report(results, "by number", ["a note", "a note"])
    by_seed = [
        [sum(r.metrics.psnr for r in results.results if (r.method, r.seed) == (name, seed)) / 3 for seed in (0, 1)]
        for name in ("3dgs-random", "3dgs")
    ]
    row = dict(zip(scene_table(report).head, scene_table(report).rows[1], strict=True))
    mean, spread = sum(by_seed[1]) / 2, abs(by_seed[1][0] - by_seed[1][1]) / 2**0.5
    assert (row["scene"], row["method"], row["seeds"], row["views"]) == ("heap", "3dgs", "2", "3")
    assert row["PSNR"] == f"{mean:.2f} ± {spread:.2f}"
    assert row["LPIPS"] == "n/a"
    gains = [a - b for a, b in zip(by_seed[1], by_seed[0], strict=True)]
    assert gain_table(report).rows[0][-1].startswith(f"{sum(gains) / 2:+.2f} ± ")
    views = view_table(report).rows
    assert [line[:3] for line in views] == [(v, m, "2") for v in ("001", "002", "003") for m in ("3dgs-random", "3dgs")]
    assert report.warnings == ("a note",)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["methods"] == ["3dgs-random", "3dgs"]
    assert len({len(line) for line in view_table(report).markdown().splitlines()}) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "each once"),
        ({"seeds": (-1,)}, "not below 0"),
        ({"curve_every": 0}, "give at least 1"),
        ({"methods": {}}, "neither a method nor a file"),
    ],
)
def test_a_study_that_makes_no_sense_is_refused(photos: PosedImages, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        replace(_study(photos), **change)


def test_a_study_needs_photos_to_learn_from_and_to_test(photos: PosedImages) -> None:
    with pytest.raises(InvalidInput, match="no photo to test"):
        replace(_study(photos), test=photos.select(()))
    with pytest.raises(InvalidInput, match="one tells no depth"):
        replace(_study(photos), train=photos.select((0,)))


def test_a_backend_that_does_not_run_is_refused_before_any_work(
    photos: PosedImages, tmp_path: Path, made: list[str]
) -> None:
    with pytest.raises(InvalidInput, match="no backend 'magic'"):
        _run(_study(photos, backend="magic"), tmp_path / "out")
    with pytest.raises(BackendUnavailable, match="gsplat"):
        _run(_study(photos, backend="gsplat"), tmp_path / "out")
    assert made == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("names", "steps", "message"),
    [
        (("ours", "magic"), None, "no method 'magic'; choose from 3dgs"),
        (("ours", "ours"), None, "twice"),
        (("ours",), 0, "at least 1"),
    ],
)
def test_methods_that_are_none_are_refused(names: tuple[str, ...], steps: int | None, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        choose_methods(names, steps=steps)


def test_a_known_background_takes_the_place_of_each_methods_own(photos: PosedImages, tmp_path: Path) -> None:
    methods = choose_methods(("3dgs-random", "background"), steps=2, background=(1.0, 1.0, 1.0))
    assert {(method.background, method.fit.background) for method in methods.values()} == {("black", (1.0, 1.0, 1.0))}
    study = replace(_study(photos, seeds=(0,)), methods={"3dgs-random": methods["3dgs-random"]})
    (fit,) = _run(study, tmp_path).fits
    assert fit.background == (1, 1, 1)
    dark = score_views(replace(fit.open("heap"), background=(0.0, 0.0, 0.0)), study.test)
    assert dark[0].metrics.psnr != _run(study, tmp_path).results[0].metrics.psnr
