"""Simulated recordings of event cameras: of films, of splats, and of the generated evaluation set."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from ..core.errors import CorruptFile, InvalidInput, MissingPart
from ..data.cameras import Cameras
from ..data.event_camera import EventCamera
from ..data.event_recording import EventRecording
from ..data.event_stream import concatenate
from ..data.image_files import read_image
from ..data.posed_images import PosedImages
from ..data.trajectory import Trajectory
from ..events.film import Renderer, Sampling, Shot, simulate_camera
from ..events.generated_scenes import SETTINGS
from ..events.simulate import EventSimulator, SimulatedSensor, portions
from ..events.trajectories import spiral_trajectory
from ..rendering.gaussians import GaussianCloud
from .splat_views import cameras_around
from .views import render_views

Progress = Callable[[float], None]
"""Is told the share that is done."""

_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_TIMES = "timestamps.txt"
_TEST_VIEWS = 8


@dataclass(frozen=True)
class FilmFolder:
    """Images in a folder, in the order of their names (numbers by value), and when they were taken."""

    paths: tuple[Path, ...]
    t_ns: tuple[int, ...]


def find_film(folder: Path, fps: float | None = None) -> FilmFolder:
    """Images of a folder with their times.

    Args:
        folder: With ``timestamps.txt`` (seconds, the first number of each line, a line an image) where ``fps`` is None.
        fps: Images a second.

    Raises:
        MissingPart: Fewer than two images, or no times.
        CorruptFile: Times that are no numbers, do not increase, or are not as many as images.
        InvalidInput: ``fps`` of 0 or less.
    """
    if not folder.is_dir():
        raise MissingPart(f"{folder}: no such folder; give a folder of images, a splat file, or events-eval-v2")
    paths = sorted((path for path in folder.iterdir() if path.suffix.lower() in _IMAGES), key=_by_numbers)
    if len(paths) < 2:
        raise MissingPart(f"{folder}: {len(paths)} images; events need at least 2, between which brightness changes")
    if fps is not None:
        if not 0 < fps < math.inf:
            raise InvalidInput(f"{fps} images a second; expected more than 0")
        return FilmFolder(tuple(paths), tuple(round(row * 1e9 / fps) for row in range(len(paths))))
    return FilmFolder(tuple(paths), _read_times(folder / _TIMES, len(paths)))


def film_events(
    film: FilmFolder, sensor: SimulatedSensor, *, seed: int = 0, progress: Progress | None = None
) -> EventRecording:
    """The events of a sensor that sees a film; intensities are the images' values, 0..1.

    Raises:
        ShapeMismatch: Images of different sizes.
        CorruptFile: An image is damaged.
    """
    simulator = EventSimulator(sensor, seed=seed)

    def frames() -> Iterator[tuple[int, np.ndarray]]:
        for row, (t, path) in enumerate(zip(film.t_ns, film.paths, strict=True)):
            yield t, read_image(path).rgb.astype(np.float32) / 255
            if progress is not None:
                progress((row + 1) / len(film.paths))

    stream = concatenate([simulator.feed(*portion) for portion in portions(frames())])
    return EventRecording(stream, f"simulated from {len(film.paths)} images")


def splat_renderer(cloud: GaussianCloud, *, background: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Renderer:
    """Gaussians as a scene to simulate a camera in; what is mostly seen through does not move, as it is infinitely far."""

    def render(camera: Cameras) -> Shot:
        view = next(iter(render_views(cloud, camera, background=background)))
        depth = torch.where(view.alpha > 0.5, view.depth_z, torch.inf)
        return Shot(view.image.clamp(0, 1).cpu().numpy(), depth.cpu().numpy())

    return render


def splat_events(
    cloud: GaussianCloud,
    level: str,
    size: tuple[int, int],
    *,
    sensor: SimulatedSensor | None = None,
    trajectory: Trajectory | None = None,
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    duration_ns: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[EventRecording, PosedImages]:
    """A recording of Gaussians, and views to compare a reconstruction with.

    Args:
        cloud: The scene, z up unless ``trajectory`` says how to go.
        level: "easy", "medium" or "hard": how the camera moves, and what its sensor is like, as in Robust e-NeRF's data.
        size: Width and height of the sensor, pixels; its field of view is 50 degrees.
        sensor: Instead of the level's.
        trajectory: Instead of a spiral around the middle of the Gaussians.
        background: Colour where nothing is.
        duration_ns: Only the beginning.
        seed: Of the sensor.

    Raises:
        InvalidInput: Another level, or nothing to look at.
    """
    if level not in SETTINGS:
        raise InvalidInput(f"no level {level!r}; choose from {', '.join(SETTINGS)}")
    setting, around = SETTINGS[level], cameras_around(cloud, _TEST_VIEWS, *size)
    sensor = setting.sensor if sensor is None else sensor
    if trajectory is None:
        middle = around.centers.double().mean(0)
        radius = float(
            (around.centers[0].double() - around.centers[4].double()).norm() / 2 / math.cos(math.radians(20))
        )
        middle[2] -= radius * math.sin(math.radians(20))
        spiral = replace(setting.spiral, center=tuple(middle.tolist()), radius=radius)
        trajectory = spiral_trajectory(spiral)
    if duration_ns is not None:
        trajectory = trajectory.between(trajectory.t0_ns, trajectory.t0_ns + duration_ns + 1)
    camera = EventCamera(
        around.K[0].double(),
        *size,
        bayer_pattern=sensor.bayer_pattern,
        thresholds=sensor.thresholds,
        refractory_period_ns=float(sensor.refractory_period_ns),
    )
    render = splat_renderer(cloud, background=background)
    stream = simulate_camera(render, camera, trajectory, sensor, sampling=Sampling(), seed=seed, progress=progress)
    images = torch.stack([view.image.clamp(0, 1).cpu() for view in render_views(cloud, around, background=background)])
    views = PosedImages.from_tensors(around.to(torch.float64), images, [f"r_{row}.png" for row in range(len(around))])
    return EventRecording(stream, f"simulated, {level}", trajectory, camera), views


def _by_numbers(path: Path) -> list[tuple[int, int | str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def _read_times(path: Path, n: int) -> tuple[int, ...]:
    if not path.is_file():
        raise MissingPart(f"{path}: no times of the images; write seconds there, a line an image, or give --fps")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        times = [round(float(line.split()[0]) * 1e9) for line in lines if line.strip() and not line.startswith("#")]
    except (ValueError, OverflowError) as error:
        raise CorruptFile(path, "a time", f"{error}; expected seconds as the first number of each line") from error
    if len(times) != n:
        raise CorruptFile(path, f"{len(times)} times", f"for {n} images; expected one each")
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise CorruptFile(path, "times", "do not increase; the images are taken in the order of their names")
    return tuple(times)
