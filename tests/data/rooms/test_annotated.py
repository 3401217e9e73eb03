"""Layouts that somebody else annotated come back as scans whose things fill their boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from trisparse.core.errors import InvalidInput, NotFinite, ShapeMismatch
from trisparse.data.boxes import Boxes3D
from trisparse.data.rooms.annotated import Extent, furnish, stretched
from trisparse.data.rooms.catalog import KINDS
from trisparse.data.rooms.label_names import category_of, styles_of
from trisparse.data.rooms.scanning import ScanConfig
from trisparse.data.rooms.seating import OFFICE_CHAIRS

_FINE = ScanConfig(n_views=30, noise_m=0.0, spacing_m=0.015)


def _boxes(*rows: tuple[float, ...]) -> Boxes3D:
    """Rows: centre, size, yaw."""
    table = torch.tensor(rows, dtype=torch.float64).reshape(-1, 7)
    return Boxes3D(table[:, :3], table[:, 3:6], table[:, 6])


def _in_own_frame(points: np.ndarray, box: Boxes3D) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest corner of points, seen from a box's centre and along its axes."""
    yaw = float(box.yaw[0])
    turn = np.array([[math.cos(yaw), math.sin(yaw), 0], [-math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    local = (points - box.centers[0].numpy()) @ turn.T
    return local.min(0), local.max(0)


@pytest.mark.parametrize("yaw", [0.0, 0.5, math.pi / 2, -2.2])
@pytest.mark.parametrize(
    ("label", "size"),
    [("office chair", (0.66, 0.62, 1.1)), ("couch", (2.2, 0.9, 0.8)), ("aquarium", (0.8, 0.4, 0.5))],
)
def test_a_thing_fills_its_box_at_any_yaw(label: str, size: tuple[float, float, float], yaw: float) -> None:
    boxes = _boxes((7.0, -3.0, 1.0 + size[2] / 2, *size, yaw))
    around = Extent((5.0, -5.0, 1.0), (9.0, -1.0, 3.6))
    scene = furnish(boxes, [label], ["blue"], extent=around, scan=_FINE)
    assert scene.cloud.instances is not None
    low, high = _in_own_frame(scene.cloud.points[scene.cloud.instances == 0].double().numpy(), boxes)
    half = np.array(size) / 2
    np.testing.assert_allclose(high, half, atol=0.035)
    np.testing.assert_allclose(low, -half, atol=0.035)
    (thing,) = scene.objects
    assert (thing.object_id, thing.category, thing.color) == (0, label, "blue")


@pytest.mark.parametrize("category", sorted(KINDS))
def test_stretched_parts_reach_all_six_sides_and_none_beyond(category: str) -> None:
    kind, size = KINDS[category], (0.9, 0.5, 1.3)
    for style in range(kind.n_styles):
        shape = stretched(kind.build(style, np.random.default_rng(style), (0.5, 0.4, 0.3)), size)
        rng = np.random.default_rng(0)
        touched = []
        for part in shape.parts:
            u = rng.normal(size=(400, 3))
            u /= np.abs(u).max(1, keepdims=True)
            if part.solid == 2:
                u /= np.sqrt((u**2).sum(1, keepdims=True))
            elif part.solid in (1, 3):
                angle = rng.uniform(0, 2 * math.pi, 400)
                height = rng.choice([-1.0, 1.0], 400)
                radius = np.where(height > 0, part.taper, 1.0)
                u = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], 1)
            touched.append(((u * part.half) @ np.array(part.rotation).T + part.center) * shape.stretch)
        points = np.concatenate(touched)
        np.testing.assert_allclose(points.max(0), [0.45, 0.25, 1.3], atol=0.02)
        np.testing.assert_allclose(points.min(0), [-0.45, -0.25, 0.0], atol=0.02)
        assert bool((points.max(0) < np.array([0.45, 0.25, 1.3]) + 1e-9).all())
        assert bool((points.min(0) > np.array([-0.45, -0.25, 0.0]) - 1e-9).all())


def test_what_is_not_furniture_is_a_plain_box_and_the_shell_is_no_object() -> None:
    boxes = _boxes((0, 0, 0.4, 0.8, 0.6, 0.8, 0), (0, 0, -0.05, 5, 5, 0.1, 0), (1.5, 1, 0.25, 0.5, 0.5, 0.5, 0))
    scene = furnish(boxes, ["gravity chamber", "floor", "box"], [(1.0, 0.0, 0.0), None, None])
    assert [o.object_id for o in scene.objects] == [0, 2]
    assert [o.category for o in scene.objects] == ["gravity chamber", "box"]
    assert scene.cloud.colors is not None
    assert scene.cloud.instances is not None
    red, green, _ = scene.cloud.colors[scene.cloud.instances == 0].mean(0).tolist()
    assert red > 4 * green
    assert set(scene.cloud.instances.unique().tolist()) == {-1, 0, 2}


def test_an_empty_layout_is_an_empty_room() -> None:
    scene = furnish(_boxes(), [])
    assert scene.objects == ()
    assert scene.cloud.instances is not None
    assert bool((scene.cloud.instances == -1).all())
    assert len(scene.cloud) > 1000


def test_same_seed_same_bytes_and_another_seed_another_room() -> None:
    boxes = _boxes((0, 0, 0.4, 0.6, 0.6, 0.9, 0.3))
    few = ScanConfig(n_views=4)
    one, two, other = (furnish(boxes, ["chair"], seed=s, scan=few).cloud.points for s in (1, 1, 2))
    assert one.numpy().tobytes() == two.numpy().tobytes()
    assert one.shape != other.shape or not torch.equal(one, other)


def test_bad_input_is_refused() -> None:
    good = (0, 0, 0.5, 1, 1, 1, 0)
    with pytest.raises(NotFinite):
        _boxes((0, 0, math.nan, 1, 1, 1, 0))
    with pytest.raises(InvalidInput, match="negative"):
        _boxes((0, 0, 0.5, -1, 1, 1, 0))
    with pytest.raises(ShapeMismatch, match="1 boxes but 2 labels"):
        furnish(_boxes(good), ["a", "b"])
    with pytest.raises(ShapeMismatch, match="1 boxes but 0 colours"):
        furnish(_boxes(good), ["a"], [])
    with pytest.raises(InvalidInput, match="under the floor"):
        furnish(_boxes((0, 0, -0.5, 1, 1, 1, 0)), ["chair"])
    with pytest.raises(InvalidInput, match="colour 'crimsn' is unknown"):
        furnish(_boxes(good), ["chair"], ["crimsn"])
    with pytest.raises(InvalidInput, match="divide by 255"):
        furnish(_boxes(good), ["chair"], [(200, 10, 10)])
    with pytest.raises(InvalidInput, match="too large"):
        furnish(_boxes(good, (900, 0, 0.5, 1, 1, 1, 0)), ["chair", "chair"])
    with pytest.raises(InvalidInput, match="low below high"):
        furnish(_boxes(good), ["chair"], extent=Extent((0, 0, 0), (1, 0, 1)))


def test_labels_of_other_data_sets_find_our_categories() -> None:
    expected = {
        "Sofa": "couch",
        "kitchen cabinets": "cabinet",
        "night_stand": "nightstand",
        "office chair": "chair",
        "television": "tv",
        "round table": "table",
        "bookshelves": "bookshelf",
        "boxes": "box",
        "paper bag": None,
        "bin": "trash can",
        "aquarium": None,
        "": None,
    }
    assert {label: category_of(label) for label in expected} == expected
    assert styles_of("office chair", "chair") == OFFICE_CHAIRS
    assert len(styles_of("chair", "chair")) == KINDS["chair"].n_styles
