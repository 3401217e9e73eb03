"""Who imports whom: ``core <- data <- {sparse3d, events, rendering} <- pipelines``, and no private names across folders."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

MAY_IMPORT = {
    "core": {"core"},
    "data": {"core", "data"},
    "sparse3d": {"core", "data", "sparse3d"},
    "events": {"core", "data", "events"},
    "rendering": {"core", "data", "rendering"},
    "pipelines": {"core", "data", "sparse3d", "events", "rendering", "pipelines"},
}
"""Folder -> the folders that its modules may import."""


@dataclass(frozen=True)
class Import:
    """One imported name: ``from trisparse.<module> import <name>``, or the module itself when ``name`` is None."""

    place: str
    folder: str
    module: tuple[str, ...]
    name: str | None
    is_absolute: bool


def modules(repository: Path) -> list[Path]:
    """Every module of the library, relative to the repository."""
    return [
        path.relative_to(repository) for folder in MAY_IMPORT for path in sorted((repository / folder).rglob("*.py"))
    ]


def imports(path: Path, source: str) -> Iterator[Import]:
    """What a module imports of trisparse; ``path`` is relative to the repository."""
    package = path.parent.parts  # of the module, below trisparse
    for node in ast.walk(ast.parse(source)):
        place = f"{path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = tuple(alias.name.split("."))
                if parts[0] == "trisparse":
                    yield Import(place, package[0], parts[1:], None, True)
        elif isinstance(node, ast.ImportFrom):
            parts = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                parts = (*package[: len(package) - node.level + 1], *parts)
            elif parts[:1] == ("trisparse",):
                parts = parts[1:]
            else:
                continue
            for alias in node.names:
                yield Import(place, package[0], parts, alias.name, node.level == 0)


def faults(path: Path, source: str) -> list[str]:
    """What a module imports against the rules."""
    found = []
    for item in imports(path, source):
        target = item.module[0] if item.module else item.name
        shown = ".".join(("trisparse", *item.module, *([item.name] if item.name else [])))
        if item.is_absolute:
            found.append(f"{item.place}: inside the library imports are relative, got {shown}")
        if target in MAY_IMPORT and target not in MAY_IMPORT[item.folder]:
            found.append(f"{item.place}: {item.folder} must not import {target}, got {shown}")
        private = [
            part for part in (*item.module, item.name or "") if part.startswith("_") and not part.startswith("__")
        ]
        if private and item.module != path.parent.parts and item.module[:1] != (item.folder,):
            found.append(f"{item.place}: private to another folder: {shown}")
    return found


def test_no_import_points_upwards_or_sideways(repository: Path) -> None:
    paths = modules(repository)
    assert len(paths) > 20
    assert [fault for path in paths for fault in faults(path, (repository / path).read_text())] == []


@pytest.mark.parametrize(
    ("path", "line", "rule"),
    [
        ("core/arrays.py", "from ..data.boxes import Boxes3D", "core must not import data"),
        ("data/readers/ply.py", "from ...sparse3d.grid import VoxelGrid", "data must not import sparse3d"),
        ("sparse3d/grid.py", "from ..events.windows import Window", "sparse3d must not import events"),
        ("sparse3d/kernels/numba_cpu.py", "from ...rendering import rasterize", "sparse3d must not import rendering"),
        ("events/windows.py", "from ..pipelines.store import Store", "events must not import pipelines"),
        ("data/scene.py", "def f():\n    from .. import sparse3d", "data must not import sparse3d"),
        ("pipelines/cli.py", "from ..sparse3d.grid import _rows", "private to another folder"),
        ("pipelines/cli.py", "from ..sparse3d._fast import rows", "private to another folder"),
        ("pipelines/cli.py", "from trisparse.sparse3d.grid import VoxelGrid", "imports are relative"),
        ("pipelines/cli.py", "import trisparse.sparse3d.grid", "imports are relative"),
    ],
)
def test_a_wrong_import_is_found(path: str, line: str, rule: str) -> None:
    assert any(rule in fault for fault in faults(Path(path), line))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("sparse3d/__init__.py", "from .. import __version__ as _"),
        ("sparse3d/grid.py", "from ..core.errors import InvalidInput"),
        ("sparse3d/kernels/numba_cpu.py", "from ..grid import VoxelGrid, _rows"),
        ("pipelines/stages/grounding.py", "from ...sparse3d.grounder import Grounder\nimport torch"),
    ],
)
def test_a_right_import_passes(path: str, line: str) -> None:
    assert faults(Path(path), line) == []


def _jitted(source: str) -> list[tuple[str, bool]]:
    """Functions under a numba decorator, and whether they carry ``no_type_check`` too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            names = {_decorator_name(decorator) for decorator in node.decorator_list}
            if names & {"njit", "jit", "vectorize", "guvectorize", "stencil"}:
                found.append((node.name, "no_type_check" in names))
    return found


def _decorator_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def test_every_jitted_function_is_left_alone_by_the_shape_checks(repository: Path) -> None:
    bare = [
        f"{path}: {name}: a jitted function needs typing.no_type_check too"
        for path in modules(repository)
        for name, is_marked in _jitted((repository / path).read_text())
        if not is_marked
    ]
    assert bare == []


def test_a_bare_jitted_function_is_found() -> None:
    source = "@njit(cache=True)\ndef f(): ...\n@no_type_check\n@numba.njit\ndef g(): ...\n@numba.njit\ndef h(): ..."
    assert _jitted(source) == [("f", False), ("g", True), ("h", False)]


def test_the_page_on_architecture_lists_every_module(repository: Path) -> None:
    tool = repository / "docs" / "list_modules.py"
    made = runpy.run_path(str(tool))["page"]
    text = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert made(text) == text, "run python docs/list_modules.py"
