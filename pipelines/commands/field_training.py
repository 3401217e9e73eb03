"""What all commands ask for that learn a radiance field from a recording."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...core.errors import InvalidInput
from .recordings import RecordingCommand, sensor_size

if TYPE_CHECKING:
    from ...data.event_recording import PosedRecording
    from ...data.posed_images import PosedImages
    from ..event_nerf.config import EventNerfConfig
    from ..event_nerf.model import EventModel
    from ..stages.reconstruct_events import ReconstructEvents

Bounds = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class FieldCommand(RecordingCommand):
    """What commands ask for that learn a radiance field."""

    preset: str = "cpu-small"
    """Settings: "cpu-small" (minutes on two cores), or Robust e-NeRF's own, for a GPU: "synthetic", "mocap-1d-trans",
    "mocap-desk2", "office-maze"."""
    steps: int | None = None
    """Optimiser steps; the preset's by default."""
    bounds: Bounds | None = None
    """Box around the scene in metres: smallest x y z, then largest. By default around what the camera looks at."""
    outside: Literal["nothing", "more"] | None = None
    """Whether there is anything outside the box: "nothing" (a background is learned then), or "more" (drawn together). The
    preset's by default."""
    near: float | None = None
    """Metres from the camera to the nearest thing it sees."""
    far: float | None = None
    """Metres to the farthest."""
    thresholds: tuple[float, float] | None = None
    """Contrast thresholds (natural logarithm) for brighter and darker, instead of the calibration's."""
    refractory: float | None = None
    """Refractory period in microseconds, instead of the calibration's."""
    learn_sensor: bool | None = None
    """Learn the ratio of the thresholds and the refractory period with the scene; the preset's by default."""
    gradient: float | None = None
    """Weight of the gradient loss; the preset's by default."""
    poses_between: Literal["linear", "cubic"] = "linear"
    """Interpolation of poses."""
    photos: Path | None = None
    """Photos with cameras in the recording's world to compare with (transforms.json and others); those of the recording, or
    its views/ by default."""
    runs: Path = Path("runs")
    """Folder of trained fields; one that is there is used again."""

    def stage(self, seed: int) -> ReconstructEvents:
        """The training, with one seed."""
        from ..stages.reconstruct_events import ReconstructEvents

        return ReconstructEvents(
            recording=self.recording,
            config=self.config(seed),
            poses=self.poses,
            calibration=self.calibration,
            size=sensor_size(self.size),
            unit=self.time_unit,
            part=self.part,
            interpolation=self.poses_between,
            start_s=self.start,
            duration_s=self.duration,
            thresholds=self.thresholds,
            refractory_period_ns=None if self.refractory is None else self.refractory * 1e3,
            progress=not self.json,
        )

    def config(self, seed: int) -> EventNerfConfig:
        """The preset with what the user said otherwise.

        Raises:
            InvalidInput: No such preset.
        """
        from ..event_nerf.config import PRESETS

        config = PRESETS.get(self.preset)
        if config is None:
            raise InvalidInput(f"no preset {self.preset!r}; choose from {', '.join(PRESETS)}")
        space = config.space
        if self.bounds is not None:
            space = replace(space, aabb=self.bounds)
        if self.outside is not None:
            space = replace(space, contraction="aabb" if self.outside == "nothing" else "sphere")
        near, far = self.near, self.far
        space = replace(space, near=space.near if near is None else near, far=space.far if far is None else far)
        config = replace(config, space=space, seed=seed)
        if self.outside is not None:
            config = replace(config, has_background=self.outside == "nothing")
        if self.learn_sensor is not None:
            config = replace(config, learn_ratio=self.learn_sensor, learn_refractory_period=self.learn_sensor)
        if self.gradient is not None:
            config = replace(config, loss=replace(config.loss, gradient=self.gradient))
        return config if self.steps is None else config.with_steps(self.steps)

    def check(self, recording: PosedRecording) -> None:
        """What is wrong with the space is said before anything takes long.

        Raises:
            InvalidInput: Nothing tells where the scene is.
        """
        from ..event_nerf.space import find_space

        find_space(recording, self.config(0).space)

    def comparison(self) -> PosedImages | None:
        """Photos to compare with: those that are named, else those beside the events; None without any."""
        from ...data.readers.event_recordings import read_recording
        from ...data.readers.photos import read_photos

        beside = self.recording / "views" / "transforms_val.json"
        if self.photos is not None or beside.is_file():
            return read_photos(self.photos or beside)
        if not self.recording.is_dir():
            return None
        found = read_recording(self.recording, poses=self.poses, calibration=self.calibration).posed_frames()
        return found if found is not None and len(found) else None


def learned(stage: ReconstructEvents, runs: Path) -> tuple[EventModel, Path]:
    """The field of a stage, trained now or earlier, and its folder."""
    from ..event_nerf.saved import load_field
    from ..runner import Machine, run_stage
    from ..store import Store
    from ..to_answer import record_alone

    artifact = run_stage(stage, Store(runs), machine=Machine())
    record_alone(Store(runs), "reconstruct", stage.recording, artifact)
    return load_field(artifact.folder / "field.safetensors").model, artifact.folder
