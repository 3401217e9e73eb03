"""Convolutions, pools and look-ups: gradients, dense convolution as oracle, backends against each other, odd inputs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from trisparse.core.errors import InvalidInput, ShapeMismatch
from trisparse.sparse3d import ops
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.kernel_map import MATCH_KEYS, convolution_map, kernel_offsets
from trisparse.sparse3d.set_ops import (
    broadcast_add,
    broadcast_cat,
    broadcast_mul,
    global_pool,
    union,
    union_add,
    union_mul,
    union_sub,
)
from trisparse.sparse3d.tensor import SparseTensor

from .scenes import empty_tensor, random_grid, random_tensor

BACKENDS = ("numba", "torch")
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.15}
CONVOLUTIONS: dict[str, dict[str, object]] = {
    "size 3": {"kernel_size": 3},
    "size 3, stride 2": {"kernel_size": 3, "stride": 2},
    "size 2, stride 2": {"kernel_size": 2, "stride": 2},
    "size 2": {"kernel_size": 2},
    "size 3, dilation 2": {"kernel_size": 3, "dilation": 2},
    "size 1, stride 2": {"kernel_size": 1, "stride": 2},
    "size 5": {"kernel_size": 5},
    "size 3 x 1 x 2": {"kernel_size": (3, 1, 2), "stride": (1, 2, 1)},
    "expand": {"kernel_size": 3, "expand": True},
}


def weights(size: object, channels: int, out: int, dtype: torch.dtype = torch.float64) -> Tensor:
    x, y, z = (size, size, size) if isinstance(size, int) else size  # type: ignore[misc]
    generator = torch.Generator().manual_seed(5)
    return torch.randn(x * y * z, channels, out, generator=generator, dtype=torch.float64).to(dtype) / 3


def rows_by_coordinate(x: SparseTensor) -> dict[tuple[int, ...], Tensor]:
    return {tuple(c): row for c, row in zip(x.grid.coords.tolist(), x.feats, strict=True)}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_gradients_of_convolutions(options: dict, backend: str) -> None:
    x = random_tensor(12, 2)
    kernel, bias = weights(options["kernel_size"], 2, 3), torch.randn(1, 3, dtype=torch.float64)

    def run(feats: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        return ops.sparse_conv(x.with_feats(feats), kernel, bias=bias, backend=backend, **options).feats

    assert torch.autograd.gradcheck(run, [t.requires_grad_() for t in (x.feats.clone(), kernel, bias)], fast_mode=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("generative", [False, True])
@pytest.mark.parametrize("size", [2, 3])
def test_gradients_of_transposed_convolutions(size: int, generative: bool, backend: str) -> None:
    x = random_tensor(8, 2, stride=2)
    onto = None if generative else random_grid(30, seed=4)
    kernel, bias = weights(size, 2, 3), torch.randn(1, 3, dtype=torch.float64)

    def run(feats: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        y = x.with_feats(feats)
        return ops.sparse_conv_transpose(
            y, kernel, kernel_size=size, stride=2, bias=bias, onto=onto, backend=backend
        ).feats

    assert torch.autograd.gradcheck(run, [t.requires_grad_() for t in (x.feats.clone(), kernel, bias)], fast_mode=True)


_FINE = random_grid(30, seed=4)
_OTHER = random_tensor(10, 2, seed=9)
_QUERIES = torch.cat([torch.randint(0, 2, (9, 1)), 6 * torch.rand(9, 3) - 3], 1).double()
_MASK = torch.arange(40) % 3 != 0
_ROWS = torch.randn(2, 2, dtype=torch.float64)
UNARY: dict[str, Callable[[SparseTensor], Tensor]] = {
    "convolution onto": lambda x: ops.sparse_conv(x, weights(3, 2, 3).double(), onto=random_grid(20, seed=8)).feats,
    "max pool": lambda x: ops.max_pool(x, kernel_size=3, stride=2).feats,
    "average pool": lambda x: ops.avg_pool(x, kernel_size=2, stride=2).feats,
    "sum pool": lambda x: ops.sum_pool(x, kernel_size=3, stride=1).feats,
    "prune": lambda x: ops.prune(x, _MASK[: len(x.grid)]).feats,
    "lookup": lambda x: ops.lookup(x, _OTHER.grid.coords),
    "interpolate": lambda x: ops.interpolate(x, _QUERIES),
    "union": lambda x: union([x, _OTHER, x]).feats,
    "union_add": lambda x: union_add(x, _OTHER).feats,
    "union_sub": lambda x: union_sub(_OTHER, x).feats,
    "union_mul left": lambda x: union_mul(x, _OTHER).feats,
    "union_mul right": lambda x: union_mul(_OTHER, x).feats,
    "global max": lambda x: global_pool(x, "max"),
    "global mean": lambda x: global_pool(x, "avg"),
    "global sum": lambda x: global_pool(x, "sum"),
    "broadcast_add": lambda x: broadcast_add(x, _ROWS).feats,
    "broadcast_mul": lambda x: broadcast_mul(x, global_pool(x, "sum")).feats,
    "broadcast_cat": lambda x: broadcast_cat(x, global_pool(x, "avg")).feats,
}


@pytest.mark.parametrize("op", UNARY.values(), ids=UNARY.keys())
def test_gradients_of_other_operations(op: Callable[[SparseTensor], Tensor]) -> None:
    x = random_tensor(14, 2)
    assert torch.autograd.gradcheck(
        lambda feats: op(x.with_feats(feats)), [x.feats.clone().requires_grad_()], fast_mode=True
    )


@pytest.mark.parametrize("size", [2, 3])
def test_gradients_of_transposed_pooling(size: int) -> None:
    x = random_tensor(10, 2, stride=2)
    assert torch.autograd.gradcheck(
        lambda feats: ops.pool_transpose(x.with_feats(feats), kernel_size=size, stride=2, onto=_FINE).feats,
        [x.feats.clone().requires_grad_()],
        fast_mode=True,
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (2, 2, 1), (2, 1, 1), (3, 1, 2), (5, 2, 1)]
)
def test_convolution_equals_a_dense_one(size: int, stride: int, dilation: int, backend: str) -> None:
    x = random_tensor(60, 3, batch=1)
    kernel = weights(size, 3, 4)
    out = ops.sparse_conv(x, kernel, kernel_size=size, stride=stride, dilation=dilation, backend=backend)
    margin = 16  # even, so that strided output coordinates fall on it too
    dense = torch.zeros(1, 3, 40, 40, 40, dtype=torch.float64)
    at = x.grid.coords[:, 1:].long() + margin
    dense[0, :, at[:, 0], at[:, 1], at[:, 2]] = x.feats.T
    # Tap k = kx + K ky + K^2 kz: the flat kernel unfolds as (z, y, x).
    filters = kernel.reshape(size, size, size, 3, 4).permute(4, 3, 2, 1, 0)
    expected = functional.conv3d(dense, filters, dilation=dilation)[0]
    start = dilation * (size // 2) if size % 2 else 0
    to = out.grid.coords[:, 1:].long() + margin - start
    torch.testing.assert_close(out.feats, expected[:, to[:, 0], to[:, 1], to[:, 2]].T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3])
def test_generative_transposed_convolution_equals_a_dense_one(size: int) -> None:
    x = random_tensor(20, 3, batch=1, stride=2)
    kernel = weights(size, 3, 4)
    out = ops.sparse_conv_transpose(x, kernel, kernel_size=size, stride=2)
    dense = torch.zeros(1, 3, 20, 20, 20, dtype=torch.float64)
    at = x.grid.coords[:, 1:].long() // 2 + 10
    dense[0, :, at[:, 0], at[:, 1], at[:, 2]] = x.feats.T
    filters = kernel.reshape(size, size, size, 3, 4).permute(3, 4, 2, 1, 0)
    expected = functional.conv_transpose3d(dense, filters, stride=2)[0]
    to = out.grid.coords[:, 1:].long() + 20 + (size // 2 if size % 2 else 0)
    torch.testing.assert_close(out.feats, expected[:, to[:, 0], to[:, 1], to[:, 2]].T, rtol=0, atol=1e-12)


SCENES: dict[str, Callable[[torch.dtype], SparseTensor]] = {
    "many voxels": lambda dtype: random_tensor(300, 8, dtype=dtype),
    "no voxel": lambda dtype: empty_tensor(8, dtype=dtype),
    "one voxel": lambda dtype: random_tensor(1, 8, dtype=dtype),
    "non-contiguous": lambda dtype: (x := random_tensor(60, 16, dtype=dtype)).with_feats(x.feats[:, ::2]),
    "an emptied scene": lambda dtype: ops.prune(
        x := random_tensor(60, 8, dtype=dtype, batch=3), x.grid.coords[:, 0] != 1
    ),
}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
@pytest.mark.parametrize("options", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_numba_equals_the_reference(options: dict, scene: Callable, dtype: torch.dtype) -> None:
    x = scene(dtype)
    found = []
    for backend in BACKENDS:
        feats = x.feats.detach().clone().requires_grad_()
        kernel = weights(options["kernel_size"], 8, 5, dtype).requires_grad_()
        out = ops.sparse_conv(x.with_feats(feats), kernel, backend=backend, **options).feats
        out.backward(torch.sin(torch.arange(out.numel())).reshape(out.shape).to(dtype))
        found.append((out, feats.grad, kernel.grad))
    for ours, reference in zip(*found, strict=True):
        assert ours.dtype == dtype
        scale = max(1.0, float(reference.detach().abs().max())) if reference.numel() else 1.0
        torch.testing.assert_close(ours, reference, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("generative", [False, True])
def test_numba_equals_the_reference_transposed(generative: bool, dtype: torch.dtype) -> None:
    x = random_tensor(100, 8, stride=2, dtype=dtype)
    onto = None if generative else random_grid(300, seed=4)
    ours, reference = (
        ops.sparse_conv_transpose(x, weights(3, 8, 5, dtype), kernel_size=3, stride=2, onto=onto, backend=b).feats
        for b in BACKENDS
    )
    torch.testing.assert_close(ours, reference, rtol=0, atol=TOLERANCE[dtype] * 3)


@pytest.mark.parametrize("n", [0, 1])
def test_no_or_one_voxel_goes_through_every_operation(n: int) -> None:
    x = empty_tensor(2) if n == 0 else random_tensor(1, 2, batch=1)
    coarse = ops.sparse_conv(x, weights(3, 2, 4), stride=2)
    fine = ops.sparse_conv_transpose(coarse, weights(2, 4, 2), kernel_size=2, stride=2)
    again = ops.sparse_conv_transpose(coarse, weights(3, 4, 2), kernel_size=3, stride=2, onto=x.grid)
    pooled = [p(x, kernel_size=k, stride=2) for p in (ops.max_pool, ops.avg_pool, ops.sum_pool) for k in (2, 3)]
    spread = ops.pool_transpose(coarse, kernel_size=2, stride=2, onto=x.grid)
    assert (len(coarse.grid), len(fine.grid), len(again.grid)) == (n, 8 * n, n)
    assert [len(p.grid) for p in pooled] == [n] * 6
    assert spread.feats.shape == (n, 4)
    assert ops.interpolate(x, _QUERIES).shape == (9, 2)
    assert ops.lookup(x, _FINE.coords).shape == (len(_FINE), 2)
    assert union([x, x.with_feats(x.feats)]).feats.shape == (n, 2)
    assert all(global_pool(x, how, n_batch=3).shape == (3, 2) for how in ("max", "avg", "sum"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_voxel_a_scene_sees_only_its_centre_tap(backend: str) -> None:
    grid = VoxelGrid(torch.tensor([[0, 1, 2, 3], [1, 1, 2, 4], [2, 1, 2, 2]], dtype=torch.int32))
    x = SparseTensor(grid, torch.randn(3, 2, dtype=torch.float64))
    kernel = weights(3, 2, 4)
    torch.testing.assert_close(ops.sparse_conv(x, kernel, backend=backend).feats, x.feats @ kernel[13])


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_order_of_the_rows_does_not_matter(backend: str) -> None:
    x = random_tensor(80, 4)
    order = torch.randperm(len(x.grid))
    mixed = SparseTensor(VoxelGrid(x.grid.coords[order]), x.feats[order])
    for stride in (1, 2):
        a, b = (ops.sparse_conv(y, weights(3, 4, 4), stride=stride, backend=backend) for y in (x, mixed))
        expected, found = rows_by_coordinate(a), rows_by_coordinate(b)
        assert expected.keys() == found.keys()
        for place, row in expected.items():
            torch.testing.assert_close(found[place], row, rtol=0, atol=1e-12)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba was started with one thread")  # type: ignore[attr-defined]
def test_the_number_of_threads_does_not_change_a_bit() -> None:
    x = random_tensor(2000, 16, dtype=torch.float32)
    kernel = weights(3, 16, 24, torch.float32).requires_grad_()
    before, found = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        feats = x.feats.clone().requires_grad_()
        out = ops.sparse_conv(SparseTensor(VoxelGrid(x.grid.coords), feats), kernel, backend="numba").feats
        found.append([out, *torch.autograd.grad(out.square().sum(), (feats, kernel))])
    torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("columns", [1, 7, 16, 33, 64, 120])
def test_every_width_of_a_tile_equals_the_reference(columns: int, dtype: torch.dtype) -> None:
    x = random_tensor(150, 13, dtype=dtype)
    found = []
    for backend in BACKENDS:
        feats, kernel = x.feats.clone().requires_grad_(), weights(3, 13, columns, dtype).requires_grad_()
        out = ops.sparse_conv(x.with_feats(feats), kernel, backend=backend).feats
        found.append([out, *torch.autograd.grad(out.square().sum(), (feats, kernel))])
    for ours, reference in zip(*found, strict=True):
        scale = float(reference.detach().abs().max())
        torch.testing.assert_close(ours, reference, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("n", [0, 1, 50, 6000])
@pytest.mark.parametrize(("size", "stride"), [(3, 1), (2, 2), (1, 1)])
def test_backends_find_the_same_neighbours(size: int, stride: int, n: int) -> None:
    grid = random_grid(n, high=14, low=-14, seed=2)
    offsets = kernel_offsets((size, size, size), (1, 1, 1))
    keys = grid.sorted_keys_with(grid.strided(stride), offsets)
    ours, reference = (MATCH_KEYS.pick(grid.device, backend)(*keys, 256, 64) for backend in BACKENDS)
    for name in ("places_in", "places_out", "runs_in", "runs_out"):
        assert torch.equal(getattr(ours, name), getattr(reference, name)), name


def test_a_kernel_of_another_dtype_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"features are torch\.float64, the kernel is torch\.float32"):
        ops.sparse_conv(random_tensor(5, 2), weights(3, 2, 3, torch.float32))


def test_kernel_maps_are_made_once() -> None:
    x = random_tensor(20, 2)
    arguments = (x.grid, x.grid.strided(2), (3, 3, 3), (1, 1, 1))
    assert convolution_map(*arguments) is convolution_map(*arguments)
    assert ops.generated(x.grid.strided(2), 3, 2) is ops.generated(x.grid.strided(2), 3, 2)


def test_grids_are_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        x = random_tensor(20, 2)
        x.feats.requires_grad_()
        y = ops.sparse_conv(ops.sparse_conv(x, weights(3, 2, 2)), weights(3, 2, 2), stride=2)
        z = ops.sparse_conv_transpose(y, weights(3, 2, 2), kernel_size=3, stride=2, onto=x.grid)
        z.feats.sum().backward()
        watched = [weakref.ref(x.grid), weakref.ref(y.grid)]
        del x, y, z
        assert [w() for w in watched] == [None, None]
    finally:
        gc.enable()


def test_two_python_threads_convolve_at_once() -> None:
    x, kernel = random_tensor(500, 8), weights(3, 8, 8)
    expected = ops.sparse_conv(x, kernel, backend="numba").feats

    def run(number: int) -> Tensor:
        y = SparseTensor(VoxelGrid(x.grid.coords), x.feats)
        return ops.sparse_conv(y, kernel, backend="numba").feats

    with ThreadPoolExecutor(2) as pool:
        assert all(torch.equal(found, expected) for found in pool.map(run, range(16)))


def test_a_kernel_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeMismatch, match=r"shape \(27, 2, out\), got \(8, 2, 3\)"):
        ops.sparse_conv(random_tensor(5, 2), weights(2, 2, 3), kernel_size=3)


def test_strides_that_do_not_fit_are_refused() -> None:
    x = random_tensor(5, 2, stride=2)
    with pytest.raises(InvalidInput, match="cannot be divided by"):
        ops.sparse_conv_transpose(x, weights(3, 2, 2), kernel_size=3, stride=3)
    with pytest.raises(InvalidInput, match="the grid to land on has"):
        ops.sparse_conv_transpose(x, weights(3, 2, 2), kernel_size=3, stride=2, onto=x.grid)
    with pytest.raises(InvalidInput, match="the grid to land on has"):
        ops.pool_transpose(x, kernel_size=2, stride=2, onto=x.grid)
