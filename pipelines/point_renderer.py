"""Coloured points to a picture: a z-buffer of splats in numpy, shaded by depth so that shapes can be read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class View:
    """A camera: ``axes`` are its right, down and forward directions (rows) in the points' frame.

    ``focal_px`` None means parallel projection with ``pixels_per_metre``.
    """

    position: Floats
    axes: Floats
    width: int
    height: int
    focal_px: float | None
    pixels_per_metre: float = 1.0

    @classmethod
    def perspective(cls, points: Floats, azimuth: float, elevation: float, width: int, height: int) -> View:
        """Looks at the middle of the points from a direction (radians), near enough to fill the picture."""
        forward = -np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(forward, right), forward])
        low, high = _extents(points)
        within = points[np.all((points >= low) & (points <= high), axis=1)]
        shown = within[:: max(len(within) // 5000, 1)] if len(within) else np.stack([low, high])
        aim, focal, distance = (low + high) / 2, 1.25 * width, 0.5
        for _ in range(
            120
        ):  # step back until every point is inside, each time with the middle of the picture in its middle
            view = cls(aim - forward * distance, axes, width, height, focal)
            x, y, depth = view.project(shown)
            if depth.min() > 0.2:
                aside = np.array([x.min() + x.max() - width, y.min() + y.max() - height]) / 2 * distance / focal
                aim = aim + aside @ axes[:2]
                if np.ptp(x) < 0.96 * width and np.ptp(y) < 0.94 * height and abs(aside).max() < 0.01 * distance:
                    break
            distance *= 1.04
        return cls(aim - forward * distance, axes, width, height, focal)

    @classmethod
    def from_above(cls, points: Floats, width: int, height: int) -> View:
        """Parallel view straight down: x to the right, y upwards."""
        low, high = _extents(points)
        span = np.maximum(high - low, 0.1)
        scale = 0.94 * min(width / span[0], height / span[1])
        axes = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
        middle = np.array([*((low + high) / 2)[:2], high[2] + 1.0])
        return cls(middle, axes, width, height, None, scale)

    def project(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Pixel x, pixel y and depth along the view (m)."""
        local = (points - self.position) @ self.axes.T
        x, y, depth = local[:, 0], local[:, 1], local[:, 2]
        scale = self.pixels_per_metre if self.focal_px is None else self.focal_px / np.maximum(depth, 1e-6)
        return x * scale + self.width / 2, y * scale + self.height / 2, depth

    def splat_px(self, depth: Floats, spacing: float) -> NDArray[np.int64]:
        """Edge of each point's square (pixels) so that neighbouring points touch."""
        scale = self.pixels_per_metre if self.focal_px is None else self.focal_px / np.maximum(depth, 1e-6)
        return np.clip(np.ceil(spacing * scale * np.full_like(depth, 1.9)), 1, 9).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Rendering:
    """A picture [h w 3] in 0..1 and the depth of each pixel (m), infinite where no point is."""

    image: NDArray[np.float64]
    depth: Floats


def render(points: Floats, colors: Floats, view: View, spacing: float, background: float = 1.0) -> Rendering:
    """Draw points as squares, nearest in front.

    Args:
        points: (n, 3) metres.
        colors: (n, 3) in 0..1.
        view: The camera.
        spacing: Distance of neighbouring points (m).
        background: Grey value where no point is.
    """
    x, y, depth = view.project(points)
    size = view.splat_px(depth, spacing)
    nearest = np.full(view.height * view.width, -1)
    buffer = np.full(view.height * view.width, np.inf)
    far_first = np.argsort(-depth, kind="stable")  # of points in one pixel the last written, the nearest, stays
    far_first = far_first[depth[far_first] > 0.05]
    for edge in np.unique(size[far_first]):
        own = far_first[size[far_first] == edge]
        left, top = np.floor(x[own] - (edge - 1) / 2), np.floor(y[own] - (edge - 1) / 2)
        for dy in range(edge):
            for dx in range(edge):
                px, py = (left + dx).astype(np.int64), (top + dy).astype(np.int64)
                inside = (px >= 0) & (px < view.width) & (py >= 0) & (py < view.height)
                pixel, row = (py * view.width + px)[inside], own[inside]
                nearer = depth[row] < buffer[pixel]
                buffer[pixel[nearer]] = depth[row[nearer]]
                nearest[pixel[nearer]] = row[nearer]
    image = np.full((view.height * view.width, 3), background)
    image[nearest >= 0] = colors[nearest[nearest >= 0]]
    depth_image = buffer.reshape(view.height, view.width)
    shade = _eye_dome(depth_image)
    picture = image.reshape(view.height, view.width, 3)
    covered = np.isfinite(depth_image)[..., None]
    return Rendering(np.where(covered, picture * shade[..., None], picture), depth_image)


def point_spacing(points: Floats) -> float:
    """Typical distance of a point to its nearest neighbour (m)."""
    from scipy.spatial import KDTree

    if len(points) < 2:
        return 0.05
    step = max(len(points) // 2000, 1)
    nearest = KDTree(points).query(points[::step], k=2)[0][:, 1]
    return float(np.clip(np.median(nearest), 1e-4, 1.0))


def _eye_dome(depth: Floats, strength: float = 3.0) -> Floats:
    """Eye-dome lighting (Boucheny, 2009): pixels behind their neighbours are darker."""
    log_depth = np.log2(np.where(np.isfinite(depth), depth, np.nan))
    total = np.zeros_like(depth)
    for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1), (2, 2), (-2, 2), (2, -2), (-2, -2)):
        other = np.roll(log_depth, (dy, dx), (0, 1))
        total += np.nan_to_num(np.maximum(0, log_depth - other), nan=0.0)
    return np.exp(-strength * np.minimum(total, 0.4))


def _extents(points: Floats) -> tuple[Floats, Floats]:
    """Least and greatest corner without stray points."""
    if not len(points):
        return np.zeros(3), np.ones(3)
    low, high = np.quantile(points, 0.005, axis=0), np.quantile(points, 0.995, axis=0)
    return low, np.maximum(high, low + 0.05)
