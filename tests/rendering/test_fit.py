from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput, NotFinite
from trisparse.core.random import numpy_rng
from trisparse.data.posed_images import PosedImages
from trisparse.rendering.densify import GradientDensify, MonteCarloDensify
from trisparse.rendering.fit import Fit, FitConfig, scene_extent
from trisparse.rendering.gaussians import GaussianCloud, rotation_matrices

from .fit_scenes import photos_of, ring_of_cameras, some_gaussians

EARLY = GradientDensify(start=2, every=5, threshold=1e-5, stop=40, reset_every=0)


def _photos() -> PosedImages:
    return photos_of(some_gaussians(seed=1), ring_of_cameras())


def _run(config: FitConfig, steps: int, photos: PosedImages | None = None) -> Fit:
    fit = Fit(photos or _photos(), some_gaussians(), config)
    for _ in range(steps):
        fit.step()
    return fit


def _image(leaves: list[Tensor], view: Tensor, K: Tensor, width: int, height: int) -> Tensor:
    """All Gaussians in all pixels, degree 0, in a few lines."""
    means, quats, log_scales, logits, sh = leaves
    local = means @ view[:3, :3].T + view[:3, 3]
    order = local[:, 2].argsort()
    x, y, z = local[order].unbind(1)
    axes = view[:3, :3] @ rotation_matrices(quats[order]) * log_scales[order].exp()[:, None]
    zero = torch.zeros_like(z)
    far_x, far_y = 0.65 * width / K[0, 0], 0.65 * height / K[1, 1]  # directions beyond are taken at 1.3 half images
    near_x, near_y = (x / z).clamp(-far_x, far_x) * z, (y / z).clamp(-far_y, far_y) * z
    jacobian = torch.stack(
        [K[0, 0] / z, zero, -K[0, 0] * near_x / z**2, zero, K[1, 1] / z, -K[1, 1] * near_y / z**2], 1
    )
    flat = jacobian.reshape(-1, 2, 3) @ axes
    conic = torch.linalg.inv(flat @ flat.mT + 0.3 * torch.eye(2, dtype=flat.dtype))
    pixels = torch.stack(torch.meshgrid(torch.arange(width) + 0.5, torch.arange(height) + 0.5, indexing="xy"), -1)
    center = torch.stack([K[0, 0] * x / z + K[0, 2], K[1, 1] * y / z + K[1, 2]], 1)
    offset = (pixels.reshape(-1, 1, 2) - center)[..., None]
    power = 0.5 * (offset.mT @ conic @ offset)[..., 0, 0]
    alpha = (logits[order].sigmoid() * torch.exp(-power)).clamp(max=0.99)
    alpha = torch.where(alpha >= 1 / 255, alpha, torch.zeros_like(alpha))
    through = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha], 1), 1)
    weights = alpha * through[:, :-1] * (through[:, 1:] > 1e-4)
    colors = (sh[order, 0] * 0.28209479177387814 + 0.5).clamp(min=0)
    return (weights @ colors).reshape(height, width, 3)


def _structure(image: Tensor, target: Tensor) -> Tensor:
    line = torch.exp(-((torch.arange(11, dtype=image.dtype) - 5) ** 2) / (2 * 1.5**2))
    window = (line[:, None] * line / line.sum() ** 2).expand(3, 1, 11, 11)

    def mean(a: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(a.permute(2, 0, 1)[None], window, padding=5, groups=3)

    a, b = mean(image), mean(target)
    aa, bb, ab = mean(image**2) - a * a, mean(target**2) - b * b, mean(image * target) - a * b
    return ((2 * a * b + 0.01**2) * (2 * ab + 0.03**2) / ((a * a + b * b + 0.01**2) * (aa + bb + 0.03**2))).mean()


def test_plain_splatting_is_that_of_an_independent_loop() -> None:
    # In double precision: Adam makes steps of one size of gradients that are all rounding.
    photos, start, steps = _photos(), some_gaussians().to(torch.float64), 50
    # Nor may the Gaussians be round at first, since turning them would not change the images.
    random = torch.Generator().manual_seed(2)
    stretch = 0.3 * torch.randn(len(start), 3, generator=random, dtype=torch.float64)
    start = replace(start, log_scales=start.log_scales + stretch)
    photos = PosedImages.from_tensors(photos.cameras.to(torch.float64), photos.images().double())
    fit = Fit(photos, start, FitConfig(steps=1000, sh_degree=0))
    for _ in range(steps):
        fit.step()
    leaves = [
        x.clone().requires_grad_() for x in (start.means, start.quats, start.log_scales, start.opacity_logits, start.sh)
    ]
    extent = scene_extent(photos.cameras)
    rates = (1.6e-4 * extent, 1e-3, 5e-3, 5e-2, 2.5e-3)
    optimizer = torch.optim.Adam([{"params": [x], "lr": r} for x, r in zip(leaves, rates, strict=True)], eps=1e-15)
    for step in range(steps):
        if step % 4 == 0:
            order = numpy_rng(0, "photos", step // 4).permutation(4)
        photo = int(order[step % 4])
        image = _image(leaves, photos.cameras.camera_from_world[photo], photos.cameras.K[photo], 32, 24)
        target = photos.image(photo)
        loss = 0.8 * (image - target).abs().mean() + 0.2 * (1 - _structure(image, target))
        optimizer.param_groups[0]["lr"] = extent * 1.6e-4 * 0.01 ** (step / 999)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = fit.parameters.cloud()
    for name, leaf in zip(("means", "quats", "log_scales", "opacity_logits", "sh"), leaves, strict=True):
        torch.testing.assert_close(getattr(found, name), leaf.detach(), atol=1e-4, rtol=0)


def test_fitting_comes_closer_to_the_photos() -> None:
    fit = _run(FitConfig(steps=200, sh_degree=1, sh_every=50, densify=None), 200)
    photos = _photos()
    with torch.no_grad():
        errors = [(fit.render(photos.cameras[i]).image - photos.image(i)).square().mean() for i in range(4)]
        start = Fit(photos, some_gaussians(), FitConfig(sh_degree=0))
        before = [(start.render(photos.cameras[i]).image - photos.image(i)).square().mean() for i in range(4)]
    assert float(torch.stack(errors).mean()) < 0.1 * float(torch.stack(before).mean())


@pytest.mark.parametrize(
    "config",
    [
        FitConfig(
            steps=60, sh_degree=1, sh_every=10, densify=EARLY, dropout=0.3, dropout_start=5, random_background=True
        ),
        FitConfig(
            steps=60, sh_degree=0, densify=MonteCarloDensify(start=2, every=5), opacity_decay=0.99, decay_start=3
        ),
    ],
    ids=["gradient", "mcmc"],
)
def test_a_fit_that_is_stopped_and_goes_on_ends_with_the_same_bits(config: FitConfig) -> None:
    whole = _run(config, 30)
    first = _run(config, 13)
    second = Fit(_photos(), some_gaussians(), config)
    second.load(first.tree())
    while second.done < 30:
        second.step()
    assert len(whole.parameters) > 60
    for name, value in whole.parameters.values.items():
        assert torch.equal(second.parameters.values[name], value), name


def test_options_that_are_off_change_nothing() -> None:
    plain = _run(FitConfig(steps=60, densify=None), 20)
    off = _run(FitConfig(steps=60, densify=None, dropout=0.5, dropout_start=20, opacity_decay=0.5, decay_start=20), 20)
    for name, value in plain.parameters.values.items():
        assert torch.equal(off.parameters.values[name], value), name


def test_dropout_is_in_the_opacities_of_the_result() -> None:
    fit = _run(FitConfig(steps=60, densify=None, dropout=0.25, dropout_start=0), 5)
    torch.testing.assert_close(fit.result().opacities, 0.75 * fit.parameters.cloud().opacities)
    cloud, camera = fit.result(), fit.cameras[0]
    with torch.no_grad():
        shown = fit.render(camera).image
    torch.testing.assert_close(photos_of(cloud.with_degree(0), camera).image(0), shown.clamp(0, 1), atol=1e-5, rtol=0)


def test_opacity_decay_lowers_every_opacity() -> None:
    usual = _run(FitConfig(steps=60, densify=None), 1).parameters.cloud().opacities
    decayed = _run(FitConfig(steps=60, densify=None, opacity_decay=0.9, decay_start=0), 1).parameters.cloud().opacities
    torch.testing.assert_close(decayed, 0.9 * usual)


def test_gaussians_that_are_not_finite_are_removed_and_a_hopeless_fit_ends_with_an_error() -> None:
    fit = _run(FitConfig(steps=60, densify=None), 3)
    with torch.no_grad():
        fit.parameters["sh0"][7] = torch.nan
    fit.step()
    assert len(fit.parameters) == 59
    assert fit.step().loss < 10
    photos = _photos()
    broken = PosedImages.from_tensors(photos.cameras, photos.images() * torch.nan)
    with pytest.raises(NotFinite, match="ten times in a row"):
        _run(FitConfig(steps=60), 11, broken)


def test_what_cannot_be_fitted_is_said() -> None:
    photos = _photos()
    with pytest.raises(InvalidInput, match="at least one"):
        Fit(photos.select([]), some_gaussians(), FitConfig())
    bent = replace(photos.cameras, model="opencv", distortion=torch.full((4, 2), 0.1))
    with pytest.raises(InvalidInput, match="undistort"):
        Fit(PosedImages.from_tensors(bent, photos.images()), some_gaussians(), FitConfig())


def test_one_photo_and_no_gaussian_are_no_error() -> None:
    photos = _photos()
    nothing = GaussianCloud.from_points(torch.zeros(0, 3), torch.zeros(0, 3))
    fit = Fit(photos.select([0]), nothing, FitConfig(steps=10, densify=None))
    assert fit.step().gaussians == 0
    assert _run(FitConfig(steps=10), 3, photos.select([0])).done == 3
