from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from types import ModuleType

import pytest
from trisparse.core.errors import CorruptFile
from trisparse.pipelines import cli


@dataclass(frozen=True)
class Count:
    """Count to a number."""

    upto: int = 3
    """Last number."""
    json: bool = False
    """Print JSON."""

    def run(self) -> None:
        if self.upto < 0:
            raise CorruptFile("/tmp/a folder [bold]/" + "long" * 40 + ".ply", "header line 4", f"found {self.upto}")
        if self.upto == 0:
            raise FileNotFoundError(2, "No such file or directory", "gone.ply")
        if self.upto > 100:
            raise RuntimeError("a bug of ours")
        print(json.dumps({"upto": self.upto}) if self.json else self.upto)


TABLE = tuple(cli.COMMANDS)


@pytest.fixture(autouse=True)
def count_command(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("trisparse.pipelines.commands.count")
    module.__dict__["Count"] = Count
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(cli.COMMANDS, "count numbers", cli.Row("count:Count", "count to a number"))
    monkeypatch.setitem(cli.COMMANDS, "lost", cli.Row("not_there:Lost", "a command without its module"))


def test_a_command_runs_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["count", "numbers", "--upto", "7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"upto": 7}


def test_an_error_is_one_plain_line_with_the_whole_file_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["count", "numbers", "--upto", "-1"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "/tmp/a folder [bold]/" + "long" * 40 + ".ply: header line 4: found -1" in captured.err


def test_debug_shows_the_traceback_from_any_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["count", "numbers", "--debug", "--upto", "-1"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_errors_of_the_operating_system_name_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["count", "numbers", "--upto", "0"]) == 1
    assert "gone.ply" in capsys.readouterr().err


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="a bug of ours"):
        cli.main(["count", "numbers", "--upto", "101"])


@pytest.mark.parametrize("words", [["nope"], ["count"], ["count", "sheep"], ["count", "numbers", "--nope"], []])
def test_wrong_usage_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.err or not words


@pytest.mark.parametrize("words", [["--help"], ["count", "--help"], ["count", "numbers", "--help"], ["--version"]])
def test_help_is_exit_code_0(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    assert capsys.readouterr().out


def test_a_command_that_cannot_be_imported_hurts_only_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lost"]) == 1
    assert "not_there" in capsys.readouterr().err
    assert cli.main(["count", "numbers"]) == 0


def test_help_imports_neither_torch_nor_a_command() -> None:
    program = (
        "import sys; from trisparse.pipelines.cli import main; main(['--help']);"
        "print([m for m in sys.modules if m in ('torch', 'numpy', 'tyro') or m.startswith('trisparse.pipelines.com')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", TABLE)
def test_every_command_of_the_table_explains_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: trisparse {name}" in " ".join(shown.split())


def test_backends_are_shown_with_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["backends", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    defaults = [row["operation"] for row in rows if row["is_default"] and row["device"] == "cpu"]
    assert sorted(defaults) == sorted({row["operation"] for row in rows})
    assert cli.main(["backends"]) == 0
    assert all(row["operation"] in capsys.readouterr().out for row in rows[:1])


def test_a_closed_pipe_ends_quietly() -> None:
    program = "import sys; from trisparse.pipelines.cli import main; sys.exit(main(['backends', '--json']))"
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    _, errors = child.communicate()
    assert (child.returncode, errors) == (1, b"")
