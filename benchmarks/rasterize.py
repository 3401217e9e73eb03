"""Rasterisation of Gaussians on the CPU, beside the torch reference.

    python benchmarks/rasterize.py [--scenes A B] [--threads 1 2] [--repeats 7] [--garden FILE]

Scene A: 20,000 Gaussians at 256 x 256, generated: means uniform over the image, standard deviations log-normal around 2 px
(sigma 0.5), any orientation, opacity uniform in 0.05..0.9, depth uniform in 1..10. Scene B: the 138,766 points of gsplat's
``test_garden.npz`` (FILE; left out where it is absent), round, as large as the mean distance to three neighbours, opacity 0.5,
harmonics of degree 0, 648 x 420, first camera.

All sides take turns; milliseconds are medians. "Blending" is sorting into tiles and blending; "forward" is everything from
Gaussians to the image; "pairs" are Gaussians blended in a pixel.
"""

from __future__ import annotations

import argparse
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from machine import describe, median_in_turns
from torch import Tensor
from trisparse.rendering.gaussians import SH_C0, neighbour_distance
from trisparse.rendering.kernels import numba_splat, torch_splat
from trisparse.rendering.kernels.splatting import Splats, View
from trisparse.rendering.rasterize import rasterization

GARDEN = Path(__file__).resolve().parents[2] / "shared" / "data" / "gsplat_garden_points" / "test_garden.npz"


@dataclass(frozen=True)
class Scene:
    """Arguments of ``rasterization``."""

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    sh: Tensor
    viewmat: Tensor
    K: Tensor
    width: int
    height: int

    def leaves(self) -> list[Tensor]:
        """What gradients are asked for."""
        return [x.clone().requires_grad_() for x in (self.means, self.quats, self.scales, self.opacities, self.sh)]

    def render(self, leaves: list[Tensor], backend: str) -> Tensor:
        """One image."""
        means, quats, scales, opacities, sh = leaves
        image, _, _ = rasterization(
            means,
            quats,
            scales,
            opacities,
            sh,
            self.viewmat,
            self.K,
            self.width,
            self.height,
            sh_degree=0,
            packed=False,
            backend=backend,
        )
        return image


def scene_a(seed: int = 0, g: int = 20_000, size: int = 256) -> Scene:
    """Gaussians with given ellipses in the image: flat ones that face the camera."""
    random = np.random.default_rng(seed)
    focal, depth = float(size), random.uniform(1, 10, g)
    at = random.uniform(0, size, (g, 2))
    means = np.concatenate([(at - size / 2) / focal, np.ones((g, 1))], 1) * depth[:, None]
    spread = np.exp(random.normal(np.log(2), 0.5, (g, 2)))
    scales = np.concatenate([spread, spread.min(1, keepdims=True)], 1) * (depth / focal)[:, None]
    half = random.uniform(0, np.pi, g) / 2
    quats = np.stack([np.cos(half), 0 * half, 0 * half, np.sin(half)], 1)
    sh = (random.uniform(0, 1, (g, 1, 3)) - 0.5) / SH_C0
    K = [[[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]]
    opacities = random.uniform(0.05, 0.9, g)
    means, quats, scales, opacities, sh = (
        torch.from_numpy(value).float() for value in (means, quats, scales, opacities, sh)
    )
    return Scene(means, quats, scales, opacities, sh, torch.eye(4)[None], torch.tensor(K), size, size)


def scene_b(path: Path) -> Scene:
    """The garden's points."""
    with np.load(path, allow_pickle=False) as file:
        means, colors = torch.from_numpy(file["means3d"]), torch.from_numpy(file["colors"]).float() / 255
        view, K = torch.from_numpy(file["viewmats"][:1]), torch.from_numpy(file["Ks"][:1])
        width, height = int(file["width"]), int(file["height"])
    g = len(means)
    scales = neighbour_distance(means)[:, None].repeat(1, 3)
    quats = torch.tensor([1.0, 0, 0, 0]).repeat(g, 1)
    return Scene(
        means,
        quats,
        scales,
        torch.full((g,), 0.5),
        ((colors - 0.5) / SH_C0)[:, None],
        view.float(),
        K.float(),
        width,
        height,
    )


def splats(scene: Scene) -> Splats:
    """What is blended."""
    view = View(scene.viewmat, scene.K, scene.width, scene.height, 0.01, 1e10, 0.0, 0.3)
    projected = numba_splat.project(scene.means, numba_splat.covariances(scene.quats, scene.scales), view)
    features = (scene.sh[:, 0] * SH_C0 + 0.5).clamp_min(0)
    return Splats(
        projected.means2d[0],
        projected.conics[0],
        scene.opacities,
        features,
        projected.depths[0],
        projected.radii[0],
        (0, len(scene.means)),
    )


def report(name: str, scene: Scene, threads: list[int], repeats: int) -> None:
    """Rows of the table for one scene."""
    flat = splats(scene)
    pairs = float(torch_splat.count_blended(flat, scene.width, scene.height).float().mean())
    pixels = scene.width * scene.height
    visible = int((flat.radii > 0).all(1).sum())
    print(f"<!-- scene {name}: {len(scene.means)} Gaussians, {visible} visible, {pairs:.1f} pairs a pixel -->")

    def with_threads(count: int, job: Any) -> Any:
        def run() -> None:
            torch.set_num_threads(count)
            numba.set_num_threads(count)
            job()

        return run

    def blend(backend: Any) -> Any:
        return lambda: backend.blend(flat, scene.width, scene.height, None, False)

    leaves = scene.leaves()

    def forward() -> None:
        with torch.no_grad():
            scene.render(leaves, "numba")

    def both() -> None:
        scene.render(leaves, "numba").sum().backward()

    most = max(threads)
    jobs = {("torch", "blending", most): with_threads(most, blend(torch_splat))}
    for count in threads:
        jobs["trisparse", "blending", count] = with_threads(count, blend(numba_splat))
        jobs["trisparse", "forward", count] = with_threads(count, forward)
        jobs["trisparse", "forward and backward", count] = with_threads(count, both)
    times = median_in_turns({str(key): job for key, job in jobs.items()}, repeats=repeats)
    reference = times[str(("torch", "blending", most))]
    for key in jobs:
        side, what, count = key
        seconds = times[str(key)]
        own = times.get(str(("trisparse", "blending", count)), seconds)
        against = f"1/{reference / seconds:.1f}" if what == "blending" else ""
        print(
            f"| {name} | {side} | {what} | {count} | {seconds * 1e3:.1f} | {against} | "
            f"{seconds / own if side == 'trisparse' else float('nan'):.2f} | {seconds / (pairs * pixels) * 1e9:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", nargs="+", default=["A", "B"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--garden", type=Path, default=GARDEN)
    arguments = parser.parse_args()
    torch.set_num_threads(max(arguments.threads))
    print(describe())
    print("| scene | side | what | threads | ms | of torch's blending | of own blending | ns a pair |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.scenes:
        if name == "B" and not arguments.garden.is_file():
            print(f"<!-- scene B was not measured: no file {arguments.garden.name} -->")
            continue
        report(name, scene_a() if name == "A" else scene_b(arguments.garden), arguments.threads, arguments.repeats)
    print(f"<!-- peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB -->")


if __name__ == "__main__":
    main()
