"""Loads and stores that promise the compiler not to overlap, so that it turns loops over many arrays into vector code.

LLVM vectorises a loop only when it can check at run time, with a handful of comparisons, that the array written to
overlaps none of those read. A stencil in three dimensions reads a dozen. C has `restrict` for that; these intrinsics
attach the same metadata (`alias.scope`, `noalias`) to single accesses. They also leave out the test for negative
indices. Indices are not checked: they must lie inside the array.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


def _scope(module: Any) -> Any:
    domain = module.add_metadata(["resolvent.multigrid"])
    return module.add_metadata([module.add_metadata(["resolvent.multigrid.written", domain])])


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]], inbounds=True)


@intrinsic
def get(typingctx: Any, array: Any, index: Any) -> Any:
    """array[index] of a contiguous vector, for arrays that no `put` of the same loop writes to."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        load = builder.load(_address(context, builder, signature, args))
        load.set_metadata("noalias", _scope(builder.module))
        return load

    return array.dtype(array, types.intp), code


@intrinsic
def old(typingctx: Any, array: Any, index: Any) -> Any:
    """array[index] of a contiguous vector, for the array that `put` writes to."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, signature, args))

    return array.dtype(array, types.intp), code


@intrinsic
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index] = value of a contiguous vector, cast to its type."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        store = builder.store(args[2], _address(context, builder, signature, args))
        store.set_metadata("alias.scope", _scope(builder.module))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), code


@intrinsic
def apart(typingctx: Any) -> Any:
    """Keep the function that this is called in from being inlined: its loops are then compiled once, not at each call."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), code
