"""Tiles of a kernel map: every pair is there once, every output row once, and no tile has a tap that none of its rows has."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from trisparse.sparse3d.grid import VoxelGrid
from trisparse.sparse3d.kernel_map import KernelMap, convolution_map
from trisparse.sparse3d.neighbour_table import TILE_ROWS, NeighbourTable

from .scenes import random_grid


def line(n: int) -> KernelMap:
    """A row of voxels along z, seen by a kernel of three taps along z."""
    zeros = torch.zeros(n, 3, dtype=torch.int32)
    grid = VoxelGrid(torch.cat([zeros, torch.arange(n, dtype=torch.int32)[:, None]], 1))
    return convolution_map(grid, grid, (1, 1, 3), (1, 1, 1))


def triples(table: NeighbourTable) -> list[tuple[int, int, int]]:
    """(tap, input row, output row) of every place that is filled."""
    found = []
    for tile, (start, stop) in enumerate(pairwise(table.starts.tolist())):
        rows_out = table.rows_out[tile * TILE_ROWS : (tile + 1) * TILE_ROWS].tolist()
        for entry in range(start, stop):
            rows_in = table.rows_in[entry].tolist()
            found += [(int(table.taps[entry]), i, o) for i, o in zip(rows_in, rows_out, strict=True) if i >= 0]
    return found


def test_a_short_line_by_hand() -> None:
    table = line(3).neighbours
    # Row 0 has taps 1 and 2 (mask 6), row 1 all (7), row 2 taps 0 and 1 (3): in Gray's code at places 4, 5 and 2.
    assert table.rows_out[:4].tolist() == [2, 0, 1, -1]
    assert table.starts.tolist() == [0, 3]
    assert table.taps.tolist() == [0, 1, 2]
    assert table.rows_in[:, :4].tolist() == [[1, -1, 0, -1], [2, 0, 1, -1], [-1, 1, 2, -1]]
    assert table.rows_in[:, 4:].max() == -1


@pytest.mark.parametrize("n", [0, 1, 40, 400])
@pytest.mark.parametrize(("size", "stride", "transposed"), [(3, 1, False), (2, 2, True), (5, 2, False), (3, 2, True)])
def test_every_pair_is_there_once(size: int, stride: int, transposed: bool, n: int) -> None:
    grid = random_grid(n, low=-5, high=4)
    taps = convolution_map(grid, grid.strided(stride), (size, size, size), (1, 1, 1))
    taps = taps.transposed if transposed else taps
    table = taps.neighbours
    expected = [(k, *pair) for k, (i, o) in enumerate(taps.pairs) for pair in torch.stack([i, o], 1).tolist()]
    assert sorted(triples(table)) == sorted(expected)
    filled = table.rows_out[table.rows_out >= 0]
    assert filled.sort().values.tolist() == list(range(taps.n_out))
    assert len(table.rows_out) == -(-taps.n_out // TILE_ROWS) * TILE_ROWS == (len(table.starts) - 1) * TILE_ROWS


def test_no_tile_has_a_tap_that_none_of_its_rows_has_and_taps_are_in_order() -> None:
    table = convolution_map(grid := random_grid(400, low=-5, high=4), grid.strided(2), (3, 3, 3), (1, 1, 1)).neighbours
    assert bool((table.rows_in >= 0).any(1).all())
    for start, stop in pairwise(table.starts.tolist()):
        taps = table.taps[start:stop].tolist()
        assert taps == sorted(set(taps))


def test_rows_with_the_same_taps_stand_together_in_the_order_of_their_coordinates() -> None:
    coarse = random_grid(200, stride=2, low=-8, high=8)
    fine = coarse.shifted(torch.tensor([[0, 0, 0], [1, 0, 0]]), (1, 1, 1))
    shuffled = VoxelGrid(fine.coords[torch.randperm(len(fine), generator=torch.Generator().manual_seed(1))])
    taps = convolution_map(shuffled, coarse, (2, 2, 2), (1, 1, 1)).transposed
    rows = taps.neighbours.rows_out[: len(fine)]
    coords = shuffled.coords[rows]
    odd = coords[:, 1] % 2
    assert odd.tolist() == sorted(odd.tolist()), "first all rows that only tap 0 reaches, then those of tap 1"
    for part in (coords[odd == 0], coords[odd == 1]):
        assert part.tolist() == sorted(part.tolist())


def test_taps_beyond_the_bits_of_a_mask_are_kept() -> None:
    grid = random_grid(90, low=-4, high=4)
    taps = convolution_map(grid, grid, (5, 5, 5), (1, 1, 1))
    assert max(tap for tap, _, _ in triples(taps.neighbours)) == 124
    assert len(triples(taps.neighbours)) == len(taps.rows_in)


def test_a_table_is_made_once_and_so_is_the_transposed_map() -> None:
    taps = line(5)
    assert taps.neighbours is taps.neighbours
    assert taps.transposed.neighbours is taps.transposed.neighbours


def dense(table: NeighbourTable, feats: Tensor, kernel: Tensor, n_out: int) -> Tensor:
    """The implicit matrix product, spelled out."""
    out = feats.new_zeros(n_out, kernel.shape[2])
    for tap, i, o in triples(table):
        out[o] += feats[i] @ kernel[tap]
    return out


def test_the_product_over_the_table_is_the_convolution() -> None:
    from trisparse.sparse3d.kernels.torch_ref import convolve

    grid = random_grid(30)
    taps = convolution_map(grid, grid.strided(2), (3, 3, 3), (1, 1, 1))
    feats, kernel = torch.randn(len(grid), 2, dtype=torch.float64), torch.randn(27, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(dense(taps.neighbours, feats, kernel, taps.n_out), convolve(feats, kernel, taps))
