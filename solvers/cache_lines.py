"""Operations on whole cache lines of contiguous arrays: written once in Python, emitted as vector code.

A compiler unrolls short loops before it looks for vectors in them, and then often finds none. These operations load
lines (16 float32 or 8 float64 values each), compute on them, and store lines: nothing is left to the optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LINE", "Line", "aligned", "line_operation", "transpose_tile"]

LINE = 64
"""Bytes: a cache line, and the widest vector."""


class Line:
    """A vector in the code being emitted, with the arithmetic of numbers."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: Line) -> Line:
        return Line(self.builder, self.builder.fadd(self.value, other.value))

    def __sub__(self, other: Line) -> Line:
        return Line(self.builder, self.builder.fsub(self.value, other.value))

    def __mul__(self, other: Line) -> Line:
        return Line(self.builder, self.builder.fmul(self.value, other.value))

    def __neg__(self) -> Line:
        return Line(self.builder, self.builder.fneg(self.value))

    def times_plus(self, factor: Line, addend: Line) -> Line:
        """self · factor + addend, rounded once where the processor does so."""
        kind = self.value.type
        name = f"llvm.fmuladd.v{kind.count}f{32 if isinstance(kind.element, ir.FloatType) else 64}"
        signature = ir.FunctionType(kind, [kind] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return Line(self.builder, self.builder.call(function, [self.value, factor.value, addend.value]))


def line_operation(reads: int, scalars: int, writes: int) -> Callable[[Callable[..., Any]], Any]:
    """Make a compiled operation of a function from lines to lines.

    The function gets `reads` lines and `scalars` lines that hold one number throughout, and returns a tuple of `writes`
    lines. The operation is called with one tuple: array, index of each line read, the scalars, array, index of each
    line written; all loads come before the first store. Indices are not checked.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        @intrinsic
        def operation(typingctx: Any, given: Any) -> Any:
            def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                kinds = signature.args[0].types
                values = [builder.extract_value(args[0], i) for i in range(len(kinds))]
                number = kinds[-2].dtype
                element = context.get_data_type(number)
                size = number.bitwidth // 8
                vector = ir.VectorType(element, LINE // size)

                def place(at: int) -> Any:
                    data = context.make_array(kinds[at])(context, builder, values[at]).data
                    index = context.cast(builder, values[at + 1], kinds[at + 1], types.intp)
                    return builder.bitcast(builder.gep(data, [index], inbounds=True), vector.as_pointer())

                def splat(at: int) -> Any:
                    value = context.cast(builder, values[at], kinds[at], number)
                    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
                    mask = ir.Constant(ir.VectorType(ir.IntType(32), LINE // size), [0] * (LINE // size))
                    return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), mask)

                lines = [Line(builder, builder.load(place(2 * i), align=size)) for i in range(reads)]
                lines += [Line(builder, splat(2 * reads + i)) for i in range(scalars)]
                out = body(*lines)
                for i in range(writes):
                    builder.store(out[i].value, place(2 * reads + scalars + 2 * i), align=size)
                return context.get_dummy_value()

            return types.void(given), code

        return operation

    return decorate


@intrinsic
def transpose_tile(typingctx: Any, source: Any, start: Any, stride: Any, target: Any, begin: Any, step: Any) -> Any:
    """target[begin + j·step + i] = source[start + i·stride + j] for i, j < L, in registers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, where, leap, other, to, jump = args
        size = signature.args[0].dtype.bitwidth // 8
        lanes = LINE // size
        vector = ir.VectorType(context.get_data_type(signature.args[0].dtype), lanes)

        def place(kind: Any, value: Any, first: Any, number: int, distance: Any) -> Any:
            data = context.make_array(kind)(context, builder, value).data
            index = builder.add(first, builder.mul(context.get_constant(types.intp, number), distance))
            return builder.bitcast(builder.gep(data, [index], inbounds=True), vector.as_pointer())

        def mask(order: list[int]) -> Any:
            return ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)

        rows = [builder.load(place(signature.args[0], array, where, i, leap), align=size) for i in range(lanes)]
        width = 1
        while width < lanes:  # exchange the off-diagonal blocks of each square of twice the width
            low = [j if not j & width else lanes + j - width for j in range(lanes)]
            high = [j + width if not j & width else lanes + j for j in range(lanes)]
            for i in range(lanes):
                if not i & width:
                    a, b = rows[i], rows[i + width]
                    rows[i] = builder.shuffle_vector(a, b, mask(low))
                    rows[i + width] = builder.shuffle_vector(a, b, mask(high))
            width *= 2
        for i in range(lanes):
            builder.store(rows[i], place(signature.args[3], other, to, i, jump), align=size)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp, types.intp), code


@njit(cache=True, nogil=True)
def aligned(size, like):  # type: ignore[no-untyped-def]
    """A vector of zeros of `like`'s type that starts on a cache line."""
    room = np.zeros(size + 64 // like.itemsize, like.dtype)
    first = (-room.ctypes.data) % 64 // like.itemsize
    return room[first : first + size]
