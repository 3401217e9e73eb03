"""How near a rendered image is to a photo, in the field's numbers, each under a name that says which variant it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ..core.errors import InvalidInput, ShapeMismatch
from .kernels.torch_ssim import C1, C2, WINDOW, window_weights
from .lpips import Lpips
from .ssim import ssim

_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the five scales of MS-SSIM, finest first."""
_SMALLEST = (WINDOW - 1) * 2 ** (len(_SCALES) - 1) + 1
"""Pixels along the shorter side from which on the window fits into the coarsest scale."""
_BOX = 7


@dataclass(frozen=True)
class ImageMetrics:
    """All of them for one image; None where one cannot be computed, to be shown as "n/a"."""

    psnr: float
    psnr_8bit: float
    ssim_3dgs: float
    ssim_skimage: float | None
    ms_ssim: float | None
    lpips: float | None
    avge: float | None


def measure(
    image: Float[Tensor, "h w c"],
    target: Float[Tensor, "..."],
    *,
    mask: Bool[Tensor, "..."] | None = None,
    lpips: Lpips | None = None,
) -> ImageMetrics:
    """Compare a rendered image with a photo.

    Args:
        image: 0..1.
        target: 0..1, of the same shape.
        mask: Pixels that count for both PSNR. The other metrics see whole images: put both on one background first.
        lpips: The network, where it is there.

    Raises:
        ShapeMismatch: Image, target and mask do not belong together.
        InvalidInput: No pixel counts.
    """
    smallest = min(image.shape[:2])
    similarity = ssim_3dgs(image, target)
    plain = psnr(image, target, mask=mask)
    distance = None if lpips is None else lpips(image, target)
    return ImageMetrics(
        psnr=plain,
        psnr_8bit=psnr_8bit(image, target, mask=mask),
        ssim_3dgs=similarity,
        ssim_skimage=ssim_skimage(image, target) if smallest >= _BOX else None,
        ms_ssim=ms_ssim(image, target) if smallest >= _SMALLEST else None,
        lpips=distance,
        avge=average_error(plain, similarity, distance),
    )


def psnr(
    image: Float[Tensor, "h w c"], target: Float[Tensor, "..."], *, mask: Bool[Tensor, "..."] | None = None
) -> float:
    """Peak signal-to-noise ratio in decibels, the peak being 1; infinite for equal images.

    Args:
        image: 0..1; not clamped here.
        target: 0..1, of the same shape.
        mask: [h w], True where pixels count.

    Raises:
        ShapeMismatch: Image, target and mask do not belong together.
        InvalidInput: No pixel counts.
    """
    _check(image, target)
    errors = (image.detach().double() - target.detach().double()).square()
    if mask is not None:
        if mask.shape != image.shape[:2]:
            raise ShapeMismatch(f"a mask {tuple(mask.shape)} for an image {tuple(image.shape)}; expected [h w]")
        errors = errors[mask]
    if not errors.numel():
        raise InvalidInput("no pixel counts: the mask is False everywhere or the image empty")
    mean = float(errors.mean())
    return -10 * math.log10(mean) if mean else math.inf


def psnr_8bit(
    image: Float[Tensor, "h w c"], target: Float[Tensor, "..."], *, mask: Bool[Tensor, "..."] | None = None
) -> float:
    """The same of images that were stored with 8 bits a channel, as benchmarks that read PNG files back measure it."""
    return psnr(_stored(image), _stored(target), mask=mask)


def ssim_3dgs(image: Float[Tensor, "h w c"], target: Float[Tensor, "..."]) -> float:
    """SSIM as :func:`trisparse.rendering.ssim.ssim` has it: Gaussian window of 11 x 11, zeros around the images."""
    return float(ssim(image.detach(), target.detach()))


def ssim_skimage(image: Float[Tensor, "h w c"], target: Float[Tensor, "..."]) -> float:
    """SSIM as scikit-image computes it by default: windows of 7 x 7 equal weights inside the image, sample covariances.

    Raises:
        ShapeMismatch: The images differ in shape.
        InvalidInput: A side is shorter than 7 pixels.
    """
    _check(image, target)
    if min(image.shape[:2]) < _BOX:
        raise InvalidInput(f"{_size(image)}; ssim_skimage needs at least {_BOX} x {_BOX} pixels")
    x, y = (part.detach().double().movedim(-1, 0)[None] for part in (image, target))

    def mean(values: Tensor) -> Tensor:
        return functional.avg_pool2d(values, _BOX, stride=1)

    unbiased = _BOX**2 / (_BOX**2 - 1)
    mean_x, mean_y = mean(x), mean(y)
    variances = unbiased * (mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2)
    covariance = unbiased * (mean(x * y) - mean_x * mean_y)
    light = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return float((light * (2 * covariance + C2) / (variances + C2)).mean())


def ms_ssim(image: Float[Tensor, "h w c"], target: Float[Tensor, "..."]) -> float:
    """Multi-scale SSIM (Wang et al., Asilomar 2003) on five scales: Gaussian window of 11 x 11 inside the image.

    Each scale halves the one before by the mean of 2 x 2 pixels; an odd side gets a row of zeros first, as pytorch-msssim does
    it. Negative parts count as 0.

    Raises:
        ShapeMismatch: The images differ in shape.
        InvalidInput: A side is too short for five scales.
    """
    _check(image, target)
    if min(image.shape[:2]) < _SMALLEST:
        raise InvalidInput(f"{_size(image)}; five scales of MS-SSIM need at least {_SMALLEST} x {_SMALLEST}")
    x, y = (part.detach().double().movedim(-1, 0)[:, None] for part in (image, target))
    product = torch.ones(len(x), dtype=torch.float64, device=x.device)
    for scale, weight in enumerate(_SCALES):
        if scale:
            odd = [side % 2 for side in x.shape[2:]]
            x, y = (functional.avg_pool2d(part, 2, padding=odd) for part in (x, y))
        whole, texture = _similarities(x, y)
        compared = whole if scale == len(_SCALES) - 1 else texture  # means count on the coarsest scale alone
        product = product * compared.mean((1, 2, 3)).clamp_min(0) ** weight
    return float(product.mean())


def average_error(psnr: float, ssim: float, lpips: float | None) -> float | None:
    """AVGE (Niemeyer et al., CVPR 2022): the geometric mean of 10^(-PSNR/10), sqrt(1 - SSIM) and LPIPS; None without LPIPS."""
    if lpips is None:
        return None
    return (10 ** (-psnr / 10) * math.sqrt(max(1 - ssim, 0)) * lpips) ** (1 / 3)


def _similarities(x: Float[Tensor, "c 1 h w"], y: Float[Tensor, "c 1 h w"]) -> tuple[Tensor, Tensor]:
    """SSIM where the whole window fits, and its part without the means."""
    weights = window_weights().to(x)

    def mean(values: Tensor) -> Tensor:
        return functional.conv2d(functional.conv2d(values, weights[None, None, None]), weights[None, None, :, None])

    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    texture = (2 * (mean(x * y) - mean_x * mean_y) + C2) / (variances + C2)
    return (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1) * texture, texture


def _stored(image: Tensor) -> Tensor:
    return (image.detach().double() * 255 + 0.5).floor().clamp(0, 255) / 255


def _size(image: Tensor) -> str:
    return f"an image of {image.shape[1]} x {image.shape[0]} pixels"


def _check(image: Tensor, target: Tensor) -> None:
    if image.shape != target.shape:
        raise ShapeMismatch(
            f"images of shapes {tuple(image.shape)} and {tuple(target.shape)}; expected the same, [h w c]"
        )
