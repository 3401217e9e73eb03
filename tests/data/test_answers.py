"""Answers as JSON."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart
from trisparse.data.answers import Answer, AnswerSheet, read_answers, write_answers

TURN = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
ANSWER = Answer("the red chair", 1, 0.75, (1.0, 2.0, 0.5), (0.5, 0.5, 1.0), TURN)
SHEET = AnswerSheet("scan.ply", (ANSWER,), ("no colours",), 0.001)


def test_answers_survive_a_file(tmp_path: Path) -> None:
    write_answers(tmp_path / "answers.json", SHEET)
    assert read_answers(tmp_path / "answers.json") == SHEET
    assert SHEET.best("the red chair") == ANSWER
    assert SHEET.best("the blue chair") is None


def test_the_json_has_the_fields_of_the_conventions(tmp_path: Path) -> None:
    write_answers(tmp_path / "answers.json", SHEET)
    values = json.loads((tmp_path / "answers.json").read_text())
    assert values["frame"] == "input"
    assert set(values) == {"scan", "frame", "metres_per_unit", "answers", "warnings"}
    assert set(values["answers"][0]) == {"sentence", "rank", "score", "center", "size", "rotation"}
    assert values["answers"][0]["rotation"] == [list(row) for row in TURN]


def test_bad_files_are_named_with_the_entry(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    with pytest.raises(MissingPart, match=r"answers\.json"):
        read_answers(path)
    path.write_text("{")
    with pytest.raises(CorruptFile, match=r"answers\.json: line 1, column 2: not JSON"):
        read_answers(path)
    path.write_text('{"scan": "a", "warnings": [], "answers": [{"sentence": "x"}]}')
    with pytest.raises(CorruptFile, match="answer 0"):
        read_answers(path)


def test_an_answer_is_finite() -> None:
    with pytest.raises(InvalidInput, match="finite"):
        Answer("x", 1, float("nan"), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), TURN)


@pytest.mark.parametrize(
    "change",
    [{"rank": 0}, {"size": (-1.0, 1.0, 1.0)}, {"rotation": ((2.0, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 1.0))}],
)
def test_an_answer_is_a_possible_box(change: dict) -> None:
    with pytest.raises(InvalidInput):
        replace(ANSWER, **change)


@pytest.mark.parametrize(
    "change", [{"metres_per_unit": "abc"}, {"metres_per_unit": -1}, {"frame": "camera"}, {"warnings": "abc"}]
)
def test_a_file_with_a_wrong_field_is_refused(change: dict, tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({**SHEET.to_dict(), **change}))
    with pytest.raises(CorruptFile, match=r"answers\.json: top level"):
        read_answers(path)


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text("[" * 100_000)
    with pytest.raises(CorruptFile, match="nested too deeply"):
        read_answers(tmp_path / "answers.json")
