"""A kernel map as tiles of gathered rows, in the order in which an implicit matrix product on a GPU takes them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int32
from torch import Tensor
from torch.nn import functional

TILE_ROWS = 64
"""Output rows in a tile."""

_MASK_BITS = 63
"""Taps of which the order of the rows takes notice."""


@dataclass(frozen=True, eq=False)
class NeighbourTable:
    """For each tile of :data:`TILE_ROWS` output rows, and each tap that any of them has, the input rows that they meet.

    Output rows are taken in an order of their own: those that have the same taps stand together (as in spconv 2), so that
    most tiles lack most taps as a whole; among these the order is that of the coordinates.
    """

    rows_in: Int32[Tensor, "e r"]
    """Input rows, one entry a tile and tap, tile after tile, taps in their order; -1 where there is none."""
    taps: Int32[Tensor, "e"]
    """The tap of each entry."""
    starts: Int32[Tensor, "_"]
    """Where each tile's entries begin, and the end of the last."""
    rows_out: Int32[Tensor, "p"]
    """Every output row once, tile after tile; -1 where the last tile is filled up."""

    @classmethod
    def of(
        cls, rows_in: Int32[Tensor, "m"], rows_out: Int32[Tensor, "m"], starts: tuple[int, ...], n_out: int
    ) -> NeighbourTable:
        """The table of pairs that lie tap after tap.

        Args:
            rows_in: Input rows of the pairs.
            rows_out: Output rows of the pairs; within a tap none twice, and in the order of the coordinates.
            starts: Where each tap's pairs begin, and the end of the last.
            n_out: Output rows that there are.
        """
        device, n_taps = rows_in.device, len(starts) - 1
        counts = torch.tensor(starts, device=device).diff()
        tap = torch.arange(n_taps, device=device).repeat_interleave(counts, output_size=len(rows_in))
        table = torch.full((n_taps, n_out), -1, dtype=torch.int32, device=device)
        table.view(-1)[tap * n_out + rows_out] = rows_in
        order = _by_taps(table, rows_out)
        filling = (0, -n_out % TILE_ROWS)
        tiles = functional.pad(table.index_select(1, order), filling, value=-1).view(n_taps, -1, TILE_ROWS)
        present = (tiles >= 0).any(2).T
        tile, taps = present.nonzero(as_tuple=True)
        ends = functional.pad(present.sum(1).cumsum(0), (1, 0))
        return cls(tiles[taps, tile], taps.int(), ends.int(), functional.pad(order.int(), filling, value=-1))


def _by_taps(table: Tensor, rows_out: Tensor) -> Tensor:
    """Output rows sorted by which taps they have, and those that have the same by where they stand among the pairs."""
    n = table.shape[1]
    places = torch.arange(len(rows_out), device=table.device)
    first = torch.full((n,), len(rows_out), device=table.device)
    first.scatter_reduce_(0, rows_out.long(), places, "amin")
    near = torch.argsort(first, stable=True)
    mask = torch.zeros(n, dtype=torch.int64, device=table.device)
    for bit, rows in enumerate(table[:_MASK_BITS]):
        mask |= (rows >= 0).long() << bit
    # The place in Gray's code, in which neighbours differ in one tap: a tile that spans several masks has fewer taps.
    for shift in (1, 2, 4, 8, 16, 32):
        mask ^= mask >> shift
    return near[torch.argsort(mask[near], stable=True)]
