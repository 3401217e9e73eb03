import math

import pytest
import torch
from trisparse.core.errors import InvalidInput, NotFinite, ShapeMismatch
from trisparse.data.boxes import Boxes3D, iou_axis_aligned


def test_a_box_around_points_touches_the_outermost() -> None:
    box = Boxes3D.around(torch.tensor([[0.0, 1.0, 2.0], [4.0, 1.0, -2.0]]))

    assert box.centers.tolist() == [[2, 1, 0]]
    assert box.sizes.tolist() == [[4, 0, 4]]
    assert (box.low.tolist(), box.high.tolist()) == ([[0, 1, -2]], [[4, 1, 2]])


def test_corners_turn_with_the_yaw() -> None:
    box = Boxes3D(torch.zeros(1, 3), torch.tensor([[4.0, 2.0, 1.0]]), torch.tensor([math.pi / 2]))

    corners = box.corners[0]

    torch.testing.assert_close(corners[0], torch.tensor([1.0, -2.0, -0.5]))
    torch.testing.assert_close(corners[-1], torch.tensor([-1.0, 2.0, 0.5]))


@pytest.mark.parametrize(
    ("shift", "expected"),
    [((0.0, 0.0, 0.0), 1.0), ((1.0, 0.0, 0.0), 1 / 3), ((2.0, 0.0, 0.0), 0.0), ((0.0, 9.0, 0.0), 0.0)],
)
def test_overlap_over_union_is_that_of_hand_counted_boxes(shift: tuple[float, float, float], expected: float) -> None:
    center, size = torch.zeros(1, 3, dtype=torch.float64), torch.full((1, 3), 2.0, dtype=torch.float64)

    iou = iou_axis_aligned(center, size, center + torch.tensor([shift], dtype=torch.float64), size)

    assert float(iou) == pytest.approx(expected)


def test_a_box_without_size_still_overlaps_itself() -> None:
    center, size = torch.ones(1, 3, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)

    assert float(iou_axis_aligned(center, size, center, size)) == pytest.approx(1)


def test_boxes_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match="must not be negative, got -1"):
        Boxes3D.axis_aligned(torch.zeros(1, 3), torch.tensor([[1.0, -1.0, 1.0]]))
    with pytest.raises((ShapeMismatch, TypeError), match=r"1 centres, 2 sizes|m=1"):  # TypeError under the shape checks
        Boxes3D.axis_aligned(torch.zeros(1, 3), torch.zeros(2, 3))
    with pytest.raises(NotFinite, match="centers"):
        Boxes3D.axis_aligned(torch.full((1, 3), torch.inf), torch.zeros(1, 3))
    with pytest.raises(InvalidInput, match="0 points"):
        Boxes3D.around(torch.zeros(0, 3))


def test_no_boxes_are_boxes() -> None:
    boxes = Boxes3D.axis_aligned(torch.zeros(0, 3), torch.zeros(0, 3))

    assert (len(boxes), boxes.corners.shape) == (0, (0, 8, 3))
    assert len(boxes[:1]) == 0
