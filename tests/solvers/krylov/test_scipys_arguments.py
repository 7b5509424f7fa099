"""Arguments that SciPy's functions have too mean what they mean there."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from resolvent.solvers import (
    SOLVERS,
    Breakdown,
    InputError,
    Jacobi,
    SolverSpec,
    Status,
    bicgstab,
    cg,
    fgcrodr,
    fgmres,
    gcrodr,
    gmres,
    lgmres,
    minres,
)
from resolvent.solvers.registry import METHODS

N = 120


def convection():
    """Nonsymmetric, of a spread spectrum: restarted methods take many cycles."""
    return sp.diags_array([-1.6, 2.2, -0.4], offsets=[-1, 0, 1], shape=(N, N), format="csr")


def laplacian(n=40):
    return sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n), format="csr")


def vector(n=N, seed=0):
    return np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("name", [name for name in SOLVERS if METHODS[name].accepts])
def test_x0_may_be_M_times_b(name):
    A, b = laplacian(), vector(40)
    M = Jacobi.setup(A)
    assert SOLVERS[name](A, b, "Mb", M=M, rtol=np.inf).x == pytest.approx(0.5 * b, rel=1e-12)
    columns = SOLVERS[name](A, np.stack([b, 2 * b], axis=1), "Mb", M=M, rtol=np.inf)
    np.testing.assert_allclose(columns.x, np.stack([0.5 * b, b], axis=1), rtol=1e-12)
    assert SOLVERS[name](A, b, "Mb", rtol=np.inf).x == pytest.approx(b, rel=1e-12)  # M = I
    assert SOLVERS[name](A, b, "Mb", M=lambda r: 0.4 * r, rtol=0.3).converged


def test_other_words_for_x0_are_refused():
    with pytest.raises(InputError, match="'Mb'"):
        cg(laplacian(), vector(40), "bM")
    with pytest.raises(InputError, match="Mb"):
        cg(laplacian(), vector(40), "Mb", M=lambda r: np.nan * r)


def test_x0_of_one_column_goes_with_b_of_none():
    A, b = laplacian(), vector(40)
    expected = cg(A, b, 2 * b)
    np.testing.assert_array_equal(cg(A, b, 2 * b[:, None]).x, expected.x)
    np.testing.assert_array_equal(cg(A, b[:, None], 2 * b).x[:, 0], expected.x)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("tolerance", [{"atol": np.inf}, {"rtol": np.inf}, {"rtol": 1.5}, {"rtol": 0.0, "atol": 1e300}])
def test_tolerances_that_any_x_meets(name, tolerance):
    for b in (vector(40), np.zeros(40), np.stack([vector(40), np.zeros(40)], axis=1)):
        result = SOLVERS[name](laplacian(), b, **tolerance)
        assert result.converged
        assert result.iterations == 0
        assert result.info == 0


@pytest.mark.parametrize("name", SOLVERS)
def test_a_result_is_scipys_pair(name):
    result = SOLVERS[name](laplacian(), vector(40), rtol=0.3)
    x, info = result
    assert len(result) == 2
    assert result[0] is result[-2] is x is result.x
    assert result[1] == result[-1] == info == 0
    assert result[:] == (x, info)
    assert bool(result)
    with pytest.raises(IndexError):
        result[2]


@pytest.mark.parametrize("restart", [None, 7, 1000])
@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_maxiter_of_gmres_counts_cycles(restart, cycles):
    A, b = convection(), vector()
    expected, info = spla.gmres(A, b, rtol=1e-14, restart=restart, maxiter=cycles)
    result = gmres(A, b, rtol=1e-14, restart=restart, maxiter=cycles)
    np.testing.assert_allclose(result.x, expected, rtol=1e-7, atol=1e-10)
    assert result.iterations <= cycles * (20 if restart is None else restart)
    if info:
        assert result.info == info == cycles
        assert result.status is Status.MAXITER


def test_a_callback_of_gmres_without_a_type_warns_and_counts_iterations():
    A, b = convection(), vector()
    for name, keywords, entries in (("none", {}, 5), ("legacy", {"callback_type": "legacy"}, 5)):
        mine, theirs = [], []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = gmres(A, b, maxiter=entries, restart=3, callback=mine.append, **keywords)
        assert [w.category for w in caught] == ([DeprecationWarning] if name == "none" else [])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, info = spla.gmres(A, b, maxiter=entries, restart=3, callback=theirs.append, **keywords)
        np.testing.assert_allclose(mine, theirs, rtol=1e-8)
        assert all(isinstance(value, np.float64) for value in mine)
        assert result.info == info == result.iterations == entries
    gmres(A, b, maxiter=1)  # no callback, no warning
    assert gmres(A[:2, :2], b[:2], rtol=0.0, callback=mine.append, callback_type="legacy").iterations <= 20
    with pytest.raises(InputError, match=r"^maxiter is -1"):
        gmres(A, b, maxiter=-1, callback=print, callback_type="legacy")
    with pytest.raises(InputError, match="callback_type of gmres"):
        gmres(A, b, callback=print, callback_type="residual")


def test_callback_types_of_gmres():
    A, b = convection(), vector()
    for kind, count in (("pr_norm", 9), ("x", 3)):
        mine, theirs = [], []
        result = gmres(A, b, maxiter=3, restart=3, callback=mine.append, callback_type=kind)
        spla.gmres(A, b, maxiter=3, restart=3, callback=lambda v, to=theirs: to.append(np.copy(v)), callback_type=kind)
        assert len(mine) == len(theirs) == count
        np.testing.assert_allclose(np.array(mine), np.array(theirs), rtol=1e-7, atol=1e-10)
        assert result.info == 3


@pytest.mark.parametrize("solver", [cg, minres, bicgstab])
def test_callbacks_are_handed_iterates_that_may_be_kept(solver):
    A, b = laplacian(), vector(40)
    seen = []
    result = solver(A, b, maxiter=4, callback=seen.append)
    assert all(isinstance(x, np.ndarray) and x.shape == (40,) for x in seen)
    assert len(seen) == 4 == result.info
    assert not np.array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[-1], result.x)


@pytest.mark.parametrize("solver", [lgmres, gcrodr, fgcrodr])
def test_callbacks_of_cycles_are_handed_iterates(solver):
    A, b = convection(), vector()
    size = {"inner_m": 6} if solver is lgmres else {"restart": 6, "k": 3}
    seen = []
    result = solver(A, b, rtol=1e-12, maxiter=4, callback=seen.append, **size)
    assert [x.shape for x in seen] == [(N,)] * 4
    norms = [np.linalg.norm(b - A @ x) for x in seen]
    assert norms == sorted(norms, reverse=True)
    np.testing.assert_array_equal(seen[-1], result.x)
    assert result.info == 4
    assert result.status is Status.MAXITER


@pytest.mark.parametrize("solver", [cg, gmres, fgmres, lgmres, gcrodr])
def test_a_callback_may_end_the_solve(solver):
    """As a budget of seconds does: from every solver, and from gmres without a warning about its type."""

    def enough(_):
        raise Breakdown(Status.MAXITER, "it is enough")

    spec = SolverSpec(solver.__name__, {"rtol": 1e-10}, None)
    A = laplacian(N) if solver is cg else convection()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = spec.solve(A, vector(), callback=enough)
    assert result.status is Status.MAXITER
    assert "it is enough" in result.message
    assert result.iterations <= 40


@pytest.mark.parametrize("cycles", [1, 2, 4])
def test_cycles_of_lgmres_are_scipys(cycles):
    A, b = convection(), vector()
    expected, info = spla.lgmres(A, b, rtol=1e-12, inner_m=8, outer_k=0, maxiter=cycles)
    result = lgmres(A, b, rtol=1e-12, inner_m=8, outer_k=0, maxiter=cycles)
    np.testing.assert_allclose(result.x, expected, rtol=1e-7, atol=1e-10)
    assert result.info == info == cycles


@pytest.mark.parametrize("theirs", [spla.lgmres, spla.gcrotmk])
def test_the_last_cycle_is_not_checked_in_info_but_in_the_status(theirs):
    """As in SciPy, where the residual is looked at when a cycle begins; the status says what was reached."""
    A, b = laplacian(5), vector(5)
    mine = lgmres if theirs is spla.lgmres else fgcrodr
    for maxiter in (1, 2):
        _, info = theirs(A, b, maxiter=maxiter)
        result = mine(A, b, maxiter=maxiter)
        assert result.info == info == (1 if maxiter == 1 else 0)
        assert result.converged
    assert mine(A, b, iterations=5).info == 0
    assert mine(A, np.zeros(5), maxiter=0).info == 0


@pytest.mark.parametrize("solver", [gmres, fgmres, lgmres, gcrodr, fgcrodr])
def test_limits_of_methods_with_cycles(solver):
    A, b = convection(), vector()
    assert solver(A, b, rtol=1e-12, iterations=11).iterations == 11
    assert solver(A, b, rtol=1e-12, iterations=11).info == 11
    assert solver(A, b, rtol=1e-12, maxiter=0).status is Status.MAXITER
    assert solver(A, b, rtol=1e-12, maxiter=np.int64(1)).info == 1
    for name in ("maxiter", "iterations"):
        for value in (-1, 1.5, True, "3"):
            with pytest.raises(InputError, match=f"^{name} is"):
                solver(A, b, **{name: value})


def test_configurations_count_iterations_whatever_the_function_counts():
    A, b = convection(), vector()
    for name in ("gmres", "fgmres", "lgmres", "gcrodr", "fgcrodr", "cg", "bicgstab"):
        result = SolverSpec(name, {"rtol": 1e-12, "maxiter": 7}, None).solve(A, b)
        assert result.iterations == 7 or result.status is not Status.MAXITER
        assert result.info == result.iterations
    by_name = SolverSpec("gmres", {"rtol": 1e-8}, None).solve(A, b)
    np.testing.assert_array_equal(by_name.residuals, gmres(A, b, rtol=1e-8, restart=30).residuals)
    for setting in ("iterations", "callback_type", "shift", "outer_v"):
        with pytest.raises(InputError, match=setting):
            SolverSpec("lgmres", {setting: 1})


@pytest.mark.parametrize("form", [sp.csr_array, sp.dia_array, sp.csr_array.toarray, spla.aslinearoperator])
def test_minres_solves_shifted_systems(form):
    A, b = laplacian(), vector(40)
    expected, info = spla.minres(A, b, shift=0.7, rtol=1e-10)
    result = minres(form(A), b, shift=0.7, rtol=1e-10)
    assert info == result.info == 0
    np.testing.assert_allclose(result.x, expected, rtol=1e-6, atol=1e-8)
    assert result.residual == pytest.approx(np.linalg.norm(b - A @ result.x + 0.7 * result.x), rel=1e-3)
    for wrong in (np.nan, "1", 1j, None):
        with pytest.raises(InputError, match="shift"):
            minres(form(A), b, shift=wrong)


@pytest.mark.parametrize("form", [sp.csr_array, np.asarray, lambda A: spla.aslinearoperator(np.asarray(A))])
def test_minres_checks_when_it_is_asked_to(form):
    A, b = laplacian(20).toarray(), vector(20)
    assert minres(form(A), b, check=True, M=Jacobi.setup(A)).converged
    assert minres(form(A), b, check=True, M=lambda r: 0.5 * r).converged
    crooked = A + np.triu(np.full((20, 20), 0.1), 2)
    with pytest.raises(InputError, match="Hermitian A"):
        minres(form(crooked), b, check=True)
    with pytest.raises(InputError, match="Hermitian M"):
        minres(form(A), b, check=True, M=form(crooked))
    minres(form(crooked), b)  # without check it is tried


def test_minres_shows_its_course(capsys):
    result = minres(laplacian(), vector(40), show=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "minres"
    assert f"{result.residuals[10]:.3e}" in lines[12]
    assert lines[-1] == result.message
    minres(laplacian(), vector(40))
    assert capsys.readouterr().out == ""


def test_outer_vectors_help_the_next_system():
    A, b = convection(), vector()
    outer = []
    first = lgmres(A, b, rtol=1e-10, inner_m=15, outer_k=4, outer_v=outer)
    assert first.converged
    assert 0 < len(outer) <= 4
    for v, image in outer:
        assert np.linalg.norm(v) == pytest.approx(1.0)
        np.testing.assert_allclose(A @ v, image, atol=1e-10)
    lgmres(A, b, rtol=1e-10, inner_m=15, outer_k=2, outer_v=outer, store_outer_Av=False)
    assert len(outer) == 2
    assert any(image is None for _, image in outer)
    for store in (True, False):
        outer = []
        first = lgmres(A, b, rtol=1e-8, inner_m=N, outer_v=outer, store_outer_Av=store)
        again = lgmres(A, b, rtol=1e-6, outer_v=outer, prepend_outer_v=True)
        assert again.converged
        assert again.matvecs == (1 if store else 2) < first.matvecs


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_outer_vectors_are_scipys(first, cycles):
    A, b = convection(), vector()
    mine, theirs = [(vector(seed=8), None)], [(vector(seed=8), None)]
    options = {"rtol": 1e-12, "inner_m": 6, "outer_k": 3, "maxiter": cycles, "prepend_outer_v": first}
    expected, _ = spla.lgmres(A, b, outer_v=theirs, **options)
    np.testing.assert_allclose(lgmres(A, b, outer_v=mine, **options).x, expected, rtol=1e-6, atol=1e-9)
    assert len(mine) == len(theirs) == min(3, cycles + 1)
    for (v, image), (w, other) in zip(mine[1:], theirs[1:], strict=True):
        np.testing.assert_allclose(v, w, atol=1e-8)
        np.testing.assert_allclose(image, other, atol=1e-8)


def test_outer_vectors_that_hold_the_solution_end_in_a_cycle():
    A, x = convection(), vector(seed=5)
    for given in ([(x, None)], [(vector(), None), (x, A @ x)], [(x, None), (x, None)], [(0 * x, None), (x, None)]):
        result = lgmres(A, A @ x, rtol=1e-10, inner_m=3, outer_v=list(given), prepend_outer_v=True, maxiter=8)
        assert result.converged
        np.testing.assert_allclose(result.x, x, rtol=1e-6)
    complex_ = lgmres(A, 1j * (A @ x), outer_v=[(x, None)], inner_m=3, prepend_outer_v=True, maxiter=3)
    assert complex_.converged


def test_outer_vectors_of_another_matrix_do_no_harm():
    """Wrong images mislead the recurrence; the true residual decides."""
    A, b = convection(), vector()
    result = lgmres(A, b, rtol=1e-8, outer_v=[(vector(seed=1), vector(seed=2))], prepend_outer_v=True)
    assert result.converged == (np.linalg.norm(b - A @ result.x) <= 1.001e-8 * np.linalg.norm(b))


@pytest.mark.parametrize(
    "wrong",
    [
        3,
        (1, 2),
        [np.ones(N)],
        [(np.ones(N),)],
        [(np.ones(3), None)],
        [(np.full(N, np.nan), None)],
        [(np.ones(N), [1.0])],
    ],
)
def test_wrong_outer_vectors_are_refused(wrong):
    with pytest.raises(InputError, match="outer_v"):
        lgmres(convection(), vector(), outer_v=wrong)
