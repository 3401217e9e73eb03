from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
