"""Cost of grounding against the number of points: one generated room, and a hall of 60 x 60 m full of such rooms.

    python benchmarks/grounding_scale.py [--points 2000 5000 ... 200000] [--threads 2] [--repeats 3] [--plot FILE.png]

Every scan is written to a PLY file and grounded by a process of its own, part by part, and once more by ``trisparse ground``
as a whole. Prints a table for docs/benchmarks.md, and draws it with --plot. Peak memory is that of the whole process, the
network and the text model included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe, median_seconds
from trisparse.data.alignment import align_scan
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.ply import write_ply
from trisparse.data.readers.scan import read_scan_file
from trisparse.data.readers.scannet import cloud_columns
from trisparse.data.rooms.generate import RoomConfig, generate_room
from trisparse.data.rooms.scanning import ScanConfig
from trisparse.pipelines.grounding import SceneGrounder, choose_points

ROOM_SEED = 30_001
HALL_M = 60.0
ROOMS_A_SIDE = 8
SENTENCE = "the brown chair next to the table"
PARTS = ("read", "align", "encode", "ask")
COLORS = {"room": "tab:blue", "hall": "tab:orange"}


@dataclass(frozen=True)
class Cost:
    """Of one scan: seconds by part, the same for everything as a program, peak memory."""

    scene: str
    points: int
    taken: int
    voxels: int
    """Of the fine level."""
    seconds: dict[str, float]
    program_seconds: float
    program_gb: float

    @classmethod
    def header(cls) -> str:
        """Of the table."""
        return (
            "| scene | points | taken | fine voxels | read (ms) | align (ms) | encode (ms) | a sentence (ms) "
            "| `trisparse ground` (s) | its peak (GB) |\n|---|---|---|---|---|---|---|---|---|---|"
        )

    def __str__(self) -> str:
        parts = " | ".join(f"{1000 * self.seconds[part]:.0f}" for part in PARTS)
        return (
            f"| {self.scene} | {self.points:,} | {self.taken:,} | {self.voxels:,} | {parts} "
            f"| {self.program_seconds:.1f} | {self.program_gb:.2f} |"
        )


def room(points: int) -> PointCloud:
    """One room, scanned finely enough and thinned out to that many points."""
    scan = ScanConfig() if points <= ScanConfig().max_points else ScanConfig(spacing_m=0.012, max_points=points)
    return _thinned(generate_room(ROOM_SEED, RoomConfig(scan=scan)).cloud, points)


def hall(points: int) -> PointCloud:
    """Furnished rooms side by side over 60 x 60 m, thinned out to that many points in all."""
    n_rooms = ROOMS_A_SIDE**2
    each = min(-(-points * 2 // n_rooms), ScanConfig().max_points)
    parts, colors = [], []
    for number in range(n_rooms):
        cloud = generate_room(ROOM_SEED + number, RoomConfig(scan=ScanConfig(n_views=16, max_points=each))).cloud
        place = torch.tensor([number % ROOMS_A_SIDE, number // ROOMS_A_SIDE, 0]) + torch.tensor([0.5, 0.5, 0.0])
        parts.append(cloud.points + place * (HALL_M / ROOMS_A_SIDE))
        assert cloud.colors is not None
        colors.append(cloud.colors)
    return _thinned(PointCloud(torch.cat(parts), torch.cat(colors)), points)


SCENES = {"room": room, "hall": hall}


def _thinned(cloud: PointCloud, points: int) -> PointCloud:
    if len(cloud) < points:
        raise SystemExit(f"the scan has {len(cloud)} points, {points} were wanted; scan more finely")
    return cloud.select(torch.randperm(len(cloud), generator=torch.Generator().manual_seed(0))[:points])


def parts_of(path: Path, repeats: int) -> dict[str, Any]:
    """Seconds by part in this process, once everything is loaded."""
    grounder = SceneGrounder.load("small")
    scan = read_scan_file(path).cloud
    alignment = align_scan(scan)
    scene = grounder.encode_aligned(path.stem, scan, alignment)
    grounder.ask(scene, [SENTENCE])
    jobs = {
        "read": lambda: read_scan_file(path),
        "align": lambda: align_scan(scan),
        "encode": lambda: grounder.encode_aligned(path.stem, scan, alignment),
        "ask": lambda: grounder.ask(scene, [SENTENCE]),
    }
    seconds = {name: median_seconds(job, repeats=repeats, warmup=0) for name, job in jobs.items()}
    taken = int(choose_points(alignment.cloud).sum())
    return {"seconds": seconds, "taken": taken, "voxels": len(scene.encoded.levels[0].grid)}


def measure(scene: str, points: int, folder: Path, options: argparse.Namespace) -> Cost:
    """Write a scan and ground it in two processes of their own."""
    path = folder / f"{scene}_{points}.ply"
    write_ply(path, {"vertex": cloud_columns(SCENES[scene](points))})
    environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads), NUMBA_NUM_THREADS=str(options.threads))
    command = [sys.executable, __file__, "--only", str(path), "--repeats", str(options.repeats)]
    done = subprocess.run(
        [*command, "--threads", str(options.threads)], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{path.stem}: {done.stderr.strip()[-2000:]}")
    known = json.loads(done.stdout.splitlines()[-1])
    program = [sys.executable, "-m", "trisparse", "ground", str(path), SENTENCE, "--out", str(folder / path.stem)]
    seconds, gigabytes = _run_apart(program, environment)
    return Cost(scene, points, **known, program_seconds=seconds, program_gb=gigabytes)


def _run_apart(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall time (s) and peak resident memory (GB) of a program."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} failed: {said.read().decode()[-2000:]}")
    return time.perf_counter() - started, _gigabytes(used)


def _gigabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def plot(costs: list[Cost], path: Path) -> None:
    """Time by part and peak memory against points, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    time_axes, memory_axes = figure.subplots(1, 2)
    styles = dict(zip(PARTS, (":", "-.", "--", "-"), strict=True))
    names = {"read": "read", "align": "find up, floor, walls", "encode": "choose points, backbone", "ask": "a sentence"}
    for scene, color in COLORS.items():
        own = [cost for cost in costs if cost.scene == scene]
        points = [cost.points for cost in own]
        for part in PARTS:
            values = [cost.seconds[part] for cost in own]
            time_axes.plot(
                points, values, styles[part], color=color, marker="o", markersize=3, label=f"{scene}: {names[part]}"
            )
        memory_axes.plot(points, [c.program_gb for c in own], "-", color=color, marker="o", markersize=3, label=scene)
    time_axes.set(xscale="log", yscale="log", xlabel="points in the scan", ylabel="seconds")
    memory_axes.set(
        xscale="log", yscale="log", xlabel="points in the scan", ylabel="peak memory of `trisparse ground` (GB)"
    )
    memory_axes.axhline(2.0, color="gray", linewidth=0.8)
    ticks = np.array([0.5, 1.0, 2.0, 4.0])
    memory_axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    memory_axes.minorticks_off()
    time_axes.legend(frameon=False, fontsize=8)
    memory_axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = [2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000]
    parser.add_argument("--points", type=int, nargs="+", default=sizes)
    parser.add_argument("--scenes", nargs="+", choices=list(SCENES), default=list(SCENES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot", type=Path, help="PNG file to draw")
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.only is not None:
        print(json.dumps(parts_of(options.only, options.repeats)))
        return
    print(describe(), "", Cost.header(), sep="\n", flush=True)
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        for scene in options.scenes:
            for points in options.points:
                costs.append(measure(scene, points, Path(folder), options))
                print(costs[-1], flush=True)
    if options.plot:
        plot(costs, options.plot)


if __name__ == "__main__":
    main()
