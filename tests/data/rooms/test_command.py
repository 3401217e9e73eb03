"""``trisparse rooms`` writes what the readers of real data read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from trisparse.data.readers.scannet import read_scannet_scene
from trisparse.data.readers.scanrefer import read_scanrefer
from trisparse.data.rooms.generate import RoomConfig, generate_room
from trisparse.pipelines.cli import main


def _run(out: Path, *words: str) -> int:
    return main(
        ["rooms", str(out), "--count", "2", "--seed", "5", "--sentences", "6", "--workers", "1", "--json", *words]
    )


def test_rooms_are_written_read_back_and_not_made_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["rooms"], report["new"]) == (2, 2)
    scene = generate_room(5, RoomConfig(n_sentences=6, vary_words=True, vary_scan=True))
    back = read_scannet_scene(tmp_path / "scans" / "scene0005_00", subsample=None)
    torch.testing.assert_close(back.cloud.points, scene.cloud.points)
    assert [(o.object_id, o.category) for o in back.objects] == [(o.object_id, o.category) for o in scene.objects]
    sentences = read_scanrefer(tmp_path / "ScanRefer" / "ScanRefer_filtered_train.json")
    assert [r for r in sentences if r.scene_id == "scene0005_00"] == list(scene.referrals)
    assert len(sentences) == report["sentences"]

    (tmp_path / "rooms" / "scene0006_00.json").unlink()
    assert _run(tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["new"] == 1


def test_rooms_of_two_recipes_are_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms" / "recipe.json").write_text("something else\n")
    assert _run(tmp_path) == 1
    assert "recipe.json" in capsys.readouterr().err


def test_a_count_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rooms", str(tmp_path), "--count", "0"]) == 1
    assert "count 0" in capsys.readouterr().err
