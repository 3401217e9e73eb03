"""Submanifold 3x3x3 convolution on the surfaces of furnished rooms, beside the plain gather-multiply-scatter loop and spconv.

    python benchmarks/sparse_conv.py [--voxels 10000 100000 500000] [--channels 64 128] [--threads 2] [--repeats 5]
                                     [--spconv FOLDER]
    python benchmarks/sparse_conv.py --device cuda [--voxels ...] [--channels ...] [--repeats 5] [--spconv FOLDER]

Rows of the scene are shuffled. Ours and the plain loop take turns in one process: what disturbs the machine disturbs both;
ratios are of their medians. spconv has a process of its own with one thread, because its CPU path is wrong with more; FOLDER is
where pip put it (``pip install --target FOLDER spconv``). Peak memory is what the process grew by above its size with the input
and the kernel map in place.

On a GPU every backend that runs there takes turns, and spconv where it is installed, in each precision; "search" is the search
for neighbours alone, "tiles" the making of the table that Triton's convolution reads.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from machine import describe, median_in_turns
from torch import Tensor
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.kernel_map import MATCH_KEYS, KernelMap, convolution_map, kernel_offsets
from trisparse.sparse3d.neighbour_table import NeighbourTable
from trisparse.sparse3d.ops import CONVOLVE, sparse_conv
from trisparse.sparse3d.tensor import SparseTensor

SIZE = (3, 3, 3)
STEP = (1, 1, 1)


def room(voxels: int, seed: int = 0) -> VoxelGrid:
    """Floor, walls and boxes of a room, a little rough, as that many voxels in random order."""
    generator = torch.Generator().manual_seed(seed)
    scale = (max(voxels, SMALLEST_ROOM) / 6.0) ** 0.5
    parts: list[Tensor] = []
    parts.append(_face(scale, scale, 2, (0, 0, 0), generator))
    parts.append(_face(scale, 0.5 * scale, 1, (0, 0, 0), generator))
    parts.append(_face(scale, 0.5 * scale, 0, (0, 0, 0), generator))
    while sum(len(part) for part in parts) < 3 * max(voxels, SMALLEST_ROOM):
        corner = (torch.rand(3, generator=generator) * torch.tensor([0.8, 0.8, 0.3]) * scale).tolist()
        a, b, c = ((0.1 + 0.25 * torch.rand(3, generator=generator)) * scale).tolist()
        for axis, (u, v), height in ((2, (a, b), c), (1, (a, c), b), (0, (b, c), a)):
            for side in (0.0, height):
                start = [corner[k] + (side if k == axis else 0.0) for k in range(3)]
                parts.append(_face(u, v, axis, (start[0], start[1], start[2]), generator))
    found = torch.unique(torch.cat(parts), dim=0)
    # The most compact part of what there is: a corner of the room, cut so that exactly the wanted number is left.
    near = torch.argsort(found.double().square().sum(1), stable=True)[:voxels]
    xyz = found[near][torch.randperm(min(voxels, len(near)), generator=generator)]
    return VoxelGrid(torch.cat([torch.zeros(len(xyz), 1, dtype=torch.int64), xyz], 1).int())


SMALLEST_ROOM = 100_000
"""Voxels of the smallest room that is furnished; fewer are a corner of it, so that surfaces meet as often as in a large one."""

ROUGHNESS = 0.55
"""Standard deviation of a surface's height in voxels; with it 13 to 14 of the 27 neighbours are there."""


def _face(u: float, v: float, axis: int, corner: tuple[float, float, float], generator: torch.Generator) -> Tensor:
    """Points of a rough rectangle across an axis, twice as dense as the voxels, as voxel coordinates."""
    a, b = torch.meshgrid(torch.arange(0, u, 0.7), torch.arange(0, v, 0.7), indexing="ij")
    height = ROUGHNESS * torch.randn(a.shape, generator=generator)
    columns = {2: (a, b, height), 1: (a, height, b), 0: (height, a, b)}[axis]
    points = torch.stack([column.reshape(-1) for column in columns], 1) + torch.tensor(corner)
    return torch.floor(points).long()


def plain_loop(feats: Tensor, kernel: Tensor, taps: KernelMap) -> Tensor:
    """What anybody would write first."""
    out = feats.new_zeros(taps.n_out, kernel.shape[2])
    for weight, (i, o) in zip(kernel, taps.pairs, strict=True):
        out.index_add_(0, o, feats.index_select(0, i) @ weight)
    return out


def _ours(grid: VoxelGrid, kernel: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda feats: sparse_conv(SparseTensor(grid, feats), kernel).feats


def _plain(grid: VoxelGrid, kernel: Tensor) -> Callable[[Tensor], Tensor]:
    taps = convolution_map(grid, grid, SIZE, STEP)
    return lambda feats: plain_loop(feats, kernel, taps)


def _spconv(grid: VoxelGrid, kernel: Tensor) -> Callable[[Tensor], Tensor]:
    spconv = importlib.import_module("spconv.pytorch")
    layer = spconv.SubMConv3d(kernel.shape[1], kernel.shape[2], 3, bias=False, indice_key="k").to(kernel)
    low = grid.coords.min(0).values
    shape = (grid.coords.max(0).values - low + 1)[1:].tolist()
    coords = (grid.coords - low).contiguous()
    first = layer(spconv.SparseConvTensor(kernel.new_zeros(len(grid), kernel.shape[1]), coords, shape, 1))

    def run(feats: Tensor) -> Tensor:
        x = spconv.SparseConvTensor(feats, coords, shape, 1)
        x.indice_dict = first.indice_dict
        return layer(x).features

    return run


def _spconv_map(grid: VoxelGrid) -> Callable[[], object]:
    ops, core = importlib.import_module("spconv.pytorch.ops"), importlib.import_module("spconv.core")
    low = grid.coords.min(0).values
    shape = (grid.coords.max(0).values - low + 1)[1:].tolist()
    coords, one = (grid.coords - low).contiguous(), [1, 1, 1]
    native, none = core.ConvAlgo.Native, [0, 0, 0]
    return lambda: ops.get_indice_pairs(coords, 1, shape, native, list(SIZE), one, one, one, none, subm=True)


MAKERS = {"trisparse": _ours, "plain loop": _plain, "spconv": _spconv}


def _memory_megabytes(field: str) -> float:
    """A line of /proc/self/status: VmRSS is the size now, VmHWM the greatest since it was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def _size_now() -> float:
    """Size of this process (MB); its peak is counted anew from here."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory_megabytes("VmRSS")


def measure(names: list[str], voxels: int, channels: int, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds and memory of some implementations, taking turns in this process."""
    grid = room(voxels)
    taps = convolution_map(grid, grid, SIZE, STEP)
    feats = torch.randn(len(grid), channels)
    kernel = (torch.randn(27, channels, channels) / (27 * channels) ** 0.5).requires_grad_()
    leaf, grad = feats.clone().requires_grad_(), torch.randn(len(grid), channels)
    neighbours = sum(len(i) for i, _ in taps.pairs) / max(1, len(grid))
    found: dict[str, dict[str, float]] = {name: {"voxels": len(grid), "neighbours": neighbours} for name in names}
    forwards, boths = {}, {}
    for name in names:
        run = MAKERS[name](grid, kernel)
        forwards[name] = _without_gradient(run, feats)
        boths[name] = lambda run=run: run(leaf).backward(grad)
        found[name]["peak_forward"] = _growth(forwards[name])
        # spconv's backward pass asks for a CUDA stream and fails without one.
        found[name]["peak"] = float("nan") if name == "spconv" else _growth(boths[name])
    for key, jobs in (("forward", forwards), ("both", {n: job for n, job in boths.items() if n != "spconv"})):
        for name, seconds in median_in_turns(jobs, repeats=repeats).items():
            found[name][key] = seconds
    for name in names:
        found[name].setdefault("both", float("nan"))
    maps: dict[str, Callable[[], object]] = {"trisparse": lambda: _fresh_map(grid)}
    if "spconv" in names:
        maps["spconv"] = _spconv_map(grid)
    for name, seconds in median_in_turns(maps, repeats=repeats).items():
        found.setdefault(name, {})["map"] = seconds
    return found


def _without_gradient(run: Callable[[Tensor], Tensor], feats: Tensor) -> Callable[[], Tensor]:
    def job() -> Tensor:
        with torch.no_grad():
            return run(feats)

    return job


def _growth(job: Callable[[], object]) -> float:
    """Megabytes by which this process grows at most while a job runs (for the second time: code is loaded by then)."""
    job()
    before = _size_now()
    job()
    return _memory_megabytes("VmHWM") - before


def _fresh_map(grid: VoxelGrid) -> KernelMap:
    fresh = VoxelGrid.unchecked(grid.coords, STEP)
    return convolution_map(fresh, fresh, SIZE, STEP)


def _apart(
    names: list[str], voxels: int, channels: int, options: argparse.Namespace
) -> dict[str, dict[str, float]] | str:
    """Measure in a process of its own; the last line of its complaint where it fails."""
    threads = 1 if "spconv" in names else options.threads
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), NUMBA_NUM_THREADS=str(threads))
    command = [sys.executable, __file__, "--threads", str(threads), "--repeats", str(options.repeats)]
    command += ["--only", *names, "--voxels", str(voxels), "--channels", str(channels)]
    command += ["--spconv", str(options.spconv)] if options.spconv else []
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return lines[-1] if lines else f"ended with status {done.returncode}"
    return json.loads(done.stdout.splitlines()[-1])


def _table(options: argparse.Namespace) -> None:
    print(describe())
    print("| voxels | channels | what | forward (ms) | ratio | with backward (ms) | ratio | map (ms) | peak (MB) |")
    print("|---|---|---|---|---|---|---|---|---|")
    per_voxel: dict[tuple[int, int], list[float]] = {}
    for voxels in options.voxels:
        neighbours = 0.0
        for channels in options.channels:
            rows = _apart(["plain loop", "trisparse"], voxels, channels, options)
            if isinstance(rows, str):
                raise SystemExit(f"the measurement failed: {rows}")
            beside = _apart(["spconv"], voxels, channels, options)
            rows |= {} if isinstance(beside, str) else {"spconv": beside["spconv"]}
            per_voxel[voxels, channels] = [rows["trisparse"][key] / voxels for key in ("forward", "both")]
            plain, neighbours = rows["plain loop"], rows["plain loop"]["neighbours"]
            for what, found in rows.items():
                ratios = [found[key] / plain[key] for key in ("forward", "both")]
                made = f"{1000 * found['map']:.1f}" if "map" in found else ""
                print(
                    f"| {voxels} | {channels} | {what} | {1000 * found['forward']:.1f} | {ratios[0]:.2f} "
                    f"| {1000 * found['both']:.1f} | {ratios[1]:.2f} | {made} "
                    f"| {found['peak_forward']:.0f} / {found['peak']:.0f} |",
                    flush=True,
                )
            if isinstance(beside, str):
                print(f"<!-- spconv was not measured: {beside} -->")
            else:
                maps = [1000 * beside[name]["map"] for name in ("trisparse", "spconv")]
                print(
                    f"<!-- kernel map, one thread each: {maps[0]:.1f} and {maps[1]:.1f} ms, {maps[0] / maps[1]:.2f} x -->"
                )
        print(f"<!-- {voxels} voxels: {neighbours:.2f} of 27 neighbours present -->")
    for fewer, more in pairwise(options.voxels):
        for channels in options.channels:
            pairs = zip(per_voxel[more, channels], per_voxel[fewer, channels], strict=True)
            growth = " and ".join(f"{a / b:.2f}" for a, b in pairs)
            print(
                f"<!-- {channels} channels: a voxel of {more} takes {growth} x as long as one of {fewer} (with backward) -->"
            )


PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def _finished(job: Callable[[], object]) -> Callable[[], None]:
    """The job, until the GPU is done with it."""

    def run() -> None:
        job()
        torch.cuda.synchronize()

    return run


def _backend(grid: VoxelGrid, kernel: Tensor, backend: str) -> Callable[[Tensor], Tensor]:
    return lambda feats: sparse_conv(SparseTensor(grid, feats), kernel, backend=backend).feats


def _gpu_rows(grid: VoxelGrid, channels: int, precision: str, repeats: int) -> dict[str, list[float]]:
    """Forward pass and both passes (s) of everything that runs on the GPU."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    where = {"device": grid.device, "dtype": PRECISIONS[precision]}
    kernel = (torch.randn(27, channels, channels, **where) / (27 * channels) ** 0.5).requires_grad_()
    leaf, grad = (torch.randn(len(grid), channels, **where) for _ in range(2))
    usable = [name for name in CONVOLVE.table if CONVOLVE.why_unusable(name, grid.device) is None]
    runs = {name: _backend(grid, kernel, name) for name in usable}
    try:
        runs["spconv"] = _spconv(grid, kernel)
    except ImportError as error:
        print(f"<!-- spconv was not measured: {error} -->")
    forwards = {name: _finished(_without_gradient(run, leaf)) for name, run in runs.items()}
    leaf.requires_grad_()
    boths = {name: _finished(lambda run=run: run(leaf).backward(grad)) for name, run in runs.items()}
    found = [median_in_turns(jobs, repeats=repeats, warmup=2) for jobs in (forwards, boths)]
    return {name: [seconds[name] for seconds in found] for name in runs}


def _gpu_searches(grid: VoxelGrid, repeats: int) -> dict[str, float]:
    """The search for neighbours by each backend that runs on the GPU, and the making of Triton's table (s)."""
    keys, taps = grid.sorted_keys_with(grid, kernel_offsets(SIZE, STEP)), convolution_map(grid, grid, SIZE, STEP)
    usable = [name for name in MATCH_KEYS.table if MATCH_KEYS.why_unusable(name, grid.device) is None]
    finders = {f"{name} search": MATCH_KEYS.pick(grid.device, name) for name in usable}
    jobs = {name: _finished(lambda find=find: find(*keys, 256, 256)) for name, find in finders.items()}
    jobs["tiles"] = _finished(lambda: NeighbourTable.of(taps.rows_in, taps.rows_out, taps.starts, taps.n_out))
    return median_in_turns(jobs, repeats=repeats, warmup=2)


def _gpu_table(options: argparse.Namespace) -> None:
    device = torch.device("cuda")
    print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    print("| voxels | channels | precision | what | forward (ms) | with backward (ms) |")
    print("|---|---|---|---|---|---|")
    for voxels in options.voxels:
        made = room(voxels)
        grid = VoxelGrid(made.coords.to(device))
        for channels in options.channels:
            for precision in PRECISIONS:
                for what, seconds in _gpu_rows(grid, channels, precision, options.repeats).items():
                    times = " | ".join(f"{1000 * value:.2f}" for value in seconds)
                    print(f"| {len(grid)} | {channels} | {precision} | {what} | {times} |", flush=True)
        for what, value in _gpu_searches(grid, options.repeats).items():
            print(f"<!-- {len(grid)} voxels, {what}: {1000 * value:.2f} ms -->", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxels", type=int, nargs="+", default=[10_000, 100_000, 500_000])
    parser.add_argument("--channels", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--spconv", type=Path, help="folder to import spconv from")
    parser.add_argument("--only", nargs="+", choices=list(MAKERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.spconv:
        sys.path.append(str(options.spconv))
    if options.device == "cuda":
        if not torch.cuda.is_available():
            raise SystemExit("PyTorch sees no CUDA GPU; without --device cuda the CPU is measured")
        return _gpu_table(options)
    if options.only is None:
        return _table(options)
    torch.manual_seed(0)
    print(json.dumps(measure(options.only, options.voxels[0], options.channels[0], options.repeats)))
    return None


if __name__ == "__main__":
    main()
