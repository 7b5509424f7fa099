"""Call compiled kernels from Python: their signatures, by type, and structures of pointers that are filled once.

A call through ctypes releases the interpreter's lock. Arrays go as addresses: `Kernel` checks their type and that they
are contiguous, not their sizes; callers check those. What is called often with the same arrays takes a `Structure`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from .library import symbol

__all__ = ["BoundKernel", "Kernel", "Structure", "address"]

_TYPES: dict[str, np.dtype] = {
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "c64": np.dtype(np.complex64),
    "c128": np.dtype(np.complex128),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "u8": np.dtype(np.uint8),
    "u16": np.dtype(np.uint16),
    "u64": np.dtype(np.uint64),
    "bool": np.dtype(np.bool_),
}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}
_SCALARS: dict[str, Any] = {"int": ctypes.c_int64, "float": ctypes.c_double, "struct": ctypes.c_void_p}
_RESULTS: dict[str, Any] = {"": None, "int": ctypes.c_int64, "float": ctypes.c_double}


class Kernel:
    """Call a compiled function.

    Parameters
    ----------
    name : str
    arguments : str
        A word for each argument: `int`, `float` (int64 and double), `struct` (a :class:`Structure`), or an array by its
        type and a star, `f64*`. `T*` and `I*` stand for arrays of any type, the same for all with one letter; the
        types of S, T and I, in that order, end the function's name: `sweep_f64_i32`.
    returns : {'', 'int', 'float'}
    """

    def __init__(self, name: str, arguments: str, returns: str = "") -> None:
        self.name, self.kinds, self.returns = name, arguments.split(), returns
        self._letters = [self.kinds.index(f"{letter}*") for letter in "STI" if f"{letter}*" in self.kinds]
        self._functions: dict[tuple[np.dtype, ...], tuple[Callable[..., Any], list[np.dtype | None]]] = {}

    def __repr__(self) -> str:
        return f"Kernel({self.name}: {' '.join(self.kinds)} -> {self.returns or 'nothing'})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Kernel, (self.name, " ".join(self.kinds), self.returns)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function; arrays are checked for their type and for contiguity."""
        function, types = self._function(arguments)
        return function(*[_passed(value, dtype) for value, dtype in zip(arguments, types, strict=True)])

    def bind(self, *leading: Any) -> BoundKernel:
        """Return the kernel with its first arguments filled in, all that tell the types, for quick calls."""
        return BoundKernel(self, leading)

    def _function(self, arguments: Any) -> tuple[Callable[..., Any], list[np.dtype | None]]:
        """Return the function for the types of the arguments, and the types it takes: None for what is no array."""
        key = tuple([arguments[at].dtype for at in self._letters])
        return self._functions.get(key) or self._find(key)

    def _find(self, key: tuple[np.dtype, ...]) -> tuple[Callable[..., Any], list[np.dtype | None]]:
        by_letter: dict[str, np.dtype | None] = {
            self.kinds[at]: dtype for at, dtype in zip(self._letters, key, strict=True)
        }
        if unknown := [dtype for dtype in key if dtype not in _NAMES]:
            raise TypeError(f"{self.name} has no compiled form for arrays of {unknown[0]}")
        function = symbol("_".join([self.name, *(_NAMES[dtype] for dtype in key)]))
        function.argtypes = [_SCALARS.get(kind, ctypes.c_void_p) for kind in self.kinds]
        function.restype = _RESULTS[self.returns]
        types = [None if kind[-1] != "*" else by_letter.get(kind) or _TYPES[kind[:-1]] for kind in self.kinds]
        self._functions[key] = function, types
        return self._functions[key]


class BoundKernel:
    """Call a kernel whose first arguments are filled in; their arrays are kept alive."""

    def __init__(self, kernel: Kernel, leading: tuple[Any, ...]) -> None:
        self._kernel, self._leading = kernel, leading
        self._function, types = kernel._function(leading)
        self._passed = [_passed(value, dtype) for value, dtype in zip(leading, types, strict=False)]
        self._types = types[len(leading) :]

    def __reduce__(self) -> tuple[Any, ...]:
        return BoundKernel, (self._kernel, self._leading)

    def __call__(self, *rest: Any) -> Any:
        """Call the function with the arguments that are left."""
        return self._function(
            *self._passed, *[_passed(value, dtype) for value, dtype in zip(rest, self._types, strict=True)]
        )


class Structure:
    """Hold the arguments of kernels that are called again and again: pointers, integers and floats, filled in once.

    Members are read and set as attributes; an array must be contiguous in its rows, and is kept alive. They must be
    given in the order of the C++ structure of the same name, which is checked.
    """

    def __init__(self, name: str, **members: Any) -> None:
        own = self.__dict__
        own["_memory"], own["_arrays"] = _layout(name, members)(), {}
        own["address"] = ctypes.addressof(own["_memory"])
        for key, value in members.items():
            setattr(self, key, value)

    def __reduce__(self) -> tuple[Any, ...]:
        members = {key: getattr(self, key) for key, *_ in self._memory._fields_}
        return _remade, (type(self._memory).__name__, members)

    def __setattr__(self, key: str, value: Any) -> None:
        if isinstance(value, np.ndarray):
            self._arrays[key] = value
            setattr(self._memory, key, address(value))
        else:
            setattr(self._memory, key, value)

    def __getattr__(self, key: str) -> Any:
        arrays = self.__dict__["_arrays"]
        return arrays[key] if key in arrays else getattr(self.__dict__["_memory"], key)


def address(array: np.ndarray) -> int:
    """Return the address of an array's first element."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # read-only, empty, or with gaps between rows: in four times the time
        return int(array.__array_interface__["data"][0])


def _passed(value: Any, dtype: np.dtype | None) -> Any:
    """Return what ctypes passes on for an argument."""
    if dtype is None:
        return value.address if isinstance(value, Structure) else value
    if value.dtype == dtype:
        try:
            return ctypes.addressof(ctypes.c_char.from_buffer(value))
        except (TypeError, ValueError):
            if value.flags.c_contiguous:
                return address(value)
    raise TypeError(f"a kernel takes contiguous arrays of {dtype} here, not {value.dtype} with strides {value.strides}")


def _remade(name: str, members: dict[str, Any]) -> Structure:
    return Structure(name, **members)


_layouts: dict[str, tuple[type[ctypes.Structure], dict[str, Any]]] = {}
_MEMBERS: dict[str, Any] = {"i64": ctypes.c_int64, "double": ctypes.c_double}


def _layout(name: str, members: dict[str, Any]) -> type[ctypes.Structure]:
    """Return the class for a C++ structure, as its `NAME_members` tells it; the given members must agree."""
    if name not in _layouts:
        tell = symbol(f"{name}_members")
        tell.restype = ctypes.c_char_p
        told = [each.strip().rsplit(" ", 1) for each in tell().decode().split(";") if each.strip()]
        fields = [(key.lstrip("*"), _MEMBERS.get(kind, ctypes.c_void_p)) for kind, key in told]
        _layouts[name] = type(name, (ctypes.Structure,), {"_fields_": fields}), dict(fields)
    layout, kinds = _layouts[name]
    if list(members) != list(kinds):
        raise TypeError(f"{name} has the members {', '.join(kinds)}, not {', '.join(members)}")
    for key, value in members.items():
        if isinstance(value, np.ndarray) != (kinds[key] is ctypes.c_void_p):
            raise TypeError(f"{name}.{key} is {kinds[key].__name__}, not {type(value).__name__}")
    return layout
