"""From poses of a file to a trajectory; whatever is guessed, left out or repaired is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64

from ...core.errors import CorruptFile, MissingPart
from ..trajectory import Interpolation, Trajectory

_ROUNDED = 1e-3
"""By how much a quaternion's length may miss 1 without a word."""
_NO_ROTATION = 0.1
"""Length below which a quaternion is no rotation."""


@dataclass(frozen=True, eq=False)
class RawPoses:
    """Camera poses as a file has them."""

    t_ns: Int64[np.ndarray, "n"]
    centers: Float64[np.ndarray, "n 3"]
    """Metres, in the world."""
    quats: Float64[np.ndarray, "n 4"]
    """``world_from_camera``, w x y z."""
    format: str
    notes: tuple[str, ...] = ()


class PoseFile(NamedTuple):
    """The trajectory of a file. ``notes`` say what was guessed, left out or repaired."""

    trajectory: Trajectory
    format: str
    notes: tuple[str, ...]


def tidy_poses(path: Path, raw: RawPoses, *, interpolation: Interpolation = "linear") -> PoseFile:
    """Sort poses, leave out those of a time that is there already, and bring quaternions to unit length.

    Raises:
        MissingPart: Fewer than two poses.
        CorruptFile: NaN or infinity, or a quaternion near zero.
    """
    t_ns, centers, quats, notes = raw.t_ns, raw.centers, raw.quats, list(raw.notes)
    if not (len(t_ns) == len(centers) == len(quats)):
        raise CorruptFile(
            path, "poses", f"{len(t_ns)} times, {len(centers)} places and {len(quats)} rotations; expected one each"
        )
    broken = ~(np.isfinite(centers).all(1) & np.isfinite(quats).all(1))
    if broken.any():
        raise CorruptFile(path, f"pose {int(broken.argmax())}", "holds NaN or infinity; leave such poses out first")
    if (np.diff(t_ns) < 0).any():
        notes.append(f"times of poses ran back {int((np.diff(t_ns) < 0).sum())} times; they were sorted")
        order = np.argsort(t_ns, kind="stable")
        t_ns, centers, quats = t_ns[order], centers[order], quats[order]
    is_new = np.ones(len(t_ns), bool)
    is_new[1:] = np.diff(t_ns) > 0
    if not is_new.all():
        notes.append(
            f"{int((~is_new).sum())} of {len(t_ns)} poses have the time of the one before them and were left out"
        )
        t_ns, centers, quats = t_ns[is_new], centers[is_new], quats[is_new]
    if len(t_ns) < 2:
        raise MissingPart(
            f"{path}: {len(t_ns)} poses of different times; expected at least 2, between which is interpolated"
        )
    quats = _unit(path, quats, notes)
    arrays = (np.ascontiguousarray(t_ns), np.ascontiguousarray(centers, np.float64), quats)
    times, places, turns = map(torch.from_numpy, arrays)
    return PoseFile(Trajectory(times, places, turns, interpolation), raw.format, tuple(notes))


def _unit(path: Path, quats: np.ndarray, notes: list[str]) -> np.ndarray:
    length = np.linalg.norm(quats, axis=1)
    if (length < _NO_ROTATION).any():
        i = int(length.argmin())
        raise CorruptFile(
            path, f"pose {i}", f"its quaternion has the length {length[i]:g}, which is no rotation; expected 1"
        )
    off = np.abs(length - 1)
    if (off > _ROUNDED).any():
        count = int((off > _ROUNDED).sum())
        notes.append(
            f"{count} of {len(quats)} quaternions missed unit length, by up to {off.max():.2g}, and were normalised"
        )
    return quats / length[:, None]
