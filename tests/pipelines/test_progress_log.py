from __future__ import annotations

from pathlib import Path

import pytest
from trisparse.pipelines.stage import ProgressLog


@pytest.mark.parametrize(
    "broken", [b'{"event": "sta{"event": "started"}', b"\xff\xfe", bytes(8), b"[" * 100_000, b"[2]"]
)
def test_lines_that_a_kill_or_a_power_cut_broke_are_left_out(tmp_path: Path, broken: bytes) -> None:
    log = ProgressLog(tmp_path / "log.jsonl")
    log.write("started", label="a")
    with log.path.open("ab") as file:
        file.write(broken + b"\n")
    log.write("finished")
    assert [record["event"] for record in log.read()] == ["started", "finished"]
