"""Terms and tricks that keep Gaussians from fitting a few photos in wrong ways. Each is a function of tensors.

None of them is part of PointGS; each names the paper that it is from, or says that it is ours.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ..core.errors import InvalidInput
from ..data.cameras import Cameras
from .features import Views
from .gaussians import GaussianCloud
from .view_warp import warp_along_rows, warp_between

# Opacities


def scaled_opacity_logits(opacity_logits: Float[Tensor, "g"], factor: float) -> Float[Tensor, "g"]:
    """Logits of the opacities times a factor of at most 1.

    Opacity decay (Binocular3DGS, Han et al., NeurIPS 2024) is this after every optimiser step, published with 0.995 for 30,000
    steps from step 500 on, Adam's moments untouched and without opacity resets: Gaussians that the photos do not hold up fade.

    Raises:
        InvalidInput: A factor that is not above 0 and at most 1.
    """
    if not 0 < factor <= 1:
        raise InvalidInput(f"a factor of {factor:g} for opacities; expected one above 0 and at most 1")
    if factor == 1:
        return opacity_logits
    # log(f s / (1 - f s)), exact where s is near 0 or 1.
    log_opacity = functional.logsigmoid(opacity_logits)
    return log_opacity + math.log(factor) - torch.log1p(-factor * opacity_logits.sigmoid())


def dropped_opacities(
    opacities: Float[Tensor, "g"], rate: float, generator: torch.Generator, *, compensate: bool = False
) -> Float[Tensor, "g"]:
    """Opacities for one training render, in which some Gaussians are missing (opacity 0).

    With a constant rate as in *Quantifying and Alleviating Co-Adaptation in Sparse-View 3D Gaussian Splatting* (Chen et al.,
    NeurIPS 2025), published with 0.2, and opacities times 0.8 afterwards (:func:`without_dropout`). With
    :func:`progressive_rate` and ``compensate`` as in DropGaussian (Park et al., CVPR 2025): what is left is divided by
    1 - ``rate`` (so it may pass 1), and nothing is done afterwards.

    Args:
        opacities: 0..1.
        rate: Part of the Gaussians to leave out, at least 0 and below 1.
        generator: Draws which; on any device, the draws go to the opacities' device.
        compensate: Divide the others by 1 - ``rate``.

    Raises:
        InvalidInput: A rate outside that.
    """
    if not 0 <= rate < 1:
        raise InvalidInput(f"a dropout rate of {rate:g}; expected at least 0 and below 1")
    if rate == 0:
        return opacities
    draws = torch.rand(len(opacities), generator=generator, device=generator.device)
    kept = torch.where((draws >= rate).to(opacities.device), opacities, torch.zeros_like(opacities))
    return kept / (1 - rate) if compensate else kept


def progressive_rate(step: int, steps: int, most: float = 0.2) -> float:
    """The dropout rate of a step: 0 at first, growing evenly to ``most`` at the last (DropGaussian)."""
    return most * min(step / max(steps, 1), 1.0)


def without_dropout(cloud: GaussianCloud, rate: float) -> GaussianCloud:
    """The cloud to render and export after training with a constant dropout rate: opacities times 1 - ``rate``."""
    return replace(cloud, opacity_logits=scaled_opacity_logits(cloud.opacity_logits, 1 - rate))


def noisy_opacities(
    opacities: Float[Tensor, "g"], generator: torch.Generator, sigma: float = 0.8
) -> Float[Tensor, "g"]:
    """Opacities for one training render, each times 1 + noise of standard deviation ``sigma``, cut to 0..1 (ours: the cut).

    From Chen et al. (NeurIPS 2025), as the constant dropout; the gains of the two do not add up. Nothing is done afterwards.
    """
    draws = torch.randn(len(opacities), generator=generator, device=generator.device)
    return (opacities * (1 + sigma * draws.to(opacities))).clamp(0, 1)


def sh_degree_at(step: int, every: int = 1_000, most: int = 1) -> int:
    """Degree of the harmonics in use at a step: one more every so many steps, up to a low limit.

    With few views high degrees fit each view alone; a limit of 1 is what Binocular3DGS uses too.
    """
    return min(step // max(every, 1), most)


# A shifted second camera


def binocular_range(cameras: Cameras, part: float = 0.5) -> float:
    """How far a second camera may be shifted (metres): a part of the median distance to the nearest other camera (ours).

    Raises:
        InvalidInput: Fewer than two cameras: give the range in another way.
    """
    if len(cameras) < 2:
        raise InvalidInput(
            f"{len(cameras)} cameras have no distance to the nearest other one; give the range of the shift, for "
            "example 2 % of the depth of the scene"
        )
    distances = torch.cdist(cameras.centers, cameras.centers)
    distances.fill_diagonal_(torch.inf)
    return part * float(distances.amin(1).median())


def draw_shift(most: float, generator: torch.Generator) -> float:
    """A shift between -``most`` and ``most``, evenly."""
    return most * (2 * float(torch.rand((), generator=generator, device=generator.device)) - 1)


def binocular_consistency(
    shifted: Float[Tensor, "h w 3"],
    depth_z: Float[Tensor, "h w"],
    photo: Float[Tensor, "h w 3"],
    focal: float,
    shift: float,
    *,
    smoothness: float = 0.05,
) -> Float[Tensor, ""]:
    """How far the render of a camera beside the real one, warped back by the rendered depth, is from the photo.

    After Binocular3DGS (Han et al., NeurIPS 2024), published for the last third of the training. Gradients flow through the
    shifted render and through the depth. Ours: the mean is over pixels whose disparity leads into the shifted image, and pixels
    without depth count in neither part.

    Args:
        shifted: Render of :func:`.view_warp.shifted_right` ``(camera, shift)``.
        depth_z: Expected depth of the real camera (render mode ED, that is divided by alpha), metres; 0: not known.
        photo: Of the real camera.
        focal: fx of the camera, pixels.
        shift: Metres.
        smoothness: Weight of :func:`disparity_smoothness` of the disparity in pixels.
    """
    known = depth_z.isfinite() & (depth_z > 1e-5)
    inverse = 1 / torch.where(known, depth_z, torch.ones_like(depth_z))
    disparity = torch.where(known, -focal * shift * inverse, torch.zeros_like(depth_z))
    warped = warp_along_rows(shifted, disparity)
    loss = _mean_where((warped.image - photo).abs().mean(-1), warped.valid & known)
    if not smoothness:
        return loss
    return loss + smoothness * disparity_smoothness(disparity, photo, known)


# Depth


def disparity_smoothness(
    disparity: Float[Tensor, "h w"],
    photo: Float[Tensor, "h w 3"],
    known: Bool[Tensor, "h w"] | None = None,
    *,
    edge: float = 0.33,
) -> Float[Tensor, ""]:
    """Slopes of a disparity (or any other) map, those at edges of the photo for less (Godard et al., CVPR 2017).

    With the weights of Binocular3DGS: exp(-``edge`` |sum over the colours of the photo's slope|), slopes as half the difference
    of the two pixels beside.

    Args:
        disparity: In any unit: the result is in it too.
        photo: 0..1.
        known: Where the map is; slopes from other pixels do not count. None: everywhere.
        edge: How much edges matter.
    """
    total = disparity.sum() * 0
    for dim in (0, 1):
        if disparity.shape[dim] < 3:
            continue
        weight = torch.exp(-edge * _slope(photo, dim).sum(-1).abs())
        slope = (weight * _slope(disparity, dim)).abs()
        if known is None:
            total = total + slope.mean()
        else:
            n = known.shape[dim]
            total = total + _mean_where(slope, known.narrow(dim, 0, n - 2) & known.narrow(dim, 2, n - 2))
    return total


def log_depth_error(
    depth_z: Float[Tensor, "h w"], prior_z: Float[Tensor, "h w"], confidence: Float[Tensor, "h w"] | None = None
) -> Float[Tensor, ""]:
    """Mean of |log rendered depth - log prior|, weighted by confidence (ours: the logarithm, so that near and far count alike).

    Args:
        depth_z: Expected depth, metres; 0: not known.
        prior_z: From elsewhere, in the same frame and unit (plane sweep, aligned network); 0 or not finite: not known.
        confidence: At least 0; 0 leaves a pixel out.
    """
    known = _known(depth_z, prior_z)
    ones = torch.ones_like(depth_z)
    error = (torch.where(known, depth_z, ones).log() - torch.where(known, prior_z, ones).log()).abs()
    weight = known.to(depth_z) if confidence is None else torch.where(known, confidence, torch.zeros_like(depth_z))
    return (weight * error).sum() / weight.sum().clamp_min(1e-6)


def pearson_depth_error(
    depth_z: Float[Tensor, "h w"], prior: Float[Tensor, "h w"], mask: Bool[Tensor, "h w"] | None = None
) -> Float[Tensor, ""]:
    """1 - correlation of rendered depth and prior, for priors of unknown scale and shift (FSGS, Zhu et al., ECCV 2024).

    Args:
        depth_z: Expected depth, metres; 0: not known.
        prior: Anything that grows with depth; not finite: not known.
        mask: Further pixels to leave out (False).
    """
    known = depth_z.isfinite() & (depth_z > 0) & prior.isfinite()
    known = known if mask is None else known & mask
    a, b = depth_z[known], prior[known]
    if len(a) < 2:
        return depth_z.sum() * 0
    a, b = a - a.mean(), b - b.mean()
    return 1 - (a * b).mean() / (a.square().mean() * b.square().mean() + 1e-12).sqrt()


# Other photos


def multi_view_consistency(views: Views, row: int, depth_z: Float[Tensor, "h w"]) -> Float[Tensor, ""]:
    """How far the other photos, warped by the rendered depth, are from one photo; where several see a pixel the best counts.

    Ours for Gaussians: the photometric error of Monodepth2 (Godard et al., ICCV 2019: 0.85 of structure in 3 x 3 pixels, 0.15
    of absolute difference, the least over the sources, so that a source in which the pixel is hidden does no harm) between
    training photos. Gradients reach the depth alone. Without another photo, or without common pixels, it is 0.

    Args:
        views: The training photos; their depth maps are not used.
        row: Number of the photo.
        depth_z: Expected depth of its camera, metres; 0: not known.
    """
    photo, camera = views.photos[row], views.cameras[row]
    errors = []
    for other in range(len(views.photos)):
        if other != row:
            warped = warp_between(views.photos[other], views.cameras[other], camera, depth_z)
            error = _photometric_error(torch.where(warped.valid[..., None], warped.image, photo), photo)
            errors.append(torch.where(warped.valid, error, torch.full_like(error, torch.inf)))
    if not errors:
        return depth_z.sum() * 0
    least = torch.stack(errors).amin(0)
    seen = least.isfinite()
    return _mean_where(torch.where(seen, least, torch.zeros_like(least)), seen)


# Masks


def dark_background(photo: Float[Tensor, "h w 3"], threshold: float = 30 / 255, run: int = 50) -> Bool[Tensor, "h w"]:
    """Pixels of a black backdrop, as DNGaussian (Li et al., CVPR 2024) and its followers tell them on DTU.

    A pixel counts if it and the ``run`` - 1 pixels above it (all above it, where there are fewer) have no colour of at least
    ``threshold``; 15 / 255 is used for scan 110.
    """
    rows = torch.arange(len(photo), device=photo.device)[:, None].expand(photo.shape[:2])
    is_bright = photo.amax(-1) >= threshold
    last_bright = torch.where(is_bright, rows, torch.full_like(rows, -run)).cummax(0).values
    return rows - last_bright >= run


def background_alpha(alpha: Float[Tensor, "h w"], background: Bool[Tensor, "h w"]) -> Float[Tensor, ""]:
    """Mean alpha where nothing is: a term that empties it; the mask is a dark backdrop's or an alpha channel's."""
    return _mean_where(alpha, background)


def _mean_where(values: Float[Tensor, "h w"], mask: Bool[Tensor, "h w"]) -> Float[Tensor, ""]:
    """0 where the mask is empty."""
    return torch.where(mask, values, torch.zeros_like(values)).sum() / mask.sum().clamp_min(1)


def _known(depth_z: Tensor, prior_z: Tensor) -> Bool[Tensor, "h w"]:
    return depth_z.isfinite() & (depth_z > 0) & prior_z.isfinite() & (prior_z > 0)


def _slope(values: Tensor, dim: int) -> Tensor:
    n = values.shape[dim]
    return (values.narrow(dim, 2, n - 2) - values.narrow(dim, 0, n - 2)) / 2


def _photometric_error(image: Float[Tensor, "h w 3"], target: Float[Tensor, "h w 3"]) -> Float[Tensor, "h w"]:
    x, y = image.permute(2, 0, 1), target.permute(2, 0, 1)

    def mean(values: Tensor) -> Tensor:
        return functional.avg_pool2d(functional.pad(values[None], (1, 1, 1, 1), mode="replicate"), 3, stride=1)[0]

    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    structure = light * (2 * covariance + 0.03**2) / (variances + 0.03**2)
    return (0.85 * (1 - structure).clamp(0, 2) / 2 + 0.15 * (x - y).abs()).mean(0)
