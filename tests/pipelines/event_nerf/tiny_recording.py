"""A recording that takes a second to make: a still life before a sensor of 24 x 24 pixels."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from trisparse.data.event_recording import EventRecording
from trisparse.data.readers.esim import write_esim_recording
from trisparse.events.evaluation_set import EventEvalSet
from trisparse.pipelines.event_nerf.config import EventNerfConfig, OptimiserConfig, SpaceConfig
from trisparse.rendering.radiance.hash_grid import HashGrid
from trisparse.rendering.radiance.ngp import NgpConfig
from trisparse.rendering.radiance.occupancy import OccupancySchedule

BOUNDS = (-0.62, -0.62, -0.3, 0.62, 0.62, 0.94)
SET = replace(EventEvalSet.read(), width=24, height=24, focal_px=33.3, samples_per_pixel=4, test_views=2)
TINY = EventNerfConfig(
    network=NgpConfig(HashGrid.spanning(8, 32, levels=3, log2_entries=10), 3, (16,), 7, (16,)),
    space=SpaceConfig(BOUNDS, "aabb", occupancy_resolution=16, steps_across=64),
    optimiser=OptimiserConfig(steps=12, samples=1 << 12, first_events=64, most_events=1024),
    occupancy=OccupancySchedule(every=4, warmup=8),
)


@cache
def recording(level: str = "easy", *, is_color: bool = True) -> EventRecording:
    """The first 150 ms of a level."""
    return SET.record(level, is_color=is_color, duration_ns=150_000_000)


def write(folder: Path, level: str = "easy", *, is_color: bool = True) -> Path:
    """It as files of Robust e-NeRF, with two test views."""
    write_esim_recording(folder, recording(level, is_color=is_color), photos=SET.views())
    return folder
