"""The Blender scenes of NeRF: transforms_train.json and its like, transparent photos on white."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ...core.errors import MissingPart
from ..posed_images import PosedImages
from .json_files import read_json
from .photo_set import photo_set
from .transforms_frames import Document, read_views


def read_blender(
    path: str | PathLike[str], split: str = "train", *, background: tuple[int, int, int] = (255, 255, 255)
) -> PosedImages:
    """Read one split of a Blender scene, in the order of its frames.

    World as Blender has it: z up, its units taken for metres. Pixel centres at +0.5, the principal point in the middle.

    Args:
        path: The scene's folder.
        split: Which ``transforms_<split>.json``: train, val or test.
        background: What shows through transparent photos, 0..255; the benchmarks take white.

    Raises:
        MissingPart: No such file, no frames, or none of the photos is there.
        CorruptFile: It contradicts itself; a pose or lens is none; a path leads out of the folder.
    """
    path = Path(path)
    file = path / f"transforms_{split}.json"
    if not file.is_file():
        there = sorted(f.name for f in path.glob("transforms_*.json")) if path.is_dir() else []
        raise MissingPart(
            f"{file}: no such file; expected a Blender scene of NeRF (found {', '.join(there) or 'no transforms_*.json'})"
        )
    document = Document(file, read_json(file, "a Blender scene of NeRF"))
    return photo_set(file, read_views(document, path), background=background)
