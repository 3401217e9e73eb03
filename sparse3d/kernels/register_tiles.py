"""Products of gathered rows whose sums stay in the processor's vector registers: no gathered copy, no buffer of products.

A tile is ``ROWS`` rows of the result by a few vectors of its columns. Its sum runs over one index with a broadcast scalar and
a row of vectors in each step (Goto and van de Geijn, ACM TOMS 2008, section 4), is kept in registers, and is added to memory
once. LLVM makes the machine code for the processor at hand; the vector widths below only say how large a tile its registers
hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, no_type_check

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

ROWS = 6
"""Rows of the result in a tile."""


def _registers() -> tuple[int, int]:
    """Bytes of a vector, and vectors a row of a tile, so that all sums fit the registers."""
    if binding.get_default_triple().startswith(("aarch64", "arm64")):
        return 16, 4
    chosen = numba.config.CPU_NAME or numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    features = numba.config.CPU_FEATURES if chosen else binding.get_host_cpu_features().flatten()  # type: ignore[attr-defined]
    return (64, 4) if "+avx512f" in (features or "") else (32, 2)


VECTOR_BYTES, WIDE = _registers()
HALF = WIDE // 2
PAIRS_TOGETHER = 256
"""Pairs whose rows stay in the second-level cache while their outer products are summed."""


class _Array:
    """Address arithmetic on a C-contiguous array argument of an intrinsic."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        struct = context.make_array(kind)(context, builder, value)
        self.builder, self.data = builder, struct.data
        self.shape = cgutils.unpack_tuple(builder, struct.shape, kind.ndim)
        self.bytes = kind.dtype.bitwidth // 8

    def at(self, *index: Any) -> Any:
        """Pointer to an element."""
        place = index[0]
        for extent, number in zip(self.shape[1:], index[1:], strict=True):
            place = self.builder.add(self.builder.mul(place, extent), number)
        return self.builder.gep(self.data, [place])

    def row(self, pair: Any) -> Any:
        """The row number stored at a place of a list of rows."""
        return self.builder.sext(self.builder.load(self.at(pair)), pair.type)


def _vector_type(context: Any, dtype: Any) -> ir.VectorType:
    return ir.VectorType(context.get_data_type(dtype), VECTOR_BYTES * 8 // dtype.bitwidth)


def _add_tile(
    builder: Any,
    vector: ir.VectorType,
    steps: Any,
    scalars: Callable[[Any], list[Any]],
    vectors: Callable[[Any], Any],
    targets: list[Any],
    count: int,
) -> None:
    """Add to each target row the sum over the steps of its scalar times the vectors that all rows share.

    Args:
        builder: Where the code goes.
        vector: One register.
        steps: How many terms the sum has.
        scalars: Pointers to the rows' scalars at a step.
        vectors: Pointer to the first of the shared vectors at a step.
        targets: Pointers to where the rows begin.
        count: Vectors in a row.
    """
    size = VECTOR_BYTES // vector.count
    zero = ir.Constant(vector, None)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    undefined = ir.Constant(vector, ir.Undefined)
    sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(count)] for _ in targets]

    def places(start: Any) -> list[Any]:
        first = builder.bitcast(start, vector.as_pointer())
        return [builder.gep(first, [ir.IntType(64)(number)]) for number in range(count)]

    with cgutils.for_range(builder, steps) as loop:
        shared = [builder.load(place, align=size) for place in places(vectors(loop.index))]
        for pointer, row in zip(scalars(loop.index), sums, strict=True):
            one = builder.insert_element(undefined, builder.load(pointer), ir.IntType(32)(0))
            factor = builder.shuffle_vector(one, undefined, everywhere)
            for total, other in zip(row, shared, strict=True):
                # "contract" lets LLVM fuse the two where the processor can.
                product = builder.fmul(factor, other, flags=("contract",))
                builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
    for start, row in zip(targets, sums, strict=True):
        for place, total in zip(places(start), row, strict=True):
            old = builder.load(place, align=size)
            builder.store(builder.fadd(old, builder.load(total)), place, align=size)


def _existing(builder: Any, first: Any, stop: Any) -> list[tuple[Any, Any]]:
    """Numbers of a tile's rows, the last repeated where there are fewer, and whether each exists."""
    found, last = [], builder.sub(stop, first.type(1))
    for number in range(ROWS):
        wanted = builder.add(first, first.type(number))
        exists = builder.icmp_signed("<", wanted, stop)
        found.append((builder.select(exists, wanted, last), exists))
    return found


@no_type_check
def _row_tile(count: int) -> Any:
    """Intrinsic: for up to ROWS pairs ``out[rows_out[p], d:] += x[rows_in[p]] @ weights[k, :, d:]``, ``count`` vectors."""

    @intrinsic
    def tile(typing_context, x, weights, k, rows_in, rows_out, pair, stop, d, out):
        def generate(context, builder, signature, arguments):
            kinds = signature.args
            source, taps, rows_from, rows_to, result = (
                _Array(context, builder, kinds[n], arguments[n]) for n in (0, 1, 3, 4, 8)
            )
            tap, first, end, column = arguments[2], arguments[5], arguments[6], arguments[7]
            vector = _vector_type(context, x.dtype)
            spare = builder.bitcast(cgutils.alloca_once(builder, vector, size=count, zfill=True), result.data.type)
            zero = column.type(0)
            read, written = [], []
            for number, exists in _existing(builder, first, end):
                read.append(source.at(rows_from.row(number), zero))
                written.append(builder.select(exists, result.at(rows_to.row(number), column), spare))
            _add_tile(
                builder,
                vector,
                source.shape[1],
                lambda c: [builder.gep(row, [c]) for row in read],
                lambda c: taps.at(tap, c, column),
                written,
                count,
            )
            return context.get_dummy_value()

        return types.void(x, weights, types.intp, rows_in, rows_out, types.intp, types.intp, types.intp, out), generate

    return tile


@no_type_check
def _outer_tile(count: int) -> Any:
    """Intrinsic: ``out[k, c:c + ROWS, d:] += x[rows_in[p:q], c:c + ROWS].T @ g[rows_out[p:q], d:]``, ``count`` vectors."""

    @intrinsic
    def tile(typing_context, x, g, k, rows_in, rows_out, pair, stop, c, d, out):
        def generate(context, builder, signature, arguments):
            kinds = signature.args
            left, right, rows_from, rows_to, result = (
                _Array(context, builder, kinds[n], arguments[n]) for n in (0, 1, 3, 4, 9)
            )
            tap, first, end, channel, column = (arguments[n] for n in (2, 5, 6, 7, 8))
            vector = _vector_type(context, x.dtype)
            spare = builder.bitcast(cgutils.alloca_once(builder, vector, size=count, zfill=True), result.data.type)
            channels = _existing(builder, channel, left.shape[1])

            def scalars(step):
                row = left.at(rows_from.row(builder.add(first, step)), column.type(0))
                return [builder.gep(row, [number]) for number, _ in channels]

            _add_tile(
                builder,
                vector,
                builder.sub(end, first),
                scalars,
                lambda step: right.at(rows_to.row(builder.add(first, step)), column),
                [builder.select(exists, result.at(tap, number, column), spare) for number, exists in channels],
                count,
            )
            return context.get_dummy_value()

        places = (types.intp, types.intp, types.intp, types.intp)
        return types.void(x, g, types.intp, rows_in, rows_out, *places, out), generate

    return tile


_rows_wide, _rows_half, _rows_one = _row_tile(WIDE), _row_tile(HALF), _row_tile(1)
_outer_wide, _outer_half, _outer_one = _outer_tile(WIDE), _outer_tile(HALF), _outer_tile(1)


def padded_columns(columns: int, itemsize: int) -> int:
    """Columns filled up to whole vectors."""
    vector = VECTOR_BYTES // itemsize
    return -(-columns // vector) * vector


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def add_products(
    x: np.ndarray, weights: np.ndarray, rows_in: np.ndarray, rows_out: np.ndarray, runs: np.ndarray, out: np.ndarray
) -> None:
    """``out[rows_out[p]] += x[rows_in[p]] @ weights[k]`` for every pair p of every tap k.

    One thread owns all pairs of a run of output rows and takes them tap by tap, so that sums do not depend on the number of
    threads.

    Args:
        x: (i, c).
        weights: (k, c, d), d a multiple of the vector width.
        rows_in: Rows of x, tap after tap.
        rows_out: Rows of out; within a tap none twice.
        runs: (k, r + 1): where the pairs of each run of output rows begin.
        out: (o, d).
    """
    vector = VECTOR_BYTES // out.itemsize
    columns = out.shape[1]
    for run in numba.prange(runs.shape[1] - 1):
        for k in range(runs.shape[0]):
            start, stop = runs[k, run], runs[k, run + 1]
            d = 0
            while d + WIDE * vector <= columns:
                for pair in range(start, stop, ROWS):
                    _rows_wide(x, weights, k, rows_in, rows_out, pair, stop, d, out)
                d += WIDE * vector
            if HALF > 1 and d + HALF * vector <= columns:
                for pair in range(start, stop, ROWS):
                    _rows_half(x, weights, k, rows_in, rows_out, pair, stop, d, out)
                d += HALF * vector
            while d < columns:
                for pair in range(start, stop, ROWS):
                    _rows_one(x, weights, k, rows_in, rows_out, pair, stop, d, out)
                d += vector


@no_type_check
@numba.njit(parallel=True, cache=True, nogil=True)
def add_outer_products(
    x: np.ndarray, g: np.ndarray, rows_in: np.ndarray, rows_out: np.ndarray, runs: np.ndarray, out: np.ndarray
) -> None:
    """``out[k] += x[rows_in[p]].T @ g[rows_out[p]]`` summed over the pairs p of every tap k, in their order.

    Args:
        x: (i, c).
        g: (o, d), d a multiple of the vector width.
        rows_in: Rows of x, tap after tap.
        rows_out: Rows of g.
        runs: (k, r + 1): where the pairs of each run of neighbouring rows begin; all taps work on one run before the next.
        out: (k, c, d).
    """
    vector = VECTOR_BYTES // out.itemsize
    channels, columns = out.shape[1], out.shape[2]
    wide = WIDE * vector
    panels = (columns + wide - 1) // wide
    for run in range(runs.shape[1] - 1):
        for unit in numba.prange(runs.shape[0] * panels):
            k, panel = unit // panels, unit % panels
            for pair in range(runs[k, run], runs[k, run + 1], PAIRS_TOGETHER):
                stop = min(pair + PAIRS_TOGETHER, runs[k, run + 1])
                for c in range(0, channels, ROWS):
                    d = panel * wide
                    end = min(d + wide, columns)
                    if d + wide <= end:
                        _outer_wide(x, g, k, rows_in, rows_out, pair, stop, c, d, out)
                        d += wide
                    if HALF > 1 and d + HALF * vector <= end:
                        _outer_half(x, g, k, rows_in, rows_out, pair, stop, c, d, out)
                        d += HALF * vector
                    while d < end:
                        _outer_one(x, g, k, rows_in, rows_out, pair, stop, c, d, out)
                        d += vector
