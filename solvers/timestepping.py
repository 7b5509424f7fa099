"""Semi-linear equations u_t = L u + N(u) on a periodic box: exponential and implicit–explicit Runge–Kutta methods.

L is diagonal in Fourier space and may be stiff; N is evaluated at the points, without aliasing. A method is a list of
stages: evaluate N at one state, then combine states and evaluations with coefficients that depend on the mode alone.
NumPy arrays run compiled (:mod:`~.compiled_stepping`) where the grid allows it, all others through their own library.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from .compiled_stepping import CompiledTerm, compiled_term
from .errors import InputError
from .fourier_grid import FourierGrid
from .spectral_terms import placed
from .stage_programs import StageProgram, stage_program

__all__ = ["SCHEMES", "Advanced", "Scheme", "Stage", "TimeStepper"]

_CONTOUR = 32  # points on the half circle around dt·L
_GROWTH = 8.0  # exponent: by e^8 may rounding grow before it is taken off the modes that no field can have
_REMEMBERED = 16  # step lengths whose coefficients are kept


class Stage(NamedTuple):
    """V[target] = N(V[source]), then V[out] = Σ c V[slot] over `terms` of (slot, c)."""

    source: int
    target: int
    out: int
    terms: tuple[tuple[int, np.ndarray], ...]


class Scheme(NamedTuple):
    """The stages of one step; V[0] holds the state before and after it."""

    slots: int
    stages: tuple[Stage, ...]


class Advanced(NamedTuple):
    """The states after the steps, and for each sample how many steps it stayed finite: `steps`, unless it blew up."""

    modes: Any
    reached: np.ndarray


def _phi(L: np.ndarray, dt: float) -> tuple[np.ndarray, ...]:
    """φ₁, φ₂, φ₃ of dt·L and φ₁, φ₂ of dt·L/2, φ_k(z) = ∫₀¹ e^{(1−s)z} s^{k−1}/(k−1)! ds.

    They are differences that cancel where z is small; means over a circle around z (Kassam and Trefethen 2005) are
    accurate to round-off for every z.
    """
    distinct, where = np.unique(L, return_inverse=True)
    means = []
    for z, last in ((dt * distinct, 3), (0.5 * dt * distinct, 2)):
        sums = [np.zeros(z.shape, complex) for _ in range(last)]
        for j in range(2 * _CONTOUR):
            r = z + np.exp(1j * np.pi * (j + 0.5) / _CONTOUR)
            phi, factorial = np.exp(r), 1.0
            for k in range(last):
                phi = (phi - 1.0 / factorial) / r
                factorial *= k + 1
                sums[k] += phi
        means += [each / (2 * _CONTOUR) for each in sums]
    if np.isrealobj(L):
        means = [each.real for each in means]
    return tuple(each[where].reshape(L.shape) for each in means)


def etdrk4(L: np.ndarray, dt: float) -> Scheme:
    """Exponential time differencing, four stages, order 4 (Cox and Matthews 2002)."""
    phi1, phi2, phi3, half1, _ = _phi(L, dt)
    Q = 0.5 * dt * half1
    f1, f2, f3 = phi1 - 3.0 * phi2 + 4.0 * phi3, phi2 - 2.0 * phi3, 4.0 * phi3 - phi2
    E, E2 = np.exp(dt * L), np.exp(dt * L / 2.0)
    return Scheme(
        8,
        (
            Stage(0, 1, 2, ((0, E2), (1, Q))),
            Stage(2, 3, 4, ((0, E2), (3, Q))),
            Stage(4, 5, 6, ((2, E2), (5, 2.0 * Q), (1, -Q))),
            Stage(6, 7, 0, ((0, E), (1, dt * f1), (3, 2.0 * dt * f2), (5, 2.0 * dt * f2), (7, dt * f3))),
        ),
    )


def etdrk4_b(L: np.ndarray, dt: float) -> Scheme:
    """ETDRK4-B (Krogstad 2005): the stages of ETDRK4 with φ₂ in the second and third, the same last combination.

    Its stages keep their order where dt·L is large and ETDRK4's lose theirs. Relative errors of both at equal steps,
    each against steps an eighth of the last:

    | equation | Δt | ETDRK4 | ETDRK4-B |
    |---|---|---|---|
    | Kuramoto–Sivashinsky, ℓ = 32π, 128 points, t = 20 | 0.5 | 2.0e-4 | 2.8e-4 |
    | | 0.25 | 5.0e-6 | 1.6e-5 |
    | | 0.125 | 7.7e-7 | 9.7e-7 |
    | | 0.0625 | 1.1e-7, order 2.9 | 6.2e-8, order 4.0 |
    | Burgers, ν = 0.02, 512 points, t = 0.1 | 5e-4 | 9.9e-10 | 1.0e-9 |
    | Navier–Stokes, ν = 1e-3, 64², t = 0.5 | 0.0125 | 5.1e-8 | 5.0e-8 |
    | Allen–Cahn, ε = 0.05, 64², t = 4 | 0.1 | 1.9e-6 | 1.4e-6 |

    A step costs one combination of arrays more than ETDRK4's. It is no one's default: better by a third on
    Allen–Cahn and on Kuramoto–Sivashinsky at small steps, worse there at large ones, equal on the flows.
    """
    phi1, phi2, phi3, half1, half2 = _phi(L, dt)
    f1, f2, f3 = phi1 - 3.0 * phi2 + 4.0 * phi3, phi2 - 2.0 * phi3, 4.0 * phi3 - phi2
    E, E2 = np.exp(dt * L), np.exp(dt * L / 2.0)
    return Scheme(
        8,
        (
            Stage(0, 1, 2, ((0, E2), (1, 0.5 * dt * half1))),
            Stage(2, 3, 4, ((0, E2), (1, dt * (0.5 * half1 - half2)), (3, dt * half2))),
            Stage(4, 5, 6, ((0, E), (1, dt * (phi1 - 2.0 * phi2)), (5, 2.0 * dt * phi2))),
            Stage(6, 7, 0, ((0, E), (1, dt * f1), (3, 2.0 * dt * f2), (5, 2.0 * dt * f2), (7, dt * f3))),
        ),
    )


def cn_euler(L: np.ndarray, dt: float) -> Scheme:
    """Crank–Nicolson for L, forward Euler for N: order 1; the scheme of FNO's Navier–Stokes data."""
    D = 1.0 / (1.0 - 0.5 * dt * L)
    return Scheme(2, (Stage(0, 1, 0, ((0, D * (1.0 + 0.5 * dt * L)), (1, dt * D))),))


def cn_heun(L: np.ndarray, dt: float) -> Scheme:
    """Crank–Nicolson for L, Heun's two stages for N: order 2; the scheme of the NSM reference solutions."""
    D = 1.0 / (1.0 - 0.5 * dt * L)
    A = D * (1.0 + 0.5 * dt * L)
    return Scheme(
        4,
        (
            Stage(0, 1, 2, ((0, A), (1, dt * D))),
            Stage(2, 3, 0, ((0, A), (1, 0.5 * dt * D), (3, 0.5 * dt * D))),
        ),
    )


def ars443(L: np.ndarray, dt: float) -> Scheme:
    """Implicit–explicit Runge–Kutta (4, 4, 3) of Ascher, Ruuth and Spiteri (1997): order 3, L-stable for L."""
    implicit = ((1 / 2,), (1 / 6, 1 / 2), (-1 / 2, 1 / 2, 1 / 2), (3 / 2, -3 / 2, 1 / 2, 1 / 2))
    explicit = ((1 / 2,), (11 / 18, 1 / 18), (5 / 6, -5 / 6, 1 / 2), (1 / 4, 7 / 4, 3 / 4, -7 / 4))
    D = 1.0 / (1.0 - 0.5 * dt * L)
    states, stages = [0, 2, 4, 6, 0], []
    for i in range(4):  # the state of stage i lies in slot 2i, N of it in slot 2i + 1
        terms = [(0, D)]
        terms += [(2 * j + 1, explicit[i][j] * dt * D) for j in range(i + 1)]
        terms += [(2 * (j + 1), implicit[i][j] * dt * L * D) for j in range(i)]
        stages.append(Stage(states[i], 2 * i + 1, states[i + 1], tuple(terms)))
    return Scheme(8, tuple(stages))


class _Method(NamedTuple):
    make: Callable[[np.ndarray, float], Scheme]
    order: int


SCHEMES = {
    "etdrk4": _Method(etdrk4, 4),
    "etdrk4_b": _Method(etdrk4_b, 4),
    "ars443": _Method(ars443, 3),
    "cn_heun": _Method(cn_heun, 2),
    "cn_euler": _Method(cn_euler, 1),
}
"""Methods by name, with their order."""


class TimeStepper:
    """Advances u_t = L u + N(u), batched over samples.

    Parameters
    ----------
    linear : ndarray
        L of every mode kept, real or complex, float64, shape `grid.modes_shape`.
    term
        N: a member of :mod:`~.spectral_terms`, or any callable from modes to modes with a `grid`.
    scheme : {'etdrk4', 'etdrk4_b', 'ars443', 'cn_heun', 'cn_euler'}
    workers : int
        Threads, of the compiled path; they share the samples out.
    compiled : bool
        False: NumPy arrays too run through the array library.

    Notes
    -----
    The bits of a sample do not depend on the batch it is in, nor on `workers`: compiled, each sample (in one
    dimension, each lane) is computed by itself. Stability: ETDRK4 damps every stiff mode exactly; the advective limit
    dt |u|max k_max ≲ 2.8 of the four-stage methods remains.

    Where L has positive parts, modes are made those of real fields again (`FourierGrid.hermitian`) before rounding has
    grown by e⁸: what they hold besides is seen by no field and so by no N, and would grow as e^{Lt} without bound.

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
        self._programs: OrderedDict[tuple[str, float], tuple[StageProgram, tuple[np.ndarray, bool]]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_schemes": OrderedDict(), "_terms": {}, "_programs": OrderedDict()}

    @property
    def stages(self) -> int:
        """Evaluations of N a step."""
        return len(self.coefficients(1e-3).stages)

    def coefficients(self, dt: float) -> Scheme:
        """The stages of a step of length `dt`, in float64; kept for the lengths last used."""
        if not (math.isfinite(dt) and dt > 0.0):
            raise InputError(f"dt is {dt!r}: expected a finite number greater than 0")
        return _remembered(self._schemes, dt, lambda: SCHEMES[self.scheme].make(self.linear, dt))

    def advance(self, modes: Any, dt: float, steps: int = 1, out: Any = None) -> Advanced:
        """`steps` steps of length `dt` from modes (batch, *modes_shape), in their library and precision.

        Parameters
        ----------
        modes : complex array of NumPy, PyTorch or CuPy
        out : array, optional
            Where the result goes; may be `modes`.

        Returns
        -------
        Advanced
            Samples that cease to be finite are left so, and `reached` tells after how many steps; nothing is raised.
        """
        if tuple(modes.shape[1:]) != self.grid.modes_shape or not str(modes.dtype).split(".")[-1].startswith("complex"):
            raise InputError(
                f"modes have the shape {tuple(modes.shape)} and type {modes.dtype}: expected complex (batch, "
                f"{', '.join(map(str, self.grid.modes_shape))})"
            )
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 0:
            raise InputError(f"steps is {steps!r}: expected an integer of at least 0")
        if not len(modes):
            return Advanced(modes if out is None else out, np.zeros(0, np.int64))
        result = self._advance_real(modes, dt, int(steps), out)
        if out is not None and result.modes is not out:
            out[...] = result.modes
        return result if out is None else Advanced(out, result.reached)

    def _advance_real(self, modes: Any, dt: float, steps: int, out: Any) -> Advanced:
        """Steps from modes, which are kept those of real fields where L has positive parts."""
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
        program, C = _remembered(self._programs, (term.dtype.str, dt), lambda: _compiled(scheme, term))
        states = term.pack(modes)
        blocks = len(states)
        reached = np.zeros((blocks, term.together), np.int64)
        threads = min(self.workers, blocks)
        ends = np.linspace(0, blocks, threads + 1).astype(int)

        def part(i: int) -> None:
            term.advance(states, int(ends[i]), int(ends[i + 1]), steps, program, C, reached)

        if threads > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(part, range(threads)))
        else:
            part(0)
        result = np.empty_like(modes) if out is None else out
        term.unpack(states, result)
        return Advanced(result, reached.reshape(-1)[: len(modes)])

    def _advance_arrays(self, modes: Any, dt: float, steps: int) -> Advanced:
        scheme = self.coefficients(dt)
        kept: dict[str, Any] = {}
        terms = [
            [(slot, placed(kept, f"{i}.{j}", c, modes)) for j, (slot, c) in enumerate(stage.terms)]
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


def _compiled(scheme: Scheme, term: CompiledTerm) -> tuple[StageProgram, tuple[np.ndarray, bool]]:
    program = stage_program(scheme)
    return program, term.spread(program.coefficients)


def _remembered(kept: OrderedDict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    if key not in kept:
        kept[key] = make()
        while len(kept) > _REMEMBERED:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
