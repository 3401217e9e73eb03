from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import BackendUnavailable, InvalidInput, ShapeMismatch
from trisparse.rendering.rasterize import rasterization

from .splat_scenes import SplatScene, brute_force, random_scene

BACKENDS = ("torch", "numba")


def _weights(like: Tensor, seed: int = 1) -> Tensor:
    drawn = torch.randn(like.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return drawn.to(like.dtype)


def _gradients(scene: SplatScene, **options: Any) -> tuple[list[Tensor], dict[str, Any]]:
    """Images, and the gradients of a random sum of them."""
    leaves = scene.with_grad()
    render, alphas, meta = rasterization(**leaves.arguments(), **options)
    meta["means2d"].retain_grad()
    ((render * _weights(render)).sum() + (alphas * _weights(alphas, 2)).sum()).backward()
    inputs = (leaves.means, leaves.quats, leaves.scales, leaves.opacities, leaves.viewmats, leaves.colors)
    grads = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in inputs]
    return [render.detach(), alphas.detach(), *grads, meta["means2d"].grad], meta


@pytest.mark.parametrize("backend", BACKENDS)
def test_images_are_those_of_all_gaussians_in_every_pixel(backend: str) -> None:
    scene = random_scene()
    render, alphas, _ = rasterization(
        **scene.arguments(), sh_degree=1, render_mode="RGB+D", backend=backend, packed=False
    )
    for camera in range(2):
        image, alpha, depth = brute_force(scene, 1, camera)
        torch.testing.assert_close(render[camera, ..., :3], image, atol=1e-12, rtol=0)
        torch.testing.assert_close(render[camera, ..., 3:], depth, atol=1e-11, rtol=0)
        torch.testing.assert_close(alphas[camera], alpha, atol=1e-12, rtol=0)


@pytest.mark.parametrize("mode", ["RGB", "D", "ED", "RGB+D", "RGB+ED"])
@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_both_backends_have_the_same_images_and_gradients(mode: str, antialiased: bool, packed: bool) -> None:
    scene = random_scene(g=150)
    options: dict[str, Any] = {
        "sh_degree": 1,
        "render_mode": mode,
        "packed": packed,
        "absgrad": True,
        "rasterize_mode": "antialiased" if antialiased else "classic",
        "backgrounds": torch.rand(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5)),
    }
    results = [_gradients(scene, backend=backend, **options) for backend in BACKENDS]
    for reference, found in zip(results[0][0], results[1][0], strict=True):
        torch.testing.assert_close(found, reference, atol=1e-10 * max(1.0, float(reference.abs().max())), rtol=0)
    first, second = (meta["means2d"].absgrad for _, meta in results)
    torch.testing.assert_close(second, first)
    assert float((first - results[0][0][-1].abs()).min()) > -1e-9  # no sum of absolute values is below that of values
    for name in ("radii", "gaussian_ids", "camera_ids"):
        assert (results[0][1][name] is None) == (results[1][1][name] is None)
        if results[0][1][name] is not None:
            assert torch.equal(results[0][1][name], results[1][1][name])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("degree", [0, 3])
def test_gradients_are_those_of_finite_differences(backend: str, degree: int) -> None:
    scene = random_scene(g=6, c=2, width=18, height=17, harmonics=16)
    # Away from the jumps at alpha = 1/255 a central difference is the gradient; so few, large Gaussians fill the image.
    scene = replace(scene, means=scene.means.clone(), scales=scene.scales * 0 + 0.7 + 0.1 * torch.rand(6, 3).double())
    scene.means[:, 2] = torch.linspace(2.5, 4.0, 6).double()
    leaves = scene.with_grad()
    background = torch.rand(2, 3, dtype=torch.float64).requires_grad_()

    def images(means, quats, scales, opacities, colors, viewmats, background):
        render, alphas, _ = rasterization(
            means,
            quats,
            scales,
            opacities,
            colors,
            viewmats,
            scene.Ks,
            18,
            17,
            sh_degree=degree,
            backgrounds=background,
            render_mode="RGB+D",
            backend=backend,
        )
        return (render * _weights(render)).sum() + (alphas * _weights(alphas)).sum()

    inputs = (leaves.means, leaves.quats, leaves.scales, leaves.opacities, leaves.colors, leaves.viewmats, background)
    grads = torch.autograd.grad(images(*inputs), inputs)
    random = torch.Generator().manual_seed(3)
    for place, (leaf, grad) in enumerate(zip(inputs, grads, strict=True)):
        direction = torch.randn(leaf.shape, generator=random, dtype=torch.float64)
        if place == 5:
            direction[:, 3] = 0  # the last row of a pose is fixed
        step = 1e-6
        with torch.no_grad():
            ends = [
                images(*(x + sign * step * direction if i == place else x for i, x in enumerate(inputs)))
                for sign in (-1, 1)
            ]
        numeric = float(ends[1] - ends[0]) / (2 * step)
        assert float((grad * direction).sum()) == pytest.approx(numeric, rel=2e-5, abs=1e-6)


def test_single_precision_stays_near_double() -> None:
    scene = random_scene(g=400, width=64, height=48)
    exact, _ = _gradients(scene, sh_degree=1, backend="torch")
    found, _ = _gradients(scene.to(torch.float32), sh_degree=1, backend="numba")
    assert float((found[0] - exact[0]).abs().max()) < 1e-5
    for reference, value in zip(exact[2:], found[2:], strict=True):
        assert float((value - reference).norm()) < 5e-6 * float(reference.norm())


def test_features_of_any_number_of_channels_and_per_camera() -> None:
    scene = random_scene()
    for d in (1, 2, 7, 40):
        shared = torch.rand(60, d, dtype=torch.float64)
        each = torch.stack([shared, shared + 1])
        renders = [
            rasterization(**replace(scene, colors=colors).arguments(), backend=backend, packed=packed)[0]
            for colors in (shared, each)
            for backend in BACKENDS
            for packed in (True, False)
        ]
        for render in renders[1:4]:
            torch.testing.assert_close(render, renders[0])
        for render in renders[5:]:
            torch.testing.assert_close(render, renders[4])
        torch.testing.assert_close(renders[4][0], renders[0][0])
        assert not torch.allclose(renders[4][1], renders[0][1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_covariances_stand_for_axes_and_scales(backend: str) -> None:
    from trisparse.rendering.gaussians import rotation_matrices

    scene = random_scene()
    axes = rotation_matrices(scene.quats) * scene.scales[:, None]
    usual, _, _ = rasterization(**scene.arguments(), sh_degree=1, backend=backend)
    arguments = {**scene.arguments(), "quats": None, "scales": None, "covars": axes @ axes.mT}
    found, _, _ = rasterization(**arguments, sh_degree=1, backend=backend)
    torch.testing.assert_close(found, usual)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_gaussian_and_no_visible_gaussian_give_the_background(backend: str) -> None:
    scene = random_scene()
    background = torch.rand(2, 3, dtype=torch.float64)
    names = ("means", "quats", "scales", "opacities", "colors")
    nothing = replace(scene, **{name: getattr(scene, name)[:0] for name in names})
    behind = replace(scene, means=scene.means - torch.tensor([0, 0, 100.0]))
    transparent = replace(scene, opacities=scene.opacities * 0)
    for case in (nothing, behind, transparent):
        for packed in (True, False):
            found, _ = _gradients(case, sh_degree=1, backgrounds=background, backend=backend, packed=packed)
            torch.testing.assert_close(found[0], background[:, None, None].expand(2, 21, 37, 3))
            assert float(found[1].abs().max()) == 0
            assert all(bool(grad.isfinite().all()) for grad in found[2:])


@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_that_are_not_finite_make_a_gaussian_invisible(backend: str) -> None:
    scene = random_scene()
    usual, _, _ = rasterization(**scene.arguments(), sh_degree=1, backend=backend)
    broken = replace(
        scene,
        means=torch.cat([scene.means, torch.tensor([[torch.nan, 0, 3], [0, 0, torch.inf]], dtype=torch.float64)]),
        quats=torch.cat([scene.quats, scene.quats[:2]]),
        scales=torch.cat([scene.scales, scene.scales[:2]]),
        opacities=torch.cat([scene.opacities, scene.opacities[:2]]),
        colors=torch.cat([scene.colors, scene.colors[:2]]),
    )
    found, _, _ = rasterization(**broken.arguments(), sh_degree=1, backend=backend)
    torch.testing.assert_close(found, usual)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_order_of_gaussians_does_not_matter(backend: str) -> None:
    scene = random_scene()
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    mixed = replace(scene, **{n: getattr(scene, n)[order] for n in ("means", "quats", "scales", "opacities", "colors")})
    first, _ = _gradients(scene, sh_degree=1, backend=backend)
    second, _ = _gradients(mixed, sh_degree=1, backend=backend)
    torch.testing.assert_close(second[0], first[0])
    torch.testing.assert_close(second[2], first[2][order])


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_need_not_be_contiguous(backend: str) -> None:
    scene = random_scene()
    names = ("means", "quats", "scales", "colors", "viewmats", "Ks")
    strided = replace(
        scene, **{name: getattr(scene, name).transpose(0, 1).contiguous().transpose(0, 1) for name in names}
    )
    assert not strided.means.is_contiguous()
    for reference, found in zip(
        _gradients(scene, sh_degree=1, backend=backend)[0],
        _gradients(strided, sh_degree=1, backend=backend)[0],
        strict=True,
    ):
        torch.testing.assert_close(found, reference)


_COUNT = """
import hashlib, sys
import torch
torch.set_num_threads(int(sys.argv[1]))
from trisparse.rendering.rasterize import rasterization
random = torch.Generator().manual_seed(0)
g = 3000
means = torch.randn(g, 3, generator=random) + torch.tensor([0.0, 0.0, 4.0])
leaves = [means, torch.randn(g, 4, generator=random), torch.rand(g, 3, generator=random) * 0.1,
          torch.rand(g, generator=random), torch.randn(g, 4, 3, generator=random), torch.eye(4)[None].clone()]
leaves = [leaf.requires_grad_() for leaf in leaves]
K = torch.tensor([[[100.0, 0, 50], [0, 100, 40], [0, 0, 1]]])
render, alphas, meta = rasterization(*leaves, K, 100, 80, sh_degree=1, absgrad=True)
(render.square().sum() + alphas.sum()).backward()
digest = hashlib.sha256()
for value in (render, alphas, *(leaf.grad for leaf in leaves), meta["means2d"].absgrad):
    digest.update(value.detach().numpy().tobytes())
print(digest.hexdigest())
"""


def test_one_thread_and_two_give_the_same_bits() -> None:
    runs = [
        subprocess.run([sys.executable, "-c", _COUNT, threads], capture_output=True, text=True, check=True)
        for threads in ("1", "2", "2")
    ]
    assert len({run.stdout for run in runs}) == 1


def test_gsplats_own_densification_runs_on_cpu_tensors() -> None:
    strategies = pytest.importorskip("gsplat.strategy", reason="gsplat is not installed")
    random = torch.Generator().manual_seed(0)
    target = torch.rand(1, 24, 32, 3, generator=random)
    params = torch.nn.ParameterDict(
        {
            "means": torch.nn.Parameter(torch.randn(50, 3, generator=random) + torch.tensor([0.0, 0.0, 4.0])),
            "quats": torch.nn.Parameter(torch.randn(50, 4, generator=random)),
            "scales": torch.nn.Parameter(torch.full((50, 3), -2.0)),
            "opacities": torch.nn.Parameter(torch.zeros(50)),
            "sh0": torch.nn.Parameter(torch.zeros(50, 1, 3)),
        }
    )
    optimizers = {name: torch.optim.Adam([value], 0.01) for name, value in params.items()}
    for packed in (True, False):
        strategy = strategies.DefaultStrategy(refine_start_iter=1, refine_every=4, grow_grad2d=1e-6, absgrad=packed)
        strategy.check_sanity(params, optimizers)
        state = strategy.initialize_state(scene_scale=1.0)
        before = len(params["means"])
        for step in range(10):
            render, _, info = rasterization(
                params["means"],
                params["quats"],
                params["scales"].exp(),
                params["opacities"].sigmoid(),
                params["sh0"],
                torch.eye(4)[None],
                torch.tensor([[[30.0, 0, 16], [0, 30, 12], [0, 0, 1]]]),
                32,
                24,
                sh_degree=0,
                packed=packed,
                absgrad=packed,
            )
            strategy.step_pre_backward(params, optimizers, state, step, info)
            (render - target).abs().mean().backward()
            for optimizer in optimizers.values():
                optimizer.step()
                optimizer.zero_grad()
            strategy.step_post_backward(params, optimizers, state, step, info, packed=packed)
        assert len(params["means"]) > before
        assert all(len(value) == len(params["means"]) for value in params.values())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"width": 0}, InvalidInput, "above 0"),
        ({"render_mode": "rgb"}, InvalidInput, "choose from RGB"),
        ({"rasterize_mode": "soft"}, InvalidInput, "classic or antialiased"),
        ({"camera_model": "fisheye"}, InvalidInput, "undistort"),
        ({"sparse_grad": True}, InvalidInput, "not supported"),
        ({"scales": None}, InvalidInput, "neither covars"),
        ({"sh_degree": 5}, InvalidInput, "0, 1, 2 or 3"),
        ({"sh_degree": 2}, ShapeMismatch, "9 rows"),
        ({"opacities": torch.rand(3).double()}, ShapeMismatch, "3 opacities for 60 means"),
        ({"quats": torch.rand(3, 4).double()}, ShapeMismatch, "3 quats"),
        ({"Ks": torch.eye(3).double()[None]}, ShapeMismatch, "2 viewmats and 1 Ks"),
        ({"backgrounds": torch.rand(1, 3).double()}, ShapeMismatch, "expected"),
        ({"colors": torch.rand(7, 4, 3).double()}, ShapeMismatch, "one row a Gaussian"),
        ({"backend": "cuda"}, InvalidInput, "no backend"),
        ({"backend": "gsplat"}, BackendUnavailable, "runs on CUDA"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rasterization(**{**random_scene().arguments(), "sh_degree": 1, **changes})
