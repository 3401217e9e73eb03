"""Rows of a few features, each one vector: gathered and scattered with weights, without loops over the features."""

from __future__ import annotations

from typing import Any, no_type_check

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic


class _Rows:
    """Addresses in a C-contiguous matrix that is an argument of an intrinsic."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        struct = context.make_array(kind)(context, builder, value)
        self.builder, self.data = builder, struct.data
        self.columns = cgutils.unpack_tuple(builder, struct.shape, 2)[1]

    def at(self, row: Any, column: Any) -> Any:
        """Pointer to an element."""
        return self.builder.gep(self.data, [self.builder.add(self.builder.mul(row, self.columns), column)])


class _Vectors:
    """Loads, stores and products of vectors of ``count`` numbers."""

    def __init__(self, context: Any, builder: Any, dtype: Any, count: int) -> None:
        self.builder, self.size, self.count = builder, dtype.bitwidth // 8, count
        self.kind = ir.VectorType(context.get_data_type(dtype), count)
        self.zero = ir.Constant(self.kind, None)

    def load(self, pointer: Any) -> Any:
        return self.builder.load(self.builder.bitcast(pointer, self.kind.as_pointer()), align=self.size)

    def store(self, value: Any, pointer: Any) -> None:
        self.builder.store(value, self.builder.bitcast(pointer, self.kind.as_pointer()), align=self.size)

    def spread(self, pointer: Any) -> Any:
        """One number everywhere."""
        undefined = ir.Constant(self.kind, ir.Undefined)
        first = self.builder.insert_element(undefined, self.builder.load(pointer), ir.IntType(32)(0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self.count), None)
        return self.builder.shuffle_vector(first, undefined, everywhere)

    def add_product(self, total: Any, a: Any, b: Any) -> Any:
        """ "contract" lets LLVM fuse the two where the processor can."""
        return self.builder.fadd(total, self.builder.fmul(a, b, flags=("contract",)), flags=("contract",))


def _row_number(builder: Any, rows: _Rows, corner: int, lane: Any) -> Any:
    return builder.zext(builder.load(rows.at(lane.type(corner), lane)), lane.type)


def _gather(vectors: _Vectors, table: _Rows, rows: _Rows, lane: Any, sets: list[tuple[_Rows, Any]]) -> None:
    """For each set (weights, where to) the weighted sum of the eight rows, which are read once."""
    totals = [vectors.zero for _ in sets]
    for corner in range(8):
        values = vectors.load(table.at(_row_number(vectors.builder, rows, corner, lane), lane.type(0)))
        factors = [vectors.spread(weights.at(lane.type(corner), lane)) for weights, _ in sets]
        totals = [vectors.add_product(t, factor, values) for t, factor in zip(totals, factors, strict=True)]
    for total, (_, place) in zip(totals, sets, strict=True):
        vectors.store(total, place)


def _scatter(vectors: _Vectors, table: _Rows, rows: _Rows, lane: Any, sets: list[tuple[_Rows, Any]]) -> None:
    """Add to the eight rows, each read and written once, the vector of each set (weights, where from) times its weights."""
    values = [vectors.load(place) for _, place in sets]
    for corner in range(8):
        pointer = table.at(_row_number(vectors.builder, rows, corner, lane), lane.type(0))
        total = vectors.load(pointer)
        for value, (weights, _) in zip(values, sets, strict=True):
            total = vectors.add_product(total, vectors.spread(weights.at(lane.type(corner), lane)), value)
        vectors.store(total, pointer)


@no_type_check
@intrinsic
def gather(typing_context, table, rows, weights, pair, lane, out, sample, column):
    """``out[sample, column:][:f] = sum over c of weights[c, lane] * table[rows[c, lane]]``, f the length of ``pair``."""

    def generate(context, builder, signature, arguments):
        source, numbers, factors, target = (
            _Rows(context, builder, signature.args[n], arguments[n]) for n in (0, 1, 2, 5)
        )
        vectors = _Vectors(context, builder, table.dtype, len(pair))
        _gather(vectors, source, numbers, arguments[4], [(factors, target.at(*arguments[6:]))])
        return context.get_dummy_value()

    return types.void(table, rows, weights, pair, types.intp, out, types.intp, types.intp), generate


@no_type_check
@intrinsic
def gather_both(typing_context, table, rows, weights, slopes, pair, lane, out, out_slopes, sample, column):
    """The same with two sets of weights and results."""

    def generate(context, builder, signature, arguments):
        source, numbers, factors, rates, target, other = (
            _Rows(context, builder, signature.args[n], arguments[n]) for n in (0, 1, 2, 3, 6, 7)
        )
        vectors, place = _Vectors(context, builder, table.dtype, len(pair)), arguments[8:]
        _gather(vectors, source, numbers, arguments[5], [(factors, target.at(*place)), (rates, other.at(*place))])
        return context.get_dummy_value()

    last = (types.intp, out, out_slopes, types.intp, types.intp)
    return types.void(table, rows, weights, slopes, pair, *last), generate


@no_type_check
@intrinsic
def scatter(typing_context, table, rows, weights, pair, lane, grad, sample, column):
    """``table[rows[c, lane]] += weights[c, lane] * grad[sample, column:][:f]`` for all c in turn."""

    def generate(context, builder, signature, arguments):
        target, numbers, factors, source = (
            _Rows(context, builder, signature.args[n], arguments[n]) for n in (0, 1, 2, 5)
        )
        vectors = _Vectors(context, builder, table.dtype, len(pair))
        _scatter(vectors, target, numbers, arguments[4], [(factors, source.at(*arguments[6:]))])
        return context.get_dummy_value()

    return types.void(table, rows, weights, pair, types.intp, grad, types.intp, types.intp), generate


@no_type_check
@intrinsic
def scatter_both(typing_context, table, rows, weights, slopes, pair, lane, grad, grad_slopes, sample, column):
    """The same with two sets of weights and gradients."""

    def generate(context, builder, signature, arguments):
        target, numbers, factors, rates, source, other = (
            _Rows(context, builder, signature.args[n], arguments[n]) for n in (0, 1, 2, 3, 6, 7)
        )
        vectors, place = _Vectors(context, builder, table.dtype, len(pair)), arguments[8:]
        _scatter(vectors, target, numbers, arguments[5], [(factors, source.at(*place)), (rates, other.at(*place))])
        return context.get_dummy_value()

    last = (types.intp, grad, grad_slopes, types.intp, types.intp)
    return types.void(table, rows, weights, slopes, pair, *last), generate
