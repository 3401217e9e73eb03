import json
from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.ply import write_ply
from trisparse.data.readers.scannet import (
    read_label_table,
    read_scannet_scan,
    read_scannet_scene,
    write_scannet_scene,
)
from trisparse.data.scene import Scene, SceneObject

ALIGNMENT = [0, -1, 0, 2, 1, 0, 0, 3, 0, 0, 1, 0.5, 0, 0, 0, 1]
"""A quarter turn about z, then a shift by (2, 3, 0.5)."""


def _write_raw(folder: Path, points: np.ndarray, segments: list[int], groups: list[dict]) -> Path:
    folder.mkdir()
    name = folder.name
    vertex = {key: points[:, i].astype(np.float32) for i, key in enumerate("xyz")}
    vertex |= {key: np.full(len(points), 51 * i, np.uint8) for i, key in enumerate(("red", "green", "blue"))}
    write_ply(folder / f"{name}_vh_clean_2.ply", {"vertex": vertex, "face": {"vertex_indices": np.zeros((1, 3), int)}})
    (folder / f"{name}_vh_clean_2.0.010000.segs.json").write_text(json.dumps({"segIndices": segments}))
    (folder / f"{name}.aggregation.json").write_text(json.dumps({"segGroups": groups}))
    (folder / f"{name}.txt").write_text(f"axisAlignment = {' '.join(map(str, ALIGNMENT))} \ncolorHeight = 968\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3], [5, 5, 5]])
    groups = [
        {"objectId": 0, "label": "chair", "segments": [7, 9]},
        {"objectId": 1, "label": "office chair", "segments": [9, 7]},
        {"objectId": 2, "label": "table", "segments": [8]},
    ]
    return _write_raw(tmp_path / "scene0000_00", points, [7, 7, 8, 9, 1], groups)


def test_points_objects_and_colours_come_in_the_aligned_frame(folder: Path) -> None:
    scan = read_scannet_scan(folder, subsample=None)

    scene = scan.scene
    assert scene.scene_id == "scene0000_00"
    torch.testing.assert_close(scene.cloud.points[:2], torch.tensor([[2.0, 3.0, 0.5], [2.0, 4.0, 0.5]]))
    assert scene.cloud.colors is not None
    torch.testing.assert_close(scene.cloud.colors[0], torch.tensor([0.0, 0.2, 0.4]))
    assert scene.cloud.instances is not None
    assert scene.cloud.instances.tolist() == [0, 0, 2, 0, -1]
    assert scene.objects[0] == SceneObject(0, "chair", (2.0, 3.5, 2.0), (0.0, 1.0, 3.0))
    np.testing.assert_array_equal(scan.aligned_from_mesh.ravel(), ALIGNMENT)


def test_an_object_with_the_points_of_an_earlier_one_is_left_out_and_reported(folder: Path) -> None:
    scan = read_scannet_scan(folder, subsample=None)

    assert [o.object_id for o in scan.scene.objects] == [0, 2]
    assert scan.duplicates == ((1, 0),)
    assert "object 1 has the same points as object 0" in scan.notes[0]


def test_the_subsample_is_that_of_numpys_legacy_generator(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, 5, (300, 3)).astype(np.float32)
    segments = np.repeat([0, 1, 2], 100)
    groups = [{"objectId": i, "label": "box", "segments": [i]} for i in range(3)]
    folder = _write_raw(tmp_path / "a", points, segments.tolist(), groups)
    np.random.seed(1184)
    chosen = np.random.choice(300, 50, replace=False)

    scan = read_scannet_scan(folder, subsample=50)

    assert scan.vertices.tolist() == chosen.tolist()
    aligned = points.astype(np.float64) @ np.reshape(ALIGNMENT, (4, 4))[:3, :3].T + [2, 3, 0.5]
    torch.testing.assert_close(scan.scene.cloud.points, torch.from_numpy(aligned[chosen].astype(np.float32)))
    mine = aligned[chosen[segments[chosen] == 1]]
    np.testing.assert_allclose(scan.scene.object(1).size, mine.max(0) - mine.min(0), atol=1e-12)


def test_a_small_mesh_is_drawn_with_replacement(folder: Path) -> None:
    scene = read_scannet_scene(folder)

    assert len(scene.cloud) == 50_000
    assert [o.size for o in scene.objects] == [(0.0, 1.0, 3.0), (0.0, 0.0, 0.0)]


def test_an_object_that_loses_all_its_points_is_left_out_and_reported(tmp_path: Path) -> None:
    groups = [{"objectId": i, "label": "box", "segments": [i]} for i in (0, 1)]
    folder = _write_raw(tmp_path / "a", np.random.default_rng(0).normal(size=(1000, 3)), [0] + [1] * 999, groups)

    scan = read_scannet_scan(folder, subsample=3)

    assert 0 not in scan.vertices
    assert scan.lost == (0,)
    assert scan.notes == ("object 0 has no point in the subsample and was left out",)
    assert [o.object_id for o in scan.scene.objects] == [1]


def test_an_alignment_file_takes_the_place_of_the_text_file(folder: Path, tmp_path: Path) -> None:
    (folder / "scene0000_00.txt").unlink()
    meta = tmp_path / "scans_axis_alignment_matrices.json"
    meta.write_text(json.dumps({"scene0000_00": np.eye(4).ravel().tolist()}))

    scan = read_scannet_scan(folder, subsample=None, alignments=meta)

    assert scan.scene.cloud.points[1].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("_vh_clean_2.ply", "mesh, published with ScanNet"),
        ("_vh_clean_2.0.010000.segs.json", "segment of each vertex, published with ScanNet"),
        (".aggregation.json", "groups of segments, published with ScanNet"),
        (".txt", "axisAlignment matrix, published with ScanNet.*scans_axis_alignment_matrices.json.*EDA"),
    ],
)
def test_a_missing_file_is_named_with_its_source(folder: Path, name: str, words: str) -> None:
    (folder / f"scene0000_00{name}").unlink()
    with pytest.raises(MissingPart, match=f"scene0000_00{name}: no such file; it is .*{words}"):
        read_scannet_scene(folder)


def test_missing_folders_and_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"scene0001_00: no such folder"):
        read_scannet_scene(tmp_path / "scene0001_00")
    with pytest.raises(MissingPart, match=r"labels\.tsv: no such file; it is ScanNet's label table"):
        read_label_table(tmp_path / "labels.tsv")


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("_vh_clean_2.0.010000.segs.json", '{"segIndices": [1, 2]}', "2 segment numbers for the mesh's 5 vertices"),
        ("_vh_clean_2.0.010000.segs.json", '{"segIndices": [1, 2', r"line 1, column \d+: not JSON"),
        ("_vh_clean_2.0.010000.segs.json", '{"segIndices": ["a"]}', "expected integers"),
        (".aggregation.json", '{"segGroups": [{"objectId": 0, "label": "x", "segments": [77]}]}', "entry 0: .*77"),
        (".aggregation.json", '{"segGroups": [{"objectId": "0", "label": "x", "segments": []}]}', "'0', expected int"),
        (".aggregation.json", '{"segGroups": [3]}', "entry 0: found 3, expected an object"),
        (".aggregation.json", "[" * 100_000, "nested too deeply|not JSON"),
        (".txt", "axisAlignment = 1 2 3", "line 1: found 3 numbers, expected 16"),
        (".txt", "axisAlignment = 1 x", "line 1: .*'x'"),
    ],
)
def test_a_file_that_contradicts_is_refused(folder: Path, name: str, content: str, found: str) -> None:
    (folder / f"scene0000_00{name}").write_text(content)
    with pytest.raises(CorruptFile, match=found):
        read_scannet_scene(folder)


def test_a_written_scene_is_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    points = torch.from_numpy(rng.uniform(0, 4, (200, 3)).astype(np.float32))
    colors = torch.from_numpy(rng.integers(0, 256, (200, 3)) / 255).float()
    instances = torch.from_numpy(rng.integers(-1, 3, 200))
    objects = tuple(
        SceneObject(i, name, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        for i, name in enumerate(["chair", "lamp", "bed", "ghost"])
    )
    written = write_scannet_scene(tmp_path, Scene("room_7", PointCloud(points, colors, instances), objects))

    scan = read_scannet_scan(written, subsample=None)

    assert written == tmp_path / "room_7"
    cloud = scan.scene.cloud
    assert cloud.colors is not None
    assert cloud.instances is not None
    torch.testing.assert_close(cloud.points, points, rtol=0, atol=0)
    torch.testing.assert_close(cloud.colors, colors)
    assert cloud.instances.tolist() == instances.tolist()
    assert [o.category for o in scan.scene.objects] == ["chair", "lamp", "bed"]
    assert scan.lost == (3,)


def test_scenes_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    cloud = PointCloud(torch.zeros(2, 3), instances=torch.tensor([0, 5]))
    with pytest.raises(InvalidInput, match=r"\.\./a"):
        write_scannet_scene(tmp_path, Scene("../a", cloud))
    with pytest.raises(InvalidInput, match=r"\[0, 5\]"):
        write_scannet_scene(tmp_path, Scene("a", cloud))


def test_the_label_table_is_read_by_raw_category(tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("id\traw_category\tcategory\tnyu40id\tnyu40class\n5\toffice chair\tchair\t5\tchair\n")

    row = read_label_table(path)["office chair"]

    assert (row.id, row.category, row.nyu40id, row.nyu40class) == (5, "chair", 5, "chair")
    path.write_text("id\traw_category\tcategory\tnyu40id\tnyu40class\nx\ta\tb\t5\tc\n")
    with pytest.raises(CorruptFile, match="line 2: id 'x'"):
        read_label_table(path)
    path.write_text("id\tname\n")
    with pytest.raises(MissingPart, match="no column category, nyu40class, nyu40id, raw_category"):
        read_label_table(path)
