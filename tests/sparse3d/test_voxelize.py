"""Points to voxels: a worked example and what is refused."""

from __future__ import annotations

import pytest
import torch
from trisparse.core.errors import InvalidInput, NotFinite
from trisparse.sparse3d.voxelize import voxelize

POINTS = torch.tensor([[0.25, 0.0, 0.0], [-0.01, 0.0, 0.0], [0.29, 0.05, 0.0]])
FEATS = torch.tensor([[1.0], [2.0], [5.0]])


@pytest.mark.parametrize(("reduce", "expected"), [("first", [1.0, 2.0]), ("mean", [3.0, 2.0]), ("sum", [6.0, 2.0])])
def test_points_meet_in_voxels_in_the_order_of_the_points(reduce: str, expected: list[float]) -> None:
    out = voxelize(POINTS, FEATS, voxel_size=0.1, reduce=reduce)  # type: ignore[arg-type]
    assert out.tensor.grid.coords.tolist() == [[0, 2, 0, 0], [0, -1, 0, 0]]
    assert out.tensor.feats.flatten().tolist() == expected
    assert out.voxel_of_point.tolist() == [0, 1, 0]
    assert out.first_point.tolist() == [0, 1]


def test_scenes_are_kept_apart() -> None:
    out = voxelize(POINTS, FEATS, voxel_size=10.0, batch=torch.tensor([0, 0, 1]))
    assert out.tensor.grid.coords.tolist() == [[0, 0, 0, 0], [0, -1, 0, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize("reduce", ["first", "mean", "sum"])
def test_no_points_give_no_voxels(reduce: str) -> None:
    out = voxelize(torch.empty(0, 3), torch.empty(0, 2), voxel_size=0.1, reduce=reduce)  # type: ignore[arg-type]
    assert out.tensor.feats.shape == (0, 2)


def test_what_cannot_be_voxelised_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must be positive"):
        voxelize(POINTS, FEATS, voxel_size=0.0)
    with pytest.raises(NotFinite):
        voxelize(torch.full((1, 3), torch.nan), FEATS[:1], voxel_size=0.1)
    with pytest.raises(InvalidInput, match="more than 32 bits"):
        voxelize(POINTS * 1e9, FEATS, voxel_size=0.1)
