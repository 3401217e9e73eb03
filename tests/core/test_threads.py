from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from trisparse.core.threads import deterministic

_PROGRAM = """
import os, sys, threading
os.environ.update(NUMBA_THREADING_LAYER="workqueue", NUMBA_NUM_THREADS="2")
import numpy as np
from numba import njit, prange
from contextlib import nullcontext
from trisparse.core.threads import PARALLEL_CODE

@njit(parallel=True)
def roots(x):
    total = np.zeros(len(x))
    for i in prange(len(x)):
        for j in range(200):
            total[i] += np.sqrt(x[i] + j)
    return total

guard = PARALLEL_CODE if sys.argv[1] == "guarded" else nullcontext()

def launch(x):
    with guard:
        roots(x)

launch(np.ones(2))
x = np.ones(20_000)
threads = [threading.Thread(target=lambda: [launch(x) for _ in range(20)]) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print("done")
"""


@pytest.mark.parametrize(("how", "survives"), [("guarded", True), ("bare", False)])
def test_python_threads_may_enter_parallel_code_together(how: str, survives: bool, tmp_path: Path) -> None:
    """The second case shows that there is something to guard against."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.stdout.strip() == "done") == survives, done.stderr


_COUNT = """
import torch
torch.set_num_threads(1)
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.ops import sparse_conv
from trisparse.sparse3d.tensor import SparseTensor
x = SparseTensor(VoxelGrid(torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.int32)), torch.ones(2, 4))
for _ in range(2):
    sparse_conv(x, torch.ones(27, 4, 4))
    print(torch.get_num_threads())
"""


def test_compiled_loops_leave_torchs_number_of_threads_alone(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", _COUNT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, env=environment)
    assert done.stdout.split() == ["1", "1"], done.stderr


def test_deterministic_algorithms_are_on_within_and_as_before_behind() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with deterministic():
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


def test_gradients_of_indexing_are_the_same_on_every_run_when_deterministic() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 64, generator=generator, requires_grad=True)
    rows = torch.randint(0, 40, (60_000,), generator=generator)
    weight = torch.randn(60_000, 64, generator=generator)
    with deterministic():
        found = [torch.autograd.grad((x[rows] * weight).sum(), x)[0] for _ in range(3)]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
