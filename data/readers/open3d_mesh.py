"""Mesh formats that are read through Open3D."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from ...core.errors import BackendUnavailable, CorruptFile
from .mesh import MeshPart

_DEBIAN = {
    "libGL": "libgl1",
    "libX11": "libx11-6",
    "libgomp": "libgomp1",
    "libusb-1.0": "libusb-1.0-0",
    "libEGL": "libegl1",
    "libGLU": "libglu1-mesa",
}


def import_open3d() -> ModuleType:
    """The module open3d.

    Raises:
        BackendUnavailable: It is not installed, or a system library that it needs is not; names what to install.
    """
    try:
        return import_module("open3d")
    except ModuleNotFoundError as error:
        raise BackendUnavailable(f"Open3D is not installed ({error}): pip install 'trisparse[geometry]'") from error
    except (ImportError, OSError) as error:
        library = re.match(r"(lib[\w.+-]+?)\.so", str(error))
        package = _DEBIAN.get(
            library[1] if library else "", f"the package of {library[0] if library else 'the library'}"
        )
        raise BackendUnavailable(
            f"Open3D is installed but cannot be loaded ({error}): install the system's library, "
            f"on Debian and Ubuntu: apt install {package} (it needs {' '.join(sorted(_DEBIAN.values()))})"
        ) from error


def read_open3d_mesh(path: Path) -> MeshPart:
    """A mesh of a format that only Open3D reads here (STL, OFF, glTF with separate files, FBX).

    Raises:
        BackendUnavailable: See :func:`import_open3d`.
        CorruptFile: Open3D finds no vertices in it.
    """
    open3d = import_open3d()
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        mesh = open3d.io.read_triangle_mesh(str(path))
    vertices = np.asarray(mesh.vertices)
    if not len(vertices):
        raise CorruptFile(path, "mesh", "Open3D finds no vertices in it; is it truncated or of another format?")
    colors = np.asarray(mesh.vertex_colors) if mesh.has_vertex_colors() else None
    return MeshPart(vertices, np.asarray(mesh.triangles).astype(np.int64), colors)
