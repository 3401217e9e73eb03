"""Which sentences are asked, and about which objects, in a user's folder of data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import CorruptFile, InvalidInput, MissingPart
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.referit3d import write_nr3d, write_scan_list, write_sr3d
from trisparse.data.readers.scannet import ScannetScan, write_scannet_scene
from trisparse.data.readers.scanrefer import write_scanrefer
from trisparse.data.referral import Referral
from trisparse.data.scene import Scene, SceneObject
from trisparse.pipelines import datasets
from trisparse.pipelines.datasets import DatasetFiles, load_questions, load_scene

CATEGORIES = ("chair", "office chair", "table", "couch")
TABLE = "\n".join(
    [
        "id\traw_category\tcategory\tcount\tnyu40id\tnyu40class",
        "2\tchair\tchair\t1\t5\tchair",
        "3\toffice chair\toffice chair\t1\t5\tchair",
        "4\ttable\ttable\t1\t7\ttable",
        "5\tcouch\tcouch\t1\t6\tsofa",
    ]
)


def _scene(scene_id: str) -> Scene:
    """Four objects of 50 points each, two metres apart."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(-0.4, 0.4, (50, 3)) + [2.0 * i, 0, 0.5] for i in range(4)])
    cloud = PointCloud(
        torch.from_numpy(points).float(), torch.full((200, 3), 0.5), torch.arange(4).repeat_interleave(50)
    )
    objects = tuple(SceneObject(i, c, (2.0 * i, 0.0, 0.5), (0.8, 0.8, 0.8)) for i, c in enumerate(CATEGORIES))
    return Scene(scene_id, cloud, objects)


def _said(scene_id: str, target: int, *tags: str) -> Referral:
    anchors = (2,) if tags else ()
    return Referral(scene_id, f"the {CATEGORIES[target]} number {target}", target, CATEGORIES[target], anchors, tags)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two scenes in all three layouts."""
    for scene_id in ("scene0001_00", "scene0000_00"):
        write_scannet_scene(tmp_path / "scans", _scene(scene_id))
    said = [_said("scene0001_00", 2), _said("scene0000_00", 0), _said("scene0000_00", 3), _said("scene0000_00", 2)]
    write_scanrefer(tmp_path / "ScanRefer" / "ScanRefer_filtered_val.json", said)
    categories = {scene: dict(enumerate(CATEGORIES)) for scene in ("scene0000_00", "scene0001_00")}
    write_nr3d(tmp_path / "ReferIt3D" / "nr3d.csv", said, categories)
    kinds = [_said("scene0001_00", 0, "closest"), _said("scene0000_00", 1, "between")]
    write_sr3d(tmp_path / "ReferIt3D" / "sr3d.csv", kinds, categories)
    for dataset in ("nr3d", "sr3d"):
        write_scan_list(tmp_path / "meta_data" / f"{dataset}_test_scans.txt", ["scene0000_00"])
        write_scan_list(tmp_path / "meta_data" / f"{dataset}_train_scans.txt", ["scene0001_00"])
    return tmp_path


def _label_table(root: Path) -> None:
    (root / "meta_data" / "scannetv2-labels.combined.tsv").write_text(TABLE)


def test_scenes_come_sorted_and_sentences_in_the_files_order(root: Path) -> None:
    questions = load_questions(DatasetFiles("scanrefer", root))
    assert list(questions.by_scene) == ["scene0000_00", "scene0001_00"]
    assert [r.target_id for r in questions.by_scene["scene0000_00"]] == [0, 3, 2]


def test_unique_and_multiple_come_by_both_definitions(root: Path) -> None:
    _label_table(root)
    questions = load_questions(DatasetFiles("scanrefer", root))
    tags = {r.target_id: r.tags for r in load_scene(questions, "scene0000_00").referrals}
    assert tags == {
        0: ("official-unique", "tsp3d-multiple"),
        2: ("official-unique", "tsp3d-unique"),
        3: ("official-unique", "tsp3d-unique"),
    }, "the office chair is in the scene, but no sentence describes it"
    assert questions.notes == ()


def test_without_the_label_table_a_note_says_where_it_is_published(root: Path) -> None:
    questions = load_questions(DatasetFiles("scanrefer", root))
    (note,) = questions.notes
    assert "scannetv2-labels.combined.tsv: no such file" in note
    assert "http://www.scan-net.org" in note
    assert all(r.tags == () for r in load_scene(questions, "scene0000_00").referrals)


def test_a_broken_label_table_is_an_error_not_a_note(root: Path) -> None:
    _label_table(root)
    path = root / "meta_data" / "scannetv2-labels.combined.tsv"
    path.write_text(TABLE.replace("nyu40class", "class"))
    with pytest.raises(MissingPart, match="no column nyu40class"):
        load_questions(DatasetFiles("scanrefer", root))
    path.write_text(TABLE.replace("5\tcouch", "five\tcouch"))
    with pytest.raises(CorruptFile, match=r"line 5: id 'five'"):
        load_questions(DatasetFiles("scanrefer", root))


def test_referit3ds_lists_part_the_table_into_splits(root: Path) -> None:
    assert list(load_questions(DatasetFiles("nr3d", root)).by_scene) == ["scene0000_00"]
    assert list(load_questions(DatasetFiles("nr3d", root, "train")).by_scene) == ["scene0001_00"]
    (referral,) = load_questions(DatasetFiles("sr3d", root)).by_scene["scene0000_00"]
    assert referral.tags == ("easy", "view-independent", "between")
    assert referral.anchor_ids == (2,)


def test_files_can_be_named_one_by_one(root: Path, tmp_path: Path) -> None:
    elsewhere, listed = tmp_path / "mine.csv", tmp_path / "mine.txt"
    (root / "ReferIt3D" / "nr3d.csv").rename(elsewhere)
    listed.write_text("scene0001_00\n")
    files = DatasetFiles("nr3d", root, annotations=elsewhere, scans=listed)
    assert list(load_questions(files).by_scene) == ["scene0001_00"]
    files = DatasetFiles("scanrefer", root, scans=listed)
    assert list(load_questions(files).by_scene) == ["scene0001_00"]


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("ReferIt3D/nr3d.csv", r"nr3d\.csv: no such file; it is NR3D's table"),
        ("meta_data/nr3d_test_scans.txt", r"nr3d_test_scans\.txt: no such file.*referit3d.*with --scans"),
    ],
)
def test_a_missing_file_says_what_it_is(root: Path, lost: str, message: str) -> None:
    (root / lost).unlink()
    with pytest.raises(MissingPart, match=message):
        load_questions(DatasetFiles("nr3d", root))


def test_missing_scans_are_told_before_anything_is_computed(root: Path) -> None:
    (root / "scans" / "scene0000_00").rename(root / "scans" / "scene0009_00")
    with pytest.raises(MissingPart, match=r"1 of 2 scenes are not there \(scene0000_00, \.\.\.\).*scan-net.*--scans"):
        load_questions(DatasetFiles("scanrefer", root))


def test_files_that_do_not_belong_together_are_refused(root: Path) -> None:
    write_scan_list(root / "meta_data" / "nr3d_test_scans.txt", ["scene0707_00"])
    with pytest.raises(
        InvalidInput, match=r"nr3d\.csv: no sentence of split 'val' is left of the scenes in .*scans\.txt"
    ):
        load_questions(DatasetFiles("nr3d", root))


def test_a_copy_stands_for_its_original_and_an_object_without_points_is_not_asked(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = _scene("scene0000_00")
    kept = replace(scene, objects=tuple(item for item in scene.objects if item.object_id not in (2, 3)))
    scan = ScannetScan(kept, np.arange(200), np.eye(4), duplicates=((3, 1),), lost=(2,))
    monkeypatch.setattr(datasets, "read_scannet_scan", lambda *_, **__: scan)
    referrals = load_scene(load_questions(DatasetFiles("scanrefer", root)), "scene0000_00").referrals
    assert [(r.sentence, r.target_id) for r in referrals] == [("the chair number 0", 0), ("the couch number 3", 1)]


def test_the_published_matrices_are_used_where_they_are(root: Path) -> None:
    questions = load_questions(DatasetFiles("scanrefer", root))
    before = load_scene(questions, "scene0000_00").objects[0].center
    matrix = np.eye(4)
    matrix[0, 3] = 10.0
    path = root / "meta_data" / "scans_axis_alignment_matrices.json"
    path.write_text(str({"scene0000_00": matrix.ravel().tolist()}).replace("'", '"'))
    after = load_scene(questions, "scene0000_00").objects[0].center
    np.testing.assert_allclose(np.subtract(after, before), [10, 0, 0], atol=1e-5)
