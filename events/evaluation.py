"""How near rendered views are to photos, up to what events cannot tell: scale and offset of the logarithm of the intensity.

The protocol of Robust e-NeRF (Low and Lee, ICCV 2023): one scale and one offset for each colour channel, fitted by least
squares over all pixels of all views together, then PSNR, SSIM and LPIPS of each view, which are averaged. Nothing is clamped
there; the clamped variant stands beside it, as later work reports it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn import functional

from ..core.errors import InvalidInput, ShapeMismatch
from .intensities import IntensityRange

Lpips = Callable[[Tensor, Tensor], float]
"""Perceptual distance of two images (h, w, 3) in 0..1 (not clamped)."""

_WINDOW = 11
_SIGMA = 1.5


@dataclass(frozen=True, eq=False)
class LogAffine:
    """An affine map of log intensities, one for each channel."""

    scale: Float64[Tensor, "c"]
    offset: Float64[Tensor, "c"]

    def __call__(self, rendered: Float[Tensor, "h w c"]) -> Float64[Tensor, "h w c"]:
        """Intensities after the map."""
        return torch.exp(self.scale * rendered.double().log() + self.offset)


@dataclass(frozen=True, eq=False)
class LogAffineFit:
    """Least squares in one pass: count, means and centred products of the logarithms, for each channel.

    Centred sums keep their digits where plain ones lose them, as for a dark scene of little contrast.
    """

    n: int
    mean_x: Float64[Tensor, "c"]
    mean_y: Float64[Tensor, "c"]
    xx: Float64[Tensor, "c"]
    xy: Float64[Tensor, "c"]

    @classmethod
    def of(cls, rendered: Float[Tensor, "h w c"], target: Float[Tensor, "..."]) -> LogAffineFit:
        """The sums of one view.

        Args:
            rendered: Intensities, above 0 (the smallest intensity that is modelled included).
            target: Intensities of the same shape, above 0.

        Raises:
            ShapeMismatch: The shapes differ.
            InvalidInput: Intensities of 0 or less, or none.
        """
        if rendered.shape != target.shape or rendered.ndim != 3:
            raise ShapeMismatch(
                f"views of shapes {tuple(rendered.shape)} and {tuple(target.shape)}; expected [h w c] twice"
            )
        for name, image in (("rendered", rendered), ("target", target)):
            if not image.numel() or not bool((image > 0).all()):
                raise InvalidInput(
                    f"{name} intensities have no logarithm: {int((image <= 0).sum())} of {image.numel()} are 0 or less; add "
                    "the smallest intensity that is modelled first"
                )
        x, y = (image.detach().double().log().flatten(0, 1) for image in (rendered, target))
        mean_x, mean_y = x.mean(0), y.mean(0)
        return cls(len(x), mean_x, mean_y, (x - mean_x).square().sum(0), ((x - mean_x) * (y - mean_y)).sum(0))

    def __add__(self, other: LogAffineFit) -> LogAffineFit:
        """The sums of the views of both (Chan, Golub and LeVeque 1982)."""
        n = self.n + other.n
        share = other.n / n
        dx, dy = other.mean_x - self.mean_x, other.mean_y - self.mean_y
        return LogAffineFit(
            n,
            self.mean_x + share * dx,
            self.mean_y + share * dy,
            self.xx + other.xx + self.n * share * dx * dx,
            self.xy + other.xy + self.n * share * dx * dy,
        )

    def solve(self) -> LogAffine:
        """The map from rendered to target; where a channel was rendered as one constant, its scale is 0."""
        is_flat = self.xx <= 1e-20 * self.n
        scale = torch.where(is_flat, 0.0, self.xy / torch.where(is_flat, 1.0, self.xx))
        return LogAffine(scale, self.mean_y - scale * self.mean_x)


@dataclass(frozen=True)
class ViewMetrics:
    """One view, or the mean of several; LPIPS is None without its network."""

    l1: float
    psnr: float
    ssim: float
    psnr_clamped: float
    ssim_clamped: float
    lpips: float | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All views, in order, and their mean."""

    alignment: LogAffine
    views: tuple[ViewMetrics, ...]

    @property
    def mean(self) -> ViewMetrics:
        """Each number averaged over the views (so the mean PSNR is no PSNR of a mean error)."""
        return mean_of(self.views)


def evaluate(
    rendered: Sequence[Float[Tensor, "h w c"]],
    targets: Sequence[Float[Tensor, "..."]],
    *,
    span: IntensityRange | None = None,
    lpips: Lpips | None = None,
) -> Evaluation:
    """Align all views at once, then measure each.

    Both sequences are gone through twice, a view at a time: give ones that load or render their views when asked.

    Args:
        rendered: Rendered intensities, the smallest modelled intensity added.
        targets: Photos as intensities, see :func:`~.intensities.displayed_intensity`.
        span: Their range; that of 8 bits by default.
        lpips: The network, where it is there.

    Raises:
        ShapeMismatch: Numbers or shapes of views differ.
        InvalidInput: No view, or intensities without a logarithm.
    """
    if len(rendered) != len(targets):
        raise ShapeMismatch(f"{len(rendered)} rendered views and {len(targets)} photos; give one each")
    if not len(rendered):
        raise InvalidInput("no views to compare; give at least one")
    fit = None
    for i in range(len(rendered)):
        one = LogAffineFit.of(rendered[i], targets[i])
        fit = one if fit is None else fit + one
    assert fit is not None
    alignment = fit.solve()
    views = [measure_view(alignment(rendered[i]), targets[i], span=span, lpips=lpips) for i in range(len(rendered))]
    return Evaluation(alignment, tuple(views))


def measure_view(
    image: Float[Tensor, "h w c"],
    target: Float[Tensor, "..."],
    *,
    span: IntensityRange | None = None,
    lpips: Lpips | None = None,
) -> ViewMetrics:
    """Compare intensities as they are, in double precision.

    PSNR is against the span of the photo's intensities (255/256 for 8 bits), SSIM against their maximum (511/512): so the
    original does it.

    Args:
        image: Aligned intensities.
        target: Intensities of the photo.
        span: See :func:`evaluate`.
        lpips: Gets both images moved to 0..1, grey ones three times.

    Raises:
        ShapeMismatch: The shapes differ.
        InvalidInput: A side is shorter than 11 pixels.
    """
    if image.shape != target.shape or image.ndim != 3:
        raise ShapeMismatch(f"views of shapes {tuple(image.shape)} and {tuple(target.shape)}; expected [h w c] twice")
    span = span or IntensityRange.of_bits()
    image, target = image.detach().double(), target.detach().double()
    clamped = image.clamp(span.lowest, span.highest)
    distance = None
    if lpips is not None:
        distance = lpips(*(((part - span.lowest) / span.span).expand(-1, -1, 3) for part in (image, target)))
    return ViewMetrics(
        l1=float((image - target).abs().mean()),
        psnr=_psnr(image, target, span.span),
        ssim=_ssim(image, target, span.highest),
        psnr_clamped=_psnr(clamped, target, span.span),
        ssim_clamped=_ssim(clamped, target, span.highest),
        lpips=distance,
    )


def mean_of(views: Sequence[ViewMetrics]) -> ViewMetrics:
    """Each number averaged; LPIPS only where all views have it."""
    if not views:
        raise InvalidInput("no views to average; give at least one")
    columns = {field.name: [getattr(view, field.name) for view in views] for field in fields(ViewMetrics)}
    means = {name: None if None in values else sum(values) / len(values) for name, values in columns.items()}
    return replace(views[0], **means)


def _psnr(image: Tensor, target: Tensor, peak: float) -> float:
    error = float((image - target).square().mean())
    return 10 * math.log10(peak**2 / error) if error else math.inf


def _ssim(image: Tensor, target: Tensor, peak: float) -> float:
    """SSIM as torchmetrics 0.6 has it: a Gaussian window of 11 x 11 where it fits whole, mean over pixels and channels."""
    if min(image.shape[:2]) < _WINDOW:
        raise InvalidInput(
            f"a view of {image.shape[1]} x {image.shape[0]} pixels; SSIM needs at least {_WINDOW} x {_WINDOW}"
        )
    offsets = torch.arange(_WINDOW, dtype=image.dtype, device=image.device) - _WINDOW // 2
    weights = torch.exp(-0.5 * (offsets / _SIGMA).square())
    weights = (weights / weights.sum())[None, None]
    x, y = image.movedim(-1, 0)[:, None], target.movedim(-1, 0)[:, None]

    def mean(values: Tensor) -> Tensor:
        return functional.conv2d(functional.conv2d(values, weights[..., None, :]), weights[..., None])

    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float((light * (2 * covariance + c2) / (variances + c2)).mean())
