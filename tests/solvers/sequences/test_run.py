"""Families of systems: what is found, what it saves, and that no guess is ever believed."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvent.solvers import InputError, Status, analyse, solve_sequence
from resolvent.solvers.sequences.analysis import STRATEGIES, read_batch
from resolvent.solvers.sequences.empirical_interpolation import empirical_interpolation, spanning_columns
from resolvent.solvers.sequences.scaling import ScalingDetector

S = 18  # cells a side
N = S * S
RTOL = 1e-8


def laplacian(n=S):
    one = sp.diags_array([np.full(n, 2.0), -np.ones(n - 1), -np.ones(n - 1)], offsets=[0, 1, -1])
    return sp.csr_array(sp.kron(one, sp.eye_array(n)) + sp.kron(sp.eye_array(n), one))


def diffusion(a, n=S):
    """−∇·(a∇u) by finite volumes with arithmetic face values on n × n cells, zero walls."""
    padded, number = np.pad(a, 1, mode="edge"), np.pad(np.arange(n * n).reshape(n, n), 1, constant_values=-1)
    here = slice(1, -1)
    diagonal, parts = np.zeros((n, n)), []
    for there in ((slice(2, None), here), (slice(0, -2), here), (here, slice(2, None)), (here, slice(0, -2))):
        face = 0.5 * (a + padded[there])
        diagonal += face
        inside = number[there] >= 0
        parts.append((-face[inside], number[here, here][inside], number[there][inside]))
    values, rows, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
    return sp.csr_array(sp.coo_array((values, (rows, columns))) + sp.diags_array(diagonal.ravel()))


def smooth_field(rng, n=S):
    """A periodic Gaussian field of spectrum (4π²k² + 49)^(−α/2), α = 2.5."""
    k = np.fft.fftfreq(n, 1.0 / n)
    amplitude = (4 * np.pi**2 * (k[:, None] ** 2 + k**2) + 49.0) ** -1.25
    amplitude[0, 0] = 0.0
    noise = rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n))
    return 7.0**1.5 * n * n * np.fft.ifft2(amplitude * noise).real


def chebyshev(rng, x):
    return np.polynomial.chebyshev.chebval(x, rng.uniform(-1.0, 1.0, 6))


def darcy_skr(count, rng):
    """Entries 4 c_i on the diagonal and −c_j beside it: the Laplacian times diag(c)."""
    for _ in range(count):
        yield laplacian() @ sp.diags_array(np.exp(smooth_field(rng)).ravel()), np.ones(N)


def helmholtz_skr(count, rng):
    """The same less h² k², k uniform in (0, 1)."""
    h = 1.0 / (S + 2)
    for A, b in darcy_skr(count, rng):
        yield sp.csr_array(A - h**2 * rng.random() ** 2 * sp.eye_array(N)), b


def poisson_skr(count, rng):
    """The source and the values on four sides truncated Chebyshev series, all in x alone."""
    x = np.linspace(-1.0, 1.0, S)
    for _ in range(count):
        b = np.outer(chebyshev(rng, x), np.ones(S)) / S**2
        b[:, 0] += chebyshev(rng, x)
        b[:, -1] += chebyshev(rng, x)
        b[0] += chebyshev(rng, -1.0)
        b[-1] += chebyshev(rng, 1.0)
        yield laplacian(), b.ravel()


def thermal_skr(count, rng):
    """A plate with a slot: a temperature on one side, a heat flux through another, the rest insulated."""
    index = np.arange(N).reshape(S, S)
    plate = np.ones((S, S), dtype=bool)
    plate[S // 2 - 1 : S // 2 + 1, S // 4 : 3 * S // 4] = False
    pairs = [(index[1:], index[:-1]), (index[:, 1:], index[:, :-1])]
    i, j = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    joined = plate.ravel()[i] & plate.ravel()[j]
    i, j = i[joined], j[joined]
    W = sp.coo_array((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), shape=(N, N)).tocsr()
    hot = np.zeros((S, S))
    hot[0] = 1.0
    K = sp.csr_array(sp.diags_array(W.sum(axis=1) + hot.ravel()) - W)[plate.ravel()][:, plate.ravel()]
    flux = np.zeros((S, S))
    flux[-1] = 1.0 / S
    for _ in range(count):
        b = 100.0 * rng.random() * hot - 100.0 * rng.random() * flux
        yield K.copy(), b.ravel()[plate.ravel()]


def certified(systems, result, rtol=RTOL):
    """Every residual stated is the true one, and all meet the tolerance."""
    assert result.converged
    assert len(result.results) == len(systems)
    for (A, b), one in zip(systems, result.results, strict=True):
        true = np.linalg.norm(b - A @ one.x)
        assert true <= (1 + 1e-6) * rtol * np.linalg.norm(b)
        assert one.residual == pytest.approx(true, rel=1e-3, abs=1e-13 * np.linalg.norm(b))
        assert one.residuals.shape == (one.iterations + 1,)
        assert one.residuals[-1] == one.residual


# --- the families of the published benchmark ------------------------------------------------------------------------

LEGACY = {
    "darcy": (darcy_skr, "columns", 1, 1),
    "helmholtz": (helmholtz_skr, "near columns", 1, 1),
    "poisson": (poisson_skr, "constant", 20, 20),
    "thermal": (thermal_skr, "constant", 2, 2),
}


@pytest.mark.parametrize("name", LEGACY)
def test_the_published_families_collapse_to_a_handful_of_solves(name):
    build, kind, rank, solves = LEGACY[name]
    systems = list(build(100, np.random.default_rng(0)))
    result = solve_sequence(iter(systems), rtol=RTOL)
    certified(systems, result)
    (group,) = result.report.groups
    assert group.kind == kind
    assert group.rank == rank
    assert result.report.plan == {"group 0": "superposition"}
    assert result.ledger.full_solves <= solves
    assert result.ledger.set_ups == 1
    assert result.ledger.reconstructed + result.ledger.corrections == 100
    assert all(one.iterations <= 3 for one in result.results)
    if name != "helmholtz":
        assert result.ledger.iterations == 0
    assert kind in str(result)
    assert "superposition" in str(result.report)
    json.dumps(result.to_dict(), allow_nan=False)


# --- structures, each detected and exploited ------------------------------------------------------------------------


def test_a_constant_matrix_with_any_right_hand_sides_is_factored_once():
    A = laplacian()
    rng = np.random.default_rng(1)
    systems = [(A.copy(), rng.standard_normal(N)) for _ in range(30)]
    result = solve_sequence(systems, rtol=RTOL)
    certified(systems, result)
    assert result.report.plan == {"group 0": "constant_matrix"}
    assert result.report.groups[0].rank is None
    assert (result.ledger.set_ups, result.ledger.full_solves) == (1, 30)
    assert result.ledger.applies == 30


@pytest.mark.parametrize("side", ["columns", "rows", "both"])
@pytest.mark.parametrize("complex_", [False, True])
def test_scalings(side, complex_):
    rng = np.random.default_rng(2)
    L = diffusion(np.exp(0.3 * smooth_field(rng)))
    systems, exact = [], []
    for _ in range(12):
        left, c = (sp.diags_array(rng.uniform(0.1, 10.0, N) * rng.choice([-1.0, 1.0], N)) for _ in range(2))
        if complex_:
            c = c * np.exp(2j * np.pi * rng.random())
        A = sp.csr_array(L @ c if side == "columns" else left @ L if side == "rows" else left @ L @ c)
        exact.append(rng.standard_normal(N))
        systems.append((A, A @ exact[-1]))
    result = solve_sequence(systems, rtol=RTOL)
    certified(systems, result)
    (group,) = result.report.groups
    assert group.kind == side
    assert result.report.plan == {"group 0": "scaling"}
    assert result.ledger.set_ups == 1
    np.testing.assert_allclose(result.solutions, np.stack(exact), atol=1e-6 * np.abs(exact).max())


def test_a_near_scaling_is_not_taken_for_an_exact_one():
    L = laplacian()
    near = sp.csr_array(L + 1e-6 * sp.eye_array(N))
    detector = ScalingDetector(L)
    found = detector.fit(near.data, 1.0)
    assert not found.exact
    assert detector.fit(near.data, 1e-8) is None
    other = L.copy()
    other.data[5] = 0.0
    assert detector.fit(other.data, 0.02) is None


def two_phases(mu, nu=0.0):
    x = (np.arange(S) + 0.5) / S
    left = np.where(x < 0.5, 1.0, mu)[:, None] * np.ones(S)
    return diffusion(left + nu * (x[None, :] > 0.5))


@pytest.mark.parametrize("solver", [None, "gmres"])
def test_affine_families_are_solved_in_a_reduced_basis(solver):
    rng = np.random.default_rng(3)
    x = (np.arange(S) + 0.5) / S
    systems = []
    for mu in rng.uniform(0.2, 20.0, 60):
        systems.append((two_phases(mu), np.outer(np.ones(S), np.cos(x)).ravel() + mu))
    result = solve_sequence(systems, rtol=RTOL, solver=solver)
    certified(systems, result)
    report = result.report
    assert report.matrix_terms == 2 or report.matrix_terms == 3
    assert report.rhs_terms == 2
    assert report.plan == {"rest": "reduced_basis"}
    assert result.ledger.full_solves <= 20
    assert result.ledger.reconstructed >= 40
    independent = solve_sequence(systems, rtol=RTOL, strategy="independent")
    assert independent.ledger.full_solves == 60
    np.testing.assert_allclose(result.solutions, independent.solutions, rtol=1e-4, atol=1e-6)


def test_a_parameter_that_is_not_affine_is_interpolated():
    x = (np.arange(S) + 0.5) / S
    systems = []
    for mu in np.random.default_rng(4).uniform(1.0, 2.0, 60):
        systems.append((diffusion(np.exp(mu * np.outer(x, x))), np.ones(N)))
    result = solve_sequence(systems, rtol=RTOL)
    certified(systems, result)
    assert 3 < result.report.matrix_terms <= 20
    assert result.report.plan == {"rest": "reduced_basis"}
    assert result.ledger.full_solves <= 15


def test_a_basis_that_is_too_small_leaves_the_rest_to_be_solved():
    """Nine independent conductivities: affine, but the solutions need more than half the samples."""
    rng = np.random.default_rng(5)
    block = np.kron(np.arange(9).reshape(3, 3), np.ones((S // 3, S // 3))).astype(int)
    systems = [(diffusion(rng.uniform(0.1, 10.0, 9)[block]), np.ones(N)) for _ in range(50)]
    result = solve_sequence(systems, rtol=RTOL, strategy="reduced_basis")
    certified(systems, result)
    assert result.ledger.full_solves >= 25
    assert result.ledger.full_solves + result.ledger.reconstructed >= 50


def test_families_without_structure_are_solved_one_by_one():
    rng = np.random.default_rng(6)
    systems = [(diffusion(np.where(smooth_field(rng) > 0, 12.0, 3.0)), rng.standard_normal(N)) for _ in range(12)]
    result = solve_sequence(systems, rtol=RTOL)
    certified(systems, result)
    assert result.report.groups == []
    assert result.report.plan == {"rest": "independent"}
    assert result.ledger.full_solves == 12


def test_a_caller_may_solve_by_itself_what_is_left_alone():
    """A family of which half is constant: the callable gets the other half, and its results are stored as they are."""
    rng = np.random.default_rng(9)
    fields = [np.ones((S, S)) if i % 2 else np.where(smooth_field(rng) > 0, 12.0, 3.0) for i in range(10)]
    systems = [(diffusion(a), rng.standard_normal(N)) for a in fields]
    asked = {}

    def alone(i):
        asked[i] = solve_sequence([systems[i]], rtol=RTOL, strategy="independent").results[0]
        return asked[i]

    result = solve_sequence(systems, rtol=RTOL, alone=alone)
    certified(systems, result)
    assert sorted(asked) == [0, 2, 4, 6, 8]
    assert all(np.array_equal(result.results[i].x, asked[i].x) for i in asked)
    assert result.ledger.full_solves == 10


def test_slow_variation_is_followed_in_chains():
    """A smooth path of fields with unrelated right-hand sides: too far apart for one factorisation to do."""
    rng = np.random.default_rng(7)
    g, h = smooth_field(rng), smooth_field(rng)
    angles = np.linspace(0.0, np.pi / 2, 24)
    systems = [(diffusion(np.exp(2.0 * (np.cos(t) * g + np.sin(t) * h))), rng.standard_normal(N)) for t in angles]
    report = analyse(systems)
    assert report.plan["rest"] == "warm_start"
    result = solve_sequence(systems, rtol=RTOL)
    certified(systems, result)
    assert result.ledger.set_ups + result.ledger.refreshes <= 12


# --- wrong guesses cost time, never correctness ---------------------------------------------------------------------


def misleading():
    """Half the samples with one matrix, the others with matrices of their own."""
    rng = np.random.default_rng(8)
    systems = [(laplacian(), np.ones(N) * (i + 1)) for i in range(10)]
    return systems + [
        (diffusion(np.where(smooth_field(rng) > 0, 12.0, 3.0)), rng.standard_normal(N)) for _ in range(10)
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("preconditioner", ["auto", "jacobi", None])
def test_every_strategy_is_right_on_a_family_that_misleads_it(strategy, preconditioner):
    systems = misleading()
    result = solve_sequence(systems, rtol=RTOL, strategy=strategy, preconditioner=preconditioner)
    certified(systems, result)
    assert result.strategy == strategy
    assert (result.report is None) == (strategy != "auto")
    if strategy == "auto":
        assert [len(group.members) for group in result.report.groups] == [10]
        assert result.report.plan == {"group 0": "superposition", "rest": "independent"}
        assert result.ledger.full_solves == 11


@given(seed=st.integers(0, 10**6), strategy=st.sampled_from(STRATEGIES), complex_=st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_strategy_on_any_mixture(seed, strategy, complex_):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    pattern = rng.random((n, n)) < 0.5

    def matrix():
        A = rng.standard_normal((n, n)) * (pattern if rng.random() < 0.8 else 1.0)
        A = A + (1j * rng.standard_normal((n, n)) * pattern if complex_ else 0.0)
        return A + (np.abs(A).sum(axis=1).max() + 1.0) * np.eye(n)

    pool = [matrix() for _ in range(2)]
    systems = []
    for _ in range(int(rng.integers(1, 12))):
        A = pool[int(rng.integers(2))] if rng.random() < 0.7 else matrix()
        if rng.random() < 0.3:
            A = A @ np.diag(rng.uniform(0.5, 2.0, n))
        systems.append((sp.csr_array(A), rng.standard_normal(n) * (rng.random() < 0.9)))
    result = solve_sequence(systems, rtol=RTOL, strategy=strategy, chain=4)
    certified(systems, result)
    ledger = result.ledger
    assert ledger.full_solves + ledger.corrections + ledger.reconstructed >= len(systems)


def test_a_singular_system_among_good_ones_is_named_and_the_others_are_solved():
    singular = sp.csr_array(sp.diags_array(np.r_[np.zeros(1), np.ones(N - 1)]))
    systems = [(laplacian(), np.ones(N)) for _ in range(4)]
    systems.insert(2, (singular, np.ones(N)))
    result = solve_sequence(systems, rtol=RTOL)
    assert [one.converged for one in result.results] == [True, True, False, True, True]
    assert not result.converged
    assert result.results[2].status is not Status.CONVERGED
    assert result.results[2].residual == pytest.approx(1.0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_sample_whose_preconditioner_fails_costs_the_others_nothing(strategy):
    """IC(0) refuses a zero diagonal: that sample goes on without it. A setting that does not fit raises."""
    saddle = sp.csr_array(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]))
    good = sp.csr_array(np.diag([2.0, 3.0, 4.0]))
    systems = [(good, np.ones(3)), (saddle, np.ones(3)), (sp.csr_array(1.5 * good), np.ones(3))]
    result = solve_sequence(systems, rtol=RTOL, strategy=strategy, preconditioner="ic0")
    certified(systems, result)
    with pytest.raises(InputError, match="fill"):
        solve_sequence(systems, strategy=strategy, preconditioner="ic0", preconditioner_settings={"fill": 3})


def test_what_is_cheap_to_factor():
    assert read_batch([(laplacian(40), np.ones(1600))]).factorable
    line = sp.diags_array([np.full(40, 2.0), -np.ones(39), -np.ones(39)], offsets=[0, 1, -1])
    plane = sp.kron(line, sp.eye_array(40)) + sp.kron(sp.eye_array(40), line)
    space = sp.kron(plane, sp.eye_array(40)) + sp.kron(sp.eye_array(1600), line)
    assert not read_batch([(sp.csr_array(space), np.ones(64_000))]).factorable
    operator = spla.LinearOperator((4, 4), matvec=lambda v: v, dtype=float)
    assert not read_batch([(operator, np.ones(4))]).factorable


# --- chains ---------------------------------------------------------------------------------------------------------


def drifting(count, rng, indefinite=False):
    base = smooth_field(rng)
    for i in range(count):
        A = diffusion(np.exp(base + 0.02 * i * smooth_field(np.random.default_rng(99))))
        b = np.ones(N) + 0.01 * rng.standard_normal(N)
        yield (sp.csr_array(A - 0.1 * sp.eye_array(N)) if indefinite else A), b


# Iterations beside those of independent solves, at most. With a strong preconditioner there is nothing left to recycle:
# what a chain saves is set-ups, and it pays for them in iterations. The unpreconditioned systems are indefinite, their
# right-hand sides noisy: a guess does not help there, a space does.
AT_MOST = {
    ("ilut", "warm_start"): 1.35,
    ("ilut", "recycling"): 1.5,
    ("ic0", "warm_start"): 0.95,
    ("ic0", "recycling"): 0.95,
    (None, "warm_start"): 1.2,
    (None, "recycling"): 0.95,
}


@pytest.mark.parametrize(("preconditioner", "strategy"), AT_MOST)
def test_what_a_chain_saves(preconditioner, strategy):
    systems = list(drifting(20, np.random.default_rng(9), indefinite=preconditioner is None))
    result = solve_sequence(systems, rtol=RTOL, strategy=strategy, preconditioner=preconditioner)
    certified(systems, result)
    independent = solve_sequence(systems, rtol=RTOL, strategy="independent", preconditioner=preconditioner)
    assert result.ledger.iterations <= AT_MOST[preconditioner, strategy] * independent.ledger.iterations
    if preconditioner is not None:
        assert result.ledger.set_ups + result.ledger.refreshes < independent.ledger.set_ups
    assert result.ledger.ordering_seconds > 0.0


@pytest.mark.parametrize("sort", ["greedy", "none"])
@pytest.mark.parametrize("strategy", ["warm_start", "recycling"])
def test_a_chain_depends_on_its_own_samples_alone(strategy, sort):
    systems = list(drifting(12, np.random.default_rng(10)))
    options = {"rtol": RTOL, "strategy": strategy, "preconditioner": "ic0", "chain": 4, "sort": sort}
    whole = solve_sequence(systems, **options)
    for start in (0, 4, 8):
        alone = solve_sequence(systems[start : start + 4], **options)
        np.testing.assert_array_equal(alone.solutions, whole.solutions[start : start + 4])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("indefinite", [False, True])
def test_systems_too_large_to_factor(monkeypatch, strategy, indefinite):
    """Multigrid where it serves; an indefinite matrix of positive diagonal shows in the solve, and goes another way."""
    monkeypatch.setattr("resolvent.solvers.sequences.analysis._DIRECT_WORK", 0.0)
    systems = list(drifting(8, np.random.default_rng(12), indefinite))
    result = solve_sequence(systems, rtol=RTOL, strategy=strategy, chain=4)
    certified(systems, result)
    assert all(one.space is None for one in result.results)
    if strategy == "warm_start":
        first = solve_sequence(systems[:4], rtol=RTOL, strategy=strategy, chain=4)
        np.testing.assert_array_equal(first.solutions, result.solutions[:4])
        second = solve_sequence(systems[4:], rtol=RTOL, strategy=strategy, chain=4)
        np.testing.assert_array_equal(second.solutions, result.solutions[4:])


def test_features_decide_the_order():
    systems = list(drifting(9, np.random.default_rng(11)))
    shuffled = np.random.default_rng(0).permutation(9)
    options = {"rtol": RTOL, "strategy": "recycling", "preconditioner": "ic0"}
    found = solve_sequence([systems[i] for i in shuffled], features=shuffled[:, None], sort="pca", **options)
    straight = solve_sequence(systems, sort="none", **options)
    back = solve_sequence(systems[::-1], sort="none", **options)
    expected = straight if np.array_equal(found.results[int(np.argmin(shuffled))].x, straight.results[0].x) else back
    order = np.argsort(shuffled)
    reference = expected.solutions if expected is straight else expected.solutions[::-1]
    np.testing.assert_array_equal(found.solutions[order], reference)


# --- edges ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_system_and_a_zero_one(strategy):
    A = laplacian(6)
    for systems in ([(A, np.ones(36))], [(A, np.zeros(36))], [([[4.0]], [2.0])] * 2):
        result = solve_sequence(systems, strategy=strategy)
        assert result.converged
        for (matrix, b), one in zip(systems, result.results, strict=True):
            np.testing.assert_allclose((sp.csr_array(matrix) @ one.x), b, atol=1e-7)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_operators_without_entries(strategy):
    A = laplacian(10)
    operator = spla.LinearOperator(A.shape, matvec=lambda v: A @ v, dtype=float)
    other = spla.LinearOperator(A.shape, matvec=lambda v: 2.0 * (A @ v), dtype=float)
    systems = [
        (operator, np.ones(100)),
        (operator, np.arange(100.0)),
        (operator, 2 * np.ones(100)),
        (other, np.ones(100)),
    ]
    result = solve_sequence(systems, rtol=RTOL, strategy=strategy)
    assert result.converged
    for (matrix, b), one in zip(systems, result.results, strict=True):
        assert np.linalg.norm(b - matrix.matvec(one.x)) <= 1.001 * RTOL * np.linalg.norm(b)
    if strategy == "auto":
        assert result.report.groups[0].members == [0, 1, 2]


def test_systems_are_left_as_they_are_and_results_are_deterministic():
    systems = misleading()
    copies = [(A.copy(), b.copy()) for A, b in systems]
    first, second = (solve_sequence(systems, rtol=RTOL) for _ in range(2))
    np.testing.assert_array_equal(first.solutions, second.solutions)
    for (A, b), (A_before, b_before) in zip(systems, copies, strict=True):
        np.testing.assert_array_equal(A.toarray(), A_before.toarray())
        np.testing.assert_array_equal(b, b_before)


GOOD = (np.eye(3), np.ones(3))
MISTAKES = {
    "none": (lambda: solve_sequence([]), "no systems"),
    "a number": (lambda: analyse(3), "int"),
    "not pairs": (lambda: analyse([np.eye(3)]), "pair"),
    "another size": (lambda: analyse([GOOD, (np.eye(4), np.ones(4))]), "system 1 has 4 unknowns"),
    "a long b": (lambda: analyse([GOOD, (np.eye(3), np.ones(4))]), "system 1: b has shape"),
    "several columns": (lambda: analyse([(np.eye(3), np.ones((3, 2)))]), "one system for each column"),
    "NaN": (lambda: analyse([(np.full((3, 3), np.nan), np.ones(3))]), "system 0"),
    "strategy": (lambda: solve_sequence([GOOD], strategy="magic"), "expected one of auto"),
    "sort": (lambda: solve_sequence([GOOD], sort="magic"), "expected one of greedy"),
    "chain": (lambda: solve_sequence([GOOD], chain=0), "chain is 0"),
    "solver": (lambda: solve_sequence([GOOD], solver="gmers"), "gmres"),
    "preconditioner": (lambda: solve_sequence([GOOD], preconditioner="amgg"), "amg"),
    "rtol": (lambda: solve_sequence([GOOD], rtol=-1.0), "rtol"),
    "features": (lambda: solve_sequence([GOOD], features=np.ones((2, 1))), "features have 2 rows"),
    "kind": (lambda: solve_sequence([GOOD], solver="jacobi", preconditioner="jacobi"), "no preconditioner"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named_in_one_line(mistake):
    call, word = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        call()
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


# --- interpolation and span -----------------------------------------------------------------------------------------


def test_empirical_interpolation_is_exact_at_its_members_and_entries():
    rng = np.random.default_rng(12)
    values = rng.standard_normal((40, 5)) @ rng.standard_normal((5, 300))
    found = empirical_interpolation(values, 1e-12, 10)
    assert found.rank == 5
    rebuilt = found.coefficients @ values[found.members]
    np.testing.assert_allclose(rebuilt, values, atol=1e-11)
    np.testing.assert_allclose(found.coefficients[found.members], np.eye(5), atol=1e-12)
    assert empirical_interpolation(values, 1e-12, 4) is None
    assert empirical_interpolation(np.zeros((3, 4)), 1e-12, 4).rank == 0


def test_spanning_columns_bound_the_error_of_each_column():
    rng = np.random.default_rng(13)
    columns = rng.standard_normal((200, 30)) * np.geomspace(1.0, 1e-9, 200)[:, None]
    basis, error = spanning_columns(columns, 1e-3, 30)
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    left = np.linalg.norm(columns - basis @ (basis.T @ columns), axis=0) / np.linalg.norm(columns, axis=0)
    assert left.max() == pytest.approx(error, rel=1e-6)
    assert left.max() <= 1e-3
    assert spanning_columns(columns, 1e-6, 5) is None
