"""Photos of a still life as a data set: with the points that structure from motion would have found, and as files."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ...core.errors import InvalidInput
from ...core.files import write_bytes
from ...core.random import numpy_rng
from ..cameras import Cameras
from ..point_cloud import PointCloud
from ..posed_images import PosedImages, SparsePoints
from ..readers.camera_json import write_camera_json
from ..readers.nerfstudio import write_transforms
from .casting import nearest_hits
from .render import Photographs, photograph
from .scene import StillLife
from .solids import Pattern

_WRITERS = {"cameras.json": ("", write_camera_json), "transforms.json": ("images/", write_transforms)}
"""Layouts: what names of photos begin with there, and what writes the cameras."""
_FAR_ANGLE = math.radians(45)
"""Features are seldom matched between views of a place from directions further apart."""
_GRAZING = 0.2
_LEAST_PARALLAX = math.radians(1.5)
"""Below it, structure from motion keeps no point: its depth would be guessed."""
_FOUND = 0.8
"""Share of the views that could match a feature which do."""


@dataclass(frozen=True)
class FeatureConfig:
    """How well structure from motion does."""

    n_points: int = 3000
    noise_px: float = 0.3
    """Standard deviation of a feature's place in an image; what it means in space follows from depth and parallax."""


@dataclass(frozen=True, eq=False)
class _Candidates:
    points: Float[Tensor, "p 3"]
    normals: Float[Tensor, "p 3"]
    colors: Float[Tensor, "p 3"]
    view: Int64[Tensor, "p"]
    """Where each was found first."""


def capture(
    scene: StillLife,
    cameras: Cameras,
    *,
    samples_per_pixel: int = 4,
    features: FeatureConfig | None = None,
    seed: int = 0,
) -> PosedImages:
    """Photos with cameras and sparse points, as a reader of real data gives them.

    Points lie at pixels with contrast. A view sees one if nothing is before it there and it looks the same from there: not from
    a grazing angle, nor from one that is far from the first view's. Kept are those that two views or more see, from directions
    that differ; they are displaced as an error in the images displaces them, along the rays more than across.
    """
    photos = photograph(scene, cameras, samples_per_pixel=samples_per_pixel)
    points = sparse_points(scene, cameras, photos, features or FeatureConfig(), seed)
    return PosedImages.from_tensors(cameras, photos.images, points=points)


def write_still_life(
    folder: str | PathLike[str],
    scene: StillLife,
    cameras: Cameras,
    *,
    layout: str = "cameras.json",
    samples_per_pixel: int = 4,
    features: FeatureConfig | None = None,
    seed: int = 0,
) -> PosedImages:
    """Write photos, cameras and points, to try programs on that read photos.

    Args:
        layout: ``cameras.json``, with ``points.npz``: any lens, and which photos see a point. Or ``transforms.json``, with
            ``sparse_pc.ply``, for other programs. Photos are ``images/*.png``, with alpha where the scene has no backdrop.

    Returns:
        What :func:`capture` returns, under the names of the files.

    Raises:
        InvalidInput: Another layout, or lenses that ``transforms.json`` cannot hold.
    """
    if layout not in _WRITERS:
        raise InvalidInput(f"no layout {layout!r}; choose from {', '.join(_WRITERS)}")
    prefix, write = _WRITERS[layout]
    photos = photograph(scene, cameras, samples_per_pixel=samples_per_pixel)
    points = sparse_points(scene, cameras, photos, features or FeatureConfig(), seed)
    names = [f"{row:03d}.png" for row in range(len(cameras))]
    for row, name in enumerate(names):
        write_bytes(Path(folder) / "images" / name, _png(photos.images[row], photos.alpha[row]))
    taken = PosedImages.from_tensors(cameras, photos.images, [prefix + name for name in names], points)
    write(taken if len(points.cloud) else replace(taken, points=None), folder, with_photos=False)
    return taken


def _png(image: Float[Tensor, "h w 3"], alpha: Float[Tensor, "h w"]) -> bytes:
    """The image itself, or its colours before white with the alpha that they need."""
    from PIL import Image

    pixels = image
    if bool((alpha < 1).any()):
        share = alpha[..., None]
        before = torch.where(share > 0, (image - 1 + share) / share.clamp_min(1e-6), torch.zeros(()))
        pixels = torch.cat([before, share], -1)
    out = io.BytesIO()
    Image.fromarray((pixels.clamp(0, 1) * 255).round().to(torch.uint8).numpy()).save(out, "PNG")
    return out.getvalue()


def sparse_points(
    scene: StillLife, cameras: Cameras, photos: Photographs, features: FeatureConfig, seed: int = 0
) -> SparsePoints:
    """What structure from motion would have found in photos; see :func:`capture`."""
    rng = numpy_rng(seed, "sparse points", scene.name)
    cameras = cameras.to("cpu").to(torch.float64)
    found = _with_contrast(scene, cameras, photos, features.n_points * 4, rng)
    visible = _seen_alike(scene, cameras, found, rng)
    to_cameras = torch.nn.functional.normalize(cameras.centers[None] - found.points[:, None], dim=-1)
    cosines = torch.where(
        visible[:, :, None] & visible[:, None], (to_cameras @ to_cameras.mT).clamp(-1, 1), torch.ones(())
    )
    parallax = torch.arccos(cosines.flatten(1).amin(1)) if len(cameras) else torch.zeros(0)
    kept = ((visible.sum(1) >= 2) & (parallax >= _LEAST_PARALLAX)).nonzero()[:, 0]
    kept = kept[torch.from_numpy(np.sort(rng.permutation(len(kept))[: features.n_points]))]
    moved = _displaced(cameras, found, parallax, features.noise_px, rng)
    return SparsePoints(PointCloud(moved[kept].float(), found.colors[kept]), visible[kept])


def _with_contrast(
    scene: StillLife, cameras: Cameras, photos: Photographs, n: int, rng: np.random.Generator
) -> _Candidates:
    """Surface points at random pixels, the more often the stronger the contrast around them."""
    solids, materials = scene.arrays
    parts: list[_Candidates] = []
    for view in range(len(cameras)):
        weight = _contrast(photos.images[view]) * (photos.alpha[view] == 1) * photos.depth_z[view].isfinite()
        n_here = min(-(-n // len(cameras)), int((weight > 0).sum()))
        if n_here == 0:
            continue
        share = weight.flatten().double().numpy()
        pixels = np.sort(rng.choice(len(share), n_here, replace=False, p=share / share.sum()))
        x, y = pixels % cameras.width + 0.5, pixels // cameras.width + 0.5
        rays, exists = cameras[view].rays(torch.from_numpy(np.stack([x, y], 1)))
        hits = nearest_hits(solids, rays.origins.contiguous().numpy(), rays.directions.contiguous().numpy())
        keep = exists.numpy() & (hits.solid >= 0) & (materials.pattern[hits.solid] != Pattern.SKY)
        rows = torch.from_numpy(keep.nonzero()[0])
        parts.append(
            _Candidates(
                rays[rows].at(torch.from_numpy(hits.distance[keep])),
                torch.from_numpy(hits.normal[keep]),
                photos.images[view].reshape(-1, 3)[torch.from_numpy(pixels)[rows]],
                torch.full((len(rows),), view),
            )
        )
    none = _Candidates(torch.zeros(0, 3).double(), torch.zeros(0, 3).double(), torch.zeros(0, 3), torch.zeros(0).long())
    parts.insert(0, none)
    return _Candidates(*(torch.cat([getattr(p, name) for p in parts]) for name in vars(none)))


def _contrast(image: Float[Tensor, "h w 3"]) -> Float[Tensor, "h w"]:
    """Differences of brightness to the neighbours beside and below, the lesser of both: corners rather than edges."""
    gray = image.mean(-1)
    beside, below = torch.zeros_like(gray), torch.zeros_like(gray)
    beside[1:-1, 1:-1] = (gray[1:-1, 2:] - gray[1:-1, :-2]).abs()
    below[1:-1, 1:-1] = (gray[2:, 1:-1] - gray[:-2, 1:-1]).abs()
    return torch.minimum(beside, below)


def _seen_alike(
    scene: StillLife, cameras: Cameras, found: _Candidates, rng: np.random.Generator
) -> Bool[Tensor, "p n"]:
    inside = cameras.project(found.points).inside
    first = torch.nn.functional.normalize(cameras.centers[found.view] - found.points, dim=-1)
    visible = torch.zeros(len(found.points), len(cameras), dtype=torch.bool)
    for view in range(len(cameras)):
        way = found.points - cameras.centers[view]
        distance = way.norm(dim=-1)
        way = way / distance[:, None]
        hits = nearest_hits(scene.arrays[0], cameras.centers[view][None].numpy(), way.numpy())
        reached = torch.from_numpy(hits.distance) > distance * (1 - 1e-6) - 1e-5
        frontal = -(way * found.normals).sum(-1) > _GRAZING
        near = -(way * first).sum(-1) > math.cos(_FAR_ANGLE)
        lucky = torch.from_numpy(rng.random(len(way)) < _FOUND) | (found.view == view)
        visible[:, view] = inside[view] & reached & frontal & near & lucky
    return visible


def _displaced(
    cameras: Cameras, found: _Candidates, parallax: Float[Tensor, "p"], noise_px: float, rng: np.random.Generator
) -> Float[Tensor, "p 3"]:
    if not len(found.points):
        return found.points
    way = found.points - cameras.centers[found.view]
    a_pixel = way.norm(dim=-1) / cameras.K[found.view, 0, 0]
    normal = torch.from_numpy(rng.standard_normal((len(way), 4)))
    along = normal[:, 3:] / torch.sin(parallax.clamp(0.02, math.pi / 2))[:, None].double()
    unit = torch.nn.functional.normalize(way, dim=-1)
    return found.points + noise_px * a_pixel[:, None] * (normal[:, :3] + along * unit)
