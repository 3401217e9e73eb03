"""Results on disk: whole scenes or nothing, and never those of another question."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from trisparse.core.errors import CorruptFile, InvalidInput
from trisparse.pipelines.evaluation import SentenceResult
from trisparse.pipelines.evaluation_records import ResultLog, read_results, write_results


def _result(scene: str, sentence: str) -> SentenceResult:
    return SentenceResult(
        scene_id=scene,
        sentence=sentence,
        category="chair",
        tags=("easy", "view-dependent"),
        distractors=1,
        iou=0.3,
        shuffled_iou=0.1,
        score=0.7,
        random_object=(0.1, 0.05),
        random_of_category=(0.5, 0.5),
        center=(0.0, 1.0, 2.0),
        size=(1.0, 1.0, 1.0),
        fell_back=False,
        target_id=3,
        true_center=(0.0, 1.0, 2.1),
        true_size=(1.0, 1.0, 1.1),
        milliseconds={"backbone": 90.0, "head": 4.5},
    )


FIRST = [_result("a", "the chair"), _result("a", "der Stühl \u2028 \ud800")]
SECOND = [_result("b", "the other chair"), _result("b", "left of it")]


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    log = ResultLog(tmp_path, {"weights": "w"})
    assert log.start() == {}
    log.append(FIRST)
    log.append(SECOND)
    assert ResultLog(tmp_path, {"weights": "w"}).start() == {"a": FIRST, "b": SECOND}
    assert read_results(log.path) == [*FIRST, *SECOND]
    assert len(log.path.read_text().splitlines()) == 4


@pytest.mark.parametrize("lost", [1, 40, 300])
def test_a_scene_that_a_kill_cut_off_is_dropped_whole(tmp_path: Path, lost: int) -> None:
    log = ResultLog(tmp_path, {})
    log.start()
    log.append(FIRST)
    log.append(SECOND)
    log.path.write_bytes(log.path.read_bytes()[:-lost])
    assert log.start() == {"a": FIRST}
    log.append(SECOND)
    assert log.start() == {"a": FIRST, "b": SECOND}


def test_a_first_line_that_was_cut_off_is_no_error(tmp_path: Path) -> None:
    log = ResultLog(tmp_path, {})
    log.start()
    log.path.write_text('{"scene_id": "a"')
    assert log.start() == {}
    assert log.path.read_text() == ""


def test_results_of_other_settings_are_refused_and_kept(tmp_path: Path) -> None:
    log = ResultLog(tmp_path, {"weights": "w", "sentences": "s", "device": "cpu"})
    log.start()
    log.append(FIRST)
    with pytest.raises(InvalidInput, match=r"another choice of weights, device; choose another folder with --out"):
        replace(log, settings={"weights": "v", "sentences": "s", "device": "cuda"}).start()
    assert log.start() == {"a": FIRST}


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "3",
        "[" * 100_000,
        '{"scene_id": "a", "sentences_of_scene": 1}',
        json.dumps({"sentences_of_scene": "2", "scene_id": "a"}),
        json.dumps({"sentences_of_scene": 2, "unknown": 1}),
    ],
)
def test_a_line_that_is_no_result_is_named(tmp_path: Path, line: str) -> None:
    log = ResultLog(tmp_path, {})
    log.start()
    log.append(FIRST)
    with log.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(CorruptFile, match=r"results\.jsonl: line 3: no result of an evaluation") as caught:
        log.start()
    assert len(str(caught.value)) < 500


def test_settings_that_are_no_json_are_named(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(CorruptFile, match=r"settings\.json: whole file: no JSON"):
        ResultLog(tmp_path, {}).start()


def test_results_written_at_once_are_read_back(tmp_path: Path) -> None:
    results = [FIRST[0], SECOND[0], FIRST[1]]
    write_results(tmp_path / "results.jsonl", results)
    assert read_results(tmp_path / "results.jsonl") == [results[0], results[2], results[1]]
