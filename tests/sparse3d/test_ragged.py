"""Rows of several scenes in one block."""

import torch
from trisparse.sparse3d.ragged import Ragged, stack


def test_rows_come_back_as_they_went_into_the_block() -> None:
    batch = torch.tensor([1, 0, 1, 2, 0, 1])
    rows = torch.randn(6, 4)
    ragged = Ragged.of(batch, 4)
    block = ragged.pad(rows)
    assert block.shape == (4, 3, 4)
    assert ragged.padding is not None
    assert ragged.padding.tolist() == [[False, False, True], [False] * 3, [False, True, True], [True] * 3]
    torch.testing.assert_close(ragged.unpad(block), rows)


def test_rows_are_cut_into_one_full_block_for_each_run_of_equal_scenes() -> None:
    batch = torch.tensor([1, 0, 1, 3, 0, 4, 3])
    rows = torch.randn(7, 2)
    ragged = Ragged.of(batch, 5)
    assert ragged.runs == ((2, 2), (1, 0), (1, 2), (1, 1))
    blocks = ragged.cut(ragged.sort(rows))
    assert [tuple(block.shape) for block in blocks] == [(2, 2, 2), (1, 0, 2), (1, 2, 2), (1, 1, 2)]
    torch.testing.assert_close(blocks[0][1], rows[[0, 2]])
    torch.testing.assert_close(blocks[3][0], rows[[5]])
    torch.testing.assert_close(ragged.unsort(torch.cat([block.flatten(0, 1) for block in blocks])), rows)


def test_rows_of_scenes_in_order_lie_as_those_of_scenes_in_disorder() -> None:
    batch = torch.tensor([0, 0, 2, 2, 2])
    ragged = Ragged.of(batch, 3)
    assert ragged.place.tolist() == [0, 1, 0, 1, 2]
    assert ragged.counts.tolist() == [2, 0, 3]
    assert (Ragged.of(torch.empty(0, dtype=torch.int64), 2).longest, Ragged.of(batch[:0], 0).longest) == (0, 0)


def test_lists_are_stacked_with_infinity_behind_them() -> None:
    block = stack([torch.zeros(1, 2), torch.zeros(0, 2), torch.ones(2, 2)], like=torch.zeros(1, dtype=torch.float64))
    assert block.dtype == torch.float64
    assert block[:, :, 0].tolist() == [[0, torch.inf], [torch.inf] * 2, [1, 1]]
