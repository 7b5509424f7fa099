"""``resolvent solve``: every file format, the ledger, the probe of the matrix, all solvers in one table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from resolvent.workflows.cli import main
from resolvent.workflows.matrix_files import read_matrix, read_rhs

N = 30


@pytest.fixture
def matrix() -> sp.csr_array:
    return sp.csr_array(sp.diags_array([-1.0, 2.1, -1.0], offsets=[-1, 0, 1], shape=(N, N)))


def _write(matrix: sp.csr_array, path: Path) -> None:
    if path.name.endswith((".mtx", ".mtx.gz")):
        if path.suffix == ".gz":
            import gzip

            plain = path.with_suffix("")
            scipy.io.mmwrite(plain, matrix)
            path.write_bytes(gzip.compress(plain.read_bytes()))
        else:
            scipy.io.mmwrite(path, matrix)
    elif path.name == "dense.npz":
        np.savez(path, A=matrix.toarray(), b=np.arange(N))
    elif path.suffix == ".npz":
        sp.save_npz(path, matrix)
    elif path.name == "collection.mat":
        scipy.io.savemat(path, {"Problem": {"A": matrix.tocsc(), "b": np.arange(N, dtype=float)[:, None], "name": "x"}})
    elif path.name == "v73.mat":
        csc = matrix.tocsc()
        with h5py.File(path, "w", userblock_size=512) as stream:  # MATLAB's header goes before the HDF5 part
            group = stream.create_group("A")
            group.attrs["MATLAB_sparse"] = np.uint64(N)
            group.create_dataset("data", data=csc.data)
            group.create_dataset("ir", data=csc.indices.astype(np.uint64))
            group.create_dataset("jc", data=csc.indptr.astype(np.uint64))
        with path.open("r+b") as stream:
            stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    else:
        scipy.io.savemat(path, {"M": matrix.tocsc()})


@pytest.mark.parametrize("name", ["a.mtx", "a.mtx.gz", "a.npz", "dense.npz", "a.mat", "collection.mat", "v73.mat"])
def test_every_matrix_format(name: str, matrix: sp.csr_array, tmp_path: Path) -> None:
    _write(matrix, tmp_path / name)
    file = read_matrix(str(tmp_path / name))
    assert abs(file.matrix - matrix).max() == 0
    if name in ("dense.npz", "collection.mat"):
        np.testing.assert_array_equal(file.rhs, np.arange(N))


@pytest.mark.parametrize("name", ["b.npy", "b.npz", "b.mtx", "b.mat"])
def test_every_rhs_format(name: str, tmp_path: Path) -> None:
    b = np.linspace(1, 2, N)
    path = tmp_path / name
    if name == "b.npy":
        np.save(path, b)
    elif name == "b.npz":
        np.savez(path, b=b)
    elif name == "b.mtx":
        scipy.io.mmwrite(path, b[:, None])
    else:
        scipy.io.savemat(path, {"b": b[:, None]})
    np.testing.assert_allclose(read_rhs(str(path), N), b, rtol=1e-15)


def test_complex_mtx_keeps_its_imaginary_part(tmp_path: Path) -> None:
    A = sp.csr_array(sp.diags_array([2.0 + 1j] * 5))
    scipy.io.mmwrite(tmp_path / "c.mtx", A)
    assert abs(read_matrix(str(tmp_path / "c.mtx")).matrix - A).max() == 0


def test_solve_writes_a_solution_with_the_residual_it_states(matrix: sp.csr_array, tmp_path: Path) -> None:
    scipy.io.mmwrite(tmp_path / "a.mtx", matrix)
    b = np.random.default_rng(0).standard_normal(N)
    np.save(tmp_path / "b.npy", b)
    out = tmp_path / "out"
    command = ["solve", f"matrix={tmp_path / 'a.mtx'}", f"rhs={tmp_path / 'b.npy'}", "preconditioner=ic0", "rtol=1e-9"]
    assert main([*command, f"out={out}"]) == 0
    x = np.load(out / "solution.npy")
    residual = np.linalg.norm(b - matrix @ x) / np.linalg.norm(b)
    result = json.loads((out / "result.json").read_text())
    assert residual <= 1e-9
    assert result["relative_residual"] == pytest.approx(residual, rel=1e-3)
    assert result["status"] == "converged"
    assert result["matrix.symmetry"] == "symmetric"
    assert result["matrix.definiteness"] == "positive definite"
    assert not any(isinstance(v, dict) for v in result.values())
    assert {"versions.numpy", "settings.rtol", "iterations", "matvecs", "applies", "setup_seconds", "seconds"} <= set(
        result
    )
    assert (out / "convergence.png").stat().st_size > 1000
    assert {p.name for p in out.iterdir()} == {
        "config.yaml",
        "result.json",
        "log.jsonl",
        "solution.npy",
        "convergence.png",
    }


def test_several_right_hand_sides(matrix: sp.csr_array, tmp_path: Path) -> None:
    sp.save_npz(tmp_path / "a.npz", matrix)
    b = np.random.default_rng(0).standard_normal((N, 3))
    np.save(tmp_path / "b.npy", b)
    assert main(["solve", f"matrix={tmp_path / 'a.npz'}", f"rhs={tmp_path / 'b.npy'}", f"out={tmp_path / 'out'}"]) == 0
    x = np.load(tmp_path / "out" / "solution.npy")
    assert np.linalg.norm(b - matrix @ x, axis=0).max() <= 1e-8 * np.linalg.norm(b, axis=0).max()


@pytest.mark.parametrize("source", ["matrix=pyamg:airfoil", "matrix=pyamg:recirc_flow", "problem=darcy"])
def test_all_solvers_in_one_table(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    extra = ["problem.resolution=12"] if source.startswith("problem") else []
    assert main(["solve", source, *extra, "solver=all", f"out={out}"]) == 0
    with (out / "solvers.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    names = {(row["solver"], row["preconditioner"]) for row in rows}
    method = "gmres" if "recirc" in source else "cg"
    assert {(method, "none"), (method, "amg"), (method, "direct")} <= names
    assert (("cg", "fast_poisson") in names) == source.startswith("problem")
    assert all(float(row["relative_residual"]) <= 1e-8 for row in rows if row["status"] == "converged")
    assert "fastest" in capsys.readouterr().out


def test_definiteness_is_probed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shifted = sp.diags_array([-1.0, 1.0, -1.0], offsets=[-1, 0, 1], shape=(N, N)).tocsr()
    sp.save_npz(tmp_path / "a.npz", shifted)
    assert main(["solve", f"matrix={tmp_path / 'a.npz'}", "solver=gmres", "rtol=1e-8", f"out={tmp_path / 'out'}"]) == 0
    assert "indefinite (computed: eigenvalues from" in capsys.readouterr().out


def _grid(n: int, sides: float) -> sp.csr_array:
    one = sp.diags_array([-np.ones(n - 1), np.full(n, 2.0), -np.ones(n - 1)], offsets=[-1, 0, 1]).tolil()
    one[0, 0] = one[n - 1, n - 1] = sides
    return sp.csr_array(sp.kron(one, sp.eye_array(n)) + sp.kron(sp.eye_array(n), one))


def _upwind(n: int) -> sp.csr_array:
    wind = sp.diags_array([np.ones(n), -np.ones(n - 1)], offsets=[0, -1])
    return sp.csr_array(_grid(n, 2.0) + sp.kron(wind, sp.eye_array(n)))


AUTOMATIC = {
    "small definite": (lambda: _grid(10, 2.0), "cg", "direct", "a sparse factorisation"),
    "large definite": (lambda: _grid(150, 2.0), "cg", "amg", "off-diagonals"),
    "dominant": (lambda: _grid(150, 2.0) + 4.0 * sp.eye_array(22500), "cg", "jacobi", "diagonally dominant"),
    "mass-like": (lambda: _grid(180, 2.0) @ _grid(180, 2.0) + sp.eye_array(32400), "cg", "ict", "incomplete Cholesky"),
    "indefinite": (lambda: _grid(10, 2.0) - 1.0 * sp.eye_array(100), "gmres", "direct", "indefinite"),
    "nonsymmetric": (lambda: _upwind(10), "gmres", "direct", "nonsymmetric"),
    "complex symmetric": (lambda: _grid(10, 2.0) + 0.5j * sp.eye_array(100), "gmres", "direct", "complex symmetric"),
}


@pytest.mark.parametrize("case", AUTOMATIC)
def test_auto_chooses_and_says_why(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build, solver, preconditioner, why = AUTOMATIC[case]
    sp.save_npz(tmp_path / "a.npz", sp.csr_array(build()))
    out = tmp_path / "out"
    assert main(["solve", f"matrix={tmp_path / 'a.npz'}", "rhs=random", "solver=auto", f"out={out}"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("auto: ")]
    assert len(lines) == 1
    assert lines[0].startswith(f"auto: {solver} + {preconditioner}, ")
    assert why in lines[0]
    result = json.loads((out / "result.json").read_text())
    assert (result["solver"], result["preconditioner"]) == (solver, preconditioner)
    assert result["relative_residual"] <= 1e-8


def test_auto_knows_the_constant_null_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    A = _grid(12, 1.0)
    b = A @ np.random.default_rng(0).standard_normal(144)
    sp.save_npz(tmp_path / "a.npz", A)
    np.save(tmp_path / "b.npy", b)
    command = ["solve", f"matrix={tmp_path / 'a.npz'}", f"rhs={tmp_path / 'b.npy'}", "solver=auto"]
    assert main([*command, f"out={tmp_path / 'out'}"]) == 0
    assert "null space" in capsys.readouterr().out
    x = np.load(tmp_path / "out" / "solution.npy")
    assert np.linalg.norm(b - A @ x) <= 1e-8 * np.linalg.norm(b)
    assert abs(x.mean()) <= 1e-9 * np.abs(x).max()
    ones = ["solve", f"matrix={tmp_path / 'a.npz'}", "rhs=ones", "solver=auto", f"out={tmp_path / 'other'}"]
    assert main(ones) == 2


def test_auto_on_a_grid_and_with_several_right_hand_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["solve", "problem=darcy", "problem.resolution=16", "solver=auto"]
    assert main([*command, f"out={tmp_path / 'darcy'}"]) == 0
    assert "auto: cg + multigrid" in capsys.readouterr().out
    sp.save_npz(tmp_path / "a.npz", _grid(150, 2.0))
    np.save(tmp_path / "b.npy", np.random.default_rng(0).standard_normal((22500, 3)))
    command = ["solve", f"matrix={tmp_path / 'a.npz'}", f"rhs={tmp_path / 'b.npy'}", "solver=auto"]
    assert main([*command, f"out={tmp_path / 'block'}"]) == 0
    assert "auto: block_cg + amg" in capsys.readouterr().out


def test_auto_goes_on_where_its_first_choice_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Singular, the right-hand side in the range: the factorisation is refused, that of a matrix nearby solves it."""
    A = sp.csr_array(np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, 2.0, 0.0]]))
    b = A @ np.array([1.0, 2.0, 3.0])
    sp.save_npz(tmp_path / "a.npz", A)
    np.save(tmp_path / "b.npy", b)
    command = ["solve", f"matrix={tmp_path / 'a.npz'}", f"rhs={tmp_path / 'b.npy'}", "solver=auto"]
    assert main([*command, f"out={tmp_path / 'out'}"]) == 0
    printed = capsys.readouterr().out
    assert "direct left out" in printed
    assert "auto: gmres + regularized_lu" in printed


@pytest.mark.parametrize("name", ["auto", "all"])
def test_auto_and_all_are_for_solve_alone(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sweep", "problem=poisson", "problem.resolution=8", f"solver={name}", f"out={tmp_path / 'out'}"]
    assert main([*command, "rtol=1e-8"]) == 2
    assert main(["solve", "problem=poisson", f"solver={name}", "preconditioner=ic0"]) == 2
    assert f"solver={name}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["airfoil", "bar", "helmholtz_2D", "knot", "local_disc_galerkin_diffusion", "recirc_flow", "unit_cube"]
)
def test_auto_solves_the_matrices_that_pyamg_ships(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["solve", f"matrix=pyamg:{name}", "rhs=random", "solver=auto", f"out={out}"]) == 0
    assert json.loads((out / "result.json").read_text())["relative_residual"] <= 1e-8


def test_auto_knows_toeplitz_operators_and_rigid_body_modes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", "problem=riesz", "solver=auto", f"out={tmp_path / 'riesz'}"]) == 0
    assert "auto: cg + tau" in capsys.readouterr().out
    direct = ["solve", "problem=riesz", "problem.form=direct", "solver=auto"]
    assert main([*direct, f"out={tmp_path / 'direct'}"]) == 0
    assert "auto: gmres + tau" in capsys.readouterr().out
    bent = ["solve", "problem=elasticity", "problem.resolution=100", "solver=auto"]
    assert main([*bent, f"out={tmp_path / 'elasticity'}"]) == 0
    assert "smoothed aggregation" in capsys.readouterr().out
    result = json.loads((tmp_path / "elasticity" / "result.json").read_text())
    assert result["iterations"] <= 25
