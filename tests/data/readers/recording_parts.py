"""A small recording with poses and a calibration, in memory and as an RPG folder, for tests of readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.spatial.transform import Rotation
from trisparse.data.event_camera import ContrastThresholds, EventCamera
from trisparse.data.event_recording import EventRecording
from trisparse.data.event_stream import EventStream
from trisparse.data.quaternions import to_matrix
from trisparse.data.readers.event_text import write_event_text
from trisparse.data.trajectory import Trajectory

WIDTH, HEIGHT = 32, 24


def pose(vector: list[float], center: list[float]) -> np.ndarray:
    """A rigid matrix."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(vector).as_matrix()
    matrix[:3, 3] = center
    return matrix


def seven(matrix: np.ndarray) -> list[float]:
    """px py pz qx qy qz qw."""
    return [*matrix[:3, 3], *Rotation.from_matrix(matrix[:3, :3]).as_quat()]


def stream(start_ns: int = 0, step_ns: int = 1000) -> EventStream:
    """Two hundred events."""
    i = np.arange(200)
    return EventStream.from_arrays(
        i * 7 % WIDTH, i * 5 % HEIGHT, start_ns + step_ns * i, i % 3 > 0, height=HEIGHT, width=WIDTH
    )


def trajectory(start_ns: int = 0, step_ns: int = 50_000) -> Trajectory:
    """Five poses that turn."""
    matrices = [pose([0.1 * i, 0, 0.05], [i, 2, -1]) for i in range(5)]
    table = torch.tensor(np.array([seven(m) for m in matrices]))
    return Trajectory(start_ns + step_ns * torch.arange(5), table[:, :3].clone(), table[:, [6, 3, 4, 5]].clone())


def camera(**changed: Any) -> EventCamera:
    """A calibrated sensor."""
    K = torch.tensor([[30.0, 0, 16.5], [0, 31, 12.5], [0, 0, 1]], dtype=torch.float64)
    lens = torch.tensor([0.1, -0.05, 0.01, 0.0], dtype=torch.float64)
    known: dict[str, Any] = {
        "thresholds": ContrastThresholds(0.25, 0.3),
        "refractory_period_ns": 8000.0,
        "bayer_pattern": "RGGB",
    }
    return EventCamera(K, WIDTH, HEIGHT, **({"model": "opencv", "distortion": lens} | known | changed))


def assert_same(a: EventRecording, b: EventRecording, shift_ns: int = 0) -> None:
    """The same events, poses and camera, to float32; times of ``b`` are earlier by the shift."""
    assert np.array_equal(a.stream.t_ns - shift_ns, b.stream.t_ns)
    for name in ("x", "y", "polarity"):
        assert np.array_equal(getattr(a.stream, name), getattr(b.stream, name))
    assert a.trajectory is not None
    assert b.trajectory is not None
    assert torch.equal(a.trajectory.t_ns - shift_ns, b.trajectory.t_ns)
    torch.testing.assert_close(a.trajectory.centers, b.trajectory.centers, atol=1e-6, rtol=0)
    torch.testing.assert_close(to_matrix(a.trajectory.quats), to_matrix(b.trajectory.quats), atol=1e-6, rtol=0)
    assert a.camera is not None
    assert b.camera is not None
    torch.testing.assert_close(a.camera.K, b.camera.K, atol=1e-5, rtol=0)
    assert (a.camera.bayer_pattern, a.camera.model) == (b.camera.bayer_pattern, b.camera.model)


def rpg_folder(folder: Path, frames: int = 2) -> Path:
    """As the event camera data set has it."""
    folder.mkdir(exist_ok=True)
    write_event_text(folder / "events.txt", stream())
    rows = zip(trajectory().t_ns.tolist(), trajectory().centers.tolist(), trajectory().quats.tolist(), strict=True)
    text = "".join(f"{t / 1e9:.9f} {' '.join(map(str, c))} {q[1]} {q[2]} {q[3]} {q[0]}\n" for t, c, q in rows)
    (folder / "groundtruth.txt").write_text(text)
    (folder / "calib.txt").write_text("30 31 16 12 0.1 -0.05 0.01 0.0 0.0\n")
    (folder / "images").mkdir(exist_ok=True)
    lines = ""
    for i in range(frames):
        Image.new("L", (WIDTH, HEIGHT), 40 * i).save(folder / "images" / f"{i}.png")
        lines += f"{0.00015 * i - 1e-5:.9f} images/{i}.png\n"
    (folder / "images.txt").write_text(lines)
    return folder
