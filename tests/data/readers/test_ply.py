import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart, TrisparseError, UnknownFormat
from trisparse.data.readers.ply import read_ply, write_ply
from trisparse.data.readers.ply_format import Encoding, PlyLists

ENCODINGS: list[Encoding] = ["ascii", "binary_little_endian", "binary_big_endian"]


def _tables() -> dict:
    rng = np.random.default_rng(0)
    return {
        "vertex": {
            "x": rng.normal(size=5).astype(np.float32),
            "y": rng.normal(size=5),
            "red": np.array([0, 1, 2, 254, 255], np.uint8),
            "label": np.array([-3, 0, 1, 2, 40000], np.int32),
        },
        "face": {"vertex_indices": np.array([[0, 1, 2], [2, 3, 4]], np.int32)},
    }


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_written_is_read_again(tmp_path: Path, encoding: Encoding) -> None:
    write_ply(tmp_path / "a.ply", _tables(), encoding=encoding, comments=["hello there"])

    ply = read_ply(tmp_path / "a.ply")

    assert (ply.encoding, ply.comments) == (encoding, ("hello there",))
    for name, table in _tables().items():
        for key, column in table.items():
            read = ply.elements[name].columns[key]
            assert isinstance(read, np.ndarray)
            assert read.dtype == column.dtype
            np.testing.assert_array_equal(read, column)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_lists_of_different_lengths_are_read_again(tmp_path: Path, encoding: Encoding) -> None:
    lists = PlyLists(np.array([0, 1, 2, 0, 1, 2, 3, 9], np.int32), np.array([0, 3, 7, 7, 8]))
    write_ply(tmp_path / "a.ply", {"face": {"area": np.arange(4.0), "vertex_indices": lists}}, encoding=encoding)

    face = read_ply(tmp_path / "a.ply").elements["face"]

    read = face.columns["vertex_indices"]
    assert isinstance(read, PlyLists)
    assert [read[i].tolist() for i in range(4)] == [[0, 1, 2], [0, 1, 2, 3], [], [9]]
    np.testing.assert_array_equal(np.asarray(face.columns["area"]), np.arange(4.0))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_element_without_rows_stays_empty(tmp_path: Path, encoding: Encoding) -> None:
    write_ply(
        tmp_path / "a.ply", {"vertex": {"x": np.zeros(0)}, "face": {"v": np.zeros((0, 3), int)}}, encoding=encoding
    )

    assert [len(element) for element in read_ply(tmp_path / "a.ply").elements.values()] == [0, 0]


def test_a_file_written_by_hand_is_read(tmp_path: Path) -> None:
    text = (
        "ply\r\nformat ascii 1.0\r\nelement vertex 2\r\nproperty float x\r\nproperty list uchar int n\r\nend_header\r\n"
    )
    (tmp_path / "a.ply").write_bytes(text.encode() + b"1.5 2 7 8\r\n-2e3 0")

    vertex = read_ply(tmp_path / "a.ply").elements["vertex"]

    assert np.asarray(vertex.columns["x"]).tolist() == [1.5, -2000]
    assert vertex.columns["n"][0].tolist() == [7, 8]
    assert len(vertex.columns["n"][1]) == 0


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", ["property float x", "property list uchar int x", "property uchar x"])
def test_a_header_that_claims_a_trillion_rows_fails_at_once(tmp_path: Path, encoding: str, kind: str) -> None:
    path = tmp_path / "liar.ply"
    path.write_text(f"ply\nformat {encoding} 1.0\nelement vertex {1 << 40}\n{kind}\nend_header\n1 2 3\n")
    with pytest.raises(CorruptFile, match=rf"liar\.ply: header: claims {1 << 40} rows of 'vertex'.*only 6 follow"):
        read_ply(path)


def test_a_lying_header_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "liar.ply"
    rows = np.zeros(100_000, np.float32).tobytes()
    path.write_bytes(
        f"ply\nformat binary_little_endian 1.0\nelement vertex {1 << 40}\nproperty float x\nend_header\n".encode()
        + rows
    )
    script = """
import resource, sys
from trisparse.core.errors import CorruptFile
from trisparse.data.readers.ply import read_ply
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_ply(sys.argv[1])
except CorruptFile:
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.exit(0 if grown < 20_000 else f"grew by {grown} kB")
sys.exit("was read")
"""
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_list_longer_than_the_file_is_refused(tmp_path: Path, encoding: Encoding) -> None:
    order = ">" if "big" in encoding else "<"
    body = b"2000000000 1 2" if encoding == "ascii" else np.array([2_000_000_000, 1, 2], order + "i4").tobytes()
    header = f"ply\nformat {encoding} 1.0\nelement face 1\nproperty list int int v\nend_header\n"
    (tmp_path / "a.ply").write_bytes(header.encode() + body)
    with pytest.raises(CorruptFile, match=r"a\.ply: face 0: .*2000000000"):
        read_ply(tmp_path / "a.ply")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_truncated_file_is_refused(tmp_path: Path, encoding: Encoding) -> None:
    path = tmp_path / "cut.ply"
    write_ply(path, _tables(), encoding=encoding)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 3):
        path.write_bytes(whole[:length])
        with pytest.raises((CorruptFile, UnknownFormat), match=r"cut\.ply"):
            read_ply(path)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("property float x", "second property 'x'"),
        ("property float4 y", "'property float4 y'"),
        ("property list float int y", "counted by a float"),
        ("element vertex 2", "second element 'vertex'"),
        ("element face -2", "'-2'"),
        ("nonsense", "'nonsense'"),
    ],
)
def test_a_malformed_header_line_is_named(tmp_path: Path, line: str, found: str) -> None:
    path = tmp_path / "bad.ply"
    path.write_text(f"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\n{line}\nend_header\n1\n")
    with pytest.raises(CorruptFile, match=rf"bad\.ply: header line 5: .*{found}"):
        read_ply(path)


@pytest.mark.parametrize(("word", "found"), [("300", "'red' is 300"), ("abc", "'abc' is not"), ("nan", "'red' is nan")])
def test_a_bad_value_of_an_ascii_file_is_named(tmp_path: Path, word: str, found: str) -> None:
    path = tmp_path / "bad.ply"
    path.write_text(f"ply\nformat ascii 1.0\nelement vertex 2\nproperty uchar red\nend_header\n1\n{word}\n")
    with pytest.raises(CorruptFile, match=found):
        read_ply(path)


def test_a_missing_and_a_foreign_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "photo.ply").write_bytes(b"\x89PNG\r\n\x1a\n....")
    with pytest.raises(MissingPart, match=r"nowhere\.ply: no such file"):
        read_ply(tmp_path / "nowhere.ply")
    with pytest.raises(UnknownFormat, match=r"photo\.ply: does not begin"):
        read_ply(tmp_path / "photo.ply")


def test_columns_that_do_not_fit_are_refused_and_leave_the_old_file(tmp_path: Path) -> None:
    write_ply(tmp_path / "a.ply", _tables())
    before = (tmp_path / "a.ply").read_bytes()
    for columns in ({"x": np.zeros(2), "y": np.zeros(3)}, {"x": np.array([1 << 40])}, {"x": np.zeros(1, complex)}):
        with pytest.raises(InvalidInput):
            write_ply(tmp_path / "a.ply", {"vertex": columns})
    assert (tmp_path / "a.ply").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.ply"]


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), encoding=st.sampled_from(ENCODINGS))
def test_damage_is_either_read_or_reported(tmp_path: Path, data: st.DataObject, encoding: Encoding) -> None:
    path = tmp_path / "a.ply"
    write_ply(path, _tables(), encoding=encoding)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read_ply(path)
    except TrisparseError as error:
        assert "a.ply" in str(error)  # noqa: PT017
