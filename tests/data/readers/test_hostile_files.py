"""Files that were made, or found by fuzzing (``make fuzz``), to crash a reader, to hang it or to eat the memory."""

from __future__ import annotations

import io
import json
import re
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trisparse.core.errors import CorruptFile, MissingPart, UnknownFormat
from trisparse.data.answers import read_answers
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.json_files import entry, read_json
from trisparse.data.readers.npz import ArrayFile
from trisparse.data.readers.pcd import read_pcd
from trisparse.data.readers.ply import read_ply
from trisparse.data.readers.scan import read_scan
from trisparse.data.readers.scannet import read_label_table, read_scannet_scan, write_scannet_scene
from trisparse.data.readers.scanrefer import read_scanrefer
from trisparse.data.readers.text_points import read_text_points
from trisparse.data.scene import Scene, SceneObject

# JSON


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": ' + "9" * 5000 + "}", "a whole number of thousands of digits"),
        (r'{"a": "\ud800"}', r"half a character: '\\ud800'"),
        ('{"a": ' * 5000, "nested too deeply"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "nested too deeply"),
    ],
)
def test_json_that_python_cannot_take_is_refused(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(CorruptFile, match=rf"a\.json: data: .*{found}"):
        read_json(tmp_path / "a.json", "a test")


@pytest.mark.parametrize("content", [b'{"a": "\xed\xa0\x80"}', r'{"a": "\ud800"}'.encode("utf-16"), b'{"a": "\xff"}'])
def test_half_a_character_is_refused_in_any_encoding(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"a\.json: .*(half a character|no text in UTF-8, 16 or 32)"):
        read_json(tmp_path / "a.json", "a test")


def test_characters_that_json_escapes_in_two_halves_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(r'["\ud83d\ude00"]')
    assert read_json(tmp_path / "a.json", "a test") == ["😀"]


def test_a_value_too_deep_to_be_shown_is_called_by_its_type() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CorruptFile, match="'a' is a list, expected int"):
        entry(Path("a.json"), "entry 1", {"a": deep}, "a", int)
    while deep:  # taken apart by hand: its own destructor would be as deep
        deep = deep.pop()


@pytest.mark.parametrize("rank", ["1e400", "-1e400", "1" + "0" * 400])
def test_an_answer_of_no_finite_rank_is_refused(tmp_path: Path, rank: str) -> None:
    answer = f'{{"sentence": "x", "rank": {rank}, "score": {rank}, "center": [], "size": [], "rotation": [[1, 0, 0]]}}'
    (tmp_path / "a.json").write_text(f'{{"scan": "a", "warnings": [], "answers": [{answer}]}}')
    with pytest.raises(CorruptFile, match=r"a\.json: answer 0: not as the conventions have it"):
        read_answers(tmp_path / "a.json")


def test_tokens_that_are_lists_are_refused(tmp_path: Path) -> None:
    record = {"scene_id": "s", "object_name": "o", "object_id": "1", "token": [["a"]]}
    (tmp_path / "a.json").write_text(json.dumps([record]))
    with pytest.raises(CorruptFile, match=r"a\.json: entry 0: 'token' holds a list, expected only str"):
        read_scanrefer(tmp_path / "a.json")


# Scene folders


def _scene(folder: Path, n: int = 8) -> Path:
    instances = np.repeat([1, 2], n // 2)
    cloud = PointCloud(*(_tensor(np.random.default_rng(i).random((n, 3), dtype=np.float32)) for i in (0, 1)))
    cloud = PointCloud(cloud.points, cloud.colors, _tensor(instances))
    objects = tuple(SceneObject(i, "chair", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)) for i in (1, 2))
    return write_scannet_scene(folder, Scene("scene0000_00", cloud, objects))


def _tensor(array: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(array)


@pytest.mark.parametrize("segments", [[1, [2]], [[1, 2], [3]], ["a"], [1.5], [2**70], [{}]])
def test_segments_that_are_no_list_of_integers_are_refused(tmp_path: Path, segments: list) -> None:
    folder = _scene(tmp_path)
    (folder / "scene0000_00_vh_clean_2.0.010000.segs.json").write_text(json.dumps({"segIndices": segments}))
    with pytest.raises(CorruptFile, match=r"segs\.json: segIndices: .*expected integers"):
        read_scannet_scan(folder, subsample=None)


@pytest.mark.parametrize("matrix", [[1, [2]], [[1, 2], [3]], [None] * 16, [10**400] * 16, [{}] * 16])
def test_an_alignment_that_is_no_matrix_is_refused(tmp_path: Path, matrix: list) -> None:
    (tmp_path / "all.json").write_text(json.dumps({"scene0000_00": matrix}))
    with pytest.raises(CorruptFile, match=r"all\.json: scene0000_00: .*expected 16"):
        read_scannet_scan(_scene(tmp_path), alignments=tmp_path / "all.json")


@pytest.mark.parametrize("far", [1e300, 1e38, 1e7])
def test_an_alignment_to_no_place_is_refused_without_a_warning(tmp_path: Path, far: float) -> None:
    matrix = np.eye(4).ravel().tolist()
    matrix[0] = matrix[3] = far
    (tmp_path / "all.json").write_text(json.dumps({"scene0000_00": matrix}))
    with pytest.raises(CorruptFile, match="scene0000_00: axisAlignment: vertices end at over"):
        read_scannet_scan(_scene(tmp_path), alignments=tmp_path / "all.json")


def _with_groups(folder: Path, groups: list[dict]) -> Path:
    (folder / "scene0000_00.aggregation.json").write_text(json.dumps({"segGroups": groups}))
    return folder


def test_an_object_that_names_a_segment_a_million_times_has_its_points_once(tmp_path: Path) -> None:
    folder = _with_groups(_scene(tmp_path, 2000), [{"objectId": 1, "label": "chair", "segments": [1] * 1_000_000}])
    scan = read_scannet_scan(folder, subsample=None)
    assert int((scan.scene.cloud.instances == 1).sum()) == 1000  # type: ignore[union-attr]


@pytest.mark.parametrize("number", [-1, 2**31, 2**63, 10**30])
def test_an_object_id_that_is_none_is_refused(tmp_path: Path, number: int) -> None:
    groups = [{"objectId": number, "label": "chair", "segments": [1]}]
    with pytest.raises(CorruptFile, match="segGroups entry 0: 'objectId' is"):
        read_scannet_scan(_with_groups(_scene(tmp_path), groups), subsample=None)


def test_many_objects_of_all_vertices_are_refused(tmp_path: Path) -> None:
    groups = [{"objectId": i, "label": "chair", "segments": [1, 2]} for i in range(200)]
    with pytest.raises(CorruptFile, match="segGroups entry 100: objects share segments, over 100 objects a vertex"):
        read_scannet_scan(_with_groups(_scene(tmp_path), groups), subsample=None)


def test_two_objects_of_one_id_among_very_many_are_found_at_once(tmp_path: Path) -> None:
    groups = [{"objectId": min(i, 49_998), "label": "chair", "segments": []} for i in range(50_000)]
    started = time.process_time()
    with pytest.raises(CorruptFile, match="objectId 49998 is used twice"):
        read_scannet_scan(_with_groups(_scene(tmp_path), groups), subsample=None)
    assert time.process_time() - started < 5


_LABEL_HEAD = "id\traw_category\tcategory\tnyu40id\tnyu40class\n"


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("1\twall", "line 2: ends before its category, nyu40class, nyu40id"),
        ("²\twall\twall\t1\twall", "line 2: id '²'"),
        (f"1\t{'a' * 200_000}\twall\t1\twall", "no table"),
    ],
)
def test_a_broken_row_of_the_label_table_is_named(tmp_path: Path, row: str, found: str) -> None:
    (tmp_path / "labels.tsv").write_text(_LABEL_HEAD + row + "\n", encoding="utf-8")
    with pytest.raises(CorruptFile, match=rf"labels\.tsv: .*{found}"):
        read_label_table(tmp_path / "labels.tsv")


def test_tables_that_a_spreadsheet_marked_as_utf_8_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text(_LABEL_HEAD + "1\twall\twall\t1\twall\n", encoding="utf-8-sig")
    (tmp_path / "a.csv").write_text("x,y,z\n1,2,3\n", encoding="utf-8-sig")
    assert read_label_table(tmp_path / "labels.tsv")["wall"].id == 1
    assert read_text_points(tmp_path / "a.csv")["z"].tolist() == [3]


# Headers


def test_a_ply_file_of_very_many_properties_is_refused_at_once(tmp_path: Path) -> None:
    for name, line in (("a", "property char p{}"), ("b", "element e{} 0")):
        head = "ply\nformat ascii 1.0\nelement vertex 0\n" + "\n".join(line.format(i) for i in range(30_000))
        (tmp_path / name).write_text(head + "\nend_header\n")
        started = time.process_time()
        with pytest.raises(CorruptFile, match=r"header line 100\d: more than 1000"):
            read_ply(tmp_path / name)
        assert time.process_time() - started < 1


@pytest.mark.parametrize(("fields", "count"), [(8000, 65536), (2, 65536), (20_000, 1)])
def test_a_pcd_point_wider_than_memory_is_refused(tmp_path: Path, fields: int, count: int) -> None:
    """8000 fields of 65536 doubles make numpy's size of a row wrap around to a negative number."""
    names, rest = "FIELDS" + " a" * fields, f"SIZE{' 8' * fields}\nTYPE{' F' * fields}\nCOUNT{f' {count}' * fields}"
    head = f"VERSION .7\n{names}\n{rest}\nWIDTH 1\nHEIGHT 1\nPOINTS 1\nDATA binary\n"
    (tmp_path / "a.pcd").write_bytes(head.encode() + bytes(100))
    with pytest.raises(CorruptFile, match=r"a\.pcd: header"):
        read_pcd(tmp_path / "a.pcd")


def test_a_text_of_very_many_comments_is_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("#\n# scan\n//exported\n" + "#\n1\n" * 50_000 + "1 2 3\n4 5 6\n")
    started = time.process_time()
    assert read_text_points(tmp_path / "a.xyz")["x"].tolist() == [1, 4]
    assert time.process_time() - started < 5


def test_a_text_of_comments_alone_holds_no_points(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("# one\n# two three\n")
    with pytest.raises(UnknownFormat, match=r"a\.xyz: 0 numbers in the first line"):
        read_text_points(tmp_path / "a.xyz")


# Arrays


def _npy(shape: tuple[int, ...], data: bytes, descr: str = "|u1") -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue() + data


def test_an_array_of_very_many_dimensions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(_npy((1,) * 80, b"\0"))
    with pytest.raises(CorruptFile, match=r"a\.npy: array 'array': has 80 dimensions, expected at most 32"):
        ArrayFile(tmp_path / "a.npy").read("array")


@pytest.mark.parametrize(("shape", "kind"), [((0, 2**63), "|u1"), ((2**40, 2**40, 0), "<f8")])
def test_a_size_beyond_numpys_own_is_refused(tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    (tmp_path / "a.npy").write_bytes(_npy(shape, b"", kind))
    with pytest.raises(CorruptFile, match=r"a\.npy: array 'array': claims the shape"):
        ArrayFile(tmp_path / "a.npy").read("array")


@pytest.mark.parametrize("kind", ["|V0", "<U0", "|S0"])
def test_very_many_items_of_no_bytes_are_refused(tmp_path: Path, kind: str) -> None:
    """numpy would make four bytes of each empty text."""
    (tmp_path / "a.npy").write_bytes(_npy((1 << 34, 3), b"", kind))
    with pytest.raises(CorruptFile, match=r"a\.npy: array 'array': holds items of no bytes"):
        ArrayFile(tmp_path / "a.npy").read("array")


def test_a_header_that_numpy_explains_in_many_lines_is_refused_in_one(tmp_path: Path) -> None:
    header = b"{" + b" " * 30_000 + b"}\n"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(CorruptFile, match=r"no header of a numpy array \(Header info length") as caught:
        ArrayFile(tmp_path / "a.npy").read("array")
    assert "\\n" not in str(caught.value)


def test_zeros_that_unpack_to_far_more_than_the_archive_are_refused(tmp_path: Path) -> None:
    rows = 8_000_000
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("points.npy", _npy((rows, 3), bytes(3 * rows)))
    with pytest.raises(CorruptFile, match=r"a\.npz: array 'points': \d+ bytes that claim to become 24000128; refused"):
        read_scan(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("place", "new", "found"),
    [
        (6, struct.pack("<H", 0x800), "array 'points"),  # a name that says it is UTF-8
        (8, struct.pack("<H", zipfile.ZIP_LZMA), "array 'points|directory"),
        (14, b"\1\2\3\4", "array 'points"),
    ],
)
def test_an_archive_whose_entry_contradicts_its_directory_is_refused(
    tmp_path: Path, place: int, new: bytes, found: str
) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("points\xff.npy", _npy((2, 3), bytes(6)))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[30:38] = b"points\xc0\xc0"
    content[place : place + len(new)] = new
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CorruptFile, match=rf"a\.npz: ({found})"):
        _first_array(tmp_path / "a.npz")


def _first_array(path: Path) -> np.ndarray:
    file = ArrayFile(path)
    return file.read(file.names[0])


def test_a_constant_array_beside_real_ones_is_no_bomb(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((400_000, 3))
    np.savez_compressed(tmp_path / "a.npz", points=points, colors=np.zeros((400_000, 6)))
    assert ArrayFile(tmp_path / "a.npz").read("colors").nbytes > 16 << 20


# Messages


def test_no_message_carries_a_terminals_control_characters(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(b"ply\nformat ascii 1.0\nelement \x1b[2J 0\nend_header\n")
    with pytest.raises(MissingPart, match=re.escape(r"(found \x1b[2J)")):
        read_scan(tmp_path / "a.ply")
