"""CG with multigrid on a diffusion problem runs as one compiled solve, with the bits of `solve_batch`."""

import numpy as np
import pytest

from resolvent.data import generate, make_problem, sample_generator, verify
from resolvent.solvers import BoxSolver, InputError, SolverSpec, solve_batch

SPEC = SolverSpec("cg", {"rtol": 1e-10}, "multigrid", {})

SETTINGS = [
    {"resolution": (20, 13)},
    {"resolution": 12, "boundary": "periodic", "source": "wells"},
    {"resolution": (9, 14), "boundary": [["neumann", "dirichlet"], "dirichlet"], "medium": "lognormal"},
    {"resolution": (6, 7, 5), "dimension": 3},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_bits_are_those_of_a_batch_and_leave_no_trace(settings):
    problem = make_problem("darcy", **settings)
    drawn = [problem.sample(sample_generator(0, "darcy", i)) for i in range(3)]
    results = [problem.solve(parameters, SPEC) for parameters in drawn]
    again = problem.solve(drawn[0], SPEC)
    assert again.x.tobytes() == results[0].x.tobytes()
    for parameters, result in zip(drawn, results, strict=True):
        system = problem.system(parameters)
        batch = solve_batch(
            parameters["coefficient"][None],
            system.rhs.reshape(system.shape),
            threads=1,
            boundary=settings.get("boundary", "dirichlet"),
        )
        assert result.x.tobytes() == batch.x[0].tobytes()
        assert result.converged
        residual = system.rhs - system.operator @ result.x
        assert np.linalg.norm(residual) <= 1.01e-10 * np.linalg.norm(system.rhs)


def test_datasets_are_generated_and_verified(tmp_path):
    problem = make_problem("darcy", resolution=16)
    digests = []
    for name, workers, shard in (("one", 1, 6), ("two", 2, 2)):
        generate(problem, tmp_path / name, samples=6, solver=SPEC, workers=workers, shard_size=shard)
        report = verify(tmp_path / name)
        assert report.ok
        digests.append(report.content_digest)
    assert digests[0] == digests[1]


@pytest.mark.parametrize("resolution", [4, 64, 256])
def test_darcy_chooses_it_on_every_grid(resolution):
    assert make_problem("darcy", resolution=resolution).default_solver == SPEC


@pytest.mark.parametrize("shape", [(4,), (4, 0), (2, 2, 2, 2)])
def test_a_box_has_two_or_three_axes(shape):
    with pytest.raises(InputError, match="cells"):
        BoxSolver(shape)


def test_a_field_of_another_shape():
    with pytest.raises(InputError, match="the box has"):
        BoxSolver((4, 5)).solve(np.ones((5, 4)))
