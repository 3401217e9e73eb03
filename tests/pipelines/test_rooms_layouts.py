"""Generated sentences in ReferIt3D's layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from trisparse.core.errors import MissingPart
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.referit3d import COARSE_TYPES, read_nr3d, read_scan_list, read_sr3d
from trisparse.data.readers.scannet import write_scannet_scene
from trisparse.data.readers.scanrefer import write_scanrefer
from trisparse.data.referral import Referral
from trisparse.data.scene import Scene, SceneObject
from trisparse.pipelines.rooms_layouts import REFERENCE_TYPES, write_referit3d_layout

CATEGORIES = ("chair", "chair", "coffee table", "chair")


def _write(root: Path, split: str, scene_id: str, referrals: list[Referral]) -> None:
    objects = tuple(SceneObject(i, c, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)) for i, c in enumerate(CATEGORIES))
    cloud = PointCloud(torch.rand(4, 3), torch.rand(4, 3), torch.arange(4))
    write_scannet_scene(root / "scans", Scene(scene_id, cloud, objects))
    write_scanrefer(root / "ScanRefer" / f"ScanRefer_filtered_{split}.json", referrals)


def test_both_splits_go_into_one_table_and_the_lists_part_them(tmp_path: Path) -> None:
    said = [
        Referral("scene0000_00", "the chair by the table", 0, "chair", (2,), ("multiple", "next-to")),
        Referral("scene0000_00", "the red chair", 1, "chair", (), ("multiple", "color")),
        Referral("scene0000_00", "the table", 2, "coffee table", (), ("unique", "plain")),
    ]
    _write(tmp_path, "train", "scene0000_00", said)
    behind = Referral("scene0001_00", "the chair behind the table", 3, "chair", (2,), ("behind", "view-dependent"))
    _write(tmp_path, "val", "scene0001_00", [behind])

    assert write_referit3d_layout(tmp_path) == {"nr3d": 3, "sr3d": 2}

    nr3d, sr3d = read_nr3d(tmp_path / "ReferIt3D" / "nr3d.csv"), read_sr3d(tmp_path / "ReferIt3D" / "sr3d.csv")
    assert {r.sentence for r in nr3d} == {"the chair by the table", "the red chair", "the chair behind the table"}
    assert {r.tags[0] for r in nr3d} == {"hard"}
    assert {(r.target_id, r.anchor_ids, r.tags[1:]) for r in sr3d} == {
        (0, (2,), ("view-independent", "closest")),
        (3, (2,), ("view-dependent", "back")),
    }
    for dataset in ("nr3d", "sr3d"):
        assert read_scan_list(tmp_path / "meta_data" / f"{dataset}_train_scans.txt") == ("scene0000_00",)
        assert read_scan_list(tmp_path / "meta_data" / f"{dataset}_test_scans.txt") == ("scene0001_00",)


def test_every_relation_has_a_published_type() -> None:
    assert set(REFERENCE_TYPES.values()) <= set(COARSE_TYPES)


def test_sentences_about_a_room_that_is_gone_are_an_error(tmp_path: Path) -> None:
    said = [Referral("scene0000_00", "the red chair", 1, "chair")]
    write_scanrefer(tmp_path / "ScanRefer" / "ScanRefer_filtered_train.json", said)
    with pytest.raises(MissingPart, match=r"scene0000_00\.aggregation\.json: no such file"):
        write_referit3d_layout(tmp_path)
