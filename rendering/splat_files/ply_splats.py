"""Gaussians as PLY files in the layout of Kerbl et al. (SIGGRAPH 2023), which most programs read.

One element ``vertex`` with x y z, nx ny nz (0), f_dc_0..2, f_rest_* (all of red, then of green, then of blue), opacity (a
logit), scale_0..2 (logarithms) and rot_0..3 (w x y z), all float32 and little endian.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from ...data.readers.ply import PlyElement, read_ply, write_ply
from ..gaussians import GaussianCloud
from .contents import SplatFile

_MEANS, _DC = ("x", "y", "z"), ("f_dc_0", "f_dc_1", "f_dc_2")
_SCALES, _QUATS = ("scale_0", "scale_1", "scale_2"), ("rot_0", "rot_1", "rot_2", "rot_3")


def read_ply_splats(path: Path) -> SplatFile:
    """Read a PLY file of Gaussians: any encoding, any order of properties, with or without normals and harmonics.

    Raises:
        MissingPart: A property that Gaussians need is not there.
        UnknownFormat: A compressed PLY file of SuperSplat.
        CorruptFile: The file is truncated or contradicts itself.
    """
    ply = read_ply(path)
    vertex = ply.elements.get("vertex")
    if vertex is not None and "packed_position" in vertex:
        raise UnknownFormat(
            f"{path}: a compressed PLY file of SuperSplat; expected a plain one: export it as .ply or .spz"
        )
    missing = [name for name in (*_MEANS, *_DC, "opacity", *_SCALES, *_QUATS) if vertex is None or name not in vertex]
    if vertex is None or missing:
        raise MissingPart(
            f"{path}: no property {missing[0]!r} of an element 'vertex'; expected Gaussians: x y z, f_dc_*, opacity, scale_*, "
            "rot_*. Is it a cloud of plain points?"
        )
    try:
        sh = np.concatenate([_numbers(vertex, *_DC)[:, None], _rest(path, vertex)], 1)
        parts = [_numbers(vertex, *names) for names in (_MEANS, _QUATS, _SCALES, ("opacity",))]
    except MissingPart as error:  # a list where numbers should be
        raise MissingPart(f"{path}: {error}") from error
    means, quats, scales, opacities = map(torch.from_numpy, parts)
    return SplatFile(GaussianCloud(means, quats, scales, opacities[:, 0], torch.from_numpy(sh)), "PLY")


def write_ply_splats(path: Path, cloud: GaussianCloud) -> None:
    """Write a PLY file of Gaussians, atomically."""
    nothing = np.zeros(len(cloud), np.float32)
    rest = cloud.sh[:, 1:].transpose(1, 2).reshape(len(cloud), 3 * (cloud.sh.shape[1] - 1))
    columns = {name: cloud.means[:, i].numpy() for i, name in enumerate(_MEANS)}
    columns |= dict.fromkeys(("nx", "ny", "nz"), nothing)
    columns |= {name: cloud.sh[:, 0, i].numpy() for i, name in enumerate(_DC)}
    columns |= {f"f_rest_{i}": rest[:, i].numpy() for i in range(rest.shape[1])}
    columns |= {"opacity": cloud.opacity_logits.numpy()}
    columns |= {name: cloud.log_scales[:, i].numpy() for i, name in enumerate(_SCALES)}
    columns |= {name: cloud.quats[:, i].numpy() for i, name in enumerate(_QUATS)}
    write_ply(path, {"vertex": columns})


def _rest(path: Path, vertex: PlyElement) -> np.ndarray:
    """Coefficients above degree 0, (n, k - 1, 3)."""
    count = sum(name.startswith("f_rest_") for name in vertex.columns)
    if count not in (0, 9, 24, 45):
        raise CorruptFile(path, "header", f"{count} properties f_rest_*; expected 0, 9, 24 or 45 (degree 0 to 3)")
    if not count:
        return np.empty((len(vertex), 0, 3), np.float32)
    return _numbers(vertex, *(f"f_rest_{i}" for i in range(count))).reshape(-1, 3, count // 3).transpose(0, 2, 1)


def _numbers(vertex: PlyElement, *names: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is found as infinity later
        return vertex.scalars(*names).astype(np.float32)
