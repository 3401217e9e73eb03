"""Scans of any kind, files of Gaussian splats among them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ..core.errors import MissingPart
from ..data.readers.scan import ScanFile, read_scan_file
from ..rendering.splat_files.files import read_splats
from ..rendering.splat_files.points import to_point_cloud
from ..rendering.splat_files.spz import SPZ_MAGIC

_LEAST_OPACITY = 0.1


def read_any_scan(path: str | PathLike[str]) -> ScanFile:
    """Read a scan: what :func:`trisparse.data.readers.scan.read_scan_file` reads, .splat and .spz.

    Gaussians become points where their centres are; faint ones and those with NaN are left out. Coordinates of an .spz file
    are those that the same Gaussians have in a PLY file.

    Raises:
        MissingPart, UnknownFormat, CorruptFile, UnsafeFile, BackendUnavailable: See :func:`.read_scan_file` and
            :func:`trisparse.rendering.splat_files.files.read_splats`.
    """
    path = Path(path)
    if not path.is_file() or not _holds_splats(path):
        return read_scan_file(path)
    file = read_splats(path, drop_bad=True)
    cloud = to_point_cloud(file.cloud, min_opacity=_LEAST_OPACITY)
    faint = len(file.cloud) - len(cloud)
    notes = list(file.notes)
    if faint:
        notes.append(f"{faint} of {len(file.cloud)} Gaussians have an opacity below {_LEAST_OPACITY:g}: left out")
    if not len(cloud):
        raise MissingPart(
            f"{path}: holds no points ({'; '.join(notes) or 'the file holds no Gaussian'}); expected a scan"
        )
    if file.format.startswith("SPZ"):
        notes.append(
            "coordinates are those of a PLY file of these Gaussians: y and z have the other sign in the .spz file"
        )
    return ScanFile(cloud, f"{file.format} Gaussian splats", tuple(notes))


def _holds_splats(path: Path) -> bool:
    """By mark or name; PLY files and everything else are told apart by the reader of scans."""
    with path.open("rb") as file:
        head = file.read(4)
    return head == SPZ_MAGIC or (path.suffix.lower() in (".splat", ".spz") and head[:3] != b"ply")
