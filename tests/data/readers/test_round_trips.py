"""Whatever can be written is read again as it was."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from trisparse.data.answers import Answer, AnswerSheet, read_answers, write_answers
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.npz import ArrayFile
from trisparse.data.readers.obj import read_obj
from trisparse.data.readers.pcd import read_pcd
from trisparse.data.readers.ply import read_ply, write_ply
from trisparse.data.readers.ply_format import PLY_TYPES, Encoding
from trisparse.data.readers.referit3d import COARSE_TYPES, read_nr3d, read_sr3d, write_nr3d, write_sr3d
from trisparse.data.readers.scannet import LabelRow, read_label_table, read_scannet_scene, write_scannet_scene
from trisparse.data.readers.scanrefer import read_scanrefer, write_scanrefer
from trisparse.data.readers.text_points import read_text_points
from trisparse.data.referral import Referral
from trisparse.data.scene import Scene, SceneObject

_settings = settings(
    max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

_WORD = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=8)
_NAME = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=8)
_ID = st.integers(0, 999)
_ANY_TYPE = st.sampled_from(["f2", "<f4", ">f8", "i1", ">u2", "<i8", "?", "c8", "<U3"])
_SENTENCE = st.tuples(
    _NAME, st.lists(_WORD, min_size=1, max_size=5), _ID, st.lists(_ID, max_size=3), st.lists(_WORD, max_size=2)
)


@st.composite
def _columns(draw: st.DrawFn) -> dict[str, np.ndarray]:
    rows = draw(st.integers(0, 5))
    names = draw(st.lists(_NAME, min_size=1, max_size=4, unique=True))
    columns = {}
    for name in names:
        dtype = np.dtype(draw(st.sampled_from(sorted(PLY_TYPES))))
        shape = draw(st.sampled_from([(rows,), (rows, 3)]))
        columns[name] = draw(hnp.arrays(dtype, shape, elements=_elements(dtype)))
    return columns


def _elements(dtype: np.dtype) -> st.SearchStrategy[Any]:
    if dtype.kind != "f":
        return hnp.from_dtype(dtype)
    return st.floats(width=8 * dtype.itemsize, allow_nan=False)  # type: ignore[arg-type]


@_settings
@given(elements=st.dictionaries(_NAME, _columns(), max_size=3), encoding=st.sampled_from(["ascii", "<", ">"]))
def test_any_ply_tables(tmp_path: Path, elements: dict[str, dict[str, np.ndarray]], encoding: str) -> None:
    encodings: dict[str, Encoding] = {"<": "binary_little_endian", ">": "binary_big_endian", "ascii": "ascii"}
    write_ply(tmp_path / "a.ply", elements, encoding=encodings[encoding])

    read = read_ply(tmp_path / "a.ply").elements

    assert list(read) == list(elements)
    for name, columns in elements.items():
        for key, column in columns.items():
            found = np.asarray(read[name].columns[key])
            assert found.dtype == column.dtype
            assert found.shape == column.shape or not len(column)
            np.testing.assert_array_equal(found, column if len(column) else found)


@_settings
@given(
    array=hnp.arrays(_ANY_TYPE, hnp.array_shapes(min_dims=0, min_side=0)), fortran=st.booleans(), packed=st.booleans()
)
def test_any_arrays(tmp_path: Path, array: np.ndarray, fortran: bool, packed: bool) -> None:
    stored = np.asfortranarray(array) if fortran else array
    (np.savez_compressed if packed else np.savez)(tmp_path / "a.npz", some=stored, other=np.arange(3))

    file = ArrayFile(tmp_path / "a.npz")

    assert file.names == ("some", "other")
    found = file.read("some")
    assert (found.dtype, found.shape) == (stored.dtype, stored.shape)
    np.testing.assert_array_equal(found, stored)


_PCD_KINDS = {"F4": "f4", "F8": "f8", "U1": "u1", "U4": "u4", "I2": "i2", "I4": "i4"}


@_settings
@given(
    data=st.data(), kinds=st.lists(st.sampled_from(sorted(_PCD_KINDS)), min_size=1, max_size=4), rows=st.integers(0, 4)
)
@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_any_pcd_fields(tmp_path: Path, encoding: str, data: st.DataObject, kinds: list[str], rows: int) -> None:
    counts = [data.draw(st.integers(1, 3)) for _ in kinds]
    types = [np.dtype(_PCD_KINDS[kind]) for kind in kinds]
    fields = [data.draw(hnp.arrays(t, (rows, c), elements=_elements(t))) for t, c in zip(types, counts, strict=True)]
    words = {
        "FIELDS": [f"a{i}" for i in range(len(kinds))],
        "SIZE": [kind[1:] for kind in kinds],
        "TYPE": [kind[0] for kind in kinds],
        "COUNT": map(str, counts),
        "WIDTH": [str(rows)],
        "HEIGHT": ["1"],
        "POINTS": [str(rows)],
        "DATA": [encoding],
    }
    header = "".join(f"{key} {' '.join(value)}\n" for key, value in words.items()).encode()
    (tmp_path / "a.pcd").write_bytes(header + _pcd_body(encoding, fields, rows))

    read = read_pcd(tmp_path / "a.pcd").fields

    for i, field in enumerate(fields):
        found = read[f"a{i}"].reshape(field.shape)
        assert found.dtype == field.dtype
        np.testing.assert_array_equal(found, field)


def _pcd_body(encoding: str, fields: list[np.ndarray], rows: int) -> bytes:
    if encoding == "ascii":
        numbers = [[repr(v) for field in fields for v in field[row].tolist()] for row in range(rows)]
        return "".join(" ".join(line) + "\n" for line in numbers).encode()
    if encoding == "binary":
        return b"".join(field[row].tobytes() for row in range(rows) for field in fields)
    raw = b"".join(field.tobytes() for field in fields)
    packed = b"".join(bytes([len(raw[i : i + 32]) - 1]) + raw[i : i + 32] for i in range(0, len(raw), 32))
    return np.array([len(packed), len(raw)], "<u4").tobytes() + packed


_TABLE = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(3)), elements=st.floats(-1e6, 1e6))


@_settings
@given(
    table=_TABLE, separator=st.sampled_from([" ", ",", ";", "\t", ", "]), end=st.sampled_from(["\n", "\r\n", "\n\n"])
)
def test_any_lines_of_points(tmp_path: Path, table: np.ndarray, separator: str, end: str) -> None:
    text = end.join(separator.join(map(repr, row)) for row in table.tolist())
    (tmp_path / "a.txt").write_bytes(text.encode())
    columns = read_text_points(tmp_path / "a.txt")
    np.testing.assert_array_equal(np.stack([columns[name] for name in "xyz"], 1), table)


@_settings
@given(
    table=_TABLE,
    corners=st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=5), max_size=4),
    relative=st.booleans(),
)
def test_any_obj_mesh(tmp_path: Path, table: np.ndarray, corners: list[list[int]], relative: bool) -> None:
    n = len(table)
    faces = [[corner % n for corner in face] for face in corners]
    lines = ["v " + " ".join(map(repr, row)) for row in table.tolist()]
    lines += ["f " + " ".join(str(c - n if relative else c + 1) for c in face) for face in faces]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    (part,), _ = read_obj(tmp_path / "a.obj")
    np.testing.assert_array_equal(part.vertices, table)
    assert part.faces.tolist() == [[f[0], f[i], f[i + 1]] for f in faces for i in range(1, len(f) - 1)]


@_settings
@given(st.lists(_SENTENCE, max_size=4))
def test_any_scanrefer_sentences(tmp_path: Path, rows: list[tuple[str, list[str], int, list[int], list[str]]]) -> None:
    referrals = tuple(
        Referral(scene, " ".join(words), target, words[0].replace("_", " "), tuple(anchors), tuple(tags))
        for scene, words, target, anchors, tags in rows
    )
    write_scanrefer(tmp_path / "a.json", referrals)
    assert read_scanrefer(tmp_path / "a.json") == referrals


_CATEGORY = st.sampled_from(["chair", "office chair", "trash can", "tv"])


@_settings
@given(
    words=st.lists(_WORD, min_size=1, max_size=5),
    kind=st.sampled_from(sorted(COARSE_TYPES)),
    categories=st.lists(_CATEGORY, min_size=2, max_size=6),
)
def test_any_nr3d_and_sr3d_sentences(tmp_path: Path, words: list[str], kind: str, categories: list[str]) -> None:
    scene, table = "scene0000_00", dict(enumerate(categories))
    referral = Referral(scene, " ".join(words), 0, categories[0], tuple(range(1, len(categories))), (kind,))
    write_sr3d(tmp_path / "sr3d.csv", [referral], {scene: table})
    write_nr3d(tmp_path / "nr3d.csv", [referral], {scene: table})
    (sr3d,) = read_sr3d(tmp_path / "sr3d.csv", only_mentioning=False)
    (nr3d,) = read_nr3d(tmp_path / "nr3d.csv")
    assert (sr3d.sentence, sr3d.target_id, sr3d.category, sr3d.anchor_ids) == (
        *(referral.sentence, 0, categories[0]),
        referral.anchor_ids,
    )
    assert (nr3d.sentence, nr3d.target_id, nr3d.category) == (referral.sentence, 0, categories[0])
    assert sr3d.tags[-1] == kind
    assert sr3d.tags[0] == nr3d.tags[0] == ("easy" if categories.count(categories[0]) <= 2 else "hard")


@_settings
@given(st.dictionaries(_WORD, st.tuples(_WORD, _ID, _ID, _WORD), max_size=4))
def test_any_label_table(tmp_path: Path, rows: dict[str, tuple[str, int, int, str]]) -> None:
    head = ["id", "raw_category", "category", "count", "nyu40id", "nyu40class"]
    out = io.StringIO()
    csv.writer(out, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n").writerows(
        [head, *([str(i), raw, category, "1", str(nyu), name] for raw, (category, i, nyu, name) in rows.items())]
    )
    (tmp_path / "a.tsv").write_text(out.getvalue(), encoding="utf-8")
    expected = {raw: LabelRow(raw, category, i, nyu, name) for raw, (category, i, nyu, name) in rows.items()}
    assert read_label_table(tmp_path / "a.tsv") == expected


@settings(_settings, max_examples=60)
@given(
    points=hnp.arrays(np.float32, st.tuples(st.integers(1, 8), st.just(3)), elements=st.floats(-99, 99, width=32)),
    data=st.data(),
)
def test_any_scene_folder(tmp_path: Path, points: np.ndarray, data: st.DataObject) -> None:
    n = len(points)
    instances = data.draw(hnp.arrays(np.int64, n, elements=st.integers(-1, 3)))
    grey = torch.from_numpy(data.draw(hnp.arrays(np.uint8, (n, 3)))).float() / 255
    zero = (0.0, 0.0, 0.0)
    objects = tuple(SceneObject(i, f"thing {i}", zero, zero) for i in range(4))
    cloud = PointCloud(torch.from_numpy(points), grey, torch.from_numpy(instances))
    folder = write_scannet_scene(tmp_path, Scene("scene0000_00", cloud, objects))

    read = read_scannet_scene(folder, subsample=None)

    assert read.cloud.colors is not None
    assert read.cloud.instances is not None
    torch.testing.assert_close(read.cloud.points, cloud.points, rtol=0, atol=0)
    torch.testing.assert_close(read.cloud.colors, grey)
    assert read.cloud.instances.tolist() == instances.tolist()
    for found in read.objects:
        own = points[instances == found.object_id]
        np.testing.assert_allclose(found.size, own.max(0) - own.min(0), atol=1e-4)
    assert {o.object_id for o in read.objects} == set(instances.tolist()) - {-1}


@_settings
@given(
    sentence=st.text(st.characters(codec="utf-8"), max_size=20),
    numbers=st.lists(st.floats(0, 1e6), min_size=7, max_size=7),
    turn=st.floats(-math.pi, math.pi),
)
def test_any_answers(tmp_path: Path, sentence: str, numbers: list[float], turn: float) -> None:
    score, x, y, z, *size = numbers
    cos, sin = math.cos(turn), math.sin(turn)
    rotation = ((cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0))
    answer = Answer(sentence, 1, score, (x, y, z), (size[0], size[1], size[2]), rotation)
    sheet = AnswerSheet("a.ply", (answer,), ("careful",), 0.001)
    write_answers(tmp_path / "a.json", sheet)
    assert read_answers(tmp_path / "a.json") == sheet
    assert json.loads((tmp_path / "a.json").read_bytes())["frame"] == "input"
