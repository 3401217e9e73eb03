"""Image metrics against their definitions, and against numbers that other packages gave."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.rendering.lpips import Lpips
from trisparse.rendering.metrics import (
    average_error,
    measure,
    ms_ssim,
    psnr,
    psnr_8bit,
    ssim_3dgs,
    ssim_skimage,
)

from tests.oracles import similarity_loops


def waves(height: int, width: int, seed: int) -> Tensor:
    """An image whose numbers any program can make."""
    x = torch.arange(height * width * 3, dtype=torch.float64)
    return (0.5 + 0.5 * (x * 0.37 * (1 + seed * 0.01)).sin()).reshape(height, width, 3)


def pattern(height: int, width: int, seed: int) -> Tensor:
    """A smooth image whose numbers any program can make."""
    y, x, channel = (
        torch.arange(n, dtype=torch.float64).reshape(shape)
        for n, shape in ((height, (-1, 1, 1)), (width, (1, -1, 1)), (3, (1, 1, -1)))
    )
    slow, fast = 0.05 * x * (channel + 1) + 0.03 * y, 0.31 * y - 0.23 * x + seed * 0.4 * (0.02 * x).sin()
    return 0.5 + 0.25 * slow.sin() + 0.2 * fast.cos()


# PSNR


def test_psnr_is_minus_ten_times_the_logarithm_of_the_mean_square() -> None:
    image, target = torch.zeros(2, 2, 3), torch.zeros(2, 2, 3)
    target[0, 0] = 0.2  # a quarter of the pixels: a mean of 0.01
    assert psnr(image, target) == pytest.approx(20, abs=1e-5)
    assert psnr(image, image) == math.inf


def test_a_mask_leaves_pixels_out_of_the_mean() -> None:
    image, target = torch.zeros(2, 2, 3), torch.zeros(2, 2, 3)
    target[0, 0], target[1, 1] = 0.1, math.nan
    mask = torch.tensor([[True, False], [False, False]])
    assert psnr(image, target, mask=mask) == pytest.approx(20, abs=1e-5)
    assert psnr(image, target, mask=~mask & torch.tensor([[True, True], [True, False]])) == math.inf


def test_8_bit_images_are_rounded_and_cut_off_as_files_store_them() -> None:
    image = torch.tensor([[[0.4 / 255, 0.6 / 255, -3.0]], [[1.7, 254.6 / 255, 0.5]]])
    stored = torch.tensor([[[0.0, 1 / 255, 0.0]], [[1.0, 1.0, 128 / 255]]])
    assert psnr_8bit(image, stored) == math.inf
    assert psnr_8bit(stored, image) == math.inf


@pytest.mark.parametrize(
    ("height", "width", "plain", "eight_bit", "ssim"),
    [
        (40, 47, 6.213073681261215, 6.2124382587572, -0.01345892066820964),
        (7, 9, 16.96371750639192, 16.95879234373652, 0.9209685544788045),
    ],
)
def test_the_numbers_are_those_of_scikit_image_0_26(
    height: int, width: int, plain: float, eight_bit: float, ssim: float
) -> None:
    image, target = waves(height, width, 0), waves(height, width, 1)
    assert psnr(image, target) == pytest.approx(plain, abs=1e-9)
    assert psnr_8bit(image, target) == pytest.approx(eight_bit, abs=1e-9)
    assert ssim_skimage(image, target) == pytest.approx(ssim, abs=1e-9)


# SSIM


@pytest.mark.parametrize(("height", "width"), [(7, 7), (9, 12), (20, 8)])
def test_both_ssims_are_what_their_definitions_say(height: int, width: int) -> None:
    image, target = waves(height, width, 0), pattern(height, width, 0)
    arrays = image.numpy(), target.numpy()
    assert ssim_skimage(image, target) == pytest.approx(similarity_loops.ssim_skimage(*arrays), abs=1e-9)
    assert ssim_3dgs(image, target) == pytest.approx(similarity_loops.ssim_3dgs(*arrays), abs=1e-9)
    assert ssim_skimage(image, image) == pytest.approx(1, abs=1e-12)


def test_ssim_of_scikit_image_needs_seven_pixels() -> None:
    with pytest.raises(InvalidInput, match="an image of 6 x 9 pixels; ssim_skimage needs at least 7 x 7"):
        ssim_skimage(waves(9, 6, 0), waves(9, 6, 1))


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(161, 170, 0.9740163698817125), (177, 163, 0.9727898165477348), (200, 190, 0.9769012775266014)],
)
def test_ms_ssim_is_that_of_pytorch_msssim_1_0(height: int, width: int, expected: float) -> None:
    assert ms_ssim(pattern(height, width, 0), pattern(height, width, 1)) == pytest.approx(expected, abs=1e-7)


def test_ms_ssim_is_what_its_definition_says() -> None:
    image, target = pattern(163, 161, 0)[..., :1], pattern(163, 161, 2)[..., :1]
    expected = similarity_loops.ms_ssim(image.numpy(), target.numpy())
    assert ms_ssim(image, target) == pytest.approx(expected, abs=1e-9)


def test_ms_ssim_says_how_large_an_image_must_be() -> None:
    with pytest.raises(InvalidInput, match=r"an image of 300 x 160 pixels; five scales .* at least 161 x 161"):
        ms_ssim(pattern(160, 300, 0), pattern(160, 300, 1))


def test_images_that_are_opposite_have_no_ms_ssim_below_zero() -> None:
    image = waves(161, 161, 0)
    assert ms_ssim(image, 1 - image) == 0
    assert ms_ssim(image, image) == pytest.approx(1, abs=1e-12)


# All of them


def test_the_average_error_is_a_geometric_mean() -> None:
    assert average_error(20.0, 0.75, 0.2) == pytest.approx((0.01 * 0.5 * 0.2) ** (1 / 3))
    assert average_error(math.inf, 1.0, 0.0) == 0
    assert average_error(20.0, 1.0000001, 0.2) == 0
    assert average_error(20.0, 0.75, None) is None


def test_measuring_gives_every_metric_under_its_name_and_none_for_what_is_not_there() -> None:
    image, target = pattern(170, 165, 0), pattern(170, 165, 1)
    mask = torch.zeros(170, 165, dtype=torch.bool)
    mask[20:90, 30:80] = True
    found = measure(image, target, mask=mask)
    assert found.psnr == psnr(image, target, mask=mask) != psnr(image, target)
    assert found.psnr_8bit == psnr_8bit(image, target, mask=mask)
    assert (found.ssim_3dgs, found.ssim_skimage) == (ssim_3dgs(image, target), ssim_skimage(image, target))
    assert found.ms_ssim == ms_ssim(image, target)
    assert found.lpips is found.avge is None
    tiny = measure(image[:5, :6], target[:5, :6])
    assert tiny.ssim_skimage is tiny.ms_ssim is None
    assert -1 <= tiny.ssim_3dgs <= 1


def test_measuring_with_lpips_gives_the_average_error_too() -> None:
    layers = [(64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3)]
    generator = torch.Generator().manual_seed(0)
    convolutions = tuple(
        (torch.randn(o, i, k, k, generator=generator) / (i * k * k) ** 0.5, torch.zeros(o)) for o, i, k in layers
    )
    lpips = Lpips("alex", convolutions, tuple(torch.full((1, o, 1, 1), 0.1) for o, _, _ in layers))
    image, target = waves(40, 50, 0).float(), pattern(40, 50, 0).float()
    found = measure(image, target, lpips=lpips)
    assert found.lpips == lpips(image, target) != 0
    assert found.avge == average_error(found.psnr, found.ssim_3dgs, found.lpips)


@pytest.mark.parametrize("metric", [psnr, psnr_8bit, ssim_3dgs, ssim_skimage, ms_ssim, measure])
def test_images_of_different_shapes_are_refused(metric) -> None:
    with pytest.raises(ShapeMismatch, match=r"\(170, 180, 3\) and \(180, 170, 3\); expected the same"):
        metric(waves(170, 180, 0), waves(180, 170, 0))


def test_masks_that_do_not_fit_or_count_nothing_are_refused() -> None:
    image = waves(4, 5, 0)
    with pytest.raises(ShapeMismatch, match=r"a mask \(5, 4\) for an image \(4, 5, 3\)"):
        psnr(image, image, mask=torch.ones(5, 4, dtype=torch.bool))
    with pytest.raises(InvalidInput, match="no pixel counts"):
        psnr(image, image, mask=torch.zeros(4, 5, dtype=torch.bool))


def test_gradients_are_not_asked_for() -> None:
    image = pattern(161, 161, 0).requires_grad_()
    found = measure(image, pattern(161, 161, 1))
    assert all(value is None or np.isfinite(value) for value in vars(found).values())
