"""From events to a point cloud, in Python: a generated recording of 0.2 s, a field, points for `trisparse ground`.

python examples/events_to_points.py [OUT.ply]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from trisparse.data.readers.ply import write_ply
from trisparse.data.readers.scannet import cloud_columns
from trisparse.events.evaluation_set import EventEvalSet
from trisparse.pipelines.event_nerf.config import PRESETS
from trisparse.pipelines.event_nerf.points import field_points
from trisparse.pipelines.event_nerf.space import cameras_on_path
from trisparse.pipelines.event_nerf.training import EventNerf


def main(out: Path, steps: int = 60) -> None:
    scene = replace(EventEvalSet.read(), width=32, height=32, focal_px=44.4, samples_per_pixel=1)
    recording = scene.record("easy", duration_ns=200_000_000).posed()  # or read_recording("my_recording").posed()
    preset = PRESETS["cpu-small"]
    space = replace(preset.space, aabb=(-0.62, -0.62, -0.3, 0.62, 0.62, 0.94), contraction="aabb")
    training = EventNerf(recording, replace(preset, space=space).with_steps(steps))
    while training.done < steps:
        result = training.step()
    print(f"loss {result.loss:.3f} after {steps} steps on {len(recording.stream)} events")
    found = field_points(training.model, cameras_on_path(recording, 8), 2000)
    write_ply(out, {"vertex": cloud_columns(found.cloud)})
    print(f"{len(found.cloud)} points: {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "events.ply"))
