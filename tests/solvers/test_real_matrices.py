"""Matrices that neither SciPy nor this project built: pyamg's collection and scikit-fem's assemblies.

Definite, indefinite, nonsymmetric, complex symmetric and singular ones. `converged` is never said of a false residual,
and SciPy on the same call comes to the same verdict after about as many iterations.
"""

from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla
import skfem
from pyamg.gallery import load_example
from skfem.models.elasticity import lame_parameters, linear_elasticity
from skfem.models.general import divergence
from skfem.models.poisson import laplace, mass, vector_laplace

from resolvent.solvers import PRECONDITIONERS, SOLVERS, InputError, Status, cg, gmres, is_hermitian, minres
from resolvent.solvers.registry import METHODS

RTOL = 1e-8
MAXITER = 3000


@cache
def quadratic_circle():
    """Stiffness, mass and rotating convection of P2 elements on a disc, and the inner unknowns."""
    basis = skfem.Basis(skfem.MeshTri.init_circle(4), skfem.ElementTriP2())

    @skfem.BilinearForm
    def convection(u, v, w):
        return 30.0 * (w.x[1] * u.grad[0] - w.x[0] * u.grad[1]) * v

    parts = laplace.assemble(basis), mass.assemble(basis), convection.assemble(basis)
    return *parts, basis.complement_dofs(basis.get_dofs())


def on_disc(combine, inner=True):
    K, M, C, inside = quadratic_circle()
    A = sp.csr_array(combine(K, M, C))
    return sp.csr_array(A[inside][:, inside]) if inner else A


def elasticity():
    basis = skfem.Basis(skfem.MeshTet().refined(2), skfem.ElementVector(skfem.ElementTetP1()))
    A = sp.csr_array(linear_elasticity(*lame_parameters(1e3, 0.3)).assemble(basis))
    free = basis.complement_dofs(basis.get_dofs(lambda x: x[0] == 0.0))
    return sp.csr_array(A[free][:, free])


def stokes():
    """Taylor–Hood, one pressure pinned: a saddle point with a zero block on the diagonal."""
    mesh = skfem.MeshTri.init_symmetric().refined(3)
    velocity = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementTriP2()), intorder=4)
    B = -divergence.assemble(velocity, velocity.with_element(skfem.ElementTriP1()))
    A = sp.csr_array(skfem.bmat([[vector_laplace.assemble(velocity), B.T], [B, None]], "csr"))
    free = np.setdiff1d(np.arange(A.shape[0]), velocity.get_dofs().all())[:-1]
    return sp.csr_array(A[free][:, free])


def shipped(name):
    return lambda: sp.csr_array(load_example(name)["A"])


DEFINITE = {
    **{name: shipped(name) for name in ("airfoil", "bar", "knot", "local_disc_galerkin_diffusion", "unit_cube")},
    "P2 stiffness": lambda: on_disc(lambda K, M, C: K),
    "P2 mass": lambda: on_disc(lambda K, M, C: M, inner=False),
    "tetrahedral elasticity": elasticity,
}
SINGULAR = {
    "unit_square": shipped("unit_square"),
    "P2 Neumann": lambda: on_disc(lambda K, M, C: K, inner=False),
}
INDEFINITE = {"P2 Helmholtz": lambda: on_disc(lambda K, M, C: K - 100.0 * M), "Stokes": stokes}
NONSYMMETRIC = {"recirc_flow": shipped("recirc_flow"), "P2 rotating flow": lambda: on_disc(lambda K, M, C: K + C)}
COMPLEX = {
    "helmholtz_2D": shipped("helmholtz_2D"),
    "P2 absorbing": lambda: on_disc(lambda K, M, C: K - 100.0 * M + 10j * M),
}
EVERY = {**DEFINITE, **SINGULAR, **INDEFINITE, **NONSYMMETRIC, **COMPLEX}


@cache
def system(name):
    A = EVERY[name]()
    return A, A @ np.random.default_rng(0).standard_normal(A.shape[0])


def true_residual(A, b, x):
    return float(np.linalg.norm(b - A @ x) / np.linalg.norm(b))


def checked(solver, name, **settings):
    """Solve; whatever the status, the residual stated is the true one, and `converged` means what it says."""
    A, b = system(name)
    keywords = METHODS[solver].keywords({"rtol": RTOL, "maxiter": MAXITER, **settings}, A.shape[0])
    result = SOLVERS[solver](A, b, **keywords)
    true = true_residual(A, b, result.x)
    assert np.isfinite(result.x).all()
    assert result.relative_residual == pytest.approx(true, rel=1e-4, abs=1e-13)
    assert result.converged == (true <= RTOL * (1 + 1e-4))
    return result


def scipys(solver, name, **settings):
    """SciPy's verdict, iterations and true residual on the same call."""
    A, b = system(name)
    count = []
    settings = settings if solver == "minres" else {"atol": 0.0, **settings}
    x, info = getattr(spla, solver)(A, b, rtol=RTOL, maxiter=MAXITER, callback=count.append, **settings)
    return info, len(count), true_residual(A, b, x)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("solver", SOLVERS)
def test_never_a_false_convergence(solver, name):
    if name == "Stokes" and solver in ("jacobi", "gauss_seidel", "sor", "ssor"):
        with pytest.raises(InputError, match="diagonal of A, which is zero in 144 rows"):
            checked(solver, name)
        return
    result = checked(solver, name, maxiter=400)
    if name in INDEFINITE and solver in ("cg", "fcg", "block_cg", "deflated_cg", "chebyshev"):
        assert result.status is Status.INDEFINITE
        assert "minres" in result.message


@pytest.mark.parametrize("name", [*DEFINITE, *SINGULAR])
@pytest.mark.parametrize("solver", ["cg", "fcg", "block_cg", "deflated_cg"])
def test_the_conjugate_gradient_family_takes_as_many_iterations_as_scipy(solver, name):
    info, iterations, _ = scipys("cg", name)
    result = checked(solver, name)
    assert result.info == info == 0
    assert abs(result.iterations - iterations) <= max(3, 0.03 * iterations)


@pytest.mark.parametrize("name", [*DEFINITE, *SINGULAR, *INDEFINITE])
@pytest.mark.parametrize("solver", ["minres", "recycled_minres"])
def test_minres_converges_truly(solver, name):
    """SciPy's `minres` measures the residual against ‖A‖‖x‖, and stops earlier than the tolerance asked for."""
    info, iterations, _ = scipys("minres", name)
    result = checked(solver, name)
    assert result.info == info == 0
    assert iterations <= result.iterations + 3


@pytest.mark.parametrize("name", [*NONSYMMETRIC, *COMPLEX, "airfoil", "knot"])
@pytest.mark.parametrize("solver", ["gmres", "bicgstab"])
def test_nonsymmetric_solvers_take_as_many_iterations_as_scipy(solver, name):
    settings = {"restart": 30, "callback_type": "pr_norm"} if solver == "gmres" else {}
    info, iterations, _ = scipys(solver, name, **settings)
    result = checked(solver, name)
    assert result.info == info == 0
    # Rounding alone moves a long BiCGSTAB by a few per cent.
    assert abs(result.iterations - iterations) <= max(3, (0.01 if solver == "gmres" else 0.15) * iterations)


@pytest.mark.parametrize("name", [*NONSYMMETRIC, *COMPLEX])
def test_the_others_converge_where_restarts_are_slow(name):
    slow = checked("gmres", name)
    for solver in ("lgmres", "idrs", "gcrodr"):
        result = checked(solver, name)
        assert result.converged
        assert result.iterations < slow.iterations


@pytest.mark.parametrize("name", DEFINITE)
@pytest.mark.parametrize(
    "preconditioner", [n for n in PRECONDITIONERS if n not in ("fast_poisson", "multigrid", "symmetric_polynomial")]
)
def test_preconditioners_on_definite_matrices(preconditioner, name):
    A, b = system(name)
    M = PRECONDITIONERS[preconditioner].setup(A)
    solver = "gmres" if preconditioner in ("ilut", "regularized_lu") else "cg"
    result = checked(solver, name, M=M)
    assert result.converged
    # Sines and waves along the numbering of an unstructured mesh approximate little more than its diagonal.
    if preconditioner not in ("jacobi", "block_jacobi", "tau", "circulant"):
        assert result.iterations <= cg(A, b, rtol=RTOL).iterations
    theirs = spla.gmres if solver == "gmres" else spla.cg
    x, info = theirs(A, b, rtol=RTOL, atol=0.0, M=M, maxiter=MAXITER)
    assert info == 0
    assert true_residual(A, b, x) <= 1.1 * RTOL


@pytest.mark.parametrize("name", [*NONSYMMETRIC, *COMPLEX, *INDEFINITE])
@pytest.mark.parametrize("preconditioner", ["ilu0", "ilut", "direct"])
def test_incomplete_and_complete_lu_on_the_others(preconditioner, name):
    A, b = system(name)
    if preconditioner == "ilu0" and name == "Stokes":
        with pytest.raises(InputError, match="diagonal free of zeros"):
            PRECONDITIONERS["ilu0"].setup(A)
        return
    result = checked("gmres", name, M=PRECONDITIONERS[preconditioner].setup(A))
    if preconditioner != "ilu0" or name in NONSYMMETRIC:
        assert result.converged
        assert result.iterations < 0.3 * gmres(A, b, rtol=RTOL, restart=30, iterations=MAXITER).iterations
        assert preconditioner == "ilu0" or result.iterations < 60


@pytest.mark.parametrize("name", SINGULAR)
@pytest.mark.parametrize("solver", ["cg", "fcg", "minres", "block_cg", "chebyshev"])
def test_singular_matrices_with_their_null_space(solver, name):
    A, b = system(name)
    n = A.shape[0]
    result = checked(solver, name, nullspace=np.ones(n))
    assert result.converged
    assert abs(result.x.mean()) <= 1e-9 * np.abs(result.x).max()
    with pytest.raises(InputError, match="null space"):
        SOLVERS[solver](A, b + np.linalg.norm(b), nullspace=np.ones(n))
    if solver != "chebyshev":
        outside = SOLVERS[solver](A, b + np.linalg.norm(b), rtol=RTOL, maxiter=MAXITER)
        assert not outside.converged


def test_minres_finds_the_least_residual_of_an_inconsistent_problem():
    A, b = system("unit_square")
    n = A.shape[0]
    result = minres(A, b + 1.0, rtol=RTOL, maxiter=MAXITER)
    assert result.status is Status.STAGNATED
    least = abs((b + 1.0).sum()) / np.sqrt(n)  # the part of b along the constant
    assert result.residual == pytest.approx(least, rel=1e-4)


def test_the_kinds_are_what_they_are_called():
    for name in [*DEFINITE, *SINGULAR, *INDEFINITE]:
        assert is_hermitian(system(name)[0])
    for name in [*NONSYMMETRIC, *COMPLEX]:
        assert not is_hermitian(system(name)[0])
