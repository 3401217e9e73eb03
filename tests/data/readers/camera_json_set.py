"""A folder of cameras.json with photos, for tests of its reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .posed_scene import FOCAL, HEIGHT, WIDTH, photo, save, shots

Content = dict[str, Any]


def camera_content(pixel_centers: float | None = 0.5, scale: float = 1.0) -> Content:
    """The scene of three shots; the matrices for images at another scale, in the file's own pixels."""
    half = 0.5 - (pixel_centers or 0)
    K = [[scale * FOCAL, 0, scale * WIDTH / 2 - half], [0, scale * FOCAL, scale * HEIGHT / 2 - half], [0, 0, 1]]
    size = {"width": round(scale * WIDTH), "height": round(scale * HEIGHT)}
    frames = [
        {"file": f"p{i}.png", **size, "K": K, "R": shot.rotation.tolist(), "t": shot.translation.tolist()}
        for i, shot in enumerate(shots())
    ]
    said = {} if pixel_centers is None else {"pixel_centers": pixel_centers}
    return {"convention": "any text", **said, "frames": frames}


def write_set(folder: Path, content: Content, place: str = "images") -> Path:
    """Three photos and cameras.json; the folder."""
    for i, shot in enumerate(shots()):
        save(folder / place / f"p{i}.png", photo(shot.mark))
    (folder / "cameras.json").write_text(json.dumps(content))
    return folder


def write_points(folder: Path, **arrays: np.ndarray) -> None:
    """Its points.npz."""
    np.savez(folder / "points.npz", allow_pickle=True, **arrays)
