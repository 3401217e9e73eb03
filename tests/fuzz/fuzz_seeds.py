"""Small valid files of every format that is read, to be damaged."""

from __future__ import annotations

import io
import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from trisparse.data.readers.ply import write_ply
from trisparse.data.readers.ply_format import Encoding, PlyLists

_POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0.5, 0.5, 3]], np.float32)
_COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [51, 102, 153]], np.uint8)
_PACKED = (_COLORS.astype(np.uint32) << np.array([16, 8, 0], np.uint32)).sum(1).astype(np.uint32)
_FACES = np.array([[0, 1, 2], [1, 2, 3]], np.int32)


def written(write: Callable[[Path], object], name: str = "file") -> bytes:
    """The bytes that a function writes to a path."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def ply_files() -> list[bytes]:
    """Points with colours, meshes with equal and unequal polygons, splats; every encoding."""
    xyz: dict[str, Any] = {name: _POINTS[:, i] for i, name in enumerate("xyz")}
    rgb = {name: _COLORS[:, i] for i, name in enumerate(("red", "green", "blue"))}
    lists = PlyLists(np.array([0, 1, 2, 0, 1, 2, 3], np.int32), np.array([0, 3, 7]))
    splat = {**xyz, **{f"f_dc_{i}": _POINTS[:, i] - 1 for i in range(3)}, "opacity": np.array([5.0, 5, -1, -9])}
    tables: list[dict[str, dict[str, Any]]] = [
        {"vertex": xyz | rgb},
        {"vertex": xyz, "face": {"vertex_indices": _FACES}},
        {"vertex": xyz | rgb, "face": {"area": np.arange(2.0), "vertex_indices": lists}},
        {"vertex": splat},
        {"camera": {"n": np.zeros(0)}, "vertex": {**xyz, "label": np.array([-3, 0, 1, 40000])}},
    ]
    encodings: list[Encoding] = ["ascii", "binary_little_endian", "binary_big_endian"]

    def file(table: dict[str, dict[str, Any]], encoding: Encoding) -> bytes:
        return written(lambda path: write_ply(path, table, encoding=encoding, comments=["seed"]))

    return [file(table, encoding) for table in tables for encoding in encodings]


def pcd_files() -> list[bytes]:
    """ascii, binary and compressed (with literals and references), packed and plain colours, a depth image."""
    header = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F {kind}\nCOUNT 1 1 1 1\nWIDTH {width}\n"
        "HEIGHT {height}\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 4\nDATA {data}\n"
    )
    rows = "\n".join(f"{x} {y} {z} {c}" for (x, y, z), c in zip(_POINTS, _PACKED, strict=True)).encode()
    table = np.zeros(4, [("p", "<f4", (3,)), ("c", "<u4")])
    table["p"], table["c"] = _POINTS, _PACKED
    raw = _POINTS.T.tobytes() + _PACKED.astype("<u4").tobytes()
    literal = b"".join(bytes([len(raw[i : i + 32]) - 1]) + raw[i : i + 32] for i in range(0, len(raw), 32))
    repeated = b"\0\0\xe0\x36\0"  # one literal byte, then a reference to it of 7 + 54 + 2 bytes
    plain = (
        b"VERSION .7\nFIELDS x y z r g b normal\nSIZE 8 8 8 1 1 1 4\nTYPE F F F U U U F\nCOUNT 1 1 1 1 1 1 3\nWIDTH 1\n"
        b"HEIGHT 1\nPOINTS 1\nDATA ascii\n1 2 3 255 0 7 0 0 1\n"
    )

    def file(data: str, body: bytes, kind: str = "U", width: int = 4, height: int = 1) -> bytes:
        return header.format(data=data, kind=kind, width=width, height=height).encode() + body

    return [
        file("ascii", rows.replace(b"3.0", b"nan")),
        file("binary", table.tobytes(), "F", 2, 2),
        file("binary_compressed", struct.pack("<II", len(literal), 64) + literal),
        file("binary_compressed", struct.pack("<II", len(repeated), 64) + repeated),
        plain,
    ]


def array_files() -> list[bytes]:
    """NPZ stored and deflated, NPY of both orders and versions, structured, of objects and without elements."""

    def npz(save: Any, **arrays: Any) -> bytes:
        out = io.BytesIO()
        save(out, **arrays)
        return out.getvalue()

    def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
        out = io.BytesIO()
        np.lib.format.write_array(out, array, version)
        return out.getvalue()

    return [
        npz(np.savez, points=_POINTS, colors=_COLORS),
        npz(np.savez_compressed, xyz=_POINTS.astype(np.float64), rgb=_COLORS / 255, extra=np.arange(3)),
        npz(np.savez, points=np.array([{"a": 1}, None], dtype=object)),
        npy(np.concatenate([_POINTS, _COLORS], axis=1)),
        npy(np.asfortranarray(_POINTS), (2, 0)),
        npy(np.zeros(2, [("a", "<f4"), ("b", "<i2", (2,))])),
        npy(np.zeros((0, 3))),
    ]


def obj_files() -> list[bytes]:
    """Points with colours; a textured mesh with polygons, relative indices and two materials."""
    rows = np.concatenate([_POINTS, _COLORS / 255], axis=1)
    return [
        "".join("v " + " ".join(map(str, row)) + "\n" for row in rows.tolist()).encode(),
        b"mtllib a.mtl\no a\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 1\n"
        b"usemtl wall\nf 1/1/1 2/2/1 3/3/1 4/4/1\nusemtl floor\nf -4//1 -3//1 -2//1\nf 1 2 3\n",
    ]


def mtl_files() -> list[bytes]:
    """A material with a texture and one with a colour."""
    return [b"newmtl wall\nKd 1 1 1\nmap_Kd wall.png\nnewmtl floor\nKd 0.2 0.4 0.6\n"]


def texture_file(format: str = "PNG") -> bytes:
    """An image of two pixels."""
    out = io.BytesIO()
    Image.fromarray(np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8)).save(out, format)
    return out.getvalue()


def glb_files() -> list[bytes]:
    """Points, an indexed mesh below moved nodes, a textured one, a tinted one without indices."""
    uv = np.array([[0.25, 0], [0.25, 1], [0.25, 0.5], [0, 0]], "<f4")
    blocks = [
        *(_POINTS.astype("<f4").tobytes(), _COLORS.tobytes(), _FACES.astype("<u2").tobytes(), uv.tobytes()),
        texture_file(),
    ]
    offsets = np.cumsum([0, *map(len, blocks)]).tolist()
    document: dict[str, Any] = {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"children": [1], "translation": [10, 0, 0], "scale": [1, 2, 1]},
            {"mesh": 0, "rotation": [0, 0, 0.5**0.5, 0.5**0.5]},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": o, "byteLength": len(b)} for o, b in zip(offsets, blocks, strict=False)
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5121, "count": 4, "type": "VEC3", "normalized": True},
            {"bufferView": 2, "componentType": 5123, "count": 6, "type": "SCALAR"},
            {"bufferView": 3, "componentType": 5126, "count": 4, "type": "VEC2"},
        ],
        "materials": [
            {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}},
            {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.25, 1, 1]}},
        ],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 4, "mimeType": "image/png"}],
    }
    primitives: list[dict[str, Any]] = [
        {"attributes": {"POSITION": 0, "COLOR_0": 1}, "mode": 0},
        {"attributes": {"POSITION": 0, "COLOR_0": 1}, "indices": 2},
        {"attributes": {"POSITION": 0, "TEXCOORD_0": 3}, "indices": 2, "material": 0},
        {"attributes": {"POSITION": 0}, "material": 1},
    ]
    matrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 0, 0, 1]
    placed = [_glb({**document, "meshes": [{"primitives": [p]}]}, b"".join(blocks)) for p in primitives]
    flat = {**document, "meshes": [{"primitives": primitives}], "nodes": [{"mesh": 0, "matrix": matrix}], "scenes": []}
    return [*placed, _glb(flat, b"".join(blocks))]


def _glb(document: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def text_files() -> list[bytes]:
    """Points as text: bare, with colours, with names, with a count, with seven and nine columns."""
    rows = np.concatenate([_POINTS, _COLORS], axis=1)

    def table(rows: np.ndarray, separator: str = " ") -> str:
        return "\n".join(separator.join(f"{v:g}" for v in row) for row in rows.tolist()) + "\n"

    return [
        text.encode()
        for text in (
            table(_POINTS),
            table(rows),
            "r,g,b,x,y,z\n" + table(rows[:, [3, 4, 5, 0, 1, 2]], ","),
            "//X;Y;Z;R;G;B\n" + table(rows, ";"),
            "4\n" + table(np.insert(rows, 3, 0.5, axis=1)),
            "# scan\n" + table(np.concatenate([_POINTS, _POINTS, _COLORS], axis=1), "\t"),
        )
    ]


def answers_files() -> list[bytes]:
    """An answer as the command line writes it."""
    identity = [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]
    answer = {
        "sentence": "the lamp",
        "rank": 1,
        "score": 0.5,
        "center": [1, 2, 3],
        "size": [1, 1, 1],
        "rotation": identity,
    }
    sheet = {"scan": "a.ply", "frame": "input", "metres_per_unit": 1.0, "answers": [answer], "warnings": ["none"]}
    return [json.dumps(sheet).encode()]
