"""The Triton kernels against the reference. ``test_triton_gpu.py`` runs this file in processes of its own.

With ``TRITON_INTERPRET=1`` the kernels run in Triton's interpreter on the CPU, otherwise on the GPU that is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from trisparse.core.errors import InvalidInput
from trisparse.sparse3d import ops
from trisparse.sparse3d.grid import FIND_ROWS, VoxelGrid
from trisparse.sparse3d.kernel_map import MATCH_KEYS, kernel_offsets
from trisparse.sparse3d.kernels import triton_conv
from trisparse.sparse3d.neighbour_table import TILE_ROWS
from trisparse.sparse3d.tensor import SparseTensor

from .. import test_me_ops as recorded
from ..scenes import empty_tensor, random_grid, random_tensor
from ..test_ops import CONVOLUTIONS, weights

DEVICE = torch.device("cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda")
ROUNDING = {torch.float64: 1e-13, torch.float32: 3e-6, torch.float16: 1.1e-3, torch.bfloat16: 8.5e-3}
"""What a sum may differ by, in units of the greatest one; for half precisions one rounding of the exact sum."""
CASES = {
    **{name: ("conv", options) for name, options in CONVOLUTIONS.items()},
    "transposed onto a grid, size 2": ("onto", {"kernel_size": 2, "stride": 2}),
    "transposed onto a grid, size 3": ("onto", {"kernel_size": 3, "stride": 2}),
    "generative, size 2": ("generative", {"kernel_size": 2, "stride": 2}),
    "generative, size 3": ("generative", {"kernel_size": 3, "stride": 2}),
}


@pytest.fixture(autouse=True)
def _exact_float32() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32 = before


def on_device(x: SparseTensor) -> SparseTensor:
    return SparseTensor(VoxelGrid(x.grid.coords.to(DEVICE), x.grid.stride), x.feats.to(DEVICE))


def run(x: SparseTensor, kernel: Tensor, backend: str, kind: str = "conv", **options: Any) -> list[Tensor]:
    """Output, gradient of the features and of the kernel, for a gradient of the output that is not contiguous."""
    feats, taps = x.feats.detach().requires_grad_(), kernel.detach().clone().requires_grad_()
    y = x.with_feats(feats)
    if kind == "conv":
        out = ops.sparse_conv(y, taps, backend=backend, **options).feats
    else:
        onto = VoxelGrid(random_grid(60, seed=4).coords.to(DEVICE)) if kind == "onto" else None
        out = ops.sparse_conv_transpose(y, taps, onto=onto, backend=backend, **options).feats
    grad = torch.sin(torch.arange(out.numel(), dtype=torch.float64)).reshape(out.shape[::-1]).T
    return [out.detach(), *torch.autograd.grad(out, (feats, taps), grad.to(out))]


def check(x: SparseTensor, kernel: Tensor, **options: Any) -> list[Tensor]:
    """Compares with the reference on the same numbers in single precision or double; returns ours."""
    wide = torch.promote_types(x.feats.dtype, torch.float32)
    ours = run(x, kernel, "triton", **options)
    reference = run(x.with_feats(x.feats.to(wide)), kernel.to(wide), "torch", **options)
    for found, expected in zip(ours, reference, strict=True):
        assert found.dtype == x.feats.dtype
        assert found.shape == expected.shape
        scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
        torch.testing.assert_close(found.to(wide), expected, rtol=0, atol=ROUNDING[x.feats.dtype] * scale)
    return ours


@pytest.mark.parametrize(("kind", "options"), CASES.values(), ids=CASES.keys())
def test_values_and_gradients_equal_the_reference(kind: str, options: dict[str, Any]) -> None:
    x = on_device(random_tensor(70, 3, stride=1 if kind == "conv" else 2, dtype=torch.float32))
    assert int(x.grid.coords.min()) < 0
    check(x, weights(options["kernel_size"], 3, 7, torch.float32).to(DEVICE), kind=kind, **options)


@pytest.mark.parametrize("name", ["size 3", "size 2, stride 2", "transposed onto a grid, size 2"])
def test_double_precision_equals_the_reference(name: str) -> None:
    kind, options = CASES[name]
    x = on_device(random_tensor(70, 9, stride=1 if kind == "conv" else 2))
    check(x, weights(options["kernel_size"], 9, 17).to(DEVICE), kind=kind, **options)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["size 3", "size 2, stride 2", "generative, size 3"])
def test_half_precisions_are_summed_in_single(name: str, dtype: torch.dtype) -> None:
    kind, options = CASES[name]
    x = on_device(random_tensor(120, 40, stride=1 if kind == "conv" else 2, dtype=dtype))
    check(x, weights(options["kernel_size"], 40, 24, dtype).to(DEVICE), kind=kind, **options)


@pytest.mark.parametrize(("channels", "columns"), [(1, 1), (3, 130), (70, 33), (96, 16), (17, 96)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_every_shape_of_tile_equals_the_reference(channels: int, columns: int, dtype: torch.dtype) -> None:
    x = on_device(random_tensor(70, channels, dtype=dtype))
    check(x, weights(2, channels, columns, dtype).to(DEVICE), kernel_size=2)


SCENES: dict[str, Callable[[], SparseTensor]] = {
    "no voxel": lambda: empty_tensor(5, dtype=torch.float32),
    "one voxel": lambda: random_tensor(1, 5, dtype=torch.float32),
    "a whole tile": lambda: ops.prune(
        x := random_tensor(90, 5, dtype=torch.float32), torch.arange(len(x.grid)) < TILE_ROWS
    ),
    "non-contiguous columns": lambda: (x := random_tensor(60, 10, dtype=torch.float32)).with_feats(x.feats[:, ::2]),
    "transposed rows": lambda: (x := random_tensor(60, 5, dtype=torch.float32)).with_feats(x.feats.T.contiguous().T),
    "rows at an odd address": lambda: (x := random_tensor(60, 5, dtype=torch.float32)).with_feats(
        torch.cat([x.feats.new_zeros(1), x.feats.flatten()])[1:].view_as(x.feats)
    ),
    "an emptied scene": lambda: ops.prune(
        x := random_tensor(60, 5, dtype=torch.float32, batch=3), x.grid.coords[:, 0] != 1
    ),
}


@pytest.mark.parametrize("make", SCENES.values(), ids=SCENES.keys())
@pytest.mark.parametrize("name", ["size 3", "size 2, stride 2"])
def test_unusual_scenes_equal_the_reference(name: str, make: Callable[[], SparseTensor]) -> None:
    made = make()
    x = made if DEVICE.type == "cpu" else on_device(made)
    check(x, weights(CONVOLUTIONS[name]["kernel_size"], 5, 6, torch.float32).to(DEVICE), **CONVOLUTIONS[name])


def test_a_kernel_that_is_not_contiguous_equals_the_reference() -> None:
    kernel = weights(3, 7, 4, torch.float32).to(DEVICE)
    check(on_device(random_tensor(50, 4, dtype=torch.float32)), kernel.mT)


@pytest.mark.parametrize("kind", ["conv", "generative"])
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    x = on_device(random_tensor(12, 2, stride=2))
    kernel = weights(3, 2, 3).to(DEVICE)

    def function(feats: Tensor, kernel: Tensor) -> Tensor:
        y = x.with_feats(feats)
        if kind == "conv":
            return ops.sparse_conv(y, kernel, stride=2, backend="triton").feats
        return ops.sparse_conv_transpose(y, kernel, kernel_size=3, stride=2, backend="triton").feats

    assert torch.autograd.gradcheck(function, [t.requires_grad_() for t in (x.feats, kernel)], fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_the_same_input_gives_the_same_bits(dtype: torch.dtype) -> None:
    x = random_tensor(300, 20, dtype=dtype)
    kernel = weights(3, 20, 20, dtype).to(DEVICE)
    first, second = (run(on_device(x), kernel, "triton") for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_slices_of_the_weight_gradient_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    x = on_device(random_tensor(400, 5, dtype=torch.float32))
    kernel = weights(3, 5, 6, torch.float32).to(DEVICE)
    whole = check(x, kernel)[2]
    monkeypatch.setattr(triton_conv, "_BLOCKS_A_SLICE", 1)
    sliced = check(x, kernel)[2]
    assert not torch.equal(whole, sliced), "so few pairs that one slice takes them all"


def test_a_dtype_without_products_is_refused() -> None:
    x = on_device(random_tensor(5, 2, dtype=torch.float32))
    kernel = weights(3, 2, 3, torch.float32).to(DEVICE).to(torch.float8_e5m2)
    with pytest.raises(InvalidInput, match=r"float64, got torch\.float8_e5m2; convert it, or take backend='torch'"):
        ops.sparse_conv(x.with_feats(x.feats.to(torch.float8_e5m2)), kernel, backend="triton")


@pytest.mark.parametrize("n", [0, 1, 50, 1500])
@pytest.mark.parametrize(("size", "stride"), [(3, 1), (2, 2), (1, 1)])
def test_backends_find_the_same_neighbours(size: int, stride: int, n: int) -> None:
    made = random_grid(n, high=8, low=-9, seed=2)
    grid = VoxelGrid(made.coords.to(DEVICE), made.stride)
    keys = grid.sorted_keys_with(grid.strided(stride), kernel_offsets((size, size, size), (1, 1, 1)))
    ours, reference = (MATCH_KEYS.pick(DEVICE, backend)(*keys, 256, 64) for backend in ("triton", "torch"))
    for name in ("places_in", "places_out", "runs_in", "runs_out"):
        found, expected = getattr(ours, name), getattr(reference, name)
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected), name


def test_neighbours_of_no_tap_or_no_output_are_none() -> None:
    keys, none = torch.arange(5, device=DEVICE), torch.empty(0, dtype=torch.int64, device=DEVICE)
    for arguments in ((keys, keys, none), (keys, none, keys), (none, keys, keys)):
        ours, reference = (MATCH_KEYS.pick(DEVICE, backend)(*arguments, 64, 64) for backend in ("triton", "torch"))
        assert len(ours.places_in) == 0
        assert torch.equal(ours.runs_in, reference.runs_in)
        assert torch.equal(ours.runs_out, reference.runs_out)


def test_keys_that_all_want_the_same_slot_are_found() -> None:
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)  # of the hash's factor: the products are 0, 1, 2, ...
    products = range(300)
    keys = torch.tensor(sorted(key for key in (inverse * p % 2**64 for p in products) if key < 2**63), device=DEVICE)
    assert len(keys) > 100
    order = torch.randperm(len(keys)).to(DEVICE)
    find = FIND_ROWS.pick(DEVICE, "triton")
    assert torch.equal(find(keys, order, keys, 0), order)
    assert find(keys, order, keys - 7, 8).max() == -1


def test_rows_are_found_where_the_reference_finds_them() -> None:
    made = random_grid(300, low=-5, high=4)
    grid = VoxelGrid(made.coords.to(DEVICE))
    wanted = torch.cat([grid.coords[::3], grid.coords + 3])
    ours = grid.rows_of(wanted)  # the tables' first choice
    keys = torch.arange(0, 60, 3, device=DEVICE)
    order = torch.randperm(len(keys)).to(DEVICE)
    assert torch.equal(ours[: len(grid.coords[::3])], torch.arange(0, len(grid), 3, device=DEVICE))
    queries = torch.arange(-20, 80, device=DEVICE)[::2]
    for step in (-4, 0, 5):
        found, expected = (FIND_ROWS.pick(DEVICE, b)(keys, order, queries, step) for b in ("triton", "torch"))
        assert torch.equal(found, expected)


def test_auto_takes_triton() -> None:
    for op in (ops.CONVOLVE, MATCH_KEYS, FIND_ROWS):
        assert op.pick(DEVICE) is op.pick(DEVICE, "triton")


@pytest.mark.skipif(DEVICE.type != "cpu", reason="the recorded cases are compared on the CPU")
@pytest.mark.parametrize(
    "name", ["conv_aniso", "conv_k3s2_d2", "conv_k1s2", "conv_k3s1", "convT_k2s2_unet", "convT_k3s2_unet"]
)
def test_recorded_case(name: str, request: pytest.FixtureRequest) -> None:
    path = recorded.COMMITTED / f"{name}.npz"
    if not path.is_file():
        path = request.getfixturevalue("shared") / "oracles" / "me_ops" / f"{name}.npz"
    compare = recorded._convolution if name in recorded.CONVOLUTIONS else recorded._transposed
    compare(recorded.Case(name, path), "triton")
