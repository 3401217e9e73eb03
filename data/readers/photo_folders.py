"""Which file of a folder a photo's name means."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...core.errors import CorruptFile, MissingPart

PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Of photos, in the order in which they are tried where a file names none."""

_LONGEST_NAME, _LONGEST_PART = 4000, 255
"""Characters of a path, and bytes of each folder or file in it, that file systems take."""


def inner_path(source: Path, where: str, name: str) -> PurePosixPath:
    """A photo's name as a path that stays inside the folder it is meant for.

    Args:
        source: The file that names the photo, for messages.
        where: The place in it.
        name: Slashes of either kind.

    Raises:
        CorruptFile: The name is empty, too long or absolute, holds control characters, or leads out of the folder.
    """
    path = PurePosixPath(os.path.normpath(name.replace("\\", "/")))
    is_name = name and len(name) <= _LONGEST_NAME and not any(unicodedata.category(c) == "Cc" for c in name)
    if not is_name or any(len(part.encode()) > _LONGEST_PART for part in path.parts):
        raise CorruptFile(source, where, f"{_short(name)!r} cannot be the name of a photo")
    if path.is_absolute() or path.parts[:1] == ("..",) or not path.parts or ":" in path.parts[0]:
        raise CorruptFile(
            source,
            where,
            f"the photo {_short(name)!r} lies outside the folder; expected a path within it: move the photos there, or "
            "name their folder with `images`",
        )
    return path


def list_photos(folder: Path) -> list[str]:
    """Names of the photos right in a folder, sorted; none where there is no folder."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.name.lower().endswith(PHOTO_SUFFIXES) and not e.name.startswith("."))


class PhotoFolder:
    """Looks photos up in a folder.

    Args:
        folder: Where they lie.
        any_suffix: A photo may have been converted: ``a.jpg`` may also be ``a.png``.
        originals: The folder of the photos at their first size. Some data sets number the smaller ones anew (LLFF's
            ``images_8``): where none is found by its name and both folders hold equally many, the n-th means the n-th.
    """

    def __init__(self, folder: Path, *, any_suffix: bool = False, originals: Path | None = None) -> None:
        self.folder = folder
        self._any_suffix = any_suffix
        self._originals = originals
        self._stems: dict[str, dict[str, Path]] = {}
        self._renamed: dict[str, str] | None = None

    def find(self, name: PurePosixPath) -> Path | None:
        """The photo's file, None where it is not there."""
        exact = self.folder / name
        if exact.is_file():
            return exact
        if self._any_suffix or name.suffix.lower() not in PHOTO_SUFFIXES:
            stem = name.stem if name.suffix.lower() in PHOTO_SUFFIXES else name.name
            return self._by_stem(exact.parent).get(stem)
        return None

    def find_all(self, names: Sequence[PurePosixPath]) -> list[Path | None]:
        """The files of photos, each None where it is not there."""
        found = [self.find(name) for name in names]
        if self._originals is None or any(found):
            return found
        old, new = list_photos(self._originals), list_photos(self.folder)
        if len(old) != len(new):
            return found
        renamed = dict(zip(old, new, strict=True))
        return [self.folder / renamed[str(name)] if str(name) in renamed else None for name in names]

    def _by_stem(self, folder: Path) -> dict[str, Path]:
        """The photos of a folder by their names without suffix; of several, the first of `PHOTO_SUFFIXES`."""
        key = str(folder)
        if key not in self._stems:
            order = {suffix: i for i, suffix in enumerate(PHOTO_SUFFIXES)}
            paths = [folder / name for name in list_photos(folder)]
            paths.sort(key=lambda path: -order[path.suffix.lower()])
            self._stems[key] = {path.stem: path for path in paths}
        return self._stems[key]


def require_some(source: Path, names: Sequence[PurePosixPath], found: Sequence[Path | None], places: str) -> None:
    """Refuse a set none of whose photos is there.

    Raises:
        MissingPart: Names the first photo and where it was looked for.
    """
    if names and not any(found):
        raise MissingPart(
            f"{source}: none of its {len(names)} photos is there; looked for {_short(str(names[0]))!r} and the others in "
            f"{places}; name their folder with `images`"
        )


def without_camera(found: Sequence[Path | None]) -> list[str]:
    """What to say of photos that lie in the same folder as others, but have no camera.

    Args:
        found: The files of the photos that have one, None for those that are not there.
    """
    there = {photo for photo in found if photo is not None}
    folders = sorted({photo.parent for photo in there})
    extra = [name for folder in folders for name in list_photos(folder) if folder / name not in there]
    return [f"{len(extra)} photos have no camera ({some_of(extra)}): left out"] if extra else []


def some_of(names: Sequence[str]) -> str:
    """The first names, each at most 80 printable characters, and how many more there are, for messages."""
    first = ", ".join(_short("".join(c if c.isprintable() else repr(c)[1:-1] for c in name)) for name in names[:3])
    return first + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _short(name: str) -> str:
    return name if len(name) <= 80 else name[:77] + "..."
