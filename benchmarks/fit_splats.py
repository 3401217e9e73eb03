"""One iteration of fitting Gaussians to photos: render, loss with SSIM, backward, Adam; densification apart.

    python benchmarks/fit_splats.py [--photos FOLDER] [--longest 354] [--threads 1 2] [--repeats 30]

FOLDER holds photos with cameras and points of structure from motion; by default the Sceaux castle beside the repository (10
photos, 12,683 points, all of them used, rendered at 354 x 266), and a generated still life where it is absent. Medians over
iterations after five that warm up; the harmonics have degree 3, as after 3,000 steps.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from pathlib import Path

import numba
import torch
from machine import describe
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers.photos import read_photos
from trisparse.data.still_life.capture import capture
from trisparse.data.still_life.rigs import forward_facing
from trisparse.data.still_life.scene import make_still_life
from trisparse.pipelines.sparse_splats import prepare_photos
from trisparse.rendering.fit import Fit, FitConfig
from trisparse.rendering.gaussians import GaussianCloud

SCEAUX = Path(__file__).resolve().parents[2] / "shared" / "data" / "nvs_sceaux_castle"


def photos_to_fit(folder: Path, longest: int) -> tuple[str, PosedImages]:
    """The photos, and what they are."""
    if folder.is_dir():
        return folder.name, prepare_photos(read_photos(folder), longest)
    scene = make_still_life(0, kind="table")
    return "a generated still life", prepare_photos(capture(scene, forward_facing(scene, 10)), longest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=SCEAUX)
    parser.add_argument("--longest", type=int, default=354)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(max(arguments.threads))
    print(describe())
    name, photos = photos_to_fit(arguments.photos, arguments.longest)
    assert photos.points is not None
    cloud = photos.points.cloud
    assert cloud.colors is not None
    size = f"{photos.cameras.width} x {photos.cameras.height}"
    print(f"<!-- {name}: {len(photos)} photos of {size}, {len(cloud.points)} Gaussians -->")
    print("| threads | ms an iteration | iterations a second |")
    print("|---|---|---|")
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        numba.set_num_threads(threads)
        fit = Fit(photos, GaussianCloud.from_points(cloud.points, cloud.colors), FitConfig(densify=None, sh_every=1))
        times = []
        for step in range(5 + arguments.repeats):
            started = time.perf_counter()
            fit.step()
            if step >= 5:
                times.append(time.perf_counter() - started)
        median = statistics.median(times)
        print(f"| {threads} | {median * 1e3:.1f} | {1 / median:.1f} |")
    print(f"<!-- peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB -->")


if __name__ == "__main__":
    main()
