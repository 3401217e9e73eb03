"""Training that is killed with SIGKILL ends with the same bytes as training that is not."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trisparse.pipelines.artifact import MANIFEST

pytestmark = pytest.mark.long

_PROGRAM = Path(__file__).with_name("toy_training.py")


def _command(store: Path, *options: str) -> list[str]:
    return [sys.executable, str(_PROGRAM), str(store), *options]


def _finish(store: Path) -> dict[str, bytes]:
    """Run to the end; the artifact's files, without the manifest."""
    done = subprocess.run(_command(store), capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    assert list(folder.parent.glob("*.partial")) == []
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def _resumed_at(store: Path) -> list[int]:
    (log,) = store.glob("*/*.log.jsonl")
    records = [json.loads(line) for line in log.read_text().splitlines()]
    return [record["step"] for record in records if record["event"] == "from"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return _finish(tmp_path_factory.mktemp("whole"))


def test_the_whole_run_holds_weights_and_losses_only(uninterrupted: dict[str, bytes]) -> None:
    assert sorted(uninterrupted) == ["losses.jsonl", "weights.safetensors"]
    assert len(uninterrupted["losses.jsonl"].splitlines()) == 40


def test_killed_at_chosen_steps_it_ends_with_the_same_bytes(tmp_path: Path, uninterrupted: dict[str, bytes]) -> None:
    for step in (2, 15, 40):  # before the first checkpoint, on one, after the last step
        killed = subprocess.run(_command(tmp_path, "--kill-at", str(step)), capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL
    assert _finish(tmp_path) == uninterrupted
    assert _resumed_at(tmp_path) == [0, 0, 15, 39]


def _kill_at_random_moments(store: Path, kills: int, seed: int) -> None:
    moments = random.Random(seed)
    for _ in range(kills):
        child = subprocess.Popen(_command(store, "--seconds-per-step", "0.01"), stdout=subprocess.DEVNULL)
        started = _wait_for_start(store, child)
        if started:
            time.sleep(moments.uniform(0, 0.4))
        child.kill()
        child.wait()


def _wait_for_start(store: Path, child: subprocess.Popen[bytes]) -> bool:
    """Until the child trains; False when it found the work finished and ended."""
    before = sum(path.read_text().count('"from"') for path in store.glob("*/*.log.jsonl"))
    while child.poll() is None:
        if sum(path.read_text().count('"from"') for path in store.glob("*/*.log.jsonl")) > before:
            return True
        time.sleep(0.005)
    return False


def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path: Path, uninterrupted: dict[str, bytes]) -> None:
    _kill_at_random_moments(tmp_path, kills=2, seed=1)
    assert _finish(tmp_path) == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_killed_many_times_it_ends_with_the_same_bytes(
    tmp_path: Path, uninterrupted: dict[str, bytes], seed: int
) -> None:
    _kill_at_random_moments(tmp_path, kills=5, seed=seed)
    assert _finish(tmp_path) == uninterrupted


def test_of_two_processes_one_makes_the_artifact_and_the_other_is_told(tmp_path: Path) -> None:
    first = subprocess.Popen(_command(tmp_path, "--seconds-per-step", "0.2"), stdout=subprocess.DEVNULL)
    try:
        assert _wait_for_start(tmp_path, first)
        second = subprocess.run(_command(tmp_path), capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert "StoreLocked" in second.stderr
        assert f"process {first.pid} on" in second.stderr
    finally:
        first.kill()
        first.wait()
    _finish(tmp_path)  # the killed one's lock is gone with it
