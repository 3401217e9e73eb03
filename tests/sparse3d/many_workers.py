"""Voxels, kernel maps and convolutions in several threads or worker processes at once, for test_many_workers.py; a program.

python many_workers.py threads                    each thread on scenes of its own, then all on one
python many_workers.py loader spawn|forkserver    a DataLoader's workers, after this process has run compiled loops
Prints one line a scene and way: the hash of everything that was computed.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from trisparse.sparse3d.kernel_map import convolution_map
from trisparse.sparse3d.ops import max_pool, sparse_conv, sparse_conv_transpose
from trisparse.sparse3d.tensor import SparseTensor
from trisparse.sparse3d.voxelize import voxelize

SCENES, THREADS = 6, 4


def scene(number: int) -> SparseTensor:
    """Voxels of some thousand points on a floor and two walls."""
    generator = torch.Generator().manual_seed(number)
    points = torch.rand(4000, 3, generator=generator) * torch.tensor([4.0, 4.0, 2.5])
    side = torch.randint(0, 3, (4000,), generator=generator)
    points[torch.arange(4000), side] = 0.01
    feats = torch.randn(4000, 8, generator=generator)
    return voxelize(points, feats, voxel_size=0.05, reduce="mean").tensor


def results(x: SparseTensor, number: int) -> list[Tensor]:
    """Kernel maps, a small network's output and gradients."""
    generator = torch.Generator().manual_seed(100 + number)
    kernels = [torch.randn(k, 8, 8, generator=generator).requires_grad_() for k in (27, 8, 27, 8)]
    feats = x.feats.detach().clone().requires_grad_()
    a = sparse_conv(SparseTensor(x.grid, feats), kernels[0], backend="numba")
    b = sparse_conv(a, kernels[1], kernel_size=2, stride=2, backend="numba")
    c = sparse_conv(max_pool(b, kernel_size=2, stride=2), kernels[2], backend="numba")
    d = sparse_conv_transpose(b, kernels[3], kernel_size=2, stride=2, onto=x.grid, backend="numba")
    (c.feats.square().mean() + d.feats.square().mean()).backward()
    maps = [
        convolution_map(x.grid, x.grid, (3, 3, 3), (1, 1, 1)),
        convolution_map(a.grid, b.grid, (2, 2, 2), (1, 1, 1)),
    ]
    rows = [part for taps in maps for part in (taps.rows_in, taps.rows_out)]
    gradients = [t.grad for t in (feats, *kernels) if t.grad is not None]
    assert len(gradients) == 5
    return [x.grid.coords, *rows, *(t.feats.detach() for t in (a, b, c, d)), *gradients]


def digest(parts: list[Tensor]) -> str:
    """Of the bytes."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.contiguous().numpy().tobytes())
    return total.hexdigest()[:16]


class Scenes(Dataset):
    """Each item is computed where it is asked for."""

    def __len__(self) -> int:
        return SCENES

    def __getitem__(self, number: int) -> tuple[int, list[Tensor]]:
        return number, results(scene(number), number)


def threads() -> None:
    """Alone, then at once."""
    for number in range(SCENES):
        print("alone", number, digest(results(scene(number), number)))
    gate = threading.Barrier(THREADS)

    def own(number: int) -> str:
        gate.wait()
        return f"own {number % SCENES} {digest(results(scene(number % SCENES), number % SCENES))}"

    shared = [scene(0) for _ in range(6)]

    def common(number: int) -> str:
        gate.wait()
        return f"shared 0 {digest(results(shared[number // THREADS], 0))}"

    with ThreadPoolExecutor(THREADS) as pool:
        for line in (*pool.map(own, range(24)), *pool.map(common, range(6 * THREADS))):
            print(line)


def loader(method: str) -> None:
    """In this process, then in two workers."""
    for number in range(SCENES):
        print("alone", number, digest(results(scene(number), number)))
    loaded = DataLoader(Scenes(), batch_size=None, num_workers=2, multiprocessing_context=method)
    for number, parts in loaded:
        print(method, number, digest(parts))


if __name__ == "__main__":
    torch.set_num_threads(2 if sys.argv[1] == "threads" else 1)
    threads() if sys.argv[1] == "threads" else loader(sys.argv[2])
