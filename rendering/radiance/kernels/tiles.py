"""Products of small matrices whose sums stay in the processor's vector registers.

A tile is some rows of the result by one, two or four vectors of its columns; it is loaded, summed over one index with a
broadcast scalar and a row of vectors in each step (Goto and van de Geijn, ACM TOMS 2008, section 4), and stored. Rows and
columns of the results are whole multiples of :data:`SIDE`. LLVM makes the machine code for the processor at hand; the widths
only say how large a tile its registers hold.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numba
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

SIDE = 16
"""Rows are multiples of this, and so are columns that become rows of a product."""


def _registers() -> tuple[int, tuple[int, ...]]:
    """Bytes of a vector; rows of tiles of one, two and four vectors (0: too large for the registers)."""
    if binding.get_default_triple().startswith(("aarch64", "arm64")):
        return 16, (16, 8, 4)
    chosen = numba.config.CPU_NAME or numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    features = numba.config.CPU_FEATURES if chosen else binding.get_host_cpu_features().flatten()  # type: ignore[attr-defined]
    return (64, (16, 8, 4)) if "+avx512f" in (features or "") else (32, (8, 4, 0))


VECTOR_BYTES, _ROWS = _registers()
_ROWS_ONE, _ROWS_TWO, _ROWS_FOUR = _ROWS
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


def padded(columns: int) -> int:
    """Columns filled up to whole tiles, whatever the type."""
    return -(-columns // SIDE) * SIDE


class _Matrix:
    """Addresses in a C-contiguous matrix that is an argument of an intrinsic."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        struct = context.make_array(kind)(context, builder, value)
        self.builder, self.data = builder, struct.data
        self.columns = cgutils.unpack_tuple(builder, struct.shape, 2)[1]

    def at(self, row: Any, column: Any) -> Any:
        """Pointer to an element."""
        return self.builder.gep(self.data, [self.builder.add(self.builder.mul(row, self.columns), column)])


@no_type_check
def _tile(rows: int, vectors: int, is_outer: bool) -> Any:
    """Intrinsic: add to ``out[i:i + rows, j:j + vectors]`` rows, or columns (outer), of ``left`` times ``right``."""

    @intrinsic
    def add(typing_context, left, right, steps, i, j, out):
        def generate(context, builder, signature, arguments):
            kinds = signature.args
            a, b, c = (_Matrix(context, builder, kinds[n], arguments[n]) for n in (0, 1, 5))
            count, row, column = arguments[2], arguments[3], arguments[4]
            width = VECTOR_BYTES * 8 // out.dtype.bitwidth
            size = out.dtype.bitwidth // 8
            vector = ir.VectorType(context.get_data_type(out.dtype), width)
            everywhere = ir.Constant(ir.VectorType(ir.IntType(32), width), None)
            undefined = ir.Constant(vector, ir.Undefined)

            def places(start):
                first = builder.bitcast(start, vector.as_pointer())
                return [builder.gep(first, [ir.IntType(64)(number)]) for number in range(vectors)]

            numbers = [builder.add(row, row.type(number)) for number in range(rows)]
            targets = [places(c.at(number, column)) for number in numbers]
            sums = [
                [cgutils.alloca_once_value(builder, builder.load(place, align=size)) for place in target]
                for target in targets
            ]
            with cgutils.for_range(builder, count) as loop:
                shared = [builder.load(place, align=size) for place in places(b.at(loop.index, column))]
                for number, totals in zip(numbers, sums, strict=True):
                    pointer = a.at(loop.index, number) if is_outer else a.at(number, loop.index)
                    one = builder.insert_element(undefined, builder.load(pointer), ir.IntType(32)(0))
                    factor = builder.shuffle_vector(one, undefined, everywhere)
                    for total, other in zip(totals, shared, strict=True):
                        # "contract" lets LLVM fuse the two where the processor can.
                        product = builder.fmul(factor, other, flags=("contract",))
                        builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)
            for target, totals in zip(targets, sums, strict=True):
                for place, total in zip(target, totals, strict=True):
                    builder.store(builder.load(total), place, align=size)
            return context.get_dummy_value()

        return types.void(left, right, types.intp, types.intp, types.intp, out), generate

    return add


_one, _two, _four = _tile(_ROWS_ONE, 1, False), _tile(_ROWS_TWO, 2, False), _tile(_ROWS_FOUR or 1, 4, False)
_one_outer, _two_outer = _tile(_ROWS_ONE, 1, True), _tile(_ROWS_TWO, 2, True)
_four_outer = _tile(_ROWS_FOUR or 1, 4, True)


@no_type_check
@numba.njit(**_OPTIONS)
def add_product(left, right, steps, out):
    """``out += left[:, :steps] @ right[:steps]``; rows and columns of ``out`` are whole tiles."""
    vector = VECTOR_BYTES // out.itemsize
    rows, columns = out.shape
    j = 0
    if _ROWS_FOUR > 0:
        while j + 4 * vector <= columns:
            for i in range(0, rows, _ROWS_FOUR):
                _four(left, right, steps, i, j, out)
            j += 4 * vector
    while j + 2 * vector <= columns:
        for i in range(0, rows, _ROWS_TWO):
            _two(left, right, steps, i, j, out)
        j += 2 * vector
    while j < columns:
        for i in range(0, rows, _ROWS_ONE):
            _one(left, right, steps, i, j, out)
        j += vector


@no_type_check
@numba.njit(**_OPTIONS)
def add_outer_product(left, right, steps, out):
    """``out += left[:steps].T @ right[:steps]``; rows and columns of ``out`` are whole tiles."""
    vector = VECTOR_BYTES // out.itemsize
    rows, columns = out.shape
    j = 0
    if _ROWS_FOUR > 0:
        while j + 4 * vector <= columns:
            for i in range(0, rows, _ROWS_FOUR):
                _four_outer(left, right, steps, i, j, out)
            j += 4 * vector
    while j + 2 * vector <= columns:
        for i in range(0, rows, _ROWS_TWO):
            _two_outer(left, right, steps, i, j, out)
        j += 2 * vector
    while j < columns:
        for i in range(0, rows, _ROWS_ONE):
            _one_outer(left, right, steps, i, j, out)
        j += vector
