import pytest
import torch
from trisparse.core.errors import NotFinite, ShapeMismatch
from trisparse.data.point_cloud import PointCloud


def test_a_selection_keeps_colours_and_instances_together() -> None:
    cloud = PointCloud(torch.arange(12.0).reshape(4, 3), torch.eye(4)[:, :3], torch.tensor([0, 1, -1, 1]))

    by_row, by_mask = cloud.select(torch.tensor([3, 1])), cloud.select(torch.tensor([False, True, False, True]))

    assert by_row.points[:, 0].tolist() == [9, 3]
    assert by_mask.points[:, 0].tolist() == [3, 9]
    assert by_row.instances is not None
    assert by_row.instances.tolist() == [1, 1]


def test_a_transform_acts_on_column_vectors_and_keeps_the_dtype() -> None:
    b_from_a = torch.tensor([[0.0, -2.0, 0.0, 1.0], [2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 1.0]])

    moved = PointCloud(torch.tensor([[1.0, 0.0, 3.0]])).transformed(b_from_a)

    assert moved.points.dtype == torch.float32
    assert moved.points.tolist() == [[1, 2, 6]]


def test_no_points_are_a_cloud() -> None:
    cloud = PointCloud(torch.zeros(0, 3), torch.zeros(0, 3))

    assert len(cloud.transformed(torch.eye(4)).select(torch.zeros(0, dtype=torch.bool))) == 0


def test_parts_of_other_lengths_and_nan_are_refused() -> None:
    with pytest.raises(
        (ShapeMismatch, TypeError), match=r"2 points but 3 colors|n=2"
    ):  # TypeError under the shape checks
        PointCloud(torch.zeros(2, 3), torch.zeros(3, 3))
    with pytest.raises(NotFinite, match="points: 1 of 2 rows are NaN or infinite, the first is row 1"):
        PointCloud(torch.tensor([[0.0, 0, 0], [0, torch.nan, 0]]))
