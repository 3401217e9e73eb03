"""Other scans of one room."""

from __future__ import annotations

import pytest
import torch
from trisparse.data.rooms.generate import RoomConfig, generate_room
from trisparse.data.rooms.scan_variants import CONDITIONS, rescan, turn_of
from trisparse.data.scene import Scene

CONFIG = RoomConfig(split="eval")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return generate_room(20_002, CONFIG)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_keeps_the_boxes_and_is_the_same_on_every_run(condition: str, scene: Scene) -> None:
    first, again = (rescan(scene, 20_002, CONFIG, condition) for _ in range(2))
    assert torch.equal(first.cloud.points, again.cloud.points)
    assert first.objects == scene.objects
    assert len(first.cloud) > 3000
    assert set(first.referrals) <= set(scene.referrals)


def test_density_and_number_of_views_change_the_number_of_points(scene: Scene) -> None:
    count = {c: len(rescan(scene, 20_002, CONFIG, c).cloud) for c in CONDITIONS}
    assert count["a tenth of the points"] < 0.2 * count["half the points"] * 1.2
    assert count["vertices 4 cm apart"] < count["as made"] < count["vertices 1.5 cm apart"]
    assert count["6 views"] < count["as made"]


def test_grey_is_grey_and_no_ceiling_has_none(scene: Scene) -> None:
    grey = rescan(scene, 20_002, CONFIG, "grey").cloud.colors
    assert grey is not None
    assert torch.equal(grey[:, 0], grey[:, 2])
    top = float(scene.cloud.points[:, 2].max())
    low = rescan(scene, 20_002, CONFIG, "no ceiling").cloud
    assert int((low.points[:, 2] > top - 0.05).sum()) < int((scene.cloud.points[:, 2] > top - 0.05).sum())


def test_an_unknown_yaw_is_undone_by_its_turn(scene: Scene) -> None:
    turned = rescan(scene, 20_002, CONFIG, "unknown yaw").cloud.points.double()
    torch.testing.assert_close(turned @ turn_of(20_002), scene.cloud.points.double(), atol=1e-4, rtol=0)


def test_half_a_room_keeps_sentences_whose_objects_are_there(scene: Scene) -> None:
    half = rescan(scene, 20_002, CONFIG, "half the room")
    assert 0 < len(half.referrals) < len(scene.referrals)
    assert half.cloud.instances is not None
    for referral in half.referrals:
        for object_id in (referral.target_id, *referral.anchor_ids):
            assert int((half.cloud.instances == object_id).sum()) > 0
