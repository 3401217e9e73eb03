"""Radiance fields on the CPU: samples through encoding, networks and compositing, beside the torch reference.

    python benchmarks/radiance.py [--samples 65536] [--threads 1 2] [--repeats 9] [--config cpu-small original]

Rays from a sphere of 3 m around a box of 2 m march through an occupancy grid of 128 cells a side, of which those around the
surface of a ball of 0.7 m are occupied, in steps of 1.4 cm, until there are the samples asked for. ``cpu-small`` is
``NgpConfig.cpu_small()``, ``original`` the field of Robust e-NeRF. Every side works on the same samples in float32 with the
same random weights; backward reaches all parameters. "whole" is what a training step does with its samples: positions,
encoding, networks, compositing, and backward; "whole, moving" the same with the derivative along the rays' motion, as the
gradient loss needs it.

All sides take turns; M/s are millions of samples (of marching: of samples found; of rays where it says so) in the median time.
The torch side has no table of its own: it is the library's backend ``torch``, whose encoding takes the eight vertices' products
as one batched matrix product, the fastest of the ways tried (weighted sums and ``embedding_bag`` take half as long again).
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba
import torch
from machine import describe, median_in_turns, sgemm_gflops
from torch import Tensor
from trisparse.data.rays import Rays
from trisparse.rendering.radiance.encodings import encode_positions, encode_positions_tangent
from trisparse.rendering.radiance.marching import march
from trisparse.rendering.radiance.ngp import LOGITS, NgpConfig, NgpField
from trisparse.rendering.radiance.occupancy import OccupancyGrid
from trisparse.rendering.radiance.render import MovingRays, render, render_tangent
from trisparse.rendering.radiance.samples import RaySamples
from trisparse.rendering.radiance.steps import MarchingSteps
from trisparse.rendering.radiance.volume import composite

AABB = torch.tensor([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0])
STEPS = MarchingSteps(0.014)
CONFIGS = {"cpu-small": NgpConfig.cpu_small, "original": NgpConfig}
PARTS = (
    "march",
    "encode",
    "encode, backward",
    "encode moving, backward",
    "networks",
    "networks, backward",
    "composite, backward",
    "whole",
    "whole, moving",
)


@dataclass(frozen=True)
class Scene:
    """Rays, how they move, what they march through and where they are sampled."""

    rays: Rays
    moving: MovingRays
    grid: OccupancyGrid
    samples: RaySamples


def shell(side: int = 128) -> OccupancyGrid:
    """Occupied are the cells within 7 cm of the surface of a ball of 0.7 m."""
    middles = (torch.arange(side) + 0.5) / side * 2 - 1
    distance = torch.stack(torch.meshgrid(middles, middles, middles, indexing="ij"), -1).norm(dim=-1)
    occupied = (distance - 0.7).abs() < 0.07
    return OccupancyGrid(AABB, "aabb", occupied.float(), occupied)


def scene(wanted: int, seed: int = 0) -> Scene:
    """As many rays as give about the samples wanted."""
    generator, grid = torch.Generator().manual_seed(seed), shell()

    def drawn(count: int) -> Tensor:
        return torch.randn(count, 3, generator=generator)

    def some_rays(count: int) -> Rays:
        origins = torch.nn.functional.normalize(drawn(count), dim=1) * 3
        targets = torch.nn.functional.normalize(drawn(count), dim=1) * 0.6
        return Rays(origins, torch.nn.functional.normalize(targets - origins, dim=1))

    few = march(some_rays(512), grid, STEPS)
    rays = some_rays(max(1, wanted * 512 // len(few)))
    moving = MovingRays(rays, drawn(len(rays)), 0.3 * drawn(len(rays)))
    return Scene(rays, moving, grid, march(rays, grid, STEPS))


def jobs_of(place: Scene, field: NgpField, backend: str) -> dict[str, Callable[[], object]]:
    """What is timed, by the names of ``PARTS``."""
    samples, rays, parameters = place.samples, place.rays, list(field.parameters())
    layers = [*field.base.parameters(), *field.head.parameters()]
    unit = (samples.positions(rays.origins, rays.directions) + 1) / 2
    velocity = samples.positions(place.moving.origins_rate, place.moving.directions_rate) / 2
    grid, table = field.config.grid, field.table
    features = encode_positions(unit, table, grid).detach().requires_grad_()
    views = torch.rand(len(rays), field.config.harmonics_degree**2)
    sigma, rgb = torch.rand(len(samples)).requires_grad_(), torch.rand(len(samples), 3).requires_grad_()
    run = LOGITS.pick(unit.device, backend)

    def without_gradients(job: Callable[[], object]) -> None:
        with torch.no_grad():
            job()

    def backward(outputs: tuple[Tensor, ...], inputs: Sequence[Tensor]) -> None:
        torch.autograd.grad(outputs, inputs, [torch.ones_like(x) for x in outputs])

    def encode() -> Tensor:
        return encode_positions(unit, table, grid, backend=backend)

    def networks() -> tuple[Tensor, Tensor]:
        return run(features, views, samples.ray_indices, field.heads)

    def whole() -> None:
        backward((render(field, rays, samples, backend=backend).colors,), parameters)

    def whole_moving() -> None:
        value, rate = render_tangent(field, place.moving, samples, backend=backend)
        backward((value.colors, rate.colors), parameters)

    return {
        "march": lambda: march(rays, place.grid, STEPS, backend=backend),
        "encode": lambda: without_gradients(encode),
        "encode, backward": lambda: backward((encode(),), [table]),
        "encode moving, backward": lambda: backward(
            tuple(encode_positions_tangent(unit, velocity, table, grid, backend=backend)), [table]
        ),
        "networks": lambda: without_gradients(networks),
        "networks, backward": lambda: backward(networks(), [features, *layers]),
        "composite, backward": lambda: backward(
            (composite(sigma, rgb, samples, backend=backend).colors,), [sigma, rgb]
        ),
        "whole": whole,
        "whole, moving": whole_moving,
    }


def with_threads(count: int, job: Callable[[], object]) -> Callable[[], object]:
    """The same on so many threads."""

    def run() -> None:
        torch.set_num_threads(count)
        numba.set_num_threads(count)
        job()

    return run


def report(name: str, wanted: int, threads: int, repeats: int) -> None:
    """Rows of the table for one field and one number of threads."""
    torch.set_num_threads(threads)
    place = scene(wanted)
    sides = {}
    for backend in ("numba", "torch"):
        field = NgpField(CONFIGS[name](), AABB, "aabb", torch.Generator().manual_seed(0), backend=backend)
        sides[backend] = jobs_of(place, field, backend)
    jobs = {
        f"{backend}/{part}": with_threads(threads, job) for backend, side in sides.items() for part, job in side.items()
    }
    times = median_in_turns(jobs, repeats=repeats)
    rate = sgemm_gflops(1024)
    for part in PARTS:
        ours, torchs = (len(place.samples) / times[f"{backend}/{part}"] / 1e6 for backend in ("numba", "torch"))
        print(f"| {name} | {part} | {threads} | {ours:.2f} | {torchs:.3f} | {ours / torchs:.1f} | {rate:.0f} |")
    per_second = len(place.rays) / times["numba/march"] / 1e6
    print(f"<!-- {len(place.rays)} rays, {len(place.samples)} samples; march: {per_second:.2f} M rays/s -->")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=65536)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--config", nargs="+", choices=list(CONFIGS), default=["cpu-small"])
    arguments = parser.parse_args()
    torch.set_num_threads(max(arguments.threads))
    print(describe())
    print("| field | what | threads | numba, M/s | torch, M/s | ratio | sgemm, GFLOP/s |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.config:
        for threads in arguments.threads:
            report(name, arguments.samples, threads, arguments.repeats)
    print(f"<!-- peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB -->")


if __name__ == "__main__":
    main()
