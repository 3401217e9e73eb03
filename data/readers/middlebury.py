"""Middlebury's multi-view stereo sets: a `_par.txt` of projections beside the photos."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, InvalidInput, MissingPart
from ..posed_images import PosedImages
from .lens_and_pose import Lens, check_lens, check_pose
from .photo_folders import PhotoFolder, inner_path, require_some, without_camera
from .photo_set import View, photo_set
from .text_points import parse_numbers

_NUMBERS = 21
"""Of a line, after the photo's name: K and R row by row, then t."""


def find_middlebury(path: str | PathLike[str]) -> Path | None:
    """The file of cameras at a path or in the folder there; None where there is none.

    Raises:
        InvalidInput: The folder holds several.
    """
    path = Path(path)
    found = sorted(path.glob("*_par.txt")) if path.is_dir() else [path] if path.name.endswith("_par.txt") else []
    if len(found) > 1:
        raise InvalidInput(f"{path}: holds {', '.join(file.name for file in found[:4])}; name the one that is meant")
    return found[0] if found and found[0].is_file() else None


def read_middlebury(path: str | PathLike[str], images: str | PathLike[str] | None = None) -> PosedImages:
    """Read photos and cameras of a Middlebury set, in the order of the file's lines.

    A line is the photo's name, K and R row by row, and t: ``X_camera = R X_world + t``, in metres. Pixel centres there are
    whole numbers: half a pixel is added to the principal points.

    Args:
        path: The file ``<name>_par.txt``, or the folder that holds one.
        images: The folder of the photos; by default the file's, or ``images`` beside it.

    Raises:
        MissingPart: No such file, no lines, or none of the photos is there.
        CorruptFile: A line has other numbers; a pose or lens is none; a path leads out of the folder.
        InvalidInput: The folder holds several such files, or the photos have several shapes.
    """
    file = find_middlebury(path)
    if file is None:
        raise MissingPart(f"{path}: no cameras of a Middlebury set; expected a file *_par.txt")
    lines = _lines(file)
    names = [inner_path(file, where, name) for where, name, _ in lines]
    folders = [Path(images)] if images is not None else [file.parent, file.parent / "images"]
    options = [PhotoFolder(folder, any_suffix=images is not None).find_all(names) for folder in folders]
    found = max(options, key=lambda option: sum(photo is not None for photo in option))  # the first of equals
    require_some(file, names, found, ", ".join(map(str, folders)))
    views = [
        View(where, name.as_posix(), photo, _lens(file, where, numbers), _pose(file, where, numbers))
        for (where, _, numbers), name, photo in zip(lines, names, found, strict=True)
    ]
    notes = ["pixel centres were whole numbers: half a pixel was added", *without_camera(found)]
    return photo_set(file, views, warnings=notes)


def _lines(path: Path) -> list[tuple[str, str, np.ndarray]]:
    """Place, photo and numbers of each line. The first line may be the number of those that follow."""
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    rows = [(i + 1, line) for i, line in enumerate(text.splitlines()) if line.strip()]
    claimed = None
    if rows and len(rows[0][1].split()) == 1:
        (number, count), *rows = rows
        claimed = _numbers(path, number, count)
    if not rows:
        raise MissingPart(f"{path}: names no photos; expected lines of a photo, K, R and t")
    if claimed is not None and claimed[0] != len(rows):
        raise CorruptFile(path, "line 1", f"claims {claimed[0]:g} photos, but {len(rows)} lines follow; truncated?")
    found = []
    for number, line in rows:
        name, *rest = line.split(maxsplit=1)
        numbers = _numbers(path, number, rest[0] if rest else b"")
        if len(numbers) != _NUMBERS or not np.isfinite(numbers).all():
            problem = f"{len(numbers)} numbers after the photo's name, expected {_NUMBERS} finite ones (K, R, t)"
            raise CorruptFile(path, f"line {number}", problem)
        found.append((f"line {number}", name.decode(errors="replace"), numbers))
    return found


def _numbers(path: Path, number: int, text: bytes) -> np.ndarray:
    try:
        return parse_numbers(path, text)
    except CorruptFile as error:  # which counts lines within the text
        raise CorruptFile(path, f"line {number}", f"{text[:60]!r} holds a word that is no number") from error


def _lens(path: Path, where: str, numbers: np.ndarray) -> Lens:
    (fx, skew, cx), (zero, fy, cy), last = numbers[:9].reshape(3, 3)
    if zero or last.tolist() != [0, 0, 1]:
        problem = f"K is {numbers[:9].tolist()}, expected fx skew cx 0 fy cy 0 0 1 in pixels"
        raise CorruptFile(path, where, problem)
    return check_lens(path, where, Lens(None, None, fx, fy, cx + 0.5, cy + 0.5, skew))


def _pose(path: Path, where: str, numbers: np.ndarray) -> np.ndarray:
    return check_pose(path, where, np.concatenate([numbers[9:18].reshape(3, 3), numbers[18:, None]], 1))
