from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from trisparse.core.errors import ArtifactCorrupt, InvalidInput, MissingPart, StageFailed, StoreLocked
from trisparse.pipelines.artifact import MANIFEST
from trisparse.pipelines.runner import Machine, Node, Pipeline, run_pipeline, run_stage
from trisparse.pipelines.stage import AbstractStage, StageContext, describe_stage, stage_key
from trisparse.pipelines.store import Store

RUNS: list[str] = []
HOOKS: dict[str, Callable[[], None]] = {}


@pytest.fixture(autouse=True)
def no_runs_yet() -> None:
    RUNS.clear()
    HOOKS.clear()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@dataclass(frozen=True)
class WriteText(AbstractStage):
    """Write a text."""

    version: ClassVar[int] = 1
    text: str = "hello"
    source: Path | None = None
    workers: int = field(default=1, metadata={"key": False})

    def run(self, ctx: StageContext) -> None:
        RUNS.append("write")
        (ctx.folder / "text.txt").write_text(self.text)


@dataclass(frozen=True)
class WriteTextAgain(WriteText):
    """The same under a new version."""

    version: ClassVar[int] = 2

    @classmethod
    def stage_name(cls) -> str:
        return "write-text"


@dataclass(frozen=True)
class Shout(AbstractStage):
    """Upper-case another stage's text; an item that is there is not made again."""

    version: ClassVar[int] = 1

    def run(self, ctx: StageContext) -> None:
        RUNS.append("shout")
        loud = ctx.folder / "loud.txt"
        if not loud.exists():
            loud.write_text(ctx.inputs["text"].file("text.txt").read_text().upper())
        HOOKS.get("shout", lambda: None)()


PIPELINE = Pipeline({"words": Node(WriteText()), "noise": Node(Shout(), {"text": "words"})})


def test_stages_run_once_and_are_cached(store: Store) -> None:
    first = run_pipeline(PIPELINE, store)
    second = run_pipeline(PIPELINE, store)
    assert RUNS == ["write", "shout"]
    assert second["noise"].file("loud.txt").read_text() == "HELLO"
    assert second["noise"].key == first["noise"].key


def test_the_manifest_says_what_made_the_artifact(store: Store) -> None:
    artifact = run_pipeline(PIPELINE, store)["noise"]
    manifest = json.loads((artifact.folder / MANIFEST).read_text())
    assert manifest["stage"] == "shout"
    assert manifest["about"]["version"] == 1
    assert manifest["files"]["loud.txt"]["bytes"] == 5
    assert {"seconds", "backends", "versions", "commit"} <= manifest.keys()


def test_a_failing_stage_leaves_no_finished_folder_and_goes_on_next_time(store: Store) -> None:
    def fail() -> None:
        raise ValueError("no more words")

    HOOKS["shout"] = fail
    with pytest.raises(StageFailed, match=r"stage 'noise' \([0-9a-f]{12}\) failed: no more words") as caught:
        run_pipeline(PIPELINE, store)
    assert caught.value.label == "noise"
    assert not (store.root / "shout" / caught.value.key).exists()
    assert (store.root / "shout" / f"{caught.value.key}.partial" / "loud.txt").exists()
    HOOKS.clear()
    assert run_pipeline(PIPELINE, store)["noise"].key == caught.value.key


def test_an_interrupted_stage_leaves_no_finished_folder(store: Store) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    HOOKS["shout"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(PIPELINE, store)
    HOOKS.clear()
    run_pipeline(PIPELINE, store)


@pytest.mark.parametrize("damage", ["changed", "longer", "gone", "extra"])
def test_a_corrupt_artifact_is_detected_and_its_file_named(store: Store, damage: str) -> None:
    folder = run_stage(WriteText(), store).folder
    match damage:
        case "changed":
            (folder / "text.txt").write_text("jello")
        case "longer":
            (folder / "text.txt").write_text("hello, hello")
        case "gone":
            (folder / "text.txt").unlink()
        case _:
            (folder / "more.txt").write_text("")
    name = "more.txt" if damage == "extra" else "text.txt"
    with pytest.raises(ArtifactCorrupt, match=rf"{name}: .*; remove .* to have it made again"):
        run_stage(WriteText(), store)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"key": "x"}',
        '{"key": "x", "files": {"a": 3}}',
        '{"key": [1], "files": {}}',
        "\x00\xff",
    ],
)
def test_a_damaged_manifest_is_detected(store: Store, content: str) -> None:
    folder = run_stage(WriteText(), store).folder
    (folder / MANIFEST).write_text(content)
    with pytest.raises(ArtifactCorrupt, match=MANIFEST):
        run_stage(WriteText(), store)


def _key(stage: AbstractStage, device: str = "cpu", dtype: torch.dtype = torch.float32) -> str:
    return stage_key(describe_stage(stage, {}, torch.device(device), dtype))


def test_the_key_changes_with_all_that_can_change_the_result(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "scan.ply"
    source.write_bytes(b"one")
    stage = WriteText(source=source)
    keys = [_key(stage), _key(replace(stage, text="other")), _key(WriteTextAgain(source=source))]
    keys += [_key(stage, "cuda"), _key(stage, dtype=torch.float64)]
    source.write_bytes(b"two")
    keys.append(_key(stage))
    words = [run_stage(WriteText(text=text), store) for text in ("a", "b")]
    keys += [stage_key(describe_stage(Shout(), {"text": w}, torch.device("cpu"), torch.float32)) for w in words]
    assert len(set(keys)) == len(keys)


def test_the_key_does_not_change_with_what_cannot_change_the_result(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for path in (first, second):
        path.write_bytes(b"same")
    assert _key(WriteText(source=first, workers=1)) == _key(WriteText(source=second, workers=9))
    assert _key(WriteText(), "cuda:0") == _key(WriteText(), "cuda:1")


def test_a_key_is_the_same_on_every_machine() -> None:
    assert _key(Shout()) == "f52147586c010ac854e65683bd7a40012b85447186b321585447ca72cd6ae522"


def test_a_missing_raw_file_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"gone\.ply"):
        run_stage(WriteText(source=tmp_path / "gone.ply"), store)


def test_inputs_come_from_labels_that_stand_before() -> None:
    with pytest.raises(InvalidInput, match="'words'; labels before it: none"):
        Pipeline({"noise": Node(Shout(), {"text": "words"}), "words": Node(WriteText())})


def test_a_part_of_a_pipeline_runs_alone(store: Store) -> None:
    wider = Pipeline({**PIPELINE.nodes, "other": Node(WriteText("else"))})
    assert list(wider.upto("noise").nodes) == ["words", "noise"]
    assert list(run_pipeline(wider.upto("words"), store)) == ["words"]
    with pytest.raises(InvalidInput, match="'nothing'"):
        wider.upto("nothing")


def test_a_held_lock_is_reported_or_waited_for(store: Store) -> None:
    running, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        running.set()
        assert may_end.wait(20)

    HOOKS["shout"] = hold
    results: list[str] = []
    other = threading.Thread(target=lambda: results.append(run_pipeline(PIPELINE, store)["noise"].key))
    other.start()
    assert running.wait(20)
    with pytest.raises(StoreLocked, match="being made by process"):
        run_pipeline(PIPELINE, store)
    threading.Timer(0.2, may_end.set).start()
    waited = run_pipeline(PIPELINE, store, Machine(wait_s=float("inf")))
    other.join()
    assert results == [waited["noise"].key]
    assert RUNS.count("shout") == 1


def test_what_a_kill_left_behind_is_cleaned_up(store: Store) -> None:
    stage = WriteText()
    partial = store.slot("write-text", _key(stage)).begin()
    (partial / ".text.txt.abc.tmp").write_text("half")
    (partial / MANIFEST).write_text("{}")
    artifact = run_stage(stage, store)
    assert sorted(artifact.manifest["files"]) == ["text.txt"]


def test_discarding_makes_room(store: Store) -> None:
    artifact = run_stage(WriteText(), store)
    slot = store.slot("write-text", artifact.key)
    with slot.lock():
        slot.discard()
    assert not artifact.folder.exists()
    run_stage(WriteText(), store)
    assert RUNS == ["write", "write"]
