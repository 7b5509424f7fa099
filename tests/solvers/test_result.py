"""How results print: one short line each, a small table in a notebook."""

import html

import numpy as np
import scipy.sparse as sp

from resolvent.solvers import RecycleSpace, SolveResult, Status, analyse, cg, gcrodr, solve_sequence

N = 400
A = sp.csr_array(sp.diags_array([-1.0, 2.1, -1.0], offsets=[-1, 0, 1], shape=(N, N)))
B = np.random.default_rng(0).standard_normal((N, 2))


def is_one_short_line(text):
    return "\n" not in text and len(text) <= 120


def test_a_solve_result():
    result = cg(A, B[:, 0], rtol=1e-9)
    line = repr(result)
    assert is_one_short_line(line)
    assert line.startswith(f"SolveResult(converged, {result.iterations} iterations, ‖b − Ax‖/‖b‖ = ")
    assert f"{result.relative_residual:.2g}" in line
    assert "array" not in line
    assert "1 iteration," in repr(cg(sp.eye_array(3).tocsr(), np.ones(3)))
    several = repr(cg(A, B))
    assert is_one_short_line(several)
    assert "2 columns" in several
    failed = SolveResult(np.ones(1), Status.NONFINITE, 3, np.ones(4), np.nan, 0.0, 3, 0, 0.0, 0.0, "a < b")
    assert "nonfinite" in repr(failed)
    assert "a &lt; b" in failed._repr_html_()


def test_a_solve_result_in_a_notebook():
    result = cg(A, B, rtol=1e-9)
    table = result._repr_html_()
    assert table.startswith("<table>")
    assert "<th>status</th><td>converged</td>" in table
    assert f"<th>iterations</th><td>{result.iterations}</td>" in table
    assert len(table) < 2000


def test_a_recycle_space():
    space = gcrodr(A, B[:, 0], rtol=1e-9, k=5, restart=20).space
    assert isinstance(space, RecycleSpace)
    assert repr(space) == f"RecycleSpace({space.k} directions of length 400, with images, 0 strikes)"
    assert repr(RecycleSpace.from_vectors(B)) == "RecycleSpace(2 directions of length 400, 0 strikes)"


def test_a_sequence_result_and_its_report():
    systems = [(A, b) for b in (*B.T, B[:, 0] + B[:, 1])]
    report = analyse(systems)
    assert repr(report) == "FamilyReport(3 systems of 400 unknowns, most of them by superposition)"
    assert report._repr_html_() == f"<pre>{html.escape(str(report))}</pre>"
    result = solve_sequence(systems)
    assert is_one_short_line(repr(result))
    assert repr(result).startswith("SequenceResult(3 of 3 samples converged by superposition, ‖b − Ax‖/‖b‖ ≤ ")
    assert "<th>full_solves</th><td>2</td>" in result._repr_html_()
