"""Draws what was reconstructed from events: photos, events and renders at some moments of a recording of ``events-eval-v2``.

Usage: python docs/draw_events.py RECORDING FIELD.safetensors OUT.png

FIELD is what `python benchmarks/event_nerf.py --pictures FOLDER` keeps. The photos were never shown to it, except that one
scale and one offset of the logarithm for each channel are fitted over the test views.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from trisparse.data.cameras import Cameras
from trisparse.data.readers.event_recordings import read_recording
from trisparse.data.readers.photos import read_photos
from trisparse.data.still_life.render import photograph
from trisparse.events.evaluation_set import EventEvalSet
from trisparse.pipelines.event_nerf.saved import load_field
from trisparse.pipelines.event_nerf.space import cameras_on_path
from trisparse.pipelines.event_nerf.views import aligned_image, evaluate_views, render_event_views
from trisparse.pipelines.event_pictures import event_image
from trisparse.pipelines.views import as_bytes, write_picture


@dataclass(frozen=True)
class Arguments:
    """What to draw."""

    recording: tyro.conf.Positional[Path]
    """Folder of the recording, as `trisparse events simulate events-eval-v2` writes it."""
    field: tyro.conf.Positional[Path]
    """The field that was learned from it."""
    out: tyro.conf.Positional[Path]
    """The PNG file to write."""
    moments: int = 6
    """Columns."""
    milliseconds: float = 12.0
    """Of events in a picture."""


def main(arguments: Arguments) -> None:
    """Render and draw."""
    recording = read_recording(arguments.recording).posed()
    model = load_field(arguments.field).model
    found, _ = evaluate_views(model, read_photos(arguments.recording / "views" / "transforms_val.json"))
    cameras: Cameras = cameras_on_path(recording, arguments.moments)
    scene = EventEvalSet.read().scene
    photos = photograph(scene, cameras, samples_per_pixel=16).images
    renders = [aligned_image(view, found.alignment) for view in render_event_views(model, cameras)]
    first, last, half = (
        int(recording.stream.t_ns[0]),
        int(recording.stream.t_ns[-1]),
        round(arguments.milliseconds * 5e5),
    )
    times = torch.linspace(first, last, arguments.moments, dtype=torch.float64).long().tolist()
    frames = [event_image(recording.stream.between(t - half, t + half)) for t in times]
    rows = [[as_bytes(photo.float()) for photo in photos], frames, [as_bytes(image) for image in renders]]
    write_picture(arguments.out, np.concatenate([np.concatenate(row, 1) for row in rows]))


if __name__ == "__main__":
    main(tyro.cli(Arguments))
