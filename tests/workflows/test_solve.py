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
    assert "indefinite (proven: Ritz values" in capsys.readouterr().out
