"""A user's own scan: points with colours out of whatever file they lie in, told by its content, not its name."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from ..point_cloud import PointCloud
from .glb import read_glb
from .mesh import MeshPart, mesh_points
from .npz import ArrayFile
from .obj import read_obj
from .open3d_mesh import read_open3d_mesh
from .pcd import read_pcd, unpack_rgb
from .ply import PlyElement, PlyFile, read_ply
from .ply_format import PlyLists
from .scannet import read_scannet_scan
from .text_points import looks_like_points, read_text_points

POINTS_KEYS = (
    "points",
    "xyz",
    "means3d",
    "means",
    "positions",
    "position",
    "pos",
    "vertices",
    "coords",
    "pc",
    "point_cloud",
)
"""Names under which NPZ files are known to hold points (n, 3) or (n, 6 or more); the first counts, case does not."""
COLORS_KEYS = ("colors", "colours", "rgb", "rgbs", "color", "colour", "vertex_colors")
"""Names under which NPZ files are known to hold colours (n, 3)."""

SH_DC = 0.28209479177387814
"""The constant spherical harmonic: a splat's base colour is 0.5 + SH_DC * f_dc."""

_FORMATS = "PLY, PCD, NPZ, NPY, OBJ, GLB, lines of x y z [r g b] (XYZ, TXT, CSV, PTS), or a ScanNet scene folder"
_OPEN3D_SUFFIXES = (".stl", ".off", ".gltf", ".fbx")


@dataclass(frozen=True, eq=False)
class ScanFile:
    """A scan in the frame and the units of its file.

    ``cloud`` always has colours. ``notes`` say what was changed or missing, each one sentence. ``up`` is the direction that
    the format promises to be up ("y" for GLB, "-y" for one image of a depth camera), roughly; None where it promises none.
    ``network_from_file`` is the transform into metres, z up, floor at 0, where the files give it (ScanNet).
    """

    cloud: PointCloud
    format: str
    notes: tuple[str, ...] = ()
    up: str | None = None
    network_from_file: Float64[Tensor, "4 4"] | None = None


@dataclass(frozen=True, eq=False)
class _Raw:
    points: np.ndarray
    colors: np.ndarray | None
    format: str
    notes: tuple[str, ...] = ()
    up: str | None = None


def read_scan(path: str | PathLike[str]) -> PointCloud:
    """The points and colours of a scan file; :func:`read_scan_file` without its report."""
    return read_scan_file(path).cloud


def read_scan_file(
    path: str | PathLike[str],
    *,
    points_key: str | None = None,
    colors_key: str | None = None,
    min_opacity: float = 0.1,
) -> ScanFile:
    """Read a scan: PLY (points, mesh, Gaussian splats), PCD, NPZ, NPY, OBJ, GLB, text, or a ScanNet scene folder.

    Rows with NaN or infinity are left out; colours 0..255 become 0..1; without colours the points are grey; meshes with
    few vertices, or with textures, are sampled. Each such change is a note.

    Args:
        path: The file or folder.
        points_key: Name of the NPZ array of points, where it is none of `POINTS_KEYS`.
        colors_key: Name of the NPZ array of colours, where it is none of `COLORS_KEYS`.
        min_opacity: Gaussians less opaque than this are left out.

    Raises:
        MissingPart: No such file, or it holds no points.
        UnknownFormat: The content is of no format that is read here.
        CorruptFile: The file is truncated or contradicts itself.
        UnsafeFile: An NPZ array holds Python objects.
        BackendUnavailable: The format is read through Open3D, which cannot be imported.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise MissingPart(f"{path}: no such file; expected a scan: {_FORMATS}")
    raw = _read_raw(path, points_key, colors_key, min_opacity)
    return _clean(path, raw)


def _read_raw(path: Path, points_key: str | None, colors_key: str | None, min_opacity: float) -> _Raw:
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise CorruptFile(path, "byte 0", f"the file is empty; expected a scan: {_FORMATS}")
    if head[:3] == b"ply" and head[3:4].isspace():
        return _ply(path, read_ply(path), min_opacity)
    if head[:4] == b"glTF":
        parts, notes = read_glb(path)
        return _mesh(parts, "GLB", notes, up="y")
    if head[:2] == b"PK" or head[:6] == b"\x93NUMPY":
        return _arrays(ArrayFile(path), points_key, colors_key)
    if head.lstrip()[:5] in (b"# .PC", b"VERSI", b"FIELD") or path.suffix.lower() == ".pcd":
        return _pcd(path)
    if any(
        line[:2] in (b"v ", b"vn", b"vt", b"f ", b"o ", b"g ") or line[:6] == b"mtllib" for line in head.split(b"\n")
    ):
        parts, notes = read_obj(path)
        return _mesh(parts, "OBJ", notes)
    if looks_like_points(head):
        return _text(path)
    if path.suffix.lower() in _OPEN3D_SUFFIXES:
        return _mesh([read_open3d_mesh(path)], path.suffix[1:].upper(), ())
    raise UnknownFormat(f"{path}: begins with {head[:16]!r}, as no format does that is read here; expected {_FORMATS}")


# One function a format


def _ply(path: Path, ply: PlyFile, min_opacity: float) -> _Raw:
    vertex = ply.elements.get("vertex")
    if vertex is None:
        raise MissingPart(f"{path}: no element 'vertex' (found {', '.join(ply.elements) or 'none'}); expected points")
    try:
        points = vertex.scalars("x", "y", "z")
    except MissingPart as error:
        raise MissingPart(f"{path}: {error}") from error
    if "f_dc_0" in vertex:
        return _splat(path, vertex, points, min_opacity)
    colors = None
    for names in (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue")):
        if all(name in vertex for name in names):
            colors = _unit_colors(path, vertex.scalars(*names))
            break
    faces = _ply_faces(path, ply, len(points))
    if not len(faces):
        return _Raw(points, colors, "PLY points")
    return _mesh([MeshPart(points.astype(np.float64), faces, colors)], "PLY mesh", ())


def _ply_faces(path: Path, ply: PlyFile, n_vertices: int) -> np.ndarray:
    """Triangles (f, 3); polygons become fans."""
    face = ply.elements.get("face")
    columns = {} if face is None else face.columns
    corners = columns.get("vertex_indices", columns.get("vertex_index"))
    if corners is None or not len(corners):
        return np.empty((0, 3), np.int64)
    if isinstance(corners, PlyLists):
        lengths = np.diff(corners.offsets)
        by_length = [
            corners.values[corners.offsets[:-1][lengths == k][:, None] + np.arange(k)] for k in np.unique(lengths)
        ]
    else:
        by_length = [corners if corners.ndim == 2 else corners[:, None]]
    triangles = [rows[:, [0, i, i + 1]] for rows in by_length for i in range(1, rows.shape[1] - 1)]
    faces = np.concatenate([np.empty((0, 3), np.int64), *triangles]).astype(np.int64)
    if faces.size and (faces.min() < 0 or faces.max() >= n_vertices):
        bad = faces.max() if faces.max() >= n_vertices else faces.min()
        raise CorruptFile(path, "faces", f"name vertex {bad}, but there are {n_vertices}")
    return faces


def _splat(path: Path, vertex: PlyElement, points: np.ndarray, min_opacity: float) -> _Raw:
    try:
        colors = 0.5 + SH_DC * vertex.scalars("f_dc_0", "f_dc_1", "f_dc_2").astype(np.float64)
    except MissingPart as error:
        raise MissingPart(f"{path}: {error}") from error
    notes: tuple[str, ...] = ()
    if "opacity" in vertex:
        with np.errstate(over="ignore"):
            opaque = 1 / (1 + np.exp(-vertex.scalars("opacity")[:, 0].astype(np.float64))) >= min_opacity
        if not opaque.all():
            notes = (
                f"{int((~opaque).sum())} of {len(points)} Gaussians have an opacity below {min_opacity:g}: left out",
            )
            points, colors = points[opaque], colors[opaque]
    return _Raw(points, np.clip(colors, 0, 1), "PLY Gaussian splats", notes)


def _pcd(path: Path) -> _Raw:
    pcd = read_pcd(path)
    missing = [name for name in "xyz" if name not in pcd.fields]
    if missing:
        raise MissingPart(f"{path}: no field {', '.join(missing)} (found {', '.join(pcd.fields)}); expected points")
    points = np.stack([pcd.fields[name] for name in "xyz"], axis=-1)
    colors = None
    for name in ("rgb", "rgba"):
        if name in pcd.fields and pcd.fields[name].ndim == 1:
            colors = unpack_rgb(pcd.fields[name]) / 255
    if colors is None and all(name in pcd.fields for name in "rgb"):
        colors = _unit_colors(path, np.stack([pcd.fields[name] for name in "rgb"], axis=-1))
    if points.ndim != 2:
        raise CorruptFile(path, "header", "x, y, z have a COUNT other than 1")
    return _Raw(points, colors, "PCD", (), "-y" if pcd.is_organized else None)


def _arrays(file: ArrayFile, points_key: str | None, colors_key: str | None) -> _Raw:
    name = _key(file, points_key, POINTS_KEYS, "points")
    if name is None and len(file.names) == 1:
        name = file.names[0]
    if name is None:
        raise MissingPart(
            f"{file.path}: none of its arrays ({', '.join(file.names)[:200] or 'none'}) is named as points are "
            f"({', '.join(POINTS_KEYS)}); rename one, or give points_key"
        )
    points = file.read(name)
    if points.ndim != 2 or points.shape[1] < 3 or points.dtype.kind not in "iuf":
        raise CorruptFile(
            file.path, f"array {name!r}", f"{points.dtype} of shape {points.shape}, expected numbers (n, 3)"
        )
    color_name = _key(file, colors_key, COLORS_KEYS, "colours")
    colors = file.read(color_name) if color_name is not None else points[:, 3:6] if points.shape[1] >= 6 else None
    if colors is not None:
        if colors.ndim != 2 or len(colors) != len(points) or colors.shape[1] < 3 or colors.dtype.kind not in "iuf":
            where = f"array {color_name!r}"
            raise CorruptFile(
                file.path, where, f"shape {colors.shape}, expected ({len(points)}, 3) as {name!r} has points"
            )
        colors = _unit_colors(file.path, colors[:, :3])
    return _Raw(points[:, :3], colors, "NPY" if file.is_npy else "NPZ")


def _key(file: ArrayFile, asked: str | None, known: tuple[str, ...], what: str) -> str | None:
    if asked is not None:
        if asked not in file.names:
            raise MissingPart(f"{file.path}: no array {asked!r} of {what}; there are {', '.join(file.names)[:200]}")
        return asked
    names = {name.lower(): name for name in reversed(file.names)}
    return next((names[key] for key in known if key in names), None)


def _text(path: Path) -> _Raw:
    columns = read_text_points(path)
    points = np.stack([columns[name] for name in "xyz"], axis=1)
    names = ("red", "green", "blue")
    has_colors = all(name in columns for name in names)
    colors = _unit_colors(path, np.stack([columns[name] for name in names], axis=1)) if has_colors else None
    return _Raw(points, colors, "text")


def _mesh(parts: list[MeshPart], format: str, notes: tuple[str, ...], up: str | None = None) -> _Raw:
    mesh = mesh_points(parts)
    if mesh.is_sampled:
        notes += (f"{len(mesh.points)} points were sampled on the mesh's faces",)
    colors = None if mesh.colors is None else np.clip(mesh.colors, 0, 1)  # tints may be brighter than white
    return _Raw(mesh.points, colors, format, notes, up)


def _read_folder(folder: Path) -> ScanFile:
    name = folder.resolve().name
    if not (folder / f"{name}_vh_clean_2.ply").is_file():
        raise UnknownFormat(
            f"{folder}: a folder without {name}_vh_clean_2.ply is no ScanNet scene; give a file: {_FORMATS}"
        )
    raw = _read_raw(folder / f"{name}_vh_clean_2.ply", None, None, 0.0)
    known, notes = None, ()
    try:
        scan = read_scannet_scan(folder.resolve(), subsample=1, objects=False)
        notes, known = scan.notes, torch.from_numpy(scan.aligned_from_mesh)
    except MissingPart as error:
        notes = (f"{error}; the frame is found from the points instead",)
    file = _clean(folder, raw)
    return ScanFile(file.cloud, "ScanNet scene", (*notes, *file.notes), "z", None if notes else known)


# Cleaning


def _unit_colors(path: Path, colors: np.ndarray) -> np.ndarray:
    """Colours in 0..1: integers by their type's range, floats above 1 taken as 0..255. NaN stays."""
    if colors.dtype.kind in "iu":
        most = 65535 if colors.dtype.itemsize > 1 and colors.size and colors.max() > 255 else 255
    else:
        finite = colors[np.isfinite(colors)]
        most = 255 if finite.size and finite.max() > 1.001 else 1
    with np.errstate(invalid="ignore"):
        scaled = colors.astype(np.float64) / most
    inside = scaled[np.isfinite(scaled)]
    if inside.size and (inside.min() < -0.5 or inside.max() > 1.001):
        found = f"{np.nanmin(colors):g} to {np.nanmax(colors):g}"
        raise CorruptFile(path, "colours", f"lie between {found}, expected 0..1, 0..255 or 0..65535")
    return np.clip(scaled, 0, 1)


def _clean(path: Path, raw: _Raw) -> ScanFile:
    notes = list(raw.notes)
    with np.errstate(over="ignore", invalid="ignore"):  # signalling NaNs
        points = raw.points.astype(np.float64)
    finite = np.isfinite(points).min(axis=1)
    if not finite.all():
        notes.append(f"{int((~finite).sum())} of {len(points)} points are NaN or infinite and were left out")
    points = points[finite]
    if not len(points):
        raise MissingPart(f"{path}: holds 0 points that are finite ({len(finite)} in all); expected a scan")
    largest = float(np.abs(points).max())
    if largest > 1e15:
        raise CorruptFile(path, "points", f"a coordinate of {largest:g}, which is no place; drop such points first")
    if raw.colors is None:
        notes.append("no colours: every point is grey, and words for colours mean nothing")
        colors = np.full(points.shape, 0.5)
    else:
        colors = raw.colors[finite]
        bad = ~np.isfinite(colors).min(axis=1)
        if bad.any():
            notes.append(f"{int(bad.sum())} colours are NaN or infinite: those points are grey")
            colors = np.where(bad[:, None], 0.5, colors)
    cloud = PointCloud(_float(points), torch.from_numpy(colors.astype(np.float32)))
    return ScanFile(cloud, raw.format, tuple(notes), raw.up)


def _float(points: np.ndarray) -> Tensor:
    """float32, or float64 where coordinates are so large (surveys) that float32 would round them too much."""
    spread = float(np.ptp(points, axis=0).max())
    needs_double = 0 < 1e-5 * spread < float(np.abs(points).max()) * np.finfo(np.float32).eps
    return torch.from_numpy(points if needs_double else points.astype(np.float32))
