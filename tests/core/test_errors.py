from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest
from trisparse.core import errors
from trisparse.core.errors import CorruptFile, DataError, InvalidInput, PipelineError, StageFailed, TrisparseError

ALL = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", ALL)
def test_every_error_is_ours_and_a_builtin(cls: type[Exception]) -> None:
    assert issubclass(cls, TrisparseError)
    assert cls is TrisparseError or issubclass(cls, (ValueError, RuntimeError))


def test_families_derive_from_the_builtin_that_callers_know() -> None:
    assert issubclass(InvalidInput, ValueError)
    assert issubclass(DataError, ValueError)
    assert issubclass(PipelineError, RuntimeError)


def test_a_corrupt_file_names_file_place_and_problem() -> None:
    error = CorruptFile(Path("scans/a.ply"), "header line 4", "found 2^40 vertices")
    assert str(error) == "scans/a.ply: header line 4: found 2^40 vertices"
    assert error.path == Path("scans/a.ply")


def test_a_failed_stage_names_label_and_key() -> None:
    error = StageFailed("weights", "0123456789abcdef", "no more memory")
    assert str(error) == "stage 'weights' (0123456789ab) failed: no more memory"
    assert (error.label, error.key) == ("weights", "0123456789abcdef")


@pytest.mark.parametrize("error", [CorruptFile("a.ply", "header", "found 3"), StageFailed("fit", "0123", "no memory")])
def test_errors_come_back_whole_from_worker_processes(error: TrisparseError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_what_a_file_holds_cannot_command_the_terminal_or_break_the_line() -> None:
    error = CorruptFile("a.ply", "header", "element '\x1b[2J\n\udcff\u202e' of Lüttich")
    assert str(error) == r"a.ply: header: element '\x1b[2J\n\udcff\u202e' of Lüttich"
