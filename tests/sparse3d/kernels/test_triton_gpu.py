"""The Triton backend: when it may be used, what its machine code does, and its kernels against the reference.

The kernels run in processes of their own, since Triton decides at its import whether it interprets them. What runs there
stands in ``triton_cases.py``; ``make test-triton`` installs Triton and runs all of this.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from trisparse.core.errors import BackendUnavailable
from trisparse.sparse3d.grid import FIND_ROWS
from trisparse.sparse3d.kernel_map import MATCH_KEYS
from trisparse.sparse3d.kernels import triton_conv, triton_gpu
from trisparse.sparse3d.ops import CONVOLVE, sparse_conv

from ..scenes import random_tensor
from ..test_ops import weights

CPU, GPU = torch.device("cpu"), torch.device("cuda")
CASES, COMPILE = (Path(__file__).with_name(f"triton_{name}.py") for name in ("cases", "compile"))
needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="Triton is not installed (make test-triton does it)"
)


@pytest.fixture
def triton_is_there(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As if Triton were installed and did not interpret."""
    monkeypatch.setattr(triton_gpu, "_is_installed", lambda: True)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    triton_gpu._why_not_on_gpu.cache_clear()
    yield monkeypatch
    triton_gpu._why_not_on_gpu.cache_clear()


@pytest.mark.parametrize("op", [CONVOLVE, MATCH_KEYS, FIND_ROWS], ids=lambda op: op.name)
def test_triton_comes_first_in_every_table(op: Any) -> None:
    assert list(op.table) == ["triton", "numba", "torch"]


def test_tensors_on_the_cpu_are_refused_with_the_reason(triton_is_there: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendUnavailable, match="backend 'triton' cannot be used on cpu: Triton kernels run on CUDA"):
        sparse_conv(random_tensor(5, 2), weights(3, 2, 3), backend="triton")


def test_without_triton_the_reason_says_how_to_install_it(triton_is_there: pytest.MonkeyPatch) -> None:
    triton_is_there.setattr(triton_gpu, "_is_installed", lambda: False)
    for device in (CPU, GPU):
        assert "pip install 'trisparse[triton]'" in (triton_gpu.why_unusable(device) or "")


def test_the_interpreter_takes_tensors_on_the_cpu(triton_is_there: pytest.MonkeyPatch) -> None:
    triton_is_there.setenv("TRITON_INTERPRET", "1")
    assert triton_gpu.why_unusable(CPU) is None
    assert "does not reach tensors on meta" in (triton_gpu.why_unusable(torch.device("meta")) or "")


@pytest.mark.parametrize(
    ("there", "hip", "capability", "reason"),
    [
        (False, None, (0, 0), "sees no CUDA GPU"),
        (True, "6.2", (9, 0), "this PyTorch is for AMD's"),
        (True, None, (7, 5), "compute capability 8.0 is needed, got 7.5"),
        (True, None, (8, 0), None),
        (True, None, (12, 0), None),
    ],
)
def test_which_gpus_are_taken(
    there: bool,
    hip: str | None,
    capability: tuple[int, int],
    reason: str | None,
    triton_is_there: pytest.MonkeyPatch,
) -> None:
    triton_is_there.setattr(torch.cuda, "is_available", lambda: there)
    triton_is_there.setattr(torch.version, "hip", hip)
    triton_is_there.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    found = triton_gpu.why_unusable(GPU)
    assert found is None if reason is None else reason in (found or "")


def test_single_precision_is_exact_unless_tf32_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = torch.backends.cuda.matmul
    before = setting.allow_tf32
    try:
        for allowed in (True, False):
            setting.allow_tf32 = allowed
            assert triton_conv._arithmetic(torch.float32).name == ("tf32" if allowed else "ieee")
            assert triton_conv._arithmetic(torch.float64).name == "double"
    finally:
        setting.allow_tf32 = before


@pytest.mark.parametrize(
    ("size", "largest", "extent"),
    [(1, 64, 16), (3, 64, 16), (16, 64, 16), (17, 64, 32), (64, 64, 64), (96, 64, 32), (130, 64, 16), (128, 64, 64)]
    + [(96, 128, 128), (192, 128, 64), (256, 128, 128), (2, 4, 4), (40, 16, 16)],
)
def test_a_tile_is_as_wide_as_the_channels_or_leaves_little_over(size: int, largest: int, extent: int) -> None:
    assert triton_conv._extent(size, largest) == extent


def _run(arguments: list[str], folder: Path, cache: Path, **environment: str) -> str:
    """Standard output of a Python process that nothing of this one's tests or of Triton's settings reaches."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TRITON_"))}
    variables |= {"TRITON_CACHE_DIR": str(cache), **environment}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-4000:]
    return done.stdout


def _run_cases(repository: Path, cache: Path, **environment: str) -> None:
    shown = _run(["-m", "pytest", "-q", "-p", "no:cacheprovider", str(CASES)], repository, cache, **environment)
    passed = re.search(r"(\d+) passed", shown)
    assert passed is not None
    assert int(passed[1]) >= 60, "cases were skipped"


@needs_triton
@pytest.mark.long
def test_the_kernels_equal_the_reference_in_tritons_interpreter(repository: Path, tmp_path: Path) -> None:
    _run_cases(repository, tmp_path, TRITON_INTERPRET="1")


@needs_triton
@pytest.mark.long
@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")
def test_the_kernels_equal_the_reference_on_the_gpu(repository: Path, tmp_path: Path) -> None:
    _run_cases(repository, tmp_path)


@pytest.fixture(scope="module")
def machine_code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Facts about every kernel as compiled for GPUs of compute capability 8.0 and 9.0, which need not be there."""
    folder = tmp_path_factory.mktemp("triton")
    return json.loads(_run([str(COMPILE), "80", "90"], folder, folder))


@needs_triton
@pytest.mark.long
def test_no_sum_is_made_by_atomic_operations(machine_code: dict[str, dict[str, Any]]) -> None:
    assert len(machine_code) == 46
    for name, facts in machine_code.items():
        expected = ["atom.global.acq_rel.gpu.cas.b64"] if "insert" in name else []
        assert facts["atomics"] == expected, name


@needs_triton
@pytest.mark.long
def test_products_use_the_tensor_cores_where_their_precision_allows(machine_code: dict[str, dict[str, Any]]) -> None:
    kinds = {"fp16": "f32.f16.f16", "bf16": "f32.bf16.bf16", "tf32": "f32.tf32.tf32"}
    for name, facts in machine_code.items():
        kind = next((shown for way, shown in kinds.items() if f" {way} " in name), None)
        if "products" in name and kind is not None:
            assert facts["tensor cores"], name
            assert all(kind in instruction for instruction in facts["tensor cores"]), name
        else:
            assert facts["tensor cores"] == [], name


@needs_triton
@pytest.mark.long
def test_tiles_fit_the_registers_and_the_memory_of_a_multiprocessor(machine_code: dict[str, dict[str, Any]]) -> None:
    for name, facts in machine_code.items():
        assert facts["stack bytes"] == 0, f"{name}: registers are spilled"
        assert facts["shared bytes"] <= 99 * 1024, f"{name}: more than compute capability 8.6 has for one block"
