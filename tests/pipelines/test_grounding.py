"""From a scan to answers in its own frame, with a small random network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from trisparse.core.errors import InvalidInput, MissingPart
from trisparse.data.point_cloud import PointCloud
from trisparse.data.readers.ply import write_ply
from trisparse.data.readers.scannet import cloud_columns
from trisparse.pipelines.grounding import SceneGrounder, choose_points, find_weights, inside
from trisparse.sparse3d.config import preset
from trisparse.sparse3d.grounder import Grounder
from trisparse.sparse3d.text import TokenStates

TINY = replace(
    preset("small"),
    stem_channels=8,
    stage_blocks=(1, 1, 1, 1),
    stage_channels=(8, 16, 16, 16),
    width=16,
    heads=2,
    text_width=12,
    completion_cap=60,
)


class Letters:
    """A text encoder for tests: the letters' numbers."""

    name = "letters"
    width = 12

    def encode(self, sentences: Sequence[str]) -> TokenStates:
        rows = [torch.tensor([[float(ord(c) % k) for k in range(2, 14)] for c in s[:20]]) for s in sentences]
        return TokenStates.padded(rows)


@pytest.fixture
def grounder() -> SceneGrounder:
    torch.manual_seed(0)
    return SceneGrounder(Grounder(TINY).eval(), Letters())


def room(unit: float = 1.0) -> PointCloud:
    """A floor of 4 x 3 m with a box on it; coordinates in metres divided by ``unit``."""
    rng = np.random.default_rng(0)
    floor = rng.uniform([-2, -1.5, 0], [2, 1.5, 0.01], (6000, 3))
    box = rng.uniform([0.5, 0.2, 0], [1.1, 0.7, 0.8], (2000, 3))
    points = torch.from_numpy(np.concatenate([floor, box]) / unit).float()
    return PointCloud(points, torch.full((len(points), 3), 0.4))


def test_answers_come_in_metres_along_the_files_axes(grounder: SceneGrounder) -> None:
    meters = grounder.ask(grounder.encode(room(), align=False), ["the box"]).sheet
    turned = PointCloud(room().points[:, [1, 2, 0]] * 1000, room().colors)
    millimetres = grounder.ask(grounder.encode(turned, up="y", scale=0.001), ["the box"]).sheet
    assert millimetres.metres_per_unit == pytest.approx(0.001)
    assert meters.metres_per_unit == pytest.approx(1.0)
    for answer in millimetres.answers:
        assert max(abs(v) for v in answer.center) < 20, "metres, not millimetres"
        turn = np.array(answer.rotation)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
        assert np.linalg.det(turn) == pytest.approx(1)


def test_the_same_scan_and_sentence_give_the_same_answer_whatever_the_order_of_points(grounder: SceneGrounder) -> None:
    cloud = room()
    order = torch.randperm(len(cloud), generator=torch.Generator().manual_seed(1))
    first, again = (grounder.ground(cloud, "the box", top_k=2) for _ in range(2))
    assert first == again
    chosen = {tuple(p) for p in cloud.points[choose_points(cloud, count=500)].tolist()}
    moved = cloud.select(order)
    assert chosen == {tuple(p) for p in moved.points[choose_points(moved, count=500)].tolist()}


@pytest.mark.parametrize(
    ("metres", "points", "taken"), [(5, 60_000, 50_000), (14, 120_000, 98_000), (60, 230_000, 200_000)]
)
def test_of_a_scan_larger_than_a_room_more_points_are_taken(metres: int, points: int, taken: int) -> None:
    place = torch.rand(points, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([metres, metres, 2.0])
    far = torch.tensor([[500.0, 500.0, 0.0]]) * torch.arange(1, 9)[:, None]
    assert int(choose_points(PointCloud(torch.cat([place, far]))).sum()) == taken


def test_an_array_a_cloud_and_a_file_are_all_scans(grounder: SceneGrounder, tmp_path: Path) -> None:
    cloud = room()
    assert cloud.colors is not None
    write_ply(tmp_path / "room.ply", {"vertex": cloud_columns(cloud)})
    array = torch.cat([cloud.points, cloud.colors], 1).numpy()
    from_array = grounder.ground(array, "the box")
    assert from_array == grounder.ground(cloud, "the box")
    assert len(grounder.ground(tmp_path / "room.ply", "the box")) >= 1


def test_what_cannot_be_a_scan_or_a_sentence_is_refused(grounder: SceneGrounder) -> None:
    with pytest.raises(InvalidInput, match=r"shape \(4, 5\)"):
        grounder.encode(torch.zeros(4, 5))
    with pytest.raises(InvalidInput, match="without points"):
        grounder.encode(torch.zeros(0, 6))
    with pytest.raises(InvalidInput, match=r"0\.\.1"):
        grounder.encode(torch.full((4, 6), 200.0))
    scene = grounder.encode(room(), align=False)
    for empty in ("", "  ", "..."):
        with pytest.raises(InvalidInput, match="no words"):
            grounder.ask(scene, [empty])
    with pytest.raises(InvalidInput, match="no sentence"):
        grounder.ask(scene, [])


def test_a_scan_without_colours_or_of_one_point_is_answered_with_a_warning(grounder: SceneGrounder) -> None:
    sheet = grounder.ask(grounder.encode(PointCloud(room().points), align=False), ["the box"]).sheet
    assert any("no colours" in warning for warning in sheet.warnings)
    one = grounder.ask(grounder.encode(torch.zeros(1, 6), align=False), ["the box"]).sheet
    assert len(one.answers) >= 1


def test_points_on_the_face_of_the_first_box_are_inside() -> None:
    from trisparse.data.boxes import Boxes3D

    boxes = Boxes3D.from_corners(torch.tensor([[0.5, 0.2, 0.0]]), torch.tensor([[1.1, 0.7, 0.8]]))
    cloud = PointCloud(torch.tensor([[0.5, 0.2, 0.0], [1.2, 0.5, 0.5], [0.7, 0.5, 0.5]]))
    assert inside(cloud, boxes).tolist() == [True, False, True]
    assert inside(cloud, Boxes3D.axis_aligned(torch.zeros(0, 3), torch.zeros(0, 3))).tolist() == [False] * 3


def test_unknown_weights_name_what_there_is() -> None:
    with pytest.raises(MissingPart, match="no weights 'huge': bundled are"):
        find_weights("huge")
    with pytest.raises(MissingPart, match="convert a published checkpoint"):
        find_weights("tsp3d")


def test_a_reversed_view_of_an_array_is_a_scan_and_objects_are_not(grounder: SceneGrounder) -> None:
    array = np.random.default_rng(0).uniform(0, 1, (400, 6))
    assert len(grounder.encode(array[::-1], align=False).source) == 400
    with pytest.raises(InvalidInput, match="must be numbers"):
        grounder.encode(array.astype(object))
