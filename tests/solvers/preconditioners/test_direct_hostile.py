"""The direct factorisation of matrices that it was not made for: it solves, or says in one line what is wrong."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import Direct, InputError, gmres
from resolvent.solvers.preconditioners.sparse_lu import factors

rng = np.random.default_rng(0)
SPD = 5.0 * np.eye(4) - np.ones((4, 4))
GENERAL = rng.standard_normal((30, 30))


def arrow(n, first=True, weight=1.0):
    i = np.arange(n)
    tip = 0 if first else n - 1
    off, here = i[i != tip], np.full(n - 1, tip)
    values = np.r_[np.full(n, 4.0), np.full(2 * n - 2, weight)]
    return sp.csr_array((values, (np.r_[i, here, off], np.r_[i, off, here])), shape=(n, n))


SOLVABLE = {
    "one by one": np.array([[3.0]]),
    "imaginary": np.array([[3j]]),
    "integers": np.array([[2, 1], [1, 3]]),
    "single precision": np.eye(3, dtype=np.float32),
    "duplicates": sp.csr_array(
        (np.ones(8), np.array([0, 0, 1, 1, 2, 2, 0, 3]), np.array([0, 2, 4, 6, 8])), shape=(4, 4)
    ),
    "wide indices": sp.csr_array((np.ones(3), np.arange(3, dtype=np.int64), np.arange(4, dtype=np.int64))),
    "huge": 1e300 * SPD,
    "tiny": 1e-300 * SPD,
    "largest": 1.7e308 * np.eye(3),
    "largest, dense": 1.7e308 * (np.eye(3) - 0.5),
    "denormal": 5e-324 * np.eye(3),
    "huge, complex": (1e300 + 1e300j) * np.eye(3),
    "graded": np.diag([1e-300, 1.0, 1e300]),
    "graded rows": np.diag([1e-200, 1.0, 1e200]) @ GENERAL[:3, :3],
    "graded columns": GENERAL[:3, :3] @ np.diag([1e-150, 1.0, 1e150]),
    "extremes crossed": np.array([[1e-300, 1e300], [1e300, 1e-300]]),
    "permutation": sp.csr_array(np.roll(np.eye(200), 1, axis=0)),
    "arrow": arrow(10_000),
    "arrow, dense row last": arrow(10_000, first=False),
    "arrow, outdone": arrow(3_000, weight=5.0),
    "bordered": sp.block_array([[3.0 * sp.eye_array(500), np.ones((500, 1))], [np.ones((1, 500)), None]]).tocsr(),
    "dense": GENERAL,
    "dense, indefinite": GENERAL + GENERAL.T,
    "blocks": sp.block_diag([sp.eye_array(50), GENERAL[:7, :7], -2.0 * sp.eye_array(30), arrow(40)]).tocsr(),
    "triangular": sp.csr_array(np.tril(GENERAL) + 5.0 * np.eye(30)),
    "negative definite": -SPD,
    "saddle point": np.block([[np.eye(20), GENERAL[:20, :5]], [GENERAL[:5, :20], np.zeros((5, 5))]]),
}


@pytest.mark.parametrize("name", SOLVABLE)
def test_solves(name):
    A = SOLVABLE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        M = Direct.setup(A)
        n = M.shape[0]
        b = A @ np.where(np.arange(n) % 2, 1.0, 0.5)
        for factor in (M, M.update(A)):
            residual = np.abs(b - A @ (factor @ b)).max()
            assert residual <= 1e-12 * np.abs(b).max()
        assert not M.near_singular
        assert np.abs(b - A @ (M @ np.stack([b, b], axis=1))[:, 1]).max() <= 1e-12 * np.abs(b).max()


@pytest.mark.parametrize("name", ["huge", "tiny"])
def test_definite_matrices_stay_definite_when_scaled(name):
    assert Direct.setup(SOLVABLE[name]).kind == "spd"


SINGULAR = {
    "empty": sp.csr_array((5, 5)),
    "stored zeros": sp.csr_array((np.array([1.0, 0.0, 2.0]), np.arange(3), np.arange(4)), shape=(3, 3)),
    "cancelling duplicates": sp.coo_array((np.array([1.0, -1.0, 1.0]), ([0, 0, 1], [0, 0, 1])), shape=(2, 2)),
    "isolated vertex": np.diag([2.0, 2.0, 2.0, 0.0]) - np.pad(np.ones((3, 3)) - np.eye(3), ((0, 1), (0, 1))),
    "ones": np.ones((200, 200)),
    "saddle point": np.block([[np.eye(10), np.ones((10, 2))], [np.ones((2, 10)), np.zeros((2, 2))]]),
    "structure": np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0], [1.0, 2.0, 3.0]]),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_singular_matrices_get_one_line_of_our_own(name, capfd):
    with pytest.raises(InputError) as raised:
        Direct.setup(SINGULAR[name])
    text = str(raised.value)
    assert text.startswith("direct: A is singular")
    assert "\n" not in text
    assert "actor is exactly" not in text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("SUPERLU_MALLOC fails for buf in intCalloc()")])
def test_too_little_memory_is_one_line(monkeypatch, error):
    def refuse(*arguments, **settings):
        raise error

    monkeypatch.setattr(factors.spla, "splu", refuse)
    with pytest.raises(InputError, match=r"^direct: the factors of A \(n = 4\) do not fit into memory; use an iter"):
        Direct.setup(SPD)


def test_what_superlu_solves_by_itself_is_solved(monkeypatch):
    """A pivot may be zero by rounding in one order of the sums and not in another (the graph GD98_c)."""
    real = factors.spla.splu

    def zero_pivot(matrix, **settings):
        if settings["panel_size"] is not None:
            raise RuntimeError("Factor is exactly singular")
        return real(matrix, **settings)

    monkeypatch.setattr(factors.spla, "splu", zero_pivot)
    b = GENERAL @ np.ones(30)
    np.testing.assert_allclose(Direct.setup(GENERAL) @ b, np.ones(30), rtol=1e-10)


def test_a_symmetric_pattern_with_equal_entries_does_not_fill_in():
    """A mesh whose entries all are 1 (jagmesh7, commanche_dual): pivots leave the diagonal, and a symmetric order fills
    five times as much as an order of columns."""
    n = 30
    path = sp.diags_array([np.ones(n - 1), np.ones(n - 1)], offsets=[1, -1])
    A = sp.csr_array(sp.kron(path, sp.eye_array(n)) + sp.kron(sp.eye_array(n), path) + sp.eye_array(n * n))
    A = A + sp.csr_array(sp.kron(path, path))
    M = Direct.setup(A)
    assert M.fill <= 1.3 * sp.linalg.splu(A.tocsc()).nnz


def test_indefinite_matrices_are_factored_once(monkeypatch):
    made, real = [], factors.Factors.__init__

    def count(self, *arguments):
        made.append(arguments[2])
        real(self, *arguments)

    monkeypatch.setattr(factors.Factors, "__init__", count)
    n = 30
    line = sp.diags_array([np.full(n, 2.0), np.full(n - 1, -1.0), np.full(n - 1, -1.0)], offsets=[0, 1, -1])
    A = sp.csr_array(sp.kron(line, sp.eye_array(n)) + sp.kron(sp.eye_array(n), line))
    for shift in (0.31, 1.7):
        made.clear()
        cavity = A - shift * sp.eye_array(n * n)
        M = Direct.setup(cavity)
        assert made == ["diagonal"]
        assert M.kind == "linear"
        assert gmres(cavity, np.ones(n * n), rtol=1e-10, M=M).iterations <= 2
    made.clear()
    assert Direct.setup(A).kind == "spd"
    assert made == ["definite"]
