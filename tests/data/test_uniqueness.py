"""Unique or multiple, by both definitions, on a scene small enough to count by hand."""

from trisparse.data.readers.scannet import LabelRow
from trisparse.data.referral import Referral
from trisparse.data.scene import SceneObject
from trisparse.data.uniqueness import (
    SCANREFER_CLASSES,
    TSP3D_CLASSES,
    scannet_class,
    unique_among_described,
    unique_in_scene,
)

_ROWS = {
    "chair": "chair",
    "office chair": "chair",
    "table": "table",
    "couch": "sofa",
    "lamp": "lamp",
    "refrigerator": "refridgerator",
    "ottoman": "otherfurniture",
}
TABLE = {raw: LabelRow(raw, raw, 0, 0, nyu) for raw, nyu in _ROWS.items()}
OBJECTS = tuple(
    SceneObject(i, category, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    for i, category in enumerate(["chair", "office chair", "table", "couch", "refrigerator"])
)


def _said(target: int, scene: str = "s") -> Referral:
    return Referral(scene, "it", target, OBJECTS[target].category)


def test_scanrefer_counts_only_objects_that_are_described() -> None:
    assert unique_among_described([_said(0), _said(2)], TABLE) == (True, True)
    assert unique_among_described([_said(0), _said(1), _said(2)], TABLE) == (False, False, True)
    assert unique_among_described([_said(0), _said(0)], TABLE) == (True, True), "one object described twice"
    assert unique_among_described([_said(0, "s"), _said(1, "t")], TABLE) == (True, True), "another scene's chair"
    assert unique_among_described([], TABLE) == ()


def test_tsp3d_counts_every_object_of_the_scene() -> None:
    assert [unique_in_scene(i, OBJECTS, TABLE) for i in range(5)] == [False, False, True, False, False]


def test_the_definitions_part_where_the_table_says_sofa() -> None:
    assert scannet_class("couch", TABLE, SCANREFER_CLASSES) == "sofa"
    assert scannet_class("couch", TABLE, TSP3D_CLASSES) == "others"
    assert scannet_class("refrigerator", TABLE, SCANREFER_CLASSES) == "others"
    assert unique_among_described([_said(3), _said(4)], TABLE) == (True, True)


def test_unknown_and_other_categories_are_one_class() -> None:
    said = [Referral("s", "it", 7, "quadcopter"), Referral("s", "it", 8, "ottoman")]
    assert unique_among_described(said, TABLE) == (False, False)
