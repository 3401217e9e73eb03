from __future__ import annotations

from pathlib import Path

import pytest
from trisparse.core.errors import CorruptFile
from trisparse.pipelines.step_log import StepLog


def test_rewinding_drops_later_steps_and_a_cut_line(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "losses.jsonl")
    for step in (1, 2, 3):
        log.append(step, loss=step / 3)
    with open(log.path, "a") as file:
        file.write('{"step": 4, "lo')
    log.rewind(2)
    assert [record["step"] for record in log.read()] == [1, 2]
    assert log.path.read_bytes().endswith(b"}\n")


def test_rewinding_and_repeating_gives_the_same_bytes(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "losses.jsonl")
    for step in (1, 2, 3):
        log.append(step, loss=step / 3, parts=[0.1, 1e-9])
    whole = log.path.read_bytes()
    log.rewind(1)
    for step in (2, 3):
        log.append(step, loss=step / 3, parts=[0.1, 1e-9])
    assert log.path.read_bytes() == whole


def test_an_absent_log_is_empty(tmp_path: Path) -> None:
    assert StepLog(tmp_path / "none.jsonl").read() == []


@pytest.mark.parametrize("line", [b"nonsense", b"\xff\xfe", bytes(8), b"[" * 100_000, b'{"step": "2"}', b"[2]"])
def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path, line: bytes) -> None:
    log = StepLog(tmp_path / "losses.jsonl")
    log.path.write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 3}\n')
    with pytest.raises(CorruptFile, match=r"losses\.jsonl: line 2"):
        log.read()
