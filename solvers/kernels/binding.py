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

__all__ = ["Kernel", "Structure"]

_TYPES = {
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
        self._letters = [letter for letter in "STI" if f"{letter}*" in self.kinds]
        self._functions: dict[tuple[np.dtype, ...], Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return f"Kernel({self.name}: {' '.join(self.kinds)} -> {self.returns or 'nothing'})"

    def __call__(self, *arguments: Any) -> Any:
        """Call the function; arrays are checked for their type and for contiguity."""
        passed = []
        types: dict[str, np.dtype] = {}
        for kind, value in zip(self.kinds, arguments, strict=True):
            if kind[-1] != "*":
                passed.append(value.address if kind == "struct" else value)
                continue
            wanted = types.setdefault(kind, value.dtype) if kind[:-1] in self._letters else _TYPES[kind[:-1]]
            if value.dtype != wanted or not value.flags.c_contiguous:
                raise TypeError(
                    f"{self.name} takes contiguous arrays of {wanted}, not {value.dtype} with strides {value.strides}"
                )
            passed.append(value.__array_interface__["data"][0])
        key = tuple(types[f"{letter}*"] for letter in self._letters)
        function = self._functions.get(key) or self._find(key)
        return function(*passed)

    def _find(self, key: tuple[np.dtype, ...]) -> Callable[..., Any]:
        full = "_".join([self.name, *(_NAMES[dtype] for dtype in key)])
        function = symbol(full)
        function.argtypes = [_SCALARS.get(kind, ctypes.c_void_p) for kind in self.kinds]
        function.restype = _RESULTS[self.returns]
        self._functions[key] = function
        return function  # type: ignore[no-any-return]


class Structure:
    """Hold the arguments of kernels that are called again and again: pointers, integers and floats, filled in once.

    Members are read and set as attributes; an array must be contiguous in its rows, and is kept alive. They must be
    given in the order of the C++ structure of the same name, which is checked.
    """

    def __init__(self, name: str, **members: Any) -> None:
        kinds = [(key, _member_type(value)) for key, value in members.items()]
        _check_members(name, kinds)
        layout = type(name, (ctypes.Structure,), {"_fields_": kinds})
        own = self.__dict__
        own["_memory"], own["_arrays"] = layout(), {}
        own["address"] = ctypes.addressof(own["_memory"])
        for key, value in members.items():
            setattr(self, key, value)

    def __setattr__(self, key: str, value: Any) -> None:
        if isinstance(value, np.ndarray):
            self._arrays[key] = value
            setattr(self._memory, key, value.__array_interface__["data"][0])
        else:
            setattr(self._memory, key, value)

    def __getattr__(self, key: str) -> Any:
        arrays = self.__dict__["_arrays"]
        return arrays[key] if key in arrays else getattr(self.__dict__["_memory"], key)


def _member_type(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p
    return ctypes.c_double if isinstance(value, float) else ctypes.c_int64


_checked: dict[str, list[tuple[str, str]]] = {}


def _check_members(name: str, kinds: list[tuple[str, Any]]) -> None:
    """Compare members with those of the C++ structure, as its `NAME_members` tells them."""
    if name not in _checked:
        tell = symbol(f"{name}_members")
        tell.restype = ctypes.c_char_p
        parts = [each.strip().rsplit(" ", 1) for each in tell().decode().split(";") if each.strip()]
        words = {"i64": "int", "double": "float"}
        _checked[name] = [(key.lstrip("*"), words.get(kind, "pointer")) for kind, key in parts]
    words = {ctypes.c_int64: "int", ctypes.c_double: "float", ctypes.c_void_p: "pointer"}
    given = [(key, words[kind]) for key, kind in kinds]
    if given != _checked[name]:
        raise TypeError(f"{name} has the members {_checked[name]}, not {given}")
