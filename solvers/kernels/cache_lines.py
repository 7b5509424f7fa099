"""Write operations on whole cache lines of contiguous arrays in Python, and emit them as vector code.

A compiler unrolls short loops before it looks for vectors in them, and then often finds none. These operations load
lines (16 float32 or 8 float64 values each), compute on them, and store lines, without relying on the optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "LINE",
    "Line",
    "Lines",
    "lane_count",
    "lanes_of",
    "line_operation",
    "pointers",
    "transpose_tile",
]

LINE = 64
"""Bytes of a cache line, and of the widest vector."""


class Line:
    """Represent a vector in the code being emitted, with the arithmetic of numbers."""

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
        """Return self · factor + addend, rounded once where the processor can."""
        kind = self.value.type
        name = f"llvm.fmuladd.v{kind.count}f{32 if isinstance(kind.element, ir.FloatType) else 64}"
        signature = ir.FunctionType(kind, [kind] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        return Line(self.builder, self.builder.call(function, [self.value, factor.value, addend.value]))

    def constant(self, value: float) -> Line:
        """Return the line whose lanes all hold `value`."""
        kind = self.value.type
        return Line(self.builder, ir.Constant(kind, [value] * kind.count))


Lines = list[Line]


def _data(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return value if isinstance(kind, types.CPointer) else context.make_array(kind)(context, builder, value).data


@intrinsic
def pointers(typingctx: Any, argument: Any) -> Any:
    """Replace every array in `argument` (an array, a number, or tuples of them) by a pointer, all that kernels need.

    Numba counts an array's references, atomically, whenever it is passed on or assigned. For transforms of a hundred
    points that costs as much as a pass over them, and more where threads share the array. The caller must keep the
    arrays alive.
    """

    def pointed(kind: Any) -> Any:
        if isinstance(kind, types.Array):
            return types.CPointer(kind.dtype)
        if isinstance(kind, types.NamedTuple):
            return types.NamedTuple([pointed(each) for each in kind], kind.instance_class)
        if isinstance(kind, types.BaseTuple):
            return types.BaseTuple.from_types([pointed(each) for each in kind])
        return kind

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def convert(kind: Any, value: Any) -> Any:
            if isinstance(kind, types.Array):
                return _data(context, builder, kind, value)
            if isinstance(kind, types.BaseTuple):
                parts = [convert(each, builder.extract_value(value, i)) for i, each in enumerate(kind)]
                return context.make_tuple(builder, pointed(kind), parts)
            return value

        return convert(signature.args[0], args[0])

    return pointed(argument)(argument), code


def line_operation(
    reads: tuple[int, ...], numbers: tuple[int, ...], writes: tuple[int, ...]
) -> Callable[[Callable[..., Any]], Any]:
    """Make a compiled operation of a function from lines to lines.

    The function gets one list of lines for each group of `reads` and of `numbers`, as long as its entry says, and
    returns a tuple of as many lists as `writes` has entries. A line of `numbers` holds one number in all lanes. The
    operation is called with one tuple: for each group of lines read, then of numbers, then of lines written, an array
    and where in it the group lies. That is `start, step` (element k at start + k·step) or, through a table of
    positions, `start, table, first, step` (element k at start + table[first + k·step]). Lines returned as None are not
    written, nor are those whose entry in the table is negative. All loads come before the first store. Indices are not
    checked.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        @intrinsic
        def operation(typingctx: Any, argument: Any) -> Any:
            def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                kinds = signature.args[0].types
                values = [builder.extract_value(args[0], i) for i in range(len(kinds))]
                number = kinds[0].dtype
                element = context.get_data_type(number)
                size = number.bitwidth // 8
                vector = ir.VectorType(element, LINE // size)

                def data(at: int) -> Any:
                    return _data(context, builder, kinds[at], values[at])

                def index(at: int) -> Any:
                    return context.cast(builder, values[at], kinds[at], types.intp)

                def position(first: Any, step: Any, k: int) -> Any:
                    return builder.add(first, builder.mul(context.get_constant(types.intp, k), step))

                def places(at: int, count: int) -> tuple[list[Any], list[Any], int]:
                    """Return pointers to the elements of the group at `at`, entries of its table, where the next is."""
                    first = index(at + 1)
                    tabled = isinstance(kinds[at + 2], (types.Array, types.CPointer))
                    if tabled:
                        table, start, step = data(at + 2), index(at + 3), index(at + 4)
                        entries = [builder.load(builder.gep(table, [position(start, step, k)])) for k in range(count)]
                        positions, following = [builder.add(first, each) for each in entries], at + 5
                    else:
                        step = index(at + 2)
                        positions, following = [position(first, step, k) for k in range(count)], at + 3
                    pointers = [builder.gep(data(at), [each], inbounds=True) for each in positions]
                    return pointers, (entries if tabled else []), following

                def splat(value: Any) -> Any:
                    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
                    mask = ir.Constant(ir.VectorType(ir.IntType(32), LINE // size), [0] * (LINE // size))
                    return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), mask)

                at, sources, targets, conditions = 0, [], [], []
                for count in reads:
                    pointers, _, at = places(at, count)
                    sources.append([builder.bitcast(each, vector.as_pointer()) for each in pointers])
                for count in numbers:
                    pointers, _, at = places(at, count)
                    sources.append(pointers)
                for count in writes:
                    pointers, entries, at = places(at, count)
                    targets.append([builder.bitcast(each, vector.as_pointer()) for each in pointers])
                    conditions.append(entries)
                groups = [[Line(builder, builder.load(each, align=size)) for each in g] for g in sources[: len(reads)]]
                groups += [[Line(builder, splat(builder.load(each))) for each in g] for g in sources[len(reads) :]]
                out = list(zip(body(*groups), targets, conditions, strict=True))
                for k in range(max(writes)):
                    group = [
                        (lines[k], where[k], entries[k : k + 1]) for lines, where, entries in out if k < len(lines)
                    ]
                    if group[0][0] is None:
                        continue
                    entry = next((each for *_, each in group if each), [])
                    nowhere = context.get_constant(types.intp, 0)
                    with builder.if_then(builder.icmp_signed(">=", entry[0], nowhere)) if entry else nullcontext():
                        for line, pointer, _ in group:
                            builder.store(line.value, pointer, align=size)
                return context.get_dummy_value()

            return types.void(argument), code

        return operation

    return decorate


@intrinsic
def transpose_tile(typingctx: Any, source: Any, start: Any, stride: Any, target: Any, begin: Any, step: Any) -> Any:
    """Set target[begin + j·step + i] = source[start + i·stride + j] for i, j < L, in registers.

    It works on square blocks of half a line, whose halves are exchanged as they are loaded: processors with 512-bit
    registers shuffle half a register in half the time, and load at no cost.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, where, leap, other, to, jump = args
        size = signature.args[0].dtype.bitwidth // 8
        lanes = LINE // size // 2
        half = lanes // 2
        element = context.get_data_type(signature.args[0].dtype)

        def place(kind: Any, value: Any, first: Any, row: int, distance: Any, column: int, width: int) -> Any:
            index = builder.add(first, builder.mul(context.get_constant(types.intp, row), distance))
            index = builder.add(index, context.get_constant(types.intp, column))
            pointer = builder.gep(_data(context, builder, kind, value), [index], inbounds=True)
            return builder.bitcast(pointer, ir.VectorType(element, width).as_pointer())

        def order(places: list[int]) -> Any:
            return ir.Constant(ir.VectorType(ir.IntType(32), lanes), places)

        def part(row: int, column: int) -> Any:
            return builder.load(place(signature.args[0], array, where, row, leap, column, half), align=size)

        for i0, j0 in ((i, j) for i in (0, lanes) for j in (0, lanes)):
            rows = [
                builder.shuffle_vector(part(i0 + i, j0 + j), part(i0 + i + half, j0 + j), order(list(range(lanes))))
                for j in (0, half)
                for i in range(half)
            ]
            width = 1
            while width < half:  # exchange the off-diagonal blocks of each square of twice the width
                low = [j if not j & width else lanes + j - width for j in range(lanes)]
                high = [j + width if not j & width else lanes + j for j in range(lanes)]
                for i in range(lanes):
                    if not i & width:
                        a, b = rows[i], rows[i + width]
                        rows[i] = builder.shuffle_vector(a, b, order(low))
                        rows[i + width] = builder.shuffle_vector(a, b, order(high))
                width *= 2
            for j in range(lanes):
                builder.store(rows[j], place(signature.args[3], other, to, j0 + j, jump, i0, lanes), align=size)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp, types.intp), code


def lane_count(dtype: Any) -> int:
    """Return how many values of `dtype` a cache line holds: 16 of float32, 8 of float64."""
    return LINE // np.dtype(dtype).itemsize


@intrinsic
def lanes_of(typingctx: Any, array: Any) -> Any:
    """Return the number of lanes of an array's type, a constant to the compiler."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, LINE // (signature.args[0].dtype.bitwidth // 8))

    return types.intp(array), code
