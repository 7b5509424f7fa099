"""A residual that rounding hides is seen in extended precision, whatever holds the matrix."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from resolvent.solvers.operands import read_operator
from resolvent.solvers.wide_residual import residual_hidden

pytestmark = pytest.mark.skipif(
    np.finfo(np.longdouble).eps == np.finfo(np.float64).eps, reason="this platform has no extended precision"
)

A = np.array([[1e18, 1.0, -1e18], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
X = np.array([1.0, 3.0, 1.0])


@pytest.mark.parametrize("wrap", [np.array, sp.csr_array, sp.csc_array, sp.bsr_array, sp.dia_array, sp.coo_array])
@pytest.mark.parametrize("factor", [1.0, 1.0 + 1.0j])
def test_what_cancels_is_seen(wrap, factor: complex) -> None:
    matrix = A * factor if factor != 1.0 else A
    x = X.astype(matrix.dtype)
    b = factor * np.array([1.0, 3.0, 1.0])  # the true first component is 3
    operator = read_operator(wrap(matrix))
    size = float(np.linalg.norm(b))
    assert residual_hidden(operator, x, b, size, 0.1 * size) == pytest.approx(2.0 * abs(factor))
    assert residual_hidden(operator, x, b, size, 1e6 * size) is None
    assert residual_hidden(operator, x, b, size, 0.0) is None  # below what float64 resolves, its own residual decides
    true = factor * np.array([3.0, 3.0, 1.0])
    assert residual_hidden(operator, x, true, size, 0.1 * size) is None
