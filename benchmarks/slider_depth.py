"""A tenth of a second of real events (slider_depth of RPG's data set): is what is reconstructed what the frames show?

    python benchmarks/slider_depth.py [--steps 1500] [--seeds 0] [--threads 2] [--out runs/slider-depth] [--data FOLDER]

Trained on the 26,022 events that have a pose (2.7 cm of baseline), with thresholds of 0.25 and no refractory period, since
nothing tells them. Rendered at the two frames that have a pose; a constant and the plain sum of events at each pixel since the
first pose stand beside it. All are aligned by one scale and one offset of the logarithm over both frames (Robust e-NeRF's
protocol). Correlation is that of the logarithms, depth the median where the field is opaque; the scene is about a metre away.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
import torch
from machine import describe
from torch import Tensor
from trisparse.data.event_camera import ContrastThresholds
from trisparse.data.event_recording import PosedRecording
from trisparse.data.readers.event_recordings import read_recording
from trisparse.events.correct import undistort_events
from trisparse.events.evaluation import Evaluation, evaluate
from trisparse.pipelines.event_nerf.config import PRESETS
from trisparse.pipelines.event_nerf.training import EventNerf
from trisparse.pipelines.event_nerf.views import aligned_image, evaluate_views, photo_intensity
from trisparse.pipelines.step_bar import StepBar
from trisparse.pipelines.views import as_bytes, depth_picture, write_picture

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "ev_slider_depth"


def correlation(images: list[Tensor], targets: list[Tensor]) -> float:
    """Of the logarithms, over all pixels of all views."""
    a, b = (torch.cat([image.double().log().flatten() for image in some]).numpy() for some in (images, targets))
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 else 0.0


def row(name: str, found: Evaluation, agreement: float, depth: str = "") -> str:
    """A line of the table."""
    mean = found.mean
    return f"| {name} | {mean.psnr:.2f} | {mean.ssim:.3f} | {agreement:.3f} | {depth} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--near", type=float, default=0.4, help="metres")
    parser.add_argument("--far", type=float, default=2.5, help="metres")
    parser.add_argument("--total-variation", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/slider-depth"))
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    numba.set_num_threads(min(arguments.threads, numba.get_num_threads()))
    print(describe())
    if not arguments.data.is_dir():
        print(f"<!-- not measured: no folder {arguments.data.name} -->")
        return
    recording = read_recording(arguments.data)
    photos, posed = recording.posed_frames(), recording.posed()
    assert photos is not None
    camera = replace(posed.camera, thresholds=ContrastThresholds(0.25, 0.25), refractory_period_ns=0.0)
    posed = replace(posed, camera=camera)
    targets = [photo_intensity(photos, number, is_color=False) for number in range(len(photos))]
    print("| what | PSNR | SSIM | correlation | depth (m) |\n|---|---|---|---|---|")
    size = targets[0].shape
    flat = [torch.ones(size) for _ in targets]
    print(row("a constant", evaluate(flat, targets), 0.0))
    times = [t for t in recording.frames.t_ns if t >= posed.trajectory.t0_ns] if recording.frames is not None else []
    summed = [_summed(posed, photos.cameras.K[number], t, size) for number, t in enumerate(times)]
    print(row("sum of events", evaluate(summed, targets), correlation(summed, targets)))
    preset = PRESETS["cpu-small"]
    space = replace(preset.space, near=arguments.near, far=arguments.far)
    loss = replace(preset.loss, total_variation=arguments.total_variation)
    for seed in arguments.seeds:
        config = replace(preset, space=space, loss=loss, has_background=False, seed=seed).with_steps(arguments.steps)
        training = EventNerf(posed, config)
        with StepBar(f"seed {seed}", arguments.steps, 0) as bar:
            while training.done < arguments.steps:
                result = training.step()
                bar.advance(result.step, f"loss {result.loss:.3f}")
        found, views = evaluate_views(training.model, photos)
        depth = torch.cat([view.depth_z[view.opacity > 0.5] for view in views])
        near = f"{float(depth.median()):.2f}" if len(depth) else "none"
        print(row(f"field, seed {seed}", found, correlation([view.intensity for view in views], targets), near))
        rows = [np.concatenate([as_bytes(target.clamp(0, 1).float().expand(-1, -1, 3)) for target in targets], 1)]
        rows.append(np.concatenate([as_bytes(aligned_image(view, found.alignment)) for view in views], 1))
        limits = (arguments.near, arguments.far)
        rows.append(np.concatenate([depth_picture(view.depth_z, view.opacity, limits) for view in views], 1))
        write_picture(arguments.out / f"seed-{seed}.png", np.concatenate(rows))


def _summed(posed: PosedRecording, K: Tensor, t_ns: int, size: torch.Size) -> Tensor:
    """Events from the first pose to a time, added up where an undistorted camera sees their pixels."""
    stream = posed.stream.between(int(posed.stream.t_ns[0]), t_ns + 1)
    pixels, source = undistort_events(stream, posed.camera).astype(np.float64), posed.camera.K.numpy()
    total, target = np.zeros(size[:2]), K.double().numpy()
    column, line = (
        np.floor(
            (pixels[:, axis] - source[axis, 2]) / source[axis, axis] * target[axis, axis] + target[axis, 2]
        ).astype(int)
        for axis in (0, 1)
    )
    inside = (column >= 0) & (column < size[1]) & (line >= 0) & (line < size[0])
    np.add.at(total, (line[inside], column[inside]), stream.polarity[inside])
    return torch.from_numpy(np.exp(0.25 * total))[..., None]


if __name__ == "__main__":
    main()
