"""ScanRefer, NR3D and SR3D evaluated end to end on generated rooms in their layouts, with a tiny network."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from trisparse.data.boxes import iou_axis_aligned
from trisparse.data.readers.referit3d import read_nr3d, read_sr3d
from trisparse.pipelines import dataset_evaluation
from trisparse.pipelines.cli import main
from trisparse.pipelines.dataset_evaluation import text_rules
from trisparse.pipelines.evaluation_page import choose_examples
from trisparse.pipelines.evaluation_records import read_results
from trisparse.sparse3d.checkpoint import save_weights
from trisparse.sparse3d.grounder import Grounder

SENTENCES = 8
LABELS = "id\traw_category\tcategory\tcount\tnyu40id\tnyu40class\n" + "".join(
    f"{i}\t{name}\t{name}\t1\t{i}\t{nyu}\n"
    for i, (name, nyu) in enumerate([("chair", "chair"), ("table", "table"), ("bed", "bed"), ("couch", "sofa")])
)


@dataclass(frozen=True)
class Place:
    """Generated rooms, and weights of an untrained network."""

    root: Path
    weights: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny: ModuleType) -> Place:
    root = tmp_path_factory.mktemp("rooms")
    words = ("--count", "2", "--seed", "70", "--sentences", str(SENTENCES), "--workers", "1", "--val", "--json")
    assert main(["rooms", str(root), *words]) == 0
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Grounder(tiny.NETWORK)
    save_weights(root / "tiny.safetensors", network.state_dict(), {"network": tiny.NETWORK.to_dict()})
    return Place(root, root / "tiny.safetensors")


@pytest.fixture(autouse=True)
def quick_parts(monkeypatch: pytest.MonkeyPatch, tiny: ModuleType) -> None:
    """Words without a text model, and two pictures a page."""
    monkeypatch.setattr(dataset_evaluation, "load_text_encoder", lambda *_, **__: tiny.HashedWords())
    monkeypatch.setattr(dataset_evaluation, "choose_examples", partial(choose_examples, count=1))


def _evaluate(dataset: str, place: Place, out: Path, *words: str) -> int:
    options = ("--data", str(place.root), "--weights", str(place.weights), "--out", str(out))
    return main(["evaluate", dataset, *options, *words])


def _report(dataset: str, place: Place, out: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert _evaluate(dataset, place, out, "--json", *words) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("dataset", ["scanrefer", "nr3d", "sr3d"])
def test_every_sentence_is_asked_and_accounted_for(
    dataset: str, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = _report(dataset, place, tmp_path, capsys)
    results = read_results(tmp_path / "results.jsonl")
    if dataset != "scanrefer":
        read = read_nr3d if dataset == "nr3d" else read_sr3d
        asked = {(r.scene_id, r.sentence, r.target_id) for r in read(place.root / "ReferIt3D" / f"{dataset}.csv")}
        assert {(r.scene_id, r.sentence, r.target_id) for r in results} == asked
    assert len(results) == report["sentences"] > 3
    assert report["scenes"] == 2
    for result in results:
        boxes = [torch.tensor([v]).double() for v in (result.center, result.size, result.true_center, result.true_size)]
        assert float(iou_axis_aligned(*boxes)[0]) == pytest.approx(result.iou, abs=1e-6)
        assert set(result.milliseconds) == {"backbone", "text", "head"}
    everything = report["rows"][0]
    assert everything["name"] == "all"
    share = sum(result.iou > 0.25 for result in results) / len(results)
    assert everything["accuracy"][0]["value"] == pytest.approx(share)
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert [time["name"] for time in report["times"]] == ["backbone", "text", "head", "sentence"]
    assert (tmp_path / "report.html").read_text().count("<figure>") == 2


def test_nr3d_and_sr3d_are_reported_by_difficulty_view_and_type(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {row["name"]: row["count"] for row in _report("sr3d", place, tmp_path, capsys)["rows"]}
    results = read_results(tmp_path / "results.jsonl")
    assert rows["all"] == rows.get("easy", 0) + rows.get("hard", 0) == len(results)
    assert rows["all"] == rows.get("view-dependent", 0) + rows.get("view-independent", 0)
    kinds = {tag for result in results for tag in result.tags} - {"easy", "hard", "view-dependent", "view-independent"}
    assert kinds
    assert sum(rows[kind] for kind in kinds) == rows["all"]
    assert sum("hard" in result.tags for result in results) == sum(result.distractors > 1 for result in results)


def test_scanrefer_is_reported_by_both_definitions_of_unique(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without = _report("scanrefer", place, tmp_path / "without", capsys)
    assert any("scannetv2-labels.combined.tsv: no such file" in note for note in without["notes"])
    assert {"unique by the category's name", "multiple by the category's name"} & {r["name"] for r in without["rows"]}
    root = tmp_path / "with"
    shutil.copytree(place.root, root)
    (root / "meta_data" / "scannetv2-labels.combined.tsv").write_text(LABELS)
    report = _report("scanrefer", Place(root, place.weights), tmp_path / "out", capsys)
    rows = {row["name"]: row["count"] for row in report["rows"]}
    for whose in ("ScanRefer's", "TSP3D's"):
        assert sum(rows.get(f"{kind} ({whose} definition)", 0) for kind in ("unique", "multiple")) == rows["all"]
    assert report["notes"] == []


def test_an_evaluation_goes_on_where_it_was_stopped(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _report("nr3d", place, tmp_path, capsys)
    before = (tmp_path / "results.jsonl").read_bytes()
    (tmp_path / "results.jsonl").write_bytes(before[:-25])
    asked: list[str] = []
    evaluate_scene = dataset_evaluation.evaluate_scene

    def counted(grounder, states, scene):  # type: ignore[no-untyped-def]
        asked.append(scene.scene_id)
        return evaluate_scene(grounder, states, scene)

    monkeypatch.setattr(dataset_evaluation, "evaluate_scene", counted)
    again = _report("nr3d", place, tmp_path, capsys)
    assert asked == ["scene0071_00"]
    assert again["rows"] == whole["rows"]
    assert _report("nr3d", place, tmp_path, capsys)["rows"] == whole["rows"]
    assert asked == ["scene0071_00"], "what is there is not computed again"


def test_a_few_scenes_first_and_then_all(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = _report("scanrefer", place, tmp_path, capsys, "--limit", "1")
    assert few["scenes"] == 1
    assert any("only the first 1 of 2 scenes" in note for note in few["notes"])
    whole = _report("scanrefer", place, tmp_path, capsys)
    assert whole["sentences"] > few["sentences"]
    assert _report("scanrefer", place, tmp_path, capsys, "--limit", "1")["rows"] == few["rows"]


def test_results_of_other_sentences_are_not_mixed(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _report("scanrefer", place, tmp_path, capsys, "--limit", "1")
    assert _evaluate("nr3d", place, tmp_path) == 1
    assert "another choice of dataset, sentences" in capsys.readouterr().err


def test_the_table_names_the_published_figures_as_such(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _evaluate("nr3d", place, tmp_path) == 0
    shown = capsys.readouterr().out
    assert "48.7 / 37.0" in shown
    assert "for orientation, not measured here" in shown
    assert "voxels and backbone, a scene" in shown
    assert str(tmp_path) in shown


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--limit", "0"), "at least one scene"),
        (("--weights", "nowhere"), "no weights 'nowhere'"),
        (("--split", "train"), "no sentence of split 'train' is left"),
    ],
)
def test_bad_options_are_one_plain_line(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], found: str
) -> None:
    assert _evaluate("nr3d", place, tmp_path / "out", *words) == 1
    error = capsys.readouterr().err
    assert found in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_broken_table_is_one_plain_line(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "nr3d.csv"
    lines = (place.root / "ReferIt3D" / "nr3d.csv").read_text().splitlines(keepends=True)
    broken.write_text("".join([*lines[:2], lines[2].replace("True", "perhaps"), *lines[3:]]))
    assert _evaluate("nr3d", place, tmp_path / "out", "--annotations", str(broken)) == 1
    assert f"{broken}: line 3, column correct_guess: found 'perhaps', expected True or False" in capsys.readouterr().err


def test_a_network_reads_a_data_set_by_the_rules_it_was_trained_with() -> None:
    assert text_rules("free", "nr3d") == "free"
    assert text_rules("scanrefer", "nr3d") == "nr3d"
    assert text_rules("scanrefer", "scanrefer") == "scanrefer"
