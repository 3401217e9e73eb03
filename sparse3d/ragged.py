"""Rows of several scenes side by side in one padded block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Ragged:
    """How the rows of a batch of scenes lie in a padded block ``[b, m]``, or in one full block for each run of equal scenes."""

    batch: Int64[Tensor, "v"]
    """Scene of each row."""
    place: Int64[Tensor, "v"]
    """Position of each row in its scene."""
    counts: Int64[Tensor, "b"]
    """Rows of each scene."""
    order: Int64[Tensor, "v"] | None
    """Rows sorted by scene; None where they are."""

    @classmethod
    def of(cls, batch: Int64[Tensor, "v"], n_batch: int) -> Ragged:
        """From the scene of each row, in any order; rows keep their order within a scene."""
        counts = torch.bincount(batch, minlength=n_batch)
        starts = counts.cumsum(0) - counts
        rows = torch.arange(len(batch), device=batch.device)
        if bool((batch[1:] >= batch[:-1]).all()):
            return cls(batch, rows - starts[batch], counts, None)
        order = torch.argsort(batch, stable=True)
        place = torch.empty_like(batch)
        place[order] = rows - starts[batch[order]]
        return cls(batch, place, counts, order)

    @property
    def n_batch(self) -> int:
        """Number of scenes."""
        return len(self.counts)

    @cached_property
    def longest(self) -> int:
        """Most rows of a scene."""
        return int(self.counts.max()) if len(self.counts) else 0

    @cached_property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """Neighbouring scenes with equally many rows: how many scenes, and rows of each."""
        return tuple((len(list(run)), length) for length, run in groupby(self.counts.tolist()))

    @property
    def padding(self) -> Bool[Tensor, "b m"] | None:
        """True where the padded block holds no row; None where it is full."""
        if len(self.batch) == self.n_batch * self.longest:
            return None
        return torch.arange(self.longest, device=self.batch.device) >= self.counts[:, None]

    def pad(self, rows: Shaped[Tensor, "v *c"], filling: float = 0.0) -> Shaped[Tensor, "b m *c"]:
        """Rows into the block, ``filling`` elsewhere."""
        block = rows.new_full((self.n_batch, self.longest, *rows.shape[1:]), filling)
        return block.index_put((self.batch, self.place), rows)

    def unpad(self, block: Shaped[Tensor, "b m *c"]) -> Shaped[Tensor, "v *c"]:
        """The rows out of the block, in their own order."""
        return block[self.batch, self.place]

    def sort(self, rows: Shaped[Tensor, "v *c"]) -> Shaped[Tensor, "v *c"]:
        """Rows scene after scene."""
        return rows if self.order is None else rows[self.order]

    def unsort(self, rows: Shaped[Tensor, "v *c"]) -> Shaped[Tensor, "v *c"]:
        """The inverse of :meth:`sort`."""
        return rows if self.order is None else torch.empty_like(rows).index_put((self.order,), rows)

    def cut(self, sorted_rows: Shaped[Tensor, "v *c"]) -> list[Shaped[Tensor, "_ _ *c"]]:
        """Sorted rows as one full block (scenes, rows, ...) a run, without a copy."""
        parts = sorted_rows.split([scenes * length for scenes, length in self.runs])
        return [part.unflatten(0, run) for part, run in zip(parts, self.runs, strict=True)]


def stack(parts: Sequence[Float[Tensor, "_ c"]], *, like: Float[Tensor, "..."]) -> Float[Tensor, "b m c"]:
    """Lists of rows as one block on the device and in the dtype of ``like``; infinity behind the shorter ones."""
    return torch.nn.utils.rnn.pad_sequence([*parts], batch_first=True, padding_value=torch.inf).to(like)
