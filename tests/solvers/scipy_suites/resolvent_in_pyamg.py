"""Put our solvers in the places of pyamg's, as a plugin of pytest.

Signatures are adapted, since pyamg's differ from SciPy's: `tol` is `rtol`, histories go into `residuals`, columns of
shape (n, 1) are taken as vectors, and without `restart` the GMRES methods run one cycle of `maxiter` iterations. The
residual tested is ours, ‖b − A x‖₂, whatever `criteria` says. pyamg's `gmres_householder`, `cgne`, `cgnr`,
`steepest_descent` and `minimal_residual` stay its own: the tests compare ours with them.
"""

import numpy as np
import pyamg.krylov
import pyamg.krylov._gmres_mgs
import scipy.sparse.linalg
from noted_outcomes import noted

from resolvent.solvers import bicgstab, cg, fgmres, gmres, minres


def _adapted(solver, cycles):
    def call(
        A, b, x0=None, tol=1e-5, criteria="rr", maxiter=None, M=None, callback=None, residuals=None, restart=None, **_
    ):
        n = A.shape[0]
        limits = {"maxiter": maxiter}
        if cycles and restart is None:
            most = min(n, 40) if maxiter is None else maxiter
            limits = {"restart": max(1, most), "iterations": most}
        elif cycles:
            limits = {"restart": restart, "maxiter": maxiter}
        if callback is not None and solver is gmres:
            limits["callback_type"] = "x"
        guess = None if x0 is None else np.ravel(x0)
        result = solver(A, np.ravel(b), guess, rtol=tol, M=M, callback=callback, **limits)
        if residuals is not None:
            residuals[:] = result.residuals
        return result.x, result.info

    call.__name__ = solver.__name__
    return noted(call)


for _name, _solver, _cycles in (
    ("cg", cg, False),
    ("bicgstab", bicgstab, False),
    ("cr", minres, False),
    ("gmres", gmres, True),
    ("fgmres", fgmres, True),
):
    setattr(pyamg.krylov, _name, _adapted(_solver, _cycles))
pyamg.krylov._gmres_mgs.gmres_mgs = _adapted(gmres, True)
scipy.sparse.linalg.gmres = noted(gmres)  # not adapted: pyamg's tests compare SciPy's with pyamg's
