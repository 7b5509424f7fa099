"""A method and a preconditioner of one's own, written as the docstrings show them."""

import inspect
import re
import textwrap

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers import InputError, Jacobi, Method, Preconditioner, cg, fgmres, gmres, iteration, minres, run

TOLERANCES = {"rtol": 1e-8, "atol": 0.0, "maxiter": None}


def system(n=30):
    A = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n), format="csr")
    A = sp.csr_array(A + sp.diags_array(np.linspace(1.0, 40.0, n)))
    return A, np.random.default_rng(0).standard_normal(n)


def example(docstring, *names):
    """Run the first indented block of a docstring that defines a name, and return what it defines."""
    blocks = re.findall(r"::\n\n((?: {4,}.*\n|\n)+)", inspect.cleandoc(docstring) + "\n")
    block = next(textwrap.dedent(b) for b in blocks if names[0] in b)
    defined = {"Preconditioner": Preconditioner, "Method": Method}
    exec("\n".join(line for line in block.splitlines() if not line.startswith("result")), defined)
    return [defined[name] for name in names]


def test_the_method_of_the_docstring_runs_with_every_preconditioner_it_takes():
    (method,) = example(iteration.__doc__, "method")
    A, b = system()
    plain = run(method, A, b, **TOLERANCES)
    for M in (Jacobi.setup(A), sp.diags_array(1.0 / A.diagonal()), lambda r: r / A.diagonal()):
        result = run(method, A, b, M=M, **TOLERANCES)
        assert result.converged
        assert np.linalg.norm(b - A @ result.x) <= 1.001e-8 * np.linalg.norm(b)
        assert result.applies == result.iterations < plain.iterations
    assert run(method, A, np.stack([b, 2 * b], axis=1), "Mb", M=Jacobi.setup(A), **TOLERANCES).converged


def test_the_preconditioner_of_the_docstring():
    (halving,) = example(Preconditioner.__doc__, "Halving")
    A, b = system()
    M = halving.setup(A)
    assert M.name == "Halving"
    np.testing.assert_array_equal(M @ b, 0.5 * b)
    for solver in (cg, gmres, fgmres, minres):
        assert solver(A, b, M=M).converged
    (method,) = example(iteration.__doc__, "method")
    assert run(method, A, b, M=M, **TOLERANCES).converged
    assert "Halving(n=30, kind='spd')" in repr(M)
    with pytest.raises(InputError, match="Halving got A of shape"):
        M.update(np.eye(3))
    with pytest.raises(InputError, match="there are none"):
        halving.setup(A, factor=2.0)


def test_a_method_refuses_the_preconditioners_it_does_not_take():
    def nothing(column, x, r):
        yield column.norm(r)

    A, b = system()
    bare = Method("bare", nothing, accepts=())
    with pytest.raises(InputError, match="bare takes no preconditioner"):
        run(bare, A, b, M=Jacobi.setup(A), **TOLERANCES)

    class Crooked(Preconditioner):
        def _build(self, A, again):
            self.kind = "nonlinear"

        def _apply(self, r):
            return np.abs(r)

    linear = Method("linear_only", nothing, accepts=("spd", "linear"))
    with pytest.raises(InputError, match=r"linear_only takes .* but M \(Crooked\) is 'nonlinear': use .*fgmres"):
        run(linear, A, b, M=Crooked.setup(A), **TOLERANCES)


@pytest.mark.parametrize("kind", [None, "SPD", 3])
def test_a_preconditioner_that_sets_no_kind_is_told(kind):
    class Kindless(Preconditioner):
        def _build(self, A, again):
            if kind is not None:
                self.kind = kind

        def _apply(self, r):
            return r

    with pytest.raises(
        InputError, match=r"Kindless._build left kind at .*; expected it to set self.kind to one of spd"
    ):
        Kindless.setup(np.eye(3))
