"""Three photos of a generated scene: plain splatting against ours, and a picture of what both make of an unseen view.

    python benchmarks/generated_views.py [--kind courtyard] [--seed 3] [--size 320x240] [--methods 3dgs-planesweep ours]
                                         [--steps 1000 2000] [--threads 2] [--picture FILE]

Thirteen photos on an arc of 0.8 radians; trained on the three that LLFF's rule names, scored on every eighth. Nothing of it was
used to choose a method. The picture shows a photo of the test set, and below each other what the methods render.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from machine import describe
from sparse_views import fit
from trisparse.data.still_life.capture import capture
from trisparse.data.still_life.rigs import Lens, arc
from trisparse.data.still_life.scene import make_still_life
from trisparse.data.views import split_llff
from trisparse.pipelines.sparse_splats import METHODS
from trisparse.pipelines.views import as_bytes, render_views, write_picture
from trisparse.pipelines.views_evaluation import score_views, summarise, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", default="courtyard")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["3dgs-planesweep", "ours"])
    parser.add_argument("--steps", nargs="+", type=int, default=[1000, 2000], help="of each method")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(describe())
    width, height = map(int, arguments.size.split("x"))
    scene = make_still_life(arguments.seed, kind=arguments.kind)
    photos = capture(scene, arc(scene, 13, Lens(width=width, height=height), angle=0.8))
    split = split_llff(len(photos), 3)
    shown, results = [photos.image(split.test[-1])], []
    for label, steps in zip(arguments.methods, arguments.steps, strict=True):
        method = METHODS[label].with_steps(steps)
        made = fit("generated", photos.select(split.train), f"{label}, {steps} steps", method, seed=0)
        results += score_views(made, photos.select(split.test))
        view = photos.select(split.test[-1:]).cameras
        shown += [
            x.image for x in render_views(made.cloud, view, background=made.background, antialiased=made.antialiased)
        ]
    print(f"<!-- {arguments.kind}, seed {arguments.seed}: trained on {split.train}, tested on {split.test} -->")
    print(table(summarise(results)))
    if arguments.picture:
        write_picture(arguments.picture, np.concatenate([as_bytes(image.float()) for image in shown], 1))


if __name__ == "__main__":
    main()
