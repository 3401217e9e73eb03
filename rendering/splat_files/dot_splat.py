"""The .splat files of web viewers: 32 bytes a Gaussian, no header, no harmonics.

Position and standard deviations as three float32 each; then red, green, blue, opacity and the quaternion w x y z as bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ...core.errors import CorruptFile
from ...core.files import write_bytes
from ..gaussians import SH_C0, GaussianCloud
from .byte_values import from_unit, logits_of_bytes, opacity_bytes, unit_quats
from .contents import SplatFile

_ROW = np.dtype([("position", "<f4", 3), ("scale", "<f4", 3), ("color", "u1", 4), ("rotation", "u1", 4)])


def read_dot_splat(path: Path) -> SplatFile:
    """Read a .splat file.

    Raises:
        CorruptFile: Its size is no multiple of 32 bytes, or a standard deviation is negative.
    """
    size = path.stat().st_size
    if size % _ROW.itemsize:
        raise CorruptFile(
            path,
            f"byte {size // _ROW.itemsize * _ROW.itemsize}",
            f"{size} bytes, expected a multiple of {_ROW.itemsize}; truncated, or no .splat file",
        )
    rows = np.fromfile(path, _ROW)
    if (rows["scale"] < 0).any():
        bad = int(np.argwhere(rows["scale"] < 0)[0, 0])
        raise CorruptFile(path, f"Gaussian {bad}", f"standard deviations of {rows['scale'][bad]}; is it a .splat file?")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_scales = np.log(rows["scale"])
    quats = (rows["rotation"].astype(np.float32) - 128) / 128
    cloud = GaussianCloud(
        torch.from_numpy(rows["position"].astype(np.float32)),
        torch.from_numpy(unit_quats(quats)),
        torch.from_numpy(log_scales.astype(np.float32)),
        torch.from_numpy(logits_of_bytes(rows["color"][:, 3])),
        torch.from_numpy(((rows["color"][:, :3].astype(np.float32) / 255 - 0.5) / np.float32(SH_C0))[:, None]),
    )
    return SplatFile(cloud, ".splat", ("the format holds no harmonics: colours do not depend on the view",))


def write_dot_splat(path: Path, cloud: GaussianCloud) -> tuple[str, ...]:
    """Write a .splat file, atomically; the notes say what it cannot hold."""
    rows = np.empty(len(cloud), _ROW)
    rows["position"] = cloud.means.numpy()
    with np.errstate(over="ignore"):
        rows["scale"] = np.exp(cloud.log_scales.numpy())
    colors = cloud.sh[:, 0].numpy() * np.float32(SH_C0) + np.float32(0.5)
    rows["color"][:, :3] = from_unit(colors)
    rows["color"][:, 3] = opacity_bytes(cloud.opacity_logits.numpy())
    rows["rotation"] = np.clip(np.round(unit_quats(cloud.quats.numpy()) * 128 + 128), 0, 255)
    write_bytes(path, rows.tobytes())
    notes = []
    if cloud.sh[:, 1:].any():
        notes.append(".splat holds no harmonics: colours no longer depend on the view")
    outside = int(((colors < 0) | (colors > 1)).any(1).sum())
    if outside:
        notes.append(f"{outside} Gaussians have a colour outside 0..1, which is cut off")
    return tuple(notes)
