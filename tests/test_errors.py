"""What users get wrong: one line on standard error that says the fix, exit code 2, nothing left behind."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from resolvent.workflows.cli import main


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write matrices and right-hand sides, good and bad, and a small dataset and model to spoil copies of."""
    folder = tmp_path_factory.mktemp("files")
    n = 12
    good = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n)).tocsr()
    scipy.io.mmwrite(folder / "good.mtx", good)
    scipy.io.mmwrite(folder / "rectangular.mtx", good[:, :-1])
    scipy.io.mmwrite(folder / "indefinite.mtx", (good - sp.eye_array(n)).tocsr())
    lopsided = good.tolil()
    lopsided[0, n - 1] = 3.0
    scipy.io.mmwrite(folder / "nonsymmetric.mtx", lopsided.tocsr())
    singular = good.tolil()
    singular[3, :] = 0
    singular[:, 3] = 0
    singular[3, 3] = 0.0
    sp.save_npz(folder / "singular.npz", singular.tocsr())
    nan = good.copy()
    nan.data[4] = np.nan
    sp.save_npz(folder / "nan.npz", nan)
    text = (folder / "good.mtx").read_text()
    (folder / "truncated.mtx").write_text(text[: len(text) // 2])
    sp.save_npz(folder / "good.npz", good)
    (folder / "truncated.npz").write_bytes((folder / "good.npz").read_bytes()[:200])
    scipy.io.savemat(folder / "no_matrix.mat", {"x": np.ones(3), "y": np.ones(4)})
    (folder / "matrix.xlsx").write_text("not a matrix")
    np.save(folder / "short.npy", np.ones(n - 3))
    np.save(folder / "words.npy", np.array(["a"] * n))
    np.save(folder / "nan.npy", np.full(n, np.nan))
    np.save(folder / "objects.npy", np.array([{}] * n, dtype=object), allow_pickle=True)
    dataset = ["generate", "problem=poisson", "problem.resolution=8", "problem.modes=8", "samples=10", "shard_size=4"]
    assert main([*dataset, f"out={folder / 'data'}"]) == 0
    tiny = ["operator.modes=2", "operator.width=2", "operator.layers=1", "epochs=1"]
    assert main(["train", f"data={folder / 'data'}", *tiny, f"out={folder / 'model'}"]) == 0
    return folder


# name: (arguments with {files} and {out}, words that the line must hold)
MISTAKES: dict[str, tuple[list[str], list[str]]] = {
    "unknown verb": (["generat"], ["unknown verb 'generat'", "did you mean 'generate'"]),
    "unknown group option": (["generate", "problem=darcyy", "out={out}"], ["problem=darcyy", "did you mean 'darcy'"]),
    "misspelt setting": (["generate", "sampels=3", "out={out}"], ["sampels", "did you mean 'samples'"]),
    "misspelt nested setting": (
        ["generate", "problem.resolutoin=8", "out={out}"],
        ["problem.resolutoin", "did you mean 'problem.resolution'"],
    ),
    "unknown option": (["solve", "--fast"], ["--fast", "KEY=VALUE"]),
    "no equals sign": (["solve", "matrix"], ["'matrix'", "KEY=VALUE"]),
    "unreadable override": (["generate", "splits=[1,2", "out={out}"], ["splits=[1,2", "quote"]),
    "several values outside a sweep": (
        ["generate", "samples=10,20", "out={out}"],
        ["samples=10,20", "resolvent sweep"],
    ),
    "word for a number": (["generate", "samples=many", "out={out}"], ["samples=many", "integer"]),
    "fraction for an integer": (["generate", "samples=2.5", "out={out}"], ["samples=2.5", "integer"]),
    "zero samples": (["generate", "samples=0", "out={out}"], ["samples", "0", "at least"]),
    "negative seed": (["generate", "seed=-1", "out={out}"], ["seed", "-1"]),
    "one cell": (["generate", "problem.resolution=1", "out={out}"], ["resolution", "1", "at least 2"]),
    "infinite variance": (["generate", "problem.alpha=0.5", "out={out}"], ["alpha", "expected"]),
    "negative coefficient": (["generate", "problem=darcy", "problem.low=-1", "out={out}"], ["low", "-1"]),
    "unknown medium": (["generate", "problem.medium=bianry", "out={out}"], ["bianry", "did you mean 'binary'"]),
    "two splits": (["generate", "splits=[0.5,0.5]", "out={out}"], ["splits", "three"]),
    "splits that do not add up": (["generate", "samples=10", "splits=[5,5,5]", "out={out}"], ["10", "15"]),
    "no workers": (["generate", "workers=0", "out={out}"], ["workers", "at least 1"]),
    "unknown dtype": (["generate", "dtype=float16", "out={out}"], ["float16", "float32"]),
    "unknown compression": (["generate", "compression=zip", "out={out}"], ["zip", "gzip"]),
    "negative tolerance": (["solve", "matrix={files}/good.mtx", "rtol=-1e-8", "out={out}"], ["rtol", "-1e-08"]),
    "word for a tolerance": (["solve", "matrix={files}/good.mtx", "rtol=small", "out={out}"], ["rtol=small", "number"]),
    "negative maxiter": (["solve", "matrix={files}/good.mtx", "maxiter=-5", "out={out}"], ["maxiter", "-5"]),
    "nothing to solve": (["solve", "out={out}"], ["matrix=FILE", "problem=NAME"]),
    "missing matrix": (["solve", "matrix={files}/gone.mtx", "out={out}"], ["gone.mtx", "no such file"]),
    "unknown format": (["solve", "matrix={files}/matrix.xlsx", "out={out}"], [".xlsx", ".mtx"]),
    "truncated mtx": (["solve", "matrix={files}/truncated.mtx", "out={out}"], ["truncated.mtx", "truncated"]),
    "truncated npz": (["solve", "matrix={files}/truncated.npz", "out={out}"], ["truncated.npz", "truncated"]),
    "mat without a matrix": (["solve", "matrix={files}/no_matrix.mat", "out={out}"], ["holds x, y", "variable A"]),
    "matrix not shipped": (["solve", "matrix=pyamg:airfol", "out={out}"], ["airfol", "did you mean 'airfoil'"]),
    "rectangular matrix": (["solve", "matrix={files}/rectangular.mtx", "out={out}"], ["12 x 11", "square"]),
    "NaN in the matrix": (["solve", "matrix={files}/nan.npz", "out={out}"], ["1 of its", "NaN"]),
    "singular matrix": (
        ["solve", "matrix={files}/singular.npz", "solver=gmres", "preconditioner=direct", "out={out}"],
        ["singular"],
    ),
    "CG on a nonsymmetric matrix": (["solve", "matrix={files}/nonsymmetric.mtx", "out={out}"], ["symmetric", "gmres"]),
    "IC(0) on a nonsymmetric matrix": (
        ["solve", "matrix={files}/nonsymmetric.mtx", "solver=gmres", "preconditioner=ic0", "out={out}"],
        ["ic0", "Hermitian"],
    ),
    "short right-hand side": (
        ["solve", "matrix={files}/good.mtx", "rhs={files}/short.npy", "out={out}"],
        ["(9,)", "(12,)"],
    ),
    "words in the right-hand side": (
        ["solve", "matrix={files}/good.mtx", "rhs={files}/words.npy", "out={out}"],
        ["numbers"],
    ),
    "objects in the right-hand side": (
        ["solve", "matrix={files}/good.mtx", "rhs={files}/objects.npy", "out={out}"],
        ["objects.npy", "cannot be read"],
    ),
    "NaN in the right-hand side": (["solve", "matrix={files}/good.mtx", "rhs={files}/nan.npy", "out={out}"], ["NaN"]),
    "preconditioned SOR": (
        ["solve", "matrix={files}/good.mtx", "solver=sor", "preconditioner=amg", "out={out}"],
        ["takes no preconditioner"],
    ),
    "omega out of range": (
        ["solve", "matrix={files}/good.mtx", "solver=sor", "solver.omega=2.5", "out={out}"],
        ["omega", "2.5"],
    ),
    "fast Poisson without a grid": (
        ["solve", "matrix={files}/good.mtx", "preconditioner=fast_poisson", "out={out}"],
        ["shape"],
    ),
    "all with a preconditioner": (
        ["solve", "matrix={files}/good.mtx", "solver=all", "preconditioner=amg", "out={out}"],
        ["solver=all"],
    ),
    "sweep over nothing": (["sweep", "solver=sor", "out={out}"], ["nothing is swept"]),
    "sweep over an unknown key": (
        ["sweep", "solver=sor", "solver.omga=1,1.5", "out={out}"],
        ["did you mean 'solver.omega'"],
    ),
    "sweep over an unknown option": (["sweep", "solver=cg,sro", "out={out}"], ["solver=sro", "did you mean 'sor'"]),
    "sweep of a missing matrix": (
        ["sweep", "matrix={files}/gone.mtx", "solver=sor", "solver.omega=1,1.5", "out={out}"],
        ["gone.mtx", "no such file"],
    ),
    "sweep over all": (["sweep", "solver=all", "rtol=1e-4,1e-6", "out={out}"], ["solver=all", "named"]),
    "empty range": (["sweep", "solver=sor", "solver.omega=range(2.0,1.0,0.1)", "out={out}"], ["no values"]),
    "unknown objective": (
        ["sweep", "solver=sor", "solver.omega=1,1.5", "objective=speed", "out={out}"],
        ["objective=speed"],
    ),
    "nothing to train on": (["train", "out={out}"], ["data=FOLDER"]),
    "missing dataset": (["train", "data={files}/gone", "out={out}"], ["gone"]),
    "not a dataset": (["train", "data={files}", "out={out}"], ["dataset"]),
    "no epochs": (["train", "data={files}/data", "epochs=0", "out={out}"], ["epochs", "0"]),
    "negative learning rate": (["train", "data={files}/data", "lr=-0.1", "out={out}"], ["lr", "-0.1"]),
    "empty batch": (["train", "data={files}/data", "batch_size=0", "out={out}"], ["batch_size", "0"]),
    "unknown loss": (["train", "data={files}/data", "loss=l3", "out={out}"], ["l3", "l2"]),
    "missing model": (["evaluate", "model={files}/gone", "data={files}/data", "out={out}"], ["gone"]),
    "no modes": (["train", "data={files}/data", "operator.modes=0", "out={out}"], ["modes", "0"]),
    "unknown split": (["inspect", "data={files}/data", "plot=true", "split=tset", "out={out}"], ["tset", "train"]),
    "nothing to convert": (["convert", "out={out}"], ["source=FILE"]),
    "missing source": (["convert", "source={files}/gone.h5", "out={out}"], ["gone.h5", "no such file"]),
    "unknown format of a source": (["convert", "source={files}/matrix.xlsx", "out={out}"], [".xlsx", ".hdf5"]),
    "unknown target": (["convert", "source={files}/data", "format=pdebnch", "out={out}"], ["did you mean 'pdebench'"]),
    "unknown layout": (
        ["convert", "source={files}/data", "format=pdebench", "layout=tensr", "out={out}"],
        ["did you mean 'tensor'"],
    ),
    "layout of another format": (
        ["convert", "source={files}/data", "format=npz", "layout=tensor", "out={out}"],
        ["format=pdebench"],
    ),
    "layout of an import": (["convert", "source={files}/nan.npy", "layout=tensor", "out={out}"], ["layout=tensor"]),
    "layout that has no place": (
        ["convert", "source={files}/data", "format=pdebench", "layout=groups", "out={out}"],
        ["holds no inputs", "format=neuraloperator"],
    ),
    "a dataset as a source": (["convert", "source={files}/data", "out={out}"], ["is a Resolvent dataset", "format="]),
    "export onto the dataset": (
        ["convert", "source={out}/../gone", "format=npz", "out={out}"],
        ["gone", "is no folder"],
    ),
    "truncated source": (["convert", "source={files}/truncated.npz", "out={out}"], ["truncated.npz", "damaged"]),
    "number for names": (["convert", "source={files}/good.npz", "inputs=3", "out={out}"], ["inputs=3", "names"]),
    "unknown engine": (["generate", "engine=dsak", "out={out}"], ["engine=dsak", "did you mean 'dask'"]),
    "unknown engine setting": (
        ["generate", "engine=dask", "engine.adress=x", "out={out}"],
        ["did you mean 'engine.address'"],
    ),
    "unknown cluster": (["generate", "engine=dask", "engine.cluster=pbs", "out={out}"], ["pbs", "slurm"]),
    "no error bound": (["generate", "compression=zfp", "out={out}"], ["zfp", "error_bound"]),
    "error bound without loss": (["generate", "error_bound=1e-6", "out={out}"], ["gzip is lossless"]),
    "unknown table": (["bench", "genration"], ["did you mean 'generation'"]),
}


def _fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command line; assert that it fails as promised; return its line."""
    capsys.readouterr()
    code = main(arguments)
    printed = capsys.readouterr()
    assert code == 2, printed.err
    assert printed.err.startswith("resolvent: ")
    assert printed.err.count("\n") == 1, printed.err
    assert "Traceback" not in printed.err + printed.out
    return printed.err


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_gets_one_line(name: str, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, words = MISTAKES[name]
    out = tmp_path / "out"
    line = _fails([a.format(files=files, out=out) for a in arguments], capsys)
    for word in words:
        assert word in line, line
    assert not out.exists(), sorted(out.rglob("*"))


def test_indefinite_matrix_to_cg_says_what_to_use(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = _fails(["solve", f"matrix={files / 'indefinite.mtx'}", f"out={tmp_path / 'out'}"], capsys)
    assert "indefinite" in line
    assert "gmres" in line


def test_too_few_iterations_keeps_the_result_and_fails(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    line = _fails(["solve", f"matrix={files / 'good.mtx'}", "maxiter=2", f"out={out}"], capsys)
    assert "maxiter" in line
    assert json.loads((out / "result.json").read_text())["status"] == "maxiter"
    assert np.load(out / "solution.npy").shape == (12,)


def test_output_folder_is_a_file(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("mine")
    for arguments in (
        ["generate", "problem.resolution=8", "samples=10"],
        ["solve", f"matrix={files / 'good.mtx'}"],
        ["train", f"data={files / 'data'}", "epochs=1", "operator.width=2", "operator.modes=2"],
        ["sweep", f"matrix={files / 'good.mtx'}", "solver=sor", "solver.omega=1,1.5"],
    ):
        _fails([*arguments, f"out={tmp_path / 'taken'}"], capsys)
        _fails([*arguments, f"out={tmp_path / 'taken' / 'below'}"], capsys)
    assert (tmp_path / "taken").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_dataset_of_other_settings_is_not_overwritten(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(files / "data", copy)
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}
    again = ["generate", "problem=poisson", "problem.resolution=16", "problem.modes=8", "samples=10", "shard_size=4"]
    line = _fails([*again, f"out={copy}"], capsys)
    assert "resolution" in line
    assert "out=" in line
    assert before == {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()}


def _spoil_version(folder: Path) -> None:
    for file in folder.glob("data/*/*.hdf5"):
        with h5py.File(file, "r+") as stream:
            stream.attrs["resolvent_format_version"] = 99


def _truncate(folder: Path) -> None:
    file = next(folder.glob("data/train/*.hdf5"))
    file.write_bytes(file.read_bytes()[:1000])


def _remove_shard(folder: Path) -> None:
    next(folder.glob("data/train/*.hdf5")).unlink()


@pytest.mark.parametrize(
    ("spoil", "word"), [(_spoil_version, "version"), (_truncate, "truncated"), (_remove_shard, "missing")]
)
def test_spoilt_dataset(
    spoil: Callable[[Path], None], word: str, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(files / "data", copy)
    spoil(copy)
    out = tmp_path / "out"
    line = _fails(["train", f"data={copy}", "epochs=1", "operator.width=2", "operator.modes=2", f"out={out}"], capsys)
    assert word in line, line
    assert not out.exists()


def test_spoilt_model(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "model"
    shutil.copytree(files / "model", copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    line = _fails(["evaluate", f"model={copy}", f"data={files / 'data'}", f"out={tmp_path / 'out'}"], capsys)
    assert "model.safetensors" in line
    weights.unlink()
    _fails(["evaluate", f"model={copy}", f"data={files / 'data'}", f"out={tmp_path / 'out'}"], capsys)
    assert not (tmp_path / "out").exists()


def test_resume_with_other_settings_is_refused(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "model"
    shutil.copytree(files / "model", copy)
    before = (copy / "model.safetensors").read_bytes()
    arguments = ["operator.modes=2", "operator.width=2", "operator.layers=1", "epochs=1"]
    line = _fails(["train", f"data={files / 'data'}", *arguments, "lr=0.5", f"out={copy}"], capsys)
    assert "lr" in line
    assert before == (copy / "model.safetensors").read_bytes()


def test_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A file-size limit stands for the full disk: the write fails in the middle of a shard, as it would there."""
    out = tmp_path / "data"
    command = [sys.executable, "-m", "resolvent.workflows.cli", "generate", "problem=poisson", "problem.resolution=64"]
    command += ["problem.modes=8", "samples=10", "shard_size=8", f"out={out}"]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("resolvent: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(out.rglob("*.hdf5*")), list(out.rglob("*"))
    assert (
        subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    )  # with room, the same command goes on
    assert main(["verify", f"data={out}", f"out={tmp_path / 'verify'}"]) == 0


def test_console_script_and_traceback_option(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("resolvent")
    done = subprocess.run(
        [script, "solve", "matrix=gone.mtx"], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    shown = subprocess.run(
        [script, "solve", "matrix=gone.mtx", "--traceback"], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert shown.returncode == 2
    assert "Traceback" in shown.stderr
    assert list(tmp_path.iterdir()) == []
