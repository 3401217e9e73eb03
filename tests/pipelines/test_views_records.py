"""What a study keeps between runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trisparse.core.errors import CorruptFile
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages, SparsePoints
from trisparse.pipelines.views_evaluation import ViewResult
from trisparse.pipelines.views_records import (
    CurvePoint,
    Curves,
    FitFolder,
    KeptFit,
    ResultLines,
    hash_photos,
    hash_training,
)
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.metrics import ImageMetrics
from trisparse.rendering.splat_files.files import write_splats

METRICS = ImageMetrics(20.0, 19.9, 0.5, 0.4, None, None, None)


def _result(view: str, psnr: float = 20.0) -> ViewResult:
    return ViewResult("scene", "ours", 0, view, 10, 1.5, replace(METRICS, psnr=psnr))


def _photos() -> PosedImages:
    centers = torch.tensor([[2.0, 0, 0.3], [1.8, 0.7, 0.3], [1.6, 1.0, 0.3]])
    K = torch.tensor([[8.0, 0, 4], [0, 8.0, 3], [0, 0, 1]]).repeat(3, 1, 1)
    cameras = Cameras.looking_at(centers, torch.zeros(3), K, width=8, height=6)
    images = torch.rand(3, 6, 8, 3, generator=torch.Generator().manual_seed(0))
    points = PointCloud(torch.rand(5, 3, generator=torch.Generator().manual_seed(1)), None)
    visible = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]]).bool()
    return PosedImages.from_tensors(cameras, images, points=SparsePoints(points, visible))


def test_lines_come_back_and_what_a_kill_cut_off_is_dropped(tmp_path: Path) -> None:
    lines = ResultLines(tmp_path / "deep" / "results.jsonl")
    assert lines.start() == {}
    lines.append("fit", ["a", "b"], [_result("a.png"), _result("b.png", math.inf)])
    lines.append("other", ["a"], [_result("a.png", 3.0)])
    whole = lines.path.read_bytes()
    assert all(json.loads(line, parse_constant=pytest.fail) for line in whole.splitlines())  # JSON without Infinity
    with lines.path.open("ab") as file:
        file.write(whole[:50])
    found = lines.start()
    assert found["fit", "a"] == _result("a.png")
    assert found["fit", "b"].metrics.psnr == math.inf
    assert found["other", "a"].metrics.psnr == 3.0
    assert lines.path.read_bytes() == whole


def test_a_later_line_replaces_an_earlier_one(tmp_path: Path) -> None:
    lines = ResultLines(tmp_path / "results.jsonl")
    lines.append("fit", ["a", "b"], [_result("a.png"), _result("b.png")])
    lines.append("fit", ["a"], [_result("a.png", 30.0)])
    assert lines.start()["fit", "a"].metrics.psnr == 30
    assert len(lines.path.read_text().splitlines()) == 2


def test_lines_of_another_version_are_kept_but_not_used(tmp_path: Path) -> None:
    lines = ResultLines(tmp_path / "results.jsonl")
    lines.append("fit", ["a"], [_result("a.png")])
    record = json.loads(lines.path.read_text())
    del record["metrics"]["ms_ssim"]
    lines.path.write_text(json.dumps(record) + "\n")
    assert lines.start() == {}
    assert lines.path.read_text()


@pytest.mark.parametrize(
    "line", [b"nonsense", b"[1]", b'{"fit": "x"}', b'{"fit": [], "photo": "y"}', b"\xff\x00", b"[" * 9999]
)
def test_a_line_that_no_study_wrote_is_named(tmp_path: Path, line: bytes) -> None:
    lines = ResultLines(tmp_path / "results.jsonl")
    lines.append("fit", ["a"], [_result("a.png")])
    before = lines.path.read_bytes()
    lines.path.write_bytes(before + line + b"\n" + before)
    with pytest.raises(CorruptFile, match=r"results\.jsonl: line 2: no line of a study"):
        lines.start()


def test_curves_come_back_by_step(tmp_path: Path) -> None:
    curves = Curves(tmp_path / "curves.jsonl")
    fit = KeptFit("key", "ours", 1, tmp_path, 10, 1.0)
    points = [CurvePoint(step, 10.0 + step, {"a.png": 10.0 + step}) for step in (0, 5, 10)]
    curves.append(fit, "every five", points[1:])
    curves.append(fit, "every five", points[:1])
    assert curves.start() == {("key", "every five"): points}
    curves.path.write_text('{"fit": "key", "curve": "x", "step": 3, "psnr": "high"}\n')
    with pytest.raises(CorruptFile, match="step 3: no point of a curve"):
        curves.start()


def test_a_fit_is_there_when_its_last_file_is(tmp_path: Path) -> None:
    cloud = GaussianCloud.from_points(torch.rand(4, 3), torch.rand(4, 3))
    folder = FitFolder.of(tmp_path, "ours", 3, "0123456789abcdef")
    folder.keep_splats(cloud)
    assert folder.find() is None
    fit = KeptFit(folder.key, "ours", 3, folder.splats, 4, 2.5, (0.5, 0.25, 0.125), True, ("a note",))
    folder.finish(fit)
    assert folder.find() == fit
    made = fit.open("scene")
    assert (made.scene, made.method, made.seed, made.background, made.antialiased) == (
        "scene",
        "ours",
        3,
        (0.5, 0.25, 0.125),
        True,
    )
    torch.testing.assert_close(made.cloud.means, cloud.means, atol=0, rtol=0)
    assert FitFolder(folder.path, "another key").find() is None
    folder.splats.unlink()
    assert folder.find() is None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"background": [1], "warnings": []}'])
def test_a_fit_with_a_broken_description_is_named(tmp_path: Path, content: str) -> None:
    folder = FitFolder.of(tmp_path, "ours", 0, "0123456789abcdef")
    folder.keep_splats(GaussianCloud.from_points(torch.rand(4, 3), torch.rand(4, 3)))
    (folder.path / "about.json").write_text(content)
    with pytest.raises(CorruptFile, match="remove the folder, and the fit is run again"):
        folder.find()


def test_a_file_that_was_scaled_for_viewers_comes_back_into_the_photos_world(tmp_path: Path) -> None:
    cloud = GaussianCloud.from_points(torch.rand(20, 3), torch.rand(20, 3))
    write_splats(tmp_path / "large.ply", cloud.moved(5.0, torch.eye(3), torch.zeros(3)))
    made = KeptFit("key", "file", 0, tmp_path / "large.ply", 20, 0.0, scale=5.0).open("scene").cloud
    torch.testing.assert_close(made.means, cloud.means)
    torch.testing.assert_close(made.scales, cloud.scales)


def test_a_fingerprint_of_the_training_knows_all_that_a_fit_sees_and_nothing_else() -> None:
    photos = _photos()
    train = photos.select((0, 1))
    key = hash_training(train)
    assert hash_training(photos.select((0, 1))) == key
    assert hash_training(photos.select((1, 0))) != key
    assert hash_training(replace(train, points=None)) != key
    other = photos.images()
    other[2] = 0.5  # only a photo that is not learned from,
    points = photos.points
    assert points is not None
    moved = points.cloud.points.clone()
    moved[3:] += 1  # and points that only it sees
    unseen = SparsePoints(PointCloud(moved, None), points.visible)
    changed = PosedImages.from_tensors(photos.cameras, other, points=unseen)
    assert hash_training(changed.select((0, 1))) == key
    other[1, 0, 0, 0] += 1e-3
    assert hash_training(PosedImages.from_tensors(photos.cameras, other, points=points).select((0, 1))) != key


def test_a_fingerprint_of_a_photo_knows_its_camera_and_where_it_counts() -> None:
    photos = _photos()
    keys = hash_photos(photos)
    assert len(set(keys)) == 3
    masks = torch.ones(3, 6, 8, dtype=torch.bool)
    masked = hash_photos(photos, masks)
    assert not set(masked) & set(keys)
    masks[1, 0, 0] = False
    assert [a == b for a, b in zip(masked, hash_photos(photos, masks), strict=True)] == [True, False, True]
    zoomed = replace(photos, cameras=replace(photos.cameras, K=photos.cameras.K * torch.tensor([[1.1], [1.1], [1.0]])))
    assert not set(hash_photos(zoomed)) & set(keys)
