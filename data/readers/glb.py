"""GLB (binary glTF 2.0) meshes: node transforms, vertex colours, embedded textures."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import CorruptFile, MissingPart, UnknownFormat
from .mesh import MeshPart
from .texture import TextureDecoder

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_DEEPEST = 200
_MOST_COPIES = 5_000_000
"""Vertices and corners that may be added by placing a mesh, or using its numbers, repeatedly."""


def read_glb(path: str | PathLike[str]) -> tuple[list[MeshPart], tuple[str, ...]]:
    """Read a GLB file: one part for each primitive that is placed in the scene. glTF is in metres, y up.

    Returns:
        The parts, in the file's frame with the nodes' transforms applied, and notes about what was left out.

    Raises:
        MissingPart: No such file, or it holds no points or triangles.
        UnknownFormat: No GLB of version 2, or it needs an extension that is not read here.
        CorruptFile: It is truncated, or its parts contradict each other.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected a GLB mesh")
    document, binary = _chunks(path, path.read_bytes())
    required = [
        e for e in document.get("extensionsRequired", []) if "compression" in str(e) or "quantization" in str(e)
    ]
    if required:
        raise UnknownFormat(
            f"{path}: needs {', '.join(map(str, required))}, which is not read here; export it without compression, or "
            "unpack it first (gltf-transform copy in.glb out.glb)"
        )
    glb = _Glb(path, document, binary)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            parts = glb.parts()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, CorruptFile):
            raise
        raise CorruptFile(path, "glTF document", f"malformed ({type(error).__name__}: {error!s:.80})") from error
    if not parts:
        raise MissingPart(f"{path}: holds no points or triangles that are placed in its scene")
    return parts, tuple(dict.fromkeys(glb.notes))


def _chunks(path: Path, content: bytes) -> tuple[dict[str, Any], bytes]:
    if content[:4] != b"glTF":
        raise UnknownFormat(f"{path}: does not begin with 'glTF'; is it another format under this name?")
    if len(content) < 20:
        raise CorruptFile(path, f"byte {len(content)}", "the file ends inside its header")
    version, length, json_bytes = np.frombuffer(content, "<u4", 3, 4).tolist()
    if version != 2:
        raise UnknownFormat(f"{path}: glTF version {version}; only version 2 is read here")
    if length > len(content) or 20 + json_bytes > length:
        raise CorruptFile(
            path,
            "header",
            f"claims {length} bytes, {json_bytes} of them JSON, but the file has {len(content)}; truncated?",
        )
    try:
        document = json.loads(content[20 : 20 + json_bytes])
    except (ValueError, RecursionError) as error:
        raise CorruptFile(path, "JSON chunk", f"not JSON ({error!s:.80})") from None
    if not isinstance(document, dict):
        raise CorruptFile(path, "JSON chunk", f"found {type(document).__name__}, expected an object")
    at = 20 + json_bytes
    if at + 8 > length:
        return document, b""
    size = int.from_bytes(content[at : at + 4], "little")
    if at + 8 + size > len(content):
        raise CorruptFile(
            path, f"byte {at}", f"a chunk of {size} bytes, but {len(content) - at - 8} are left; truncated?"
        )
    return document, content[at + 8 : at + 8 + size]


class _Glb:
    def __init__(self, path: Path, document: dict[str, Any], binary: bytes) -> None:
        self.path, self.document, self.binary = path, document, binary
        self.notes: list[str] = []
        self.decoder = TextureDecoder()
        self.textures: dict[int, np.ndarray | None] = {}

    def parts(self) -> list[MeshPart]:
        scenes = self.document.get("scenes", [])
        roots = (
            scenes[self.document.get("scene", 0)].get("nodes", [])
            if scenes
            else range(len(self.document.get("nodes", [])))
        )
        parts: list[MeshPart] = []
        pending = [(root, np.eye(4), 0) for root in roots]
        visited: set[int] = set()
        n_corners, most = 0, _MOST_COPIES + len(self.binary)
        while pending:
            index, world_from_parent, depth = pending.pop()
            if index in visited or depth > _DEEPEST:
                raise CorruptFile(self.path, f"node {index}", "is its own descendant, or stands in the scene twice")
            visited.add(index)
            node = self.document["nodes"][index]
            world_from_node = world_from_parent @ _node_matrix(node)
            if "mesh" in node:
                for primitive in self.document["meshes"][node["mesh"]]["primitives"]:
                    parts += self._primitive(primitive, world_from_node)
                    n_corners += len(parts[-1].vertices) + parts[-1].faces.size if parts else 0
                    if n_corners > most:
                        problem = f"over {most} vertices and corners, the same meshes again and again"
                        raise CorruptFile(self.path, f"node {index}", problem)
            pending += [(child, world_from_node, depth + 1) for child in node.get("children", [])]
        return parts

    def _primitive(self, primitive: dict[str, Any], world_from_node: np.ndarray) -> list[MeshPart]:
        mode = primitive.get("mode", 4)
        if mode not in (0, 4):
            self.notes.append("lines, strips and fans were left out")
            return []
        attributes = primitive["attributes"]
        local = self._accessor(attributes["POSITION"], 3).astype(np.float64)
        vertices = local @ world_from_node[:3, :3].T + world_from_node[:3, 3]
        faces = np.empty((0, 3), np.int64)
        if mode == 4:
            corners = (
                self._accessor(primitive["indices"], 1)[:, 0] if "indices" in primitive else np.arange(len(vertices))
            )
            faces = corners[: len(corners) // 3 * 3].astype(np.int64).reshape(-1, 3)
            if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices):
                found = f"{faces.min()} to {faces.max()} of {len(vertices)}"
                raise CorruptFile(self.path, "a primitive's indices", f"name vertices {found}")
        colors = None
        if "COLOR_0" in attributes:
            colors = self._accessor(attributes["COLOR_0"], None)[:, :3]
            if colors.shape[1] < 3:
                raise CorruptFile(self.path, "COLOR_0", f"colours of {colors.shape[1]} numbers, expected 3 or 4")
            colors = colors / np.iinfo(colors.dtype).max if colors.dtype.kind == "u" else colors.astype(np.float64)
        tint, texture, channel = self._material(primitive.get("material"))
        uv = None
        if texture is not None and f"TEXCOORD_{channel}" in attributes:
            uv = self._accessor(attributes[f"TEXCOORD_{channel}"], 2)
            uv = (uv / np.iinfo(uv.dtype).max if uv.dtype.kind == "u" else uv.astype(np.float64))[faces]
        if colors is not None and len(colors) != len(vertices):
            raise CorruptFile(self.path, "COLOR_0", f"{len(colors)} colours for {len(vertices)} vertices")
        return [MeshPart(vertices, faces, colors, uv, texture if uv is not None else None, tint)]

    def _material(self, index: int | None) -> tuple[tuple[float, float, float] | None, np.ndarray | None, int]:
        if index is None:
            return None, None, 0
        material = self.document["materials"][index].get("pbrMetallicRoughness", {})
        red, green, blue = (float(c) for c in material.get("baseColorFactor", [1, 1, 1])[:3])
        reference = material.get("baseColorTexture")
        texture = None if reference is None else self._texture(reference["index"])
        has_tint = "baseColorFactor" in material
        return (red, green, blue) if has_tint else None, texture, (reference or {}).get("texCoord", 0)

    def _texture(self, index: int) -> np.ndarray | None:
        source = self.document["textures"][index].get("source")
        if source is None:
            self.notes.append("a texture in a format that is not read here (KTX2, WebP extension) was left out")
            return None
        if source not in self.textures:
            image = self.document["images"][source]
            pixels = self.decoder.decode(self._view(image["bufferView"])) if "bufferView" in image else None
            if pixels is None:
                self.notes.append("a texture that is not embedded as a PNG or JPEG was left out")
            self.textures[source] = pixels
        return self.textures[source]

    def _view(self, index: int) -> bytes:
        view = self.document["bufferViews"][index]
        start, size = view.get("byteOffset", 0), view["byteLength"]
        if view.get("buffer", 0) != 0 or start < 0 or size < 0 or start + size > len(self.binary):
            raise CorruptFile(
                self.path, f"bufferView {index}", f"bytes {start} to {start + size} of {len(self.binary)} embedded ones"
            )
        return self.binary[start : start + size]

    def _accessor(self, index: int, width: int | None) -> np.ndarray:
        accessor = self.document["accessors"][index]
        kind, n = np.dtype("<" + _COMPONENTS[accessor["componentType"]]), accessor["count"]
        columns = _WIDTHS[accessor["type"]]
        if width not in (None, columns) or "sparse" in accessor or "bufferView" not in accessor:
            raise CorruptFile(
                self.path, f"accessor {index}", f"{accessor['type']}, expected plain rows of {width} numbers"
            )
        data, start = self._view(accessor["bufferView"]), accessor.get("byteOffset", 0)
        row = kind.itemsize * columns
        stride = self.document["bufferViews"][accessor["bufferView"]].get("byteStride") or row
        if n < 0 or start < 0 or stride < row or (n and start + (n - 1) * stride + row > len(data)):
            raise CorruptFile(
                self.path, f"accessor {index}", f"claims {n} rows of {stride} bytes, {len(data)} are there"
            )
        return np.ndarray((n, columns), kind, data, start, (stride, kind.itemsize))


def _node_matrix(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = (float(v) for v in node.get("rotation", (0, 0, 0, 1)))
    rotation = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] = np.array(rotation) * np.array(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix
