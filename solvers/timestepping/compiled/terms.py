"""Run time steps on the CPU compiled (`terms.hpp`): plans, tables and memory of the kernels, and the calls.

In two dimensions a sample's columns are the lanes of :mod:`~.fourier`, in one dimension several samples are. States
are stored column by column, L columns a block of 2K + 1 rows and one of zeros; coefficients that are equal at ±k_x are
stored once, in one dimension as one number a mode.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...kernels import Kernel, Structure
from ...kernels.alignment import aligned, lane_count
from ...spectral.fourier_grid import FourierGrid
from ..stage_programs import StageProgram
from ..terms import PolynomialTerm, VorticityTerm
from .fourier import lane_plan

__all__ = ["CompiledTerm", "compiled_term"]

_CHUNK = 32
"""Modes in one dimension treated together, as `LineStages` has it."""
_advance_vorticity = Kernel("advance_vorticity", "struct struct struct int int int T* i64*")
_advance_polynomial = Kernel("advance_polynomial", "struct struct struct int int int T* i64*")


class CompiledTerm:
    """Hold a term and its arrays as the kernels take them, in one precision.

    `pack` turns modes (batch, *modes_shape) into states (blocks, 2, size) with separate real and imaginary parts;
    `unpack` inverts that; `prepare` lays a program and its coefficients out as the kernels read them; `advance`
    advances the blocks first…last of states, in place.
    """

    def __init__(self, term: Any, dtype: str) -> None:
        grid: FourierGrid = term.grid
        self.grid, self.dtype, self.L = grid, np.dtype(dtype), lane_count(dtype)
        self.line = grid.ndim == 1
        L, K = self.L, grid.cutoff
        self.columns = -(-(K[-1] + 1) // L)  # blocks of L
        self.size = (K[0] + 2) * L if self.line else (2 * K[0] + 2) * L * self.columns
        self.together = L if self.line else 1
        scale = 1.0 / float(np.prod(grid.shape))
        if isinstance(term, VorticityTerm):
            self.tables, self._kernel, sides = self._vorticity(term, scale), _advance_vorticity, 2
        else:
            self.tables, self._kernel, sides = self._polynomial(term, scale), _advance_polynomial, 1
        self._block = (max(grid.shape) + 1) * L
        self._lines = L if self.line else (sides * self.columns * L + 1) * grid.shape[0]
        self._evaluated = (_CHUNK if self.line else 2 * K[0] + 1) * L
        self._idle: list[Structure] = []

    def _vorticity(self, term: VorticityTerm, scale: float) -> Structure:
        grid, L = self.grid, self.L
        (n1, n2), (K1, K2) = grid.shape, grid.cutoff
        kx, ky = (each.ravel() for each in grid.wave_numbers())
        inverse = -grid.laplacian()
        inverse[0, 0] = 1.0
        inverse = 1.0 / inverse
        inverse[0, 0] = 0.0
        order, minus = self._order(n1, K1), self._order(n1, K1)[-np.arange(n1) % n1]
        unique = np.where(order < 0, 0, np.minimum(order, 2 * K1 + 1 - order))
        kx_rows = np.where(order < 0, 0.0, kx[order])
        C = self.columns * L
        enter, leave = np.full(n2, 2 * C), np.full(n2, -1)  # a line of zeros, none
        for table in (enter, leave):
            table[: K2 + 1] = np.arange(K2 + 1)
            table[n2 - K2 :] = C + np.arange(K2, 0, -1)
        mirror = -np.arange(n1) % n1
        ky = np.concatenate([ky, np.zeros(C - len(ky))])
        forcing = None if term.forcing is None else (term.forcing.real, term.forcing.imag)
        parts = [np.zeros(0, self.dtype)] * 2 if forcing is None else [self._blocks(part) for part in forcing]
        cast = self._cast
        return Structure(
            "VorticityTables",
            n1=n1,
            n2=n2,
            K1=K1,
            blocks=self.columns,
            size=self.size,
            **self._plan("x", n1),
            **self._plan("y", n2),
            rows=self._rows(order),
            mirrored_rows=self._rows(minus),
            inverse_rows=unique * L,
            mirrored_inverse_rows=unique[mirror] * L,
            kx=cast(kx_rows),
            mirrored_kx=cast(kx_rows[mirror]),
            ky=cast(ky),
            inverse=self._blocks(inverse[: K1 + 1]),
            enter=enter * L,
            leave=leave * L,
            kept=order * L,
            mirrored_kept=order[mirror] * L,
            of_product=cast(kx**2 * scale / 2.0),
            of_squares=cast(-kx * scale / 2.0),
            of_column=cast(ky**2 * scale / 2.0),
            forced=forcing is not None,
            forcing_re=parts[0],
            forcing_im=parts[1],
        )

    def _polynomial(self, term: PolynomialTerm, scale: float) -> Structure:
        grid, L = self.grid, self.L
        n, K = grid.shape, grid.cutoff
        h = n[-1] // 2
        angle = np.pi * np.arange(h) / h
        zero = K[0] + 1 if self.line else self.columns * L
        real = np.full(h + 1, zero)
        real[: K[-1] + 1] = np.arange(K[-1] + 1)
        multiplier = term.multiplier * scale / 2.0
        none = np.zeros(0, np.int64)
        order = none if self.line else self._order(n[0], K[0])
        return Structure(
            "PolynomialTables",
            n1=0 if self.line else n[0],
            h=h,
            K1=0 if self.line else K[0],
            K2=K[-1],
            blocks=self.columns,
            size=self.size,
            **self._plan("x", h if self.line else n[0]),
            **self._plan("y", h),
            root_cosines=self._cast(np.cos(angle)),
            root_sines=self._cast(np.sin(angle)),
            rows=none if self.line else self._rows(order),
            kept=order * L,
            real=real * L,
            imaginary=np.where(real == 0, zero, real) * L,  # the mean of a real field is real
            square=term.square,
            cube=term.cube,
            by_i=term.derivative is not None,
            multiplier=self._cast(multiplier) if self.line else self._blocks(multiplier),
        )

    def _plan(self, axis: str, n: int) -> dict[str, Any]:
        plan = lane_plan(n, self.dtype.name)
        assert plan is not None
        names = ("passes", "radices", "cosines", "sines")
        return {f"{key}_{axis}": value for key, value in zip(names, (len(plan.radices), *plan[1:]), strict=True)}

    def _cast(self, values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values, self.dtype)

    @staticmethod
    def _order(n: int, K: int) -> np.ndarray:
        """Return for each row k of a transform of length n its row in a state, −1 where there is none."""
        order = np.full(n, -1)
        order[: K + 1] = np.arange(K + 1)
        order[n - K :] = np.arange(K + 1, 2 * K + 1)
        return order

    def _rows(self, order: np.ndarray) -> np.ndarray:
        return np.where(order < 0, 2 * self.grid.cutoff[0] + 1, order) * self.L

    def _blocks(self, values: np.ndarray) -> np.ndarray:
        """Turn (rows, K_2 + 1) into blocks of L columns, filled up with zeros."""
        out = np.zeros((len(values), self.columns * self.L), self.dtype)
        out[:, : values.shape[1]] = values
        return np.ascontiguousarray(out.reshape(len(values), self.columns, self.L).transpose(1, 0, 2)).ravel()

    def prepare(self, program: StageProgram) -> Structure:
        """Return the operations and coefficients of a program for the kernels."""
        C, folded = self._spread(program.coefficients)
        return Structure(
            "StageTables",
            stages=len(program.sources),
            slots=program.slots,
            sources=program.sources,
            begins=program.first,
            operations=program.operations,
            coefficients=C.size,
            every=C.size // len(program.coefficients),
            folded=folded,
            C=C,
        )

    def _spread(self, coefficients: list[np.ndarray]) -> tuple[np.ndarray, bool]:
        """Return real coefficients of the modes, and whether a row stands for both k_x and −k_x."""
        full = [np.broadcast_to(c, self.grid.modes_shape) for c in coefficients]
        if self.line:
            return np.concatenate([self._cast(c) for c in full]), False
        K = self.grid.cutoff[0]
        folded = all(np.array_equal(c[1 : K + 1], c[:K:-1]) for c in full)
        return np.concatenate([self._blocks(c[: K + 1] if folded else c) for c in full]), folded

    def pack(self, modes: np.ndarray) -> np.ndarray:
        """Turn modes (batch, *modes_shape) into states (blocks, 2, size)."""
        batch, L, (rows, *_) = len(modes), self.L, self.grid.modes_shape
        if self.line:
            blocks = -(-batch // L)
            lanes = np.zeros((blocks * L, rows + 1), modes.dtype)
            lanes[:batch, :rows] = modes
            lanes = lanes.reshape(blocks, L, -1).transpose(0, 2, 1)
            return np.ascontiguousarray(np.stack([lanes.real, lanes.imag], 1), self.dtype).reshape(blocks, 2, -1)
        states = np.zeros((batch, 2, self.columns, rows + 1, L), self.dtype)
        for block in range(self.columns):
            part = modes[..., block * L : (block + 1) * L]
            states[:, 0, block, :rows, : part.shape[-1]] = part.real
            states[:, 1, block, :rows, : part.shape[-1]] = part.imag
        return states.reshape(batch, 2, -1)

    def unpack(self, states: np.ndarray, out: np.ndarray) -> None:
        """Turn states (blocks, 2, size) into the modes `out`."""
        batch, L, (rows, *_) = len(out), self.L, self.grid.modes_shape
        if self.line:
            lanes = states.reshape(len(states), 2, -1, L)[:, :, :rows].transpose(1, 0, 3, 2)
            lanes = lanes.reshape(2, -1, rows)[:, :batch]
            out.real, out.imag = lanes[0], lanes[1]
            return
        shaped = states.reshape(batch, 2, self.columns, rows + 1, L)
        for block in range(self.columns):
            part = out[..., block * L : (block + 1) * L]
            part.real = shaped[:, 0, block, :rows, : part.shape[-1]]
            part.imag = shaped[:, 1, block, :rows, : part.shape[-1]]

    def advance(
        self, states: np.ndarray, first: int, last: int, steps: int, program: Structure, reached: np.ndarray
    ) -> None:
        """Advance the blocks first…last of states by `steps` steps, in place; `reached` counts finite steps."""
        memory = self.memory(program.slots)
        self._kernel(self.tables, program, memory, first, last, steps, states, reached)
        self._idle.append(memory)

    def memory(self, slots: int) -> Structure:
        """Return working memory of a thread for a program of `slots` arrays, used before or new.

        Lines of zeros in it are never written; all else is written before it is read.
        """
        numbers = max(slots * self.size + self._evaluated, self._lines)
        while self._idle:
            try:
                memory = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if memory.numbers >= numbers:
                return memory
        names = ("V_re", "V_im", "t_re", "t_im"), ("a_re", "a_im", "b_re", "b_im", "p_re", "p_im", "q_re", "q_im")
        large, small = aligned(4, numbers, self.dtype), aligned(8, self._block, self.dtype)
        return Structure(
            "SteppingMemory",
            numbers=numbers,
            block=self._block,
            **dict(zip(names[0], large, strict=True)),
            **dict(zip(names[1], small, strict=True)),
        )


def compiled_term(term: Any, dtype: str) -> CompiledTerm | None:
    """Return the compiled form of a term, or None where there is none.

    That is so for other kinds of terms, three axes, lengths that are odd, prime or have prime factors other than 2, 3
    and 5, and a first axis that is no multiple of the lanes.
    """
    grid: FourierGrid = term.grid
    if not isinstance(term, (PolynomialTerm, VorticityTerm)) or grid.ndim > 2:
        return None
    complex_last = isinstance(term, VorticityTerm)
    n = grid.shape[-1]
    if not complex_last and n % 2:
        return None
    lengths = [n if complex_last else n // 2]
    if grid.ndim == 2:
        if grid.shape[0] % lane_count(dtype):
            return None
        lengths.append(grid.shape[0])
    plans = [lane_plan(m, dtype) for m in lengths]
    if any(plan is None or len(plan.radices) < 2 for plan in plans):
        return None
    return CompiledTerm(term, dtype)
