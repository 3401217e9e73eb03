import pytest
import torch
from trisparse.data.point_cloud import PointCloud
from trisparse.data.scene import Scene, SceneObject


def test_objects_are_found_by_their_id_and_their_boxes_keep_the_order() -> None:
    objects = (
        SceneObject(7, "chair", (1.0, 2.0, 0.5), (0.5, 0.5, 1.0)),
        SceneObject(3, "table", (0.0, 0.0, 0.4), (1.0, 2.0, 0.8)),
    )
    scene = Scene("room", PointCloud(torch.zeros(0, 3)), objects)

    assert scene.object(3).category == "table"
    assert scene.boxes.centers.tolist() == [[1, 2, 0.5], [0, 0, 0.4]]
    with pytest.raises(KeyError, match="scene room has no object 0"):
        scene.object(0)


def test_a_scene_without_objects_has_no_boxes() -> None:
    assert len(Scene("room", PointCloud(torch.zeros(0, 3))).boxes) == 0
