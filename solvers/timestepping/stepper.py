"""Advance semilinear equations u_t = L u + N(u) on a periodic box by exponential and implicit–explicit methods.

L is diagonal in Fourier space and may be stiff; N is evaluated at the points, without aliasing. A method is a list of
stages: evaluate N at one state, then combine states and evaluations with coefficients that depend on the mode alone.
NumPy arrays run compiled (:mod:`~.compiled.terms`) where the grid allows it, all others through their own library.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from ..arguments import is_integer
from ..errors import InputError
from ..kernels import Structure
from ..spectral.fourier_grid import FourierGrid
from .compiled.terms import CompiledTerm, compiled_term
from .schemes import SCHEMES, Scheme
from .stage_programs import stage_program
from .terms import on_device_of

__all__ = [
    "Advanced",
    "TimeStepper",
]

_GROWTH = 8.0  # exponent: rounding may grow by e^8 before it is removed from modes that no real field has
_REMEMBERED = 16  # step lengths whose coefficients are remembered


class Advanced(NamedTuple):
    """Hold the states after the steps, and for each sample how many steps it stayed finite (all, unless it blew up)."""

    modes: Any
    reached: np.ndarray


class TimeStepper:
    """Advance u_t = L u + N(u), batched over samples.

    Parameters
    ----------
    linear : ndarray
        L of every resolved mode, real or complex, float64, shape `grid.modes_shape`.
    term
        N: a member of :mod:`~.terms`, or any callable from modes to modes with a `grid`.
    scheme : {'etdrk4', 'etdrk4_b', 'ars443', 'cn_heun', 'cn_euler'}
    workers : int
        Threads of the compiled path; each takes a part of the samples.
    compiled : bool
        With False, NumPy arrays are stepped by the array library too.

    Notes
    -----
    The bits of a sample do not depend on the batch it is in, nor on `workers`: compiled, each sample (in one
    dimension, each lane) is computed by itself. Stability: ETDRK4 damps every stiff mode exactly; the advective limit
    dt |u|max k_max ≲ 2.8 of the four-stage methods remains.

    Where L has positive real parts, modes are projected to those of real fields (`FourierGrid.hermitian`) before
    rounding has grown by e⁸. What the projection removes appears in no field, so N cannot damp it, and it would grow as
    e^{Lt} without bound.

    References
    ----------
    Cox and Matthews, J. Comput. Phys. 176 (2002) 430; Kassam and Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214;
    Krogstad, J. Comput. Phys. 203 (2005) 72;
    Ascher, Ruuth and Spiteri, Appl. Numer. Math. 25 (1997) 151.
    """

    def __init__(
        self, linear: np.ndarray, term: Any, scheme: str = "etdrk4", workers: int = 1, compiled: bool = True
    ) -> None:
        if scheme not in SCHEMES:
            raise InputError(f"unknown scheme {scheme!r}: expected one of {', '.join(SCHEMES)}")
        self.grid: FourierGrid = term.grid
        self.linear = np.asarray(linear)
        if self.linear.shape != self.grid.modes_shape or not np.isfinite(self.linear).all():
            raise InputError(
                f"linear has the shape {self.linear.shape}: expected finite values of shape {self.grid.modes_shape}"
            )
        self.term, self.scheme, self.order = term, scheme, SCHEMES[scheme].order
        self.workers, self.compiled = max(1, int(workers)), compiled
        self._schemes: OrderedDict[float, Scheme] = OrderedDict()
        self._terms: dict[str, CompiledTerm | None] = {}
        self._programs: OrderedDict[tuple[str, float], Structure] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_schemes": OrderedDict(), "_terms": {}, "_programs": OrderedDict()}

    def __repr__(self) -> str:
        term = getattr(self.term, "__name__", type(self.term).__name__)
        return f"TimeStepper({self.scheme}, order {self.order}, {term}, {self.grid})"

    @property
    def stages(self) -> int:
        """Return the evaluations of N in a step."""
        return len(self.coefficients(1e-3).stages)

    def coefficients(self, dt: float) -> Scheme:
        """Return the stages of a step of length `dt`, in float64; remembered for the lengths last used."""
        if not (math.isfinite(dt) and dt > 0.0):
            raise InputError(f"dt is {dt!r}: expected a finite number greater than 0")
        return _remembered(self._schemes, dt, lambda: SCHEMES[self.scheme].make(self.linear, dt))

    def advance(self, modes: Any, dt: float, steps: int = 1, out: Any = None) -> Advanced:
        """Take `steps` steps of length `dt` from modes (batch, *modes_shape), in their library and precision.

        Parameters
        ----------
        modes : complex array of NumPy, PyTorch or CuPy
        out : array, optional
            Where the result goes; may be `modes`.

        Returns
        -------
        Advanced
            A sample that blows up stays not finite, and `reached` tells after how many steps; nothing is raised.
        """
        if tuple(modes.shape[1:]) != self.grid.modes_shape or not str(modes.dtype).split(".")[-1].startswith("complex"):
            raise InputError(
                f"modes have the shape {tuple(modes.shape)} and type {modes.dtype}: expected complex (batch, "
                f"{', '.join(map(str, self.grid.modes_shape))})"
            )
        if not is_integer(steps) or steps < 0:
            raise InputError(f"steps is {steps!r}: expected an integer of at least 0")
        if not len(modes):
            return Advanced(modes if out is None else out, np.zeros(0, np.int64))
        result = self._advance_real(modes, dt, int(steps), out)
        if out is not None and result.modes is not out:
            out[...] = result.modes
        return result if out is None else Advanced(out, result.reached)

    def _advance_real(self, modes: Any, dt: float, steps: int, out: Any) -> Advanced:
        """Take steps from modes, projected to those of real fields from time to time where L has positive parts."""
        growth = dt * float(self.linear.real.max())
        most = max(1, int(_GROWTH / growth)) if growth > 0.0 else steps
        if growth <= 0.0 or steps == 0:
            return self._advance(modes, dt, steps, out)
        reached = np.zeros(len(modes), np.int64)
        for done in range(0, steps, most):
            some = min(most, steps - done)
            modes, finite = self._advance(self.grid.hermitian(modes), dt, some, out)
            reached += np.where(reached == done, finite, 0)
        return Advanced(modes, reached)

    def _advance(self, modes: Any, dt: float, steps: int, out: Any) -> Advanced:
        if isinstance(modes, np.ndarray) and self.compiled and np.isrealobj(self.linear):
            dtype = "float32" if modes.dtype == np.complex64 else "float64"
            if dtype not in self._terms:
                self._terms[dtype] = compiled_term(self.term, dtype)
            term = self._terms[dtype]
            if term is not None:
                return self._advance_compiled(term, modes, dt, steps, out)
        return self._advance_arrays(modes, dt, steps)

    def _advance_compiled(self, term: CompiledTerm, modes: np.ndarray, dt: float, steps: int, out: Any) -> Advanced:
        scheme = self.coefficients(dt)
        program = _remembered(self._programs, (term.dtype.str, dt), lambda: term.prepare(stage_program(scheme)))
        states = term.pack(modes)
        blocks = len(states)
        reached = np.zeros((blocks, term.together), np.int64)
        threads = min(self.workers, blocks)
        ends = np.linspace(0, blocks, threads + 1).astype(int)

        def advance_part(i: int) -> None:
            term.advance(states, int(ends[i]), int(ends[i + 1]), steps, program, reached)

        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(advance_part, range(threads)))
        else:
            advance_part(0)
        result = np.empty_like(modes) if out is None else out
        term.unpack(states, result)
        return Advanced(result, reached.reshape(-1)[: len(modes)])

    def _advance_arrays(self, modes: Any, dt: float, steps: int) -> Advanced:
        scheme = self.coefficients(dt)
        cache: dict[str, Any] = {}
        terms = [
            [(slot, on_device_of(modes, c, cache, f"{i}.{j}")) for j, (slot, c) in enumerate(stage.terms)]
            for i, stage in enumerate(scheme.stages)
        ]
        V: list[Any] = [None] * scheme.slots
        V[0] = modes
        reached = np.zeros(len(modes), np.int64)
        for step in range(steps):
            for stage, combination in zip(scheme.stages, terms, strict=True):
                V[stage.target] = self.term(V[stage.source])
                total = V[combination[0][0]] * combination[0][1]
                for slot, c in combination[1:]:
                    total += V[slot] * c
                V[stage.out] = total
            sums = abs(V[0]).reshape(len(modes), -1).sum(-1)
            sums = np.asarray(
                sums.get() if hasattr(sums, "get") else sums.detach().cpu() if hasattr(sums, "cpu") else sums
            )
            reached[np.isfinite(sums) & (reached == step)] = step + 1
        return Advanced(V[0], reached)


def _remembered(cache: OrderedDict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    if key not in cache:
        cache[key] = make()
        while len(cache) > _REMEMBERED:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]
