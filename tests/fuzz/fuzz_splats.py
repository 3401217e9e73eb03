"""Small valid files of Gaussian splats, to be damaged."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from fuzz_seeds import ply_files, written
from trisparse.rendering.gaussians import GaussianCloud
from trisparse.rendering.splat_files.files import write_splats
from trisparse.rendering.splat_files.spz import write_spz


def _cloud(degree: int, n: int = 3) -> GaussianCloud:
    steps = torch.arange(float(n))
    return GaussianCloud(
        torch.stack([steps - 1, 0.5 * steps, -steps], 1),
        torch.tensor([1.0, 0.2, -0.3, 0.1]).repeat(n, 1),
        torch.tensor([-3.0, -2.0, -4.0]).repeat(n, 1) + 0.1 * steps[:, None],
        steps - 0.5,
        0.1 * torch.arange(3.0 * n * (degree + 1) ** 2).sin().reshape(n, (degree + 1) ** 2, 3),
    )


def splat_ply_files() -> list[bytes]:
    """PLY of each degree, none at all, plain points and old splats without rotations."""
    clouds = [*(_cloud(degree) for degree in range(4)), _cloud(0, 0)]
    return [*(written(partial(write_splats, cloud=c), "a.ply") for c in clouds), ply_files()[0], ply_files()[10]]


def dot_splat_files() -> list[bytes]:
    """.splat with several, one and no Gaussian."""
    return [written(partial(write_splats, cloud=_cloud(0, n)), "a.splat") for n in (3, 1, 0)]


def spz_files() -> list[bytes]:
    """SPZ of versions 2, 3 and, where it can be written, 4, of several degrees; one with the antialiased flag."""

    def file(version: int, degree: int) -> bytes:
        def write(path: Path) -> object:
            return write_spz(path, _cloud(degree), version, antialiased=degree == 1)

        return written(write, "a.spz")

    versions = (2, 3, 4) if find_spec("zstandard") is not None else (2, 3)
    return [file(version, degree) for version in versions for degree in (3, 0, 1)]
