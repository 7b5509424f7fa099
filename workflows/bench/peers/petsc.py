"""Call PETSc's conjugate gradients, preconditioned by incomplete Cholesky, by SSOR, and by hypre's BoomerAMG.

petsc4py must import in the bench's process, with a PETSc that holds hypre (CONTRIBUTING.md says how); without it the
table has no such rows. Settings are the fastest on the bench's fields, for each dimension:

- `icc(k)`: level-of-fill incomplete Cholesky in natural ordering. k = 0, and the fastest level: 6 in two dimensions
  (of 0 to 12, and of 5 and 8 in reverse Cuthill-McKee's order), 1 in three (of 0 to 4). AIJ storage; for k = 0 SBAIJ
  was no faster.
- `ssor`, in three dimensions: symmetric successive over-relaxation by Eisenstat's trick, an application for about the
  cost of a product with the matrix, omega = 1.8 (of 1 to 1.95). In two dimensions ICC and BoomerAMG are faster.
- `boomeramg`: one V-cycle of classical AMG, forward Gauss-Seidel before, backward after. Two dimensions: Ruge-Stueben
  coarsening, strong threshold 0.25. Three: HMIS coarsening, one aggressive level, extended+i interpolation of at most
  four points, threshold 0.25, lexicographic sweeps. Thresholds 0.1, 0.4 and 0.5, the other coarsenings (PMIS, Falgout)
  and two aggressive levels were slower.

GAMG took two to three times as long as BoomerAMG and has no row.

References: Eisenstat, SIAM J. Sci. Stat. Comput. 2 (1981); Henson and Yang, Appl. Numer. Math. 41 (2002); De Sterck,
Falgout, Nolting and Yang, Numer. Linear Algebra Appl. 15 (2008).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Peer = Callable[[Any, np.ndarray], np.ndarray]

_SWEEPS = {
    "pc_type": "hypre",
    "pc_hypre_type": "boomeramg",
    "pc_hypre_boomeramg_strong_threshold": "0.25",
    "pc_hypre_boomeramg_relax_type_down": "SOR/Jacobi",
    "pc_hypre_boomeramg_relax_type_up": "backward-SOR/Jacobi",
    "pc_hypre_boomeramg_relax_type_coarse": "Gaussian-elimination",
}
_BOOMERAMG = {
    2: _SWEEPS | {"pc_hypre_boomeramg_coarsen_type": "Ruge-Stueben"},
    3: _SWEEPS
    | {
        "pc_hypre_boomeramg_coarsen_type": "HMIS",
        "pc_hypre_boomeramg_agg_nl": "1",
        "pc_hypre_boomeramg_interp_type": "ext+i",
        "pc_hypre_boomeramg_P_max": "4",
        "pc_hypre_boomeramg_no_CF": "true",
    },
}


def _icc(levels: int) -> dict[str, str]:
    return {"pc_type": "icc", "pc_factor_levels": str(levels), "pc_factor_mat_ordering_type": "natural"}


def settings(dimensions: int) -> dict[str, dict[str, str]]:
    """Return PETSc's options of each peer by its name in the table, for diffusion in 2 or 3 dimensions."""
    best = 6 if dimensions == 2 else 1
    options = {"petsc cg + icc(0)": _icc(0), f"petsc cg + icc({best})": _icc(best)}
    if dimensions == 3:
        options["petsc cg + ssor"] = {"pc_type": "eisenstat", "pc_eisenstat_omega": "1.8"}
    return options | {"petsc cg + boomeramg": _BOOMERAMG[dimensions]}


def petsc_peers(rtol: float, dimensions: int = 2) -> dict[str, Peer]:
    """Return the solvers of PETSc, each from (symmetric CSR matrix, right-hand side) to a solution.

    A call makes PETSc's matrix (on the arrays of the CSR matrix, not a copy), sets up, solves and destroys everything.
    The dictionary is empty without petsc4py; without hypre it lacks BoomerAMG.
    """
    try:
        import petsc4py

        petsc4py.init(["resolvent", "-no_signal_handler"])  # Python's own handlers stay
        from petsc4py import PETSc
    except (ImportError, OSError):
        return {}
    chosen = settings(dimensions)
    if not PETSc.Sys.hasExternalPackage("hypre"):
        chosen = {name: options for name, options in chosen.items() if options["pc_type"] != "hypre"}
    return {
        name: _peer(PETSc, f"d{dimensions}_{k}_", options, rtol) for k, (name, options) in enumerate(chosen.items())
    }


def _peer(PETSc: Any, prefix: str, options: dict[str, str], rtol: float) -> Peer:
    database = PETSc.Options(prefix)
    for key, value in options.items():
        database[key] = value
    # Eisenstat's residual is that of the transformed system, here about ten times smaller than the true one.
    first = (0.1 if options["pc_type"] == "eisenstat" else 0.9) * rtol

    def solve(matrix: Any, rhs: np.ndarray) -> np.ndarray:
        csr = tuple(np.asarray(part, dtype=PETSc.IntType) for part in (matrix.indptr, matrix.indices))
        x = np.zeros(rhs.size)
        A = PETSc.Mat().createAIJWithArrays(matrix.shape, (*csr, matrix.data), comm=PETSc.COMM_SELF)
        A.setOption(PETSc.Mat.Option.SPD, True)
        b, u = (PETSc.Vec().createWithArray(values, comm=PETSc.COMM_SELF) for values in (rhs, x))
        r = b.duplicate()
        ksp = PETSc.KSP().create(PETSc.COMM_SELF)
        try:
            ksp.setOptionsPrefix(prefix)
            ksp.setOperators(A)
            ksp.setType(PETSc.KSP.Type.CG)
            ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
            ksp.setFromOptions()
            tolerance = first
            for _ in range(4):  # a true residual above the tolerance is taken further from where it is
                ksp.setTolerances(rtol=tolerance, atol=0.0, max_it=10_000)
                ksp.solve(b, u)
                A.mult(u, r)
                r.aypx(-1.0, b)
                if r.norm() <= rtol * b.norm():
                    break
                tolerance *= 0.5
                ksp.setInitialGuessNonzero(True)
        finally:
            for made in (ksp, r, u, b, A):
                made.destroy()
        return x

    return solve
