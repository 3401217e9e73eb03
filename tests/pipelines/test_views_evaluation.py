from __future__ import annotations

from pathlib import Path

import pytest
import torch
from trisparse.data.cameras import Cameras
from trisparse.data.posed_images import PosedImages
from trisparse.pipelines.views import depth_limits, depth_picture, render_views
from trisparse.pipelines.views_evaluation import (
    Reconstruction,
    from_line,
    paired_gains,
    score_views,
    summarise,
    table,
    to_line,
    write_views_page,
)
from trisparse.rendering.gaussians import GaussianCloud


def _cloud() -> GaussianCloud:
    random = torch.Generator().manual_seed(0)
    return GaussianCloud.from_points(
        0.3 * torch.randn(50, 3, generator=random), torch.rand(50, 3, generator=random), opacity=0.7
    )


def _photos(cloud: GaussianCloud) -> PosedImages:
    K = torch.tensor([[30.0, 0, 16], [0, 30.0, 12], [0, 0, 1]]).repeat(2, 1, 1)
    centers = torch.tensor([[2.0, 0, 0.3], [1.8, 0.7, 0.3]])
    cameras = Cameras.looking_at(centers, torch.zeros(3), K, width=32, height=24)
    return PosedImages.from_tensors(cameras, torch.stack([view.image for view in render_views(cloud, cameras)]))


def _made(cloud: GaussianCloud, method: str, seed: int) -> Reconstruction:
    return Reconstruction("scene", method, seed, cloud, 2.0)


def test_the_photos_own_gaussians_are_right_and_others_are_not() -> None:
    cloud = _cloud()
    photos = _photos(cloud)
    right = score_views(_made(cloud, "right", 0), photos)
    assert [result.view for result in right] == ["000", "001"]
    assert all(result.metrics.psnr > 100 for result in right)
    assert all(result.metrics.ssim_3dgs > 0.9999 for result in right)
    dark = GaussianCloud(cloud.means, cloud.quats, cloud.log_scales, cloud.opacity_logits - 3, cloud.sh)
    wrong = score_views(_made(dark, "dark", 0), photos)
    assert max(result.metrics.psnr for result in wrong) < 30
    assert all(result.metrics.lpips is None for result in wrong)
    assert [from_line(to_line(result)) for result in wrong] == list(wrong)


def test_rows_are_means_over_views_then_over_seeds_and_gains_are_paired() -> None:
    cloud = _cloud()
    photos = _photos(cloud)
    results = []
    for seed, (plain, better) in enumerate([(2.0, 1.0), (3.0, 1.5)]):
        for method, shift in (("plain", plain), ("better", better)):
            moved = GaussianCloud(cloud.means, cloud.quats, cloud.log_scales, cloud.opacity_logits - shift, cloud.sh)
            results += score_views(_made(moved, method, seed), photos)
    plain, better = summarise(results)
    assert (plain.method, better.method, plain.seeds, plain.views) == ("plain", "better", 2, 2)
    first = [r.metrics.psnr for r in results if r.method == "plain" and r.seed == 0]
    second = [r.metrics.psnr for r in results if r.method == "plain" and r.seed == 1]
    assert plain.mean["psnr"] == pytest.approx((sum(first) + sum(second)) / 4)
    assert plain.deviation["psnr"] == pytest.approx(abs(sum(first) - sum(second)) / 2 / 2**0.5)
    assert plain.mean["lpips"] is None
    (gain,) = paired_gains(results, "plain")
    assert gain.method == "better"
    assert gain.psnr == pytest.approx((better.mean["psnr"] or 0) - (plain.mean["psnr"] or 0))
    assert "n/a" in table([plain])
    assert " ± " in table([plain])


def test_the_page_shows_four_pictures_a_view_and_is_one_file(tmp_path: Path) -> None:
    cloud = _cloud()
    photos = _photos(cloud)
    made = _made(cloud, "<ours>", 0)
    page = write_views_page(tmp_path / "report.html", "A & B", summarise(score_views(made, photos)), [made], photos)
    text = page.read_text()
    assert text.count("<img src='data:image/jpeg;base64,") == 8
    assert "&lt;ours&gt;" in text
    assert "A &amp; B" in text
    assert "http" not in text.replace("http-equiv", "")


def test_depth_is_coloured_where_something_is() -> None:
    depth = torch.tensor([[1.0, 2.0], [4.0, 0.0]])
    alpha = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    picture = depth_picture(depth, alpha, (1.0, 4.0))
    assert picture.shape == (2, 2, 3)
    assert picture[1, 1].tolist() == [0, 0, 0]
    assert len({tuple(pixel) for pixel in picture.reshape(-1, 3).tolist()}) == 4
    assert depth_limits(depth, torch.zeros(2, 2)) == (1.0, 2.0)
