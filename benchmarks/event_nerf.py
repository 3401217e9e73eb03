"""Radiance fields from the recordings of ``events-eval-v2``: levels, seeds and ablations against unseen views; resumable.

    python benchmarks/event_nerf.py [--levels easy medium hard] [--variants ours ...] [--seeds 0 1 2] [--steps 6000]
                                    [--threads 2] [--curve 500] [--out runs/event-nerf] [--pictures FOLDER]

The recordings (128 x 128 pixels, colour filters) are simulated first where they are not there yet. Every run is trained with
``cpu-small``, aligned to 24 unseen views by Robust e-NeRF's protocol and kept as a line of results.jsonl, its curve as lines of
curves.jsonl; a run that was stopped goes on from its checkpoint. Seconds are those of training alone, on the number of threads.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from machine import describe
from trisparse.data.event_camera import ContrastThresholds
from trisparse.data.event_recording import PosedRecording
from trisparse.data.posed_images import PosedImages
from trisparse.data.readers.esim import write_esim_recording
from trisparse.data.readers.event_recordings import read_recording
from trisparse.data.readers.photos import read_photos
from trisparse.events.evaluation_set import EventEvalSet
from trisparse.pipelines.checkpoint import load_checkpoint, remove_checkpoints, save_checkpoint
from trisparse.pipelines.event_nerf.config import PRESETS, EventNerfConfig, LossConfig
from trisparse.pipelines.event_nerf.saved import save_field
from trisparse.pipelines.event_nerf.training import EventNerf
from trisparse.pipelines.event_nerf.views import aligned_image, evaluate_views
from trisparse.pipelines.step_bar import StepBar
from trisparse.pipelines.views import as_bytes, write_picture

BOUNDS = (-0.62, -0.62, -0.3, 0.62, 0.62, 0.94)
"""Around the scene, as the published bounds are; metres."""
Camera = Callable[[PosedRecording], PosedRecording]


@dataclass(frozen=True)
class Variant:
    """One way to learn."""

    change: Callable[[EventNerfConfig], EventNerfConfig] = lambda config: config
    recording: Camera = lambda recording: recording
    is_color: bool = True


def _loss(**values: Any) -> Callable[[EventNerfConfig], EventNerfConfig]:
    return lambda config: replace(config, loss=replace(config.loss, **values))


def _calibrated(**values: Any) -> Camera:
    return lambda recording: replace(recording, camera=replace(recording.camera, **values))


_TWICE = _calibrated(thresholds=ContrastThresholds(0.5, 0.25))
_PLAIN = LossConfig(difference_weight="none", gradient=1e-3, gradient_error="mse")

VARIANTS: dict[str, Variant] = {
    "ours": Variant(),
    "grey": Variant(is_color=False),
    "no refractory period": Variant(recording=_calibrated(refractory_period_ns=0.0)),
    "gradient loss": Variant(_loss(gradient=1e-3)),
    "gradient loss, original's gradient": Variant(_loss(gradient=1e-3, complete_gradient=False)),
    "gradient loss, not normalised": Variant(lambda config: replace(config, loss=_PLAIN)),
    "ratio twice": Variant(recording=_TWICE),
    "ratio twice, learned": Variant(lambda config: replace(config, learn_ratio=True), _TWICE),
    "huber": Variant(_loss(difference_error="huber", difference_weight="none")),
    "huber, total variation": Variant(_loss(difference_error="huber", difference_weight="none", total_variation=1e-3)),
    "windows": Variant(_loss(windows=0.1)),
}


def recorded(level: str, *, is_color: bool, folder: Path) -> tuple[PosedRecording, PosedImages]:
    """A recording of the set and its test views, simulated where they are not there."""
    place = folder / (level if is_color else f"{level}-grey")
    if not (place / "raw_events.npz").is_file():
        fixed = EventEvalSet.read()
        print(f"<!-- simulating {place.name} -->", flush=True)
        write_esim_recording(place, fixed.record(level, is_color=is_color), photos=fixed.views())
    return read_recording(place).posed(), read_photos(place / "views" / "transforms_val.json")


def run(level: str, name: str, seed: int, arguments: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Train and score one run, or go on with it."""
    variant = VARIANTS[name]
    recording, photos = recorded(level, is_color=variant.is_color, folder=arguments.recordings)
    base = PRESETS["cpu-small"]
    space = replace(base.space, aabb=BOUNDS, contraction="aabb")
    config = variant.change(replace(base, space=space, seed=seed)).with_steps(arguments.steps)
    training = EventNerf(variant.recording(recording), config)
    folder = arguments.out / "partial" / f"{level}-{name}-{seed}-{arguments.steps}".replace(" ", "_")
    checkpoint = load_checkpoint(folder)
    seconds, curve = 0.0, []
    if checkpoint is not None:
        training.load(checkpoint.state["training"])
        seconds, curve = checkpoint.state["seconds"], checkpoint.state["curve"]
    some = photos.select(range(0, len(photos), 4))
    samples = 0
    with StepBar(f"{level}, {name}, seed {seed}", arguments.steps, training.done) as bar:
        while training.done < arguments.steps:
            started = time.perf_counter()
            result = training.step()
            seconds += time.perf_counter() - started
            samples += result.samples
            bar.advance(result.step, f"loss {result.loss:.3f}, {seconds / 60:.1f} minutes")
            if result.step % arguments.curve == 0:
                metrics = evaluate_views(training.model, some)[0].mean
                curve.append({"step": result.step, "seconds": seconds, "psnr": metrics.psnr, "loss": result.loss})
                state = {"training": training.tree(), "seconds": seconds, "curve": curve}
                save_checkpoint(folder, result.step, state)
    found, views = evaluate_views(training.model, photos)
    if arguments.pictures:
        rows = [aligned_image(view, found.alignment) for view in views[:4]], [photos.image(row) for row in range(4)]
        picture = np.concatenate([np.concatenate([as_bytes(image) for image in row], 1) for row in rows])
        file = arguments.pictures / f"{level}-{name}-{seed}.png".replace(" ", "_")
        write_picture(file, picture)
        save_field(file.with_suffix(".safetensors"), training.model, {"level": level, "variant": name, "seed": seed})
    remove_checkpoints(folder)
    sensor = training.model.sensor
    about = {"level": level, "variant": name, "seed": seed, "steps": arguments.steps}
    line = {
        **about,
        "psnr": found.mean.psnr,
        "ssim": found.mean.ssim,
        "psnr_clamped": found.mean.psnr_clamped,
        "l1": found.mean.l1,
        "seconds": seconds,
        "threads": arguments.threads,
        "events": len(training.events.singles),
        "ratio": float((sensor.thresholds.positive / sensor.thresholds.negative).detach()),
        "refractory_period_ms": float(sensor.refractory_period_ns.detach()) / 1e6,
    }
    return line, [{**about, **point} for point in curve]


def table(lines: list[dict[str, Any]]) -> str:
    """Means over seeds, in the order in which they came."""
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["level"], line["variant"], line["steps"]), []).append(line)
    rows = [
        "| level | variant | steps | seeds | PSNR | clamped | SSIM | ratio | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (level, variant, steps), group in groups.items():
        mean = {key: statistics.mean(line[key] for line in group) for key in ("psnr", "psnr_clamped", "ssim", "ratio")}
        spread = f" ± {statistics.stdev(line['psnr'] for line in group):.2f}" if len(group) > 1 else ""
        minutes = statistics.median(line["seconds"] for line in group) / 60
        rows.append(
            f"| {level} | {variant} | {steps} | {len(group)} | {mean['psnr']:.2f}{spread} | {mean['psnr_clamped']:.2f} | "
            f"{mean['ssim']:.3f} | {mean['ratio']:.3f} | {minutes:.1f} |"
        )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", nargs="+", default=["easy", "medium", "hard"], choices=["easy", "medium", "hard"])
    parser.add_argument("--variants", nargs="+", default=["ours"], choices=VARIANTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=PRESETS["cpu-small"].optimiser.steps)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--curve", type=int, default=500, help="steps between points of the curve, and checkpoints")
    parser.add_argument("--recordings", type=Path, default=Path("runs/events-eval-v2"))
    parser.add_argument("--out", type=Path, default=Path("runs/event-nerf"))
    parser.add_argument("--pictures", type=Path, help="folder for renders above photos, and for the fields")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    numba.set_num_threads(min(arguments.threads, numba.get_num_threads()))
    print(describe())
    results = arguments.out / "results.jsonl"
    known = [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []
    wanted = []
    for seed in arguments.seeds:  # seeds outermost: what is done is paired
        for level in arguments.levels:
            for name in arguments.variants:
                key = (level, name, seed, arguments.steps)
                found = [line for line in known if (line["level"], line["variant"], line["seed"], line["steps"]) == key]
                if not found:
                    line, curve = run(*key[:3], arguments)
                    arguments.out.mkdir(parents=True, exist_ok=True)
                    with open(arguments.out / "curves.jsonl", "a", encoding="utf-8") as file:
                        file.writelines(json.dumps(point) + "\n" for point in curve)
                    with open(results, "a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")
                    found = [line]
                wanted += found[:1]
    wanted.sort(key=lambda line: (line["level"], line["variant"]))
    print(table(wanted))
    print(f"<!-- peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB -->")


if __name__ == "__main__":
    main()
