"""Views compared with photos, up to an affine map of log intensities."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.events.evaluation import LogAffineFit, evaluate, mean_of, measure_view
from trisparse.events.intensities import IntensityRange


def views(n: int = 3, *, c: int = 3, seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    """Rendered intensities and photos that resemble them."""
    generator = torch.Generator().manual_seed(seed)
    targets = [0.05 + 0.9 * torch.rand(14, 17, c, generator=generator, dtype=torch.float64) for _ in range(n)]
    noise = [1 + 0.2 * torch.rand(14, 17, c, generator=generator, dtype=torch.float64) for _ in range(n)]
    return [0.7 * (t * e) ** 1.6 for t, e in zip(targets, noise, strict=True)], targets


@pytest.mark.parametrize("kind", ["colour", "grey"])
def test_alignment_and_metrics_are_the_original_s(kind: str, shared: Path) -> None:
    with np.load(shared / "oracles" / "enerf" / "evaluation.npz") as file:
        known = dict(file)
    rendered, targets = (torch.from_numpy(known[f"{kind}_{part}"]).double() for part in ("pred", "target"))
    rendered, targets = (x.movedim(1, -1) if kind == "colour" else x[..., None] for x in (rendered, targets))
    span = IntensityRange(float(known["min_target"]), float(known["max_target"]))
    assert span == IntensityRange.of_bits(8)
    found = evaluate(list(rendered), list(targets), span=span)
    both = torch.stack([found.alignment.scale, found.alignment.offset], 1)
    np.testing.assert_allclose(both, known[f"{kind}_scale_offset"], rtol=1e-9)
    aligned = found.alignment(rendered[0]).movedim(-1, 0)
    np.testing.assert_allclose(aligned, known[f"{kind}_aligned_view0"], rtol=1e-9)
    before = [measure_view(image, target) for image, target in zip(rendered, targets, strict=True)]
    for when, metrics in (("aligned", found.views), ("before", before)):
        np.testing.assert_allclose([m.psnr for m in metrics], known[f"{kind}_psnr_{when}"], rtol=0, atol=1e-5)
        np.testing.assert_allclose([m.ssim for m in metrics], known[f"{kind}_ssim_{when}"], rtol=0, atol=1e-8)
        np.testing.assert_allclose([m.l1 for m in metrics], known[f"{kind}_l1_{when}"], rtol=0, atol=1e-10)
    assert found.mean.psnr == pytest.approx(float(known[f"{kind}_psnr_mean_aligned"]), abs=1e-5)
    assert found.mean.ssim == pytest.approx(float(known[f"{kind}_ssim_mean_aligned"]), abs=1e-8)
    assert found.mean.l1 == pytest.approx(float(known[f"{kind}_l1_mean_aligned"]), abs=1e-10)


def test_the_fit_is_least_squares_over_all_views_together() -> None:
    rendered, targets = views()
    found = evaluate(rendered, targets).alignment
    for channel in range(3):
        x, y = (torch.stack(images)[..., channel].flatten().log() for images in (rendered, targets))
        both = torch.stack([x, torch.ones_like(x)], 1)
        wanted = torch.linalg.lstsq(both, y[:, None]).solution[:, 0]
        torch.testing.assert_close(torch.stack([found.scale[channel], found.offset[channel]]), wanted)


def test_gamma_and_gain_of_the_rendered_views_change_no_metric() -> None:
    rendered, targets = views()
    usual = evaluate(rendered, targets).mean
    bent = evaluate([5.0 * image**0.45 for image in rendered], targets).mean
    assert bent.psnr == pytest.approx(usual.psnr, abs=1e-9)
    assert bent.ssim == pytest.approx(usual.ssim, abs=1e-9)


def test_the_sums_keep_their_digits_where_contrast_is_tiny() -> None:
    generator = torch.Generator().manual_seed(1)
    x = 1e-6 * torch.randn(40, 40, 1, generator=generator, dtype=torch.float64)
    parts = [LogAffineFit.of((30 + part).exp(), (0.5 * part - 2).exp()) for part in x.split(10)]
    found = (parts[0] + parts[1] + parts[2] + parts[3]).solve()
    assert found.scale.item() == pytest.approx(0.5, rel=1e-4)


def test_a_constant_view_is_moved_to_the_mean_of_the_photo_s_logarithm() -> None:
    _, targets = views(1, c=1)
    found = evaluate([torch.full_like(targets[0], 0.3)], targets)
    assert found.alignment.scale.item() == 0
    aligned = found.alignment(torch.full_like(targets[0], 0.3))
    torch.testing.assert_close(aligned, torch.full_like(aligned, float(targets[0].log().mean().exp())))


def test_equal_views_have_no_error_and_clamping_helps_what_is_out_of_range() -> None:
    _, targets = views(1)
    same = measure_view(targets[0], targets[0])
    assert (same.psnr, same.ssim, same.l1) == (math.inf, pytest.approx(1.0), 0.0)
    wild = targets[0].clone()
    wild[3:6, 3:6] = 2.0
    found = measure_view(wild, targets[0])
    assert found.psnr_clamped > found.psnr + 3
    assert found.ssim_clamped > found.ssim


def test_lpips_gets_images_from_0_to_1_in_three_channels() -> None:
    span = IntensityRange(0.25, 0.75)
    seen: list[Tensor] = []

    def lpips(image: Tensor, target: Tensor) -> float:
        seen.extend([image, target])
        return 0.5

    image, target = torch.full((11, 12, 1), 0.5).double(), torch.full((11, 12, 1), 0.75).double()
    assert evaluate([image], [target], span=span, lpips=lpips).mean.lpips == 0.5
    assert [tuple(part.shape) for part in seen] == [(11, 12, 3)] * 2
    torch.testing.assert_close(seen[1], torch.ones_like(seen[1]))
    assert mean_of([measure_view(image, target, span=span)]).lpips is None


def test_views_are_asked_for_one_at_a_time_and_twice() -> None:
    rendered, targets = views(2)
    asked: list[int] = []

    class Lazy(list[Tensor]):
        def __getitem__(self, i):  # type: ignore[override]
            asked.append(i)
            return super().__getitem__(i)

    evaluate(Lazy(rendered), targets)
    assert "0101" in "".join(map(str, asked))  # the shape checks look too


def test_what_cannot_be_compared_is_refused() -> None:
    rendered, targets = views(2)
    with pytest.raises(ShapeMismatch, match="2 rendered views and 1 photos"):
        evaluate(rendered, targets[:1])
    with pytest.raises(InvalidInput, match="no views to compare"):
        evaluate([], [])
    with pytest.raises(ShapeMismatch, match=r"shapes \(14, 17, 3\) and \(14, 17, 1\)"):
        evaluate(rendered[:1], [targets[0][..., :1]])
    with pytest.raises(InvalidInput, match="rendered intensities have no logarithm: 714 of 714 are 0 or less"):
        evaluate([0 * rendered[0]], targets[:1])
    with pytest.raises(InvalidInput, match="a view of 17 x 10 pixels; SSIM needs at least 11 x 11"):
        measure_view(rendered[0][:10], targets[0][:10])
    with pytest.raises(InvalidInput, match=r"intensities from 0\.5 to 0\.2"):
        IntensityRange(0.5, 0.2)
