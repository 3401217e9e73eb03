"""Assignment of voxels to boxes against a slow, obvious oracle."""

import torch
from trisparse.sparse3d.assign import assign_boxes, keep_target


def _assign_slowly(corners: torch.Tensor, centers: torch.Tensor, positives: int) -> list[int]:
    distance = [[float(((c - b) ** 2).sum()) for b in centers] for c in corners]
    cutoff = []
    for box in range(len(centers)):
        column = sorted(row[box] for row in distance)
        cutoff.append(column[min(positives, len(column) - 1)])
    result = []
    for row in distance:
        candidates = [box for box in range(len(centers)) if row[box] < cutoff[box]]
        nearest = min(range(len(centers)), key=lambda box: row[box])
        best = min(candidates, key=lambda box: row[box]) if candidates else -1
        result.append(best if best == nearest else -1)
    return result


def test_assignment_follows_the_rule_for_several_boxes() -> None:
    generator = torch.Generator().manual_seed(1)
    for n_voxels, n_boxes in ((500, 6), (20, 2), (40, 1)):
        corners = torch.rand(n_voxels, 3, generator=generator, dtype=torch.float64) * 6
        centers = torch.rand(n_boxes, 3, generator=generator, dtype=torch.float64) * 6
        assert assign_boxes(corners, centers).tolist() == _assign_slowly(corners, centers, 32)


def test_one_box_gets_its_32_nearest_voxels() -> None:
    corners = torch.arange(100, dtype=torch.float64)[:, None].expand(100, 3)
    box = assign_boxes(corners, torch.zeros(1, 3, dtype=torch.float64))
    assert box.tolist() == [0] * 32 + [-1] * 68


def test_fewer_voxels_than_positives_leave_out_the_farthest() -> None:
    corners = torch.arange(5, dtype=torch.float64)[:, None].expand(5, 3)
    assert assign_boxes(corners, torch.zeros(1, 3, dtype=torch.float64)).tolist() == [0, 0, 0, 0, -1]


def test_no_voxel_and_no_box_are_ordinary() -> None:
    assert len(assign_boxes(torch.zeros(0, 3), torch.zeros(1, 3))) == 0
    assert assign_boxes(torch.zeros(2, 3), torch.zeros(0, 3)).tolist() == [-1, -1]


def test_voxels_inside_the_cube_are_kept_and_those_on_its_face_are_not() -> None:
    corners = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.5, 0.25, -0.25], [3.0, 3.0, 3.0]])
    centers = torch.tensor([[1.0, 0.0, 0.0], [3.0, 3.0, 2.5]])
    assert keep_target(corners, centers, reach=1.0).tolist() == [False, True, True, True]
    assert keep_target(corners, centers[:0], reach=1.0).tolist() == [False] * 4
