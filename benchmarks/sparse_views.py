"""New views from 3, 6 and 9 photos: methods against each other on real scenes, paired by seed; resumable.

    python benchmarks/sparse_views.py [--scenes sceaux-3 fox-3 ...] [--methods 3dgs@1000 ours ...] [--seeds 0 1 2]
                                      [--longest 354] [--threads 2] [--out runs/sparse-views.jsonl] [--data FOLDER]

FOLDER holds the data sets, by default those beside the repository; nothing is measured where they are absent. Every fit is
scored on photos that it has not seen and kept as lines of JSON, so that the same command goes on where it was stopped. The
initial points of "sfm" are those that at least two of the training photos see; seconds include finding initial points, without
reading photos. Prints means over views and seeds, and each method's gain over the first one on the same seeds.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numba
import torch
from machine import describe
from rich.progress import Progress
from trisparse.data.camera_paths import focus_of
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers.photos import read_photos
from trisparse.data.views import ViewSplit, split_arc, split_llff
from trisparse.pipelines.sparse_splats import METHODS, SplatMethod, prepare_fit, prepare_photos, run_fit
from trisparse.pipelines.views_evaluation import (
    Reconstruction,
    ViewResult,
    from_line,
    paired_gains,
    score_views,
    summarise,
    table,
    to_line,
)

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Scene:
    """Photos and which of them are learned from."""

    folder: str
    split: Callable[[PosedImages], ViewSplit]


def _fixed(*train: int) -> Callable[[PosedImages], ViewSplit]:
    return lambda photos: ViewSplit(train, tuple(i for i in range(len(photos)) if i not in train))


def _llff(k: int) -> Callable[[PosedImages], ViewSplit]:
    return lambda photos: split_llff(len(photos), k)


def _arc(k: int) -> Callable[[PosedImages], ViewSplit]:
    return lambda photos: split_arc(photos.cameras.centers, focus_of(photos.cameras), 90.0, k)


SCENES = {
    "sceaux-3": Scene("nvs_sceaux_castle", _fixed(0, 2, 5)),
    "sceaux-6": Scene("nvs_sceaux_castle", _fixed(0, 1, 3, 5, 7, 9)),
    "fox-3": Scene("nvs_fox", _llff(3)),
    "fox-6": Scene("nvs_fox", _llff(6)),
    "fox-9": Scene("nvs_fox", _llff(9)),
    # Places are 23 degrees apart: an arc of 90 degrees holds five, 13, 2, 3, 4 and 12, of which 2 and 4 are tested.
    "temple-3": Scene("nvs_temple_sparse_ring", _arc(3)),
}


def named(text: str) -> tuple[str, SplatMethod]:
    """Label and method of ``NAME`` or ``NAME@STEPS``."""
    name, _, steps = text.partition("@")
    method = METHODS[name]
    return (f"{name}, {steps} steps", method.with_steps(int(steps))) if steps else (name, method)


def fit(name: str, train: PosedImages, label: str, method: SplatMethod, seed: int) -> Reconstruction:
    """Gaussians, and how long they took."""
    train.images()
    method = replace(method, fit=replace(method.fit, seed=seed))
    with Progress(transient=True) as bar:
        task = bar.add_task(f"{name}, {label}, seed {seed}", total=method.fit.steps)
        started = time.perf_counter()
        prepared = prepare_fit(train, method)
        cloud = run_fit(prepared, lambda _: bar.advance(task))
        seconds = time.perf_counter() - started
    config = prepared.fit.config
    return Reconstruction(name, label, seed, cloud, seconds, config.background, config.antialiased)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=["sceaux-3", "fox-3"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="NAME[@STEPS]", help=", ".join(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--longest", type=int, default=354)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/sparse-views.jsonl"))
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    numba.set_num_threads(min(arguments.threads, numba.get_num_threads()))
    print(describe())
    known = [from_line(line) for line in arguments.out.read_text().splitlines()] if arguments.out.is_file() else []
    wanted: list[ViewResult] = []
    for scene_name in arguments.scenes:
        scene = SCENES[scene_name]
        if not (arguments.data / scene.folder).is_dir():
            print(f"<!-- {scene_name} was not measured: no folder {scene.folder} -->")
            continue
        everything = read_photos(arguments.data / scene.folder)
        photos, split = prepare_photos(everything, arguments.longest), scene.split(everything)
        name = f"{scene_name}, {photos.cameras.width} x {photos.cameras.height}"
        print(f"<!-- {name}: trained on {list(split.train)}, tested on {list(split.test)} -->")
        for label, method in map(named, arguments.methods):
            for seed in arguments.seeds:
                found = [r for r in known if (r.scene, r.method, r.seed) == (name, label, seed)]
                if not found:
                    made = fit(name, photos.select(split.train), label, method, seed)
                    found = list(score_views(made, photos.select(split.test)))
                    arguments.out.parent.mkdir(parents=True, exist_ok=True)
                    with open(arguments.out, "a", encoding="utf-8") as file:
                        file.writelines(to_line(result) + "\n" for result in found)
                wanted += found
    print(table(summarise(wanted)))
    if wanted:
        print(
            f"\n| scene | method | against {wanted[0].method} | PSNR gain (dB) | deviation over seeds |\n|---|---|---|---|---|"
        )
    for gain in paired_gains(wanted, wanted[0].method) if wanted else ():
        spread = "" if gain.deviation is None else f"{gain.deviation:.2f}"
        print(f"| {gain.scene} | {gain.method} | {gain.seeds} seeds | {gain.psnr:+.2f} | {spread} |")
    print(f"<!-- peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB -->")


if __name__ == "__main__":
    main()
