"""SSIM: its definition, its backends, its gradients."""

from __future__ import annotations

import numba
import pytest
import torch
from torch import Tensor
from trisparse.core.errors import BackendUnavailable, InvalidInput, ShapeMismatch
from trisparse.rendering.ssim import SSIM, ssim

from tests.oracles.similarity_loops import ssim_3dgs

BACKENDS = ["numba", "torch"]
CPU = torch.device("cpu")


def images(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Two images that resemble each other."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.rand(shape, generator=generator, dtype=torch.float64)
    second = (first + 0.3 * torch.randn(shape, generator=generator, dtype=torch.float64)).clamp(0, 1)
    return first.to(dtype), second.to(dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(13, 17, 3), (23, 12, 1), (3, 4, 3), (1, 1, 3), (1, 30, 2), (30, 1, 2), (11, 5, 4)])
def test_it_is_what_the_definition_says_of_large_and_tiny_images(backend: str, shape: tuple[int, ...]) -> None:
    x, y = images(*shape)
    assert ssim(x, y, backend=backend).item() == pytest.approx(ssim_3dgs(x.numpy(), y.numpy()), abs=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_image_is_like_itself_and_unlike_its_negative(backend: str) -> None:
    x, _ = images(40, 30, 3)
    assert ssim(x, x, backend=backend).item() == pytest.approx(1, abs=1e-12)
    assert ssim(x, 1 - x, backend=backend).item() < -0.5


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_gives_what_its_images_give_and_an_empty_one_nothing(backend: str) -> None:
    x, y = images(3, 19, 23, 3)
    torch.testing.assert_close(
        ssim(x, y, backend=backend), torch.stack([ssim(*pair, backend=backend) for pair in zip(x, y, strict=True)])
    )
    nothing = x[:0].requires_grad_()
    found = ssim(nothing, y[:0], backend=backend)
    assert found.shape == (0,)
    (grad,) = torch.autograd.grad(found.sum(), nothing)
    assert grad.shape == (0, 19, 23, 3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(2, 13, 5, 2), (1, 2, 12, 1), (1, 1, 1, 3)])
def test_the_gradients_by_both_images_are_those_of_finite_differences(backend: str, shape: tuple[int, ...]) -> None:
    x, y = (image.requires_grad_() for image in images(*shape))
    assert torch.autograd.gradcheck(lambda a, b: ssim(a, b, backend=backend), (x, y))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("wanted", [(True, False), (False, True), (True, True)])
def test_numba_gives_the_references_values_and_gradients(dtype: torch.dtype, wanted: tuple[bool, bool]) -> None:
    x, y = (image.requires_grad_(flag) for image, flag in zip(images(2, 45, 38, 3, dtype=dtype), wanted, strict=True))
    inputs = [image for image in (x, y) if image.requires_grad]
    results = []
    for backend in BACKENDS:
        found = ssim(x, y, backend=backend)
        results.append((found, *torch.autograd.grad(found, inputs, torch.tensor([1.0, -2.5], dtype=dtype))))
    for found, expected in zip(*results, strict=True):
        assert found.dtype == dtype
        accuracy = 2e-6 if dtype == torch.float32 else 1e-14
        torch.testing.assert_close(found, expected, rtol=0, atol=accuracy)


def test_flat_images_keep_their_similarity_in_single_precision() -> None:
    x, y = torch.full((64, 64, 3), 0.9), torch.full((64, 64, 3), 0.9001)
    exact = ssim(x.double(), y.double()).item()
    for backend in BACKENDS:
        assert ssim(x, y, backend=backend).item() == pytest.approx(exact, abs=5e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_layout_of_an_image_in_memory_does_not_matter(backend: str) -> None:
    x, y = images(21, 34, 3)
    planes, turned = x.movedim(-1, 0).contiguous().movedim(0, -1), y.transpose(0, 1).contiguous().transpose(0, 1)
    assert not planes.is_contiguous()
    planes.requires_grad_()
    found, expected = ssim(planes, turned, backend=backend), ssim(x.requires_grad_(), y, backend=backend)
    assert torch.allclose(found, expected, rtol=0, atol=1e-14)
    grads = [torch.autograd.grad(value, image)[0] for value, image in ((found, planes), (expected, x))]
    torch.testing.assert_close(*grads)


def test_the_bits_do_not_depend_on_the_number_of_threads() -> None:
    x, y = images(2, 53, 41, 3, dtype=torch.float32)
    x.requires_grad_()
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, max(2, numba.config.NUMBA_NUM_THREADS)):  # type: ignore[attr-defined]
            torch.set_num_threads(threads)
            found = ssim(x, y, backend="numba")
            results.append((found, torch.autograd.grad(found.sum(), x)[0]))
    finally:
        torch.set_num_threads(before)
    for found, grad in results[1:]:
        assert torch.equal(found, results[0][0])
        assert torch.equal(grad, results[0][1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_half_precision_is_computed_in_single(backend: str) -> None:
    x, y = images(20, 20, 3, dtype=torch.float16)
    found = ssim(x.requires_grad_(), y, backend=backend)
    assert found.dtype == torch.float16
    assert found.item() == pytest.approx(ssim(x.float(), y.float()).item(), abs=1e-3)
    assert torch.autograd.grad(found, x)[0].dtype == torch.float16


def test_inputs_are_left_as_they_were() -> None:
    x, y = images(15, 15, 3)
    before = x.clone(), y.clone()
    torch.autograd.grad(ssim(x.requires_grad_(), y), x)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


def test_wrong_images_are_refused_with_what_came_and_what_was_expected() -> None:
    x, y = images(12, 13, 3)
    with pytest.raises(ShapeMismatch, match=r"\(12, 13, 3\) and \(13, 12, 3\); expected the same"):
        ssim(x, y.transpose(0, 1))
    with pytest.raises(ShapeMismatch, match=r"expected the same, \[h w c\] or \[n h w c\]"):
        ssim(x[None, None], y[None, None])
    with pytest.raises(InvalidInput, match=r"torch.float64 on cpu and torch.float32 on cpu; expected the same floats"):
        ssim(x, y.float())
    with pytest.raises(InvalidInput, match=r"\(0, 13, 3\) have no pixels"):
        ssim(x[:0], y[:0])


def test_the_compiled_code_says_that_it_runs_on_the_cpu_only() -> None:
    meta = torch.device("meta")
    assert SSIM.why_unusable("numba", CPU) is None
    assert SSIM.why_unusable("torch", meta) is None
    with pytest.raises(BackendUnavailable, match="run on the CPU"):
        SSIM.pick(meta, "numba")
