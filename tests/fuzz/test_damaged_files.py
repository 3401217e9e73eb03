"""Every reader, on what the fuzzer is made of: whatever the bytes, a result or an error of ours that names the file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_readers import READERS
from fuzz_targets import TARGETS, Target, attack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.filterwarnings("error")
_QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
_EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


def test_the_table_of_readers_is_the_command_lines() -> None:
    assert tuple(TARGETS) == READERS


@_EACH
def test_the_valid_files_are_read_or_refused_for_what_they_are(tmp_path: Path, target: Target) -> None:
    outcomes = []
    for case in target.cases():
        target.write(tmp_path, case)
        outcomes.append(attack(target, tmp_path))
    assert [o.problem for o in outcomes] == [None] * len(outcomes)
    read = sum(not o.is_refused for o in outcomes)
    assert read >= 1 if target.name in ("weights", "published") else read >= len(outcomes) * 2 // 3


@_EACH
@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=_QUIET)
@given(number=st.integers(0, 40), seed=st.integers(0, 2**32 - 1))
def test_damaged_files_are_read_or_refused(tmp_path: Path, target: Target, number: int, seed: int) -> None:
    cases = list(target.cases())
    target.write(tmp_path, target.damage(cases[number % len(cases)], seed))
    assert attack(target, tmp_path).problem is None


@_EACH
@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=_QUIET)
@given(file=st.binary(min_size=1, max_size=1), start=st.sampled_from([0, 1, 4, 12, 1000]), rest=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path: Path, target: Target, file: bytes, start: int, rest: bytes) -> None:
    """Alone, or behind the beginning of a valid file."""
    (name, format) = list(target.files.items())[file[0] % len(target.files)]
    target.write(tmp_path, file + format.examples[0][:start] + rest)
    assert (tmp_path / name).exists()
    assert attack(target, tmp_path).problem is None


_PLANTED = """
import os, time
import fuzz_targets as targets

def read(folder):
    if b"element vertex 4" in (folder / "a.ply").read_bytes():
        {what}

targets.TARGETS["ply"] = targets.Target("ply", targets.TARGETS["ply"].files, read)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("raise KeyError(1)", "x KeyError at"),
        ("bytearray(b'x') * (400 << 20)", "x too much memory"),
        ("sum(range(30_000_000))", "x too slow"),
        ("time.sleep(100)", "x hang: File"),
        ("os.abort()", "x died "),
    ],
)
def test_the_fuzzer_finds_what_is_planted_and_keeps_the_case(tmp_path: Path, what: str, found: str) -> None:
    """The same scripts, with less patience and a reader that breaks on most files."""
    pytest.importorskip("atheris")
    for script in Path(__file__).parent.glob("fuzz_*.py"):
        shutil.copy(script, tmp_path)
    (tmp_path / "planted.py").write_text(_PLANTED.format(what=what))
    worker = (tmp_path / "fuzz_worker.py").read_text()
    for old, new in (
        ("SECONDS = 5.0", "SECONDS = 0.2" if "sum" in what else "SECONDS = 50.0"),
        ("CLOCK_SECONDS = 60", "CLOCK_SECONDS = 6" if "sleep" in what else "CLOCK_SECONDS = 600"),
        ('return import_module("fuzz_targets")', 'return import_module("planted").targets'),
    ):
        assert old in worker
        worker = worker.replace(old, new)
    (tmp_path / "fuzz_worker.py").write_text(worker)
    command = [sys.executable, "fuzz_readers.py", "--reader", "ply", "--cases", "3", "--out", "found"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert found in done.stdout
    kept = list((tmp_path / "found" / "ply").glob("*.case"))
    assert kept
    assert all(case.with_suffix(".txt").exists() for case in kept)
