from __future__ import annotations

from pathlib import Path

import pytest
from trisparse.core.files import atomic_write, remove_leftovers, write_text


def test_a_file_appears_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "one\ntwo\r\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"one\ntwo\r\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_after_an_error_the_old_file_is_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")

    def write_half() -> None:
        with atomic_write(tmp_path / "a.txt") as file:
            file.write(b"ne")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write_half()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in (".a.txt.x1.tmp", "deep/.b.txt.x2.tmp", "a.tmp", ".hidden", "deep/b.txt"):
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path)
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".hidden", "a.tmp", "deep/b.txt"]
