"""Sparse convolution as an implicit matrix product in Triton: rows are gathered inside the kernel, nothing is scattered.

Sums are kept in float32 (float64 for float64) and run in a fixed order: taps in turn, channels in turn. No atomic operation
takes part, and tile sizes follow from the number of channels alone, so that the same input gives the same bits every time.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import no_type_check

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from ..neighbour_table import TILE_ROWS, NeighbourTable
from .optional_triton import tl, triton

_SLICES_WANTED = 2048
"""Programs among which the weight gradient is shared out, if there are pairs enough: several for each multiprocessor."""
_BLOCKS_A_SLICE = 8
"""Blocks of pairs in a slice at least: with fewer, adding up the slices costs more than they save."""
_STAGES = 5
"""Of the software pipeline. Two lie between the load of a row's number and that of the row, two between that and its use."""
_BLOCK = 512
"""Numbers that a program adds up at the end."""


@dataclass(frozen=True)
class _Arithmetic:
    """How products are formed, and the greatest tile whose sums and operands fit a processor's registers.

    The columns bound how often a row is gathered again, the channels how much is in flight at once. Without tensor cores the
    operands too are held in registers, so that the tiles are smaller; in double precision whole products are.
    """

    name: str
    channels: int
    columns: int
    pairs: int
    side: int
    """Rows and columns of a tile of the weight gradient."""


_HALF = _Arithmetic("tf32", channels=64, columns=128, pairs=64, side=64)
_TF32 = _Arithmetic("tf32", channels=32, columns=128, pairs=32, side=64)
_IEEE = _Arithmetic("ieee", channels=16, columns=64, pairs=16, side=64)
_DOUBLE = _Arithmetic("double", channels=4, columns=16, pairs=16, side=16)


@no_type_check
@triton.jit
def _add_product(total, left, right, ARITHMETIC: tl.constexpr, WIDEN: tl.constexpr):
    """``total + left @ right``."""
    if ARITHMETIC == "double":
        total += tl.sum(left[:, :, None] * right[None, :, :], axis=1)
    elif WIDEN:
        # The interpreter keeps bfloat16 as whole numbers and would multiply these.
        total = tl.dot(left.to(tl.float32), right.to(tl.float32), total, input_precision=ARITHMETIC)
    else:
        total = tl.dot(left, right, total, input_precision=ARITHMETIC)
    return total


@no_type_check
@triton.jit
def products_kernel(
    feats, kernel, rows_in, taps, starts, rows_out, out, channels, columns, panels,
    ROWS: tl.constexpr, CHANNELS: tl.constexpr, COLUMNS: tl.constexpr, CHUNKS: tl.constexpr,
    ARITHMETIC: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """One tile of output rows by one panel of columns: the taps that the tile has, each in chunks of channels."""
    tile = tl.program_id(0) // panels
    lane = tl.arange(0, ROWS)
    column = tl.program_id(0) % panels * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros((ROWS, COLUMNS), tl.float64 if ARITHMETIC == "double" else tl.float32)
    first = tl.load(starts + tile)
    for step in range((tl.load(starts + tile + 1) - first) * CHUNKS):
        entry = (first + step // CHUNKS).to(tl.int64)
        tap = tl.load(taps + entry).to(tl.int64)
        row = tl.load(rows_in + entry * ROWS + lane).to(tl.int64)
        channel = step % CHUNKS * CHANNELS + tl.arange(0, CHANNELS)
        left = tl.load(
            feats + row[:, None] * channels + channel[None, :],
            mask=(row >= 0)[:, None] & (channel < channels)[None, :],
            other=0.0,
        )
        right = tl.load(
            kernel + (tap * channels + channel)[:, None] * columns + column[None, :],
            mask=(channel < channels)[:, None] & (column < columns)[None, :],
            other=0.0,
        )
        total = _add_product(total, left, right, ARITHMETIC, WIDEN)
    row = tl.load(rows_out + tile * ROWS + lane).to(tl.int64)
    tl.store(
        out + row[:, None] * columns + column[None, :],
        total.to(out.dtype.element_ty),
        mask=(row >= 0)[:, None] & (column < columns)[None, :],
    )


@no_type_check
@triton.jit
def outer_products_kernel(
    feats, grad, rows_in, rows_out, starts, parts, n_taps, channels, columns, n_slices, panels,
    PAIRS: tl.constexpr, SIDE: tl.constexpr, ARITHMETIC: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    """One tile of one tap's weight gradient, summed over one slice of the tap's pairs."""
    tiles = tl.cdiv(channels, SIDE) * panels
    tile = tl.program_id(0) % tiles
    tap = tl.program_id(0) // tiles % n_taps
    part = tl.program_id(0) // tiles // n_taps
    channel = tile // panels * SIDE + tl.arange(0, SIDE)
    column = tile % panels * SIDE + tl.arange(0, SIDE)
    start = tl.load(starts + tap)
    stop = tl.load(starts + tap + 1)
    width = tl.cdiv(stop - start, n_slices * PAIRS) * PAIRS
    start += part * width
    stop = tl.minimum(start + width, stop)
    total = tl.zeros((SIDE, SIDE), tl.float64 if ARITHMETIC == "double" else tl.float32)
    for first in range(start, stop, PAIRS):
        pair = first + tl.arange(0, PAIRS)
        exists = pair < stop
        i = tl.load(rows_in + pair, mask=exists, other=0).to(tl.int64)
        o = tl.load(rows_out + pair, mask=exists, other=0).to(tl.int64)
        left = tl.load(
            feats + i[:, None] * channels + channel[None, :],
            mask=exists[:, None] & (channel < channels)[None, :],
            other=0.0,
        )
        right = tl.load(
            grad + o[:, None] * columns + column[None, :],
            mask=exists[:, None] & (column < columns)[None, :],
            other=0.0,
        )
        total = _add_product(total, tl.trans(left), right, ARITHMETIC, WIDEN)
    row = (part * n_taps + tap).to(tl.int64) * channels + channel
    tl.store(
        parts + row[:, None] * columns + column[None, :],
        total,
        mask=(channel < channels)[:, None] & (column < columns)[None, :],
    )


@no_type_check
@triton.jit
def sum_parts_kernel(parts, out, n, n_parts, BLOCK: tl.constexpr):
    """``out[i]``: the sum of ``parts[s, i]``, first to last."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    exists = place < n
    total = tl.load(parts + place, mask=exists, other=0.0)
    further = parts + place
    for _ in range(1, n_parts):
        further += n
        total += tl.load(further, mask=exists, other=0.0)
    tl.store(out + place, total.to(out.dtype.element_ty), mask=exists)


def products(
    feats: Float[Tensor, "i c"], kernel: Float[Tensor, "k c d"], table: NeighbourTable, n_out: int, *, interpreted: bool
) -> Float[Tensor, "o d"]:
    """For each output row the sum over its taps of ``feats[in] @ kernel[tap]``; both of one dtype, contiguous or not."""
    channels, columns = kernel.shape[1:]
    if 0 in (len(feats), n_out, channels, columns):
        return feats.new_zeros(n_out, columns)
    way = _arithmetic(feats.dtype)
    tile = {"CHANNELS": _extent(channels, way.channels), "COLUMNS": _extent(columns, way.columns)}
    panels = _shares(columns, tile["COLUMNS"])
    out = feats.new_empty(n_out, columns)
    with current_device(feats.device):
        products_kernel[((len(table.starts) - 1) * panels,)](
            *(feats.contiguous(), kernel.contiguous(), table.rows_in, table.taps, table.starts, table.rows_out, out),
            *(channels, columns, panels),
            ROWS=TILE_ROWS,
            CHUNKS=_shares(channels, tile["CHANNELS"]),
            ARITHMETIC=way.name,
            WIDEN=interpreted,
            enable_fp_fusion=True,
            num_stages=_STAGES,
            **tile,
        )
    return out


def outer_products(
    feats: Float[Tensor, "i c"],
    grad: Float[Tensor, "o d"],
    rows_in: Int32[Tensor, "m"],
    rows_out: Int32[Tensor, "m"],
    starts: tuple[int, ...],
    *,
    interpreted: bool,
) -> Float[Tensor, "k c d"]:
    """For each tap the sum over its pairs of the outer products ``feats[in] grad[out]``.

    Args:
        feats: Left factors.
        grad: Right factors, of the same dtype.
        rows_in: Rows of ``feats``, tap after tap.
        rows_out: Rows of ``grad``.
        starts: Where each tap's pairs begin, and the end of the last.
        interpreted: Whether Triton's interpreter runs the kernels.
    """
    n_taps, channels, columns = len(starts) - 1, feats.shape[1], grad.shape[1]
    out = feats.new_zeros(n_taps, channels, columns)
    if 0 in (len(rows_in), out.numel()):
        return out
    way = _arithmetic(feats.dtype)
    side = min(_extent(channels, way.side), _extent(columns, way.side))
    panels = _shares(columns, side)
    tiles = n_taps * _shares(channels, side) * panels
    longest = max(stop - start for start, stop in pairwise(starts))
    n_slices = max(1, min(_SLICES_WANTED // tiles, longest // (_BLOCKS_A_SLICE * way.pairs)))
    parts = feats.new_empty(n_slices, *out.shape, dtype=torch.promote_types(feats.dtype, torch.float32))
    ends = torch.tensor(starts, device=feats.device)
    with current_device(feats.device):
        outer_products_kernel[(tiles * n_slices,)](
            *(feats.contiguous(), grad.contiguous(), rows_in, rows_out, ends, parts),
            *(n_taps, channels, columns, n_slices, panels),
            PAIRS=way.pairs,
            SIDE=side,
            ARITHMETIC=way.name,
            WIDEN=interpreted,
            enable_fp_fusion=True,
            num_stages=_STAGES,
        )
        sum_parts_kernel[(_shares(out.numel(), _BLOCK),)](parts, out, out.numel(), n_slices, BLOCK=_BLOCK)
    return out


def _arithmetic(dtype: torch.dtype) -> _Arithmetic:
    if dtype == torch.float64:
        return _DOUBLE
    if dtype != torch.float32:
        return _HALF
    setting = torch.backends.cuda.matmul
    # The newer setting follows the older one, which must not be asked where the newer was used.
    allowed = setting.fp32_precision == "tf32" if hasattr(setting, "fp32_precision") else setting.allow_tf32
    return _TF32 if allowed else _IEEE


def _extent(size: int, largest: int) -> int:
    """Of a tile along an axis: a power of two, one tile where that will do, else what leaves the least of the last unused."""
    smallest = min(16, largest)
    powers = [2**n for n in range(smallest.bit_length() - 1, largest.bit_length())]
    whole = [power for power in powers if power >= size]
    return whole[0] if whole else min(powers, key=lambda power: (_shares(size, power) * power, -power))


def _shares(size: int, extent: int) -> int:
    return -(-size // extent)


def current_device(device: torch.device) -> AbstractContextManager[object]:
    """Triton launches on the current device, which need not be the tensors'."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
