from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from trisparse.core.errors import ShapeMismatch
from trisparse.data.cameras import Cameras
from trisparse.data.point_cloud import PointCloud
from trisparse.data.posed_images import PosedImages, SparsePoints


@dataclass
class _Counted:
    """A photo that counts how often it is read."""

    value: float
    shape: tuple[int, int, int] = (4, 6, 3)
    reads: list[float] = field(default_factory=list)

    def __call__(self) -> Float[Tensor, "h w 3"]:
        self.reads.append(self.value)
        return torch.full(self.shape, self.value)


def _cameras(n: int) -> Cameras:
    K = torch.tensor([[5.0, 0, 3], [0, 5, 2], [0, 0, 1]]).repeat(n, 1, 1)
    return Cameras(torch.eye(4).repeat(n, 1, 1), K, 6, 4)


def _photos(loads: list[_Counted], points: SparsePoints | None = None) -> PosedImages:
    return PosedImages(_cameras(len(loads)), tuple(f"{i}.png" for i in range(len(loads))), tuple(loads), points)


def _points() -> SparsePoints:
    visible = torch.tensor([[True, True, False], [True, False, False], [False, True, True], [True, True, True]])
    return SparsePoints(PointCloud(torch.arange(12.0).reshape(4, 3), torch.eye(4)[:, :3]), visible)


def test_a_photo_is_read_when_it_is_wanted_and_once() -> None:
    loads = [_Counted(0.25), _Counted(0.5)]
    photos = _photos(loads)
    assert not loads[0].reads
    assert float(photos.image(1).mean()) == 0.5
    assert torch.equal(photos.image(1), photos.images()[1])
    assert [len(load.reads) for load in loads] == [1, 1]


def test_a_selection_keeps_order_visibility_and_what_was_read() -> None:
    loads = [_Counted(0.25), _Counted(0.5), _Counted(0.75)]
    photos = _photos(loads, _points())
    photos.image(0)
    chosen = photos.select([2, 0])
    assert chosen.names == ("2.png", "0.png")
    assert chosen.images()[:, 0, 0, 0].tolist() == [0.75, 0.25]
    assert [len(load.reads) for load in loads] == [1, 0, 1]
    assert chosen.points is not None
    assert chosen.points.visible.tolist() == [[False, True], [False, True], [True, False], [True, True]]
    assert len(photos.select([])) == 0


def test_points_that_some_photos_alone_could_find() -> None:
    points = _points()
    assert points.seen_by([0, 1]).points.tolist() == [[0, 1, 2], [9, 10, 11]]
    assert len(points.seen_by([0], at_least=1)) == 3
    assert len(points.seen_by([])) == 0
    colors = points.seen_by([1, 2]).colors
    assert colors is not None
    assert colors.tolist() == torch.eye(4)[2:, :3].tolist()


def test_no_photos_are_ordinary() -> None:
    nothing = PosedImages.from_tensors(_cameras(0), torch.zeros(0, 4, 6, 3))
    assert nothing.images().shape == (0, 4, 6, 3)
    assert len(nothing) == 0


def test_photos_in_memory_get_numbers_for_names() -> None:
    photos = PosedImages.from_tensors(_cameras(2), torch.rand(2, 4, 6, 3))
    assert photos.names == ("000", "001")


def test_a_photo_of_another_size_than_its_camera_is_named_when_it_is_read() -> None:
    photos = _photos([_Counted(0.5, (6, 4, 3))])
    with pytest.raises(ShapeMismatch, match=r"photo 0\.png has shape \(6, 4, 3\), its camera says \(4, 6, 3\)"):
        photos.image(0)


def test_parts_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="2 cameras, 1 names, 1 photos"):
        PosedImages(_cameras(2), ("a",), (_Counted(0.5),))
    with pytest.raises(ShapeMismatch, match="visibility of 2 points for 4"):
        SparsePoints(_points().cloud, torch.zeros(2, 3, dtype=torch.bool))
    with pytest.raises(ShapeMismatch, match="visibility in 3 photos for 2"):
        _photos([_Counted(0.5), _Counted(0.5)], _points())
