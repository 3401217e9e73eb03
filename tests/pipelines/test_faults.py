"""Kills, two runs at once, a full disk and a read-only one: the same results in the end, one clear error until then."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trisparse.core.files import write_bytes

_PROGRAM = Path(__file__).with_name("faulty_runs.py")
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def _command(what: str, store: Path, *options: str) -> list[str]:
    return [sys.executable, str(_PROGRAM), what, str(store), *options]


def _lines(what: str, store: Path, *options: str) -> dict[str, list[str]]:
    return _said(_command(what, store, *options))


def _said(command: list[str]) -> dict[str, list[str]]:
    """What the program says, by the first word of the line."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    lines: dict[str, list[str]] = {"end": [], "error": [], "half": [], "killed": [], "child": []}
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        lines[word].append(rest)
    return lines


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """How a run ends that nothing happened to: the hash of its files, and that nothing is left behind."""
    (end,) = _lines("run", tmp_path_factory.mktemp("whole") / "store")["end"]
    assert end.endswith(" []")
    return end


def _mounted(what: str, place: Path, size: str) -> dict[str, list[str]]:
    """The program on a small file system of its own, which nobody else sees; skips where such a one cannot be made."""
    place.mkdir()
    mount = f"mount -t tmpfs -o size={size} tmpfs {place}"
    for private in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        try:
            if subprocess.run([*private, "sh", "-c", mount], capture_output=True, check=False).returncode:
                continue
        except FileNotFoundError:
            break
        return _said([*private, "sh", "-c", f'{mount} && exec "$@"', "sh", *_command(what, place)])
    pytest.skip("no file system of its own can be mounted here (needs unshare, and leave to use it)")


# Kills


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_killed_ten_times_at_random_moments_a_pipeline_ends_with_the_same_bytes(
    tmp_path: Path, undisturbed: str, seed: int
) -> None:
    """Fifty kills in all, anywhere from the first lock to the last rename."""
    lines = _lines("kill", tmp_path / "store", "--kills", "10", "--seed", str(seed))
    assert len(lines["killed"]) == 10
    assert set(lines["end"]) == {undisturbed}
    assert lines["child"] == []


# Two at once


@pytest.mark.long
def test_two_that_start_at_once_and_wait_both_end_with_one_result(tmp_path: Path, undisturbed: str) -> None:
    command = _command("run", tmp_path / "store", "--wait")
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT) for _ in range(2)]
    ends = [process.communicate()[0].strip() for process in both]
    assert ends == [f"end {undisturbed}"] * 2
    logs = list((tmp_path / "store").glob("*/*.log.jsonl"))
    assert [log.read_text().count('"started"') for log in logs] == [1, 1]


@pytest.mark.long
def test_who_waits_for_one_that_is_killed_finishes_its_work(tmp_path: Path, undisturbed: str) -> None:
    store = tmp_path / "store"
    first = subprocess.Popen(_command("run", store, "--seconds-per-step", "60"), env=_ENVIRONMENT)
    while not list(store.glob("toy-training/*.owner.json")):
        assert first.poll() is None
        time.sleep(0.05)
    second = subprocess.Popen(_command("run", store, "--wait"), stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT)
    time.sleep(1)
    first.kill()
    assert first.wait() == -signal.SIGKILL
    assert second.communicate()[0].strip() == f"end {undisturbed}"


# Disks


def _assert_each_failed_clearly(lines: dict[str, list[str]], reason: str) -> None:
    for error in lines["error"]:
        assert error.startswith("StageFailed stage '"), error
        assert reason in error
        assert "cannot be written; free space there or choose a store that can be written, then run again" in error
    assert set(lines["half"]) <= {"[]"}


@pytest.mark.long
def test_a_disk_that_fills_up_anywhere_is_one_clear_error_and_the_next_run_goes_on(
    tmp_path: Path, undisturbed: str
) -> None:
    lines = _mounted("fill", tmp_path / "disk", "400k")
    assert len(lines["error"]) > 10
    _assert_each_failed_clearly(lines, "[Errno 28] No space left on device")
    assert sum("stage 'training'" in error for error in lines["error"]) >= 3
    assert sum("stage 'report'" in error for error in lines["error"]) >= 3
    assert set(lines["end"]) == {undisturbed}


@pytest.mark.long
def test_files_that_may_not_grow_are_one_clear_error_and_the_next_run_goes_on(tmp_path: Path, undisturbed: str) -> None:
    lines = _lines("limit", tmp_path / "store")
    assert len(lines["error"]) > 10
    _assert_each_failed_clearly(lines, "[Errno 27] File too large")
    assert set(lines["end"]) == {undisturbed}


@pytest.mark.long
def test_a_read_only_store_serves_what_it_holds_and_refuses_the_rest_clearly(tmp_path: Path, undisturbed: str) -> None:
    lines = _mounted("freeze", tmp_path / "disk", "4m")
    assert lines["end"] == [undisturbed] * 2
    assert len(lines["error"]) == 1
    _assert_each_failed_clearly(lines, "[Errno 30] Read-only file system")


def test_a_full_disk_is_reported_with_the_files_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(old: str, new: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"No space left on device: .*a\.bin") as caught:
        write_bytes(tmp_path / "a.bin", b"x")
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
