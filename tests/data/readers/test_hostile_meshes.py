"""Meshes and textures that were made, or found by fuzzing (``make fuzz``), to crash a reader or to eat time and memory."""

from __future__ import annotations

import io
import json
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from trisparse.core.errors import CorruptFile, MissingPart
from trisparse.data.readers.glb import read_glb
from trisparse.data.readers.obj import read_obj
from trisparse.data.readers.scan import read_scan


def _glb(binary: bytes, **document: Any) -> bytes:
    text = json.dumps(document).encode()
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def _png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("with_indices", [False, True])
def test_one_mesh_of_very_many_primitives_on_the_same_numbers_is_refused(tmp_path: Path, with_indices: bool) -> None:
    n = 3000
    primitive = {"attributes": {"POSITION": 0}, "mode": 4, **({"indices": 1} if with_indices else {})}
    content = _glb(
        bytes(12 * n),
        nodes=[{"mesh": 0}],
        meshes=[{"primitives": [primitive] * 5000}],
        bufferViews=[{"byteLength": 12 * n}],
        accessors=[
            {"bufferView": 0, "componentType": 5126, "count": 3 if with_indices else n, "type": "VEC3"},
            {"bufferView": 0, "componentType": 5121, "count": n, "type": "SCALAR"},
        ],
    )
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"a\.glb: node 0: over \d+ vertices and corners"):
        read_glb(tmp_path / "a.glb")


def _textured(n_images: int, image: bytes) -> bytes:
    attributes = {"POSITION": 0, "TEXCOORD_0": 1}
    return _glb(
        bytes(36) + image,
        nodes=[{"mesh": 0}],
        meshes=[{"primitives": [{"attributes": attributes, "material": i} for i in range(n_images)]}],
        bufferViews=[{"byteLength": 36}, *({"byteOffset": 36, "byteLength": len(image) - i} for i in range(n_images))],
        accessors=[
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC2"},
        ],
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": i}}} for i in range(n_images)],
        textures=[{"source": i} for i in range(n_images)],
        images=[{"bufferView": i + 1} for i in range(n_images)],
    )


def test_the_same_few_bytes_as_very_many_textures_take_no_memory(tmp_path: Path) -> None:
    """Each differs from the next by a byte behind the image's end, so that none is the same as another."""
    (tmp_path / "a.glb").write_bytes(_textured(12, _png(4000, 4000) + bytes(20)))
    parts, notes = read_glb(tmp_path / "a.glb")
    assert sum(part.texture is not None for part in parts) == 8  # 2^27 pixels
    assert notes == ("a texture that is not embedded as a PNG or JPEG was left out",)


def test_a_texture_that_is_a_program_is_left_out(tmp_path: Path) -> None:
    """Pillow would hand PostScript to Ghostscript."""
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\nshowpage\n%%EOF\n"
    assert Image.open(io.BytesIO(script)).format == "EPS"
    (tmp_path / "a.glb").write_bytes(_textured(1, script))
    (part,), notes = read_glb(tmp_path / "a.glb")
    assert part.texture is None
    assert notes == ("a texture that is not embedded as a PNG or JPEG was left out",)


@pytest.mark.parametrize("kind", ["SCALAR", "VEC2"])
def test_colours_of_too_few_numbers_are_refused(tmp_path: Path, kind: str) -> None:
    accessor = {"bufferView": 0, "componentType": 5126, "count": 3}
    content = _glb(
        bytes(36),
        nodes=[{"mesh": 0}],
        meshes=[{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}, "mode": 0}]}],
        bufferViews=[{"byteLength": 36}],
        accessors=[{**accessor, "type": "VEC3"}, {**accessor, "type": kind}],
    )
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"a\.glb: COLOR_0: colours of [12] numbers, expected 3 or 4"):
        read_glb(tmp_path / "a.glb")


def test_an_image_of_few_bytes_and_very_many_pixels_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(_textured(1, _png(8000, 8000)))
    (part,), notes = read_glb(tmp_path / "a.glb")
    assert part.texture is None
    assert len(notes) == 1


def test_a_texture_named_very_often_is_decoded_once(tmp_path: Path) -> None:
    (tmp_path / "wall.png").write_bytes(_png(3000, 3000))
    (tmp_path / "a.mtl").write_text("".join(f"newmtl m{i}\nmap_Kd wall.png\n" for i in range(300)))
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\n" * 2000 + "v 0 0 0\nv 1 0 0\nv 1 1 0\nvt 0 0\nusemtl m7\nf 1/1 2/1 3/1\n"
    )
    started = time.process_time()
    (part,), notes = read_obj(tmp_path / "a.obj")
    assert (part.texture is not None, notes) == (True, ())
    assert time.process_time() - started < 10


@pytest.mark.parametrize("face", ["f 1/1", "f 1/1 2/2", "f "])
def test_a_textured_material_whose_faces_have_no_area_is_read(tmp_path: Path, face: str) -> None:
    (tmp_path / "wall.png").write_bytes(_png(2, 2))
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd wall.png\n")
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nvt 0 0\nvt 1 0\n{face}\n")
    assert len(read_scan(tmp_path / "a.obj")) == 2


@pytest.mark.parametrize("number", ["inf", "1e400", "nan", "-1e300"])
def test_texture_corners_that_are_no_place_make_no_warning(tmp_path: Path, number: str) -> None:
    (tmp_path / "wall.png").write_bytes(_png(2, 2))
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd wall.png\n")
    mesh = f"mtllib a.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nv 1 1 0\nvt {number} 0\nvt 1 0\nvt 1 1\nf 1/1 2/2 3/3\n"
    (tmp_path / "a.obj").write_text(mesh)
    assert len(read_scan(tmp_path / "a.obj")) == 150_000


def test_tints_brighter_than_white_are_white(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_text("newmtl lamp\nKd 1e300 0.5 -1\n")
    (tmp_path / "a.obj").write_text("mtllib a.mtl\nusemtl lamp\nv 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 3\n")
    colors = read_scan(tmp_path / "a.obj").colors
    assert colors is not None
    assert colors.unique(dim=0).tolist() == [[1, 0.5, 0]]


def test_transforms_that_overflow_make_no_warning(tmp_path: Path) -> None:
    content = _glb(
        bytes(24) + np.ones(3, "<f4").tobytes(),
        nodes=[{"mesh": 0, "scale": [1e300, 1e300, 1], "children": [1]}, {"mesh": 0, "scale": [1e300, 1, 1]}],
        scenes=[{"nodes": [0]}],
        meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "mode": 0}]}],
        bufferViews=[{"byteLength": 36}],
        accessors=[{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
    )
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises((CorruptFile, MissingPart), match=r"a\.glb"):
        read_scan(tmp_path / "a.glb")
