"""ScanNet's raw scene layout: reconstructed mesh, segments, aggregated objects, axis alignment.

The 50,000-point subsample follows the specification of TSP3D (6.2) to the bit, because the boxes that published figures are
measured against are those of the subsampled points.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...core.errors import CorruptFile, InvalidInput, MissingPart
from ...core.files import write_text
from ..point_cloud import PointCloud
from ..scene import Scene, SceneObject
from .json_files import entry, read_json
from .ply import read_ply, write_ply

SUBSAMPLE = 50_000
SUBSAMPLE_SEED = 1184
_MOST_OBJECTS_OF_A_VERTEX = 100
_FARTHEST = 1e6

_SCANNET = "published with ScanNet v2 on request at http://www.scan-net.org"
_META = (
    "published with the meta data of ReferIt3D, BUTD-DETR and EDA (https://github.com/yanmin-wu/EDA, data/meta_data)"
)
_MESH = f"the scene's reconstructed mesh, {_SCANNET}"
_SEGMENTS = f"the segment of each vertex, {_SCANNET}"
_AGGREGATION = f"the objects as groups of segments, {_SCANNET} (training and validation scenes only)"
_TEXT = f"the scene's meta data with its axisAlignment matrix, {_SCANNET}"
_ALIGNMENTS = f"the axis alignment matrices of all scenes, {_META}"
_LABEL_COLUMNS = {"raw_category", "category", "id", "nyu40id", "nyu40class"}
_LABELS = f"ScanNet's label table scannetv2-labels.combined.tsv, {_SCANNET}"


@dataclass(frozen=True, eq=False)
class ScannetScan:
    """A ScanNet scene and how it was made from its files.

    ``vertices`` are the mesh vertices that became the scene's points, ``aligned_from_mesh`` (4, 4) brings mesh coordinates
    into the scene's frame. ``duplicates`` pairs the id of each object left out because its points equal an earlier object's
    with that object's id; ``lost`` are ids of objects of which the subsample holds no point. ``notes`` say so in words.
    """

    scene: Scene
    vertices: np.ndarray
    aligned_from_mesh: np.ndarray
    duplicates: tuple[tuple[int, int], ...] = ()
    lost: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelRow:
    """One raw category of ScanNet's label table: its cleaned name, its id and its NYU40 class."""

    raw_category: str
    category: str
    id: int
    nyu40id: int
    nyu40class: str


def read_scannet_scene(
    folder: str | PathLike[str],
    *,
    subsample: int | None = SUBSAMPLE,
    seed: int = SUBSAMPLE_SEED,
    alignments: str | PathLike[str] | None = None,
    objects: bool = True,
) -> Scene:
    """Read a scene folder; :func:`read_scannet_scan` without its report."""
    return read_scannet_scan(folder, subsample=subsample, seed=seed, alignments=alignments, objects=objects).scene


def read_scannet_scan(
    folder: str | PathLike[str],
    *,
    subsample: int | None = SUBSAMPLE,
    seed: int = SUBSAMPLE_SEED,
    alignments: str | PathLike[str] | None = None,
    objects: bool = True,
) -> ScannetScan:
    """Read a scene folder in ScanNet's raw layout, ``scans/scene0000_00``.

    Points are in metres in the axis-aligned frame (z up), colours 0..1; each point's instance is the id of its object
    (the first, where objects share points). An object's box spans its subsampled points. Its category is the raw label.

    Args:
        folder: The scene's folder; its name is the scene's id.
        subsample: Points to draw with numpy's legacy generator; with replacement where the mesh has fewer vertices.
            None keeps every vertex, in order.
        seed: Of that generator. 1184 gives the boxes of published evaluations.
        alignments: ``scans_axis_alignment_matrices.json``, where the scene's own ``.txt`` is not to be used.
        objects: Off for scenes without annotation: the segments and the aggregation are then not read.

    Raises:
        MissingPart: A file is not there; says what it is and who publishes it.
        CorruptFile: A file is malformed, or two contradict each other.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingPart(f"{folder}: no such folder; expected a ScanNet scene such as scans/scene0000_00")
    scene_id = folder.name
    points, colors = _read_mesh(folder / f"{scene_id}_vh_clean_2.ply")
    matrix, notes = _read_alignment(folder, scene_id, alignments)
    vertices = _choose(len(points), subsample, seed, folder)
    aligned = _transform(points, matrix)[vertices]
    if not (np.abs(aligned) < _FARTHEST).all():
        raise CorruptFile(folder, "axisAlignment", f"vertices end at over {_FARTHEST:g} m, which is no place in a room")
    groups = _read_objects(folder, scene_id, len(points)) if objects else []
    found, duplicates, lost = _objects(groups, _point_of_vertex(vertices, len(points)), aligned)
    notes += tuple(f"object {i} has the same points as object {first} and was left out" for i, first in duplicates)
    notes += tuple(f"object {i} has no point in the subsample and was left out" for i in lost)
    cloud = PointCloud(
        torch.from_numpy(aligned.astype(np.float32)),
        torch.from_numpy(colors[vertices]),
        torch.from_numpy(_instances(groups, {o.object_id for o in found}, len(points))[vertices]) if objects else None,
    )
    return ScannetScan(Scene(scene_id, cloud, tuple(found)), vertices, matrix, duplicates, lost, notes)


def write_scannet_scene(scans: str | PathLike[str], scene: Scene) -> Path:
    """Write a scene in ScanNet's raw layout.

    Each object becomes one segment (its box is not written: readers take it from the points), the points of no object one
    more; the axis alignment is the identity. An object's colour name is an entry "color" beside its label, which others
    ignore. Each file is written atomically, the aggregation last.

    Args:
        scans: The folder of scenes; the scene's own is made in it.
        scene: With instances, whose numbers are ids of its objects or -1.

    Returns:
        The scene's folder.

    Raises:
        InvalidInput: The id is no folder name, or a point's instance is the id of no object.
    """
    name, cloud = scene.scene_id, scene.cloud
    if Path(name).name != name or name in ("", ".", ".."):
        raise InvalidInput(f"scene id {name!r} is not a plain folder name such as 'scene0000_00'")
    ids = [o.object_id for o in scene.objects]
    instances = np.full(len(cloud), -1) if cloud.instances is None else cloud.instances.cpu().numpy()
    unknown = sorted(set(np.unique(instances).tolist()) - {*ids, -1})
    if unknown or len(set(ids)) < len(ids):
        raise InvalidInput(f"scene {name}: points of instances {unknown[:5]} without objects, or object ids used twice")
    segment_of = {object_id: number for number, object_id in enumerate(ids, start=1)} | {-1: 0}
    segments = np.array([segment_of[i] for i in instances.tolist()], np.int64)
    present = set(np.unique(segments).tolist())
    groups = [
        {
            "id": number,
            "objectId": o.object_id,
            "segments": [segment_of[o.object_id]] if segment_of[o.object_id] in present else [],
            "label": o.category,
            **({} if o.color is None else {"color": o.color}),
        }
        for number, o in enumerate(scene.objects)
    ]
    folder = Path(scans) / name
    write_ply(folder / f"{name}_vh_clean_2.ply", {"vertex": cloud_columns(cloud)})
    write_text(folder / f"{name}.txt", f"axisAlignment = {' '.join(map(str, np.eye(4).ravel()))}\nsceneType = Room\n")
    stem = f"{name}_vh_clean_2"
    record = {"sceneId": name, "segIndices": segments.tolist()}
    write_text(folder / f"{stem}.0.010000.segs.json", json.dumps(record, separators=(",", ":")))
    record = {"sceneId": f"scannet.{name}", "appId": "trisparse", "segGroups": groups}
    write_text(folder / f"{name}.aggregation.json", json.dumps(record, indent=1))
    return folder


def cloud_columns(cloud: PointCloud) -> dict[str, np.ndarray]:
    """A cloud as vertex properties of a PLY file: x y z float, and red green blue alpha 0..255 where it has colours."""
    points = cloud.points.detach().cpu().numpy().astype(np.float32)
    columns = {name: points[:, i] for i, name in enumerate("xyz")}
    if cloud.colors is not None:
        colors = np.rint(cloud.colors.detach().cpu().numpy().clip(0, 1) * 255).astype(np.uint8)
        columns |= {name: colors[:, i] for i, name in enumerate(("red", "green", "blue"))}
        columns["alpha"] = np.full(len(cloud), 255, np.uint8)
    return columns


def read_label_table(path: str | PathLike[str]) -> dict[str, LabelRow]:
    """ScanNet's label table, ``scannetv2-labels.combined.tsv``, by raw category.

    Raises:
        MissingPart: No such file, or a column is missing.
        CorruptFile: A row without numbers where ids are expected.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; it is {_LABELS}")
    table: dict[str, LabelRow] = {}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        try:
            missing = sorted(_LABEL_COLUMNS - set(reader.fieldnames or ()))
            if missing:
                found = f"{reader.fieldnames!r:.80}"
                raise MissingPart(f"{path}: no column {', '.join(missing)} in {found}; expected {_LABELS}")
            for row in reader:
                label = _label_row(path, f"line {reader.line_num}", row)
                table[label.raw_category] = label
        except csv.Error as error:
            raise CorruptFile(path, f"line {reader.line_num}", f"no table ({error}); fetch the file again") from error
    return table


def _label_row(path: Path, where: str, row: dict[str, Any]) -> LabelRow:
    absent = sorted(name for name in _LABEL_COLUMNS if row[name] is None)
    if absent:
        raise CorruptFile(path, where, f"ends before its {', '.join(absent)}; is the file truncated?")
    id_, nyu40id = row["id"], row["nyu40id"] or "0"
    if not all(re.fullmatch("[0-9]{1,9}", number) for number in (id_, nyu40id)):
        raise CorruptFile(path, where, f"id {id_!r:.40}, nyu40id {nyu40id!r:.40}; expected numbers")
    return LabelRow(row["raw_category"], row["category"], int(id_), int(nyu40id), row["nyu40class"])


# Files


def _read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; it is {_MESH}")
    vertex = read_ply(path).elements.get("vertex")
    if vertex is None or not len(vertex):
        raise MissingPart(f"{path}: holds no vertices; expected {_MESH}")
    try:
        points, colors = vertex.scalars("x", "y", "z"), vertex.scalars("red", "green", "blue")
    except MissingPart as error:
        raise MissingPart(f"{path}: {error}; expected {_MESH}") from error
    bad = ~np.isfinite(points).all(1)
    if bad.any():
        raise CorruptFile(path, f"vertex {int(bad.argmax())}", f"{int(bad.sum())} vertices are NaN or infinite")
    return points, (colors.astype(np.float32) / 255).astype(np.float32)


def _read_alignment(
    folder: Path, scene_id: str, alignments: str | PathLike[str] | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The 4x4 matrix, and a note where there is none."""
    if alignments is not None:
        path = Path(alignments)
        matrices = read_json(path, _ALIGNMENTS)
        return _matrix(path, scene_id, entry(path, "data", matrices, scene_id, list)), ()
    path = folder / f"{scene_id}.txt"
    if not path.is_file():
        raise MissingPart(
            f"{path}: no such file; it is {_TEXT}. Else give scans_axis_alignment_matrices.json, {_ALIGNMENTS}"
        )
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        key, _, value = line.partition("=")
        if key.strip() == "axisAlignment":
            return _matrix(path, f"line {number}", value.split()), ()
    return np.eye(4), (f"{path.name} has no axisAlignment line: the mesh's own frame is kept",)


def _matrix(path: Path, where: str, words: Sequence[Any]) -> np.ndarray:
    try:
        matrix = np.array([float(word) for word in np.ravel(words).tolist()])
    except (TypeError, ValueError, OverflowError) as error:
        raise CorruptFile(path, where, f"{error}; expected 16 numbers") from None
    if matrix.shape != (16,) or not np.isfinite(matrix).all():
        raise CorruptFile(path, where, f"found {matrix.size} numbers, expected 16 finite ones")
    return matrix.reshape(4, 4)


@dataclass(frozen=True, eq=False)
class _Group:
    object_id: int
    label: str
    vertices: np.ndarray
    """Sorted."""
    color: str | None
    """Ours only: the name of the object's colour."""


def _read_objects(folder: Path, scene_id: str, n_vertices: int) -> list[_Group]:
    path = folder / f"{scene_id}_vh_clean_2.0.010000.segs.json"
    listed = entry(path, "data", read_json(path, _SEGMENTS), "segIndices", list)
    try:
        segments = np.asarray(listed or np.empty(0, np.int64))
    except ValueError as error:
        raise CorruptFile(path, "segIndices", f"{error}; expected integers") from error
    if segments.dtype.kind not in "iu" or segments.ndim != 1:
        raise CorruptFile(path, "segIndices", f"holds {segments.dtype} of shape {segments.shape}, expected integers")
    if len(segments) != n_vertices:
        raise CorruptFile(path, "segIndices", f"{len(segments)} segment numbers for the mesh's {n_vertices} vertices")
    order = np.argsort(segments, kind="stable")
    numbers, first = np.unique(segments[order], return_index=True)
    members = dict(zip(numbers.tolist(), np.split(order, first[1:]), strict=True)) if n_vertices else {}
    path = folder / f"{scene_id}.aggregation.json"
    records = entry(path, "data", read_json(path, _AGGREGATION), "segGroups", list)
    groups, left = [], _MOST_OBJECTS_OF_A_VERTEX * n_vertices
    for number, record in enumerate(records):
        groups.append(_group(path, f"segGroups entry {number}", record, members))
        left -= len(groups[-1].vertices)
        if left < 0:
            most = f"{_MOST_OBJECTS_OF_A_VERTEX} objects a vertex"
            raise CorruptFile(path, f"segGroups entry {number}", f"objects share segments, over {most} on average")
    [(twice, times)] = Counter(group.object_id for group in groups).most_common(1) or [(0, 0)]
    if times > 1:
        raise CorruptFile(path, "segGroups", f"objectId {twice} is used twice, expected one entry for each object")
    return groups


def _group(path: Path, where: str, record: object, members: dict[int, np.ndarray]) -> _Group:
    segments = entry(path, where, record, "segments", list)
    for segment in segments:
        if not isinstance(segment, int) or segment not in members:
            shown = f"{segment!r:.40}" if isinstance(segment, (int, float, str)) else type(segment).__name__
            raise CorruptFile(path, where, f"its segment {shown} is not among the mesh's {len(members)} segments")
    vertices = np.sort(np.concatenate([np.empty(0, np.int64), *(members[s] for s in dict.fromkeys(segments))]))
    color = entry(path, where, record, "color", str) if isinstance(record, dict) and "color" in record else None
    object_id = entry(path, where, record, "objectId", int)
    if not 0 <= object_id < 1 << 31:
        raise CorruptFile(path, where, f"'objectId' is {object_id}, expected a number of at least 0 and of 31 bits")
    return _Group(object_id, entry(path, where, record, "label", str), vertices, color)


# The subsample


def _choose(n: int, subsample: int | None, seed: int, folder: Path) -> np.ndarray:
    if subsample is None:
        return np.arange(n)
    if subsample < 1:
        raise InvalidInput(f"{folder}: a subsample of {subsample} points; give at least 1, or None for all")
    return np.random.RandomState(seed).choice(n, subsample, replace=n < subsample)


def _point_of_vertex(vertices: np.ndarray, n: int) -> np.ndarray:
    """For each mesh vertex its row in the subsample (the last, where it was drawn repeatedly), or -1."""
    rows = np.full(n, -1)
    np.maximum.at(rows, vertices, np.arange(len(vertices)))
    return rows


def _transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    homogeneous = np.concatenate([points, np.ones((len(points), 1), points.dtype)], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        return (homogeneous @ matrix.T)[:, :3]


def _objects(
    groups: list[_Group], point_of_vertex: np.ndarray, points: np.ndarray
) -> tuple[list[SceneObject], tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Objects with a point, ids of exact duplicates with the id of the first, ids of objects without a point."""
    found: list[SceneObject] = []
    first_with: dict[bytes, int] = {}
    duplicates, lost = [], []
    for group in groups:
        rows = point_of_vertex[group.vertices]
        rows = rows[rows >= 0]
        if not len(rows):
            lost.append(group.object_id)
            continue
        first = first_with.setdefault(rows.tobytes(), group.object_id)
        if first != group.object_id:
            duplicates.append((group.object_id, first))
            continue
        low, high = points[rows].min(0), points[rows].max(0)
        center, size = ((low + high) / 2).tolist(), (high - low).tolist()
        found.append(SceneObject(group.object_id, group.label, tuple(center), tuple(size), group.color))
    return found, tuple(duplicates), tuple(lost)


def _instances(groups: list[_Group], kept: set[int], n: int) -> np.ndarray:
    instances = np.full(n, -1, np.int64)
    for group in reversed(groups):
        if group.object_id in kept:
            instances[group.vertices] = group.object_id
    return instances
