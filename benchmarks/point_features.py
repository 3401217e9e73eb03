"""Decoding Gaussians from features of their points, forward and backward: what one decode costs beside the renders.

    python benchmarks/point_features.py [--points 60000] [--views 3] [--size 504x378] [--threads 1] [--repeats 3]

Points scattered over a thin slab before photos of noise, weights moved off their zeros, so that every part has a gradient. CPU
seconds of the process beside wall seconds, since other programs may run; medians. Memory is the peak of the process, each
variant in a process of its own, less what was the peak before the first decode.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from dataclasses import dataclass
from typing import Any

import torch
from machine import describe
from trisparse.data.cameras import Cameras
from trisparse.rendering.features import Views
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.interaction import find_neighbours
from trisparse.rendering.point_features import PointFeatures, PointFeaturesConfig

VARIANTS: dict[str, dict[str, Any]] = {
    "colours, no attention": {"features": "rgb_only", "interaction": 0},
    "colours, 1 block": {"features": "rgb_only", "interaction": 1},
    "no photos, 1 block": {"features": "off", "interaction": 1},
    "pyramid, no attention": {"features": "fpn", "interaction": 0},
    "pyramid, 1 block": {"features": "fpn", "interaction": 1},
    "pyramid, 2 blocks": {"features": "fpn", "interaction": 2},
    "colours, no attention, alpha and colour decoder": {
        "features": "rgb_only",
        "interaction": 0,
        "decoder": "alpha_color",
    },
}


@dataclass(frozen=True)
class Times:
    """Seconds of one pass."""

    cpu: float
    wall: float

    @classmethod
    def since(cls, start: tuple[float, float]) -> Times:
        """From what :func:`now` gave."""
        return cls(time.process_time() - start[0], time.perf_counter() - start[1])


def now() -> tuple[float, float]:
    """Clocks."""
    return time.process_time(), time.perf_counter()


def peak_megabytes() -> float:
    """Of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def scene(points: int, n: int, width: int, height: int) -> tuple[GaussianCloud, Views]:
    """A slab before cameras side by side."""
    random = torch.Generator().manual_seed(0)
    at = (torch.rand(points, 3, generator=random) * 2 - 1) * torch.tensor([1.0, 0.1, 0.75])
    cloud = GaussianCloud.from_points(at, torch.rand(points, 3, generator=random), sh_degree=1)
    K = torch.tensor([[float(width), 0, width / 2], [0, float(width), height / 2], [0, 0, 1]]).repeat(n, 1, 1)
    centers = torch.stack([torch.linspace(-0.5, 0.5, n), torch.full((n,), -3.0), torch.full((n,), 0.2)], 1)
    cameras = Cameras.looking_at(centers, torch.zeros(3), K, width=width, height=height)
    photos = torch.rand(n, height, width, 3, generator=random)
    return cloud, Views(photos, cameras, torch.full((n, height, width), 3.0))


def measure(name: str, options: argparse.Namespace) -> str:
    """One row of the table."""
    torch.set_num_threads(options.threads)
    width, height = map(int, options.size.split("x"))
    cloud, views = scene(options.points, options.views, width, height)
    random = torch.Generator().manual_seed(1)
    network = PointFeatures(PointFeaturesConfig(**VARIANTS[name]), random)
    for parameter in network.parameters():
        parameter.data += 0.01 * torch.randn(parameter.shape, generator=random)
    learned = network.first_residuals(cloud.means).requires_grad_()
    neighbours, before = find_neighbours(cloud.means), peak_megabytes()
    forward, backward = [], []
    for turn in range(1 + options.repeats):
        start = now()
        decoded = network.decode(cloud, views, neighbours, learned)
        ahead = Times.since(start)
        shown = decoded.added_to(cloud)
        (shown.sh.square().sum() + shown.opacity_logits.square().sum() + shown.log_scales.sum()).backward()
        start = now()
        decoded.backward()
        back = Times.since(start)
        if turn:  # the first one compiles
            forward.append(ahead)
            backward.append(back)
    cells = [
        f"{statistics.median(x.cpu for x in part):.2f} | {statistics.median(x.wall for x in part):.2f}"
        for part in (forward, backward)
    ]
    return f"| {name} | {' | '.join(cells)} | {peak_megabytes() - before:.0f} |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=60_000)
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--size", default="504x378")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(describe())
    print(f"{options.points} points, {options.views} photos of {options.size}, {options.threads} threads\n")
    print("| what | forward CPU s | wall s | backward CPU s | wall s | memory MB |\n|---|---|---|---|---|---|")
    for name in VARIANTS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.apply(measure, (name, options)), flush=True)


if __name__ == "__main__":
    main()
