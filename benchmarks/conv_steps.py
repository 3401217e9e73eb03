"""What each step towards the present convolution gives: a submanifold 3x3x3 convolution, forward, written in several ways.

    python benchmarks/conv_steps.py [--voxels 100000] [--channels 64 128] [--threads 2] [--repeats 5]

All take turns on the same voxels of furnished rooms (see sparse_conv.py); ratios are of medians. Kernel maps are made
beforehand.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
from machine import describe, median_in_turns
from sparse_conv import SIZE, STEP, plain_loop, room
from torch import Tensor
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.kernel_map import KernelMap, convolution_map
from trisparse.sparse3d.ops import sparse_conv
from trisparse.sparse3d.tensor import SparseTensor

BLOCK = 2048
"""Output rows whose inputs and sums should stay in the second-level cache."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Voxels in some order, features, and the kernel map."""

    grid: VoxelGrid
    feats: Tensor
    taps: KernelMap

    @classmethod
    def of(cls, grid: VoxelGrid, feats: Tensor) -> Scene:
        """With a fresh map."""
        return cls(grid, feats, convolution_map(grid, grid, SIZE, STEP))

    def reordered(self, order: Tensor) -> Scene:
        """The same voxels, rows in another order."""
        return Scene.of(VoxelGrid(self.grid.coords[order], STEP), self.feats[order].contiguous())


def morton(coords: Tensor) -> Tensor:
    """Order of voxels along Morton's curve."""
    xyz = (coords[:, 1:] - coords[:, 1:].min(0).values).long()
    code = torch.zeros(len(xyz), dtype=torch.int64)
    for bit in range(20):
        for axis in range(3):
            code |= ((xyz[:, axis] >> bit) & 1) << (3 * bit + axis)
    return torch.argsort(code)


def neighbours(taps: KernelMap) -> Tensor:
    """For each output row and tap the input row; the row behind the last where there is none."""
    table = torch.full((taps.n_out, len(taps.pairs)), taps.n_in)
    for tap, (i, o) in enumerate(taps.pairs):
        table[o, tap] = i
    return table


def plain(scene: Scene, kernel: Tensor) -> Callable[[], Tensor]:
    """Tap by tap over all rows: gather, multiply, add."""
    return lambda: plain_loop(scene.feats, kernel, scene.taps)


def blocks(scene: Scene, kernel: Tensor) -> Callable[[], Tensor]:
    """The same for a block of output rows after the other; needs rows that follow the coordinates."""
    out_rows = torch.arange(0, scene.taps.n_out + BLOCK, BLOCK).clamp(max=scene.taps.n_out)
    cuts = [torch.searchsorted(o, out_rows).tolist() for _, o in scene.taps.pairs]

    def run() -> Tensor:
        out = scene.feats.new_zeros(scene.taps.n_out, kernel.shape[2])
        for number in range(len(out_rows) - 1):
            for weight, (i, o), cut in zip(kernel, scene.taps.pairs, cuts, strict=True):
                part = slice(cut[number], cut[number + 1])
                out.index_add_(0, o[part], scene.feats.index_select(0, i[part]) @ weight)
        return out

    return run


def one_product(scene: Scene, kernel: Tensor) -> Callable[[], Tensor]:
    """A block's neighbours side by side, zeros for missing ones, and all taps in one matrix product."""
    table, weights = neighbours(scene.taps), kernel.flatten(0, 1)

    def run() -> Tensor:
        padded = torch.cat([scene.feats, scene.feats.new_zeros(1, scene.feats.shape[1])])
        out = scene.feats.new_empty(scene.taps.n_out, kernel.shape[2])
        for start in range(0, len(out), BLOCK):
            rows = table[start : start + BLOCK]
            gathered = padded.index_select(0, rows.flatten()).view(len(rows), -1)
            torch.mm(gathered, weights, out=out[start : start + BLOCK])
        return out

    return run


def ours(scene: Scene, kernel: Tensor) -> Callable[[], Tensor]:
    """Sums in registers, no gathered copy."""
    return lambda: sparse_conv(SparseTensor(scene.grid, scene.feats), kernel).feats


def half(make: Callable[[Scene, Tensor], Callable[[], Tensor]]) -> Callable[[Scene, Tensor], Callable[[], Tensor]]:
    """The same in bfloat16."""
    return lambda scene, kernel: make(Scene(scene.grid, scene.feats.bfloat16(), scene.taps), kernel.bfloat16())


def measure(voxels: int, channels: int, repeats: int) -> dict[str, float]:
    """Median seconds of each step."""
    grid = room(voxels)
    kernel = torch.randn(27, channels, channels) / (27 * channels) ** 0.5
    shuffled = Scene.of(grid, torch.randn(len(grid), channels))
    ordered, curved = shuffled.reordered(grid.order), shuffled.reordered(morton(grid.coords))
    steps = {
        "plain loop over the taps, rows shuffled": plain(shuffled, kernel),
        "plain loop, rows in the order of x, y, z": plain(ordered, kernel),
        "plain loop, rows along Morton's curve": plain(curved, kernel),
        f"blocks of {BLOCK} output rows, tap by tap": blocks(ordered, kernel),
        f"blocks of {BLOCK} output rows, all 27 taps in one product": one_product(ordered, kernel),
        "the same along Morton's curve": one_product(curved, kernel),
        "plain loop in bfloat16": half(plain)(ordered, kernel),
        "blocks, one product, in bfloat16": half(one_product)(ordered, kernel),
        "sums in registers, rows shuffled (trisparse)": ours(shuffled, kernel),
        "sums in registers, rows in the order of x, y, z": ours(ordered, kernel),
        "sums in registers, rows along Morton's curve": ours(curved, kernel),
    }
    with torch.no_grad():
        return median_in_turns(steps, repeats=repeats)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxels", type=int, default=100_000)
    parser.add_argument("--channels", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(describe(), "", sep="\n")
    found = [measure(options.voxels, channels, options.repeats) for channels in options.channels]
    heads = "".join(f" {channels} channels (ms) | ratio |" for channels in options.channels)
    print(f"| {options.voxels} voxels, forward |{heads}\n|---|{'---|---|' * len(found)}")
    for step in found[0]:
        cells = "".join(f" {1000 * f[step]:.0f} | {f[step] / next(iter(f.values())):.2f} |" for f in found)
        print(f"| {step} |{cells}")


if __name__ == "__main__":
    main()
