"""The wheel holds what the folders hold."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

FOLDERS = ("core", "data", "sparse3d", "events", "rendering", "pipelines")
DATA_SUFFIXES = {".json", ".txt", ".safetensors", ".md"}

_BUILD = "import sys, setuptools.build_meta as b; print(b.{hook}(sys.argv[1]))"


@pytest.fixture(scope="module")
def clean_copy(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files under version control as they are now, without build products; skips outside a checkout."""
    if not (repository / ".git").exists():
        pytest.skip(f"{repository} is not a git checkout, so there is no clean copy to build from")
    folder = tmp_path_factory.mktemp("copy")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, check=True).stdout
    names = [name for name in tracked.decode().split("\0") if name and (repository / name).is_file()]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((repository / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def wheel_names(clean_copy: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in the wheel, below ``trisparse/``."""
    out = tmp_path_factory.mktemp("wheel")
    _build(clean_copy, out, "build_wheel")
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    outside = [name for name in names if not name.startswith("trisparse") or name.startswith("trisparse/tests")]
    assert outside == []
    return {name.removeprefix("trisparse/") for name in names if name.startswith("trisparse/")}


def _build(source: Path, out: Path, hook: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BUILD.format(hook=hook), str(out)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_module_is_in_the_wheel_and_nothing_else(clean_copy: Path, wheel_names: set[str]) -> None:
    expected = {
        path.relative_to(clean_copy).as_posix() for folder in FOLDERS for path in (clean_copy / folder).rglob("*.py")
    }
    assert {name for name in wheel_names if name.endswith(".py")} == expected | {"__init__.py", "__main__.py"}


def test_every_data_file_of_the_folders_is_in_the_wheel(clean_copy: Path, wheel_names: set[str]) -> None:
    files = [path for folder in FOLDERS for path in (clean_copy / folder).rglob("*") if path.suffix in DATA_SUFFIXES]
    expected = {path.relative_to(clean_copy).as_posix() for path in files}
    assert expected - wheel_names == set()
    assert "py.typed" in wheel_names


def test_the_sdist_holds_tests_and_data(clean_copy: Path, tmp_path: Path) -> None:
    _build(clean_copy, tmp_path, "build_sdist")
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(fileobj=BytesIO(sdist.read_bytes())) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    kept = (*FOLDERS, "tests", "docs")
    tracked = {p.relative_to(clean_copy).as_posix() for f in kept for p in (clean_copy / f).rglob("*") if p.is_file()}
    assert {name for name in tracked - names if "egg-info" not in name} == set()
    assert {"LICENSE", "NOTICE", "CITATION.cff"} <= names


def test_every_folder_with_modules_is_a_listed_package(repository: Path) -> None:
    settings = tomllib.loads((repository / "pyproject.toml").read_text())
    found = {
        ".".join(("trisparse", *path.parent.relative_to(repository).parts))
        for folder in FOLDERS
        for path in (repository / folder).rglob("*.py")
    }
    assert set(settings["tool"]["setuptools"]["packages"]) == found | {"trisparse"}
