"""Gaussians into files that viewers open, and out of them."""

from __future__ import annotations

import math
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ...core.errors import CorruptFile, InvalidInput, MissingPart, UnknownFormat
from ..gaussians import GaussianCloud
from .contents import SplatFile, clean_read, clean_write
from .dot_splat import read_dot_splat, write_dot_splat
from .ply_splats import read_ply_splats, write_ply_splats
from .spz import GZIP_MAGIC, SPZ_MAGIC, read_spz, write_spz

VIEWING_DISTANCE = 4.0
"""Distance that cameras get by ``normalize``: viewers cut off what is nearer than 0.2, here a twentieth of it."""

_FORMATS = ".ply, .splat or .spz"


def read_splats(path: str | PathLike[str], *, drop_bad: bool = False) -> SplatFile:
    """Read Gaussians from a PLY, .splat or SPZ file, told by its content; a .splat file has no mark, so by its name.

    Args:
        path: The file.
        drop_bad: Leave Gaussians with NaN or infinity out, which a note then says, instead of refusing the file.

    Raises:
        MissingPart: No such file, or a PLY file without a property that Gaussians need.
        UnknownFormat: The content is of no format, or of no version, that is read here.
        CorruptFile: The file is truncated, contradicts itself, or holds NaN or infinity.
        BackendUnavailable: SPZ of version 4 without the package zstandard.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected Gaussian splats: {_FORMATS}")
    with path.open("rb") as file:
        head = file.read(4)
    if head[:3] == b"ply" and head[3:].isspace():
        read = read_ply_splats
    elif head == SPZ_MAGIC or head[:3] == GZIP_MAGIC:
        read = read_spz
    elif path.suffix.lower() == ".splat":
        read = read_dot_splat
    elif not head:
        raise CorruptFile(path, "byte 0", f"the file is empty; expected Gaussian splats: {_FORMATS}")
    else:
        raise UnknownFormat(
            f"{path}: begins with {head!r}, as neither PLY nor SPZ files do, and is not named .splat; expected {_FORMATS}"
        )
    return clean_read(path, read(path), drop_bad)


def write_splats(
    path: str | PathLike[str],
    cloud: GaussianCloud,
    *,
    sh_degree: int | None = None,
    normalize: float | None = None,
    drop_bad: bool = False,
    antialiased: bool = False,
    spz_version: int = 3,
) -> tuple[str, ...]:
    """Write Gaussians to a .ply, .splat or .spz file, atomically, in the format that its name says.

    Args:
        path: The file to make or replace.
        cloud: Any device and precision; single precision is written.
        sh_degree: Degree of the harmonics in the file: missing ones are written as 0, since some viewers reject files
            without them, and further ones are cut off. As the cloud has them by default; .splat holds none.
        normalize: Median distance of the cameras from what they see, in the cloud's units. The file is then scaled so that
            it becomes `VIEWING_DISTANCE`: viewers cut off whatever is nearer than 0.2 units. Not scaled by default.
        drop_bad: Leave Gaussians with NaN or infinity out instead of refusing the cloud.
        antialiased: Whether the cloud was trained with the antialiased filter; only SPZ can say it.
        spz_version: 2, 3 or 4: 4 is the newest and needs the package zstandard; 3 is read by more viewers, 2 by old ones.

    Returns:
        What was changed or lost, each one sentence; rounding apart.

    Raises:
        InvalidInput: Another suffix, degree, version or distance, or coordinates too large for SPZ.
        NotFinite: Gaussians hold NaN or infinity.
        BackendUnavailable: SPZ of version 4 without the package zstandard.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".ply", ".splat", ".spz"):
        raise InvalidInput(f"{path}: a file of splats is named {_FORMATS}, not {path.suffix or 'without a suffix'!r}")
    if sh_degree is not None and sh_degree not in (0, 1, 2, 3):
        raise InvalidInput(f"harmonics of degree {sh_degree}; choose 0, 1, 2 or 3")
    cloud, notes = clean_write(cloud, drop_bad)
    if normalize is not None:
        cloud, note = _normalized(cloud, normalize)
        notes = (*notes, note)
    if sh_degree is not None:
        if cloud.sh[:, (sh_degree + 1) ** 2 :].any():
            notes = (*notes, f"harmonics above degree {sh_degree} are not in the file")
        cloud = cloud.with_degree(sh_degree)
    if suffix == ".ply":
        write_ply_splats(path, cloud)
        return notes
    if suffix == ".splat":
        return (*notes, *write_dot_splat(path, cloud))
    return (*notes, *write_spz(path, cloud, spz_version, antialiased))


def _normalized(cloud: GaussianCloud, camera_distance: float) -> tuple[GaussianCloud, str]:
    if not 0 < camera_distance < math.inf:
        raise InvalidInput(f"a median camera distance of {camera_distance:g}; expected a finite number above 0")
    factor = VIEWING_DISTANCE / camera_distance
    scaled = replace(cloud, means=cloud.means * factor, log_scales=cloud.log_scales + math.log(factor))
    return scaled, f"scaled by {factor:.6g}, so that cameras are some {VIEWING_DISTANCE:g} units away"
