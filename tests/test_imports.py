"""Importing is quiet: no optional package, no output, no GPU, no change of the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

OPTIONAL = (
    "open3d",
    "transformers",
    "matplotlib",
    "gsplat",
    "MinkowskiEngine",
    "spconv",
    "tokenizers",
    "triton",
    "viser",
    "zstandard",
    "h5py",
    "hdf5plugin",
    "lz4",
    "cv2",
    "pycolmap",
    "imageio_ffmpeg",
)
FOLDERS = ("core", "data", "sparse3d", "events", "rendering", "pipelines")

_PROBE = """
import importlib, json, os, sys, threading

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)

sys.meta_path.insert(0, Refuse())
import torch
before, threads = dict(os.environ), (torch.get_num_threads(), threading.active_count())
state = torch.get_rng_state().clone()
failures = {{}}
for name in {names!r}:
    try:
        importlib.import_module(name)
    except Exception as error:
        failures[name] = f"{{type(error).__name__}}: {{error}}"
sys.stdout.write(json.dumps({{
    "failures": failures,
    "environment": dict(os.environ) == before,
    "threads": (torch.get_num_threads(), threading.active_count()) == threads,
    "cuda": torch.cuda.is_initialized(),
    "random": bool(torch.equal(torch.get_rng_state(), state)),
}}))
"""


def _names(repository: Path) -> list[str]:
    paths = [path for folder in FOLDERS for path in sorted((repository / folder).rglob("*.py"))]
    names = [".".join(("trisparse", *path.relative_to(repository).with_suffix("").parts)) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


def _run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def test_every_module_imports_quietly_without_the_optional_packages(repository: Path, tmp_path: Path) -> None:
    names = _names(repository)
    assert len(names) > 20
    done = _run(_PROBE.format(blocked=OPTIONAL, names=names), tmp_path)
    assert done.stderr == ""
    found = json.loads(done.stdout)  # anything printed before would not be JSON
    assert found["failures"] == {}
    assert found["environment"]
    assert found["threads"]
    assert not found["cuda"]
    assert found["random"]


def test_each_module_imports_first(repository: Path, tmp_path: Path) -> None:
    """A circle of imports shows only when one enters it at the right place: each module in a fresh interpreter state."""
    program = (
        "import importlib, sys, torch, numba, scipy\n"
        f"for name in {_names(repository)!r}:\n"
        "    for loaded in [m for m in sys.modules if m == 'trisparse' or m.startswith('trisparse.')]:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
    )
    done = _run(program, tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_does_not_import_as_a_top_level_package(repository: Path, folder: str) -> None:
    """Or a module could be loaded twice, with two sets of exception classes."""
    done = _run(f"import {folder}", repository)
    assert done.returncode == 1
    assert "ImportError" in done.stderr


def test_the_public_names_are_there_and_others_are_not() -> None:
    import trisparse

    assert trisparse.__version__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = trisparse.nonsense
