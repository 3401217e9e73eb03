"""OBJ meshes, with vertex colours or the textures of their material file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from ...core.errors import CorruptFile, MissingPart
from .mesh import MeshPart, fan
from .text_points import parse_numbers
from .texture import TextureDecoder

_MOST_LIBRARIES = 100


def read_obj(path: str | PathLike[str]) -> tuple[list[MeshPart], tuple[str, ...]]:
    """Read an OBJ file: one part for each material.

    Material files and textures are looked for in the OBJ's own folder and below it, nowhere else.

    Returns:
        The parts, in the file's frame, and notes about what was left out.

    Raises:
        MissingPart: No such file, or it holds no vertices.
        CorruptFile: A number cannot be parsed, or a face names a vertex that is not there.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingPart(f"{path}: no such file; expected an OBJ mesh")
    lines = path.read_bytes().replace(b"\\\n", b" ").split(b"\n")
    vertices, colors = _vertices(path, lines)
    uv = _table(path, [line[3:] for line in lines if line.startswith(b"vt ")], "vt", 2)[:, :2]
    faces, libraries = _faces(path, lines, len(vertices), len(uv))
    materials, notes = _materials(path, libraries)
    parts = []
    for name, (corners, texture_corners) in faces.items():
        tint, texture = materials.get(name, (None, None))
        at = np.array(texture_corners, np.int64).reshape(-1, 3)
        textured = texture is not None and bool((at >= 0).all())
        corner_uv = uv[at] * [1, -1] + [0, 1] if textured else None  # OBJ counts v from the image's last row
        parts.append(
            MeshPart(
                vertices,
                np.array(corners, np.int64).reshape(-1, 3),
                colors,
                corner_uv,
                texture if textured else None,
                None if textured or colors is not None else tint,
            )
        )
    return parts or [MeshPart(vertices, np.empty((0, 3), np.int64), colors)], notes


def _vertices(path: Path, lines: list[bytes]) -> tuple[np.ndarray, np.ndarray | None]:
    rows = [line[2:] for line in lines if line.startswith((b"v ", b"v\t"))]
    if not rows:
        raise MissingPart(f"{path}: holds no line 'v x y z'; expected an OBJ mesh or points")
    table = _table(path, rows, "v", 3)
    if table.shape[1] < 6:
        return table[:, :3], None
    colors = table[:, 3:6]
    return table[:, :3], colors / 255 if np.nanmax(colors) > 1 else colors


def _table(path: Path, rows: list[bytes], key: str, least: int) -> np.ndarray:
    if not rows:
        return np.empty((0, least))
    width = len(rows[0].split())
    values = parse_numbers(path, b"\n".join(rows))
    if width < least or len(values) != width * len(rows):
        expected = max(width, least)
        number, found = next((i, len(row.split())) for i, row in enumerate(rows, 1) if len(row.split()) != expected)
        raise CorruptFile(path, f"'{key}' line {number}", f"{found} numbers, expected {expected}; is it truncated?")
    return values.reshape(len(rows), width)


def _faces(
    path: Path, lines: list[bytes], n_vertices: int, n_uv: int
) -> tuple[dict[str, tuple[list, list]], list[str]]:
    """For each material the triangles' vertices and texture corners (-1 for none), and the material files."""
    faces: dict[str, tuple[list, list]] = {}
    libraries: list[str] = []
    material, seen_vertices, seen_uv = "", 0, 0
    for number, line in enumerate(lines, start=1):
        key = line[:2]
        if key == b"v " or key == b"v\t":
            seen_vertices += 1
        elif key == b"vt":
            seen_uv += 1
        elif key == b"f ":
            try:
                corners = [_corner(word, seen_vertices, seen_uv) for word in line[2:].split()]
            except ValueError:
                raise CorruptFile(path, f"line {number}", f"{line[:60]!r} is no face") from None
            if any(not 0 <= v < n_vertices or t >= n_uv for v, t in corners):
                raise CorruptFile(path, f"line {number}", f"{line[:60]!r} names none of the {n_vertices} vertices")
            mine = faces.setdefault(material, ([], []))
            mine[0].extend(fan([v for v, _ in corners]))
            mine[1].extend(fan([t for _, t in corners]))
        elif line.startswith(b"usemtl"):
            material = line[6:].strip().decode("utf-8", "replace")
        elif line.startswith(b"mtllib"):
            libraries.append(line[6:].strip().decode("utf-8", "replace"))
    return faces, libraries


def _corner(word: bytes, seen_vertices: int, seen_uv: int) -> tuple[int, int]:
    first, _, rest = word.partition(b"/")
    second = rest.partition(b"/")[0]
    vertex, uv = int(first), int(second) if second else 0
    return (
        vertex - 1 if vertex > 0 else seen_vertices + vertex if vertex < 0 else -1,
        uv - 1 if uv > 0 else seen_uv + uv if uv < 0 else -1,
    )


def _materials(
    path: Path, libraries: list[str]
) -> tuple[dict[str, tuple[tuple[float, float, float] | None, np.ndarray | None]], tuple[str, ...]]:
    """For each material its colour and its texture, and notes."""
    materials: dict[str, tuple[tuple[float, float, float] | None, np.ndarray | None]] = {}
    notes = []
    decoder = TextureDecoder()
    for library in list(dict.fromkeys(libraries))[:_MOST_LIBRARIES]:
        content = _beside(path, library)
        if content is None:
            notes.append(f"the material file {library!r} is not beside the OBJ: its colours are missing")
            continue
        name = ""
        for line in content.decode("utf-8", "replace").splitlines():
            words = line.split()
            if words[:1] == ["newmtl"]:
                name = line.split(maxsplit=1)[-1].strip()
                materials[name] = (None, None)
            elif words[:1] == ["Kd"] and len(words) >= 4:
                try:
                    tint = (float(words[1]), float(words[2]), float(words[3]))
                except ValueError:
                    continue
                materials[name] = (tint, materials.get(name, (None, None))[1])
            elif words[:1] == ["map_Kd"] and len(words) > 1:
                image = _beside(path, words[-1])
                texture = None if image is None else decoder.decode(image)
                if texture is None:
                    notes.append(
                        f"the texture {words[-1]!r} is not beside the OBJ, or no image: its colours are missing"
                    )
                materials[name] = (materials.get(name, (None, None))[0], texture)
    return materials, tuple(notes)


def _beside(path: Path, name: str) -> bytes | None:
    """A file that another names, if it lies in the same folder or below."""
    folder = path.parent.resolve()
    try:
        found = (folder / name.replace("\\", "/")).resolve()
        inside = found.is_relative_to(folder) and found.is_file()
    except (OSError, ValueError):
        return None
    return found.read_bytes() if inside else None
