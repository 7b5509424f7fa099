"""Read matrices and right-hand sides from files: MatrixMarket, NumPy and SciPy, MATLAB (v5 and v7.3)."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse as sp
from scipy.io.matlab import MatReadError

from resolvent.data.format.atomic_files import reading_errors
from resolvent.solvers import InputError

MATRIX_FORMATS = ".mtx, .mtx.gz, .npz, .mat"


@dataclass
class MatrixFile:
    """Hold a matrix read from a file, and what else the file holds."""

    name: str
    matrix: sp.csr_array  # (n, n), float64 or complex128
    rhs: np.ndarray | None = None  # (n,) or (n, k)
    near_nullspace: np.ndarray | None = None  # (n, m), for algebraic multigrid


def read_matrix(path: str) -> MatrixFile:
    """Read a square sparse matrix.

    ``pyamg:NAME`` reads one of the matrices that pyamg ships (airfoil, bar, …). In a ``.mat`` file the matrix is the
    variable ``A``, the only sparse one, or the SuiteSparse collection's ``Problem.A``; a vector ``b`` is taken as the
    right-hand side and ``B`` as the near-nullspace.

    Raises
    ------
    InputError
        For a missing or damaged file, an unknown format, a matrix that is empty, not square or not finite.
    """
    file = _shipped_by_pyamg(path[6:]) if path.startswith("pyamg:") else Path(path)
    if not file.is_file():
        raise InputError(f"matrix={path}: no such file; expected a file in {MATRIX_FORMATS}, or pyamg:NAME")
    read = {".mtx": _read_mtx, ".gz": _read_mtx, ".npz": _read_npz, ".mat": _read_mat}.get(file.suffix.lower())
    if read is None or (file.suffix.lower() == ".gz" and not file.name.lower().endswith(".mtx.gz")):
        raise InputError(f"matrix={path}: unknown format '{file.suffix}'; expected {MATRIX_FORMATS}")
    matrix, extras = _guard(path, read, file)
    return _checked(path, matrix, extras)


def read_rhs(path: str, n: int) -> np.ndarray:
    """Read a right-hand side of shape (n,) or (n, k) from ``.npy``, ``.npz``, ``.mtx[.gz]`` or ``.mat``."""
    file = Path(path)
    if not file.is_file():
        raise InputError(f"rhs={path}: no such file; expected .npy, .npz, .mtx, .mat, or the words ones or random")
    suffix = file.suffix.lower()
    if suffix == ".npy":
        values = _guard(path, lambda f: np.load(f, allow_pickle=False), file, what="rhs")
    elif suffix == ".npz":
        values = _guard(path, _only_array, file, what="rhs")
    elif suffix in (".mtx", ".gz"):
        values = _guard(path, lambda f: _read_mtx(f)[0], file, what="rhs")
    elif suffix == ".mat":
        values = _guard(path, _rhs_of_mat, file, what="rhs")
    else:
        raise InputError(f"rhs={path}: unknown format '{suffix}'; expected .npy, .npz, .mtx or .mat")
    values = values.toarray() if sp.issparse(values) else np.asarray(values)
    if values.dtype.kind not in "fciub":
        raise InputError(f"rhs={path}: holds values of type {values.dtype}; expected numbers")
    if values.ndim == 2 and 1 in values.shape and values.shape[0] != n:
        values = values.reshape(-1)
    elif values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or values.shape[0] != n:
        raise InputError(f"rhs={path}: has shape {values.shape}; expected ({n},) or ({n}, k) for this matrix")
    return values.astype(np.complex128 if np.iscomplexobj(values) else np.float64)


def _guard(path: str, read: Any, file: Path, what: str = "matrix") -> Any:
    """Call a reader; turn what it raises on a damaged file into one line."""
    further = (EOFError, OverflowError, zipfile.BadZipFile, zlib.error, MatReadError)
    advice = "the file is truncated, damaged or of another format"
    with reading_errors(f"{what}={path}: cannot be read as {file.suffix}", advice, *further):
        return read(file)


def _shipped_by_pyamg(name: str) -> Path:
    import pyamg

    folder = Path(pyamg.__file__).parent / "gallery" / "example_data"
    known = sorted(f.stem for f in folder.glob("*.mat"))
    if name not in known:
        from resolvent.solvers.arguments import did_you_mean

        raise InputError(
            f"matrix=pyamg:{name} is not shipped by pyamg: known are {', '.join(known)}{did_you_mean(name, known)}"
        )
    return folder / f"{name}.mat"


def _read_mtx(file: Path) -> tuple[Any, dict[str, Any]]:
    return scipy.io.mmread(file), {}


def _read_npz(file: Path) -> tuple[Any, dict[str, Any]]:
    with np.load(file, allow_pickle=False) as archive:
        names = set(archive.files)
        if not {"format", "shape", "data"} <= names:  # not SciPy's: a dense array
            if "A" in names:
                return archive["A"], {k: archive[k] for k in ("b", "B") if k in names}
            raise InputError(
                f"matrix={file}: holds {', '.join(sorted(names))}; expected a file of"
                " scipy.sparse.save_npz or an array 'A'"
            )
    return sp.load_npz(file), {}


def _read_mat(file: Path) -> tuple[Any, dict[str, Any]]:
    variables = _load_mat(file)
    variables = {k: v for k, v in variables.items() if not k.startswith("__")}
    problem = variables.get("Problem")
    if problem is not None and getattr(problem, "dtype", None) is not None and problem.dtype.names:
        variables = {k: problem[k][0, 0] for k in problem.dtype.names}  # the SuiteSparse collection's layout
    extras = {k: v for k, v in variables.items() if k in ("b", "B") and isinstance(v, np.ndarray)}
    sparse = [k for k, v in variables.items() if sp.issparse(v)]
    if "A" in variables:
        return variables["A"], extras
    if len(sparse) == 1:
        return variables[sparse[0]], extras
    raise InputError(
        f"matrix={file}: holds {', '.join(sorted(variables)) or 'nothing'}; expected a variable A or one sparse"
        " variable"
    )


def _load_mat(file: Path) -> dict[str, Any]:
    import h5py

    if h5py.is_hdf5(file):  # version 7.3
        return _read_mat73(file)
    variables: dict[str, Any] = scipy.io.loadmat(file)
    return variables


def _read_mat73(file: Path) -> dict[str, Any]:
    import h5py

    variables: dict[str, Any] = {}
    with h5py.File(file, "r") as stream:
        scope = stream["Problem"] if isinstance(stream.get("Problem"), h5py.Group) else stream
        for key, item in scope.items():
            if isinstance(item, h5py.Group) and {"data", "ir", "jc"} <= set(item):
                rows = int(item.attrs["MATLAB_sparse"])
                indptr = item["jc"][()]
                values = item["data"][()]
                if values.dtype.names:
                    values = values["real"] + 1j * values["imag"]
                variables[key] = sp.csc_array((values, item["ir"][()], indptr), shape=(rows, len(indptr) - 1))
            elif isinstance(item, h5py.Dataset) and item.ndim == 2 and item.dtype.kind in "fiu":
                variables[key] = item[()].T  # MATLAB stores columns first
    return variables


def _only_array(file: Path) -> np.ndarray:
    with np.load(file, allow_pickle=False) as archive:
        name = "b" if "b" in archive.files else archive.files[0] if len(archive.files) == 1 else None
        if name is None:
            raise InputError(f"rhs={file}: holds {', '.join(archive.files)}; expected an array 'b' or a single one")
        return np.asarray(archive[name])


def _rhs_of_mat(file: Path) -> Any:
    variables = _load_mat(file)
    names = [k for k in variables if not k.startswith("__")]
    name = "b" if "b" in names else names[0] if len(names) == 1 else None
    if name is None:
        raise InputError(f"rhs={file}: holds {', '.join(names) or 'nothing'}; expected a variable 'b' or a single one")
    return variables[name]


def _checked(path: str, matrix: Any, extras: dict[str, Any]) -> MatrixFile:
    if not sp.issparse(matrix):
        matrix = np.asarray(matrix)
        if matrix.ndim != 2:
            raise InputError(f"matrix={path}: holds an array of shape {matrix.shape}; expected a square matrix")
    if matrix.dtype.kind not in "fciub":
        raise InputError(f"matrix={path}: holds values of type {matrix.dtype}; expected numbers")
    rows, columns = matrix.shape
    if rows != columns or rows == 0:
        raise InputError(
            f"matrix={path}: is {rows} x {columns}; expected a square matrix (for least squares form AᵀA first)"
        )
    csr = sp.csr_array(matrix, dtype=np.complex128 if matrix.dtype.kind == "c" else np.float64)
    csr.sum_duplicates()
    bad = np.count_nonzero(~np.isfinite(csr.data))
    if bad:
        raise InputError(
            f"matrix={path}: {bad} of its {csr.nnz} entries are NaN or infinite; expected finite entries, mend the file"
        )
    rhs, near = extras.get("b"), extras.get("B")
    if rhs is not None:
        rhs = np.asarray(rhs.toarray() if sp.issparse(rhs) else rhs)
        rhs = rhs[:, 0] if rhs.ndim == 2 and rhs.shape[1] == 1 else rhs
        rhs = rhs if rhs.shape[:1] == (rows,) else None
    if near is not None and (near.ndim != 2 or near.shape[0] != rows):
        near = None
    return MatrixFile(name=Path(path.removeprefix("pyamg:")).name, matrix=csr, rhs=rhs, near_nullspace=near)
