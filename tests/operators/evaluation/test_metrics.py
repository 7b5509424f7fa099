"""Errors against what they are by hand."""

from __future__ import annotations

import numpy as np
import pytest

from resolvent.operators.evaluation.metrics import relative_errors
from resolvent.solvers import Fourier, TensorBasis


def test_relative_errors_are_integrals() -> None:
    space = TensorBasis(Fourier(5))
    x = space.points((16,))[0]
    u, v = np.sin(2 * np.pi * x)[None], 2.0 * np.sin(2 * np.pi * x)[None]
    assert relative_errors(u, v, space)[0] == pytest.approx(0.5)
    assert relative_errors(u + 3.0, v - 1.0, space, gauge_free=True)[0] == pytest.approx(0.5)
    assert relative_errors(u + 2.0, v, space)[0] == pytest.approx(np.sqrt((4.0 + 0.5) / 2.0))
