"""Threads and worker processes compute what one thread alone computes, to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

_PROGRAM = Path(__file__).with_name("many_workers.py")


def _digests(*arguments: str, layer: str = "default") -> dict[str, dict[str, set[str]]]:
    """For each way and scene the hashes that came out, and that every way had all its turns."""
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, str(_PROGRAM), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, set[str]]] = {}
    turns: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        way, number, digest = line.split()
        found.setdefault(way, {}).setdefault(number, set()).add(digest)
        turns[way] += 1
    assert turns["alone"] == 6
    assert turns["own"] + turns["shared"] in (0, 48)
    return found


@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_threads_at_once_get_the_same_bits_as_alone(layer: str) -> None:
    """Also on one grid, whose kernel maps they make and remember at the same time."""
    found = _digests("threads", layer=layer)
    assert all(len(digests) == 1 for digests in found["alone"].values())
    assert found["own"] == found["alone"]
    assert found["shared"]["0"] == found["alone"]["0"]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_of_a_data_loader_get_the_same_bits_as_this_process(method: str) -> None:
    found = _digests("loader", method)
    assert len(found[method]) == 6
    assert found[method] == found["alone"]
