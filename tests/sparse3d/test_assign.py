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


def _of_one(n: int) -> torch.Tensor:
    return torch.zeros(n, dtype=torch.int64)


def test_assignment_follows_the_rule_for_several_boxes_and_sentences() -> None:
    generator = torch.Generator().manual_seed(1)
    sizes = ((500, 6), (20, 2), (0, 3), (40, 1))
    corners = [torch.rand(n, 3, generator=generator, dtype=torch.float64) * 6 for n, _ in sizes]
    centers = [torch.rand(m, 3, generator=generator, dtype=torch.float64) * 6 for _, m in sizes]
    expected = [_assign_slowly(*pair, 32) if len(pair[0]) else [] for pair in zip(corners, centers, strict=True)]
    batch = torch.arange(4).repeat_interleave(torch.tensor([n for n, _ in sizes]))
    mixed = torch.randperm(len(batch), generator=generator)
    found = assign_boxes(torch.cat(corners)[mixed], batch[mixed], centers)
    assert found.tolist() == torch.tensor([box for boxes in expected for box in boxes])[mixed].tolist()


def test_one_box_gets_its_32_nearest_voxels() -> None:
    corners = torch.arange(100, dtype=torch.float64)[:, None].expand(100, 3)
    box = assign_boxes(corners, _of_one(100), [torch.zeros(1, 3, dtype=torch.float64)])
    assert box.tolist() == [0] * 32 + [-1] * 68


def test_fewer_voxels_than_positives_leave_out_the_farthest() -> None:
    corners = torch.arange(5, dtype=torch.float64)[:, None].expand(5, 3)
    box = assign_boxes(corners, _of_one(5), [torch.zeros(1, 3, dtype=torch.float64)])
    assert box.tolist() == [0, 0, 0, 0, -1]


def test_no_voxel_and_no_box_are_ordinary() -> None:
    assert len(assign_boxes(torch.zeros(0, 3), _of_one(0), [torch.zeros(1, 3)])) == 0
    assert assign_boxes(torch.zeros(2, 3), _of_one(2), [torch.zeros(0, 3)]).tolist() == [-1, -1]
    some = assign_boxes(torch.eye(3), torch.tensor([0, 1, 1]), [torch.zeros(0, 3), torch.eye(3)[1:2]])
    assert some.tolist() == [-1, 0, -1]


def test_voxels_inside_the_cube_are_kept_and_those_on_its_face_are_not() -> None:
    corners = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.5, 0.25, -0.25], [3.0, 3.0, 3.0]])
    centers = torch.tensor([[1.0, 0.0, 0.0], [3.0, 3.0, 2.5]])
    assert keep_target(corners, _of_one(4), [centers], reach=1.0).tolist() == [False, True, True, True]
    assert keep_target(corners, _of_one(4), [centers[:0]], reach=1.0).tolist() == [False] * 4
    two = keep_target(corners, torch.tensor([1, 0, 1, 1]), [centers[:1], centers[1:]], reach=1.0)
    assert two.tolist() == [False, True, False, True]
