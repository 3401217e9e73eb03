"""The fixed evaluation set ``events-eval-v2``: one generated scene, recorded three times, and views to compare with.

The scene, the sensor and the views were fixed before anything was trained on them; ``eval-v2.json`` holds all that they follow
from. (A first version, of 4 rays a pixel and frames half a pixel apart, was given up before anything was published: its
events stood for 0.7 thresholds on average, see ``benchmarks/event_fidelity.py``.) ``trisparse events simulate
events-eval-v2`` makes the recordings anew, with the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from ..core.errors import CorruptFile, InvalidInput
from ..data.event_camera import EventCamera
from ..data.event_recording import EventRecording
from ..data.posed_images import PosedImages
from ..data.still_life.render import photograph
from ..data.still_life.rigs import Lens, random_views
from ..data.still_life.scene import StillLife, make_still_life
from .film import Sampling, simulate_camera
from .generated_scenes import SETTINGS, Setting, still_life_renderer
from .trajectories import spiral_trajectory

EVAL_V2 = Path(__file__).with_name("eval-v2.json")


@dataclass(frozen=True)
class EventEvalSet:
    """What a generated recording follows from, its level apart (see :data:`.generated_scenes.SETTINGS`)."""

    name: str
    kind: str
    """Of still life."""
    scene_seed: int
    width: int
    height: int
    focal_px: float
    samples_per_pixel: int
    """Rays a pixel of the frames that events are simulated from, and of the test views."""
    largest_flow_px: float
    """By how much a pixel moves from frame to frame, at most."""
    sensor_seed: int
    test_views: int
    test_seed: int
    test_elevations: tuple[float, float]
    """Radians above the horizontal, between which test views lie."""

    @classmethod
    def read(cls, path: Path = EVAL_V2) -> EventEvalSet:
        """Read a set.

        Raises:
            CorruptFile: Not such a file.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            values["test_elevations"] = tuple(values["test_elevations"])
            return cls(**{field.name: values[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptFile(path, "settings", f"no evaluation set of events: {error}") from error

    @property
    def scene(self) -> StillLife:
        """The still life."""
        return make_still_life(self.scene_seed, self.kind)

    def setting(self, level: str, *, is_color: bool = True) -> Setting:
        """Path and sensor of a level.

        Raises:
            InvalidInput: Another level.
        """
        if level not in SETTINGS:
            raise InvalidInput(f"no level {level!r}; choose from {', '.join(SETTINGS)}")
        setting = SETTINGS[level].around(self.scene)
        return setting if is_color else replace(setting, sensor=replace(setting.sensor, bayer_pattern=""))

    def camera(self, setting: Setting) -> EventCamera:
        """The event camera, with its nominal thresholds and refractory period."""
        K = torch.eye(3, dtype=torch.float64)
        K[0, 0] = K[1, 1] = self.focal_px
        K[0, 2], K[1, 2] = self.width / 2, self.height / 2
        sensor = setting.sensor
        return EventCamera(
            K,
            self.width,
            self.height,
            bayer_pattern=sensor.bayer_pattern,
            thresholds=sensor.thresholds,
            refractory_period_ns=float(sensor.refractory_period_ns),
        )

    def record(
        self,
        level: str,
        *,
        is_color: bool = True,
        duration_ns: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> EventRecording:
        """Simulate a recording.

        Args:
            level: "easy", "medium" or "hard".
            is_color: Whether the sensor has colour filters.
            duration_ns: Only the beginning of the recording, of so many nanoseconds.
            progress: Is told the share that is done.
        """
        setting = self.setting(level, is_color=is_color)
        camera, trajectory = self.camera(setting), spiral_trajectory(setting.spiral)
        if duration_ns is not None:
            trajectory = trajectory.between(trajectory.t0_ns, trajectory.t0_ns + duration_ns + 1)
        render = still_life_renderer(self.scene, samples_per_pixel=self.samples_per_pixel)
        stream = simulate_camera(
            render,
            camera,
            trajectory,
            setting.sensor,
            sampling=Sampling(self.largest_flow_px),
            seed=self.sensor_seed,
            progress=progress,
        )
        return EventRecording(stream, f"{self.name}, {level}", trajectory, camera)

    def views(self) -> PosedImages:
        """Photos from elsewhere, to compare with: at random around the scene."""
        lens = Lens(self.width, self.height, 2 * math.atan(self.width / 2 / self.focal_px))
        cameras = random_views(self.scene, self.test_views, lens, seed=self.test_seed, elevations=self.test_elevations)
        photos = photograph(self.scene, cameras, samples_per_pixel=self.samples_per_pixel)
        names = [f"r_{row}.png" for row in range(len(cameras))]
        return PosedImages.from_tensors(cameras, photos.images, names)
