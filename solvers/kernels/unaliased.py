"""Provide loads and stores that promise not to overlap, so that loops over many arrays become vector code.

LLVM vectorises a loop only when it can check at run time, with a handful of comparisons, that the array written to
overlaps none of those read. A stencil in three dimensions reads a dozen. C has `restrict` for that; these intrinsics
attach the same metadata (`alias.scope`, `noalias`) to single accesses. They also omit the test for negative indices.
Indices are not checked: they must lie inside the array.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from numba import types
from numba.extending import intrinsic

SLOTS = 28
"""How many arrays one loop may write to by `store_slot`."""


def _scopes(module: Any, chosen: Iterable[int]) -> Any:
    """Return the chosen scopes: 0 is that of `store`, the others those of the slots."""
    domain = module.add_metadata(["resolvent.multigrid"])
    return module.add_metadata([module.add_metadata([f"resolvent.multigrid.{k}", domain]) for k in chosen])


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]], inbounds=True)


def _mark_slot(access: Any, module: Any, slot: int) -> None:
    access.set_metadata("alias.scope", _scopes(module, [slot + 1]))
    access.set_metadata("noalias", _scopes(module, [k for k in range(SLOTS + 1) if k != slot + 1]))


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """Return array[index] of a contiguous vector to which nothing in the same loop writes."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        load = builder.load(_address(context, builder, signature, args))
        load.set_metadata("noalias", _scopes(builder.module, range(SLOTS + 1)))
        return load

    return array.dtype(array, types.intp), code


@intrinsic
def load_written(typingctx: Any, array: Any, index: Any) -> Any:
    """Return array[index] of a contiguous vector to which `store` writes."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, signature, args))

    return array.dtype(array, types.intp), code


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Set array[index] = value in a contiguous vector, cast to its type."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        store = builder.store(args[2], _address(context, builder, signature, args))
        store.set_metadata("alias.scope", _scopes(builder.module, [0]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), code


@intrinsic(prefer_literal=True)
def load_written_slot(typingctx: Any, array: Any, index: Any, slot: Any) -> Any:
    """Do as `load_written` for one of several disjoint ranges that a loop writes to; `slot` is its number."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        load = builder.load(_address(context, builder, signature, args))
        _mark_slot(load, builder.module, slot.literal_value)
        return load

    return array.dtype(array, types.intp, slot), code


@intrinsic(prefer_literal=True)
def store_slot(typingctx: Any, array: Any, index: Any, value: Any, slot: Any) -> Any:
    """Do as `store` for one of several disjoint ranges that a loop writes to."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        store = builder.store(args[2], _address(context, builder, signature, args))
        _mark_slot(store, builder.module, slot.literal_value)
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype, slot), code


@intrinsic
def no_inline(typingctx: Any) -> Any:
    """Keep the calling function from being inlined: its loops are then compiled once, not at each of its calls."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), code
