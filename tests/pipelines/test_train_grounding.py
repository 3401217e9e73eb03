"""Training the grounding network: killed and resumed, on two processes, and to some avail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trisparse.pipelines.fingerprint import hash_files

SCRIPT = Path(__file__).with_name("tiny_grounding.py")
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
TWO_THREADS = {**os.environ, "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}


def _train(folder: Path, steps: int, *options: str, env: dict[str, str] = ONE_THREAD) -> Path:
    command = [sys.executable, str(SCRIPT), str(folder), str(steps), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1])


def _content(folder: Path) -> dict[str, dict[str, str | int]]:
    return {name: value for name, value in hash_files(folder).items() if not name.startswith("manifest")}


@pytest.mark.slow
def test_a_killed_training_resumes_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = _train(tmp_path / "whole", 9)
    folder = tmp_path / "killed"
    command = [sys.executable, str(SCRIPT), str(folder), "9", "0.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ONE_THREAD) as process:
        deadline = time.monotonic() + 120
        while not list(folder.rglob("step-*.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert list(folder.rglob("step-*.json")), "killed after its first checkpoint"
    assert not list(folder.rglob("weights.safetensors"))
    resumed = _train(folder, 9)
    assert _content(resumed) == _content(whole)
    names = {"weights.safetensors", "log.jsonl", "validation.jsonl", "curves.png"}
    assert set(_content(whole)) == names


@pytest.mark.slow
def test_two_trainings_with_two_threads_end_with_the_same_bytes(tmp_path: Path) -> None:
    first, second = (_train(tmp_path / name, 9, env=TWO_THREADS) for name in ("first", "second"))
    assert _content(first) == _content(second)


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    from_one = _train(tmp_path / "one", 4)
    done = subprocess.run(
        [*command, str(SCRIPT), str(tmp_path / "two"), "4"],
        capture_output=True,
        text=True,
        check=False,
        env=ONE_THREAD,
    )
    assert done.returncode == 0, done.stderr
    log = [json.loads(line) for path in tmp_path.rglob("two/**/log.jsonl") for line in path.read_text().splitlines()]
    assert [record["step"] for record in log] == [1, 2, 3, 4]
    one = [json.loads(line) for line in (from_one / "log.jsonl").read_text().splitlines()]
    assert log[0]["loss"] == pytest.approx(one[0]["loss"], rel=0.5), "half the batch each, the same weights at first"
    assert len(list(tmp_path.rglob("two/**/weights.safetensors"))) == 1
