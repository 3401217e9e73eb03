"""What the events of a simulated recording stand for: the change of the scene itself at each of some events, in thresholds.

    python benchmarks/event_fidelity.py [--milliseconds 40] [--events 60] [--truth 64]

An event says that its pixel changed by one threshold since the event before. The scene is rendered anew at both times, with
many rays a pixel, for the second second of the easy recording. Coarse simulation (few rays a pixel, frames far apart) makes
events of steps that the scene does not have.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import torch
from machine import describe
from trisparse.data.cameras import rigid
from trisparse.data.event_camera import EventCamera
from trisparse.data.still_life.render import photograph
from trisparse.data.trajectory import Trajectory
from trisparse.events.bayer import mosaic
from trisparse.events.evaluation_set import EventEvalSet
from trisparse.events.film import Sampling, simulate_camera
from trisparse.events.generated_scenes import still_life_renderer
from trisparse.events.pairing import pair_events
from trisparse.events.trajectories import spiral_trajectory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--milliseconds", type=int, default=40)
    parser.add_argument("--events", type=int, default=60)
    parser.add_argument("--truth", type=int, default=64, help="rays a pixel")
    arguments = parser.parse_args()
    print(describe())
    fixed = EventEvalSet.read()
    setting = fixed.setting("easy")
    camera, start = fixed.camera(setting), 1_000_000_000
    whole = spiral_trajectory(setting.spiral)
    trajectory = whole.between(start, start + arguments.milliseconds * 1_000_000 + 1)
    print("| rays a pixel | pixels between frames | events | mean change | root mean square of what is wrong |")
    print("|---|---|---|---|---|")
    for samples, flow in ((4, 0.5), (16, 0.5), (fixed.samples_per_pixel, fixed.largest_flow_px)):
        render = still_life_renderer(fixed.scene, samples_per_pixel=samples)
        sampling = replace(Sampling(), largest_flow_px=flow)
        stream = simulate_camera(render, camera, trajectory, setting.sensor, sampling=sampling, seed=fixed.sensor_seed)
        pairs = pair_events(stream)
        rows = np.random.default_rng(0).choice(pairs.rows, min(arguments.events, len(pairs.rows)), replace=False)
        changes = []
        for row in rows:
            levels = [
                _level(fixed, camera, trajectory, int(t), arguments.truth)[stream.y[row], stream.x[row]]
                for t in (pairs.t_previous_ns[row], stream.t_ns[row])
            ]
            changes.append((levels[1] - levels[0]) * int(stream.polarity[row]) / setting.sensor.thresholds.mean)
        found = np.array(changes)
        wrong = float(np.sqrt(((found - 1) ** 2).mean()))
        print(f"| {samples} | {flow} | {len(stream)} | {found.mean():.2f} | {wrong:.2f} |", flush=True)


def _level(fixed: EventEvalSet, camera: EventCamera, trajectory: Trajectory, t_ns: int, samples: int) -> np.ndarray:
    """Logarithms that the sensor's pixels see at some time."""
    poses = trajectory.pose_at(torch.tensor([float(t_ns - trajectory.t0_ns)], dtype=torch.float64))
    turn = poses.rotations.mT
    cameras = camera.cameras(rigid(turn, -(turn @ poses.centers[:, :, None])[:, :, 0]))
    image = photograph(fixed.scene, cameras, samples_per_pixel=samples).images[0].numpy()
    return np.log(mosaic(image, camera.bayer_pattern) + 0.5 / 255)


if __name__ == "__main__":
    main()
