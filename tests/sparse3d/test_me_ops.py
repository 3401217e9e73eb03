"""Operations of MinkowskiEngine as it performed them, values and gradients; rows are compared by coordinate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.layers import SparseBatchNorm, SparseInstanceNorm
from trisparse.sparse3d.ops import (
    avg_pool,
    interpolate,
    max_pool,
    pool_transpose,
    prune,
    sparse_conv,
    sparse_conv_transpose,
    sum_pool,
)
from trisparse.sparse3d.set_ops import (
    broadcast,
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
from trisparse.sparse3d.voxelize import voxelize

COMMITTED = Path(__file__).with_name("me_ops")
TOLERANCE = {"quant_unweighted_average": 1e-7, "tensorfield": 1e-6}
"""The original computes these in float32, or divides by float32 counts."""

CONVOLUTIONS: dict[str, dict[str, object]] = {
    "conv_k3s1": {"kernel_size": 3},
    "conv_k3s1_bias": {"kernel_size": 3},
    "conv_k3s2": {"kernel_size": 3, "stride": 2},
    "conv_k2s2": {"kernel_size": 2, "stride": 2},
    "conv_k2s1": {"kernel_size": 2},
    "conv_k1s1": {"kernel_size": 1},
    "conv_k1s1_bias": {"kernel_size": 1},
    "conv_k1s2": {"kernel_size": 1, "stride": 2},
    "conv_k3s1_d2": {"kernel_size": 3, "dilation": 2},
    "conv_k3s2_d2": {"kernel_size": 3, "stride": 2, "dilation": 2},
    "conv_k5s1": {"kernel_size": 5},
    "conv_aniso": {"kernel_size": (3, 1, 2), "stride": (1, 2, 1)},
    "conv_k3s3": {"kernel_size": 3, "stride": 3},
    "conv_ts2_k3s1": {"kernel_size": 3},
    "conv_ts4_k3s2": {"kernel_size": 3, "stride": 2},
    "conv_k3s1_on_coords": {"kernel_size": 3},
    "conv_k3s1_expand": {"kernel_size": 3, "expand": True},
    "conv_k3s2_expand": {"kernel_size": 3, "stride": 2, "expand": True},
}
TRANSPOSED = [
    "convT_k2s2_unet",
    "convT_k3s2_unet",
    "convT_k3s2_nomap",
    "genconvT_k2s2",
    "genconvT_k3s2",
    "genconvT_k3s2_unet",
]
POOLS = ["maxpool_k2s2", "maxpool_k3s2", "maxpool_k3s1", "avgpool_k2s2", "avgpool_k3s2", "sumpool_k2s2", "sumpool_k3s2"]
OTHERS = [
    "maxpool_ties globalmaxpool globalavgpool globalsumpool poolT_k2s2 pruning union binary_add_unequal binary_sub_unequal",
    "binary_mul_unequal batchnorm instancenorm interp_ts1 interp_ts4 features_at_int_ts1 features_at_int_ts4",
    "quant_random_subsample quant_unweighted_average quant_unweighted_sum quant_float_coords batch_sparse_collate",
    "sparse_quantize tensorfield_random_subsample tensorfield_unweighted_average tensorfield_unweighted_sum",
    "broadcast broadcast_add broadcast_mul broadcast_cat",
]
NAMES = [*CONVOLUTIONS, *TRANSPOSED, *POOLS, *" ".join(OTHERS).split()]


class Case:
    """Arrays of a recorded case, and comparisons with them."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.tolerance = next((t for start, t in TOLERANCE.items() if name.startswith(start)), 1e-10)
        with np.load(path) as file:
            self.arrays = {key: torch.from_numpy(file[key]) for key in file.files}

    def __getitem__(self, key: str) -> Tensor:
        return self.arrays[key]

    def stride(self) -> tuple[int, int, int]:
        x, y, z = self.arrays.get("in_stride", torch.ones(3)).tolist()
        return int(x), int(y), int(z)

    def input(
        self, coords: str = "in_C", feats: str = "in_F", stride: tuple[int, int, int] | None = None
    ) -> SparseTensor:
        leaf = self[feats].clone().requires_grad_()
        return SparseTensor(VoxelGrid(self[coords], self.stride() if stride is None else stride), leaf)

    def same(self, ours: Tensor, name: str) -> None:
        torch.testing.assert_close(ours, self[name].to(ours.dtype), atol=self.tolerance, rtol=self.tolerance)

    def same_rows(self, coords: Tensor, feats: Tensor) -> None:
        """Compares values by coordinate, then sends the recorded gradient back."""
        place = {tuple(row): i for i, row in enumerate(self["out_C"].tolist())}
        assert len(place) == len(coords)
        rows = torch.tensor([place[tuple(row)] for row in coords.tolist()])
        expected = self["out_F"][rows]
        torch.testing.assert_close(feats, expected, atol=self.tolerance, rtol=self.tolerance)
        if "grad_out" in self.arrays:
            feats.backward(self["grad_out"][rows])


def _convolution(case: Case, backend: str) -> None:
    x, kernel = case.input(), case["kernel"].clone().requires_grad_()
    bias = case["bias"].clone().requires_grad_() if "bias" in case.arrays else None
    options = CONVOLUTIONS[case.name]
    onto = VoxelGrid(case["out_C"]) if case.name == "conv_k3s1_on_coords" else None
    out = sparse_conv(x, kernel, bias=bias, onto=onto, backend=backend, **options)  # type: ignore[arg-type]
    case.same_rows(out.grid.coords, out.feats)
    assert x.feats.grad is not None
    assert kernel.grad is not None
    case.same(x.feats.grad, "grad_in")
    case.same(kernel.grad, "grad_kernel")
    if bias is not None:
        assert bias.grad is not None
        case.same(bias.grad, "grad_bias")


def _transposed(case: Case, backend: str) -> None:
    size = 2 if "k2" in case.name else 3
    x, kernel = case.input(), case["kernel"].clone().requires_grad_()
    onto = VoxelGrid(case["fine_C"]) if case.name.startswith("convT") and "fine_C" in case.arrays else None
    out = sparse_conv_transpose(x, kernel, kernel_size=size, stride=2, onto=onto, backend=backend)
    case.same_rows(out.grid.coords, out.feats)
    assert x.feats.grad is not None
    assert kernel.grad is not None
    case.same(x.feats.grad, "grad_in")
    case.same(kernel.grad, "grad_kernel")


def _pool(case: Case) -> None:
    pool = {"max": max_pool, "avg": avg_pool, "sum": sum_pool}[case.name[:3]]
    x = case.input()
    out = pool(x, kernel_size=int(case.name[-3]), stride=int(case.name[-1]))
    case.same_rows(out.grid.coords, out.feats)
    assert x.feats.grad is not None
    case.same(x.feats.grad, "grad_in")


def _maxpool_ties(case: Case) -> None:
    x = case.input()
    out = max_pool(x, kernel_size=2, stride=2)
    case.same(out.feats.detach(), "out_F")
    out.feats.sum().backward()
    assert x.feats.grad is not None
    assert x.feats.grad.flatten().tolist() == [1, 0, 0, 0], (
        "the first of the tied rows; the original picked another of them"
    )
    assert sorted(x.feats.grad.flatten().tolist()) == sorted(case["grad_in"].flatten().tolist())


def _global_pool(case: Case) -> None:
    x = case.input()
    out = global_pool(x, case.name[6:9])  # type: ignore[arg-type]
    case.same_rows(case["out_C"].sort(0).values, out)
    assert x.feats.grad is not None
    case.same(x.feats.grad, "grad_in")


def _pool_transpose(case: Case) -> None:
    fine = VoxelGrid(case["fine_C"])
    x = SparseTensor(VoxelGrid(case["in_C"], (2, 2, 2)), case["in_F"])
    out = pool_transpose(x, kernel_size=2, stride=2, onto=fine)
    case.same_rows(out.grid.coords, out.feats)


def _pruning(case: Case) -> None:
    x = case.input()
    out = prune(x, case["keep"])
    case.same_rows(out.grid.coords, out.feats)
    assert x.feats.grad is not None
    case.same(x.feats.grad, "grad_in")


def _binary(case: Case) -> None:
    a, b = case.input("A_C", "A_F"), case.input("B_C", "B_F")
    operation: Callable[[SparseTensor, SparseTensor], SparseTensor] = {
        "union": lambda a, b: union([a, b]),
        "binary_add_unequal": union_add,
        "binary_sub_unequal": union_sub,
        "binary_mul_unequal": union_mul,
    }[case.name]
    out = operation(a, b)
    case.same_rows(out.grid.coords, out.feats)
    assert a.feats.grad is not None
    assert b.feats.grad is not None
    case.same(a.feats.grad, "grad_A")
    case.same(b.feats.grad, "grad_B")


def _batchnorm(case: Case) -> None:
    layer = SparseBatchNorm(6, eps=float(case["eps"]), momentum=float(case["momentum"])).double()
    layer.load_state_dict(
        {
            "bn.weight": case["weight"],
            "bn.bias": case["bias"],
            "bn.running_mean": case["running_mean0"],
            "bn.running_var": case["running_var0"],
            "bn.num_batches_tracked": torch.tensor(0),
        }
    )
    x = case.input()
    case.same(layer.eval()(x).feats, "out_eval_F")
    out = layer.train()(x)
    case.same(out.feats, "out_train_F")
    out.feats.backward(case["grad_out"])
    for ours, name in (
        (layer.bn.running_mean, "running_mean1"),
        (layer.bn.running_var, "running_var1"),
        (x.feats.grad, "grad_in"),
        (layer.bn.weight.grad, "grad_weight"),
        (layer.bn.bias.grad, "grad_bias"),
    ):
        assert ours is not None
        case.same(ours, name)


def _instancenorm(case: Case) -> None:
    layer = SparseInstanceNorm(6).double()
    layer.load_state_dict({"weight": case["weight"], "bias": case["bias"]})
    x = case.input()
    out = layer(x)
    case.same(out.feats, "out_F")
    out.feats.backward(case["grad_out"])
    assert x.feats.grad is not None
    case.same(x.feats.grad, "grad_in")


def _interpolation(case: Case) -> None:
    x = case.input()
    out = interpolate(x, case["query"])
    case.same(out, "out_F")
    out.backward(case["grad_out"])
    assert x.feats.grad is not None
    case.same(x.feats.grad, "grad_in")


def _quantisation(case: Case) -> None:
    reduce = "sum" if case.name.endswith("sum") else "mean" if case.name.endswith("average") else "first"
    points, feats = case["points"], case["in_F"].clone().requires_grad_()
    voxels = voxelize(points[:, 1:], feats, voxel_size=1.0, batch=points[:, 0].long(), reduce=reduce)
    coords = voxels.tensor.grid.coords
    torch.testing.assert_close(coords, case["out_C"], atol=0, rtol=0, msg="rows in the order of first occurrence")
    case.same(voxels.tensor.feats, "out_F")
    if "unique_index" in case.arrays:
        assert torch.equal(voxels.first_point, case["unique_index"])
        assert torch.equal(voxels.voxel_of_point, case["inverse_mapping"])
        voxels.tensor.feats.backward(case["grad_out"])
        assert feats.grad is not None
        case.same(feats.grad, "grad_in")
    if case.name == "tensorfield_unweighted_sum":
        case.same(interpolate(voxels.tensor, points), "back_F")
    elif "back_F" in case.arrays:
        case.same(voxels.tensor.feats[voxels.voxel_of_point], "back_F")


def _collate(case: Case) -> None:
    points = case["points"]
    voxels = voxelize(points[:, 1:], case["in_F"], voxel_size=1.0, batch=points[:, 0].long())
    ours = torch.cat([voxels.tensor.grid.coords[voxels.voxel_of_point], case["in_F"]], 1).double()
    theirs = torch.cat([case["out_C"], case["out_F"]], 1).double()
    assert torch.equal(ours[np.lexsort(ours.numpy().T)], theirs[np.lexsort(theirs.numpy().T)])


def _sparse_quantize(case: Case) -> None:
    voxels = voxelize(case["coords"], case["in_F"], voxel_size=0.5)
    coords = voxels.tensor.grid.coords[:, 1:]
    order, theirs = np.lexsort(coords.numpy().T), np.lexsort(case["out_C"].numpy().T)
    assert torch.equal(coords[order], case["out_C"][theirs])
    assert torch.equal(voxels.tensor.feats[order], case["out_F"][theirs])
    assert torch.equal(voxels.first_point[order], case["index"][theirs])


def _broadcast(case: Case) -> None:
    x, rows = SparseTensor(VoxelGrid(case["in_C"]), case["in_F"]), case["glob_F"][case["glob_C"][:, 0].argsort()]
    ours = {
        "broadcast": lambda: broadcast(x, rows),
        "broadcast_add": lambda: broadcast_add(x, rows).feats,
        "broadcast_mul": lambda: broadcast_mul(x, rows).feats,
        "broadcast_cat": lambda: broadcast_cat(x, rows).feats,
    }[case.name]()
    case.same_rows(x.grid.coords, ours)


def _check(case: Case) -> None:
    starts: list[tuple[str, Callable[[Case], None]]] = [
        ("maxpool_ties", _maxpool_ties),
        ("global", _global_pool),
        ("poolT", _pool_transpose),
        ("pruning", _pruning),
        ("union", _binary),
        ("binary", _binary),
        ("batchnorm", _batchnorm),
        ("instancenorm", _instancenorm),
        ("interp", _interpolation),
        ("features_at", _interpolation),
        ("batch_sparse_collate", _collate),
        ("sparse_quantize", _sparse_quantize),
        ("quant", _quantisation),
        ("tensorfield", _quantisation),
        ("broadcast", _broadcast),
        ("", _pool),
    ]
    next(check for start, check in starts if case.name.startswith(start))(case)


@pytest.mark.parametrize("name", NAMES)
def test_recorded_case(name: str, request: pytest.FixtureRequest) -> None:
    path = COMMITTED / f"{name}.npz"
    if not path.is_file():
        path = request.getfixturevalue("shared") / "oracles" / "me_ops" / f"{name}.npz"
    for backend in ("torch", "numba") if "conv" in name else ("torch",):
        case = Case(name, path)
        if name in CONVOLUTIONS:
            _convolution(case, backend)
        elif name in TRANSPOSED:
            _transposed(case, backend)
        else:
            _check(case)


def test_all_sixty_cases_are_named() -> None:
    assert len(NAMES) == len(set(NAMES)) == 60
