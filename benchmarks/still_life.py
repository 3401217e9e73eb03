"""What photos of generated still lifes cost.

    python benchmarks/still_life.py [--width 400] [--height 300] [--samples 4] [--threads 2] [--repeats 5]

Wall time is what a user waits for; processor time, summed over threads, is what other work on the machine changes least.
"""

from __future__ import annotations

import argparse
import time

import torch
from machine import describe, median_seconds
from trisparse.data.still_life.render import photograph
from trisparse.data.still_life.rigs import Lens, usual_cameras
from trisparse.data.still_life.scene import make_still_life


def measure(kind: str, lens: Lens, samples: int, repeats: int) -> str:
    """One row of the table."""
    scene = make_still_life(1, kind)
    camera = usual_cameras(scene, 3, lens)[1]
    prepared = median_seconds(lambda: make_still_life(1, kind).ambience, repeats=repeats)
    processor: list[float] = []

    def run() -> None:
        started = time.process_time()
        photograph(scene, camera, samples_per_pixel=samples)
        processor.append(time.process_time() - started)

    wall = median_seconds(run, repeats=repeats)
    rays = lens.width * lens.height * (samples + 1)
    cost = sorted(processor[1:])[repeats // 2]
    cells = (len(scene.solids), f"{1000 * prepared:.0f}", f"{1000 * wall:.0f}", f"{1000 * cost:.0f}")
    return f"| {kind} | {' | '.join(map(str, cells))} | {rays / wall / 1e6:.2f} |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=400)
    parser.add_argument("--height", type=int, default=300)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(describe(), "", sep="\n")
    print(f"{options.width} x {options.height} pixels, {options.samples} samples each\n")
    print("| scene | solids | made and prepared (ms) | photo, wall (ms) | photo, processor (ms) | camera rays (M/s) |")
    print("|---|---|---|---|---|---|")
    for kind in ("table", "object", "courtyard"):
        print(measure(kind, Lens(options.width, options.height), options.samples, options.repeats))


if __name__ == "__main__":
    main()
