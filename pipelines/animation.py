"""Videos of rendered images."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ..core.errors import BackendUnavailable, InvalidInput
from ..core.files import atomic_write

Frame = UInt8[np.ndarray, "h w 3"]


def write_video(folder: Path, name: str, frames: Sequence[Frame], *, fps: int = 24, kind: str = "auto") -> Path:
    """Write ``name.mp4`` where imageio-ffmpeg is installed (extra ``[video]``), an animated ``name.webp`` otherwise.

    Args:
        folder: Made if it is missing.
        name: Without ending.
        frames: At least one, all of one size.
        fps: Frames a second.
        kind: "mp4", "webp", or "auto" for the choice above.

    Raises:
        InvalidInput: No frame.
        BackendUnavailable: "mp4" without imageio-ffmpeg.
    """
    if not len(frames):
        raise InvalidInput("a video of no frames; give at least one")
    has_ffmpeg = find_spec("imageio_ffmpeg") is not None
    if kind == "mp4" and not has_ffmpeg:
        raise BackendUnavailable('MP4 needs imageio-ffmpeg: pip install "trisparse[video]", or ask for webp')
    if kind == "mp4" or (kind == "auto" and has_ffmpeg):
        return _write_mp4(folder / f"{name}.mp4", frames, fps)
    return _write_webp(folder / f"{name}.webp", frames, fps)


def _write_webp(path: Path, frames: Sequence[Frame], fps: int) -> Path:
    from PIL import Image

    first, *others = [Image.fromarray(frame) for frame in frames]
    with atomic_write(path) as file:
        first.save(
            file, "WEBP", save_all=True, append_images=others, duration=round(1000 / fps), loop=0, quality=85, method=2
        )
    return path


def _write_mp4(path: Path, frames: Sequence[Frame], fps: int) -> Path:
    from importlib import import_module

    ffmpeg: Any = import_module("imageio_ffmpeg")
    height, width = frames[0].shape[:2]
    even = width // 2 * 2, height // 2 * 2  # its pixel format halves colours
    unfinished = path.with_name(f".{path.stem}.unfinished.mp4")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        writer = ffmpeg.write_frames(str(unfinished), even, fps=fps, codec="libx264", quality=8, macro_block_size=2)
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame[: even[1], : even[0]]))
        writer.close()
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
