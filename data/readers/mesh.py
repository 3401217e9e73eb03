"""Triangles into points, with their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.random import numpy_rng

FEW_VERTICES = 50_000
"""Below this many vertices, or with a texture, a mesh is sampled; else its vertices are its points."""
SAMPLES = 150_000


@dataclass(frozen=True, eq=False)
class MeshPart:
    """Triangles of one material.

    ``vertices`` (v, 3), ``faces`` (f, 3) rows of vertices. Colours 0..1: ``colors`` (v, 3) of the vertices, or ``texture``
    (h, w, 3) uint8 looked up at ``uv`` (f, 3, 2) of the corners, first image row at v = 0; either times ``tint``.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | None = None
    uv: np.ndarray | None = None
    texture: np.ndarray | None = None
    tint: tuple[float, float, float] | None = None

    @property
    def is_textured(self) -> bool:
        """Whether its colours come from an image."""
        return self.texture is not None and self.uv is not None

    @property
    def has_colors(self) -> bool:
        """Whether anything is known of its colours."""
        return self.is_textured or self.colors is not None or self.tint is not None


@dataclass(frozen=True, eq=False)
class SampledMesh:
    """Points (n, 3), colours (n, 3) in 0..1 or None, and whether they were sampled on the faces."""

    points: np.ndarray
    colors: np.ndarray | None
    is_sampled: bool


def mesh_points(parts: Sequence[MeshPart], n_samples: int = SAMPLES) -> SampledMesh:
    """Points of a mesh: its vertices where they are many and untextured, else samples spread evenly over its faces.

    The same mesh gives the same points. Parts without any colour are grey where others have one.
    """
    own = {id(part.vertices): part for part in parts}.values()  # parts of an OBJ share their vertices
    n_vertices = sum(len(part.vertices) for part in own)
    areas = np.concatenate([np.empty(0), *(_areas(part) for part in parts)])
    sampled = (n_vertices < FEW_VERTICES or any(p.is_textured for p in parts)) and bool(areas.sum() > 0)
    has_colors = any(part.has_colors for part in parts)
    if not sampled:
        points = np.concatenate([np.empty((0, 3)), *(part.vertices for part in own)])
        colors = np.concatenate([np.empty((0, 3)), *(_vertex_colors(part) for part in own)]) if has_colors else None
        return SampledMesh(points, colors, False)
    # Systematic sampling: equal steps along the summed areas give each face its share to within one point.
    rng = numpy_rng(0, "mesh samples")
    steps = (np.arange(n_samples) + 0.5) / n_samples * areas.sum()
    chosen = np.minimum(np.searchsorted(np.cumsum(areas), steps), len(areas) - 1)
    root, second = np.sqrt(rng.random(n_samples)), rng.random(n_samples)
    corners = np.stack([1 - root, root * (1 - second), root * second], axis=1)
    points, colors, first = np.empty((n_samples, 3)), np.empty((n_samples, 3)), 0
    for part in parts:
        mine = slice(*np.searchsorted(chosen, [first, first + len(part.faces)]))
        faces, weights = chosen[mine] - first, corners[mine][:, :, None]
        points[mine] = (part.vertices[part.faces[faces]] * weights).sum(1)
        colors[mine] = _sample_colors(part, faces, weights)
        first += len(part.faces)
    return SampledMesh(points, colors if has_colors else None, True)


def fan(corners: Sequence[int]) -> list[tuple[int, int, int]]:
    """A polygon as triangles around its first corner."""
    return [(corners[0], corners[i], corners[i + 1]) for i in range(1, len(corners) - 1)]


def _areas(part: MeshPart) -> np.ndarray:
    a, b, c = (part.vertices[part.faces[:, i]].astype(np.float64) for i in range(3))
    with np.errstate(invalid="ignore", over="ignore"):
        areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return np.where(np.isfinite(areas), areas, 0.0)


def _vertex_colors(part: MeshPart) -> np.ndarray:
    colors = np.full((len(part.vertices), 3), 0.5) if part.colors is None else part.colors
    if part.tint is not None:
        colors = (np.ones_like(colors) if part.colors is None else colors) * np.array(part.tint)
    return colors


def _sample_colors(part: MeshPart, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if part.texture is None or part.uv is None:
        return (_vertex_colors(part)[part.faces[faces]] * weights).sum(1)
    uv = (part.uv[faces] * weights).sum(1)
    height, width = part.texture.shape[:2]
    with np.errstate(invalid="ignore"):
        uv = np.nan_to_num(uv - np.floor(uv))
    column = np.minimum((uv[:, 0] * width).astype(np.int64), width - 1)
    row = np.minimum((uv[:, 1] * height).astype(np.int64), height - 1)
    return part.texture[row, column] / 255 * np.array(part.tint or (1.0, 1.0, 1.0))
