import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from trisparse.core.errors import (
    BackendUnavailable,
    CorruptFile,
    MissingPart,
    TrisparseError,
    UnknownFormat,
    UnsafeFile,
)
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers import open3d_mesh
from trisparse.data.readers.ply import write_ply
from trisparse.data.readers.scan import read_scan, read_scan_file
from trisparse.data.readers.scannet import cloud_columns, write_scannet_scene
from trisparse.data.scene import Scene

POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0.5, 0.5, 3]], np.float32)
COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [51, 102, 153]], np.uint8)


def _check(cloud: PointCloud, n: int = 4) -> None:
    assert cloud.colors is not None
    assert len(cloud) == n
    torch.testing.assert_close(cloud.points, torch.from_numpy(POINTS[:n]))
    torch.testing.assert_close(cloud.colors, torch.from_numpy(COLORS[:n] / 255).float())


def _pcd(encoding: str, data: bytes, points: int = 4) -> bytes:
    header = (
        f"# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\nWIDTH {points}\nHEIGHT 1\n"
        f"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS {points}\nDATA {encoding}\n"
    )
    return header.encode() + data


def _packed() -> np.ndarray:
    red, green, blue = COLORS.astype(np.uint32).T
    return red << 16 | green << 8 | blue


def _write(path: Path, kind: str) -> Path:
    red, green, blue = (COLORS / 255).T
    match kind:
        case "ply":
            columns = {name: POINTS[:, i] for i, name in enumerate("xyz")}
            colors = {name: COLORS[:, i] for i, name in enumerate(("red", "green", "blue"))}
            write_ply(path, {"vertex": columns | colors})
        case "npz":
            np.savez(path.with_suffix(".npz"), xyz=POINTS, rgb=COLORS)
            path.with_suffix(".npz").rename(path)
        case "npz-compressed":
            np.savez_compressed(path.with_suffix(".npz"), means3d=POINTS, colors=COLORS / 255)
            path.with_suffix(".npz").rename(path)
        case "npy":
            with path.open("wb") as file:
                np.save(file, np.concatenate([POINTS, COLORS], axis=1))
        case "xyz":
            np.savetxt(path, np.concatenate([POINTS, COLORS], axis=1))
        case "csv":
            rows = [",".join(map(str, [*c.tolist(), *p.tolist()])) for p, c in zip(POINTS, COLORS, strict=True)]
            path.write_text("\n".join(["r,g,b,x,y,z", *rows]))
        case "pcd":
            rows = [f"{x} {y} {z} {c}" for (x, y, z), c in zip(POINTS, _packed(), strict=True)]
            path.write_bytes(_pcd("ascii", "\n".join(rows).encode()))
        case "pcd-binary":
            table = np.zeros(4, [("p", "<f4", (3,)), ("c", "<u4")])
            table["p"], table["c"] = POINTS, _packed()
            path.write_bytes(_pcd("binary", table.tobytes()))
        case "pcd-compressed":
            raw = POINTS.T.tobytes() + _packed().astype("<u4").tobytes()
            packed = b"".join(bytes([len(raw[i : i + 32]) - 1]) + raw[i : i + 32] for i in range(0, len(raw), 32))
            sizes = np.array([len(packed), len(raw)], "<u4").tobytes()
            path.write_bytes(_pcd("binary_compressed", sizes + packed))
        case "obj":
            rows = zip(*POINTS.T.tolist(), red, green, blue, strict=True)
            path.write_text("".join("v " + " ".join(map(str, row)) + "\n" for row in rows))
        case _:
            path.write_bytes(_glb(POINTS, np.empty(0, np.uint16), COLORS))
    return path


def _glb(points: np.ndarray, indices: np.ndarray, colors: np.ndarray, **changes: object) -> bytes:
    chunks = [points.astype("<f4").tobytes(), colors.astype("u1").tobytes(), indices.astype("<u2").tobytes()]
    offsets = np.cumsum([0, *map(len, chunks)]).tolist()
    document: dict[str, Any] = {
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}, "mode": 4 if len(indices) else 0}]}],
        "bufferViews": [{"byteOffset": o, "byteLength": len(c)} for o, c in zip(offsets, chunks, strict=False)],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5121, "count": len(points), "type": "VEC3", "normalized": True},
            {"bufferView": 2, "componentType": 5123, "count": len(indices), "type": "SCALAR"},
        ],
    } | changes
    if len(indices):
        document["meshes"][0]["primitives"][0]["indices"] = 2
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(chunks)
    body = np.array([len(text), 0x4E4F534A], "<u4").tobytes() + text
    body += np.array([len(binary), 0x004E4942], "<u4").tobytes() + binary
    return b"glTF" + np.array([2, 12 + len(body)], "<u4").tobytes() + body


KINDS = ["ply", "npz", "npz-compressed", "npy", "xyz", "csv", "pcd", "pcd-binary", "pcd-compressed", "obj", "glb"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_content_tells_the_format_whatever_the_name(tmp_path: Path, kind: str) -> None:
    _check(read_scan(_write(tmp_path / "scan.bin", kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_reported_with_its_name(tmp_path: Path, kind: str) -> None:
    path = _write(tmp_path / "scan.bin", kind)
    whole = path.read_bytes()
    refused = 0
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:length])
        try:
            read_scan(path)
        except (CorruptFile, UnknownFormat, MissingPart) as error:
            refused += 1
            assert "scan.bin" in str(error)  # noqa: PT017
    assert refused >= (2 if kind in ("xyz", "csv", "obj") else 35)  # a text may end after any number


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("kind", [*KINDS, "glb-mesh"])
def test_damage_is_either_read_or_reported(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    path = tmp_path / "scan.bin"
    if kind == "glb-mesh":
        path.write_bytes(_glb(POINTS, np.array([0, 1, 2, 1, 2, 3]), COLORS))
    else:
        _write(path, kind)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.sampled_from(b'0123456789-. ,"[]{}/nfe\n\xff\x00'))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        read_scan(path)
    except TrisparseError as error:
        assert "scan.bin" in str(error)  # noqa: PT017


def test_no_hostile_file_takes_memory(tmp_path: Path) -> None:
    huge = 1 << 40
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {huge}\nproperty float x\nend_header\n"
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": (huge, 3)})
    (tmp_path / "a.ply").write_bytes(header.encode() + bytes(1000))
    (tmp_path / "b.ply").write_bytes(header.replace("binary_little_endian", "ascii").encode() + b"1 " * 1000)
    (tmp_path / "c.ply").write_bytes(header.replace("float x", "list uchar int x").encode() + b"\xff" * 1000)
    (tmp_path / "a.npy").write_bytes(array.getvalue() + bytes(100))
    (tmp_path / "a.pcd").write_bytes(_pcd("binary", bytes(100), 1 << 34))
    sizes = np.array([100, (1 << 28) * 16 - 16], "<u4").tobytes()
    (tmp_path / "b.pcd").write_bytes(_pcd("binary_compressed", sizes + bytes(100), (1 << 28) - 1))
    accessor = {"bufferView": 0, "componentType": 5126, "count": huge, "type": "VEC3"}
    (tmp_path / "a.glb").write_bytes(_glb(POINTS, np.empty(0), COLORS, accessors=[accessor]))
    many = _glb(np.zeros((3000, 3)), np.empty(0), np.zeros((3000, 3)), nodes=[{"mesh": 0}] * 4000, scenes=[])
    (tmp_path / "b.glb").write_bytes(many)
    script = """
import resource, sys
from pathlib import Path
from trisparse.core.errors import CorruptFile
from trisparse.data.readers.scan import read_scan
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_scan(path)
    except CorruptFile as error:
        print(error)
    else:
        sys.exit(f"{path} was read")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > 200_000:
        sys.exit(f"{path} took {grown} kB")
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 8


def test_rows_of_nan_and_infinity_are_left_out_and_counted(tmp_path: Path) -> None:
    points = np.concatenate([POINTS, [[np.nan, 0, 0], [0, np.inf, 0]]]).astype(np.float32)
    np.savez(tmp_path / "a.npz", points=points, colors=np.concatenate([COLORS, COLORS[:2]]))

    scan = read_scan_file(tmp_path / "a.npz")

    _check(scan.cloud)
    assert scan.notes == ("2 of 6 points are NaN or infinite and were left out",)


def test_points_without_colour_are_grey_with_a_note(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", POINTS)

    scan = read_scan_file(tmp_path / "a.xyz")

    assert scan.cloud.colors is not None
    assert bool((scan.cloud.colors == 0.5).all())
    assert "no colours" in scan.notes[0]


def test_splats_become_points_with_their_base_colour(tmp_path: Path) -> None:
    columns = {name: POINTS[:, i] for i, name in enumerate("xyz")}
    columns |= {f"f_dc_{i}": ((COLORS[:, i] / 255 - 0.5) / 0.28209479177387814).astype(np.float32) for i in range(3)}
    columns["opacity"] = np.array([5, 5, -1, -5], np.float32)
    write_ply(tmp_path / "a.ply", {"vertex": columns})

    scan = read_scan_file(tmp_path / "a.ply")

    _check(scan.cloud, 3)
    assert scan.notes == ("1 of 4 Gaussians have an opacity below 0.1: left out",)


def test_a_mesh_of_few_vertices_is_sampled_evenly_and_always_alike(tmp_path: Path) -> None:
    corners = np.array([[0, 0, 0], [4, 0, 0], [4, 3, 0], [0, 3, 0]], np.float32)
    columns = {name: corners[:, i] for i, name in enumerate("xyz")}
    columns |= {name: np.full(4, 51, np.uint8) for name in ("red", "green", "blue")}
    write_ply(tmp_path / "a.ply", {"vertex": columns, "face": {"vertex_indices": np.array([[0, 1, 2, 3]])}})

    scan, again = read_scan_file(tmp_path / "a.ply"), read_scan_file(tmp_path / "a.ply")

    points = scan.cloud.points
    assert scan.notes == ("150000 points were sampled on the mesh's faces",)
    assert torch.equal(points, again.cloud.points)
    counts, _, _ = np.histogram2d(*points[:, :2].numpy().T, bins=(4, 3))
    assert np.abs(counts / len(points) * 12 - 1).max() < 0.05
    assert scan.cloud.colors is not None
    torch.testing.assert_close(scan.cloud.colors, torch.full_like(points, 0.2))


def test_an_obj_takes_its_colours_from_its_texture(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl wall\nf 1/1 2/2 3/3 4/4\n"
    )
    (tmp_path / "a.mtl").write_text("newmtl wall\nKd 1 1 1\nmap_Kd wall.png\n")
    Image.fromarray(np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8)).save(tmp_path / "wall.png")

    cloud = read_scan(tmp_path / "a.obj")

    assert cloud.colors is not None
    upper = cloud.points[:, 1] > 0.5
    assert cloud.colors[upper].unique(dim=0).tolist() == [[1, 0, 0]]
    assert cloud.colors[~upper].unique(dim=0).tolist() == [[0, 0, 1]]


def test_an_obj_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.mtl").write_text("newmtl wall\nKd 1 0 0\n")
    (tmp_path / "in").mkdir()
    text = "mtllib ../secret.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nusemtl wall\nf -3 -2 -1\n"
    (tmp_path / "in" / "a.obj").write_text(text)

    scan = read_scan_file(tmp_path / "in" / "a.obj")

    assert "'../secret.mtl' is not beside the OBJ" in scan.notes[0]
    assert "no colours" in scan.notes[-1]


def test_a_glb_is_placed_by_its_nodes_and_coloured_by_its_texture(tmp_path: Path) -> None:
    png = io.BytesIO()
    Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8)).save(png, "PNG")
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]])
    uv = np.array([[0.25, 0], [0.25, 1], [0.25, 0.5]], "<f4").tobytes()
    first = _glb(corners, np.array([0, 1, 2]), np.full((3, 3), 255))
    text = json.loads(first[20 : 20 + int.from_bytes(first[12:16], "little")])
    binary = first[28 + int.from_bytes(first[12:16], "little") :] + uv + png.getvalue()
    text["bufferViews"] += [
        {"byteOffset": len(binary) - len(png.getvalue()) - len(uv), "byteLength": len(uv)},
        {"byteOffset": len(binary) - len(png.getvalue()), "byteLength": len(png.getvalue())},
    ]
    text["accessors"].append({"bufferView": 3, "componentType": 5126, "count": 3, "type": "VEC2"})
    primitive = text["meshes"][0]["primitives"][0]
    primitive["attributes"] = {"POSITION": 0, "TEXCOORD_0": 3}
    primitive["material"] = 0
    text["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    text["textures"], text["images"] = [{"source": 0}], [{"bufferView": 4, "mimeType": "image/png"}]
    text["nodes"] = [{"children": [1], "translation": [10, 0, 0]}, {"mesh": 0, "rotation": [0, 0, 0.5**0.5, 0.5**0.5]}]
    document = json.dumps(text).encode()
    header = np.array([2, 28 + len(document) + len(binary), len(document), 0x4E4F534A], "<u4").tobytes()
    (tmp_path / "a.glb").write_bytes(
        b"glTF" + header + document + np.array([len(binary), 0x004E4942], "<u4").tobytes() + binary
    )

    scan = read_scan_file(tmp_path / "a.glb")

    assert scan.up == "y"
    low, high = scan.cloud.points.min(0).values, scan.cloud.points.max(0).values
    torch.testing.assert_close(low, torch.tensor([9.0, 0.0, 0.0]), rtol=0, atol=0.02)
    torch.testing.assert_close(high, torch.tensor([10.0, 1.0, 0.0]), rtol=0, atol=0.02)
    assert scan.cloud.colors is not None
    assert scan.cloud.colors.unique(dim=0).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"nodes": [{"mesh": 0, "children": [0]}]}, "node 0: is its own descendant"),
        ({"accessors": [{"bufferView": 0, "componentType": 5126, "count": 1 << 40, "type": "VEC3"}]}, "1099511627776"),
        ({"bufferViews": [{"byteOffset": 0, "byteLength": 1 << 40}]}, "bufferView 0"),
        ({"meshes": 3}, "malformed"),
        ({"scenes": [{"nodes": ["x"]}]}, "malformed"),
    ],
)
def test_a_glb_that_contradicts_itself_is_refused(tmp_path: Path, change: dict, found: str) -> None:
    (tmp_path / "a.glb").write_bytes(_glb(POINTS, np.empty(0), COLORS, **change))
    with pytest.raises(CorruptFile, match=rf"a\.glb: .*{found}"):
        read_scan(tmp_path / "a.glb")


def test_a_compressed_glb_says_what_to_do(tmp_path: Path) -> None:
    extension = ["KHR_draco_mesh_compression"]
    (tmp_path / "a.glb").write_bytes(_glb(POINTS, np.empty(0), COLORS, extensionsRequired=extension))
    with pytest.raises(UnknownFormat, match=r"KHR_draco_mesh_compression.*export it without compression"):
        read_scan(tmp_path / "a.glb")


def test_python_objects_in_an_npz_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", points=np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(UnsafeFile, match=r"evil\.npz: array 'points' holds Python objects \(dtype object\)"):
        read_scan(tmp_path / "evil.npz")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_array_that_claims_more_than_is_stored_is_refused(tmp_path: Path, compression: int) -> None:
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 3)})
    with zipfile.ZipFile(tmp_path / "liar.npz", "w", compression) as archive:
        archive.writestr("points.npy", array.getvalue() + b"\0" * 100)
    with pytest.raises(CorruptFile, match=rf"liar\.npz: array 'points': claims the shape \({1 << 40}, 3\)"):
        read_scan(tmp_path / "liar.npz")


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("points.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (20 << 20, 3)})
        for _ in range(240):
            file.write(bytes(1 << 20))
    with pytest.raises(CorruptFile, match=r"bomb\.npz: array 'points': \d+ bytes that claim to become 251658368"):
        read_scan(tmp_path / "bomb.npz")


def test_arrays_of_other_names_can_be_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", where=POINTS, paint=COLORS, size=3)
    with pytest.raises(MissingPart, match=r"a\.npz: none of its arrays \(where, paint, size\).*points_key"):
        read_scan(tmp_path / "a.npz")
    with pytest.raises(MissingPart, match="no array 'here' of points; there are where"):
        read_scan_file(tmp_path / "a.npz", points_key="here")

    _check(read_scan_file(tmp_path / "a.npz", points_key="where", colors_key="paint").cloud)


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"points": np.zeros(7)}, r"float64 of shape \(7,\)"),
        ({"points": np.zeros((4, 2))}, r"shape \(4, 2\)"),
        ({"points": np.array([["a", "b", "c"]])}, "<U1"),
        ({"points": POINTS, "colors": COLORS[:2]}, r"shape \(2, 3\), expected \(4, 3\)"),
        ({"points": POINTS, "colors": COLORS * 1e6}, "lie between 0 to 2.55e"),
        ({"points": POINTS * 1e30}, r"coordinate of 3e\+30"),
    ],
)
def test_arrays_that_are_no_points_or_colours_are_refused(tmp_path: Path, arrays: dict, found: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(CorruptFile, match=rf"a\.npz: .*{found}"):
        read_scan(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("line", "found"),
    [("POINTS 4", "WIDTH 1099511627776 times"), ("TYPE F F F U", "TYPE"), ("DATA binary", "1099511627776|POINTS")],
)
def test_a_pcd_whose_header_lies_is_refused(tmp_path: Path, line: str, found: str) -> None:
    changed = {"POINTS 4": "POINTS 4", "TYPE F F F U": "TYPE F F", "DATA binary": f"POINTS {1 << 40}\nDATA binary"}
    text = _pcd("binary", b"1234").decode().replace("WIDTH 4", f"WIDTH {1 << 40}").replace(line, changed[line])
    (tmp_path / "a.pcd").write_text(text)
    with pytest.raises(CorruptFile, match=rf"a\.pcd: header: .*({found})"):
        read_scan(tmp_path / "a.pcd")


def test_a_text_line_of_another_length_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("1 2 3\n4 5 6\n7 8\n9 10 11\n")
    with pytest.raises(CorruptFile, match=r"a\.xyz: line 3: 2 numbers, expected 3"):
        read_scan(tmp_path / "a.xyz")
    (tmp_path / "a.xyz").write_text("1 2 3\n4 5 6\n7 8 x9\n")
    with pytest.raises(CorruptFile, match="line 3: 'x9' is not a number"):
        read_scan(tmp_path / "a.xyz")


def test_missing_empty_and_foreign_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"nowhere\.ply: no such file"):
        read_scan(tmp_path / "nowhere.ply")
    (tmp_path / "a.ply").write_bytes(b"")
    with pytest.raises(CorruptFile, match=r"a\.ply: byte 0: the file is empty"):
        read_scan(tmp_path / "a.ply")
    (tmp_path / "a.ply").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(UnknownFormat, match=r"a\.ply: begins with b'\\x89PNG"):
        read_scan(tmp_path / "a.ply")
    with pytest.raises(UnknownFormat, match="is no ScanNet scene"):
        read_scan(tmp_path)


def test_a_scan_without_points_is_refused_and_one_point_is_a_scan(tmp_path: Path) -> None:
    np.savez(tmp_path / "none.npz", points=np.zeros((0, 3)))
    with pytest.raises(MissingPart, match=r"none\.npz: holds 0 points"):
        read_scan(tmp_path / "none.npz")
    np.savez(tmp_path / "nan.npz", points=np.full((5, 3), np.nan))
    with pytest.raises(MissingPart, match=r"nan\.npz: holds 0 points that are finite \(5 in all\)"):
        read_scan(tmp_path / "nan.npz")
    np.savez(tmp_path / "one.npz", points=np.ones((1, 3)))
    assert len(read_scan(tmp_path / "one.npz")) == 1


def test_a_scannet_folder_brings_its_alignment(tmp_path: Path) -> None:
    cloud = PointCloud(torch.from_numpy(POINTS), torch.from_numpy(COLORS / 255).float())
    folder = write_scannet_scene(tmp_path, Scene("room", cloud))

    scan = read_scan_file(folder)

    _check(scan.cloud)
    assert scan.network_from_file is not None
    torch.testing.assert_close(scan.network_from_file, torch.eye(4, dtype=torch.float64))
    (folder / "room.txt").unlink()
    without = read_scan_file(folder)
    assert without.network_from_file is None
    assert "axisAlignment" in without.notes[0]


def test_large_coordinates_keep_their_digits(tmp_path: Path) -> None:
    far = POINTS.astype(np.float64) + [4_000_000.125, 5_000_000.25, 100]
    np.savez(tmp_path / "a.npz", points=far)

    np.testing.assert_array_equal(read_scan(tmp_path / "a.npz").points.numpy(), far)


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (ModuleNotFoundError("No module named 'open3d'"), r"pip install 'trisparse\[geometry\]'"),
        (ImportError("libGL.so.1: cannot open shared object file"), r"apt install libgl1 \(.*libx11-6"),
        (OSError("libX11.so.6: cannot open shared object file"), "apt install libx11-6"),
        (ImportError("libodd-9.so.2: cannot open"), "the package of libodd-9.so"),
    ],
)
def test_open3d_that_cannot_be_loaded_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, found: str
) -> None:
    def refuse(name: str) -> None:
        raise error

    monkeypatch.setattr(open3d_mesh, "import_module", refuse)
    (tmp_path / "a.stl").write_bytes(b"solid a\nendsolid")
    with pytest.raises(BackendUnavailable, match=found):
        read_scan(tmp_path / "a.stl")


def test_the_office_corner_is_read_without_its_empty_pixels(shared: Path) -> None:
    scan = read_scan_file(shared / "data/scan_office_corner/office_corner.pcd")

    assert (len(scan.cloud), scan.up) == (259_847, "-y")
    assert scan.notes == ("47353 of 307200 points are NaN or infinite and were left out",)
    assert scan.cloud.colors is not None
    torch.testing.assert_close(scan.cloud.colors.mean(0), torch.tensor([0.6258, 0.5510, 0.5171]), rtol=0, atol=1e-3)


def test_the_garden_points_are_read(shared: Path) -> None:
    scan = read_scan_file(shared / "data/gsplat_garden_points/test_garden.npz")

    assert (len(scan.cloud), scan.notes) == (138_766, ())


def test_written_answer_points_are_read_again(tmp_path: Path) -> None:
    cloud = PointCloud(torch.from_numpy(POINTS), torch.from_numpy(COLORS / 255).float())
    write_ply(tmp_path / "a.ply", {"vertex": cloud_columns(cloud)})

    _check(read_scan(tmp_path / "a.ply"))
