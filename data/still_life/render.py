"""Photos of still lifes: colour, depth, normals and coverage for any camera, and the light along any ray."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numba import njit
from torch import Tensor

from ...core.errors import InvalidInput
from ..cameras import Cameras, pixel_centers
from ..rays import Rays
from .casting import Floats, Hits, nearest_hits
from .lighting import exposure_of, shade
from .scene import StillLife

_AT_ONCE = 1 << 18
"""Rays whose intermediate results are in memory together."""


@dataclass(frozen=True, eq=False)
class Photographs:
    """What some cameras see. Pixels are means over their area, depth and normals belong to their centres."""

    images: Float[Tensor, "n h w 3"]
    """Red green blue in 0..1 (sRGB), white where nothing is."""
    alpha: Float[Tensor, "n h w"]
    """Share of the pixel that something covers."""
    depth_z: Float[Tensor, "n h w"]
    """Metres along the optical axis; infinity where nothing is or no ray belongs to the pixel."""
    normals: Float[Tensor, "n h w 3"]
    """World frame, towards the camera's side; zeros where nothing is."""


@dataclass(frozen=True, eq=False)
class Traced:
    """Where rays ended, and what came from there."""

    distance: Float[Tensor, "r"]
    """Metres along the ray; infinity where it met nothing."""
    normals: Float[Tensor, "r 3"]
    radiance: Float[Tensor, "r 3"]
    """Linear red green blue; black where it met nothing."""


def photograph(scene: StillLife, cameras: Cameras, *, samples_per_pixel: int = 4) -> Photographs:
    """Take photos; the same bits on every run and from any number of threads.

    Args:
        samples_per_pixel: Rays that a pixel is the mean of: a square number. Their places in the pixel are fixed.

    Raises:
        InvalidInput: Another number of samples.
    """
    n, height, width = len(cameras), cameras.height, cameras.width
    images, cover = np.zeros((n, height * width, 3), np.float32), np.zeros((n, height * width), np.float32)
    depth_z, normals = np.full((n, height * width), np.inf, np.float32), np.zeros((n, height * width, 3), np.float32)
    offsets = _places_in_pixel(samples_per_pixel)
    world_from_camera = cameras.world_from_camera.detach().cpu().double().numpy()
    for lens, rows in _by_lens(cameras):
        for offset in offsets:
            directions, exists = _in_camera(lens, offset)
            for row in rows:
                hits, light = _seen(scene, world_from_camera[row], directions)
                _add(light, hits.solid, exists, images[row], cover[row])
        directions, exists = _in_camera(lens, np.zeros(2))
        for row in rows:
            hits, _ = _seen(scene, world_from_camera[row], directions, is_lit=False)
            depth_z[row] = np.where(exists, hits.distance * directions[:, 2], np.inf)
            normals[row] = hits.normal * exists[:, None]
    _develop(images.reshape(-1, 3), cover.reshape(-1), len(offsets), exposure_of(scene.light))
    return Photographs(
        torch.from_numpy(images.reshape(n, height, width, 3)),
        torch.from_numpy(cover.reshape(n, height, width)),
        torch.from_numpy(depth_z.reshape(n, height, width)),
        torch.from_numpy(normals.reshape(n, height, width, 3)),
    )


def trace(scene: StillLife, rays: Rays) -> Traced:
    """The first surface on each ray and the light that comes from it, in the precision of the rays."""
    origins, directions = (part.detach().cpu().double().numpy() for part in (rays.origins, rays.directions))
    hits, light = _lit(scene, origins, directions)
    parts = (torch.from_numpy(part).to(rays.directions) for part in (hits.distance, hits.normal, light))
    return Traced(*parts)


def radiance(scene: StillLife, rays: Rays) -> Float[Tensor, "r 3"]:
    """Linear light along rays, not exposed and not cut off at 1; white where a ray meets nothing."""
    traced = trace(scene, rays)
    white = 1 / exposure_of(scene.light)
    return torch.where(traced.distance.isfinite()[:, None], traced.radiance, white)


def shown(scene: StillLife, light: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
    """The colours 0..1 (sRGB) that photos of a scene show for linear light: exposed, cut off at 1, encoded."""
    exposed = (light * exposure_of(scene.light)).clamp(0, 1)
    return torch.where(exposed <= 0.0031308, exposed * 12.92, 1.055 * exposed.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


def _places_in_pixel(n: int) -> Floats:
    """Offsets from the pixel's centre, (n, 2): one in each cell of a grid, and one in each of n columns and rows."""
    side = math.isqrt(max(n, 0))
    if n < 1 or side * side != n:
        raise InvalidInput(f"{n} samples a pixel; give a square number: 1, 4, 9, 16, ...")
    i, j = np.divmod(np.arange(n), side)
    return np.stack([i + (j + 0.5) / side, j + (i + 0.5) / side], 1) / side - 0.5


def _by_lens(cameras: Cameras) -> Iterator[tuple[Cameras, list[int]]]:
    """Cameras at the origin without a turn, one for each lens, and the rows that have it."""
    rows: dict[bytes, list[int]] = {}
    for row in range(len(cameras)):
        lens = torch.cat([cameras.K[row].flatten(), cameras.distortion[row]]).detach().cpu().double()
        rows.setdefault(lens.numpy().tobytes(), []).append(row)
    pose = torch.eye(4, dtype=torch.float64)[None]
    for same in rows.values():
        one = cameras[same[0]].to("cpu").to(torch.float64)
        yield replace(one, camera_from_world=pose, K=one.K.detach(), distortion=one.distortion.detach()), same


def _in_camera(lens: Cameras, offset: Floats) -> tuple[Floats, np.ndarray]:
    """Unit directions in the camera's frame through all pixels, and which exist."""
    pixels = pixel_centers(lens.width, lens.height, lens.K) + torch.from_numpy(offset)
    rays, exists = lens.rays(pixels)
    return rays.directions.numpy(), exists.numpy()


def _seen(scene: StillLife, pose: Floats, directions: Floats, *, is_lit: bool = True) -> tuple[Hits, Floats]:
    turned = np.empty_like(directions)
    _turn(np.ascontiguousarray(pose[:3, :3]), directions, turned)
    return _lit(scene, pose[None, :3, 3], turned, is_lit=is_lit)


def _lit(scene: StillLife, origins: Floats, directions: Floats, *, is_lit: bool = True) -> tuple[Hits, Floats]:
    """Hits and linear light, a run of rays after the other; ``origins`` may be one for all."""
    solids, materials = scene.arrays
    n = len(directions)
    hits, light = Hits(np.empty(n), np.empty(n, np.int64), np.empty((n, 3))), np.zeros((n, 3))
    for start in range(0, n, _AT_ONCE):
        run = slice(start, min(n, start + _AT_ONCE))
        some, ways = origins if len(origins) == 1 else origins[run], directions[run]
        found = nearest_hits(solids, some, ways)
        for whole, part in zip(hits, found, strict=True):
            whole[run] = part
        if is_lit:
            points = some + ways * np.where(found.solid >= 0, found.distance, 0.0)[:, None]
            light[run] = shade(solids, materials, scene.light, scene.ambience, points, found, ways)
    return hits, light


@no_type_check
@njit(cache=True, error_model="numpy")
def _turn(rotation, directions, out):
    for r in range(len(directions)):
        x, y, z = directions[r]
        for c in range(3):
            out[r, c] = rotation[c, 0] * x + rotation[c, 1] * y + rotation[c, 2] * z


@no_type_check
@njit(cache=True, error_model="numpy")
def _add(light, solid, exists, total, cover):
    for r in range(len(light)):
        if exists[r] and solid[r] >= 0:
            cover[r] += 1
            for c in range(3):
                total[r, c] += light[r, c]


@no_type_check
@njit(cache=True, error_model="numpy")
def _develop(images, cover, n_samples, exposure):
    """Sums of light to colours before white, and counts to shares, in place."""
    for r in range(len(images)):
        share = cover[r] / n_samples
        for c in range(3):
            value = 1.0
            if cover[r] > 0:
                light = min(max(images[r, c] / cover[r] * exposure, 0.0), 1.0)
                value = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
            images[r, c] = value * share + 1 - share
        cover[r] = share
